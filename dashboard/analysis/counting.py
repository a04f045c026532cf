"""How many faces of each emotion a run was trained and scored on."""

from dataclasses import dataclass

import numpy as np

from resemotenet.datasets import FER2013
from resemotenet.datasets.base import count_emotions
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetError
from resemotenet.runs.label_sets import teaching

from .. import data
from ..data import Run
from ..data.pictures import Pictures


@dataclass(frozen=True)
class Counts:
    """Faces by emotion of one split.

    Attributes:
        labels: the label definition they are counted under.
        source: where they were counted, for people.
    """

    split: str
    labels: str
    source: str
    by_emotion: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_emotion.values())


def copies_left_out(run: Run) -> bool | None:
    """Whether training images with an identical copy in validation or test were left out; None where it is not said."""
    left_out: bool | None = run.known.get("dataset.leave_out_leaked")
    return left_out


def scored_counts(run: Run) -> list[Counts]:
    """Of every split the run was scored on, under the labels that decide; from its stored predictions."""
    counts = []
    for split in ("validation", "test"):
        if data.score_of(run, run.labels, split) is not None:
            targets = data.predictions(run, run.labels, split).targets
            counts.append(Counts(split, run.labels, "stored predictions", count_emotions(targets)))
    return counts


def learned_counts(run: Run, pictures: Pictures | None) -> Counts | None:
    """What the run was really trained on: as it says itself, or counted in the data by its settings.

    Returns:
        None where an older run does not say it and there is no data.

    Raises:
        DatasetError: the data cannot be read or has no such labels, or the run was trained on another data set.
    """
    learned = None if run.audit is None else run.audit.learned
    if learned is not None and set(EMOTIONS) <= set(learned.faces):
        return Counts("train", learned.labels, "audit.json", {emotion: learned.faces[emotion] for emotion in EMOTIONS})
    return None if pictures is None else counted_in_data(run, pictures)


def counted_in_data(run: Run, pictures: Pictures) -> Counts:
    """What a run's settings leave of the data to learn from; errors as in ``learned_counts``."""
    labels = teaching(run.taught).learned
    if run.dataset != "fer2013" or labels not in FER2013.definitions:
        raise DatasetError(f"{pictures.path.name} is FER2013, and this run was trained on {run.dataset}")
    faces = pictures.faces("train", labels)
    limit: int | None = run.known.get("dataset.limit")
    if limit is not None:
        first = pictures.faces("train", "fer2013").ids[:limit]
        faces = faces.where(np.isin(faces.ids, first))
    if copies_left_out(run):
        faces = faces.where(~np.isin(faces.ids, list(pictures.trained_copies)))
    return Counts("train", labels, f"{pictures.path.name}, by the run's settings", faces.counts())
