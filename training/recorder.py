"""Writes the results folder of one run; only the main process writes."""

import json
import math
import os
import platform
import shutil
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import Any

import torch

from resemotenet.checkpoints.checkpoint import load_model
from resemotenet.errors import ResultsError
from resemotenet.runs.results import ResultsFolder, replacing, write_json
from resemotenet.runs.schema import Audit, Environment, Epoch, RunConfig, Start, Step, read

from .locks import unwritable

_STATE = "state.pt"
_SECONDS_BETWEEN_STEPS = 2.0
# The state of a run none of whose epochs is done: without it, one whose state is lost could not be told from that.
_BEGUN = {"epoch": 0}


class Recorder:
    """Opens a fresh results folder, or an unfinished one to go on with.

    Attributes:
        folder: the places in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = ResultsFolder(folder)
        self._noted = -math.inf

    @classmethod
    def start(cls, config: RunConfig, device: str, audit: Audit) -> "Recorder":
        """Make the folder of a new run and write what is known before it starts.

        Raises:
            ResultsError: it cannot be made there.
        """
        try:
            path, fresh = _claim(config)
        except OSError as error:
            raise unwritable(Path(config.results), error.strerror or error) from error
        try:
            # Under another name until it is whole, so that whoever reads or resumes a run finds all that belongs to it.
            recorder = cls(fresh)
            recorder.folder.resume.mkdir()
            recorder.save_state(_BEGUN)
            write_json(recorder.folder.config, config.to_dict())
            write_json(recorder.folder.audit, audit.to_dict())
            environment = Environment(**_start(config.seed, device), resumptions=[])
            write_json(recorder.folder.environment, environment.to_dict())
            fresh.rename(path)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise unwritable(Path(config.results), error.strerror or error) from error
        return cls(path)

    def resumed(self, epoch: int, device: str) -> None:
        """Enter in environment.json that the run goes on, from which epoch, when, and on what."""
        environment = read(Environment, self.folder.environment)
        entry = Start(epoch=epoch, time=_stamp(time.time()), **_start(environment.seed, device))
        environment.resumptions = [*environment.resumptions, entry]
        write_json(self.folder.environment, environment.to_dict())

    @property
    def run(self) -> str:
        return self.folder.path.name

    def epoch(self, line: Epoch) -> None:
        """Append one epoch; a reader sees the whole line or none.

        Raises:
            OSError: the disk is full, say.
        """
        try:
            with self.folder.epochs.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line.to_dict(), allow_nan=False) + "\n")
                file.flush()
                os.fsync(file.fileno())  # the state that follows must not be the first to reach the disk
        except OSError as error:
            error.filename = str(self.folder.epochs)
            raise

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """Note how far an epoch is, for those who watch; every few seconds, for a batch takes milliseconds."""
        if time.monotonic() - self._noted < _SECONDS_BETWEEN_STEPS:
            return
        write_json(self.folder.step, Step(epoch=epoch, batch=batch, batches=batches).to_dict())
        self._noted = time.monotonic()

    def no_step(self) -> None:
        """The run no longer works on an epoch."""
        self.folder.step.unlink(missing_ok=True)

    def forget_epochs_from(self, epoch: int) -> None:
        """Drop the lines of epochs that will be run again, when a run goes on."""
        kept = [line.to_dict() for line in self.folder.read_epochs() if line.epoch < epoch]
        with replacing(self.folder.epochs) as fresh:
            fresh.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    def save_state(self, state: dict[str, Any]) -> None:
        """Write everything that going on needs, atomically.

        Raises:
            OSError: the disk is full, say.
        """
        with replacing(self.folder.resume / _STATE) as fresh, fresh.open("wb") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:
                if isinstance(error.__context__, OSError):  # torch speaks of an unexpected position instead
                    raise error.__context__ from None
                raise

    def load_state(self) -> dict[str, Any] | None:
        """What ``save_state`` wrote last, or None when no epoch was finished.

        Raises:
            ResultsError: it is damaged, or gone though epochs or weights are there: going on would be a new start in
                their place.
        """
        path = self.folder.resume / _STATE
        if not path.is_file():
            there = [
                each.name
                for each in (self.folder.epochs, self.folder.model)
                if each.is_dir() or (each.is_file() and each.stat().st_size)
            ]
            if there:
                raise ResultsError(
                    f"{path} is missing, without which the run cannot go on, though its {' and '.join(there)} are "
                    "there; put that file back, or start a new run. Nothing was changed"
                )
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            epoch = state["epoch"]
        except Exception as error:  # a damaged file may make torch raise anything
            raise ResultsError(
                f"{path} is damaged ({type(error).__name__}), so the run cannot go on; put a whole copy of that file "
                "back, or start a new run. Nothing was changed"
            ) from error
        return state if epoch else None

    def check_state(self, state: dict[str, Any]) -> None:
        """See that epochs and weights are those that ``state`` goes on from.

        Raises:
            ResultsError, CheckpointError: lines or the chosen weights are missing or damaged.
        """
        found = [line.epoch for line in self.folder.read_epochs()]
        if found[: state["epoch"]] != list(range(state["epoch"])):
            raise ResultsError(
                f"{self.folder.epochs} has the epochs {found}, expected 0 to {state['epoch'] - 1}, after which "
                f"{self.folder.resume / _STATE} was written; put a whole copy of that file back. Nothing was changed"
            )
        if state.get("chosen") is not None:
            load_model(self.folder.model)


def check_place(results: Path) -> None:
    """See before anything is read or computed whether results can lie there; makes nothing.

    Raises:
        ResultsError: it is not a folder and cannot become one, or must not be written to, or its name is no text.
    """
    try:
        str(results.absolute()).encode()
    except UnicodeEncodeError:
        raise unwritable(results, "its name is not UTF-8, and safetensors cannot open it") from None
    existing = next(place for place in (results.absolute(), *results.absolute().parents) if os.path.exists(place))
    if not existing.is_dir():
        raise unwritable(results, f"{existing} is not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise unwritable(results, f"{existing} must not be written to")


def _claim(config: RunConfig) -> tuple[Path, Path]:
    """The path of a new run, whose name nobody else takes, and the folder made for it until it is whole.

    Where a run of this second is there or begins just now, the name is that of the next second that is free.
    """
    results = Path(config.results)
    results.mkdir(parents=True, exist_ok=True)
    for second in count(int(time.time())):
        run = f"{config.recipe}-{config.network.name}-{config.dataset.labels}-s{config.seed}-{_stamp(second)}"
        fresh = results / f".{run}.new"
        try:
            fresh.mkdir()
        except FileExistsError:
            continue
        if not (results / run).exists():  # looked at last: whoever makes it has claimed it first
            return results / run, fresh
        fresh.rmdir()
    raise AssertionError


def _stamp(second: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))


def _start(seed: int | None, device: str) -> dict[str, Any]:
    return {
        **_commit(),
        "command": ["python", "-m", "training", *sys.argv[1:]],
        "seed": seed,
        "device": device,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in ("torch", "accelerate", "numpy", "pandas", "safetensors")},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> dict[str, Any]:
    """The commit of the code, and whether files differ from it; None outside a git checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    status = git("status", "--porcelain")
    return {"commit": git("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}
