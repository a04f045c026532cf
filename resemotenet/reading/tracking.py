"""Who is who from one frame of a video to the next, and probabilities that do not flicker.

A pure function: what is remembered is a value that goes in and comes out. So a server needs no memory of its visitors,
and a video can be read in pieces.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from .faces import Box, overlap

if TYPE_CHECKING:
    from .reading import FaceEmotion

# A box that shares less than this with every box of a moment ago (intersection over union) is somebody new. Small,
# because a head may move by half its width between two frames of a slow camera.
MIN_OVERLAP = 0.2
# Seconds for which a face that cannot be seen keeps its number: a turned head, a hand in front of it.
MEMORY = 1.0
# Time constant, in seconds, of a face's velocity: boxes tremble, and shrink where somebody
# walks in front of them.
STEADY = 1.0
# More than any frame has; what comes in from outside is held to it.
MAX_TRACKS = 64
_LARGEST = 1e9


@dataclass(frozen=True)
class Track:
    """One person, as seen last.

    Attributes:
        number: who it is, from 1; unique among those remembered, and free again once forgotten.
        box: (x1, y1, x2, y2) pixels.
        probabilities: emotion -> smoothed probability.
        seen: time of the frame, in seconds.
        velocity: (x, y) pixels a second of the box's centre, smoothed.
    """

    number: int
    box: Box
    probabilities: dict[str, float]
    seen: float
    velocity: tuple[float, float] = (0.0, 0.0)

    def expected(self, time: float) -> Box:
        """Where the box is at that time if it goes on as it did."""
        x, y = (speed * (time - self.seen) for speed in self.velocity)
        x1, y1, x2, y2 = self.box
        return x1 + x, y1 + y, x2 + x, y2 + y


@dataclass(frozen=True)
class TrackState:
    """Everybody remembered.

    Attributes:
        tracks: by number.
        time: of the last frame, in seconds from any beginning; None before the first.
    """

    tracks: tuple[Track, ...] = ()
    time: float | None = None

    @property
    def visible(self) -> tuple[Track, ...]:
        """Those seen in the last frame."""
        return tuple(track for track in self.tracks if track.seen == self.time)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; read back by ``from_dict`` to the same state but for the rounding of boxes to 0.1 px."""
        return {
            "time": self.time,
            "tracks": [
                {
                    "number": track.number,
                    "box": [round(value, 1) for value in track.box],
                    "probabilities": track.probabilities,
                    "seen": track.seen,
                    "velocity": [round(value, 1) for value in track.velocity],
                }
                for track in self.tracks
            ],
        }

    @classmethod
    def from_dict(cls, values: Any) -> "TrackState":
        """Read back ``to_dict``, from a sender who is not trusted.

        Raises:
            ValueError: it is something else, too large, or holds numbers that no state has.
        """
        match values:
            case {"time": None, "tracks": []}:
                return cls()
            case {"time": time, "tracks": [*tracks]} if len(tracks) <= MAX_TRACKS and _are_numbers([time]):
                read = tuple(_read_track(track) for track in tracks)
                numbers = {track.number for track in read}
                if len(numbers) == len(read) and all(track.seen <= time for track in read):
                    return cls(read, float(time))
        raise ValueError(f"this is not a tracking state of at most {MAX_TRACKS} faces: {str(values)[:200]}")


@dataclass(frozen=True)
class TrackedFace:
    """A face of the frame with the number of the person; its label and probabilities are the smoothed ones."""

    number: int
    face: "FaceEmotion"


def track(
    state: TrackState,
    faces: "Sequence[FaceEmotion]",
    *,
    time: float,
    smoothing: float = 0.0,
    memory: float = MEMORY,
) -> tuple[TrackState, list[TrackedFace]]:
    """Tell who is who in the next frame, and smooth what is read of each.

    Args:
        state: ``TrackState()`` before the first frame, then what this function gave for the frame before.
        faces: what the predictor read in this frame.
        time: of this frame, in seconds, later than that of the frame before.
        smoothing: time constant, in seconds: after that long, 63% of a change is shown; 0 shows every frame as read.
        memory: seconds for which a face that cannot be seen keeps its number.

    Returns:
        The new state, and one ``TrackedFace`` for each of ``faces``, in their order.

    Raises:
        ValueError: ``time`` does not go forward, or ``smoothing`` is negative.
    """
    if state.time is not None and not time > state.time:
        raise ValueError(f"a frame at {time} s cannot follow one at {state.time} s: time goes forward")
    if not smoothing >= 0:
        raise ValueError(f"smoothing must be a time in seconds from 0 up, got {smoothing}")
    known = [each for each in state.tracks if time - each.seen <= memory]
    matches = _match(known, faces, time)
    taken = {each.number for each in known}
    tracks, tracked = [], []
    for index, face in enumerate(faces):
        before = matches.get(index)
        if before is None:
            number = next(number for number in range(1, len(taken) + 2) if number not in taken)
            taken.add(number)
            velocity = (0.0, 0.0)
        else:
            number = before.number
            face = _smooth(face, before, time, smoothing)
            velocity = _velocity(face.box, before, time)
        tracks.append(Track(number, face.box, face.probabilities, time, velocity))
        tracked.append(TrackedFace(number, face))
    unseen = [each for each in known if each not in matches.values()]
    return TrackState(tuple(sorted([*tracks, *unseen], key=lambda each: each.number)), time), tracked


def _match(known: Sequence[Track], faces: "Sequence[FaceEmotion]", time: float) -> dict[int, Track]:
    """Index of a face -> the track it continues: the assignment with the largest sum of overlaps.

    A face is where it was, or where its way led: of two who pass each other the one behind is hidden for a while.
    """
    if not known or not faces:
        return {}
    from scipy.optimize import linear_sum_assignment

    overlaps = [
        [max(overlap(face.box, each.box), overlap(face.box, each.expected(time))) for each in known] for face in faces
    ]
    pairs = zip(*linear_sum_assignment(overlaps, maximize=True), strict=True)
    return {int(row): known[column] for row, column in pairs if overlaps[row][column] >= MIN_OVERLAP}


def _velocity(box: Box, before: Track, time: float) -> tuple[float, float]:
    passed = time - before.seen
    weight = 1 - math.exp(-passed / STEADY)
    moved = [(box[axis] + box[axis + 2] - before.box[axis] - before.box[axis + 2]) / 2 / passed for axis in (0, 1)]
    x, y = (old + weight * (new - old) for old, new in zip(before.velocity, moved, strict=True))
    return x, y


def _smooth(face: "FaceEmotion", before: Track, time: float, smoothing: float) -> "FaceEmotion":
    """Exponential smoothing with the true time between the frames, so that it is the same at any frame rate."""
    if set(before.probabilities) != set(face.probabilities):
        raise ValueError(f"the state is of a model with the labels {sorted(before.probabilities)}; begin anew")
    if smoothing == 0:
        return face
    weight = 1 - math.exp(-(time - before.seen) / smoothing)
    old = before.probabilities
    mixed = {label: old[label] + weight * (new - old[label]) for label, new in face.probabilities.items()}
    label = max(mixed, key=mixed.__getitem__)
    return replace(face, probabilities=mixed, label=label, confidence=mixed[label])


def _read_track(values: Any) -> Track:
    match values:
        case {
            "number": int(number),
            "box": [*box],
            "probabilities": {**shares},
            "seen": seen,
            "velocity": [x, y],
        } if 1 <= number <= 2 * MAX_TRACKS and len(box) == 4 and _are_numbers([*box, seen, x, y, *shares.values()]):
            x1, y1, x2, y2 = map(float, box)
            probabilities: dict[str, Any] = {str(name): share for name, share in shares.items()}
            if all(0 <= share <= 1 for share in probabilities.values()):
                velocity = (float(cast(float, x)), float(cast(float, y)))
                return Track(number, (x1, y1, x2, y2), probabilities, float(cast(float, seen)), velocity)
    raise ValueError(f"this is not a face of a tracking state: {str(values)[:200]}")


def _are_numbers(values: Sequence[Any]) -> bool:
    """Whether all are numbers that a state may hold; not NaN, and not an integer too long to be a float."""
    return all(type(value) in (int, float) and abs(value) <= _LARGEST for value in values)
