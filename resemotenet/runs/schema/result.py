"""What a run measured: result.json, and a line of epochs.jsonl."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from .model import SCHEMA, OperatingPoint, Weights
from .numbers import Amount, Count, Pair, Share, Some
from .photographs import Photographs
from .record import Record


class WithoutLeaks(Record):
    """Figures of the faces without a copy in train."""

    n: Some
    accuracy: Share


class Figures(Record):
    """How good a model is on the faces of a split; see ``metrics.summary``."""

    n: Some
    accuracy: Share
    interval: Pair | None = None
    macro_recall: Share | None = None
    macro_f1: Share | None = None
    nll: float | None = None
    ece: Share | None = None


class Entry(Figures):
    """Figures, and what of the model they hold for: all that a release may change.

    Attributes:
        macro_recall_interval: bootstrapped, 95% (see ``intervals``); None also where all draws agree.
        touched: how often the split was looked at; of test, and of other data sets.
        broken: pictures that could not be read.
        unanswered: label -> faces that were left out, since the model does not answer it.
    """

    macro_recall_interval: Pair | None = None
    views: str | None = None
    weights: Weights | None = None
    operating_point: OperatingPoint | None = None
    without_leaks: WithoutLeaks | None = None
    broken: Count | None = None
    unanswered: dict[str, Count] | None = None
    touched: Count | None = None


class _Labelled(Record):
    labels: str


class Scored(Entry, _Labelled):
    """An entry that says by which label definition: the one by which the epoch was chosen."""


class _About(Record):
    dataset: str
    labels: str
    split: str
    protocol: str | None = None


class Fact(Entry, _About):
    """What a model's config.json says was measured; it has to stand alone."""


class Look(Record):
    """An evaluation that broke off, or whose figures are of the model as it was before a release."""

    touched: Count


def _kind(value: Any) -> str:
    has = "accuracy" in value if isinstance(value, Mapping) else isinstance(value, Entry)
    return "figures" if has else "look"


class Chosen(Record):
    """Which epoch was chosen (from 0), by which figure, and its value."""

    epoch: Count
    by: str
    value: Share


class Latency(Record):
    """Milliseconds for one face alone in its batch, float32; finding the face is not in it.

    Attributes:
        milliseconds, quartiles: of many passes.
        device, threads: what it was measured on.
        views: what was averaged, "none" or "flip".
        time: of the measurement; the same for models that were measured in turns.
    """

    milliseconds: float
    quartiles: Annotated[list[float], Field(min_length=2, max_length=2)]
    faces: Literal[1]
    passes: Count | None = None
    views: str
    device: str
    threads: Count | None = None
    torch: str | None = None
    time: str

    @model_validator(mode="after")
    def _in_order(self) -> "Latency":
        if not 0 < self.low <= self.milliseconds <= self.high:
            raise ValueError(f"{self.milliseconds} ms should be above 0 and lie between the quartiles {self.quartiles}")
        return self

    @property
    def low(self) -> float:
        return self.quartiles[0]

    @property
    def high(self) -> float:
        return self.quartiles[1]

    @property
    def place(self) -> str:
        """Device and threads, for people. Times of two places are not to be compared."""
        if self.threads is None:
            return self.device
        return f"{self.device}, {self.threads} thread{'s' * (self.threads != 1)}"


class Spread(Record):
    """Of a figure that every epoch has."""

    median: Amount
    least: Amount
    most: Amount


class Cost(Record):
    """What a network and its run took.

    Attributes:
        macs: multiply-adds of reading one face once.
        seconds: of training and validation, all epochs together; ``wall_seconds`` with saving.
    """

    parameters: Count | None = None
    macs: Count
    epochs: Count | None = None
    seconds: Amount
    wall_seconds: Amount | None = None
    seconds_per_epoch: Spread | None = None
    images_per_second: Amount | None = None
    device: str
    peak_memory_bytes: Count | None = None
    processes: Count | None = None
    latency: Latency | None = None


class Mixed(Record):
    """How much of released weights are those that the run started from.

    Attributes:
        test_seen: whether the run had been scored on test when this was decided.
    """

    start_share: Share
    start_sha256: str | None = None
    test_seen: bool | None = None


class Released(Record):
    """What a release fixed, and on which split by which labels."""

    temperature: float
    logit_bias: list[float]
    views: str
    by: str
    mixed: Mixed | None = None


def _without_test(protocol: str) -> str:
    # Older runs add it here; how often test was touched, "touched" knows better.
    return protocol.replace(", test once", "")


Protocol = Annotated[str, AfterValidator(_without_test)]

ByLabels = dict[str, dict[str, Entry]]
"""Label definition -> split -> its entry."""


class Result(Record):
    """result.json; its presence means that the run is finished.

    Attributes:
        version: of this layout; 0 before it had a number.
        splits: the run's own splits, under the label definition that chose the epoch.
        also: the same under others.
        elsewhere: other data sets, by label definition and split.
        photographs: how photographs are read, detector included.
        test_touched: how often test was touched before there were figures of it.
    """

    version: Annotated[int, Field(alias="schema", ge=0, le=SCHEMA)] = 0
    run: str | None = None
    protocol: Protocol
    chosen: Chosen | None = None
    splits: dict[str, Scored]
    also: ByLabels = Field(default_factory=dict)
    cost: Cost | None = None
    released: Released | None = None
    elsewhere: dict[
        str,
        dict[
            str,
            Annotated[Annotated[Entry, Tag("figures")] | Annotated[Look, Tag("look")], Discriminator(_kind)],
        ],
    ] = Field(default_factory=dict)
    photographs: Photographs | None = None
    test_touched: Count | None = None

    @property
    def labels(self) -> str | None:
        """The label definition by which the epoch was chosen."""
        validation = self.splits.get("validation")
        return None if validation is None else validation.labels

    @property
    def touched(self) -> int:
        """How often test was looked at, as far as that was counted."""
        scored = self.splits.get("test")
        return (self.test_touched if scored is None else scored.touched) or 0

    def touch_test(self) -> None:
        """Count one look at test more."""
        if (scored := self.splits.get("test")) is None:
            self.test_touched = self.touched + 1
        else:
            scored.touched = self.touched + 1

    def enter(self, split: str, entries: Mapping[str, Entry]) -> None:
        """Enter what was measured on a split, by label definition: the first is the run's own, the others go beside."""
        (own, first), *others = entries.items()
        scored = Scored(labels=own, **first.to_dict())
        if split == "test":
            scored.touched, self.test_touched = self.touched, None
            self.model_fields_set.discard("test_touched")
        self.splits = {**self.splits, split: scored}
        for labels, entry in others:
            self.also = {**self.also, labels: {**self.also.get(labels, {}), split: entry}}

    def enter_elsewhere(self, labels: str, split: str, entry: "Entry | Look") -> None:
        """Enter what was measured on another data set."""
        self.elsewhere = {**self.elsewhere, labels: {**self.elsewhere.get(labels, {}), split: entry}}

    def touch_elsewhere(self, labels: str, split: str) -> int:
        """Count one look at another data set more; how many there are now."""
        before = self.elsewhere.get(labels, {}).get(split, Look(touched=0))
        before.touched = touched = (before.touched or 0) + 1
        self.enter_elsewhere(labels, split, before)
        return touched

    def entries(self) -> Iterator[tuple[str, str, Entry]]:
        """(labels, split, entry) of everything about the run's own data, its own labels first."""
        yield from ((entry.labels, split, entry) for split, entry in self.splits.items())
        for labels, splits in self.also.items():
            yield from ((labels, split, entry) for split, entry in splits.items())

    def elsewhere_entries(self) -> Iterator[tuple[str, str, Entry]]:
        """(labels, split, entry) of other data sets; an evaluation that broke off has none."""
        for labels, splits in self.elsewhere.items():
            yield from ((labels, split, entry) for split, entry in splits.items() if isinstance(entry, Entry))

    def facts(self, dataset: str) -> tuple[dict[str, Any], ...]:
        """What the result says of the run's own data, as the facts that a model's config.json states."""
        kept = set(Entry.model_fields) - {"weights", "operating_point", "broken"}
        return tuple(
            {"dataset": dataset, "labels": labels, "split": split, "protocol": self.protocol}
            | entry.model_dump(mode="json", include=kept, exclude_unset=True)
            for labels, split, entry in self.entries()
        )


class Step(Record):
    """step.json: how far the epoch is that a run works on; there only while it trains.

    Attributes:
        epoch: from 0.
        batch, batches: how many of its training batches are done, and how many it has.
    """

    epoch: Count
    batch: Count
    batches: Some

    @model_validator(mode="after")
    def _in_order(self) -> "Step":
        if self.batch > self.batches:
            raise ValueError(f"batch {self.batch} cannot be one of {self.batches}")
        return self


class Epoch(Record):
    """A line of epochs.jsonl.

    Attributes:
        epoch: from 0.
        seconds: training and validation.
        saving_seconds_before: what saving the epoch before took; None right after a stop.
        validation: by label definition.
    """

    epoch: Count
    loss: float | None = None
    learning_rate: float | None = None
    seconds: Amount | None = None
    saving_seconds_before: Amount | None = None
    images_per_second: Amount | None = None
    peak_memory_bytes: Count | None = None
    validation: dict[str, Figures] = Field(default_factory=dict)
