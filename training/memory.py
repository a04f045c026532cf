"""How much memory this process may take: the machine's, or less in a container or a batch job with a limit."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_UNKNOWN = 4 * 2**30  # of a machine that does not tell


def usable_memory(system: Path = Path("/")) -> int:
    """Bytes that the machine has, or those that its system allows this process, whichever is less.

    Args:
        system: where proc/ and sys/ are.
    """
    return min([_of_machine(), *_limits(system)])


def _of_machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else _UNKNOWN


def _limits(system: Path) -> Iterator[int]:
    """Of the control groups that the process is in and of those around them, of version 2 and of version 1.

    A container may see the path that its group has outside, of which it has only the end; so every part is tried.
    """
    for line in _text(system / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount, name = system / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            mount, name = system / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        for each in (group, *group.parents):
            limit = _text(mount / each / name).strip()
            if limit.isdigit():  # "max" is none
                yield int(limit)


def _text(path: Path) -> str:
    """Empty where there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
