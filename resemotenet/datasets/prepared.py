"""Faces in a prepared file: the pixels of picture files, read once, as they go into training.

The file is all pixels and nothing else, (N, 1, size, size) uint8: a batch reads its own faces and no others, and the
operating system keeps what is used often. ``training.preparing`` makes it.
"""

import io
import os
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from ..errors import DatasetFormatError
from .base import BLOCK
from .face_files import FaceFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PixelFile:
    """N pictures of one size in one file, for reading, by several threads too.

    Read, not mapped, though a mapping takes as many lines and gives 2.7 million random faces of 64x64 a second and
    core where this gives 0.8 million: a disk that fails, or a file cut short, ends a process that maps it without a
    word; mapped pages count as the process's memory, which so seems to grow to the size of the file; and a plain
    mapping reads 781 MiB of a cold disk for 20 MiB of faces.

    Args:
        path: nothing but the pixels.
        n: how many.
        size: of a side.

    Raises:
        DatasetFormatError: the file is not as long as so many pictures are.
    """

    def __init__(self, path: Path, n: int, size: int) -> None:
        self.path, self.size = path, size
        # Faces are larger than the buffer, so that they are read into their place and nothing else is.
        self._file = io.BufferedReader(io.FileIO(path), size)
        weakref.finalize(self, self._file.close)
        self._one_at_a_time = threading.Lock()
        length = os.fstat(self._file.fileno()).st_size
        if length != n * size * size:
            raise DatasetFormatError(
                f"{path} has {length:,} bytes, {n:,} faces of {size}x{size} have {n * size * size:,}; delete the "
                "folder that it lies in, and it is made again"
            )

    def __getitem__(self, rows: "NDArray[np.int64]") -> "NDArray[np.uint8]":
        """Pictures in any order, (n, 1, size, size).

        Raises:
            DatasetFormatError: the file has become shorter.
        """
        images = np.empty((len(rows), 1, self.size, self.size), np.uint8)
        with self._one_at_a_time:
            for image, row in zip(images, rows.tolist(), strict=True):
                self._file.seek(row * image.size)
                if self._file.readinto(image.data) != image.size:
                    raise DatasetFormatError(f"{self.path} ends within the faces; it was changed while it was read")
        return images


@dataclass(frozen=True, kw_only=True)
class PreparedFaces(FaceFiles):
    """Faces whose pixels were read at one size and lie in a prepared file; labels are in memory.

    Attributes:
        pixel_file: holds these faces, and perhaps others.
        rows: (N,) int64, where in it each face is.
    """

    pixel_file: PixelFile
    rows: "NDArray[np.int64]"

    def where(self, keep: "NDArray[np.bool_] | slice") -> Self:
        """See ``FaceFiles.where``; no pixel is read."""
        return replace(super().where(keep), rows=self.rows[keep])

    def pixels(self, rows: "NDArray[np.int64]") -> "NDArray[np.uint8]":
        """See ``ReadyFaces.pixels``."""
        return self.pixel_file[self.rows[rows]]

    def blocks(self) -> "Iterator[NDArray[np.uint8]]":
        """See ``ReadyFaces.blocks``."""
        for start in range(0, len(self), BLOCK):
            yield self.pixel_file[self.rows[start : start + BLOCK]]

    def read_whole(self, rows: "NDArray[np.int64]", size: int) -> "tuple[NDArray[np.uint8], dict[int, str]]":
        """See ``FaceFiles.read_whole``. Of another size than they are prepared for, they come from the pictures."""
        return (self.pixels(rows), {}) if size == self.pixel_file.size else super().read_whole(rows, size)
