"""Picture files read once, by as many processes as there are cores, into one file of pixels (a prepared cache).

Below the cache's folder, ``pixels/<set>-<split>-<size>px-<place>/`` has a folder named after what was read: a hash over
the names, lengths and times of change of all files, the faces' boxes, and what decoded them. So a set of which any file
was changed, added or removed is prepared anew, and what was made of it before goes. While it is made the folder's name
ends in ".part"; pixels are written in the order of the faces, and about.json says how many of them lie on the disk for
good, so that after a stop of any kind only the others are read. The folder gets its name last.

One process at a time makes or opens a set; others wait. The lock ends with its process, however that ends.
"""

import hashlib
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import PIL
import torch
from tqdm.auto import tqdm

from resemotenet.datasets import FaceFiles, PixelFile, PreparedFaces
from resemotenet.datasets.face_files import broken_in_words
from resemotenet.errors import DatasetFormatError, ResEmoteNetError, TrainingError
from resemotenet.runs.results import read_json, write_json

from .ahead import ahead
from .locks import hold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Block: TypeAlias = tuple[int, NDArray[np.uint8], dict[int, str]]
    """First row of faces that follow each other, their pixels, and row -> what is wrong with its picture."""

VERSION = 1
"""Of what ``FaceFiles.read`` makes of a picture: one more whenever it gives other pixels."""

ENVIRONMENT = "RESEMOTENET_CACHE"
BLOCK = 256
"""Faces that are read and written together."""
_PIXELS, _ABOUT = "pixels.uint8", "about.json"
_SAVED_EVERY = 2.0  # seconds
_WORTH_PROCESSES = 4_000  # faces from which on starting processes, seconds each, pays
_ELSEWHERE = f"name another place with --cache or {ENVIRONMENT}"


def cache_folder(given: Path | None = None) -> Path:
    """Where prepared pictures lie: as given, as the environment says, or in the user's own cache."""
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "resemotenet"
    return (given or Path(os.environ.get(ENVIRONMENT, own))).expanduser()


def prepare(
    faces: FaceFiles, size: int, cache: Path, *, skip_broken: bool = False, workers: int | None = None
) -> tuple[PreparedFaces, tuple[str, ...]]:
    """Read every picture at this size into a file, or open the file if that was done before.

    Args:
        cache: a folder outside of the data set's.
        skip_broken: leave out pictures that cannot be read, instead of stopping.
        workers: processes that read; as many as there are cores unless given, none for small sets.

    Returns:
        The faces, and a sentence for each that was left out.

    Raises:
        DatasetFormatError: pictures cannot be read; counts all, names the first. Or none can be.
        TrainingError: the cache cannot lie there, or not on that disk.
    """
    if cache.absolute().resolve().is_relative_to(faces.root.absolute().resolve()):
        raise TrainingError(f"the cache {cache} lies in the data set's folder {faces.root}; {_ELSEWHERE}")
    making = _Making(faces, size, cache)
    with making.alone():
        if not making.folder.is_dir():
            making.make(workers, skip_broken)
        making.remove_others()
        broken = {int(row): said for row, said in read_json(making.folder / _ABOUT)["broken"].items()}
        pixels = PixelFile(making.folder / _PIXELS, len(faces), size)
    _check_broken(broken, len(faces), skip_broken)
    whole = np.ones(len(faces), bool)
    whole[list(broken)] = False
    ready = PreparedFaces(**vars(faces), pixel_file=pixels, rows=np.arange(len(faces)))
    return ready.where(whole), tuple(broken.values())


class _Making:
    """Prepared pictures of one split at one size.

    Attributes:
        above: the split's folder at this size, whatever its files are at the moment.
        folder: of these files; exists once it is whole, and is ``part`` before.
    """

    def __init__(self, faces: FaceFiles, size: int, cache: Path) -> None:
        self.faces, self.size = faces, size
        root = hashlib.sha256(os.fsencode(faces.root.absolute().resolve())).hexdigest()[:8]
        self.above = cache / "pixels" / f"{faces.name}-{faces.split}-{size}px-{root}"
        self.folder = self.above / listing_hash(faces, size)[:16]
        self.part = self.folder.with_name(f"{self.folder.name}.part")
        self.bytes = len(faces) * size * size
        self.needs = f"prepared pictures, {self.bytes / 2**20:,.1f} MiB, cannot be kept in {self.above}"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock; whatever the disk refuses becomes one sentence."""
        try:
            self.above.mkdir(parents=True, exist_ok=True)
            with hold(self.above / "lock", waiting=f"waits for another process that prepares {self.above.name}"):
                yield
        except OSError as error:
            if isinstance(error, ResEmoteNetError):
                raise
            raise TrainingError(f"{self.needs}: {error.strerror or error}; {_ELSEWHERE}") from error

    def make(self, workers: int | None, skip_broken: bool) -> None:
        """Go on with what is there, if anything; then give the folder its name."""
        if not (self.part / _ABOUT).is_file():
            shutil.rmtree(self.part, ignore_errors=True)
            self.remove_others()  # their room may be needed
            self.part.mkdir()
            _reserve(self.part / _PIXELS, self.bytes, self.needs)
            self._note(0, {})
        about = read_json(self.part / _ABOUT)
        print(
            f"{self.faces.name}: prepares {len(self.faces):,} {self.faces.split} faces at {self.size}x{self.size} px "
            f"in {self.folder}, {self.bytes / 2**20:,.1f} MiB"
            + (f"; {about['faces']:,} are there already" if about["faces"] else ""),
            file=sys.stderr,
        )
        broken = self._fill(about["faces"], {int(row): said for row, said in about["broken"].items()}, workers)
        _check_broken(broken, len(self.faces), skip_broken)
        if listing_hash(self.faces, self.size)[:16] != self.folder.name:
            raise TrainingError(f"pictures in {self.faces.root} were changed while they were read; start again")
        self.part.rename(self.folder)

    def _fill(self, done: int, broken: dict[int, str], workers: int | None) -> dict[int, str]:
        """Read the faces that are not there, and once more the blocks of the broken ones; which are broken now."""
        again, n = {row // BLOCK * BLOCK for row in broken}, len(self.faces)
        starts = [start for start in range(0, n, BLOCK) if start in again or min(start + BLOCK, n) > done]
        saved = time.monotonic()
        bar = tqdm(total=n, desc=f"{self.faces.name} {self.faces.split}", unit="face", disable=None, leave=False)
        with bar, (self.part / _PIXELS).open("r+b") as pixels:
            bar.update(n - sum(min(BLOCK, n - start) for start in starts))
            for start, images, unreadable in read_blocks(self.faces, starts, self.size, workers):
                # Not through a mapping: a full disk would end the process instead of raising an error.
                pixels.seek(start * self.size**2)
                pixels.write(images.data)
                stop = start + len(images)
                broken = {row: said for row, said in broken.items() if not start <= row < stop} | unreadable
                done = max(done, stop)
                bar.update(len(images))
                if time.monotonic() - saved > _SAVED_EVERY or start == starts[-1]:
                    pixels.flush()
                    os.fsync(pixels.fileno())  # before about.json says that they are there
                    self._note(done, broken)
                    saved = time.monotonic()
        assert done == n
        return dict(sorted(broken.items()))

    def _note(self, done: int, broken: dict[int, str]) -> None:
        about: dict[str, Any] = {"faces": done, "size": self.size, "bytes": self.bytes}
        write_json(self.part / _ABOUT, {**about, "broken": dict(sorted(broken.items()))})

    def remove_others(self) -> None:
        """What was prepared of files that have changed since; who still reads it goes on doing so."""
        for other in self.above.iterdir():
            if other.is_dir() and other not in (self.folder, self.part):
                shutil.rmtree(other, ignore_errors=True)


def listing_hash(faces: FaceFiles, size: int) -> str:
    """Another one whenever a file was changed, added or removed, or something else that the pixels depend on."""
    digest = hashlib.sha256(f"{VERSION} {size} {PIL.__version__} {torch.__version__} {len(faces)}\n".encode())
    for file in faces.files.tolist():
        try:
            state = os.stat(os.path.join(faces.root, file))
        except OSError:  # reading it says what is wrong
            digest.update(f"{file} none\n".encode())
        else:
            digest.update(f"{file} {state.st_size} {state.st_mtime_ns}\n".encode())
    if faces.boxes is not None:
        digest.update(faces.boxes.astype("<i8").tobytes())
    return digest.hexdigest()


def _reserve(path: Path, length: int, needs: str) -> None:
    """Take the room now: a disk that is too small says so before an hour of reading.

    Raises:
        OSError: it is too small.
    """
    free = shutil.disk_usage(path.parent).free
    if free < length:
        raise TrainingError(f"{needs}, and {free / 2**20:,.0f} MiB are free there; {_ELSEWHERE}")
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate") and length:
            os.posix_fallocate(file.fileno(), 0, length)


def _check_broken(broken: dict[int, str], of: int, skip: bool) -> None:
    if broken and (not skip or len(broken) == of):
        raise DatasetFormatError(broken_in_words(list(broken.values()), of))


def read_block(item: tuple[int, FaceFiles, int]) -> "Block":
    """The faces that begin at a row, at a size."""
    start, faces, size = item
    images, broken = faces.read_whole(np.arange(len(faces)), size)
    return start, images, {start + place: said for place, said in broken.items()}


def read_blocks(faces: FaceFiles, starts: list[int], size: int, workers: int | None = None) -> "Iterator[Block]":
    """Read the blocks that begin there, in that order.

    However large the set, no process is sent all its names, and one block a process waits to be taken.

    Args:
        workers: processes; None: as many as cores, for few faces none.

    Raises:
        TrainingError: a process died.
    """
    if workers is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = cores if len(starts) * BLOCK >= _WORTH_PROCESSES else 0
    items = ((start, faces.where(slice(start, start + BLOCK)), size) for start in starts)
    if not workers:
        yield from map(read_block, items)
        return
    # Not by fork: the threads of torch do not survive it.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        yield from (block for _, block in ahead(read_block, items, depth=2 * workers, pool=pool))
    except BrokenProcessPool as error:
        raise TrainingError(
            "a process that read pictures was ended from outside, perhaps for want of memory; start again, and it goes "
            "on from there"
        ) from error


def _start_worker() -> None:
    """One thread each; and none outlives the process that started it, even if that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started them ends them
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
