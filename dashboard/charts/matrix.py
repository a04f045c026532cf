"""Matrices of counts or shares whose cells can be clicked. Pure functions: numbers in, ``go.Figure`` out.

Cells are transparent at zero, so one figure serves light and dark; their letters take the page's colour where a cell is
pale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from resemotenet.emotions import EMOTIONS

from .look import SMALL_TEXT, dress

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Neither is an emotion's colour; told apart with any common colour blindness, and the signs are printed besides.
INDIGO, ORANGE = "76,95,213", "217,95,2"
# Where a cell is more opaque than this, white is read better on it than the page's own text colour.
_STRONG = 0.72
MATRIX_HEIGHT = 430


def shares(counts: "NDArray[np.int64]", by: str) -> "NDArray[np.float64]":
    """Counts (R, C) as shares of their row (by "truth") or column (by "prediction"); NaN where that is empty."""
    totals = counts.sum(axis=1, keepdims=True) if by == "truth" else counts.sum(axis=0, keepdims=True)
    with np.errstate(invalid="ignore"):
        result: NDArray[np.float64] = np.where(totals > 0, counts / np.where(totals > 0, totals, 1), np.nan)
    return result


@dataclass(frozen=True)
class Axes:
    """What the rows and the columns of a matrix are."""

    rows: Sequence[str]
    columns: Sequence[str]
    row_title: str
    column_title: str


_CONFUSION = Axes(EMOTIONS, EMOTIONS, "Truth", "Prediction")
_LABELS = Axes(EMOTIONS, (*EMOTIONS, "no majority"), "FER2013's label", "Majority of the crowd")


@dataclass(frozen=True)
class Cells:
    """What stands in the cells of a matrix (R, C), first row on top.

    Attributes:
        values: decide the colour; those below zero are orange if ``diverging``, else none are expected.
        texts, hovers: what is written in a cell, and what the pointer shows.
        top: the value, up or down, that has the full colour.
    """

    values: "NDArray[Any]"
    texts: Sequence[Sequence[str]]
    hovers: Sequence[Sequence[str]]
    top: float
    diverging: bool = False


def matrix_figure(cells: Cells, axes: Axes, selected: tuple[int, int] | None, ink: str | None) -> go.Figure:
    """A matrix whose cells can be clicked.

    Args:
        selected: the cell to frame.
        ink: the page's text colour, for pale cells; None leaves it to the page, whose figures are lettered in grey.
    """
    strength = np.nan_to_num(np.abs(cells.values) / cells.top if cells.top else np.zeros_like(cells.values, float))
    letters = [
        _letters(cells.texts, np.argwhere(strength <= _STRONG), ink),
        _letters(cells.texts, np.argwhere(strength > _STRONG), "#FFFFFF"),
    ]
    figure = go.Figure([_heat(cells), *letters, _targets(cells.hovers)])
    if selected is not None:
        row, column = selected
        edge = {"x0": column - 0.48, "x1": column + 0.48, "y0": row - 0.48, "y1": row + 0.48}
        figure.add_shape(type="rect", line={"width": 3, "color": "#E0A100"}, **edge)
    dress(figure, height=MATRIX_HEIGHT, showlegend=False, dragmode=False, hovermode="closest")
    figure.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8})
    _label(figure, axes)
    return figure


def _heat(cells: Cells) -> go.Heatmap:
    return go.Heatmap(
        z=cells.values.astype(float),
        zmin=-cells.top if cells.diverging else 0.0,
        zmax=cells.top or 1.0,
        colorscale=_scale(cells.diverging),
        showscale=False,
        hoverinfo="skip",
        xgap=2,
        ygap=2,
    )


def _label(figure: go.Figure, axes: Axes) -> None:
    plain = {"showgrid": False, "zeroline": False, "fixedrange": True, "automargin": True, "ticks": ""}
    for update, names, title in (
        (figure.update_xaxes, axes.columns, axes.column_title),
        (figure.update_yaxes, axes.rows, axes.row_title),
    ):
        update(tickvals=list(range(len(names))), ticktext=[_capital(name) for name in names], title_text=title, **plain)
    figure.update_xaxes(range=[-0.5, len(axes.columns) - 0.5], tickfont={"size": SMALL_TEXT})
    figure.update_yaxes(range=[len(axes.rows) - 0.5, -0.5])


def narrow(figure: go.Figure) -> go.Figure:
    """The same figure for a third of a page: names stand aslant, letters are smaller."""
    figure.update_xaxes(tickangle=-45)
    figure.update_traces(textfont={"size": SMALL_TEXT}, selector={"mode": "text"})
    return figure


def _scale(diverging: bool) -> list[list[Any]]:
    """Nearly transparent at zero, so that it is the page's colour there."""
    if not diverging:
        return [[0.0, f"rgba({INDIGO},0.03)"], [1.0, f"rgba({INDIGO},1)"]]
    pale = [[0.499, f"rgba({ORANGE},0.04)"], [0.5, "rgba(128,128,128,0.04)"], [0.501, f"rgba({INDIGO},0.04)"]]
    return [[0.0, f"rgba({ORANGE},1)"], *pale, [1.0, f"rgba({INDIGO},1)"]]


def _letters(texts: Sequence[Sequence[str]], cells: "NDArray[np.int64]", color: str | None) -> go.Scatter:
    return go.Scatter(
        x=[int(column) for _, column in cells],
        y=[int(row) for row, _ in cells],
        text=[texts[row][column] for row, column in cells],
        mode="text",
        textfont={"size": 13} if color is None else {"size": 13, "color": color},
        hoverinfo="skip",
    )


def _targets(hovers: Sequence[Sequence[str]]) -> go.Scatter:
    """What is clicked: Plotly's heat maps give Streamlit no clicks, so nearly invisible squares lie over the cells.

    They carry (row, column) as customdata. Larger than the cells where the page is narrow: the nearest centre is taken,
    so they may overlap.
    """
    cells = [(row, column) for row, line in enumerate(hovers) for column in range(len(line))]
    return go.Scatter(
        x=[column for _, column in cells],
        y=[row for row, _ in cells],
        mode="markers",
        marker={"symbol": "square", "size": 46, "opacity": 0.01, "color": "#808080"},
        customdata=[list(cell) for cell in cells],
        hovertext=[hovers[row][column] for row, column in cells],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def confusion_figure(
    counts: "NDArray[np.int64]", by: str, selected: tuple[int, int] | None = None, ink: str | None = None
) -> go.Figure:
    """One confusion matrix (7, 7), rows the truth. ``by``: "counts", "truth" or "prediction"."""
    numbers = range(len(EMOTIONS))
    hovers = [[_cell_in_words(counts, row, column) for column in numbers] for row in numbers]
    return matrix_figure(_of_counts(counts, by, hovers), _CONFUSION, selected, ink)


def _of_counts(counts: "NDArray[np.int64]", by: str, hovers: Sequence[Sequence[str]]) -> Cells:
    values = counts.astype(float) if by == "counts" else shares(counts, by)
    texts = [[_cell(value, by) for value in row] for row in values]
    return Cells(values, texts, hovers, top=float(counts.max()) if by == "counts" else 1.0)


def difference_figure(
    first: "NDArray[np.int64]",
    second: "NDArray[np.int64]",
    by: str,
    selected: tuple[int, int] | None = None,
    ink: str | None = None,
) -> go.Figure:
    """The second confusion matrix minus the first: counts, or percentage points of shares; colours diverge around 0."""
    if by == "counts":
        values = (second - first).astype(float)
        texts = [["·" if value == 0 else f"{value:+.0f}" for value in row] for row in values]
    else:
        values = shares(second, by) - shares(first, by)
        texts = [[_points(value) for value in row] for row in values]
    largest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 0.0
    hovers = [
        [
            f"Truth {_capital(truth)}, predicted {_capital(guess)}<br>A {first[row, column]:,}, "
            f"B {second[row, column]:,}<br>B - A: {texts[row][column].replace('·', '0')}"
            f"{'' if by == 'counts' else ' points'}"
            for column, guess in enumerate(EMOTIONS)
        ]
        for row, truth in enumerate(EMOTIONS)
    ]
    return matrix_figure(Cells(values, texts, hovers, top=largest, diverging=True), _CONFUSION, selected, ink)


def label_figure(
    counts: "NDArray[np.int64]", by: str, selected: tuple[int, int] | None = None, ink: str | None = None
) -> go.Figure:
    """FER2013's labels (rows) against the crowd's majority, the last column for none: counts (7, 8)."""
    hovers = [
        [
            f"<b>{counts[row, column]:,}</b> of {counts[row].sum():,} faces labelled {label}<br>crowd: {said}"
            for column, said in enumerate(_LABELS.columns)
        ]
        for row, label in enumerate(EMOTIONS)
    ]
    return matrix_figure(_of_counts(counts, by, hovers), _LABELS, selected, ink)


def _cell(value: float, by: str) -> str:
    if np.isnan(value):
        return ""
    if value == 0:
        return "·"
    if by == "counts":
        return f"{value:.0f}"
    return "<1" if value < 0.005 else f"{100 * value:.0f}"


def _points(value: float) -> str:
    """Percentage points with their sign; one decimal where there is room for it."""
    if np.isnan(value):
        return ""
    if value == 0:
        return "·"
    return f"{100 * value:+.1f}" if abs(value) < 0.0995 else f"{100 * value:+.0f}"


def _cell_in_words(counts: "NDArray[np.int64]", row: int, column: int) -> str:
    n, of_row, of_column = int(counts[row, column]), int(counts[row].sum()), int(counts[:, column].sum())
    truth, guess = _capital(EMOTIONS[row]), _capital(EMOTIONS[column])
    lines = [f"<b>{n:,}</b> faces: truth {truth}, predicted {guess}"]
    if of_row:
        lines.append(f"{100 * n / of_row:.1f}% of the {of_row:,} that are {truth}")
    if of_column:
        lines.append(f"{100 * n / of_column:.1f}% of the {of_column:,} called {guess}")
    return "<br>".join(lines)


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
