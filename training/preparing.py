"""Picture files read once, by as many processes as there are cores, into one file of pixels (a prepared cache).

Below the cache's folder, ``pixels/<set>-<split>-<size>px-<place>/`` has a folder named after what was read: a hash over
the names, lengths and times of change of all files, the faces' boxes, and what decoded them. So a set of which any file
was changed, added or removed is prepared anew, and what was made of it before goes. While it is made the folder's name
ends in ".part"; in it a journal says which blocks lie on the disk for good, so that after a stop of any kind the others
are read only. Pixels are on the disk before the journal says so, and the folder gets its name last.

One process at a time makes or opens a set; others wait. The lock ends with its process, however that ends.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import PIL
import torch
from filelock import FileLock, Timeout

from resemotenet.datasets import FaceFiles, PixelFile, PreparedFaces
from resemotenet.datasets.face_files import broken_in_words
from resemotenet.errors import DatasetFormatError, ResEmoteNetError, TrainingError
from resemotenet.runs.results import read_json, write_json

from . import reading

VERSION = 1
"""Of what ``FaceFiles.read`` makes of a picture: one more whenever it gives other pixels."""

ENVIRONMENT = "RESEMOTENET_CACHE"
_PIXELS, _JOURNAL, _ABOUT = "pixels.uint8", "journal.jsonl", "about.json"
_KEPT_EVERY = 2.0  # seconds


def cache_folder(given: Path | None = None) -> Path:
    """Where prepared pictures lie: as given, as the environment says, or in the user's own cache."""
    if given is None and ENVIRONMENT in os.environ:
        given = Path(os.environ[ENVIRONMENT])
    if given is None:
        given = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "resemotenet"
    return given.expanduser()


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
    place = _Place.of(faces, size, cache)
    with _said_clearly(place):
        place.above.mkdir(parents=True, exist_ok=True)
        with _alone(place):
            if not (place.folder / _ABOUT).is_file():
                _make(place, faces, workers, skip_broken)
            _remove_others(place)
            about = read_json(place.folder / _ABOUT)
            pixels = PixelFile(place.folder / _PIXELS, len(faces), size)
    broken = {int(row): said for row, said in about["broken"].items()}
    if broken:
        _check_broken(broken, len(faces), skip_broken)
    whole = np.ones(len(faces), bool)
    whole[list(broken)] = False
    ready = PreparedFaces(pixels, np.arange(len(faces)), faces)
    return (ready.where(whole), tuple(broken.values())) if broken else (ready, ())


_ELSEWHERE = f"name another place with --cache or {ENVIRONMENT}"


@dataclass(frozen=True)
class _Place:
    """Where the prepared pictures of a split lie.

    Attributes:
        above: the folder of this split at this size, whatever its files are at the moment.
        folder: of these files; exists once it is whole.
        bytes: what the pixels take.
    """

    above: Path
    folder: Path
    bytes: int
    size: int

    @classmethod
    def of(cls, faces: FaceFiles, size: int, cache: Path) -> "_Place":
        root = hashlib.sha256(os.fsencode(faces.root.absolute().resolve())).hexdigest()[:8]
        above = cache / "pixels" / f"{faces.name}-{faces.split}-{size}px-{root}"
        return cls(above, above / listing_hash(faces, size)[:16], len(faces) * size * size, size)

    @property
    def part(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.part")


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


def _make(place: _Place, faces: FaceFiles, workers: int | None, skip_broken: bool) -> None:
    """Go on with what is there, if anything; then give the folder its name."""
    part = place.part
    if not (part / _PIXELS).is_file() or (part / _PIXELS).stat().st_size != place.bytes:
        shutil.rmtree(part, ignore_errors=True)
        _remove_others(place)  # their room may be needed
        part.mkdir()
        _reserve(part / _PIXELS, place)
    done = _journal(part / _JOURNAL)
    print(
        f"{faces.name}: prepares {len(faces):,} {faces.split} faces at {place.size}x{place.size} px in {place.folder}, "
        f"{place.bytes / 2**20:,.1f} MiB" + (f"; {len(done):,} blocks are there already" if done else ""),
        file=sys.stderr,
    )
    with (part / _PIXELS).open("r+b") as pixels, (part / _JOURNAL).open("a", encoding="utf-8") as journal:
        keeper = _Keeper(pixels.fileno(), journal)
        for each in reading.read_blocks(faces, place.size, part / _PIXELS, set(done), workers):
            done[each.start] = each.broken
            keeper.add(each)
        keeper.keep()
    broken = {row: said for start in sorted(done) for row, said in done[start].items()}
    if broken:
        _check_broken(broken, len(faces), skip_broken)
    if listing_hash(faces, place.size)[:16] != place.folder.name:
        raise TrainingError(f"pictures in {faces.root} were changed while they were read; start again")
    write_json(part / _ABOUT, {"faces": len(faces), "size": place.size, "bytes": place.bytes, "broken": broken})
    (part / _JOURNAL).unlink()
    part.rename(place.folder)


class _Keeper:
    """Writes to the journal what lies on the disk for good, every few seconds."""

    def __init__(self, pixels: int, journal: TextIO) -> None:
        self.pixels, self.journal, self.lines, self.last = pixels, journal, list[str](), time.monotonic()

    def add(self, done: reading.Done) -> None:
        self.lines.append(json.dumps({"start": done.start, "of": reading.BLOCK, "broken": done.broken}) + "\n")
        if time.monotonic() - self.last > _KEPT_EVERY:
            self.keep()

    def keep(self) -> None:
        os.fsync(self.pixels)  # of all that was written to the file, by whichever process
        self.journal.write("".join(self.lines))
        self.journal.flush()
        os.fsync(self.journal.fileno())
        self.lines, self.last = [], time.monotonic()


def _journal(path: Path) -> dict[int, dict[int, str]]:
    """The blocks that lie on the disk, by their first row; blocks with broken pictures are read again."""
    done: dict[int, dict[int, str]] = {}
    if not path.is_file():
        return done
    whole: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            break  # cut off in the middle
        if not entry["broken"] and entry["of"] == reading.BLOCK:
            done[entry["start"]] = {}
            whole.append(line + "\n")
    path.write_text("".join(whole), encoding="utf-8")
    return done


def _reserve(path: Path, place: _Place) -> None:
    """Take the room now: a disk that is too small says so before an hour of reading.

    Raises:
        OSError: it is too small.
    """
    free = shutil.disk_usage(path.parent).free
    if free < place.bytes:
        raise TrainingError(f"{_needs(place)}, and {free / 2**20:,.0f} MiB are free there; {_ELSEWHERE}")
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate") and place.bytes:
            os.posix_fallocate(file.fileno(), 0, place.bytes)
        file.truncate(place.bytes)


def _remove_others(place: _Place) -> None:
    """What was prepared of files that have changed since; who still reads it goes on doing so."""
    for other in place.above.iterdir():
        if other.is_dir() and other not in (place.folder, place.part):
            shutil.rmtree(other, ignore_errors=True)


@contextmanager
def _alone(place: _Place) -> Iterator[None]:
    lock = FileLock(place.above / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"waits for another process that prepares {place.above.name}", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _said_clearly(place: _Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, ResEmoteNetError):
            raise
        raise TrainingError(f"{_needs(place)}: {error.strerror or error}; {_ELSEWHERE}") from error


def _needs(place: _Place) -> str:
    return f"prepared pictures, {place.bytes / 2**20:,.1f} MiB, cannot be kept in {place.folder.parent}"


def _check_broken(broken: dict[int, str], of: int, skip: bool) -> None:
    if not skip or len(broken) == of:
        raise DatasetFormatError(broken_in_words(list(broken.values()), of))
