"""The vocabulary: seven emotions, their canonical order, their colours, how a probability is written.

Everything inside the project speaks of emotions in lower case and in this order; pages capitalise.
A model may have another order of outputs (upstream checkpoints do): its own labels always decide.
"""

from collections.abc import Iterable

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")

# Okabe & Ito's palette (https://jfly.uni-koeln.de/color/), told apart by people with any common colour blindness.
# Neutral is the grey that the palette lacks. For bars, boxes and lines; too pale for text on white.
COLORS: dict[str, str] = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#E69F00",
    "neutral": "#8C8C8C",
    "sad": "#0072B2",
    "surprise": "#56B4E9",
}

# The order of outputs in the checkpoints that upstream released.
UPSTREAM_ORDER: tuple[str, ...] = ("happy", "surprise", "sad", "angry", "disgust", "fear", "neutral")


def canonical_order(labels: Iterable[str]) -> tuple[str, ...]:
    """A model's labels for people: the known emotions in canonical order, then others as they come."""
    given = tuple(labels)
    return (*(name for name in EMOTIONS if name in given), *(name for name in given if name not in EMOTIONS))


def percent(fraction: float) -> str:
    """0.873 -> "87%"; "<1%" and ">99%" rather than a 0 or 100 that is not one."""
    if 0 < fraction < 0.01:
        return "<1%"
    if 0.99 < fraction < 1:
        return ">99%"
    return f"{fraction:.0%}"
