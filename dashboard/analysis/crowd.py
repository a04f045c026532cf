"""FER2013's own labels against the FER+ crowd: on which faces the two disagree, and how.

Works on predictions that a run stored under both label definitions, or on the data itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resemotenet.emotions import EMOTIONS
from resemotenet.runs.label_sets import FERPLUS
from resemotenet.runs.metrics import wilson_interval

from .. import data
from ..data import Run
from ..data.pictures import Pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFINITIONS = tuple(labels for labels in FERPLUS.scored if labels in FERPLUS.own)
NO_MAJORITY = len(EMOTIONS)
COLUMNS = (*EMOTIONS, "no majority")


@dataclass(frozen=True)
class Labelled:
    """Every face of a split under FER2013's own label and under the crowd's.

    Attributes:
        ids: (N,) str.
        original: (N,) canonical emotion.
        crowd: (N,) canonical emotion, ``NO_MAJORITY`` where the definition leaves the face out: too few votes for one
            emotion, or a majority for contempt, unknown or no face.
        source: where the labels were read from, for people.
    """

    ids: "NDArray[np.str_]"
    original: "NDArray[np.int64]"
    crowd: "NDArray[np.int64]"
    source: str

    def table(self) -> "NDArray[np.int64]":
        """(7, 8) counts: rows the original label, columns the crowd's."""
        counts = np.zeros((len(EMOTIONS), len(COLUMNS)), np.int64)
        np.add.at(counts, (self.original, self.crowd), 1)
        return counts

    def rows(self, original: int, crowd: int) -> "NDArray[np.int64]":
        """Faces of one cell, in the order of the data."""
        return np.flatnonzero((self.original == original) & (self.crowd == crowd))


def of_arrays(
    ids: "NDArray[np.str_]",
    original: "NDArray[np.int64]",
    crowd_ids: "NDArray[np.str_]",
    crowd: "NDArray[np.int64]",
    source: str,
) -> Labelled:
    """Bring both together by id; ``crowd_ids`` are some of ``ids``."""
    majority = dict(zip(map(str, crowd_ids), crowd.tolist(), strict=True))
    called = np.array([majority.get(str(name), NO_MAJORITY) for name in ids], np.int64)
    return Labelled(ids, original, called, source)


def of_run(run: Run, definition: str, split: str) -> Labelled:
    """From the targets of a run's predictions.

    Raises:
        ResultsError: it has no predictions of this split under one of the two, or they are damaged.
    """
    own, other = data.predictions(run, "fer2013", split), data.predictions(run, definition, split)
    return of_arrays(own.ids, own.targets, other.ids, other.targets, f"the labels that {run.id} was scored on")


def of_pictures(pictures: Pictures, definition: str, split: str) -> Labelled:
    """From the data.

    Raises:
        DatasetError: it has no votes or not this split.
    """
    own, other = pictures.faces(split, "fer2013"), pictures.faces(split, definition)
    return of_arrays(own.ids, own.targets, other.ids, other.targets, pictures.path.name)


def run_with_both(runs: Sequence[Run], definition: str, split: str) -> Run | None:
    """The first run that was scored on both label definitions, published ones before others: they are whole."""
    for run in sorted(runs, key=lambda each: (not each.published, each.limited)):
        if all(data.has_predictions(run, labels, split) for labels in ("fer2013", definition)):
            return run
    return None


def agreement(table: "NDArray[np.int64]") -> dict[str, tuple[int, int, tuple[float, float]]]:
    """By original label: faces on which the crowd agrees, faces on which it has a majority, Wilson interval.

    Emotions without such a face are left out.
    """
    by_emotion = {}
    for number, emotion in enumerate(EMOTIONS):
        same, n = int(table[number, number]), int(table[number, :NO_MAJORITY].sum())
        if n:
            by_emotion[emotion] = same, n, wilson_interval(same, n)
    return by_emotion
