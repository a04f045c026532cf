"""One iterator over whatever people have: pictures, folders, zips, films, a camera's frames."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ImageError, VideoError
from .following import watch
from .reading import Reading
from .sources import Member, Unreadable, members

if TYPE_CHECKING:
    from .predictor import EmotionPredictor

logger = logging.getLogger(__name__)


def read(
    source: Any,
    predictor: "EmotionPredictor | None" = None,
    *,
    every: float | None = 0.2,
    broken: list[Unreadable] | None = None,
) -> Iterator[Reading]:
    """Read one picture or many, one after the other, in the memory of one.

        for reading in read("photos/"):
            print(reading.picture.path, [face.label for face in reading.faces])

    Args:
        source: a picture, a folder, a zip, a video, FOLDER/%05d.png; or bytes, a PIL image, an array; or an iterable of
            any of these. Videos in folders count.
        predictor: ``EmotionPredictor.from_pretrained()`` unless given.
        every: seconds between two readings of a film; None reads every frame.
        broken: what cannot be read is added to this list, and is a warning in the log otherwise; the rest is read.

    Returns:
        A ``Reading`` for each picture and frame, those without a face too; of a frame with its ``time``. Who is who in
        a film says ``watch``.
    """
    if predictor is None:
        from .predictor import EmotionPredictor

        predictor = EmotionPredictor.from_pretrained()
    for each in _each(source):
        try:
            if isinstance(each, Unreadable):
                raise ImageError(each.message)
            yield from _readings(each, predictor, every)
        except (ImageError, VideoError) as error:
            name = each.name if isinstance(each, Member | Unreadable) else type(each).__name__
            if broken is None:
                logger.warning("%s", error)
            else:
                broken.append(Unreadable(name, str(error)))


def _each(source: Any) -> Iterator[Any]:
    """Members for names, and everything else as it is."""
    if isinstance(source, str | Path):
        yield from members([str(source)])
    elif isinstance(source, bytes | bytearray) or hasattr(source, "__array_interface__") or hasattr(source, "getbands"):
        yield source
    elif isinstance(source, Iterable):
        for each in source:
            yield from _each(each)
    else:
        yield source  # the predictor says what it takes


def _readings(each: Any, predictor: "EmotionPredictor", every: float | None) -> Iterator[Reading]:
    if not isinstance(each, Member):
        yield predictor.read(each)
    elif each.kind == "picture":
        yield predictor.read(each.open())
    else:
        frames = each.frames(every)
        for moment in watch(predictor, frames):
            picture = replace(moment.reading.picture, path=each.name)
            yield replace(moment.reading, picture=picture, time=moment.time)
        if frames.complaint is not None:
            raise VideoError(frames.complaint)
