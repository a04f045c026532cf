"""One results folder as the pages see it."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, Literal, TypeVar

from resemotenet.runs.label_sets import teaching
from resemotenet.runs.schema import Audit, Cost, Environment, Epoch, Latency, Photographs, Released, Result
from resemotenet.runs.settings import known_settings, recipe_key

T = TypeVar("T")
State = Literal["finished", "running", "unfinished", "broken", "newer"]

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
        config: config.json as it stands there; {} where it is absent or damaged.
        environment, audit, result: what can be read of the files of these names; None where nothing can.
        epochs: the lines of epochs.jsonl so far.
    """

    path: Path
    id: str
    state: State
    problem: str | None = None
    published: bool = False
    config: dict[str, Any] = field(default_factory=dict, repr=False)
    environment: Environment = field(default_factory=Environment, repr=False)
    audit: Audit | None = field(default=None, repr=False)
    result: Result | None = field(default=None, repr=False)
    epochs: tuple[Epoch, ...] = field(default=(), repr=False)

    @cached_property
    def known(self) -> dict[str, Any]:
        """The settings that make sense, by dotted name, those of later versions filled in."""
        return known_settings(self.config)[0]

    def _known(self, name: str, *kinds: type[T]) -> T | None:
        value = self.known.get(name)
        return value if isinstance(value, kinds) else None

    @property
    def recipe(self) -> str:
        return self._known("recipe", str) or "unknown"

    @property
    def model(self) -> str:
        """The architecture, as ``create_model`` calls it."""
        return self._known("network.name", str) or "unknown"

    @property
    def dataset(self) -> str:
        """What it was trained on: "fer2013", "synthetic"."""
        return self._known("dataset.name", str) or "unknown"

    @property
    def taught(self) -> str:
        """What it learned: "fer2013" (the original labels) or "ferplus" (the shares of ten annotators)."""
        return self._known("dataset.labels", str) or "unknown"

    @property
    def labels(self) -> str:
        """The label definition by which its epoch is chosen."""
        if self.result is not None and self.result.labels is not None:
            return self.result.labels
        if self.epochs and self.epochs[0].validation:
            return next(iter(self.epochs[0].validation))
        return teaching(self.taught).deciding

    @property
    def seed(self) -> int | None:
        return self._known("seed", int)

    @property
    def width(self) -> float | None:
        return self._known("network.width", int, float)

    @property
    def compact(self) -> bool:
        """Whether it was trained without the weights that only ever multiply padding."""
        return self._known("network.compact", bool) is True

    @property
    def size(self) -> int | None:
        """Side of the input in pixels."""
        return self._known("network.size", int)

    @property
    def epochs_planned(self) -> int | None:
        return self._known("optimization.epochs", int)

    @property
    def start(self) -> str | None:
        """The last part of the path of the weights that training started from; None for random ones."""
        path = self._known("network.start", str) or self._known("network.backbone", str)
        return None if path is None else PurePath(path).name

    @property
    def teachers(self) -> int:
        """How many trained models the run learned from beside its labels."""
        return len(self._known("distillation.teachers", list) or ())

    @property
    def limited(self) -> bool:
        """Whether only the first faces of each split were used: a rehearsal, never a result."""
        dataset = self.config.get("dataset")
        return isinstance(dataset, dict) and dataset.get("limit") is not None

    @property
    def chosen_epoch(self) -> int | None:
        return None if self.result is None or self.result.chosen is None else self.result.chosen.epoch

    @property
    def protocol(self) -> str:
        """How the epoch was chosen: "validation-chosen"."""
        return "unknown" if self.result is None else self.result.protocol

    @property
    def protocol_in_words(self) -> str:
        """How the epoch was chosen and how often test was scored: "validation-chosen; test scored once"."""
        if self.touched:
            times = {1: "once", 2: "twice"}.get(self.touched, f"{self.touched} times")
            return f"{self.protocol}; test scored {times}"
        scored = self.result is not None and "test" in self.result.splits
        return f"{self.protocol}; test scored, not noted how often" if scored else f"{self.protocol}; test not scored"

    @property
    def released(self) -> Released | None:
        """What a release fixed: the stored predictions are then those of the released model."""
        return None if self.result is None else self.result.released

    @property
    def views(self) -> str:
        """What was averaged at evaluation: "none" or "flip"."""
        scored = None if self.result is None else self.result.splits.get("validation")
        return "unknown" if scored is None or scored.views is None else scored.views

    @property
    def temperature(self) -> float | None:
        """What the stored probabilities were scaled by already; None for a run that was never released."""
        return None if self.released is None else self.released.temperature

    @property
    def touched(self) -> int:
        """How often test was scored."""
        return 0 if self.result is None else self.result.touched

    @property
    def device(self) -> str:
        return self.environment.device or "unknown"

    @property
    def commit(self) -> str | None:
        """The commit of the code, 40 digits."""
        return self.environment.commit

    @property
    def dirty(self) -> bool | None:
        """Whether files differed from the commit; None where that is not known."""
        return self.environment.dirty

    @cached_property
    def started(self) -> datetime | None:
        """UTC, from the folder's name."""
        if (stamp := _STAMP.search(self.path.name)) is None:
            return None
        try:
            return datetime.strptime(stamp[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None

    @property
    def _cost(self) -> Cost | None:
        return None if self.result is None else self.result.cost

    @property
    def parameters(self) -> int | None:
        return None if self._cost is None else self._cost.parameters

    @property
    def macs(self) -> int | None:
        """Multiply-adds of reading one face once."""
        return None if self._cost is None else self._cost.macs

    @property
    def latency(self) -> Latency | None:
        """How long a face takes."""
        return None if self._cost is None else self._cost.latency

    @property
    def photographs(self) -> Photographs | None:
        """How it reads photographs with its detector; None where that was not measured."""
        return None if self.result is None else self.result.photographs

    @property
    def seconds(self) -> float | None:
        """Of training and validation, all epochs together; so far, while it runs."""
        if self._cost is not None:
            return self._cost.seconds
        each = [line.seconds for line in self.epochs if line.seconds is not None]
        return sum(each) if each else None

    @property
    def peak_memory(self) -> int | None:
        """Bytes."""
        if self._cost is not None and self._cost.peak_memory_bytes is not None:
            return self._cost.peak_memory_bytes
        return max((line.peak_memory_bytes for line in self.epochs if line.peak_memory_bytes is not None), default=None)

    @property
    def data_hash(self) -> str | None:
        """SHA-256 over the faces learned from and scored; None where that is not noted."""
        return None if self.audit is None else self.audit.sha256

    @cached_property
    def recipe_key(self) -> str:
        """Equal for runs that differ in nothing but seed, place, machine and layout: the seeds of one experiment."""
        return recipe_key(self.config, data=self.data_hash)
