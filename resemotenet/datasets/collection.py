"""From what a reader finds in a folder to a data set in splits, checked."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..emotions import EMOTIONS
from ..errors import DatasetFormatError
from .face_files import FaceFiles, broken_in_words
from .splits import carve

if TYPE_CHECKING:
    from numpy.typing import NDArray

Counts = Mapping[str, Mapping[str, int]]
"""Split -> emotion -> number of faces."""


@dataclass(frozen=True)
class Carved:
    """How splits were cut that the data set does not come with.

    Attributes:
        source: the split that was cut, or "all".
        shares: split -> its part of the source.
        seed: of ``splits.carve``. The same for every run, so that runs can be compared.
        by: what stays together: "face", "source picture".
    """

    source: str
    shares: dict[str, float]
    seed: int
    by: str

    def record(self, ids: "Mapping[str, NDArray[np.str_]]") -> dict[str, Any]:
        """For results, with the ids of what was cut off."""
        about = {"from": self.source, "shares": self.shares, "seed": self.seed, "by": self.by}
        return {**about, "ids": {split: named.tolist() for split, named in ids.items()}}


@dataclass(frozen=True)
class Collection:
    """A data set of pictures in files; nothing but labels is in memory.

    Attributes:
        name: the label definition: "raf-db", "affectnet-7", ...
        layout: which of its layouts was found.
        root: the folder.
        splits: those it has, in the order train, validation, test.
        carved: how some were cut; None if all came with the data.
        left_out: label or reason -> rows that are not faces of the seven emotions.
        broken: a sentence for each picture that is not there, left out because it was asked for.
        notes: sentences for people: counts that are not what they should be, with both numbers.
    """

    name: str
    layout: str
    root: Path
    splits: dict[str, FaceFiles]
    carved: Carved | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def split(self, split: str, labels: str | None = None) -> FaceFiles:
        """One split.

        Args:
            split: "train", "validation" or "test".
            labels: the data set has one label definition, its name.

        Raises:
            ValueError: no such split or label definition anywhere.
            DatasetFormatError: this data set has no such split.
        """
        if split not in ("train", "validation", "test") or labels not in (None, self.name):
            raise ValueError(
                f"no split {split!r} with labels {labels!r}; splits: train, validation, test; labels: {self.name}"
            )
        if split not in self.splits:
            raise DatasetFormatError(
                f"{self.name} at {self.root} has no {split} split; it has {', '.join(self.splits)}"
            )
        return self.splits[split]

    def record(self) -> dict[str, Any]:
        """What results keep of how the data was read, with the ids of every carved split but the largest."""
        kept: dict[str, Any] = {"layout": self.layout, "left_out": self.left_out, "notes": list(self.notes)}
        if self.carved is not None:
            cut = [split for split, share in self.carved.shares.items() if share < max(self.carved.shares.values())]
            kept["carved"] = self.carved.record({split: self.splits[split].ids for split in cut})
        return kept


class Listing:
    """Rows as a reader comes across them; ``collect`` checks and cuts them.

    Args:
        name, layout, root: as in ``Collection``.
        origin: where the data comes from, for errors: "the archive aligned.zip of ...".
        skip_broken: leave out pictures that are listed but missing instead of stopping.
    """

    def __init__(self, name: str, layout: str, root: Path, origin: str, *, skip_broken: bool) -> None:
        self.name, self.layout, self.root, self.origin, self.skip_broken = name, layout, root, origin, skip_broken
        self.rows: dict[str, tuple[str, str, int, str, tuple[int, int, int, int] | None]] = {}
        self.left_out: Counter[str] = Counter()
        self.broken: list[str] = []
        self.notes: list[str] = []

    def add(
        self,
        split: str,
        file: str,
        emotion: str | None,
        *,
        id: str,
        place: str,
        group: str | None = None,
        box: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Enter one face.

        Args:
            split: "train", "validation", "test", or "all" for what is still to be cut.
            file: relative to the root; a list may have made it up.
            emotion: canonical.
            place: file and row, or file, for errors.
            group: the face itself unless given.
            box: left, top, right, bottom.

        Raises:
            DatasetFormatError: the id was there before, the file would lie outside the root, or the box outside of any
                picture.
        """
        check_inside(file, place)
        if box is not None and max(map(abs, box)) >= 2**31:
            raise DatasetFormatError(f"{place}: the box {box} reaches farther than any picture; expected pixels")
        if id in self.rows:
            raise DatasetFormatError(
                f"{place}: the face {id} appears a second time; each face must appear once, or it counts twice and "
                "may end up in two splits"
            )
        assert emotion in EMOTIONS
        self.rows[id] = (split, file, EMOTIONS.index(emotion), group or id, box)

    def lacks(self, file: str, place: str) -> None:
        """Enter a picture that a list names and that is not there."""
        self.broken.append(f"{file} is listed but missing ({place})")

    def collect(
        self,
        *,
        need: tuple[str, ...] = ("train", "test"),
        carved: Carved | None = None,
        expected: Counts | None = None,
        expected_by: str = "Table II of the paper",
    ) -> Collection:
        """The data set in splits.

        Args:
            need: splits without which the folder is half copied; cut ones count too.
            carved: how to cut.
            expected: counts to compare with, of the splits as they come, before any cut.
            expected_by: who says so.

        Raises:
            DatasetFormatError: pictures are absent, or a split is.
        """
        self._drop_absent()
        found = self._files()
        # What is to be cut has to be there; what comes of it need not.
        required = {carved.source if carved and split in carved.shares else split: None for split in need}
        missing = [split for split in required if split not in found]
        if missing or not found:
            have = ", ".join(f"{len(faces):,} {split}" for split, faces in found.items()) or "no faces"
            raise DatasetFormatError(
                f"{self.root} has no {' and no '.join(missing or need)} faces of {self.name} (found: {have}); "
                f"copy the rest of {self.origin}"
            )
        if expected is not None:
            self.notes += differences({split: faces.counts() for split, faces in found.items()}, expected, expected_by)
        if carved is not None:
            source = found.pop(carved.source)
            part = carve(source.targets, source.groups, carved.shares, carved.seed)
            found |= {split: replace(source.where(part == split), split=split) for split in carved.shares}
        ordered = {str(split): found[split] for split in ("train", "validation", "test") if split in found}
        return Collection(
            self.name, self.layout, self.root, ordered, carved, dict(self.left_out), tuple(self.broken),
            tuple(self.notes),
        )  # fmt: skip

    def _drop_absent(self) -> None:
        absent = absent_files(self.root, {row[1] for row in self.rows.values()})
        listed = len(self.rows) + len(self.broken)
        for id, (_, file, *_) in list(self.rows.items()):
            if file in absent:
                self.broken.append(f"{self.root / file} (id {id}) is listed but missing")
                del self.rows[id]
        if self.broken and not self.skip_broken:
            raise DatasetFormatError(f"{broken_in_words(self.broken, listed)}. They come with {self.origin}")

    def _files(self) -> dict[str, FaceFiles]:
        """In the order of the ids, whatever order a list or a file system has."""
        ids_of: dict[str, list[str]] = defaultdict(list)
        for id in sorted(self.rows):
            ids_of[self.rows[id][0]].append(id)
        found: dict[str, FaceFiles] = {}
        for split in [each for each in ("all", "train", "validation", "test") if each in ids_of]:
            ids = ids_of[split]
            _, files, targets, groups, boxes = zip(*(self.rows[id] for id in ids), strict=True)
            found[split] = FaceFiles(
                name=self.name,
                split=split,
                root=self.root,
                files=np.array(files, dtype=str),
                targets=np.array(targets, np.int64),
                ids=np.array(ids, dtype=str),
                groups=np.array(groups, dtype=str),
                boxes=_stacked(boxes),
            )
        return found


def _stacked(boxes: tuple[tuple[int, int, int, int] | None, ...]) -> "NDArray[np.int64] | None":
    given = [box for box in boxes if box is not None]
    assert len(given) in (0, len(boxes)), "a layout has a box for every face or for none"
    return np.array(given, np.int64) if given else None


# Nothing, a root, a drive, or a step up; by the slashes of every system.
_OUTSIDE = re.compile(r"\Z|[/\\]|[A-Za-z]:|(?:.*[/\\])?\.\.(?:[/\\]|\Z)", re.DOTALL)


def check_inside(file: str, place: str) -> None:
    """Raise DatasetFormatError if a file name from a list points out of the data set's folder.

    By the name alone, so that a list of 300,000 is looked through in a moment. A link inside the folder may lead out of
    it: people put it there, a list that somebody sends cannot.
    """
    if _OUTSIDE.match(file):
        raise DatasetFormatError(
            f"{place}: the file name {file!r} does not stay inside the data set's folder; it must be a relative path "
            "without '..'"
        )


def absent_files(root: Path, files: set[str]) -> set[str]:
    """Which of the files (relative, forward slashes) are not there; one look at each folder, not at each file."""
    names_in: dict[str, set[str]] = defaultdict(set)
    for file in files:
        folder, _, name = file.rpartition("/")
        names_in[folder].add(name)
    absent = set()
    for folder, names in names_in.items():
        there = set(os.listdir(root / folder)) if (root / folder).is_dir() else set()
        absent |= {f"{folder}/{name}" if folder else name for name in names - there}
    return absent


def differences(found: Counts, expected: Counts, by: str) -> list[str]:
    """One sentence a split whose counts are not the expected ones, with both numbers."""
    sentences = []
    for split, emotions in expected.items():
        here = found.get(split, {})
        other = [
            f"{emotion} {here.get(emotion, 0):,} instead of {n:,}"
            for emotion, n in emotions.items()
            if here.get(emotion, 0) != n
        ]
        if other:
            sentences.append(
                f"{split if split != 'all' else 'the whole'} has {sum(here.values()):,} faces, {by} has "
                f"{sum(emotions.values()):,}: {', '.join(other)}"
            )
    return sentences


def code_of(text: str, codes: Mapping[int, str | None], place: str) -> str | None:
    """The emotion that a number in a list stands for, None for a label to leave out.

    Raises:
        DatasetFormatError: it is no number, or none of the codes.
    """
    try:
        code = float(text)
    except ValueError:
        code = -1.5
    if code not in codes:
        meaning = ", ".join(f"{number} {emotion or 'left out'}" for number, emotion in codes.items())
        raise DatasetFormatError(f"{place}: the label is {text.strip()!r}, expected one of {meaning}")
    return codes[int(code)]
