"""How sure the model is against how right it is, as a picture: a reliability diagram."""

from collections.abc import Mapping, Sequence
from typing import Any

from .svg import document, written

_SIDE, _LEFT, _TOP, _BOTTOM, _RIGHT = 400, 84, 64, 92, 28
_INK, _LINE = "#0C4A6E", "#888"
# A disc's area tells of its faces; the smallest is still seen.
_LARGEST, _SMALLEST = 16.0, 3.0


def calibration_svg(bins: Sequence[Mapping[str, Any]], title: str) -> str:
    """A disc for each bin that has faces, on the diagonal where the model is as right as it is sure.

    Args:
        bins: as ``metrics.reliability`` gives them.
        title: one line.
    """
    width, height = _LEFT + _SIDE + _RIGHT, _TOP + _SIDE + _BOTTOM
    middle, most = _LEFT + _SIDE / 2, max((each["n"] for each in bins), default=0)
    parts = [written(middle, 34, title, size=16, weight=600)]
    for percent in range(0, 101, 20):
        x, y = _x(percent / 100), _y(percent / 100)
        parts.append(f'<path d="M{x:g} {_TOP}V{_TOP + _SIDE}M{_LEFT} {y:g}H{_LEFT + _SIDE}" stroke="#ddd"/>')
        parts.append(written(x, _TOP + _SIDE + 20, str(percent), size=13))
        parts.append(written(_LEFT - 10, y + 5, str(percent), size=13, anchor="end"))
    parts.append(f'<path d="M{_x(0):g} {_y(0):g}L{_x(1):g} {_y(1):g}" stroke="{_LINE}" stroke-dasharray="5 5"/>')
    filled = [each for each in bins if each["n"]]
    points = " ".join(f"{_x(each['confidence']):g},{_y(each['accuracy']):g}" for each in filled)
    parts.append(f'<polyline points="{points}" fill="none" stroke="{_INK}" stroke-width="1.5"/>')
    parts += [_disc(each, most) for each in filled]
    parts.append(written(middle, height - 48, "how sure: mean of the largest probability, %", size=13, fill="#555"))
    parts.append(written(middle, height - 16, "a disc for each bin; its area tells of its faces", size=12, fill="#555"))
    turned = written(0, 0, "how right: accuracy, %", size=13, fill="#555")
    parts.append(f'<g transform="translate({_LEFT - 50} {_TOP + _SIDE / 2:g}) rotate(-90)">{turned}</g>')
    return document(parts, width, height, title)


def _x(share: float) -> float:
    return round(_LEFT + share * _SIDE, 2)


def _y(share: float) -> float:
    return round(_TOP + (1 - share) * _SIDE, 2)


def _disc(each: Mapping[str, Any], most: int) -> str:
    radius = max(_SMALLEST, _LARGEST * (each["n"] / most) ** 0.5)
    told = f"{each['n']:,} faces: {100 * each['confidence']:.1f}% sure, {100 * each['accuracy']:.1f}% right"
    return (
        f'<circle cx="{_x(each["confidence"]):g}" cy="{_y(each["accuracy"]):g}" r="{radius:.1f}" fill="{_INK}" '
        f'fill-opacity="0.75"><title>{told}</title></circle>'
    )
