"""Faces in a prepared file: the pixels of picture files, read once, as they go into training.

The file is all pixels and nothing else, (N, 1, size, size) uint8: a batch reads its own faces and no others, and the
operating system keeps what is used often. ``training.preparing`` makes it.
"""

import os
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DatasetFormatError
from .base import BLOCK, FaceSet
from .face_files import FaceFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PixelFile:
    """N pictures of one size in one file, for reading, by several threads too.

    Read, not mapped, though both share what the operating system keeps of the file. A mapping is faster (1,500,000
    random faces of 64x64 a second and core against 400,000; 220,000 of 224x224 against 85,000), but either is far more
    than training takes. A plain mapping reads 781 MiB of a cold disk for 20 MiB of faces; one that is told to expect no
    order (MADV_RANDOM) reads 20, as here. The pages of either count as the process's memory, which so seems to grow to
    the size of the file, though the system can take them back. And a disk that fails, or a file cut short, ends the
    process without a word, where reading raises an error.

    Args:
        path: nothing but the pixels.
        n: how many.
        size: of a side.

    Raises:
        DatasetFormatError: the file is not as long as so many pictures are.
    """

    def __init__(self, path: Path, n: int, size: int) -> None:
        self.path, self.size, self._n = path, size, n
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._file)
        self._turn = threading.Lock()
        length = os.fstat(self._file).st_size
        if length != n * size * size:
            raise DatasetFormatError(
                f"{path} has {length:,} bytes, {n:,} faces of {size}x{size} have {n * size * size:,}; delete the "
                "folder that it lies in, and it is made again"
            )

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, rows: "NDArray[np.int64]") -> "NDArray[np.uint8]":
        """Pictures in any order, (n, 1, size, size); those that follow each other are read in one go.

        Raises:
            DatasetFormatError: the file has become shorter.
        """
        images = np.empty((len(rows), 1, self.size, self.size), np.uint8)
        each = self.size * self.size
        cuts = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        for start, stop in pairwise(cuts):
            if start < stop:
                self._fill(images[start:stop].reshape(-1).data, int(rows[start]) * each)
        return images

    def _fill(self, rest: memoryview, offset: int) -> None:
        """Read from there on; one call gives 2 GiB at most, which is less than a set may have."""
        while len(rest):
            n = self._read(rest, offset)
            if not n:
                raise DatasetFormatError(f"{self.path} ends within the faces; it was changed while it was read")
            rest, offset = rest[n:], offset + n

    def _read(self, into: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file, [into], offset)
        with self._turn:
            os.lseek(self._file, offset, os.SEEK_SET)
            content = os.read(self._file, len(into))
        into[: len(content)] = content
        return len(content)


@dataclass(frozen=True)
class PreparedFaces:
    """Faces of one split; labels are in memory, pixels in a prepared file.

    Attributes:
        pixel_file: holds these faces, and perhaps others.
        rows: (N,) int64, where in it each face is.
        files: (N,) the same faces as they were before.
    """

    pixel_file: PixelFile
    rows: "NDArray[np.int64]"
    files: FaceFiles

    @property
    def name(self) -> str:
        return self.files.name

    @property
    def split(self) -> str:
        return self.files.split

    @property
    def targets(self) -> "NDArray[np.int64]":
        return self.files.targets

    @cached_property
    def distribution(self) -> "NDArray[np.float32]":
        """(N, 7), one-hot."""
        return self.files.distribution

    @property
    def ids(self) -> "NDArray[np.str_]":
        return self.files.ids

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, keep: "NDArray[np.bool_]") -> "PreparedFaces":
        """The faces for which ``keep`` (N,) is true; no pixel is read."""
        return replace(self, rows=self.rows[keep], files=self.files.where(keep))

    def counts(self) -> dict[str, int]:
        """Faces per emotion."""
        return self.files.counts()

    def pixels(self, rows: "NDArray[np.int64]") -> "NDArray[np.uint8]":
        """See ``ReadyFaces.pixels``."""
        return self.pixel_file[self.rows[rows]]

    def blocks(self) -> "Iterator[NDArray[np.uint8]]":
        """See ``ReadyFaces.blocks``."""
        for start in range(0, len(self), BLOCK):
            yield self.pixel_file[self.rows[start : start + BLOCK]]

    def read(self, rows: "NDArray[np.int64]", size: int) -> "NDArray[np.uint8]":
        """See ``FaceSource.read``. Of another size than they are prepared for, they come from the pictures again."""
        return self.pixels(rows) if size == self.pixel_file.size else self.files.read(rows, size)

    def into_memory(self) -> FaceSet:
        """All of them."""
        images = self.pixels(np.arange(len(self)))
        return FaceSet(self.name, self.split, images, self.targets, self.distribution, self.ids)
