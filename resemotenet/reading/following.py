"""Faces of a video from one reading to the next: followed where they are, searched for now and then, told apart."""

import math
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from PIL import Image

from .faces import Box, Face, FaceDetector, suppress_overlaps
from .images import Picture
from .tracking import Track, TrackState, track

if TYPE_CHECKING:
    from .predictor import EmotionPredictor
    from .reading import Reading
    from .video import Frame

# Seconds between two searches of the whole frame while there are faces to follow.
SEARCH_EVERY = 1.0
# Seconds between two searches of the shadows while nobody is found: an empty room keeps its frame rate.
BACKLIT_EVERY = 0.5
# The longer side at which the frames of a video are searched: faces from 20 of 640 pixels on are found.
SEARCH_SIDE = 640
# Seconds for which a face of a video that cannot be seen stays who it is: somebody walked in front of it.
PERSON_MEMORY = 3.0
# How many frames are decoded before they are asked for, so that a core decodes while another one reads.
_AHEAD = 3

Item = TypeVar("Item")


class Follower(FaceDetector, Protocol):
    """A detector that can also search the shadows, and say where faces of a moment ago are now: ``MTCNNDetector``."""

    def detect_backlit(self, image: Image.Image) -> list[Face]: ...

    def follow(self, image: Image.Image, boxes: list[Box]) -> list[Face | None]: ...


@dataclass(frozen=True)
class Memory:
    """What is remembered between two readings of a video, so that it can be read in pieces.

    Attributes:
        state: of ``track``.
        searched: when the whole frame was searched last, in seconds.
        people: number in ``state`` -> person.
        count: how many people there were so far.
    """

    state: TrackState = field(default_factory=TrackState)
    searched: float = -math.inf
    people: dict[int, int] = field(default_factory=dict)
    count: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, and exact; before anything was read there is nothing to remember, and it is {}."""
        if self.state.time is None:
            return {}
        tracks = [asdict(each) for each in self.state.tracks]
        people = [[number, person] for number, person in self.people.items()]
        return {
            "time": self.state.time,
            "tracks": tracks,
            "searched": self.searched,
            "people": people,
            "count": self.count,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Memory":
        """Read back ``to_dict``, from ourselves; for what strangers send there is ``TrackState.from_dict``."""
        if not values:
            return cls()
        tracks = tuple(
            Track(**{**each, "box": tuple(each["box"]), "velocity": tuple(each["velocity"])})
            for each in values["tracks"]
        )
        state = TrackState(tracks, values["time"])
        return cls(state, values["searched"], dict(values["people"]), values["count"])


@dataclass(frozen=True, eq=False)
class Moment:
    """What was read of one frame of a video.

    Attributes:
        time: in seconds from the beginning.
        reading: of the frame; its faces are as they were read, not smoothed.
        people: of each of those faces who it is, from 1; nobody who comes later in the video gets a number again.
        memory: what ``watch`` goes on with.
    """

    time: float
    reading: "Reading"
    people: tuple[int, ...]
    memory: Memory

    def to_dict(self) -> dict[str, Any]:
        """``Reading.to_dict`` with "time", and of each face the "person"."""
        told = self.reading.to_dict()
        faces = [{"person": person, **face} for person, face in zip(self.people, told["faces"], strict=True)]
        return {**told, "time": round(self.time, 3), "faces": faces}


def watch(
    predictor: "EmotionPredictor",
    frames: "Iterable[Frame]",
    *,
    finder: Follower | None = None,
    memory: Memory | None = None,
) -> Generator[Moment, None, None]:
    """Read a video: one ``Moment`` a frame, decoded on one core while the other ones read.

    Who leaves for longer than ``PERSON_MEMORY`` and comes back is a new person: people are told apart by where they
    are and go, not by how they look.

    Args:
        frames: ``Video.frames(every=0.2)``, say, or an image sequence's; each later than the one before.
        finder: searches and follows; a quick ``MTCNNDetector`` unless given.
        memory: that of the moment after which to go on.

    Raises:
        VideoError, ImageError: the frames cannot be read any further.
    """
    finder = finder or quick_finder()
    memory = memory or Memory()
    for frame in ahead(frames, _AHEAD):
        picture = Picture.open(frame.image)
        faces, searched = find(finder, picture.light, memory.state, frame.time, memory.searched)
        reading = predictor.read(picture, faces)
        memory, people = _recognise(memory, reading, frame.time, searched)
        yield Moment(frame.time, reading, people, memory)


def find(
    finder: Follower, image: Image.Image, state: TrackState, now: float, searched: float, *, most: int | None = None
) -> tuple[list[Face], float]:
    """The faces of a frame, and when the whole of one was searched last.

    Faces are followed from frame to frame, which takes a third of a millisecond each. The whole frame is searched,
    which takes many times as long, where nobody is followed, where one was lost or two have become one, and every
    ``SEARCH_EVERY`` seconds. Where nobody is found, its shadows are searched as well, every ``BACKLIT_EVERY`` seconds.

    Args:
        state: of ``track``, after the frame before.
        now, searched: in seconds; of this frame, and of the last search.
        most: of the faces that a search finds so many are taken, the largest; None takes all.
    """
    boxes = [each.box for each in state.visible]
    if boxes and now - searched < SEARCH_EVERY:
        followed = finder.follow(image, boxes)
        faces = suppress_overlaps([face for face in followed if face is not None])
        if len(faces) == len(boxes):
            return faces, searched
    found = finder.detect(image)
    if not found and searched < now - now % BACKLIT_EVERY:
        found = finder.detect_backlit(image)
    return found[:most], now


def quick_finder(*, every_core: bool = True) -> Follower:
    """What searches the frames of videos: upright faces only, at ``SEARCH_SIDE``."""
    from .detector import MTCNNDetector

    return MTCNNDetector(max_side=SEARCH_SIDE, thorough=False, every_core=every_core)


def ahead(items: Iterable[Item], count: int) -> Generator[Item, None, None]:
    """The items, in order; so many are made in another thread before they are asked for.

    Where nobody asks on, no more are made, and ``items`` is closed if it can be.
    """
    iterator, end = iter(items), object()
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(1, "ahead") as thread:
        try:
            while True:
                while len(waiting) < count:
                    waiting.append(thread.submit(next, iterator, end))
                item = waiting.popleft().result()
                if item is end:
                    return
                yield item
        finally:
            for each in waiting:
                each.cancel()
            if hasattr(iterator, "close"):
                thread.submit(iterator.close)


def _recognise(memory: Memory, reading: "Reading", now: float, searched: float) -> tuple[Memory, tuple[int, ...]]:
    """Who the faces of a reading are."""
    # Where readings are rare, people are expected to be still there at the next one.
    gap = 0.0 if memory.state.time is None else now - memory.state.time
    longest = max(PERSON_MEMORY, 2 * gap)
    known = {each.number for each in memory.state.tracks if now - each.seen <= longest}
    people = {number: person for number, person in memory.people.items() if number in known}
    state, tracked = track(memory.state, reading.faces, time=now, memory=longest)
    count = memory.count
    for each in tracked:
        if each.number not in people:
            count += 1
            people[each.number] = count
    return Memory(state, searched, people, count), tuple(people[each.number] for each in tracked)
