"""Figures of one run and of its data: reliability, counts, agreement. Pure functions: numbers in, ``go.Figure`` out."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resemotenet.emotions import EMOTIONS

from .look import dress, emotion_color
from .matrix import MATRIX_HEIGHT

# Two lines of one chart also differ by dash and marker.
_DASHES = ("solid", "dash")
_LINES = ("#4C6FD5", "#D95F02")


def reliability_figure(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> go.Figure:
    """How often the model is right where it is so sure, before and after temperature scaling; below, how often that is.

    Args:
        before, after: bins as ``metrics.reliability`` gives them, each with the ends ("interval") of its accuracy's
            interval besides.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.75, 0.25])
    ideal = go.Scatter(
        x=[0, 100],
        y=[0, 100],
        mode="lines",
        line={"dash": "dot", "width": 1, "color": "#808080"},
        name="as sure as right",
    )
    figure.add_trace(ideal, row=1, col=1)
    for place, (name, bins, symbol) in enumerate((("before", before, "circle"), ("after", after, "square"))):
        filled = [each for each in bins if each["n"]]
        figure.add_trace(_reliability_line(name, filled, place, symbol), row=1, col=1)
        figure.add_trace(_reliability_bars(name, bins, place), row=2, col=1)
    dress(
        figure,
        height=460,
        barmode="group",
        bargap=0.15,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(range=[0, 101])
    figure.update_yaxes(title_text="Right, %", range=[0, 103], row=1, col=1, automargin=True)
    figure.update_yaxes(title_text="Faces", row=2, col=1, automargin=True)
    figure.update_xaxes(title_text="Confidence, %", row=2, col=1)
    return figure


def counts_figure(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """Faces per emotion as shares of their split, one column of bars a split.

    Args:
        counts: split -> emotion -> faces.
    """
    figure = make_subplots(
        cols=len(counts), shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=[_capital(name) for name in counts]
    )
    for column, (split, by_emotion) in enumerate(counts.items(), start=1):
        total = sum(by_emotion.values()) or 1
        bars = go.Bar(
            y=[_capital(emotion) for emotion in EMOTIONS],
            x=[100 * by_emotion[emotion] / total for emotion in EMOTIONS],
            orientation="h",
            marker={"color": [emotion_color(emotion) for emotion in EMOTIONS]},
            customdata=[by_emotion[emotion] for emotion in EMOTIONS],
            hovertemplate=f"%{{y}}, {split}: %{{customdata:,}}, %{{x:.1f}}%<extra></extra>",
        )
        figure.add_trace(bars, row=1, col=column)
        figure.update_xaxes(title_text="%", row=1, col=column)
    dress(figure, height=330, bargap=0.25, showlegend=False, margin={"l": 8, "r": 8, "t": 30, "b": 8})
    # One scale: the splits are there to be compared.
    figure.update_xaxes(matches="x", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def agreement_figure(rows: Mapping[str, tuple[int, int, tuple[float, float]]]) -> go.Figure:
    """Per emotion: on how many of the faces so labelled the crowd agrees; (agree, n, interval as fractions)."""
    names = list(rows)
    values = [100 * agree / n for agree, n, _ in rows.values()]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[_capital(name) for name in names],
            orientation="h",
            marker={"color": [emotion_color(name) for name in names]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * high - value for value, (_, _, (_, high)) in zip(values, rows.values(), strict=True)],
                "arrayminus": [
                    value - 100 * low for value, (_, _, (low, _)) in zip(values, rows.values(), strict=True)
                ],
                "color": "#808080",
                "thickness": 1.5,
            },
            customdata=[[agree, n] for agree, n, _ in rows.values()],
            hovertemplate="%{y}: %{customdata[0]:,} of %{customdata[1]:,}, %{x:.1f}%<extra></extra>",
        )
    )
    dress(figure, height=MATRIX_HEIGHT, margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False)
    figure.update_xaxes(title_text="The crowd agrees, %", range=[0, 100])
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def _reliability_line(name: str, bins: list[Mapping[str, Any]], place: int, symbol: str) -> go.Scatter:
    right = [100 * each["accuracy"] for each in bins]
    return go.Scatter(
        x=[100 * each["confidence"] for each in bins],
        y=right,
        name=name,
        mode="lines+markers",
        line={"color": _LINES[place], "dash": _DASHES[1 - place], "width": 2},
        marker={"symbol": symbol, "size": 8},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [100 * each["interval"][1] - value for each, value in zip(bins, right, strict=True)],
            "arrayminus": [value - 100 * each["interval"][0] for each, value in zip(bins, right, strict=True)],
            "thickness": 1,
            "width": 3,
        },
        customdata=[each["n"] for each in bins],
        hovertemplate=f"{name}: sure %{{x:.1f}}%, right %{{y:.1f}}%, %{{customdata:,}} faces<extra></extra>",
    )


def _reliability_bars(name: str, bins: Sequence[Mapping[str, Any]], place: int) -> go.Bar:
    return go.Bar(
        x=[50 * (each["low"] + each["high"]) for each in bins],
        y=[each["n"] for each in bins],
        marker={
            "color": _LINES[place],
            "pattern": {"shape": "/" if place else "", "fillmode": "overlay", "size": 6},
        },
        name=name,
        showlegend=False,
        hovertemplate=f"{name}: %{{y:,}} faces<extra></extra>",
    )


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
