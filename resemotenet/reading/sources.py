"""What people name when they have many pictures: files, folders, zips, lists, videos, numbered pictures of a film.

Listed one by one, so that a hundred thousand need the memory of a folder; opened by whoever reads them.
"""

import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal, TextIO

from ..errors import ImageError, VideoError, in_words
from .images import SUFFIXES, Picture
from .video import VIDEO_SUFFIXES, Frame, Frames, Video

Kind = Literal["picture", "video", "sequence"]

STDIN = "-"
# Pictures a second of a sequence, unless the caller says otherwise.
SEQUENCE_RATE = 25.0
# Bytes of a file in a zip, unpacked; a small zip can hold any number of them.
MAX_UNPACKED = 512 * 2**20

_ZIP = ".zip"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_NUMBERS = re.compile(r"%0?(\d*)d")


@dataclass(frozen=True)
class Member:
    """One picture or one film of what was named.

    Attributes:
        name: what reports and tables call it, unlike any other: its path, of a picture in a zip ZIP/INSIDE.
        kind: "picture", "video", or "sequence": numbered pictures of a film, named as FOLDER/%05d.png.
        path: the file; of a sequence, the pattern.
        inside: the name in the zip that ``path`` is, else None.
        below: where its annotated copy goes in a folder of them: its path below the folder or zip that was named.
    """

    name: str
    kind: Kind
    path: str
    inside: str | None = None
    below: str = ""

    def open(self) -> Picture:
        """The picture.

        Raises:
            ImageError: it cannot be read.
        """
        assert self.kind == "picture"
        if self.inside is None:
            return Picture.open(self.path)
        return replace(Picture.open(_unpacked(self), name=self.name), path=self.name)

    def frames(self, every: float | None, after: float | None = None, rate: float = SEQUENCE_RATE) -> "FilmFrames":
        """The frames of a video or sequence (see ``Video.frames``).

        Args:
            rate: pictures a second of a sequence.

        Raises:
            VideoError: there is nothing to be opened.
        """
        if self.kind == "sequence":
            return SequenceFrames(self.path, rate, every, after)
        return Video.open(self.path).frames(every, after)

    def length(self, rate: float = SEQUENCE_RATE) -> float | None:
        """Seconds of a film; None where nobody knows without reading it. Errors as ``frames``."""
        return len(_numbered(self.path)) / rate if self.kind == "sequence" else Video.open(self.path).duration


@dataclass(frozen=True)
class Unreadable:
    """What was named and is not there, or cannot be looked into; ``message`` is one sentence that names it."""

    name: str
    message: str


class SequenceFrames:
    """An iterator of ``Frame`` over numbered pictures; those that cannot be read are left out and counted."""

    def __init__(self, pattern: str, rate: float, every: float | None, after: float | None) -> None:
        if not rate > 0:
            raise ValueError(f"the rate must be pictures a second, more than 0, got {rate}")
        self._pattern, self._broken = pattern, list[str]()
        self._chosen = self._choose(_numbered(pattern), rate, every, after)

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        return next(self._chosen)

    @property
    def complaint(self) -> str | None:
        """Once all frames were given: which could not be read, in one sentence; None if all could."""
        if not self._broken:
            return None
        named = "; ".join(self._broken[:3]) + ("; ..." if len(self._broken) > 3 else "")
        return f"{self._pattern}: {len(self._broken):,} picture{'s' * (len(self._broken) > 1)} left out ({named})"

    def _choose(
        self, files: list[tuple[int, Path]], rate: float, every: float | None, after: float | None
    ) -> Iterator[Frame]:
        first, last = files[0][0], None if after is None else _stretch(after, every)
        for number, path in files:
            time = (number - first) / rate
            if last is not None and _stretch(time, every) <= last:
                continue
            try:
                image = Picture.open(path).image
            except ImageError as error:
                self._broken.append(str(error))
                continue
            last = _stretch(time, every)
            yield Frame(time, image)


FilmFrames = Frames | SequenceFrames


def members(names: Iterable[str], *, films: bool = True, stdin: TextIO | None = None) -> Iterator[Member | Unreadable]:
    """All pictures and films that the names stand for, in a fixed order.

    Of a folder everything below it whose name ends like a picture's, a video's or a zip's, sorted folder by folder;
    links to folders are followed once, and hidden files and folders are left out. Of a zip its pictures.

    Args:
        names: paths; FOLDER/%05d.png for a film of numbered pictures; "-" for the lines of ``stdin``.
        films: whether videos in folders count; one that is named always does.
        stdin: where a list comes from.
    """
    for name in names:
        if name == STDIN and stdin is not None:
            yield from members((line.rstrip("\r\n") for line in stdin if line.strip()), films=films)
        else:
            yield from _named(name, films=films)


def is_address(name: str) -> bool:
    """Whether it names something on the net or in an object store, and no file here."""
    return _ADDRESS.match(name) is not None and not os.path.lexists(name)


def _named(name: str, *, films: bool) -> Iterator[Member | Unreadable]:
    if not name.strip() or "\0" in name:
        yield Unreadable(name, f"{name!r} names no file; expected a picture or a folder")
    elif is_address(name):
        yield Unreadable(name, f"{name}: an address, and nothing is fetched; save the picture and name it")
    elif os.path.isdir(name):
        found = False
        for each in _below(Path(name), films=films):
            found = True
            yield each
        if not found:
            yield Unreadable(name, f"{name}: no pictures in this folder")
    elif _NUMBERS.search(Path(name).name) and not os.path.lexists(name):
        yield Member(name, "sequence", name, below=_NUMBERS.sub("N", Path(name).stem) + ".mp4")
    else:
        yield from _file(Path(name), name, Path(name).name)


def _file(path: Path, name: str, below: str) -> Iterator[Member | Unreadable]:
    suffix = path.suffix.lower()
    if suffix == _ZIP and path.is_file():
        yield from _zipped(path, name, below)
    else:
        yield Member(name, "video" if suffix in VIDEO_SUFFIXES else "picture", str(path), below=below)


def _below(folder: Path, *, films: bool) -> Iterator[Member | Unreadable]:
    closed: list[OSError] = []
    wanted = SUFFIXES | VIDEO_SUFFIXES | {_ZIP} if films else SUFFIXES
    seen = {_identity(folder)}
    for parent, folders, files in os.walk(folder, onerror=closed.append, followlinks=True):
        folders[:] = [each for each in sorted(folders) if not each.startswith(".")]
        folders[:] = [each for each in folders if _first_time(Path(parent, each), seen)]
        for each in sorted(files):
            path = Path(parent, each)
            if not each.startswith(".") and path.suffix.lower() in wanted:
                yield from _file(path, str(path), path.relative_to(folder).as_posix())
        yield from _told(closed)
    yield from _told(closed)


def _told(closed: list[OSError]) -> Iterator[Unreadable]:
    while closed:
        error = closed.pop(0)
        reason = (error.strerror or "").lower()
        yield Unreadable(error.filename, f"{error.filename}: the folder cannot be read ({reason})")


def _first_time(folder: Path, seen: set[tuple[int, int]]) -> bool:
    identity = _identity(folder)
    new = identity not in seen
    seen.add(identity)
    return new


def _identity(folder: Path) -> tuple[int, int]:
    """What a folder is under whatever name; a link to nothing is like no other."""
    try:
        found = folder.stat()
    except OSError:
        return hash(str(folder)), -1
    return found.st_dev, found.st_ino


def _zipped(path: Path, name: str, below: str) -> Iterator[Member | Unreadable]:
    try:
        inside = [each.filename for each in _archive(*_version(path)).infolist() if not each.is_dir()]
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        yield Unreadable(name, f"{name}: the zip is damaged or cannot be opened ({_reason(error)})")
        return
    stem = PurePosixPath(below).with_suffix("").as_posix()
    for each in sorted(inside):
        parts = [part for part in PurePosixPath(each.replace("\\", "/")).parts if part not in ("/", "..")]
        suffix = PurePosixPath(each).suffix.lower()
        if any(part.startswith((".", "__MACOSX")) for part in parts):
            continue
        if suffix in SUFFIXES:
            yield Member(f"{name}/{each}", "picture", str(path), each, "/".join([stem, *parts]))
        elif suffix in VIDEO_SUFFIXES or suffix == _ZIP:
            what = "a zip" if suffix == _ZIP else "a video"
            yield Unreadable(f"{name}/{each}", f"{name}/{each}: {what} inside a zip is not opened; unpack it")


def _version(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns


@lru_cache(maxsize=2)
def _archive(path: str, size: int, changed: int) -> zipfile.ZipFile:
    """Kept open, since its list of contents is read each time it is opened; safe to read from several threads."""
    return zipfile.ZipFile(path)


def _unpacked(member: Member) -> bytes:
    assert member.inside is not None
    try:
        archive = _archive(*_version(Path(member.path)))
        info = archive.getinfo(member.inside)
        if info.flag_bits & 1:
            raise ImageError(f"{member.name}: protected by a password; unpack it")
        if info.file_size > MAX_UNPACKED:
            raise ImageError(f"{member.name}: more than {MAX_UNPACKED // 2**20} MB unpacked; scale it down")
        return archive.read(info)
    except ImageError:
        raise
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, KeyError) as error:
        raise ImageError(f"{member.name}: damaged in the zip ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return in_words(error) if isinstance(error, OSError) else " ".join(str(error).split()) or type(error).__name__


def _numbered(pattern: str) -> list[tuple[int, Path]]:
    """The files of a sequence by their numbers.

    Raises:
        VideoError: there are none.
    """
    path = Path(pattern)
    before, after = _NUMBERS.split(path.name, maxsplit=1)[0], _NUMBERS.split(path.name, maxsplit=1)[-1]
    name = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    try:
        found = [(match, each) for each in path.parent.iterdir() if (match := name.fullmatch(each.name))]
    except OSError as error:
        raise VideoError(in_words(error)) from error
    if not found:
        raise VideoError(f"{pattern}: no picture has such a name")
    return sorted((int(match[1]), each) for match, each in found)


def _stretch(time: float, every: float | None) -> float:
    """Which stretch of time a frame is in; the thousandth is for times that are rounded."""
    return time if every is None else float((time / every + 1e-3) // 1)
