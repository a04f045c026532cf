"""From a checkpoint that upstream's training or release wrote (a .pth file) to a model folder.

Such a file is a pickle. It is read with ``weights_only=True``, which builds tensors and plain containers and refuses
everything else, so that opening a stranger's file runs no code.
"""

import hashlib
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..emotions import UPSTREAM_ORDER
from ..errors import (
    CheckpointFormatError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
    UnsafeCheckpointError,
)
from ..models import create_model
from ..models.resemotenet import to_compact
from ..runs.schema import ModelInfo, Preprocessing
from .checkpoint import assign_weights, save_model

STATE_KEY = "model_state_dict"

UPSTREAM = "https://github.com/ArnabKumarRoy02/ResEmoteNet"
LICENSE = {
    "name": "non-commercial-research",
    "link": UPSTREAM,
    "text": (
        "Upstream publishes no licence for its weights; its MIT licence speaks of the code. The data sets that these "
        "weights were trained on allow non-commercial research only, so use the weights for nothing else."
    ),
}

# What torch.save writes begins as a zip archive or, in its format before 2020, as a pickle of protocol 2 or later.
_BEGINNINGS = (b"PK\x03\x04", b"\x80")


def convert_upstream(
    pth: str | Path, folder: str | Path, *, compact: bool = False, base_model: str | None = None
) -> Path:
    """Write the model folder of an upstream checkpoint; its outputs keep upstream's class order.

    Args:
        pth: a bare state_dict, or a dict that has it under "model_state_dict" (what lies beside it is not used).
        folder: the model folder to write; see ``save_model``.
        compact: store the compact layout: the same answers at 64 px from less than half the weights.
        base_model: "owner/name" of the Hub repository that the checkpoint comes from, if it comes from one.

    Returns:
        The folder, resolved.

    Raises:
        CheckpointNotFoundError: ``pth`` is not a file.
        CheckpointFormatError: it is damaged, or holds no state_dict.
        UnsafeCheckpointError: it is a pickle that holds more than tensors and plain values.
        CheckpointMismatchError: keys are missing or surplus, or shapes differ from the published network's.
        CheckpointError: the folder cannot be replaced, or a weight is not finite.
    """
    pth = Path(pth)
    state = read_state_dict(pth)
    with torch.device("meta"):
        module = create_model("resemotenet")
    _check_width(state, module.state_dict(), pth)
    assign_weights(module, state, source=pth)
    origin = {"file": pth.name, "sha256": _sha256(pth), "layout": "upstream ResEmoteNet", "url": UPSTREAM}
    info = ModelInfo(
        architecture="resemotenet",
        arguments={"num_classes": len(UPSTREAM_ORDER), "in_channels": 3, "width": 1.0, "compact": compact},
        labels=UPSTREAM_ORDER,
        preprocess=Preprocessing(),
        training={"converted_from": {**origin, **({} if base_model is None else {"base_model": base_model})}},
        license=LICENSE,
    )
    return save_model(folder, to_compact(module) if compact else module, info)


def read_state_dict(pth: Path) -> dict[str, Tensor]:
    """The state_dict of a file that torch.save wrote, bare or under "model_state_dict"; opening it runs no code.

    Raises:
        CheckpointNotFoundError, CheckpointFormatError, UnsafeCheckpointError: as in ``convert_upstream``.
    """
    return _state_dict(_load_plain(pth), pth)


def _load_plain(pth: Path) -> Any:
    """The content of a file that torch.save wrote, if it is tensors and plain values only."""
    if not pth.is_file():
        what = "is not a file" if pth.exists() else "does not exist"
        raise CheckpointNotFoundError(f"{pth} {what}; expected a checkpoint that torch.save wrote")
    with pth.open("rb") as file:
        if not file.read(4).startswith(_BEGINNINGS):
            raise CheckpointFormatError(f"{pth} is not a checkpoint that torch.save wrote (a download that failed?)")
    try:
        with warnings.catch_warnings(action="ignore"):  # torch warns about what it refuses in the next moment
            return torch.load(pth, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        what = f"it asks for {wanted[1]}" if wanted else "it does more than a checkpoint of tensors needs"
        raise UnsafeCheckpointError(
            f"{pth} is a pickle that holds more than tensors and plain values: {what}. It was not loaded, because that "
            "could run code. Have its owner save model.state_dict() alone"
        ) from error
    except Exception as error:  # damaged bytes surface as nearly any type: RuntimeError, KeyError, EOFError, ...
        reason = (str(error) or type(error).__name__).split(". ")[0]
        raise CheckpointFormatError(f"{pth} is damaged, cut short or of another kind: {reason}") from error


def _state_dict(content: Any, pth: Path) -> dict[str, Tensor]:
    state = content.get(STATE_KEY, content) if isinstance(content, dict) else content
    if not isinstance(state, dict):
        raise CheckpointFormatError(f"{pth} holds a {type(state).__name__}, expected a state_dict")
    others = sorted(str(key) for key, value in state.items() if not _is_dense(value))
    if others or not state:
        raise CheckpointFormatError(
            f"{pth} holds no state_dict, bare or under {STATE_KEY!r}: "
            + (f"these entries are no tensors: {', '.join(others[:10])}" if others else "it is empty")
        )
    return state


def _is_dense(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta and not value.is_quantized


def _check_width(state: dict[str, Tensor], expected: dict[str, Tensor], pth: Path) -> None:
    """A network of another width would fail on every key; say what it is instead."""
    name = "conv1.weight"
    if name in state and state[name].shape != expected[name].shape:
        raise CheckpointMismatchError(
            f"{pth}: {name} has the shape {tuple(state[name].shape)}, expected {tuple(expected[name].shape)}; only the "
            "published network (width 1, three input channels) can be converted"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
