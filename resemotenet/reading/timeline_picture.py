"""A timeline as a picture: SVG, written as text, one row a person, the emotions on top of each other."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..emotions import percent
from .drawing import color_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .timeline import PersonTimeline, Timeline

    Floats = NDArray[np.float64]

_LEFT, _RIGHT, _TOP, _BOTTOM = 96, 150, 64, 44
_WIDTH, _ROW, _GAP = 720, 64, 18
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
# What people can tell apart on an axis, in seconds.
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)


def timeline_svg(timeline: "Timeline") -> str:
    """Time goes to the right; where a row is empty the person was not seen. On a white ground of its own."""
    people = timeline.people
    height = _TOP + max(1, len(people)) * (_ROW + _GAP) + _BOTTOM
    width = _LEFT + _WIDTH + _RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="{_FONT}">',
        f"<title>Emotions over time of {len(people)} {'person' if len(people) == 1 else 'people'}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    if not people:
        return "\n".join([*parts, _text(_LEFT, _TOP + 20, "nobody was seen"), "</svg>", ""])
    start = min(float(each.times[0]) for each in people)
    end = max(float(each.times[-1]) for each in people)
    scale = _WIDTH / max(end - start, 1e-3)
    parts += _legend(people[0].labels)
    bottom = _TOP + len(people) * (_ROW + _GAP)
    for tick in _ticks(start, end):
        x = _LEFT + (tick - start) * scale
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#e3e3e3"/>')
        parts.append(_text(x, bottom + 18, _clock(tick), anchor="middle", fill="#555"))
    for row, person in enumerate(people):
        parts += _row(person, _TOP + row * (_ROW + _GAP), start, scale)
    return "\n".join([*parts, "</svg>", ""])


def _legend(labels: tuple[str, ...]) -> Iterator[str]:
    for index, label in enumerate(labels):
        x = _LEFT + index * 98
        yield f'<rect x="{x}" y="22" width="12" height="12" fill="{color_of(label)}"/>'
        yield _text(x + 18, 33, label)


def _row(person: "PersonTimeline", top: float, start: float, scale: float) -> Iterator[str]:
    yield _text(_LEFT - 12, top + _ROW / 2 + 4, f"Person {person.person}", anchor="end", weight=600)
    yield f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_ROW}" fill="none" stroke="#ccc"/>'
    for piece in person.pieces:
        times, shares = _thinned(person.times[piece], person.probabilities[piece], scale)
        xs = _LEFT + (times - start) * scale
        if len(xs) == 1:
            xs, shares = np.array([xs[0] - 1, xs[0] + 1]), np.repeat(shares, 2, axis=0)
        edges = top + _ROW * np.column_stack([np.zeros(len(xs)), np.cumsum(shares, axis=1)])
        for index, label in enumerate(person.labels):
            there = [f"{x:.1f},{y:.1f}" for x, y in zip(xs, edges[:, index], strict=True)]
            back = [f"{x:.1f},{y:.1f}" for x, y in zip(xs[::-1], edges[::-1, index + 1], strict=True)]
            yield f'<polygon points="{" ".join([*there, *back])}" fill="{color_of(label)}"/>'
    most = sorted(person.shares.items(), key=lambda each: -each[1])[:3]
    for line, (label, share) in enumerate(each for each in most if each[1] > 0):
        yield _text(_LEFT + _WIDTH + 12, top + 20 + 18 * line, f"{label} {percent(share)}")


def _thinned(times: "Floats", shares: "Floats", scale: float) -> "tuple[Floats, Floats]":
    """At most one reading a pixel: the mean of those that fall on it."""
    pixels = np.floor((times - times[0]) * scale).astype(int)
    _, first, counts = np.unique(pixels, return_index=True, return_counts=True)
    sums = np.add.reduceat(np.column_stack([times, shares]), first, axis=0) / counts[:, None]
    sums[0, 0], sums[-1, 0] = times[0], times[-1]
    return sums[:, 0], sums[:, 1:]


def _ticks(start: float, end: float) -> list[float]:
    step = next((each for each in _TICKS if (end - start) / each <= 9), _TICKS[-1])
    return [number * step for number in range(math.ceil(start / step), math.floor(end / step) + 1)]


def _clock(seconds: float) -> str:
    """75 -> "1:15"; hours where there are any; tenths below a minute where they are needed."""
    if seconds < 60 and seconds != int(seconds):
        return f"{seconds:.1f}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: int = 400, fill: str = "#111") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="13" font-weight="{weight}" text-anchor="{anchor}" fill="{fill}">'
        f"{text}</text>"
    )
