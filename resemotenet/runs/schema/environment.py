"""What a run ran on, environment.json; and what it found in its data, audit.json."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from .numbers import Count
from .record import Record


class Start(Record):
    """A start of a run, or one of its resumptions.

    Attributes:
        commit: 40 digits; None outside a git checkout.
        dirty: whether files differed from the commit; None where that is not known.
        versions: of libraries; None for one that is not there.
        epoch, time: of a resumption, from which epoch and when.
    """

    epoch: Count | None = None
    time: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    command: list[str] | None = None
    seed: Count | None = None
    device: str | None = None
    threads: Count | None = None
    python: str | None = None
    platform: str | None = None
    versions: dict[str, str | None] = Field(default_factory=dict)


class Environment(Start):
    """environment.json."""

    resumptions: list[Start] = Field(default_factory=list)

    @property
    def starts(self) -> tuple[Start, ...]:
        """The first and every resumption."""
        return (self, *self.resumptions)


class NearCopies(Record):
    """Pairs of nearly identical images."""

    pairs: Count | None = None
    pairs_with_conflicting_labels: Count | None = None
    leaks: dict[str, Count] = Field(default_factory=dict)
    rule: dict[str, Any] = Field(default_factory=dict)


class Teacher(Record):
    """What decides a teacher's answers; older runs noted its weights alone."""

    sha256: str
    temperature: float | None = None
    views: str | None = None


def _by_weights(teacher: Any) -> Any:
    return {"sha256": teacher} if isinstance(teacher, str) else teacher


class Ancestor(Record):
    """A run whose weights others went on from; what is not known of it is None.

    Attributes:
        epochs: how many it was to have.
        chosen_epoch: from 0.
        test_touched: how often it was scored on test.
    """

    run: str | None = None
    epochs: Count | None = None
    chosen_epoch: Count | None = None
    test_touched: Count | None = None


class Earlier(Record):
    """The models that a run depends on: SHA-256 of the one it started from, and its teachers.

    Attributes:
        chain: the runs that the start came from, one after the other, the first first.
    """

    start: str | None = None
    chain: list[Ancestor] | None = None
    teachers: list[Annotated[Teacher, BeforeValidator(_by_weights)]] | None = None


class Learned(Record):
    """What a run learned from: label definition, and faces of each emotion."""

    labels: str
    faces: dict[str, Count]


class Audit(Record):
    """audit.json: the whole data set under its original labels.

    Attributes:
        images: by split.
        near_copies: None where all images are alike; not set where they were not looked for.
        near_copies_not_searched: why.
        sha256: over ids, pixels and labels of all that was learned from or scored.
        source: of a set of picture files: layout, what was left out.
    """

    images: dict[str, Count] = Field(default_factory=dict)
    identical_groups: Count | None = None
    surplus_copies: Count | None = None
    groups_across_splits: Count | None = None
    groups_with_conflicting_labels: Count | None = None
    leaks: dict[str, Count] = Field(default_factory=dict)
    blank_images: Count | None = None
    near_copies: NearCopies | None = None
    near_copies_not_searched: str | None = None
    sha256: str | None = None
    source: dict[str, Any] = Field(default_factory=dict)
    earlier: Earlier | None = None
    learned: Learned | None = None
