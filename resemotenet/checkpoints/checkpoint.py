"""A model folder: config.json says what the model is, model.safetensors holds its weights. No pickle, no guessing.

Everything needed to use the weights lies beside them: how to build the network, the order of its outputs, its
preprocessing, its operating point, what was measured, where it came from and its licence. Reading is strict: a key too
many or too few, another shape or an unknown setting is an error that names it.
"""

import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import (
    CheckpointError,
    CheckpointFormatError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
    DeviceError,
)
from ..models import create_model, model_entry
from ..runs.schema import ModelInfo, parse
from .backends import Session, choose_backend
from .hub_files import LARGEST
from .preprocessing import Preprocess

if TYPE_CHECKING:
    from .graph import NetworkGraph

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"

# The width at which shapes are tried out: a channel or a few, whatever the network.
_NARROW = 1 / 64

__all__ = [
    "CONFIG_FILE",
    "WEIGHTS_FILE",
    "LoadedModel",
    "assign_weights",
    "find_folder",
    "load_model",
    "read_info",
    "save_model",
    "swap_in",
]


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network in evaluation mode, with everything config.json says about it.

    Attributes:
        module: logits (N, K) from preprocessed crops (N, C, S, S).
        info: the content of config.json.
        folder: where it was read from.
        session: the same network in ONNX Runtime, which then computes the probabilities; None where torch does.
    """

    module: nn.Module
    info: ModelInfo
    folder: Path
    session: Session | None = None

    @cached_property
    def preprocess(self) -> Preprocess:
        """Crops -> (N, C, S, S), the only preprocessing that fits these weights."""
        return Preprocess.of(self.info.preprocess)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return self.info.labels

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.module.parameters()).device

    @property
    def backend(self) -> str:
        """What computes the probabilities: "torch" or "onnxruntime"."""
        return "torch" if self.session is None else "onnxruntime"

    def with_backend(self, backend: str) -> "LoadedModel":
        """The same model, its module shared, whose probabilities that backend computes; "auto" looks at the device.

        Raises:
            BackendError: no such backend, it is not installed, or it cannot run this network where the weights are.
        """
        if choose_backend(backend, self.device) == self.backend:
            return self
        return replace(self, session=Session(self._graph()) if self.session is None else None)

    def to(self, device: str | torch.device) -> "LoadedModel":
        """Move the weights; returns the same object.

        Raises:
            DeviceError: this machine does not have the device, or ONNX Runtime, which stays on the CPU, has the model.
        """
        if self.session is not None and torch.device(device).type != "cpu":
            raise DeviceError(f"the model runs in ONNX Runtime on the CPU; load it anew for {str(device)!r}")
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
            CheckpointFormatError: the weights answer NaN.
        """
        expected = (self.preprocess.channels, self.preprocess.size, self.preprocess.size)
        if batch.ndim != 4 or tuple(batch.shape[1:]) != expected:
            raise ValueError(f"expected a batch (N, {', '.join(map(str, expected))}), got {tuple(batch.shape)}")
        if len(batch) == 0:
            return torch.empty(0, len(self.labels))
        batch = batch.to(self.device)
        if self.info.views == "flip":
            # One pass for both: for a face or two, most of the time goes into fetching the weights.
            straight, mirrored = self._look(torch.cat([batch, batch.flip(-1)])).chunk(2)
            result = (straight + mirrored) / 2
        else:
            result = self._look(batch)
        if self.info.logit_bias is not None:
            result = torch.softmax(result.log() + torch.tensor(self.info.logit_bias, device=result.device), dim=1)
        result = result.cpu()
        if not result.isfinite().all():  # finite weights can do it too: a variance below 0, or sums beyond float32
            raise CheckpointFormatError(f"the weights of {self.folder} are no use: they answer with what is no number")
        return result

    def _look(self, batch: Tensor) -> Tensor:
        if self.session is None:
            logits = self.module(batch).float()
        else:
            logits = torch.from_numpy(self.session(batch.numpy())[0])
        return torch.softmax(logits / self.info.temperature, dim=1)

    def _graph(self) -> "NetworkGraph":
        from .graph import build_graph  # its library is needed for nothing else

        side = self.preprocess.size
        shape = (2, self.preprocess.channels, side, side)
        return build_graph(self.module, shape, input="crops", outputs=["logits"], free={0: "N"})


def save_model(folder: str | Path, module: nn.Module, info: ModelInfo, *, dtype: torch.dtype = torch.float32) -> Path:
    """Write a model folder, or replace one; a crash leaves the old one or the new one, never a mix.

    Args:
        folder: where to; the folders above it are made. If it exists it must be empty or a model folder.
        module: the network that ``info`` describes, on any device. Not wrapped, not compiled.
        dtype: how kernels and matrices are stored; float16 halves the file. Vectors (biases, normalisation) stay
            float32: they are few, and running variances have a wide range.

    Raises:
        CheckpointMismatchError: the weights are not those of the network that ``info`` describes.
        CheckpointError: the folder holds other things or cannot be written, or a weight is not finite once stored.
    """
    folder = Path(folder).resolve()
    with _writing(folder):
        _check_replaceable(folder)
    state = {name: _stored(name, value, dtype) for name, value in module.state_dict().items()}
    _check_fit(state, _empty_network(info).state_dict(), "the module given")
    config = json.dumps(info.to_dict(), indent=2) + "\n"
    fresh = folder.with_name(f".{folder.name}.new")
    try:
        with _writing(folder):
            if fresh.exists():  # left behind by a crash
                shutil.rmtree(fresh)
            fresh.mkdir(parents=True)
            (fresh / CONFIG_FILE).write_text(config, encoding="utf-8")
            save_file(state, fresh / WEIGHTS_FILE, metadata={"format": "pt"})
            for name in (CONFIG_FILE, WEIGHTS_FILE):
                with (fresh / name).open("rb+") as file:
                    os.fsync(file.fileno())
            swap_in(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors has its own for a full disk
        raise CheckpointError(
            f"{folder} cannot be written: {error}; free some space, or name a place that may be written to"
        ) from error


def load_model(folder: str | Path, *, device: str | torch.device = "cpu", backend: str = "torch") -> LoadedModel:
    """Read a model folder: evaluation mode, float32 whatever it is stored in, strict in keys and shapes.

    Args:
        backend: "torch", "onnxruntime" (CPU only), or "auto": ONNX Runtime on a CPU, torch elsewhere.

    Raises:
        BackendError: the backend is not installed, or cannot run the network on this device.
        CheckpointNotFoundError: there is no such folder.
        CheckpointFormatError: a file is missing or damaged, of a newer schema, or holds a weight that is not finite.
        CheckpointMismatchError: the weights are not those of the network that config.json describes.
        DeviceError: this machine does not have the device.
    """
    folder = find_folder(folder)
    info = _read_config(folder / CONFIG_FILE)
    path = folder / WEIGHTS_FILE
    if not os.path.isfile(path):
        raise CheckpointFormatError(f"{folder} is not a whole model folder: {WEIGHTS_FILE} is missing")
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointFormatError(f"{path} is damaged, unreadable or not a safetensors file: {error}") from error
    try:
        module = _empty_network(info)
    except CheckpointFormatError as error:
        raise CheckpointFormatError(f"{folder / CONFIG_FILE}: {error}") from error
    assign_weights(module, state, source=path)
    return LoadedModel(module.eval(), info, folder).to(device).with_backend(backend)


def read_info(folder: str | Path) -> ModelInfo:
    """Read config.json alone; errors as in ``load_model``."""
    return _read_config(find_folder(folder) / CONFIG_FILE)


def _read_config(path: Path) -> ModelInfo:
    if not os.path.isfile(path):  # pathlib's raises where a folder may not be entered
        raise CheckpointFormatError(f"{path.parent} is not a model folder: {CONFIG_FILE} is missing")
    try:
        if (size := path.stat().st_size) > LARGEST[CONFIG_FILE]:
            raise CheckpointFormatError(f"{path} has {size:,} bytes, expected at most {LARGEST[CONFIG_FILE]:,}")
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointFormatError(f"{path} cannot be read: {error}") from error
    return parse(ModelInfo, content, path, CheckpointFormatError)


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
        CheckpointFormatError: a value that is not finite.
    """
    expected = module.state_dict()
    _check_fit(state, expected, source)
    state = {name: state[name].to(expected[name].dtype) for name in expected}
    # Here, because every way in leads through here: one NaN makes NaN of every answer.
    if wrong := [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]:
        raise CheckpointFormatError(
            f"the weights of {source} cannot be used: values that are not finite in {listed(wrong)}; the training "
            "diverged, or the file is damaged"
        )
    module.load_state_dict(state, strict=True, assign=True)
    left_empty = [name for name, buffer in module.named_buffers() if buffer.is_meta]
    assert not left_empty, f"buffers that are not part of the state have no values: {left_empty}"


def _empty_network(info: ModelInfo) -> nn.Module:
    """The network without memory for its weights (meta device), so that nothing is drawn only to be replaced.

    Raises:
        CheckpointFormatError: there is no such network, it takes no crops of this size, or explain_layer gives no map.
    """
    try:
        with torch.device("meta"):
            module = create_model(info.architecture, **info.arguments)
        _check_shapes(info)
    except (ValueError, TypeError, RuntimeError, AttributeError, OverflowError) as error:
        raise CheckpointFormatError(
            f"architecture {info.architecture!r} with arguments {info.arguments}, crops of {info.preprocess.size} "
            f"pixels and explain_layer {info.explain_layer!r} cannot be built: {error}"
        ) from error
    return module


@torch.inference_mode()
def _check_shapes(info: ModelInfo) -> None:
    """One blank crop through a narrow twin of the network: its maps are as high and wide, and it takes milliseconds.

    The meta device would do without a twin, but the first pass on it imports torch's compiler, which takes seconds.
    """
    narrow = {"width": _NARROW} if model_entry(info.architecture).scalable else {}
    with torch.device("meta"):
        twin = create_model(info.architecture, **(info.arguments | narrow)).eval()
    twin = twin.to_empty(device="cpu")
    for tensor in (*twin.parameters(), *twin.buffers()):
        tensor.zero_()
    outputs: list[object] = []
    if info.explain_layer is not None:
        layer = twin.get_submodule(info.explain_layer)
        layer.register_forward_hook(lambda _layer, _arguments, output: outputs.append(output))
    side = info.preprocess.size
    twin(torch.zeros(1, info.preprocess.channels, side, side))
    shapes = [tuple(output.shape) if isinstance(output, Tensor) else () for output in outputs]
    if info.explain_layer is not None and [len(shape) for shape in shapes] != [4]:
        raise ValueError("explain_layer must name a layer that gives one map for each crop, or be null")


def _check_fit(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str | Path) -> None:
    missing, surplus = set(expected) - set(state), set(state) - set(expected)
    problems = [f"missing keys: {listed(missing)}"] if missing else []
    problems += [f"surplus keys: {listed(surplus)}"] if surplus else []
    wrong = []
    for name in sorted(set(expected) & set(state)):
        got, wanted = state[name], expected[name]
        if got.shape != wanted.shape:
            wrong.append(f"{name} has the shape {tuple(got.shape)}, expected {tuple(wanted.shape)}")
        elif got.is_floating_point() != wanted.is_floating_point():
            wrong.append(f"{name} holds {got.dtype}, expected {wanted.dtype}")
    problems += [listed(wrong)] if wrong else []
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
        raise CheckpointError(f"{folder} holds other things than a model ({listed(others)}); name another place")


def swap_in(fresh: Path, folder: Path) -> None:
    """Rename ``fresh`` to ``folder``, beside it; one that exists is renamed first, for no rename replaces a folder.

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


def listed(names: Collection[str]) -> str:
    """The first ten in order, and how many more; a whole network's names would hide what matters."""
    shown, more = sorted(names)[:10], len(names) - 10
    return (", ".join(shown) + (f" and {more} more" if more > 0 else "")) or "none"
