"""A model folder: config.json says what the model is, model.safetensors holds its weights. No pickle, no guessing.

Everything needed to use the weights lies beside them: how to build the network, the order of its outputs, its
preprocessing, its operating point, what was measured, where it came from and its licence. Reading is strict: a key too
many or too few, another shape or an unknown setting is an error that names it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

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
from ..runs.schema import ModelInfo, parse
from .backends import Session, choose_backend
from .fitting import assign_weights, check_fit, empty_network, is_finite, listed
from .hub_files import LARGEST
from .preprocessing import Preprocess

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"

__all__ = [
    "CONFIG_FILE",
    "WEIGHTS_FILE",
    "LoadedModel",
    "find_folder",
    "load_model",
    "read_info",
    "save_model",
    "swap_in",
    "write_info",
]


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network in evaluation mode, with everything config.json says about it.

    Attributes:
        module: logits (N, K) from preprocessed crops (N, C, S, S).
        info: the content of config.json.
        folder: where it was read from.
        session: the same network in ONNX Runtime, which then computes the probabilities; None where torch does.
        precision: "exact", or "int8" where the session computes in 8 bits.
    """

    module: nn.Module
    info: ModelInfo
    folder: Path
    session: Session | None = None
    precision: str = "exact"

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

    def with_backend(self, backend: str = "auto", precision: str = "exact") -> "LoadedModel":
        """The same model, its module shared, whose probabilities that backend computes.

        Args:
            backend: "torch", "onnxruntime", or "auto": ONNX Runtime where the weights are on a CPU, else torch.
            precision: "exact"; or "int8", several times as fast, and of slightly other probabilities.

        Raises:
            BackendError: no such backend or precision; the backend is not installed, or cannot run this network where
                the weights are; or the model was not calibrated for int8.
        """
        chosen = choose_backend(backend, self.device, precision)
        if (chosen, precision) == (self.backend, self.precision):
            return self
        if chosen == "torch":
            return replace(self, session=None, precision=precision)
        from .export import model_graph  # its library is needed for nothing else

        return replace(self, session=Session(model_graph(self, precision)), precision=precision)

    def sha256(self) -> str:
        """SHA-256 of the file of weights it was read from, as the Hub tells it too."""
        with (self.folder / WEIGHTS_FILE).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

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
            raise CheckpointFormatError(f"the weights of {self.folder} cannot be used: their answers are not numbers")
        return result

    def _look(self, batch: Tensor) -> Tensor:
        if self.session is None:
            logits = self.module(batch).float()
        else:
            logits = torch.from_numpy(self.session(batch.numpy())[0])
        return torch.softmax(logits / self.info.temperature, dim=1)


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
    check_fit(state, empty_network(info).state_dict(), "the module given")
    fresh = folder.with_name(f".{folder.name}.new")
    try:
        with _writing(folder):
            if fresh.exists():  # left behind by a crash
                shutil.rmtree(fresh)
            fresh.mkdir(parents=True)
            (fresh / CONFIG_FILE).write_text(_content(info), encoding="utf-8")
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


def load_model(
    folder: str | Path,
    *,
    device: str | torch.device = "cpu",
    backend: str = "torch",
    precision: str = "exact",
) -> LoadedModel:
    """Read a model folder: evaluation mode, float32 whatever it is stored in, strict in keys and shapes.

    Args:
        backend, precision: as ``LoadedModel.with_backend`` takes them.

    Raises:
        BackendError: see ``LoadedModel.with_backend``.
        CheckpointNotFoundError: there is no such folder.
        CheckpointFormatError: a file is missing or damaged, of a newer schema, or holds a weight that is not finite.
        CheckpointMismatchError: the weights are not those of the network that config.json describes.
        DeviceError: this machine does not have the device.
    """
    folder = find_folder(folder)
    info = _read_config(folder / CONFIG_FILE)
    path = folder / WEIGHTS_FILE
    if not os.path.isfile(path):
        raise CheckpointFormatError(f"{folder} is not a complete model folder: {WEIGHTS_FILE} is missing")
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointFormatError(f"{path} is damaged, unreadable or not a safetensors file: {error}") from error
    try:
        module = empty_network(info)
    except CheckpointFormatError as error:
        raise CheckpointFormatError(f"{folder / CONFIG_FILE}: {error}") from error
    assign_weights(module, state, source=path)
    return LoadedModel(module.eval(), info, folder).to(device).with_backend(backend, precision)


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


def write_info(folder: str | Path, info: ModelInfo) -> None:
    """Replace config.json of a model folder, in one step; the weights stay.

    Raises:
        CheckpointNotFoundError: there is no such folder.
        CheckpointMismatchError: ``info`` describes another network than the one that is there.
        CheckpointError: the folder cannot be written.
    """
    folder = find_folder(folder)
    before = read_info(folder)
    if (info.architecture, info.arguments) != (before.architecture, before.arguments):
        raise CheckpointMismatchError(
            f"{folder} holds {before.architecture} {before.arguments}, not {info.architecture}"
        )
    fresh = folder / f".{CONFIG_FILE}.new"
    with _writing(folder):
        fresh.write_text(_content(info), encoding="utf-8")
        fresh.replace(folder / CONFIG_FILE)


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


def _content(info: ModelInfo) -> str:
    return json.dumps(info.to_dict(), indent=2) + "\n"


def _stored(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    if value.is_floating_point():
        value = value.detach().to("cpu", dtype if value.ndim > 1 else torch.float32)
        if not is_finite(value):
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
    return folder.parent / f".{folder.name}.old"  # also of a root, which has no name
