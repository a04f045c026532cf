"""What folders and lists call the emotions."""

import re

from ..emotions import EMOTIONS
from ..errors import DatasetFormatError

# None: a label that the seven do not have, left out and counted.
NAMES: dict[str, str | None] = {
    **dict.fromkeys(("angry", "anger"), "angry"),
    **dict.fromkeys(("disgust", "disgusted"), "disgust"),
    **dict.fromkeys(("fear", "fearful", "afraid"), "fear"),
    **dict.fromkeys(("happy", "happiness"), "happy"),
    "neutral": "neutral",
    **dict.fromkeys(("sad", "sadness"), "sad"),
    **dict.fromkeys(("surprise", "surprised"), "surprise"),
    "contempt": None,
}


def is_emotion(name: str) -> bool:
    """Whether a folder or a label is called like one of the seven."""
    return NAMES.get(_plain(name)) is not None


def emotion_called(name: str, place: str) -> str | None:
    """The emotion that a folder or a label names, in any case, a number before it or not ("3_Happiness").

    Args:
        place: for errors.

    Returns:
        None for a label to leave out.

    Raises:
        DatasetFormatError: it is no emotion; or a bare number, which data sets give to different emotions.
    """
    plain = _plain(name)
    if plain in NAMES:
        return NAMES[plain]
    if not plain:
        raise DatasetFormatError(
            f"{place}: {name!r} says no emotion by name, and data sets count them differently (3 is happy in FER2013, "
            f"disgust in RAF-DB, surprise in AffectNet); rename it to one of {', '.join(EMOTIONS)}"
        )
    raise DatasetFormatError(f"{place}: {name!r} is not an emotion; expected one of {', '.join(NAMES)}")


def _plain(name: str) -> str:
    return re.sub(r"^[\d\s._-]+", "", name).strip().lower()
