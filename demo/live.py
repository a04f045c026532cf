"""The live page's server side: one frame in, its faces out. What is remembered between them is kept by the page."""

import math
import time
from typing import Any

from resemotenet import EmotionPredictor
from resemotenet.errors import ImageError
from resemotenet.reading.faces import Box, clip
from resemotenet.reading.following import Follower, find
from resemotenet.reading.images import Picture
from resemotenet.reading.tracking import TrackState, track

from . import guard

# The longer side at which a whole frame is searched: faces from 40 of 640 pixels on are found, in some 13 ms.
SEARCH_SIDE = 320
# Faces that are read in one frame, the largest; a crowd would stall everybody else.
MAX_FACES = 12
# Seconds of smoothing that can be asked for.
MAX_SMOOTHING = 5.0


def answer(predictor: EmotionPredictor, finder: Follower, asked: Any) -> dict[str, Any]:
    """Read one frame.

    Args:
        finder: searches and follows; smaller and quicker than the predictor's own detector.
        asked: {"frame": data URI of a JPEG, "time": seconds, "smoothing": seconds, "memory": None or what the answer
            to the frame before held}. From outside, so anything may be in it.

    Returns:
        {"faces": [...], "memory": for the next frame, "ms": {"decode", "find", "read"}}; a face is
        ``FaceEmotion.to_dict()`` with the "number" of its person. Or {"refused": one sentence}.
    """
    try:
        started = time.perf_counter()
        frame = _open(asked)
        opened = time.perf_counter()
        now, smoothing, searched, state = _read_request(asked, frame.size)
        faces, searched = find(finder, frame.light, state, now, searched, most=MAX_FACES)
        located = time.perf_counter()
        reading = predictor.read(frame, faces)
        state, tracked = track(state, reading.faces, time=now, smoothing=smoothing)
        done = time.perf_counter()
    except (ImageError, ValueError) as error:
        return {"refused": str(error)}
    return {
        "faces": [{"number": each.number, **each.face.to_dict()} for each in tracked],
        "memory": {"searched": searched, **state.to_dict()},
        "ms": {
            "decode": 1000 * (opened - started),
            "find": 1000 * (located - opened),
            "read": 1000 * (done - located),
        },
    }


def _open(asked: Any) -> Picture:
    if not (isinstance(asked, dict) and isinstance(frame := asked.get("frame"), str)):
        raise ImageError("There is no frame in this call.")
    return guard.open_frame(frame)


def _read_request(asked: dict[str, Any], size: tuple[int, int]) -> tuple[float, float, float, TrackState]:
    """Time, smoothing, time of the last search, state; a state that does not fit the frame is a ``ValueError``."""
    now, smoothing = _number(asked.get("time"), 0, 1e9), _number(asked.get("smoothing"), 0, MAX_SMOOTHING)
    memory = asked.get("memory")
    if memory is None:
        return now, smoothing, -math.inf, TrackState()
    if not isinstance(memory, dict):
        raise ValueError("the memory must be what the answer before held")
    searched = _number(memory.get("searched"), 0, now)
    state = TrackState.from_dict({"time": memory.get("time"), "tracks": memory.get("tracks")})
    # A box of a million pixels would be cut out and take as much memory.
    if len(state.visible) > MAX_FACES or any(not _fits(each.box, size) for each in state.tracks):
        raise ValueError(f"the memory holds faces that no frame of {size} has")
    return now, smoothing, searched, state


def _number(value: Any, low: float, high: float) -> float:
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError(f"expected a number from {low} to {high}, got {str(value)[:50]}")
    return float(value)


def _fits(box: Box, size: tuple[int, int]) -> bool:
    return clip(box, size) is not None and max(box[2] - box[0], box[3] - box[1]) <= 1.5 * max(size)
