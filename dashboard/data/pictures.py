"""The faces behind the numbers: pictures and votes by sample id, from a copy of the data that the visitor has.

Pictures stay in memory: none is written to disk, none ships with the repository. Whether the copy is the data that a
run was scored on is seen from its ids and labels, never assumed.
"""

import threading
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resemotenet.datasets import FER2013, SPLITS, read_fer2013
from resemotenet.datasets.fer2013 import USAGES, VOTES
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resemotenet.datasets import FaceSet
    from resemotenet.runs.results import Predictions


@dataclass(eq=False)
class Pictures:
    """A copy of FER2013 in any of the layouts that ``read_fer2013`` knows, read when it is first asked for.

    One object serves all visitors and may be used from several threads. In memory the 35,887 faces take 83 MB.

    Attributes:
        path: the file or folder given with --data or RESEMOTENET_DATA.
    """

    path: Path
    _data: FER2013 | None = field(default=None, init=False, repr=False)
    _rows: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def data(self) -> FER2013:
        """All of it.

        Raises:
            DatasetError: nothing is there, or it cannot be read; it is tried again at the next call.
        """
        with self._lock:
            if self._data is None:
                data = read_fer2013(self.path)
                self._rows = {str(name): row for row, name in enumerate(data.ids)}
                self._data = data
            return self._data

    @property
    def are_read(self) -> bool:
        """Whether asking for them takes no time."""
        return self._data is not None

    def problem(self) -> str | None:
        """Why there are no pictures, as one sentence for people; None if there are."""
        try:
            _ = self.data
        except DatasetError as error:
            return f"The pictures cannot be shown: {error}."
        return None

    def mismatch(self, predictions: "Predictions", labels: str, split: str) -> str | None:
        """Why these are not the pictures that the predictions were made from, as one sentence; None if they are.

        They are when every id is there, in the same split, with the label that the run was scored against.
        """
        if (problem := self.problem()) is not None:
            return problem
        if labels not in FER2013.definitions or split not in SPLITS:
            return f"No pictures: {self.path.name} is FER2013, and this run was scored on {labels}."
        absent = [str(name) for name in predictions.ids if str(name) not in self._rows]
        if absent:
            return (
                f"No pictures: {self.path.name} lacks {len(absent):,} of the {predictions.n:,} faces this run "
                f"was scored on, the first of them {absent[0]}; it is another copy or another layout of the data."
            )
        try:
            known = self.targets(split, labels)
        except DatasetError as error:
            return f"No pictures: {error}."
        wrong = sum(
            known.get(str(name)) != target
            for name, target in zip(predictions.ids, predictions.targets.tolist(), strict=True)
        )
        if wrong:
            return (
                f"No pictures: {self.path.name} has other labels than the run for {wrong:,} of the "
                f"{predictions.n:,} faces, so it is other data."
            )
        return None

    def targets(self, split: str, labels: str) -> dict[str, int]:
        """Canonical emotion by id, of a split under a label definition."""
        faces = self.faces(split, labels)
        return dict(zip(map(str, faces.ids), faces.targets.tolist(), strict=True))

    def faces(self, split: str, labels: str) -> "FaceSet":
        """A split under a label definition; errors as in ``FER2013.split``."""
        return self.data.split(split, labels)

    @cached_property
    def trained_copies(self) -> frozenset[str]:
        """Ids of training faces that are pixel for pixel in validation or test as well; errors as for ``data``."""
        data = self.data
        train = data.usage == USAGES["train"]
        others = {image.tobytes() for image in data.images[~train]}
        rows = np.flatnonzero(train)
        return frozenset(str(data.ids[row]) for row in rows if data.images[row].tobytes() in others)

    def picture(self, sample: str) -> "NDArray[np.uint8]":
        """(48, 48) uint8 grey.

        Raises:
            KeyError: there is no such id; ``mismatch`` says so beforehand.
        """
        image: NDArray[np.uint8] = self.data.images[self._rows[sample]]
        return image

    def votes(self, sample: str) -> dict[str, int] | None:
        """How many of the ten FER+ annotators said what: the emotions, then contempt, unknown, no face.

        None where there are no votes. KeyError as in ``picture``.
        """
        data = self.data
        if data.votes is None or (row := data.votes[self._rows[sample]]).min() < 0:
            return None
        by_name = dict(zip(VOTES, row.tolist(), strict=True))
        emotions = {emotion: by_name[_VOTE_NAMES.get(emotion, emotion)] for emotion in EMOTIONS}
        return {**emotions, "contempt": by_name["contempt"], "unknown": by_name["unknown"], "no face": by_name["NF"]}


@cache
def shared_pictures(path: Path) -> Pictures:
    """One copy of the data for all visitors."""
    return Pictures(path)


# FER+ calls four of the emotions by their nouns.
_VOTE_NAMES = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
