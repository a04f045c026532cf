"""Files that can be made to take any time or memory, opened in a process that can be ended.

A small file of many formats can ask for gigabytes or for hours: one enormous tile, a header of comments, a thousand
tags that name the same bytes. What the decoders do is theirs to decide; that it ends is decided here, by limits of
processor time and memory that the system keeps. The process is started when it is first needed (a third of a second)
and serves one file after the other; what it prints, as libtiff does, goes nowhere.
"""

import atexit
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, ClassVar

from PIL import Image

from ..errors import ImageError

# Seconds of processor time that a file may take before its size is known, and after that for each million pixels.
_SECONDS, _SECONDS_A_MILLION = 5, 0.25
# Seconds after which a file has failed that does not even use the processor, or where time cannot be limited.
_PATIENCE = 90.0
# Bytes beyond what the process has before the file: at first, and for each pixel (RGBA, a copy on white, the result).
_MEMORY, _MEMORY_A_PIXEL = 400_000_000, 24

_START = "import sys; sys.path[:0] = {path!r}; from resemotenet.reading.apart import serve; serve()"


def read_apart(source: Path | io.BytesIO, name: str) -> Image.Image:
    """What ``images.read_file`` gives for a file, found within limits.

    Raises:
        ImageError: as ``images.read_image``; or it takes too much time or memory.
    """
    worker = _Worker.free()
    try:
        answer, pixels = worker.ask(source, name)
    except (OSError, ValueError):  # it ended, by its limits or by ours
        worker.end()
        raise ImageError(f"{name}: it takes unusually much time or memory to open; save it again as JPEG") from None
    except BaseException:
        worker.end()
        raise
    worker.keep()
    if pixels is None:
        raise ImageError(answer["error"])
    return Image.frombytes("RGB", tuple(answer["size"]), pixels)


class _Worker:
    """The process, seen from here. One serves one thread at a time; those that wait are kept."""

    _kept: ClassVar[list["_Worker"]] = []
    _lock: ClassVar = threading.Lock()

    def __init__(self) -> None:
        command = [sys.executable, "-c", _START.format(path=sys.path)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    @classmethod
    def free(cls) -> "_Worker":
        with cls._lock:
            while cls._kept:
                worker = cls._kept.pop()
                if worker._process.poll() is None:
                    return worker
                worker.end()
        return cls()

    def keep(self) -> None:
        with self._lock:
            self._kept.append(self)

    def ask(self, source: Path | io.BytesIO, name: str) -> tuple[dict[str, Any], bytes | None]:
        """The answer, and the pixels if there are any.

        Raises:
            OSError, ValueError: the process ended.
        """
        data = None if isinstance(source, Path) else source.getbuffer()
        asked = {"name": name, "path": str(source.absolute()) if isinstance(source, Path) else None}
        late = threading.Timer(_PATIENCE, self._process.kill)
        late.daemon = True
        late.start()
        try:
            stdin, stdout = self._pipes()
            stdin.write(json.dumps({**asked, "length": 0 if data is None else len(data)}).encode() + b"\n")
            stdin.write(data or b"")
            stdin.flush()
            answer = json.loads(stdout.readline())
            if "error" in answer:
                return answer, None
            pixels = stdout.read(3 * answer["size"][0] * answer["size"][1])
            if len(pixels) != 3 * answer["size"][0] * answer["size"][1]:
                raise ValueError("the process ended while it answered")
            return answer, pixels
        finally:
            late.cancel()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in self._pipes():
            with suppress(OSError):  # what was not written can no longer be
                pipe.close()

    @classmethod
    def end_all(cls) -> None:
        with cls._lock:
            for worker in cls._kept:
                worker.end()
            cls._kept.clear()

    @classmethod
    def forget(cls) -> None:
        """In a process that was forked: the workers, and the lock, are those of its parent."""
        cls._lock = threading.Lock()
        cls._kept = []


atexit.register(_Worker.end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Worker.forget)


def serve() -> None:
    """The process itself: answers until nobody asks any more."""
    from .images import read_file

    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    allow = _limits()
    for line in stdin:
        asked = json.loads(line)
        content = io.BytesIO(stdin.read(asked["length"])) if asked["path"] is None else Path(asked["path"])
        answer: dict[str, Any]
        try:
            allow(0)
            image = read_file(content, asked["name"], before=lambda size: allow(size[0] * size[1]))
            answer, pixels = {"size": image.size}, image.tobytes()
            del image
        except MemoryError:
            answer, pixels = {"error": f"{asked['name']}: it takes unusually much memory; save it again as JPEG"}, b""
        except ImageError as error:
            answer, pixels = {"error": str(error)}, b""
        stdout.write(json.dumps(answer).encode() + b"\n" + pixels)
        stdout.flush()
        del pixels


def _limits() -> Callable[[int], None]:
    """Sets what a file of so many pixels may take from now on; nothing where the system limits nothing."""
    if sys.platform == "win32":
        return lambda pixels: None
    import resource

    held = _held()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def allow(pixels: int) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = used.ru_utime + used.ru_stime + _SECONDS + _SECONDS_A_MILLION * pixels / 1e6
        resource.setrlimit(resource.RLIMIT_CPU, (round(seconds + 1), resource.RLIM_INFINITY))
        if held is not None:
            resource.setrlimit(resource.RLIMIT_AS, (held + _MEMORY + _MEMORY_A_PIXEL * pixels, resource.RLIM_INFINITY))

    return allow


def _held() -> int | None:
    """Bytes of address space of this process; None where the system does not say, and then does not limit them."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
