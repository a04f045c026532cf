"""The look that all figures share: one colour per emotion and per model on every page.

Backgrounds are transparent and text has no colour of its own, so a figure takes on the page's theme, light or dark.
Colour alone tells nothing apart: models differ in the marker too, and rows carry their names.
"""

import math
import zlib
from typing import Any

import plotly.graph_objects as go

from resemotenet.emotions import COLORS

# Pixels; nothing in a figure is smaller, on a phone neither.
TEXT, SMALL_TEXT = 13, 12
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
    # The same parts are gone, so the same colours; the marker is open.
    "resemotenet_c3_pooled": ("#2E8B57", "diamond-open"),
    "resemotenet_c4_pooled": ("#B0479A", "triangle-up-open"),
    "resemotenet_c5_pooled": ("#96780F", "triangle-down-open"),
    "resemotenet_c6_pooled": ("#1F8696", "cross-open"),
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


def dress(figure: go.Figure, **layout: Any) -> None:
    """Give a figure the look; letters of the axes too, because Streamlit's own are smaller."""
    figure.update_layout(**figure_layout())
    figure.update_layout(**layout)
    letters = {"tickfont": {"size": SMALL_TEXT}, "title": {"font": {"size": TEXT}}}
    figure.update_xaxes(**letters)
    figure.update_yaxes(**letters)
    figure.update_annotations(font={"size": TEXT})


def figure_layout() -> dict[str, Any]:
    """The look that all figures share: keyword arguments for ``figure.update_layout``."""
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": TEXT},
        "hoverlabel": {"align": "left"},
        "margin": {"l": 8, "r": 12, "t": 36, "b": 8},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1,
            "xanchor": "left",
            "yanchor": "bottom",
            "title": {"text": ""},
            "font": {"size": TEXT},
        },
        # Zoom outlasts a new drawing of the same numbers; Streamlit takes other numbers for another figure.
        "uirevision": "same",
    }


def finish(figure: go.Figure, *, height: int, revision: str = "same", legend: bool = True) -> None:
    """Give a figure the look, its height, and axes without a line at zero."""
    dress(figure, height=height, uirevision=revision, showlegend=legend)
    grid = {"gridcolor": "rgba(136,136,136,0.22)", "zeroline": False, "automargin": True}
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)


def ticks(low: float, high: float) -> dict[str, Any]:
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
