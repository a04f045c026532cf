"""A confusion matrix as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .svg import document, written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CELL, _LEFT, _TOP, _BOTTOM, _RIGHT = 64, 150, 64, 92, 24
_DARK = (12, 74, 110)  # the colour of a cell that holds its whole row; one that holds nothing is white


def confusion_svg(counts: "NDArray[np.int64]", labels: Sequence[str], title: str) -> str:
    """Rows are the truth, columns the answer; a cell says the share of its row in percent, below it the count.

    Args:
        counts: (K, K), as ``metrics.confusion`` gives them.
        labels: K names, in the order of rows and columns.
        title: one line.
    """
    side = _CELL * len(labels)
    width, height = _LEFT + side + _RIGHT, _TOP + side + _BOTTOM
    parts = [written(_LEFT + side / 2, 34, title, size=16, weight=600)]
    for row, (label, line) in enumerate(zip(labels, counts.tolist(), strict=True)):
        total = sum(line)
        y = _TOP + row * _CELL
        parts.append(written(_LEFT - 12, y + 29, label, size=14, anchor="end"))
        parts.append(written(_LEFT - 12, y + 45, f"n = {total:,}", size=12, anchor="end", fill="#555"))
        parts += [_cell(_LEFT + column * _CELL, y, count, total) for column, count in enumerate(line)]
    for column, label in enumerate(labels):
        parts.append(written(_LEFT + (column + 0.5) * _CELL, _TOP + side + 22, label, size=13))
    parts.append(written(_LEFT + side / 2, height - 36, "answer of the model", size=13, fill="#555"))
    parts.append(written(_LEFT + side / 2, height - 16, "percent of the row, and how many faces", size=12, fill="#555"))
    parts.append(written(_LEFT - 12, _TOP - 14, "label", size=13, anchor="end", fill="#555"))
    return document(parts, width, height, title)


def _cell(x: float, y: float, count: int, total: int) -> str:
    share = count / total if total else 0.0
    red, green, blue = (round(255 + share * (dark - 255)) for dark in _DARK)
    ink = "#fff" if share > 0.45 else "#111"
    square = f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="rgb({red},{green},{blue})" stroke="#ddd"/>'
    if not total:
        return square
    middle = x + _CELL / 2
    return (
        square
        + written(middle, y + 31, f"{100 * share:.1f}", size=15, fill=ink)
        + written(middle, y + 48, f"{count:,}", size=12, fill=ink)
    )
