"""Precision, recall and F1 of every emotion and on average, with intervals; two runs brought to the same faces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from resemotenet.emotions import EMOTIONS
from resemotenet.runs.intervals import Bootstrapped, Differences, bootstrap, bootstrap_difference, joint_confusion
from resemotenet.runs.metrics import f1s, mean_defined, precisions, recalls, wilson_interval
from resemotenet.runs.paired import match
from resemotenet.runs.results import Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

Interval = tuple[float, float]


@dataclass(frozen=True)
class ClassFigures:
    """One emotion; fractions, None where a figure is not defined (the emotion never occurs, or is never predicted).

    Intervals at 95%: Wilson's for precision and recall, which are shares of cases; percentiles of a bootstrap over
    faces for F1, which is none. The bootstrap has no interval for an F1 of 0 or 1.
    """

    emotion: str
    support: int
    precision: float | None
    precision_interval: Interval | None
    recall: float | None
    recall_interval: Interval | None
    f1: float | None
    f1_interval: Interval | None


def class_figures(table: "NDArray[np.int64]") -> list[ClassFigures]:
    """All emotions, from a confusion matrix (7, 7) of counts, rows the truth."""
    precision, recall, f1, f1_intervals = precisions(table), recalls(table), f1s(table), _intervals(table.tobytes()).f1
    rows = []
    for number, emotion in enumerate(EMOTIONS):
        hits, support, called = int(table[number, number]), int(table[number].sum()), int(table[:, number].sum())
        rows.append(
            ClassFigures(
                emotion,
                support,
                precision=precision[number],
                precision_interval=wilson_interval(hits, called) if called else None,
                recall=recall[number],
                recall_interval=wilson_interval(hits, support) if support else None,
                f1=f1[number],
                f1_interval=f1_intervals[number],
            )
        )
    return rows


@dataclass(frozen=True)
class Average:
    """A figure over all emotions, each counting the same; fractions, the interval as that of F1."""

    value: float
    interval: Interval | None


def averages(table: "NDArray[np.int64]") -> tuple[Average, Average]:
    """Macro recall and macro F1 of a confusion matrix; emotions for which they are not defined have no say."""
    intervals = _intervals(table.tobytes())
    return (
        Average(mean_defined(recalls(table)), intervals.macro_recall),
        Average(mean_defined(f1s(table)), intervals.macro_f1),
    )


@dataclass(frozen=True)
class Together:
    """Two runs' predictions side by side.

    Attributes:
        first, second: on the same faces in the same order, unless ``problem`` says otherwise.
        left_out: faces that only one of them scored.
        problem: one sentence where they cannot be brought together; then both are whole.
    """

    first: Predictions
    second: Predictions
    left_out: int = 0
    problem: str | None = None


def together(first: Predictions, second: Predictions) -> Together:
    """Both on the faces they share, if they agree on what is right there."""
    shared = match(first, second)
    if not shared.n:
        return Together(first, second, problem="The two runs share no face, so only shares can be compared.")
    if shared.conflicts:
        return Together(
            first, second, problem="The two runs were scored against different labels for the same ids: other data."
        )
    return Together(first.take(shared.first), second.take(shared.second), shared.left_out)


def difference_intervals(both: Together) -> Mapping[str, Sequence[Interval | None]]:
    """Of the second run's figures minus the first's: "recall", "precision", "f1" -> 95% interval of every emotion.

    Faces are drawn again with what both runs said of them. None where every draw gives the same difference: neither
    run has a hit, or they never differ. The two must be on the same faces.
    """
    joint = joint_confusion(both.first.guesses, both.second.guesses, both.first.targets, num_classes=len(EMOTIONS))
    differences = _difference(joint.tobytes())
    return {"recall": differences.recall, "precision": differences.precision, "f1": differences.f1}


# Tens of milliseconds each, and a page draws itself anew at every click. Kept for all visitors: the same counts have
# the same intervals, whichever run they are of.
@lru_cache(maxsize=1024)
def _intervals(table: bytes) -> Bootstrapped:
    return bootstrap(np.frombuffer(table, np.int64).reshape((len(EMOTIONS),) * 2))


@lru_cache(maxsize=256)
def _difference(joint: bytes) -> Differences:
    return bootstrap_difference(np.frombuffer(joint, np.int64).reshape((len(EMOTIONS),) * 3))


def most_confused(tables: "Sequence[NDArray[np.int64]]") -> tuple[int, int]:
    """(truth, prediction) of the most frequent mistake; the most frequent cell where there is no mistake."""
    table = np.sum(tables, axis=0)
    mistakes = table.copy()
    np.fill_diagonal(mistakes, 0)
    row, column = np.unravel_index((mistakes if mistakes.any() else table).argmax(), table.shape)
    return int(row), int(column)
