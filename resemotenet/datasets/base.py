"""What every reader gives: faces with their labels, in memory or read when they are asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from ..emotions import EMOTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS = ("train", "validation", "test")

BLOCK = 2048
"""Faces that are looked at together where all are, one after the other."""


class FaceSource(Protocol):
    """Faces of one split under one label definition, wherever their pixels are: see ``FaceSet``, ``FaceFiles`` and
    ``PreparedFaces``."""

    @property
    def name(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def targets(self) -> "NDArray[np.int64]": ...
    @property
    def distribution(self) -> "NDArray[np.float32]": ...
    @property
    def ids(self) -> "NDArray[np.str_]": ...

    def __len__(self) -> int: ...

    def where(self, keep: "NDArray[np.bool_]") -> Self: ...

    def counts(self) -> dict[str, int]: ...

    def read(self, rows: "NDArray[np.int64]", size: int) -> "NDArray[np.uint8]":
        """The pixels of some faces, as the network sees them but for the normalisation.

        Args:
            rows: (n,) which faces, in any order.
            size: side of the result.

        Returns:
            (n, 1, size, size) uint8 grey: ``Preprocess.resize`` of each, rounded to whole levels.

        Raises:
            DatasetFormatError: a picture cannot be read; names it.
        """


class ReadyFaces(FaceSource, Protocol):
    """Faces whose pixels need no decoding: in memory (``FaceSet``) or in a prepared file (``PreparedFaces``)."""

    def pixels(self, rows: "NDArray[np.int64]") -> "NDArray[np.uint8]":
        """(n, 1, H, W) uint8 grey of some faces, as they are held."""

    def blocks(self) -> "Iterator[NDArray[np.uint8]]":
        """The pixels of all faces in their order, some at a time; in memory need not be more than one block."""


@dataclass(frozen=True)
class FaceSet:
    """Faces of one split under one label definition.

    Attributes:
        name: data set and label definition, for example "ferplus-strict"; names prediction files.
        split: "train", "validation" or "test".
        images: (N, 1, H, W) uint8 grey.
        targets: (N,) int64 into the canonical emotions.
        distribution: (N, 7) float32, rows sum to 1: what training aims at. One-hot unless annotators voted.
        ids: (N,) str, unique within the data set and the same under every label definition.
    """

    name: str
    split: str
    images: "NDArray[np.uint8]"
    targets: "NDArray[np.int64]"
    distribution: "NDArray[np.float32]"
    ids: "NDArray[np.str_]"

    def __len__(self) -> int:
        return len(self.targets)

    def where(self, keep: "NDArray[np.bool_]") -> "FaceSet":
        """The faces for which ``keep`` (N,) is true."""
        return replace(
            self,
            images=self.images[keep],
            targets=self.targets[keep],
            distribution=self.distribution[keep],
            ids=self.ids[keep],
        )

    def counts(self) -> dict[str, int]:
        """Faces per emotion."""
        return count_emotions(self.targets)

    def pixels(self, rows: "NDArray[np.int64]") -> "NDArray[np.uint8]":
        """See ``ReadyFaces.pixels``."""
        return self.images[rows]

    def blocks(self) -> "Iterator[NDArray[np.uint8]]":
        """See ``ReadyFaces.blocks``."""
        for start in range(0, len(self), BLOCK):
            yield self.images[start : start + BLOCK]

    def read(self, rows: "NDArray[np.int64]", size: int) -> "NDArray[np.uint8]":
        """See ``FaceSource.read``."""
        images = self.images[rows]
        if images.shape[-2:] == (size, size):
            return images
        import torch

        from ..checkpoints.preprocessing import Preprocess

        levels = Preprocess(size=size).resize(torch.from_numpy(images)).round().clamp(0, 255)
        resized: NDArray[np.uint8] = levels.to(torch.uint8).numpy()
        return resized


def count_emotions(targets: "NDArray[np.int64]") -> dict[str, int]:
    """How often each emotion is among canonical indices (N,)."""
    numbers = np.bincount(targets, minlength=len(EMOTIONS))
    return {emotion: int(n) for emotion, n in zip(EMOTIONS, numbers, strict=True)}
