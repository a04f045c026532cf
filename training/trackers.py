"""Figures of every epoch to TensorBoard, Trackio or Weights & Biases, through accelerate; off unless asked for.

The results folder holds all of it anyway: a tracker is for watching, and nothing is read back from it.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS

from resemotenet.errors import TrainingError
from resemotenet.runs.results import flatten

from .config import RunConfig

_PROJECT = "resemotenet"


def check_tracker(name: str) -> None:
    """Make sure that a run can be tracked, before it starts: accelerate would silently go on without.

    Raises:
        TrainingError: the tracker's package is not installed, or accelerate is too old for it.
    """
    if name == "none":
        return
    try:
        import_module(name)
    except ImportError as error:
        raise TrainingError(
            f"track {name!r} needs the package {name}, which cannot be imported here ({error}); pip install {name}, or "
            "leave --track away"
        ) from error
    if name not in LOGGER_TYPE_TO_CLASS:
        raise TrainingError(f"this accelerate does not know the tracker {name!r}; update it, or leave --track away")


def start_tracking(accelerator: Accelerator, config: RunConfig, folder: Path) -> None:
    """Open the run of this name, or go on with it; TensorBoard's files lie in the results folder."""
    if config.track == "none":
        return
    accelerator.project_configuration.logging_dir = str(folder)
    again = {"name": folder.name, "resume": "allow"}
    arguments = {"wandb": {**again, "id": folder.name}, "trackio": again}
    project = config.track if config.track == "tensorboard" else _PROJECT
    accelerator.init_trackers(project, _flat(config.to_dict()), arguments)


def track_epoch(accelerator: Accelerator, line: dict[str, Any]) -> None:
    """Send a line of epochs.jsonl; without a tracker this does nothing."""
    values = {name: value for name, value in _flat(line).items() if isinstance(value, int | float)}
    accelerator.log(values, step=line["epoch"])


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts as one, "validation/fer2013/accuracy" say; what trackers do not take becomes text."""
    plain = flatten(values, "/").items()
    return {name: value if isinstance(value, int | float | str) else str(value) for name, value in plain}
