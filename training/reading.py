"""Picture files read block by block into one file of pixels, by this process or by several others."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from resemotenet.datasets import FaceFiles
from resemotenet.errors import TrainingError

BLOCK = 256
"""Faces that are read, written and entered in the journal together."""
_WORTH_PROCESSES = 4_000
"""Faces from which on starting processes, seconds each, pays."""


@dataclass(frozen=True)
class Done:
    """A block that is in the file.

    Attributes:
        start: its first row.
        broken: row -> what is wrong with its picture; its pixels in the file mean nothing.
    """

    start: int
    broken: dict[int, str]


def read_blocks(faces: FaceFiles, size: int, file: Path, done: set[int], workers: int | None) -> Iterator[Done]:
    """Read all blocks but the done ones into the file, in any order, with a progress bar where there is a terminal.

    Args:
        file: as long as all faces are.
        done: first rows of blocks.
        workers: processes; None: as many as cores, for few faces none.

    Raises:
        OSError: the file cannot be written.
        TrainingError: a process died.
    """
    starts = [start for start in range(0, len(faces), BLOCK) if start not in done]
    if workers is None:
        workers = cores() if len(starts) * BLOCK >= _WORTH_PROCESSES else 0
    with tqdm(
        total=len(faces), initial=sum(_length(start, faces) for start in done), unit="face", disable=None, leave=False,
        desc=f"{faces.name} {faces.split}",
    ) as bar:  # fmt: skip
        blocks = ((start, faces.where(slice(start, start + BLOCK)), size, file) for start in starts)
        for each in _spread(blocks, workers) if workers else (read_block(*block) for block in blocks):
            yield each
            bar.update(_length(each.start, faces))


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_block(start: int, faces: FaceFiles, size: int, file: Path) -> Done:
    """Read these faces into the file, from row ``start`` on."""
    images, broken = faces.read_whole(np.arange(len(faces)), size)
    # Not through a mapping: a full disk would end the process instead of raising an error.
    with file.open("r+b") as out:
        out.seek(start * size * size)
        out.write(images.tobytes())
    return Done(start, {start + place: said for place, said in broken.items()})


def _spread(blocks: Iterator[tuple[int, FaceFiles, int, Path]], workers: int) -> Iterator[Done]:
    """Over processes, a few blocks waiting for each, so that memory does not grow with the set."""
    # Not by fork: the threads of torch do not survive it.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    waiting: set[Future[Done]] = set()
    try:
        for block in blocks:
            waiting.add(pool.submit(read_block, *block))
            if len(waiting) >= 4 * workers:
                ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (each.result() for each in ready)
        while waiting:
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (each.result() for each in ready)
    except BrokenProcessPool as error:
        raise TrainingError(
            "a process that read pictures was ended from outside, perhaps for want of memory; start again, and it goes "
            "on from there"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """One thread each; and none outlives the process that started it, even if that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started them ends them
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave() -> None:
        wait_for([parent.sentinel])
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def _length(start: int, faces: FaceFiles) -> int:
    return min(BLOCK, len(faces) - start)
