"""Prepares a data set in small blocks; run as a process, which may end itself by kill -9 on the way.

    python killed_preparing.py DATA CACHE WORKERS MOMENT

MOMENT: "never", "after 3" (blocks), or "in the middle of a block" (half of its pixels written).
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resemotenet.datasets import read_rafdb
from training import preparing, reading

SIZE = 40


def die() -> None:
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(blocks: int) -> None:
    original = reading.read_blocks

    def read_blocks(*arguments: Any) -> Iterator[reading.Done]:
        for number, done in enumerate(original(*arguments)):
            if number == blocks:
                die()
            yield done

    setattr(reading, "read_blocks", read_blocks)  # noqa: B010


def dying_in_a_block() -> None:
    original = reading.read_block

    def read_block(start: int, faces: Any, size: int, file: Path) -> reading.Done:
        if start == 2 * reading.BLOCK:
            with file.open("r+b") as out:
                out.seek(start * size * size)
                out.write(b"\x55" * (len(faces) * size * size // 2))
            die()
        return original(start, faces, size, file)

    setattr(reading, "read_block", read_block)  # noqa: B010


if __name__ == "__main__":
    data, cache, workers, moment = sys.argv[1:]
    reading.BLOCK, preparing._KEPT_EVERY = 4, 0
    if moment == "in the middle of a block":
        dying_in_a_block()
    elif moment != "never":
        dying_after(int(moment.split()[-1]))
    faces = read_rafdb(Path(data)).split("train")
    preparing.prepare(faces, SIZE, Path(cache), workers=int(workers))
