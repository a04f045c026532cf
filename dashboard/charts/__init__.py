"""Figures, as pure functions: data in, Plotly figure out. One colour per emotion and per model on every page.

Backgrounds are transparent and text has no colour of its own, so a figure takes on the page's theme, light or dark.
Colour alone tells nothing apart: models differ in the marker too, and rows carry their names. Values come as fractions
and are drawn in percent.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resemotenet.emotions import COLORS

# In between on purpose: lines and frames that must show on white and on black.
GREY = "#888888"
CLAIM = "#B07A00"
# For labels beyond the seven emotions.
_OTHER_EMOTION = "#A6761D"

# Neither too light for white nor too dark for black (a test holds each at a contrast of 3 or more), with a marker each,
# because no two dozen colours are told apart by everybody.
_MODELS: dict[str, tuple[str, str]] = {
    "resemotenet": ("#3B76D6", "circle"),
    "resemotenet_c2": ("#C2571A", "square"),
    "resemotenet_c3": ("#2E8B57", "diamond"),
    "resemotenet_c4": ("#B0479A", "triangle-up"),
    "resemotenet_c5": ("#96780F", "triangle-down"),
    "resemotenet_c6": ("#1F8696", "cross"),
    "plain_cnn": ("#7A7A7A", "x"),
    "cnn_se": ("#8C6D5A", "pentagon"),
    "vgg": ("#7468D2", "hexagon"),
    "resnet18": ("#CB4A5E", "star"),
    "resnet34": ("#CB4A5E", "hourglass"),
    "emonext_tiny": ("#5B8A22", "triangle-left"),
    "emonext_small": ("#5B8A22", "triangle-right"),
    "emonext_base": ("#5B8A22", "star-square"),
    "emonext_large": ("#5B8A22", "star-diamond"),
    "emonext_xlarge": ("#5B8A22", "bowtie"),
}
_SPARE_COLORS = ("#A0627A", "#5F7F9C", "#7D8A2E", "#9A6BB5", "#B5651D")
_SPARE_SYMBOLS = ("diamond-tall", "diamond-wide", "hexagon2", "octagon", "hexagram")


@dataclass(frozen=True)
class Mark:
    """One accuracy in a figure.

    Attributes:
        row: the name of its row.
        model: decides colour and marker.
        value, low, high: fractions; the interval is None where there is none.
        note: what the pointer shows.
        x: its place on the other axis, where a figure has one.
    """

    row: str
    model: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""
    x: float | None = None


@dataclass(frozen=True)
class Range:
    """Accuracies from ``low`` to ``high`` that others report, or a claim where both are the same."""

    row: str
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A value to keep in sight."""

    value: float
    text: str


@dataclass(frozen=True)
class Delta:
    """A model's accuracy minus another's, in points of percent / 100."""

    row: str
    model: str
    value: float
    low: float | None
    high: float | None
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell of a train-on, test-on table.

    Attributes:
        home: the labels scored are those that were trained on.
    """

    value: float
    note: str
    home: bool


def emotion_color(name: str) -> str:
    """The colour of an emotion, "#RRGGBB"."""
    return COLORS.get(name.lower(), _OTHER_EMOTION)


def model_color(name: str) -> str:
    """The colour of a model, "#RRGGBB"; an unknown name always gets the same one of a few."""
    return _model_style(name)[0]


def model_symbol(name: str) -> str:
    """The marker of a model, by Plotly's name."""
    return _model_style(name)[1]


def _model_style(name: str) -> tuple[str, str]:
    number = zlib.crc32(name.encode())
    spare = _SPARE_COLORS[number % len(_SPARE_COLORS)], _SPARE_SYMBOLS[number // 7 % len(_SPARE_SYMBOLS)]
    return _MODELS.get(name, spare)


def figure_layout() -> dict[str, Any]:
    """The look that all figures share: keyword arguments for ``figure.update_layout``."""
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 13},
        "hoverlabel": {"align": "left"},
        "margin": {"l": 8, "r": 12, "t": 36, "b": 8},
        "legend": {"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom", "title": {"text": ""}},
        # Zoom outlasts a new drawing of the same numbers; Streamlit takes other numbers for another figure.
        "uirevision": "same",
    }


def _finish(figure: go.Figure, *, height: int, revision: str = "same", legend: bool = True) -> None:
    figure.update_layout(**figure_layout())
    figure.update_layout(height=height, uirevision=revision, showlegend=legend)
    grid = {"gridcolor": "rgba(136,136,136,0.22)", "zeroline": False, "automargin": True}
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)


def ranking(
    measured: Sequence[Mark], claimed: Sequence[Range], reported: Sequence[Range], lines: Sequence[Line] = ()
) -> go.Figure:
    """Accuracies below each other, rows in the order of their first appearance: filled markers with their intervals
    are measured, hollow diamonds are papers' claims, bars are what users of the released code report."""
    figure = go.Figure()
    rows = list(dict.fromkeys([*(mark.row for mark in measured), *(entry.row for entry in (*claimed, *reported))]))
    if reported:
        figure.add_bar(
            name="Users report",
            orientation="h",
            y=[entry.row for entry in reported],
            base=[100 * entry.low for entry in reported],
            x=[max(100 * (entry.high - entry.low), 0.25) for entry in reported],
            width=0.34,
            marker={"color": "rgba(136,136,136,0.38)"},
            customdata=[entry.note for entry in reported],
            hovertemplate="%{customdata}<extra></extra>",
        )
    if claimed:
        figure.add_scatter(
            name="Claimed in a paper",
            mode="markers",
            y=[entry.row for entry in claimed],
            x=[100 * entry.high for entry in claimed],
            marker={"symbol": "diamond-open", "size": 12, "color": CLAIM, "line": {"width": 2}},
            customdata=[entry.note for entry in claimed],
            hovertemplate="%{customdata}<extra></extra>",
        )
    if measured:
        figure.add_scatter(name="Measured here, 95 % interval", **_marks(measured, rows=True))
    for line in lines:
        _vertical(figure, line)
    lines_of_text = max((row.count("<br>") + 1 for row in rows), default=1)
    _finish(figure, height=150 + (12 + 16 * lines_of_text) * len(rows))
    figure.update_layout(
        barmode="overlay",
        # Below, because the lines are named above.
        legend={"x": 0.5, "xanchor": "center", "y": 0, "yref": "container", "yanchor": "bottom"},
        margin={"t": 30, "b": 84},
        dragmode=False,
    )
    ends = [end for mark in measured for end in (mark.low, mark.high, mark.value) if end is not None]
    ends += [end for entry in (*claimed, *reported) for end in (entry.low, entry.high)] + [line.value for line in lines]
    # Given, because bars that do not begin at 0 mislead Plotly's own choice.
    span = [max(0.0, 100 * min(ends) - 2), min(101.0, 100 * max(ends) + 2)] if ends else [0, 101]
    figure.update_xaxes(title="Accuracy, %", range=span)
    figure.update_yaxes(categoryorder="array", categoryarray=rows[::-1], showgrid=False)
    return figure


def against(marks: Sequence[Mark], x_title: str, lines: Sequence[Line] = (), *, log: bool = True) -> go.Figure:
    """Accuracy against a cost, one trace a model; marks without ``x`` are left out."""
    figure = go.Figure()
    drawn = [mark for mark in marks if mark.x is not None]
    for model in dict.fromkeys(mark.model for mark in drawn):
        figure.add_scatter(name=model, **_marks([mark for mark in drawn if mark.model == model], rows=False))
    for line in lines:
        figure.add_hline(100 * line.value, line={"color": GREY, "dash": "dot", "width": 1.5})
        figure.add_annotation(
            x=1, xref="paper", xanchor="right", y=100 * line.value, yanchor="bottom", text=line.text, showarrow=False
        )
    _finish(figure, height=380, revision=x_title)
    figure.update_xaxes(title=x_title, type="log" if log else "linear")
    if log and (places := [mark.x for mark in drawn if mark.x]):
        low, high = math.log10(min(places)) - 0.35, math.log10(max(places)) + 0.35
        figure.update_xaxes(range=[low, high], **_ticks(low, high))
    figure.update_yaxes(title="Accuracy, %")
    return figure


def deltas(measured: Sequence[Delta], claimed: Sequence[Delta], left_title: str, right_title: str) -> go.Figure:
    """Differences to C1: measured with paired intervals on the left, the paper's claims on the right.

    Where nothing is measured, there are the claims alone.
    """
    titles = (left_title, right_title) if measured else (right_title,)
    figure = make_subplots(cols=len(titles), shared_yaxes=True, horizontal_spacing=0.06, subplot_titles=titles)
    rows = list(dict.fromkeys(delta.row for delta in (*measured, *claimed)))
    if measured:
        marker = _marker([delta.model for delta in measured])
        error = _error([(delta.value, delta.low, delta.high) for delta in measured], GREY)
        figure.add_trace(_deltas("Measured", measured, marker=marker, error_x=error), row=1, col=1)
    hollow = {"symbol": "diamond-open", "size": 12, "color": CLAIM, "line": {"width": 2}}
    figure.add_trace(_deltas("Claimed", claimed, marker=hollow), row=1, col=len(titles))
    _finish(figure, height=110 + 36 * len(rows), legend=False)
    for column in range(1, len(titles) + 1):
        figure.add_vline(0, line={"color": GREY, "width": 1.5}, row=1, col=column)
        figure.update_xaxes(title="Points against C1", row=1, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=rows[::-1], showgrid=False)
    figure.update_annotations(font={"size": 13})
    return figure


def _deltas(name: str, values: Sequence[Delta], **more: Any) -> go.Scatter:
    return go.Scatter(
        name=name,
        mode="markers",
        x=[100 * delta.value for delta in values],
        y=[delta.row for delta in values],
        customdata=[delta.note for delta in values],
        hovertemplate="%{customdata}<extra></extra>",
        **more,
    )


def crossing(rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], Cell]) -> go.Figure:
    """Train on a row, test on a column: accuracies in percent; framed where both are the same labels."""
    values = [[_percent(cells.get((row, column))) for column in columns] for row in rows]
    shown = [100 * cell.value for cell in cells.values()]
    # The figures stand in the cells; colour only leads the eye, from ten points below the least.
    low, high = max(0.0, min(shown, default=0.0) - 10), max(shown, default=100.0)
    figure = go.Figure(
        go.Heatmap(
            x=list(columns),
            y=list(rows),
            z=values,
            zmin=low,
            zmax=high,
            colorscale=[[0, "#5762BE"], [1, "#2B347F"]],  # white can be read on all of it
            showscale=False,
            xgap=3,
            ygap=3,
            hoverongaps=False,
            customdata=[
                [cells[row, column].note if (row, column) in cells else "" for column in columns] for row in rows
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    for (row, column), cell in cells.items():
        text = f"<b>{100 * cell.value:.1f}</b>" if cell.home else f"{100 * cell.value:.1f}"
        figure.add_annotation(x=column, y=row, text=text, showarrow=False, font={"color": "#FFFFFF", "size": 15})
        if cell.home:
            x, y = columns.index(column), rows.index(row)
            figure.add_shape(
                type="rect", x0=x - 0.48, x1=x + 0.48, y0=y - 0.47, y1=y + 0.47, line={"color": "#F08C00", "width": 3}
            )
    lines = max((row.count("<br>") + 1 for row in rows), default=1)
    _finish(figure, height=150 + (28 + 17 * lines) * len(rows), legend=False)
    figure.update_layout(dragmode=False)
    figure.update_xaxes(side="top", showgrid=False, title="tested on")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def _ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 of each decade from 10^low to 10^high, so that one decade alone has some too."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    values = [step * 10.0**decade for decade in decades for step in steps if low <= decade + math.log10(step) <= high]
    return {"tickvals": values, "ticktext": [_short_number(value) for value in values]}


def _short_number(value: float) -> str:
    """2e7 -> "20 M"."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"


def _percent(cell: Cell | None) -> float | None:
    return None if cell is None else 100 * cell.value


def _marks(marks: Sequence[Mark], *, rows: bool) -> dict[str, Any]:
    """Arguments of a trace of measured accuracies, along x with named rows, else along y."""
    values, names = [100 * mark.value for mark in marks], [mark.row for mark in marks]
    error = _error([(mark.value, mark.low, mark.high) for mark in marks], GREY)
    places = {"x": values, "y": names, "error_x": error} if rows else {"x": [mark.x for mark in marks], "y": values}
    return {
        **places,
        **({} if rows else {"error_y": error}),
        "mode": "markers",
        "marker": _marker([mark.model for mark in marks]),
        "customdata": [mark.note for mark in marks],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _marker(models: Sequence[str]) -> dict[str, Any]:
    return {
        "size": 11,
        "color": [model_color(model) for model in models],
        "symbol": [model_symbol(model) for model in models],
        "opacity": 1,
    }


def _error(values: Sequence[tuple[float, float | None, float | None]], color: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * (high - value) if high is not None else 0 for value, _, high in values],
        "arrayminus": [100 * (value - low) if low is not None else 0 for value, low, _ in values],
        "color": color,
        "thickness": 1.5,
        "width": 4,
    }


def _vertical(figure: go.Figure, line: Line) -> None:
    figure.add_vline(100 * line.value, line={"color": GREY, "dash": "dot", "width": 1.5})
    figure.add_annotation(x=100 * line.value, y=1, yref="paper", yanchor="bottom", text=line.text, showarrow=False)
