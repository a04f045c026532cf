"""Sets of picture files, made ready for training: in memory where they fit, in a prepared file where not.

Both give the same pixels; which it is depends on the machine, and no figure depends on it.
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resemotenet.datasets import FER2013, Collection, FaceFiles, ReadyFaces, recognise
from resemotenet.datasets.fer2013 import USAGES
from resemotenet.errors import DatasetFormatError

from .memory import usable_memory
from .preparing import cache_folder, prepare

_PREPARED_FROM = 20_000
"""Faces from which on reading the pictures anew at each start, a millisecond each, is worth a file on the disk."""


@dataclass(frozen=True)
class Storage:
    """Where the pixels of picture files are kept.

    Attributes:
        cache: for prepared files; None: see ``cache_folder``.
        memory_share: sets that take more than this part of the memory that there is for the process (``usable_memory``)
            stay in their prepared file.
    """

    cache: Path | None = None
    memory_share: float = 0.25

    def ready(
        self, faces: FaceFiles, size: int, *, skip_broken: bool, of: int | None = None
    ) -> tuple[ReadyFaces, tuple[str, ...]]:
        """Read the pictures of a split at this size; small sets anew, others from their prepared file.

        Args:
            of: how many faces the whole set has, which decides for all its splits.

        Returns:
            The faces, and a sentence for each that was left out.

        Raises:
            DatasetFormatError, TrainingError: as ``prepare``.
        """
        n = len(faces) if of is None else of
        fits = n * size * size <= self.memory_share * usable_memory()
        if fits and n < _PREPARED_FROM:
            return faces.into_memory(size, skip_broken=skip_broken)
        prepared, broken = prepare(faces, size, cache_folder(self.cache), skip_broken=skip_broken)
        return prepared.into_memory(size)[0] if fits else prepared, broken


@dataclass(frozen=True)
class PictureFiles:
    """A set of picture files, ready.

    Attributes:
        name: of the data set and of its labels.
        splits: all that it has.
        source: what audit.json keeps of it.
    """

    name: str
    splits: dict[str, ReadyFaces]
    source: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, whole: Collection, size: int, *, skip_broken: bool, storage: Storage | None = None) -> "PictureFiles":
        """Read every picture at this size, and say what is to be known about them.

        Raises:
            DatasetFormatError, TrainingError: as ``Storage.ready``.
        """
        splits: dict[str, ReadyFaces] = {}
        broken, n = list(whole.broken), sum(map(len, whole.splits.values()))
        for name, faces in whole.splits.items():
            splits[name], unreadable = (storage or Storage()).ready(faces, size, skip_broken=skip_broken, of=n)
            broken += unreadable
        if os.environ.get("RANK", "0") == "0":
            for said in (*whole.notes, *broken):
                print(f"{whole.name}: {said}", file=sys.stderr)
        return cls(whole.name, splits, {**whole.record(), "broken": broken})

    def split(self, split: str, labels: str | None = None) -> ReadyFaces:
        """One split under its own labels, the only ones it has.

        Raises:
            DatasetFormatError: there is no such split.
        """
        if split not in self.splits:
            raise DatasetFormatError(f"this copy of {self.name} has no {split} split; it has {', '.join(self.splits)}")
        return self.splits[split]


def read_any(path: Path, size: int, storage: Storage | None = None) -> FER2013 | PictureFiles:
    """Whatever data set lies there, ready.

    Args:
        size: of what is read from picture files; FER2013's is its own.

    Raises:
        DatasetError: it is none known here, or cannot be read.
    """
    info, _, root = recognise(path)
    whole = info.read(root)
    if isinstance(whole, FER2013):
        return whole
    return PictureFiles.of(whole, size, skip_broken=False, storage=storage)


def ready_splits(whole: FER2013) -> dict[str, ReadyFaces]:
    """The splits that a copy has, under the original labels."""
    return {split: whole.split(split) for split, usage in USAGES.items() if (whole.usage == usage).any()}


def all_splits(path: Path, size: int = 48, storage: Storage | None = None) -> dict[str, ReadyFaces]:
    """Every split of whatever data set lies there, under its own labels.

    Raises:
        DatasetError: as ``read_any``.
    """
    whole = read_any(path, size, storage)
    return whole.splits if isinstance(whole, PictureFiles) else ready_splits(whole)
