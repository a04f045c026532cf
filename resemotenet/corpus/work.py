"""Pictures and films read by several threads at once, and handed over piece by piece.

Threads, since the networks, Pillow and PyAV all let go of the interpreter while they compute: the model is in memory
once, and nothing is left behind by a process that is killed.
"""

import ctypes
import sys
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ImageError, VideoError
from ..reading.following import Memory, Moment, quick_finder, watch
from ..reading.saving import save_annotated, writable_name
from .journal import NO_FACE, NOT_DRAWN, Outcome, Row, Task, broken

if TYPE_CHECKING:
    from ..reading.predictor import EmotionPredictor
    from ..reading.reading import Reading

# Frames of a film that are handed over at once.
_PIECE = 50
# Of glibc's mallopt: when memory goes back to the system, and from which size on it comes from there directly.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class Work:
    """How members are read.

    Attributes:
        predictor: its detector does not spread a picture over the cores, since several come at once.
        every: seconds between two readings of a film; None reads every frame.
        rate: pictures a second of a sequence.
        annotated: the folder for annotated pictures, or None.
    """

    predictor: "EmotionPredictor"
    every: float | None
    rate: float
    annotated: Path | None = None

    def read(self, task: Task) -> Iterator[Outcome]:
        """What one member gives; anything that is wrong with it is a row."""
        if task.member.kind == "picture":
            yield self._picture(task)
        else:
            yield from self._film(task)

    def _picture(self, task: Task) -> Outcome:
        try:
            reading = self.predictor.read(task.member.open())
        except ImageError as error:
            return Outcome(task.id, 1, missed=[broken(str(error))])
        except MemoryError:
            message = f"{task.member.name}: there is not enough memory for this picture; scale it down"
            return Outcome(task.id, 1, missed=[broken(message)])
        faces, missed = rows_of(reading)
        if self.annotated is not None:
            try:
                save_annotated(reading, writable_name(self.annotated / task.target))
            except ImageError as error:
                missed.append({"reason": NOT_DRAWN, "message": str(error)})
        return Outcome(task.id, 1, faces, missed)

    def _film(self, task: Task) -> Iterator[Outcome]:
        last, memory = task.after, Memory.from_dict(task.memory)
        faces: list[Row] = []
        missed: list[Row] = []
        count = 0
        try:
            frames = task.member.frames(self.every, task.after, self.rate)
            for moment in watch(self.predictor, frames, finder=quick_finder(), memory=memory):
                found, none = moment_rows(moment)
                faces, missed, count = faces + found, missed + none, count + 1
                last, memory = moment.time, moment.memory
                if count == _PIECE:
                    yield Outcome(task.id, count, faces, missed, False, last, memory.to_dict())
                    faces, missed, count = [], [], 0
            complaint = frames.complaint
        except (ImageError, VideoError) as error:
            complaint = str(error)
        if complaint is not None:
            missed.append(broken(complaint, last))
        yield Outcome(task.id, count, faces, missed)


def settle() -> None:
    """Make this process one that reads pictures by the thousand, on all cores at once.

    Each reader has a core, so torch's threads would only take it from another. And the 30 MB that a picture needs for a
    moment stay with the process: of the threads' memory glibc gives them back, and the system hands them out anew page
    by page, one thread after the other.
    """
    import torch

    torch.set_num_threads(1)
    if sys.platform == "linux" and (tune := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        tune(_MMAP_THRESHOLD, 32 * 2**20)
        tune(_TRIM_THRESHOLD, 512 * 2**20)


def rows_of(reading: "Reading") -> tuple[list[Row], list[Row]]:
    """Of one picture the rows of both tables."""
    faces = reading.rows()
    width, height = reading.picture.size
    return faces, [] if faces else [{"reason": NO_FACE, "width": width, "height": height}]


def moment_rows(moment: Moment) -> tuple[list[Row], list[Row]]:
    """Of one frame the same, with the time and who each face is."""
    faces, missed = rows_of(moment.reading)
    time = round(moment.time, 3)
    people = zip(faces, moment.people, strict=True)
    return [{"time": time, "person": person, **row} for row, person in people], [
        {"time": time, **row} for row in missed
    ]


def run(work: Work, tasks: Iterable[Task], workers: int) -> Generator[Outcome, None, None]:
    """What all tasks give, as it is ready. Closed early, it stops after what is under way.

    Two tasks a worker are under way, and a film is read on when its piece was taken: memory does not grow where the
    disk is slow.
    """
    waiting = iter(tasks)
    pending: dict[Future[Outcome], Iterator[Outcome]] = {}
    with ThreadPoolExecutor(workers, "readers") as threads:
        try:
            while True:
                for task in islice(waiting, 2 * workers - len(pending)):
                    steps = work.read(task)
                    pending[threads.submit(next, steps)] = steps
                if not pending:
                    return
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    steps = pending.pop(future)
                    outcome = future.result()
                    if not outcome.done:
                        pending[threads.submit(next, steps)] = steps
                    yield outcome
        finally:
            for future in pending:
                future.cancel()
