"""Curves of training, of one run or of several over each other. Pure functions: numbers in, ``go.Figure`` out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resemotenet.runs.schema import Epoch

from .look import dress

# Of a line of a legend, on a phone.
_LETTERS = 44
# Lines of one chart also differ by dash.
_DASHES = ("solid", "dash", "dot", "dashdot")
# Each has a contrast of 3 or more on white and on black.
COLORS = ("#4C6FD5", "#D95F02", "#2E8B57", "#B0479A", "#96780F", "#1F8696", "#CB4A5E", "#7A7A7A")


@dataclass(frozen=True)
class Curve:
    """One line of a panel: a value an epoch, None where an epoch does not say it.

    Attributes:
        row: of its panel, from 1.
        place: decides its colour and dash.
        legend: whether it is named beside the figure; a run is named once, whatever its panels.
    """

    name: str
    row: int
    epochs: Sequence[int]
    values: Sequence[float | None]
    place: int
    legend: bool = True


def curves_figure(
    epochs: Sequence[Epoch],
    names: Mapping[str, str],
    *,
    deciding: str,
    chosen: int | None,
    shown: tuple[int, int] | None = None,
) -> go.Figure:
    """Accuracy on validation under each label definition, loss and learning rate over the epochs (from 1).

    Dragging selects epochs; the page then draws these (``shown``). Plotly's own zoom would be lost with every epoch,
    for Streamlit puts another chart in the place of one whose data changed.

    Args:
        epochs: lines of epochs.jsonl; what one does not say is left out.
        names: label definition -> what people call it.
        deciding: the definition whose loss on validation is drawn.
        chosen: the "epoch" of the chosen line (from 0).
        shown: first and last epoch to show, from 1; None shows all.
    """
    definitions = list(dict.fromkeys(name for line in epochs for name in line.validation))
    places = [line.epoch + 1 for line in epochs]
    curves = [
        Curve(names.get(name, name), 1, places, [accuracy_of(line, name) for line in epochs], number)
        for number, name in enumerate(definitions)
    ]
    validation = [loss_of(line, deciding) for line in epochs]
    curves.append(Curve("training loss", 2, places, [line.loss for line in epochs], 4))
    if any(value is not None for value in validation):
        curves.append(Curve("validation loss", 2, places, validation, 5))
    curves.append(Curve("learning rate", 3, places, [line.learning_rate for line in epochs], 7, legend=False))
    figure = _panels(("Validation accuracy, %", "Loss", "Learning rate"), (0.5, 0.32, 0.18), curves, shown)
    if shown is None:
        figure.update_yaxes(rangemode="tozero", row=3, col=1)
    if chosen is not None:
        figure.add_vline(x=chosen + 1, line={"width": 1.5, "dash": "dot", "color": "#808080"})
    return figure


def compared_curves(runs: Mapping[str, Sequence[Epoch]], labels: str) -> go.Figure:
    """Accuracy and loss on validation under one label definition, and the loss of training, of several runs.

    Args:
        runs: by name, the lines of their epochs.jsonl.
    """
    curves: list[Curve] = []
    for place, (whole, lines) in enumerate(runs.items()):
        name = "<br>".join(wrap(whole, _LETTERS))
        epochs = [line.epoch + 1 for line in lines]
        accuracy = [accuracy_of(line, labels) for line in lines]
        losses = [loss_of(line, labels) for line in lines]
        curves += [
            Curve(name, 1, epochs, accuracy, place),
            Curve(name, 2, epochs, losses, place, legend=False),
            Curve(name, 3, epochs, [line.loss for line in lines], place, legend=False),
        ]
    titles = ("Validation accuracy, %", "Validation loss", "Training loss")
    figure = _panels(titles, (0.44, 0.28, 0.28), curves, None)
    figure.update_layout(height=620, legend={"orientation": "v"})
    return figure


def accuracy_of(line: Epoch, labels: str) -> float | None:
    """On validation, in percent; None where it was not scored so."""
    return 100 * line.validation[labels].accuracy if labels in line.validation else None


def loss_of(line: Epoch, labels: str) -> float | None:
    """Negative log-likelihood on validation, in nats a face."""
    return line.validation[labels].nll if labels in line.validation else None


def _panels(
    titles: Sequence[str], heights: Sequence[float], curves: Sequence[Curve], shown: tuple[int, int] | None
) -> go.Figure:
    """Panels below each other over the same epochs; of all epochs or of the ones to be shown."""
    figure = make_subplots(
        rows=len(titles), cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=list(heights)
    )
    for curve in curves:
        figure.add_trace(_line(curve), row=curve.row, col=1)
    dress(
        figure,
        height=560,
        hovermode="x unified",
        dragmode="select",
        selectdirection="h",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
    )
    figure.update_yaxes(automargin=True, fixedrange=True)
    figure.update_xaxes(fixedrange=True)
    for row, title in enumerate(titles, start=1):
        figure.update_yaxes(title_text=title, row=row, col=1)
        if shown is not None:
            inside = [curve for curve in curves if curve.row == row]
            figure.update_yaxes(range=_span(inside, shown), row=row, col=1)
    if shown is not None:
        figure.update_xaxes(range=[shown[0] - 0.2, shown[1] + 0.2])
    figure.update_xaxes(title_text="Epoch", row=len(titles), col=1)
    return figure


def _line(curve: Curve) -> go.Scatter:
    return go.Scatter(
        x=curve.epochs,
        y=curve.values,
        name=curve.name,
        legendgroup=curve.name,
        mode="lines+markers" if len(curve.epochs) < 8 else "lines",
        line={"color": COLORS[curve.place % len(COLORS)], "dash": _DASHES[curve.place % len(_DASHES)], "width": 2},
        showlegend=curve.legend,
        hovertemplate="%{y:.4g}",
    )


def _span(curves: Sequence[Curve], shown: tuple[int, int]) -> list[Any] | None:
    """From the least to the largest value between two epochs, and a little room; None where there is no value."""
    inside = [
        value
        for curve in curves
        for epoch, value in zip(curve.epochs, curve.values, strict=True)
        if value is not None and shown[0] <= epoch <= shown[1]
    ]
    if not inside:
        return None
    room = 0.06 * (max(inside) - min(inside)) or 0.02 * abs(max(inside)) or 1.0
    return [min(inside) - room, max(inside) + room]
