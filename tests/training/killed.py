"""A training run that is killed by SIGKILL at one moment: nothing is flushed, no handler runs. Or by Ctrl-C.

python tests/training/killed.py CONFIG.json MOMENT
python tests/training/killed.py ctrl-c ARGUMENTS OF python -m training
python tests/training/killed.py "in the middle of test" RUN
"""

import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors.torch
import torch

import resemotenet.checkpoints.checkpoint
from resemotenet.errors import TrainingError
from resemotenet.runs.schema import RunConfig, read
from training.cli import main
from training.loop import train
from training.step import Objective


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def half(path: Path, content: bytes) -> None:
    """What a write that broke off leaves."""
    with path.open("wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        os.fsync(file.fileno())
    die()


def in_an_epoch(signal_: signal.Signals = signal.SIGKILL) -> None:
    """In the fifth step of the third epoch."""
    steps, original = iter(range(1_000)), Objective.backward

    def backward(self: Objective, *arguments: Any) -> torch.Tensor:
        if next(steps) == 2 * 9 + 4:
            os.kill(os.getpid(), signal_)
        return original(self, *arguments)

    setattr(Objective, "backward", backward)  # noqa: B010


def in_the_state() -> None:
    """Half of resume/state.pt is written, after the second epoch."""
    original = torch.save

    def save(state: dict[str, Any], file: BinaryIO) -> None:
        if state["epoch"] == 2:
            buffer = io.BytesIO()
            original(state, buffer)
            half(Path(file.name), buffer.getvalue())
        original(state, file)

    setattr(torch, "save", save)  # noqa: B010


def in_the_weights() -> None:
    """Half of the weights of the second model that is kept."""
    original, saved = safetensors.torch.save_file, iter(range(100))

    def save_file(state: dict[str, torch.Tensor], path: Path, **arguments: Any) -> None:
        original(state, path, **arguments)
        if next(saved) == 1:
            half(path, path.read_bytes())

    setattr(resemotenet.checkpoints.checkpoint, "save_file", save_file)  # noqa: B010


def between_the_renames() -> None:
    """The model before is put aside, the new one not yet in its place."""
    original = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name == ".model.new" and self.with_name(".model.old").exists():
            die()
        return original(self, target)

    setattr(Path, "rename", rename)  # noqa: B010


def in_the_predictions() -> None:
    original = np.savez_compressed

    def savez_compressed(file: Any, **arrays: Any) -> None:
        original(file, **arrays)
        file.truncate(file.tell() // 2)
        die()

    setattr(np, "savez_compressed", savez_compressed)  # noqa: B010


def in_the_result() -> None:
    original = Path.write_text

    def write_text(self: Path, text: str, **arguments: Any) -> int:
        if self.name == ".result.json.new":
            half(self, text.encode())
        return original(self, text, **arguments)

    setattr(Path, "write_text", write_text)  # noqa: B010


# Moment -> what arranges it, and how many epochs are kept then.
MOMENTS: dict[str, tuple[Callable[[], None], int]] = {
    "in the middle of an epoch": (in_an_epoch, 2),
    "in the middle of the state": (in_the_state, 1),
    "in the middle of the weights": (in_the_weights, 2),
    "between the model's two renames": (between_the_renames, 2),
    "in the middle of the predictions": (in_the_predictions, 4),
    "in the middle of result.json": (in_the_result, 4),
}
# The predictions of test are made, and half of the first file is written.
IN_TEST = "in the middle of test"


if __name__ == "__main__":
    if sys.argv[1] == "ctrl-c":
        # Whatever a shell starts in the background ignores Ctrl-C, and so do its children.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        in_an_epoch(signal.SIGINT)
        sys.exit(main(sys.argv[2:]))
    if sys.argv[1] == IN_TEST:
        in_the_predictions()
        sys.exit(main(["evaluate", sys.argv[2]]))
    MOMENTS[sys.argv[2]][0]()
    train(read(RunConfig, sys.argv[1], TrainingError))
