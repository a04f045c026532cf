"""A model folder: config.json says what the model is, model.safetensors holds its weights. No pickle, no guessing.

Everything needed to use the weights lies beside them: how to build the network, the order of its outputs, its
preprocessing, its operating point, what was measured, where it came from and its licence. Reading is strict: a key too
many or too few, another shape or an unknown setting is an error that names it.
"""

import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .errors import (
    CheckpointError,
    CheckpointFormatError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
    DeviceError,
)
from .models import create_model
from .preprocessing import Preprocess

SCHEMA = 1
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "architecture": (str,),
    "arguments": (dict,),
    "labels": (list,),
    "preprocess": (dict,),
    "explain_layer": (str, NoneType),
    "temperature": (int, float),
    "logit_bias": (list, NoneType),
    "views": (str,),
    "measured": (list,),
    "training": (dict,),
    "license": (dict,),
}


@dataclass(frozen=True)
class ModelInfo:
    """What config.json holds.

    Attributes:
        architecture: a name that ``create_model`` knows.
        arguments: the keyword arguments for ``create_model``; what is left out has its default.
        labels: name of each output, in the order of the outputs.
        preprocess: how a face crop becomes the network's input.
        explain_layer: the submodule whose map explanations look at, or None where there is none.
        temperature, logit_bias: calibration and operating point; probabilities are
            ``softmax(logits / temperature + logit_bias)``. The bias has one value a label, None is no bias.
        views: "flip" averages the probabilities of a crop and its mirror image; "none" looks once.
        measured: facts, each a dict that says data set, labels, split, n and the figures (fractions in [0, 1]).
        training: where the weights come from: recipe, data, epochs, seed, commit; or what was converted.
        license: name, link and text of the licence of the weights.

    Raises:
        ValueError: a value does not fit, or two of them do not fit each other.
    """

    architecture: str
    arguments: dict[str, Any]
    labels: tuple[str, ...]
    preprocess: Preprocess
    explain_layer: str | None = "se"
    temperature: float = 1.0
    logit_bias: tuple[float, ...] | None = None
    views: Literal["none", "flip"] = "none"
    measured: tuple[dict[str, Any], ...] = ()
    training: dict[str, Any] = field(default_factory=dict)
    license: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        labels, bias = self.labels, self.logit_bias
        if not all(isinstance(label, str) and label for label in labels) or len(set(labels)) != len(labels):
            raise ValueError(f"labels must be different, non-empty names, got {labels}")
        outputs, channels = self.arguments.get("num_classes", 7), self.arguments.get("in_channels", 3)
        if outputs != len(labels):
            raise ValueError(f"the model has {outputs} outputs, but there are {len(labels)} labels: {labels}")
        if channels != self.preprocess.channels:
            raise ValueError(
                f"the model takes {channels} channels, but preprocessing gives {self.preprocess.channels}"
            )
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature must be a positive number, got {self.temperature}")
        if bias is not None and (len(bias) != len(labels) or not all(_is_finite_number(value) for value in bias)):
            raise ValueError(f"logit_bias must have one finite number for each of {len(labels)} labels, got {bias}")
        if self.views not in ("none", "flip"):
            raise ValueError(f"views must be 'none' or 'flip', got {self.views!r}")
        if not all(isinstance(fact, dict) for fact in self.measured):
            raise ValueError(f"every entry of measured must be a dict, got {self.measured}")

    def to_dict(self) -> dict[str, Any]:
        """The content of config.json, made of JSON types only."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["preprocess"] = self.preprocess.to_dict()
        return cast(dict[str, Any], json.loads(json.dumps({"schema": SCHEMA, **values}, allow_nan=False)))

    @classmethod
    def from_dict(cls, values: Any) -> "ModelInfo":
        """Read back ``to_dict``.

        Raises:
            CheckpointFormatError: a newer schema, a key that is missing or not known, or a value that does not fit.
        """
        if not isinstance(values, dict):
            raise CheckpointFormatError(f"expected a JSON object, got {type(values).__name__}")
        _check_schema(values.get("schema"))
        expected = {"schema", *_JSON_TYPES}
        if set(values) != expected:
            raise CheckpointFormatError(
                f"missing keys: {_listed(expected - set(values))}; keys that are not known: "
                f"{_listed(set(values) - expected)}"
            )
        for key, types in _JSON_TYPES.items():
            if not isinstance(values[key], types) or isinstance(values[key], bool):
                allowed = " or ".join("null" if kind is NoneType else kind.__name__ for kind in types)
                raise CheckpointFormatError(f"{key} must be {allowed}, got {values[key]!r}")
        known = {key: values[key] for key in _JSON_TYPES}
        bias = known["logit_bias"]
        try:
            known["preprocess"] = Preprocess.from_dict(known["preprocess"])
            return cls(**{
                **known,
                "labels": tuple(known["labels"]),
                "logit_bias": None if bias is None else tuple(bias),
                "measured": tuple(known["measured"]),
            })
        except (ValueError, TypeError) as error:
            raise CheckpointFormatError(str(error)) from error


@dataclass(frozen=True)
class LoadedModel:
    """A network in evaluation mode, with everything config.json says about it.

    Attributes:
        module: logits (N, K) from preprocessed crops (N, C, S, S).
        info: the content of config.json.
        folder: where it was read from.
    """

    module: nn.Module
    info: ModelInfo
    folder: Path

    @property
    def preprocess(self) -> Preprocess:
        """Crops -> (N, C, S, S), the only preprocessing that fits these weights."""
        return self.info.preprocess

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return self.info.labels

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.module.parameters()).device

    def to(self, device: str | torch.device) -> "LoadedModel":
        """Move the weights; returns the same object.

        Raises:
            DeviceError: this machine does not have the device.
        """
        try:
            self.module.to(device)
        except (RuntimeError, AssertionError) as error:  # torch raises either, depending on how it was built
            raise DeviceError(f"the model cannot be put on {str(device)!r}: {error}") from error
        return self

    @torch.inference_mode()
    def probabilities(self, batch: Tensor) -> Tensor:
        """Preprocessed crops (N, C, S, S) -> probabilities (N, K), float32 on the CPU, columns as in ``labels``.

        Temperature, operating point and views of the config are applied; rows sum to 1.

        Raises:
            ValueError: the batch does not have the shape that ``preprocess`` gives.
        """
        expected = (self.preprocess.channels, self.preprocess.size, self.preprocess.size)
        if batch.ndim != 4 or tuple(batch.shape[1:]) != expected:
            raise ValueError(f"expected a batch (N, {', '.join(map(str, expected))}), got {tuple(batch.shape)}")
        if len(batch) == 0:
            return torch.empty(0, len(self.labels))
        batch = batch.to(self.device)
        result = self._look(batch)
        if self.info.views == "flip":
            result = (result + self._look(batch.flip(-1))) / 2
        return result.cpu()

    def _look(self, batch: Tensor) -> Tensor:
        logits = self.module(batch).float() / self.info.temperature
        if self.info.logit_bias is not None:
            logits = logits + torch.tensor(self.info.logit_bias, device=logits.device)
        return torch.softmax(logits, dim=1)


def save_model(
    folder: str | Path, module: nn.Module, info: ModelInfo, *, dtype: torch.dtype = torch.float32
) -> Path:
    """Write a model folder, or replace one; a crash leaves the old one or the new one, never a mix.

    Args:
        folder: where to; the folders above it are made. If it exists it must be empty or a model folder.
        module: the network that ``info`` describes, on any device. Not wrapped, not compiled.
        dtype: how kernels and matrices are stored; float16 halves the file. Vectors (biases, normalisation) stay
            float32: they are few, and running variances have a wide range.

    Raises:
        CheckpointMismatchError: the weights are not those of the network that ``info`` describes.
        CheckpointError: the folder holds other things, or a weight is not finite once stored.
    """
    folder = Path(folder).resolve()
    _check_replaceable(folder)
    state = {name: _stored(name, value, dtype) for name, value in module.state_dict().items()}
    _check_fit(state, _empty_network(info).state_dict(), "the module given")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.new")
    if fresh.exists():  # left behind by a crash
        shutil.rmtree(fresh)
    fresh.mkdir()
    (fresh / CONFIG_FILE).write_text(json.dumps(info.to_dict(), indent=2) + "\n", encoding="utf-8")
    save_file(state, fresh / WEIGHTS_FILE, metadata={"format": "pt"})
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        with (fresh / name).open("rb+") as file:
            os.fsync(file.fileno())
    _swap_in(fresh, folder)
    return folder


def load_model(folder: str | Path, *, device: str | torch.device = "cpu") -> LoadedModel:
    """Read a model folder: evaluation mode, float32 whatever it is stored in, strict in keys and shapes.

    Raises:
        CheckpointNotFoundError: there is no such folder.
        CheckpointFormatError: a file is missing or damaged, or of a newer schema.
        CheckpointMismatchError: the weights are not those of the network that config.json describes.
        DeviceError: this machine does not have the device.
    """
    folder = find_folder(folder)
    info = read_info(folder)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointFormatError(f"{folder} is not a whole model folder: {WEIGHTS_FILE} is missing")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise CheckpointFormatError(f"{path} is damaged or not a safetensors file: {error}") from error
    try:
        module = _empty_network(info)
    except CheckpointFormatError as error:
        raise CheckpointFormatError(f"{folder / CONFIG_FILE}: {error}") from error
    assign_weights(module, state, source=path)
    return LoadedModel(module.eval(), info, folder).to(device)


def read_info(folder: str | Path) -> ModelInfo:
    """Read config.json alone; errors as in ``load_model``."""
    folder = find_folder(folder)
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise CheckpointFormatError(f"{folder} is not a model folder: {CONFIG_FILE} is missing")
    try:
        return ModelInfo.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:  # not UTF-8, not JSON, or a CheckpointFormatError
        raise CheckpointFormatError(f"{path}: {error}") from error


def find_folder(folder: str | Path) -> Path:
    """The folder, resolved; or the old one that a ``save_model`` cut short between two renames left beside it.

    Raises:
        CheckpointNotFoundError: there is neither.
    """
    folder = Path(folder).resolve()
    for candidate in (folder, _kept_aside(folder)):
        if candidate.is_dir():
            return candidate
    what = "is a file" if folder.exists() else "does not exist"
    raise CheckpointNotFoundError(f"{folder} {what}; expected a folder with {CONFIG_FILE} and {WEIGHTS_FILE}")


def assign_weights(module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Give a network (on any device, also meta) these weights, floating ones as float32; ``source`` is named in errors.

    Raises:
        CheckpointMismatchError: missing or surplus keys, wrong shapes or kinds of numbers; the first of them are named.
    """
    expected = module.state_dict()
    _check_fit(state, expected, source)
    module.load_state_dict({name: state[name].to(expected[name].dtype) for name in expected}, strict=True, assign=True)
    left_empty = [name for name, buffer in module.named_buffers() if buffer.is_meta]
    assert not left_empty, f"buffers that are not part of the state have no values: {left_empty}"


def _empty_network(info: ModelInfo) -> nn.Module:
    """The network without memory for its weights (meta device), so that nothing is drawn only to be replaced."""
    try:
        with torch.device("meta"):
            module = create_model(info.architecture, **info.arguments)
        if info.explain_layer is not None:
            module.get_submodule(info.explain_layer)
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise CheckpointFormatError(
            f"architecture {info.architecture!r} with arguments {info.arguments} and explain_layer "
            f"{info.explain_layer!r} cannot be built: {error}"
        ) from error
    return module


def _check_fit(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str | Path) -> None:
    missing, surplus = set(expected) - set(state), set(state) - set(expected)
    problems = [f"missing keys: {_listed(missing)}"] if missing else []
    problems += [f"surplus keys: {_listed(surplus)}"] if surplus else []
    others = len(problems)
    for name in sorted(set(expected) & set(state)):
        got, wanted = state[name], expected[name]
        if got.shape != wanted.shape:
            problems.append(f"{name} has the shape {tuple(got.shape)}, expected {tuple(wanted.shape)}")
        elif got.is_floating_point() != wanted.is_floating_point():
            problems.append(f"{name} holds {got.dtype}, expected {wanted.dtype}")
    if problems:
        raise CheckpointMismatchError(f"the weights of {source} do not fit the network: {'; '.join(problems)}")


def _stored(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    if value.is_floating_point():
        value = value.detach().to("cpu", dtype if value.ndim > 1 else torch.float32)
        if not value.isfinite().all():
            raise CheckpointError(f"{name} has values that are not finite as {value.dtype}; nothing was written")
    return value.detach().cpu().contiguous()


def _check_replaceable(folder: Path) -> None:
    """Replacing a folder deletes what is in it, so it must be one of ours."""
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; a model is written as a folder, name another place")
    others = {item.name for item in folder.iterdir()} - {CONFIG_FILE, WEIGHTS_FILE} if folder.exists() else set()
    if others:
        raise CheckpointError(f"{folder} holds other things than a model ({_listed(others)}); name another place")


def _swap_in(fresh: Path, folder: Path) -> None:
    """Rename ``fresh`` to ``folder``; where one exists it is renamed first, because no rename replaces a folder.

    ``find_folder`` takes the renamed one, should a crash fall between the two steps.
    """
    old = _kept_aside(folder)
    if folder.exists():
        if old.exists():
            shutil.rmtree(old)
        folder.rename(old)
    fresh.rename(folder)
    if old.exists():
        shutil.rmtree(old)


def _kept_aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _check_schema(schema: object) -> None:
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise CheckpointFormatError(f"schema must be a whole number from 1 up, got {schema!r}")
    if schema > SCHEMA:
        raise CheckpointFormatError(
            f"written in schema {schema} by a newer version of resemotenet; this one reads up to {SCHEMA}, update it"
        )


def _is_finite_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) if names else "none"
