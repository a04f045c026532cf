"""Faces that stay in their files until they are read."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from ..emotions import EMOTIONS
from ..errors import DatasetFormatError, ImageError
from .base import FaceSet, count_emotions

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_TOGETHER, _PIXELS_TOGETHER = 16, 2_000_000
"""So many pictures, or pixels if they are large, are opened and then resized together; more take more memory only."""
_NAMED = 5
"""So many broken pictures an error names; it counts them all."""


@dataclass(frozen=True)
class FaceFiles:
    """Faces of one split, one row each; ``read`` opens the files of the rows it is asked for and keeps nothing.

    Pickles small enough to be handed to worker processes.

    Attributes:
        name: the label definition, as in ``FaceSet``.
        split: "train", "validation" or "test".
        root: what ``files`` are relative to.
        files: (N,) str with forward slashes.
        targets: (N,) int64 into the canonical emotions.
        ids: (N,) str, unique within the data set.
        groups: (N,) str: what must not straddle splits: the source picture, the subject, or the face's own id.
        boxes: (N, 4) int64: left, top, right, bottom edge in px of the upright picture; None: the whole picture.
    """

    name: str
    split: str
    root: Path
    files: "NDArray[np.str_]"
    targets: "NDArray[np.int64]"
    ids: "NDArray[np.str_]"
    groups: "NDArray[np.str_]"
    boxes: "NDArray[np.int64] | None" = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def distribution(self) -> "NDArray[np.float32]":
        """(N, 7), one-hot."""
        return np.eye(len(EMOTIONS), dtype=np.float32)[self.targets]

    def where(self, keep: "NDArray[np.bool_] | slice") -> Self:
        """The faces for which ``keep`` (N,) is true, or those of a slice."""
        return replace(
            self,
            files=self.files[keep],
            targets=self.targets[keep],
            ids=self.ids[keep],
            groups=self.groups[keep],
            boxes=None if self.boxes is None else self.boxes[keep],
        )

    def counts(self) -> dict[str, int]:
        """Faces per emotion."""
        return count_emotions(self.targets)

    def source(self, row: int) -> str | bytes:
        """The picture that a face is in: the path of its file, or what such a file holds."""
        return os.path.join(self.root, self.files[row])  # Path's own "/" takes ten times as long

    def place(self, row: int) -> str:
        """What errors call the picture: file and id."""
        return f"{os.path.join(self.root, self.files[row])} (id {self.ids[row]})"

    def crop(self, row: int) -> "Image.Image":
        """One face as it lies in its file: PIL, mode RGB, of any size. What ``EmotionPredictor.classify`` takes.

        Raises:
            DatasetFormatError: the picture cannot be read, or the box lies outside of it; names file and id.
        """
        from ..reading.images import read_image

        place = self.place(row)
        try:
            picture = read_image(self.source(row), name=place)
        except ImageError as error:
            raise DatasetFormatError(str(error)) from error
        if self.boxes is None:
            return picture
        left, top, right, bottom = (int(edge) for edge in self.boxes[row])
        inside = (max(left, 0), max(top, 0), min(right, picture.width), min(bottom, picture.height))
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            raise DatasetFormatError(
                f"{place}: the face's box, left {left}, top {top}, right {right}, bottom {bottom}, holds no pixel of "
                f"the picture, which is {picture.width}x{picture.height}"
            )
        return picture.crop(inside)

    def read(self, rows: "NDArray[np.int64]", size: int) -> "NDArray[np.uint8]":
        """See ``FaceSource.read``. By the evaluation transform itself, so at most half a grey level from what the
        predictor makes of the same crop; not rounded would take four times the memory."""
        images, broken = self.read_whole(rows, size)
        if broken:
            raise DatasetFormatError(next(iter(broken.values())))
        return images

    def read_whole(self, rows: "NDArray[np.int64]", size: int) -> "tuple[NDArray[np.uint8], dict[int, str]]":
        """``read``, but of those faces that can be read.

        Returns:
            (n, 1, size, size), zero where nothing could be read; and place in ``rows`` -> what is wrong there.
        """
        from ..checkpoints.preprocessing import Preprocess

        looks = Preprocess(size=size).looks
        images, broken = np.zeros((len(rows), 1, size, size), np.uint8), {}
        crops: dict[int, Image.Image] = {}
        pixels = 0
        for place, row in enumerate(rows.tolist()):
            try:
                crops[place] = crop = self.crop(row)
                pixels += crop.width * crop.height
            except DatasetFormatError as error:
                broken[place] = str(error)
            if len(crops) == _TOGETHER or pixels > _PIXELS_TOGETHER or place == len(rows) - 1:
                images[list(crops)] = looks(list(crops.values()))
                crops, pixels = {}, 0
        return images, broken

    def into_memory(self, size: int, *, skip_broken: bool = False) -> tuple[FaceSet, tuple[str, ...]]:
        """Read every face, with a progress bar where there is a terminal.

        Args:
            size: side of the images kept.
            skip_broken: leave out pictures that cannot be read, instead of stopping.

        Returns:
            The faces, and a sentence for each that was left out.

        Raises:
            DatasetFormatError: pictures cannot be read; counts all, names the first. Or none can be.
        """
        from tqdm.auto import tqdm

        images = np.empty((len(self), 1, size, size), np.uint8)
        whole, broken = np.ones(len(self), bool), list[str]()
        with tqdm(total=len(self), desc=f"{self.name} {self.split}", unit="face", disable=None, leave=False) as bar:
            for rows in np.split(np.arange(len(self)), range(_TOGETHER, len(self), _TOGETHER)):
                images[rows], unreadable = self.read_whole(rows, size)
                whole[rows[list(unreadable)]] = False
                broken += unreadable.values()
                bar.update(len(rows))
        if broken and (not skip_broken or not whole.any()):
            raise DatasetFormatError(broken_in_words(broken, len(self)))
        kept = self
        if broken:  # or all would be held twice for a moment
            kept, images = self.where(whole), images[whole]
        return FaceSet(self.name, self.split, images, kept.targets, kept.distribution, kept.ids), tuple(broken)


def broken_in_words(broken: list[str], of: int) -> str:
    """How many of ``of`` pictures cannot be used, and the first of them."""
    more = f"; and {len(broken) - _NAMED:,} more" if len(broken) > _NAMED else ""
    return (
        f"{len(broken):,} of {of:,} pictures cannot be used: {'; '.join(broken[:_NAMED])}{more}. Copy them again, or "
        "leave them out with --skip-broken (train: --dataset.skip-broken)"
    )
