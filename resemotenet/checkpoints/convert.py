"""From a checkpoint that upstream's training or release wrote (a .pth file) to a model folder."""

import hashlib
import logging
from pathlib import Path

import torch
from torch import Tensor

from ..emotions import UPSTREAM_ORDER
from ..errors import CheckpointMismatchError
from ..models import create_model
from ..models.resemotenet import to_compact
from ..runs.schema import ModelInfo, Preprocessing
from .checkpoint import save_model
from .fitting import assign_weights
from .state_dict import read_state_dict

logger = logging.getLogger(__name__)

UPSTREAM = "https://github.com/ArnabKumarRoy02/ResEmoteNet"
# Under which upstream's training stores the state_dict.
UPSTREAM_KEY = "model_state_dict"
LICENSE = {
    "name": "non-commercial-research",
    "link": UPSTREAM,
    "text": (
        "Upstream publishes no licence for its weights; its MIT licence speaks of the code. The data sets that these "
        "weights were trained on allow non-commercial research only, so use the weights for nothing else."
    ),
}


def convert_upstream(
    pth: str | Path, folder: str | Path, *, compact: bool = False, base_model: str | None = None
) -> Path:
    """Write the model folder of an upstream checkpoint; its outputs keep upstream's class order.

    Args:
        pth: a state_dict, bare or in one of the wrappings that ``state_dict`` knows; a warning names what was stripped.
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
        CheckpointError: the folder cannot be replaced or written, or a weight is not finite.
    """
    pth = Path(pth)
    read = read_state_dict(pth)
    state = read.tensors
    stripped = ", ".join(each for each in read.stripped if each != UPSTREAM_KEY)
    if stripped:
        logger.warning("%s: stripped %s", pth, stripped)
    with torch.device("meta"):
        module = create_model("resemotenet")
    _check_width(state, module.state_dict(), pth)
    assign_weights(module, state, source=pth)
    origin = {"file": pth.name, "sha256": _sha256(pth), "layout": "upstream ResEmoteNet", "url": UPSTREAM}
    origin |= {"stripped": stripped} if stripped else {}
    origin |= {"base_model": base_model} if base_model is not None else {}
    info = ModelInfo(
        architecture="resemotenet",
        arguments={"num_classes": len(UPSTREAM_ORDER), "in_channels": 3, "width": 1.0, "compact": compact},
        labels=UPSTREAM_ORDER,
        preprocess=Preprocessing(),
        training={"converted_from": origin},
        license=LICENSE,
    )
    return save_model(folder, to_compact(module) if compact else module, info)


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
