"""One results folder as the pages see it: whatever state it is in, reading it never raises."""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, Literal

from resemotenet.errors import ResultsError
from resemotenet.runs.label_sets import teaching
from resemotenet.runs.results import SCHEMA, ResultsFolder, read_json, schema_of
from resemotenet.runs.settings import recipe_key

from .fields import at, number, text, whole
from .latency import Latency, read_latency

State = Literal["finished", "running", "unfinished", "broken", "newer"]

# A run counts as running while its files change; an epoch may take its time, so several of its epochs are waited for.
_QUIET_SECONDS = 300.0
_QUIET_EPOCHS = 3.0

FILES = ("config.json", "environment.json", "audit.json", "epochs.jsonl", "result.json", "predictions")
_STAMP = re.compile(r"-(\d{8}T\d{6}Z)$")


@dataclass(frozen=True, eq=False)
class Run:
    """One results folder. Each reading is its own object; ``path`` says whether two are of the same folder.

    Attributes:
        path: the folder.
        id: its name; where another run has that name too, also where it lies.
        state: "running": no result yet and the files changed a moment ago; "unfinished": no result and they did not;
            "broken": something in it is missing or damaged; "newer": written by a later version of this software.
        problem: one sentence for people, None if all is well.
        published: whether it comes with this repository.
        config, environment, audit, result: the files of these names; {} where one is absent or damaged.
        epochs: the lines of epochs.jsonl so far.
    """

    path: Path
    id: str
    state: State
    problem: str | None = None
    published: bool = False
    config: dict[str, Any] = field(default_factory=dict, repr=False)
    environment: dict[str, Any] = field(default_factory=dict, repr=False)
    audit: dict[str, Any] = field(default_factory=dict, repr=False)
    result: dict[str, Any] = field(default_factory=dict, repr=False)
    epochs: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    @property
    def recipe(self) -> str:
        return text(self.config, "recipe")

    @property
    def model(self) -> str:
        """The architecture, as ``create_model`` calls it."""
        return text(self.config, "network", "name")

    @property
    def dataset(self) -> str:
        """What it was trained on: "fer2013", "synthetic"."""
        return text(self.config, "dataset", "name")

    @property
    def taught(self) -> str:
        """What it learned: "fer2013" (the original labels) or "ferplus" (the shares of ten annotators)."""
        return text(self.config, "dataset", "labels")

    @property
    def labels(self) -> str:
        """The label definition by which its epoch is chosen."""
        if found := at(self.result, "splits", "validation", "labels"):
            return str(found)
        if self.epochs and isinstance(measured := self.epochs[0].get("validation"), dict) and measured:
            return str(next(iter(measured)))
        return teaching(self.taught).deciding

    @cached_property
    def seed(self) -> int | None:
        return whole(self.config, "seed")

    @property
    def width(self) -> float | None:
        return number(self.config, "network", "width")

    @property
    def compact(self) -> bool:
        """Whether it was trained without the weights that only ever multiply padding."""
        return at(self.config, "network", "compact") is True

    @property
    def size(self) -> int | None:
        """Side of the input in pixels."""
        return whole(self.config, "network", "size")

    @property
    def epochs_planned(self) -> int | None:
        return whole(self.config, "optimization", "epochs")

    @property
    def start(self) -> str | None:
        """The last part of the path of the weights that training started from; None for random ones."""
        paths = (at(self.config, "network", name) for name in ("start", "backbone"))
        return next((PurePath(path).name for path in paths if isinstance(path, str)), None)

    @property
    def teachers(self) -> int:
        """How many trained models the run learned from beside its labels."""
        paths = at(self.config, "distillation", "teachers")
        return len(paths) if isinstance(paths, list) else 0

    @property
    def chosen_epoch(self) -> int | None:
        return whole(self.result, "chosen", "epoch")

    @property
    def protocol(self) -> str:
        """How the epoch was chosen: "validation-chosen"."""
        # Older runs add what ``touched`` knows better.
        return text(self.result, "protocol").removesuffix(", test once")

    @property
    def protocol_in_words(self) -> str:
        """How the epoch was chosen and how often test was scored: "validation-chosen; test scored once"."""
        if self.touched:
            times = {1: "once", 2: "twice"}.get(self.touched, f"{self.touched} times")
            return f"{self.protocol}; test scored {times}"
        scored = at(self.result, "splits", "test") is not None
        return f"{self.protocol}; test scored, not noted how often" if scored else f"{self.protocol}; test not scored"

    @property
    def views(self) -> str:
        """What was averaged at evaluation: "none" or "flip"."""
        return text(self.result, "splits", "validation", "views")

    @property
    def temperature(self) -> float | None:
        """What the stored probabilities were scaled by already; None for a run that was never released."""
        return number(self.result, "released", "temperature")

    @property
    def touched(self) -> int:
        """How often test was scored."""
        return whole(self.result, "splits", "test", "touched") or whole(self.result, "test_touched") or 0

    @property
    def device(self) -> str:
        return text(self.environment, "device")

    @property
    def commit(self) -> str | None:
        """The commit of the code, 40 digits."""
        commit = self.environment.get("commit")
        return commit if isinstance(commit, str) else None

    @property
    def dirty(self) -> bool | None:
        """Whether files differed from the commit; None where that is not known."""
        dirty = self.environment.get("dirty")
        return dirty if isinstance(dirty, bool) else None

    @cached_property
    def started(self) -> datetime | None:
        """UTC, from the folder's name."""
        if (stamp := _STAMP.search(self.path.name)) is None:
            return None
        try:
            return datetime.strptime(stamp[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None

    @cached_property
    def parameters(self) -> int | None:
        return whole(self.result, "cost", "parameters")

    @cached_property
    def macs(self) -> int | None:
        """Multiply-adds of reading one face once."""
        return whole(self.result, "cost", "macs")

    @cached_property
    def latency(self) -> Latency | None:
        return read_latency(self.result)

    @property
    def seconds(self) -> float | None:
        """Of training and validation, all epochs together; so far, while it runs."""
        if (noted := number(self.result, "cost", "seconds")) is not None:
            return noted
        each = [seconds for line in self.epochs if (seconds := number(line, "seconds")) is not None]
        return sum(each) if each else None

    @property
    def peak_memory(self) -> int | None:
        """Bytes."""
        if (noted := whole(self.result, "cost", "peak_memory_bytes")) is not None:
            return noted
        each = [most for line in self.epochs if (most := whole(line, "peak_memory_bytes")) is not None]
        return max(each, default=None)

    @property
    def limited(self) -> bool:
        """Whether only the first faces of each split were used: a rehearsal, never a result."""
        return at(self.config, "dataset", "limit") is not None

    @cached_property
    def recipe_key(self) -> str:
        """Equal for runs that differ in nothing but seed, place, machine and layout: the seeds of one experiment."""
        return recipe_key(self.config, data=at(self.audit, "sha256"))

    @property
    def caption(self) -> str:
        """A short name that tells runs apart: "resemotenet x0.5, bundled on ferplus, seed 0, 21 Nov 12:48"."""
        if not self.config:
            return self.id
        network = self.model if self.width in (None, 1) else f"{self.model} x{self.width:g}"
        seed = "" if self.seed is None else f", seed {self.seed}"
        when = "" if self.started is None else f", {self.started.day} {self.started:%b %H:%M}"
        place = "" if self.id == self.path.name else f", in {self.path.parent}"
        return f"{network}, {self.recipe} on {self.taught}{seed}{when}{place}"


def read_run(path: Path, *, published: bool = False) -> tuple[Run, float]:
    """Read a results folder, whatever is wrong with it; "unfinished" is said of one that may still run.

    Returns:
        The run, and for how many seconds without a change it still counts as running.
    """
    folder = ResultsFolder(path)
    problems: list[str] = []
    files = {
        name: _object(path / f"{name}.json", problems, needed=needed)
        for name, needed in (("config", True), ("environment", False), ("audit", False), ("result", False))
    }
    epochs = _epochs(folder, problems)
    if not problems:
        problems += _gaps(files["config"])
    state: State = "finished" if folder.is_finished else "unfinished"
    version = schema_of(files["result"]) if files["result"] else "current"
    if version == "newer":
        found = files["result"].get("schema")
        state = "newer"
        problems = [
            f"Written by a newer version of this software (schema {found}, this one reads up to {SCHEMA}): update it."
        ]
    elif problems:
        state = "broken"
    elif state == "finished" and not any((path / "predictions").glob("[!.]*.npz")):
        state = "broken"
        problems.append("It is finished, but predictions/ is empty, so no figure can be computed; copy it again.")
    elif version == "older":
        problems.append("Written by an older version of this software; what that did not note is left empty.")
    run = Run(path, path.name, state, " ".join(problems) or None, published, epochs=epochs, **files)
    if state == "unfinished":
        run = replace(run, problem=_unfinished(run))
    last = number(epochs[-1], "seconds") if epochs else None
    return run, max(_QUIET_SECONDS, _QUIET_EPOCHS * (last or 0.0))


def _gaps(config: dict[str, Any]) -> list[str]:
    absent = [part for part in ("network", "dataset", "optimization") if not isinstance(config.get(part), dict)]
    if not absent:
        return []
    return [f"config.json says nothing of {', '.join(absent)}, so it is not known what was trained; copy it again."]


def _unfinished(run: Run) -> str:
    planned = "" if run.epochs_planned is None else f" of {run.epochs_planned}"
    done = f"after epoch {len(run.epochs)}{planned}" if run.epochs else "before its first epoch was done"
    return f"It stopped {done}; 'python -m training resume {run.path}' goes on with it."


def _object(path: Path, problems: list[str], *, needed: bool) -> dict[str, Any]:
    """The JSON object in a file, {} if there is none; what is wrong is added to ``problems``."""
    if not path.is_file():
        if needed:
            problems.append(f"{path.name} is missing, so it is not known what was trained; copy the whole folder.")
        return {}
    try:
        value = read_json(path)
    except (ResultsError, RecursionError) as error:
        denied = error.__cause__ if isinstance(error.__cause__, OSError) else None
        what = f"cannot be read ({denied.strerror})" if denied else "is damaged (no valid JSON)"
        problems.append(f"{path.name} {what}; copy it again.")
        return {}
    if not isinstance(value, dict):
        problems.append(f"{path.name} holds {type(value).__name__} where an object was expected; copy it again.")
        return {}
    return value


def _epochs(folder: ResultsFolder, problems: list[str]) -> tuple[dict[str, Any], ...]:
    try:
        lines = tuple(folder.read_epochs())
        if all(isinstance(line, dict) for line in lines):
            return lines
    except (ResultsError, OSError, ValueError, RecursionError):
        pass  # said below, as for lines that are no objects
    problems.append("epochs.jsonl is damaged, so there are no curves; copy it again.")
    return ()
