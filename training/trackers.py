"""Figures of every epoch to TensorBoard, Trackio or Weights & Biases, through accelerate; off unless asked for.

The results folder holds all of it anyway: a tracker is for watching, and nothing is read back from it.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS

from resemotenet.errors import TrainingError
from resemotenet.runs.results import flatten
from resemotenet.runs.schema import Epoch, RunConfig

_PROJECT = "resemotenet"


def check_tracker(name: str) -> None:
    """Make sure that a run can be tracked, before it starts: accelerate would silently go on without.

    Raises:
        TrainingError: the tracker's package is not installed, or accelerate is too old for it, or nobody is signed in.
    """
    if name == "none":
        return
    try:
        tracker = import_module(name)
    except ImportError as error:
        raise TrainingError(
            f"track {name!r} needs the package {name}, which cannot be imported here ({error}); pip install {name}, or "
            "leave --track away"
        ) from error
    if name not in LOGGER_TYPE_TO_CLASS:
        raise TrainingError(f"this accelerate does not know the tracker {name!r}; update it, or leave --track away")
    if name == "wandb" and os.environ.get("RANK", "0") == "0":
        try:
            tracker.login()  # asks where there is somebody to ask; does nothing where it is set to be offline
        except Exception as error:  # of a class of its own
            raise TrainingError(
                f"track 'wandb' needs you to be signed in ({error}); run 'wandb login', set WANDB_MODE=offline, or "
                "leave --track away"
            ) from error


def start_tracking(accelerator: Accelerator, config: RunConfig, folder: Path) -> None:
    """Open the run of this name, or go on with it; TensorBoard's files lie in the results folder.

    Raises:
        TrainingError: the tracker does not start; the run can be gone on with.
    """
    if config.track == "none":
        return
    accelerator.project_configuration.logging_dir = str(folder)
    again = {"name": folder.name, "resume": "allow"}
    arguments = {"wandb": {**again, "id": folder.name}, "trackio": again}
    project = config.track if config.track == "tensorboard" else _PROJECT
    try:
        accelerator.init_trackers(project, _flat(config.to_dict()), arguments)
    except Exception as error:  # other people's code, over a network
        raise TrainingError(
            f"the tracker {config.track} does not start: {error}; mend that, and 'python -m training resume {folder}' "
            "starts the run"
        ) from error


def track_epoch(accelerator: Accelerator, line: Epoch) -> None:
    """Send a line of epochs.jsonl; without a tracker this does nothing."""
    values = {name: value for name, value in _flat(line.to_dict()).items() if isinstance(value, int | float)}
    accelerator.log(values, step=line.epoch)


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts as one, "validation/fer2013/accuracy" say; what trackers do not take becomes text."""
    plain = flatten(values, "/").items()
    return {name: value if isinstance(value, int | float | str) else str(value) for name, value in plain}
