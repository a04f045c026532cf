"""Writes the results folder of one run; only the main process writes."""

import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from resemotenet.errors import ResultsError
from resemotenet.runs.results import ResultsFolder, read_json, replacing, write_json

from .config import RunConfig

_STATE = "state.pt"


class Recorder:
    """Opens a fresh results folder, or an unfinished one to go on with.

    Attributes:
        folder: the places in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = ResultsFolder(folder)

    @classmethod
    def start(cls, config: RunConfig, device: str, audit: dict[str, Any]) -> "Recorder":
        """Make the folder of a new run and write what is known before it starts.

        Raises:
            ResultsError: it exists already, or cannot be made there.
        """
        stamp = _stamp()
        run = f"{config.recipe}-{config.network.name}-{config.dataset.labels}-s{config.seed}-{stamp}"
        path = Path(config.results) / run
        # Under another name until it is whole, so that whoever reads or resumes a run finds all that belongs to it.
        fresh = cls(path.with_name(f".{run}.new"))
        try:
            fresh.folder.path.mkdir(parents=True)
            fresh.folder.resume.mkdir()
            write_json(fresh.folder.config, config.to_dict())
            write_json(fresh.folder.audit, audit)
            write_json(fresh.folder.environment, {**_environment(config.seed, device), "resumptions": []})
            if path.exists():  # an empty folder would be replaced
                raise FileExistsError
            fresh.folder.path.rename(path)
        except OSError as error:
            if path.exists():
                raise ResultsError(f"{path} exists already; wait a second and start again") from error
            raise _unwritable(Path(config.results), error) from error
        return cls(path)

    def resumed(self, epoch: int, device: str) -> None:
        """Enter in environment.json that the run goes on, from which epoch, when, and on what."""
        environment = read_json(self.folder.environment)
        entry = {"epoch": epoch, "time": _stamp(), **_environment(environment["seed"], device)}
        write_json(
            self.folder.environment, {**environment, "resumptions": [*environment.get("resumptions", []), entry]}
        )

    @property
    def run(self) -> str:
        return self.folder.path.name

    def epoch(self, line: dict[str, Any]) -> None:
        """Append one epoch; a reader sees the whole line or none."""
        with self.folder.epochs.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())  # the state that follows must not be the first to reach the disk

    def forget_epochs_from(self, epoch: int) -> None:
        """Drop the lines of epochs that will be run again, when a run goes on."""
        kept = [line for line in self.folder.read_epochs() if line["epoch"] < epoch]
        with replacing(self.folder.epochs) as fresh:
            fresh.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    def save_state(self, state: dict[str, Any]) -> None:
        """Write everything that going on needs, atomically."""
        with replacing(self.folder.resume / _STATE) as fresh:
            torch.save(state, fresh)

    def load_state(self) -> dict[str, Any] | None:
        """What ``save_state`` wrote last, or None when no epoch was finished."""
        path = self.folder.resume / _STATE
        if not path.is_file():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state


def check_place(results: Path) -> None:
    """See before anything is read or computed whether results can lie there; makes nothing.

    Raises:
        ResultsError: it is no folder and cannot become one, or must not be written to.
    """
    existing = next(place for place in (results.absolute(), *results.absolute().parents) if os.path.exists(place))
    if not existing.is_dir():
        raise _unwritable(results, f"{existing} is no folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise _unwritable(results, f"{existing} must not be written to")


def _unwritable(results: Path, why: object) -> ResultsError:
    return ResultsError(f"results cannot be kept in {results}: {why}; give another place with --results")


def _stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def _environment(seed: int, device: str) -> dict[str, Any]:
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
