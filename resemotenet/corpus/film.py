"""A film with what was read drawn in: every frame of it, as H.264 in MP4."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..errors import CorpusError, VideoError
from ..reading.drawing import draw_faces
from ..reading.following import ahead
from ..reading.reading import FaceEmotion
from ..reading.sources import SEQUENCE_RATE, Member
from .sound import Sound

if TYPE_CHECKING:
    from ..reading.faces import Box
    from ..reading.following import Moment

    Row = dict[str, Any]

# Times in the MP4 are whole numbers of this part of a second, which divides the usual rates.
_TICK = Fraction(1, 90_000)


@dataclass(frozen=True)
class _Shown:
    """What was read at one time: person -> face."""

    time: float
    faces: dict[int, FaceEmotion]


def annotate_film(
    member: Member,
    rows: "Iterable[Row]",
    target: Path,
    *,
    rate: float = SEQUENCE_RATE,
    before: Callable[[float], None] = lambda time: None,
) -> Path | None:
    """Draw into every frame what was read last; boxes go evenly from one reading to the next.

    Its sound stays as it is where an MP4 may hold it, and is encoded as AAC otherwise.

    Args:
        rows: of the table of faces, of this film, in the order of time; or ``rows_of_moments``.
        target: an .mp4, which appears whole or not at all; folders above it are made.
        rate: pictures a second of a sequence.
        before: called with the time of each frame, in seconds, before it is drawn, and of each piece of sound after the
            last frame; what it raises ends the drawing.

    Returns:
        ``target``; None where the film cannot be read.

    Raises:
        CorpusError: it cannot be written.
    """
    fresh = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _encode(fresh, member, _drawn(member, rows, rate, before), rate, before):
            return None
        os.replace(fresh, target)
    except VideoError:  # its row in the second table says why
        return None
    except OSError as error:
        raise CorpusError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        fresh.unlink(missing_ok=True)
    return target


def rows_of_moments(moments: "Iterable[Moment]") -> "Iterator[Row]":
    """What ``annotate_film`` takes, of ``watch``."""
    from .work import moment_rows

    for moment in moments:
        yield from moment_rows(moment)[0]


def _drawn(
    member: Member, rows: "Iterable[Row]", rate: float, before: Callable[[float], None]
) -> Iterator[tuple[float, Image.Image]]:
    readings = _readings(rows)
    now, coming = _Shown(0.0, {}), next(readings, None)
    for frame in ahead(member.frames(None, rate=rate), 3):
        before(frame.time)
        while coming is not None and coming.time <= frame.time + 1e-3:
            now, coming = coming, next(readings, None)
        faces = _between(now, coming, frame.time)
        image = frame.image
        draw_faces(image, list(faces.values()), list(faces))
        yield frame.time, image


def _readings(rows: "Iterable[Row]") -> Iterator[_Shown]:
    for time, group in groupby(rows, key=lambda row: row["time"]):
        yield _Shown(time, {row["person"]: _face(row) for row in group})


def _face(row: "Row") -> FaceEmotion:
    box = (row["x1"], row["y1"], row["x2"], row["y2"])
    return FaceEmotion(box, box, row["detection_score"], row["label"], row["confidence"], {})


def _between(now: _Shown, coming: _Shown | None, time: float) -> dict[int, FaceEmotion]:
    """The faces at a time: on their way from one reading to the next; gone soon after the last one."""
    if coming is None:
        return now.faces if time - now.time <= 1.0 else {}
    span = coming.time - now.time
    if span > 1.0:  # in between there were frames without a face
        return now.faces if time - now.time <= 0.5 else {}
    share = (time - now.time) / span if span > 0 else 0.0
    return {
        person: _moved(face, coming.faces[person].box, share) if person in coming.faces else face
        for person, face in now.faces.items()
    }


def _moved(face: FaceEmotion, box: "Box", share: float) -> FaceEmotion:
    x1, y1, x2, y2 = (old + share * (new - old) for old, new in zip(face.box, box, strict=True))
    return FaceEmotion((x1, y1, x2, y2), face.crop_box, face.detection_score, face.label, face.confidence, {})


def _encode(
    path: Path,
    member: Member,
    frames: Iterable[tuple[float, Image.Image]],
    rate: float,
    before: Callable[[float], None],
) -> bool:
    """Whether there was a frame at all."""
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container, ExitStack() as opened:
        stream: Any = None
        sound: Sound | None = None
        last = -1
        for time, image in frames:
            if stream is None:
                stream = _pictures(container, image.size, rate if member.kind == "sequence" else 25)
                sound = opened.enter_context(closing(Sound(member, container)))
            if image.size != (stream.width, stream.height):
                image = image.crop((0, 0, stream.width, stream.height))
            frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
            last = max(last + 1, round(time / _TICK))
            frame.pts, frame.time_base = last, _TICK
            container.mux(stream.encode(frame))
            if sound is not None:
                sound.write(time)
        if stream is not None:
            container.mux(stream.encode(None))
        if sound is not None:
            sound.write(math.inf, before)
    return stream is not None


def _pictures(container: Any, size: tuple[int, int], rate: float) -> Any:
    """The track of pictures of this size, less a pixel where H.264 wants an even number."""
    stream = container.add_stream("libx264", Fraction(rate).limit_denominator(1001))
    stream.width, stream.height = (side - side % 2 or 2 for side in size)
    stream.pix_fmt, stream.codec_context.time_base = "yuv420p", _TICK
    stream.options = {"crf": "21", "preset": "veryfast"}
    return stream
