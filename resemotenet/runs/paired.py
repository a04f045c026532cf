"""Two runs on the same faces, matched by sample id: far sharper than two accuracies side by side."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ResultsError
from .metrics import mcnemar, paired_difference_interval
from .results import Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Shared:
    """The faces that two files of predictions have in common, by sample id.

    Attributes:
        first, second: their rows in each file, in one order.
        left_out: how many faces only one of the files has.
        conflicts: how many of those in common have another label in one than in the other.
    """

    first: "NDArray[np.int64]"
    second: "NDArray[np.int64]"
    left_out: int
    conflicts: int

    @property
    def n(self) -> int:
        return len(self.first)


def match(a: Predictions, b: Predictions) -> Shared:
    """Find the same faces in two files, whatever their order."""
    _, rows, others = np.intersect1d(a.ids, b.ids, return_indices=True)
    left_out = a.n + b.n - 2 * len(rows)
    return Shared(rows, others, left_out, conflicts=int((a.targets[rows] != b.targets[others]).sum()))


@dataclass(frozen=True)
class Paired:
    """What two runs said of the same faces.

    Attributes:
        split, labels: of what and by which label definition.
        both, only_a, only_b, neither: how many faces both runs, one, or none of them read right.
        left_out: faces that only one of the two scored.
    """

    split: str
    labels: str
    both: int
    only_a: int
    only_b: int
    neither: int
    left_out: int = 0

    @property
    def n(self) -> int:
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def correct(self) -> tuple[int, int]:
        return self.both + self.only_a, self.both + self.only_b

    @property
    def difference(self) -> float:
        """Accuracy of B minus that of A."""
        return (self.only_b - self.only_a) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Of the difference, 95%."""
        return paired_difference_interval(self.only_a, self.only_b, self.n)

    @property
    def p_value(self) -> float:
        """How often a difference at least this large, either way, would come up if neither were better.

        It is not the probability that the difference is chance.
        """
        return mcnemar(self.only_a, self.only_b)


def pair_up(a: Predictions, b: Predictions, *, split: str, labels: str, names: tuple[str, str] = ("A", "B")) -> Paired:
    """Match two files of predictions face by face.

    Args:
        split, labels: what both were scored on.
        names: what errors call them.

    Raises:
        ResultsError: they share no face, or were scored by different labels.
    """
    shared = match(a, b)
    if not shared.n:
        raise ResultsError(
            f"{names[0]} and {names[1]} share no face of {split}: one has ids like {a.ids[:1].tolist()}, the other "
            f"like {b.ids[:1].tolist()}; they were scored on different data"
        )
    if shared.conflicts:
        raise ResultsError(
            f"{names[0]} and {names[1]} disagree on what is right: {shared.conflicts} of {shared.n} faces have another "
            f"{labels} label in one than in the other; score both on the same data"
        )
    right_a, right_b = a.correct[shared.first], b.correct[shared.second]
    return Paired(
        split=split,
        labels=labels,
        both=int((right_a & right_b).sum()),
        only_a=int((right_a & ~right_b).sum()),
        only_b=int((~right_a & right_b).sum()),
        neither=int((~right_a & ~right_b).sum()),
        left_out=shared.left_out,
    )
