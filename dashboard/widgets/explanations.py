"""Where a run's network looked. Torch and the weights are loaded when an explanation is first asked for."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from resemotenet.emotions import EMOTIONS
from resemotenet.errors import CheckpointError, ResEmoteNetError

from ..data.runs import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


class ExplanationError(ResEmoteNetError):
    """There is nothing to explain with; says what is missing, for people."""


def weights_of(run: Run) -> Path:
    """The model folder whose answers the run's predictions are.

    A published run has no model/ of its own; if it is the one that the bundled weights came from, those are its.

    Raises:
        ExplanationError: the weights are not here.
    """
    own = run.path / "model"
    if os.path.isfile(own / "model.safetensors"):
        return own
    try:
        from resemotenet.checkpoints.checkpoint import read_info
        from resemotenet.checkpoints.pretrained import bundled_folder

        bundled = bundled_folder()
        if read_info(bundled).training.get("run") == run.id:
            return bundled
    except ImportError as error:
        raise ExplanationError("Explanations need torch, which is not installed: pip install -e .") from error
    except CheckpointError:
        pass  # a source tree without weights: they are not this run's either way
    raise ExplanationError(
        f"The weights of this run are not here: {own} is missing, and the bundled weights come from another run. "
        "Copy the run's model/ folder beside its predictions to explain what it says."
    )


def overlays(run: Run, faces: "Sequence[tuple[str, NDArray[np.uint8], int]]") -> "dict[str, Image.Image]":
    """The evidence over each face, enlarged; HiResCAM of the run's weights.

    Args:
        faces: id, picture (48, 48) uint8, and which of the canonical emotions to look for evidence of.

    Returns:
        By id, RGB, 192 px wide and high.

    Raises:
        ExplanationError: the weights are not here, cannot be loaded, or name no layer to explain with.
    """
    folder = weights_of(run)
    from PIL import Image

    from resemotenet.reading.explain import explain, overlay

    drawn = {}
    try:
        model = _model(str(folder), (folder / "model.safetensors").stat().st_mtime_ns)
        for emotion in sorted({each for _, _, each in faces}):
            asked = [(name, face) for name, face, each in faces if each == emotion]
            found = explain(model, [face for _, face in asked], EMOTIONS[emotion])
            for (name, face), each in zip(asked, found, strict=True):
                enlarged = Image.fromarray(face).resize((192, 192), Image.Resampling.NEAREST)
                drawn[name] = overlay(enlarged, each)
    except (ResEmoteNetError, ValueError) as error:
        raise ExplanationError(f"No explanation: {error}.") from error
    return drawn


@st.cache_resource(max_entries=2, show_spinner="Loading the weights")
def _model(folder: str, written: int) -> Any:
    """The weights of a folder; another time of writing loads them again."""
    from resemotenet.checkpoints.checkpoint import load_model

    return load_model(folder)
