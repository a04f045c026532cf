"""Figures of the pages that compare runs, as pure functions: data in, Plotly figure out.

Values come as fractions and are drawn in percent; rows carry their names.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .look import CLAIM, GREY, finish, model_color, model_symbol, ticks

_HOLLOW = {"symbol": "diamond-open", "size": 12, "color": CLAIM, "line": {"width": 2}}


@dataclass(frozen=True)
class Mark:
    """One accuracy in a figure, or how far it is above another one.

    Attributes:
        row: the name of its row.
        model: decides colour and marker.
        value, low, high: fractions, or their difference; the interval is None where there is none.
        note: what the pointer shows.
        x: its place on the other axis, where a figure has one.
        x_low, x_high: how far it may lie off there; None where that is not known, or nothing.
    """

    row: str
    model: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""
    x: float | None = None
    x_low: float | None = None
    x_high: float | None = None


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


def ranking(
    measured: Sequence[Mark],
    claimed: Sequence[Range],
    reported: Sequence[Range],
    lines: Sequence[Line] = (),
    others: Sequence[Mark] = (),
) -> go.Figure:
    """Accuracies below each other, rows in the order of their first appearance: filled markers with their intervals
    are measured, hollow diamonds are papers' claims, bars are what users of the released code report.

    Args:
        others: measured too, and drawn as small grey rings.
    """
    figure = go.Figure()
    rows = list(dict.fromkeys([*(mark.row for mark in measured), *(entry.row for entry in (*claimed, *reported))]))
    if reported:
        figure.add_trace(_reports(reported))
    if claimed:
        figure.add_trace(_claims(claimed))
    if others:
        figure.add_trace(_others(others))
    if measured:
        figure.add_scatter(name="Measured here, 95% interval", **_marks(measured, rows=True))
    ends = [end for mark in (*measured, *others) for end in (mark.low, mark.high, mark.value) if end is not None]
    ends += [end for entry in (*claimed, *reported) for end in (entry.low, entry.high)] + [line.value for line in lines]
    # Given, because bars that do not begin at 0 mislead Plotly's own choice.
    span = (max(0.0, 100 * min(ends) - 2), min(101.0, 100 * max(ends) + 2)) if ends else (0.0, 101.0)
    for line in lines:
        _vertical(figure, line, span)
    lines_of_text = max((row.count("<br>") + 1 for row in rows), default=1)
    finish(figure, height=150 + (12 + 16 * lines_of_text) * len(rows))
    figure.update_layout(
        barmode="overlay",
        # Below, because the lines are named above.
        legend={"x": 0.5, "xanchor": "center", "y": 0, "yref": "container", "yanchor": "bottom"},
        margin={"t": 30, "b": 84},
        dragmode=False,
    )
    figure.update_xaxes(title_text="Accuracy, %", range=span)
    figure.update_yaxes(categoryorder="array", categoryarray=rows[::-1], showgrid=False)
    return figure


def _others(others: Sequence[Mark]) -> go.Scatter:
    return go.Scatter(
        name="Other runs",
        mode="markers",
        y=[mark.row for mark in others],
        x=[100 * mark.value for mark in others],
        marker={"symbol": "circle-open", "size": 7, "color": GREY, "line": {"width": 1.5}},
        customdata=[mark.note for mark in others],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _reports(reported: Sequence[Range]) -> go.Bar:
    return go.Bar(
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


def _claims(claimed: Sequence[Range]) -> go.Scatter:
    return go.Scatter(
        name="Claimed in a paper",
        mode="markers",
        y=[entry.row for entry in claimed],
        x=[100 * entry.high for entry in claimed],
        marker=_HOLLOW,
        customdata=[entry.note for entry in claimed],
        hovertemplate="%{customdata}<extra></extra>",
    )


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
    finish(figure, height=380, revision=x_title)
    figure.update_xaxes(title_text=x_title, type="log" if log else "linear")
    if log and (places := [mark.x for mark in drawn if mark.x]):
        low, high = math.log10(min(places)) - 0.35, math.log10(max(places)) + 0.35
        figure.update_xaxes(range=[low, high], **ticks(low, high))
    figure.update_yaxes(title_text="Accuracy, %")
    return figure


def deltas(measured: Sequence[Mark], claimed: Sequence[Mark], left_title: str, right_title: str) -> go.Figure:
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
    figure.add_trace(_deltas("Claimed", claimed, marker=_HOLLOW), row=1, col=len(titles))
    finish(figure, height=110 + 36 * len(rows), legend=False)
    for column in range(1, len(titles) + 1):
        figure.add_vline(0, line={"color": GREY, "width": 1.5}, row=1, col=column)
        figure.update_xaxes(title_text="Points against C1", row=1, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=rows[::-1], showgrid=False)
    return figure


def _deltas(name: str, values: Sequence[Mark], **more: Any) -> go.Scatter:
    return go.Scatter(
        name=name,
        mode="markers",
        x=[100 * delta.value for delta in values],
        y=[delta.row for delta in values],
        customdata=[delta.note for delta in values],
        hovertemplate="%{customdata}<extra></extra>",
        **more,
    )


def _marks(marks: Sequence[Mark], *, rows: bool) -> dict[str, Any]:
    """Arguments of a trace of measured accuracies, along x with named rows, else along y."""
    values, names = [100 * mark.value for mark in marks], [mark.row for mark in marks]
    error = _error([(mark.value, mark.low, mark.high) for mark in marks], GREY)
    across = _error([(mark.x or 0.0, mark.x_low, mark.x_high) for mark in marks], GREY, unit=1)
    along_x = {"x": values, "y": names, "error_x": error}
    along_y = {"x": [mark.x for mark in marks], "y": values, "error_x": across, "error_y": error}
    return {
        **(along_x if rows else along_y),
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


def _error(
    values: Sequence[tuple[float, float | None, float | None]], color: str, *, unit: float = 100
) -> dict[str, Any]:
    """Bars from the second to the third of each; ``unit`` turns fractions into percent."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [unit * (high - value) if high is not None else 0 for value, _, high in values],
        "arrayminus": [unit * (value - low) if low is not None else 0 for value, low, _ in values],
        "color": color,
        "thickness": 1.5,
        "width": 4,
    }


def _vertical(figure: go.Figure, line: Line, span: tuple[float, float]) -> None:
    """A line with its name above, written towards the middle, so that the figure's edge does not cut it."""
    figure.add_vline(100 * line.value, line={"color": GREY, "dash": "dot", "width": 1.5})
    figure.add_annotation(
        x=100 * line.value,
        y=1,
        yref="paper",
        xanchor="right" if 200 * line.value > sum(span) else "left",
        yanchor="bottom",
        text=line.text,
        showarrow=False,
    )
