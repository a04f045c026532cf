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
from training import preparing

SIZE = 40


def die() -> None:
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(blocks: int) -> None:
    original = preparing.read_blocks

    def read_blocks(*arguments: Any) -> Iterator[Any]:
        for number, block in enumerate(original(*arguments)):
            if number == blocks:
                die()
            yield block

    setattr(preparing, "read_blocks", read_blocks)  # noqa: B010


def dying_in_a_block(cache: Path) -> None:
    original = preparing.read_blocks

    def read_blocks(*arguments: Any) -> Iterator[Any]:
        for start, images, broken in original(*arguments):
            if start == 2 * preparing.BLOCK:
                (path,) = cache.glob("pixels/*/*.part/pixels.uint8")
                with path.open("r+b") as out:
                    out.seek(start * SIZE * SIZE)
                    out.write(b"\x55" * (images.size // 2))
                die()
            yield start, images, broken

    setattr(preparing, "read_blocks", read_blocks)  # noqa: B010


if __name__ == "__main__":
    data, cache, workers, moment = sys.argv[1:]
    preparing.BLOCK, preparing._SAVED_EVERY = 4, 0
    if moment == "in the middle of a block":
        dying_in_a_block(Path(cache))
    elif moment != "never":
        dying_after(int(moment.split()[-1]))
    faces = read_rafdb(Path(data)).split("train")
    preparing.prepare(faces, SIZE, Path(cache), workers=int(workers))
