"""Figures on a page, and how they are taken away: as SVG, or as PDF by way of the browser's print dialog.

Plotly needs another browser on the server to write an image, which a host seldom has. The visitor's own has drawn the
figure already: figures.js takes what is on the screen.
"""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SCRIPT = Path(__file__).with_suffix(".js")


def show_figure(figure: "go.Figure", *, key: str, alt: str, save: bool = True, **more: Any) -> None:
    """Draw a figure, and below it the ways to save it.

    Args:
        key: of the widget; also the name of the file.
        alt: what it shows, for those who do not see it.
        save: False where the figure is no more than a way to choose something.
        more: further arguments of ``st.plotly_chart``.
    """
    # Its height is said beforehand, so that what follows does not jump when it is drawn.
    st.plotly_chart(figure, key=key, alt=alt, height=figure.layout.height, config={"displayModeBar": False}, **more)
    if save:
        buttons = "".join(
            f'<button type="button" data-figure="{escape(key)}" data-kind="{kind}" title="{title}">{kind.upper()}'
            "</button>"
            for kind, title in _KINDS.items()
        )
        st.html(f'<div class="save-figure">Save figure {buttons}</div>')


_KINDS = {
    "svg": "As you see it, in the colours of the page; edit it in Inkscape or Illustrator",
    "pdf": "Opens your browser's print dialog with the figure alone: choose Save as PDF",
}


def savable_figures() -> None:
    """Once a page: what the buttons below figures do."""
    with st.container(key="figures-script"):
        st.html(f"<script>{_SCRIPT.read_text()}</script>", unsafe_allow_javascript=True)


def clickable(figure: "go.Figure", *, key: str, alt: str, take: Callable[[int, int], None]) -> None:
    """A matrix of ``charts.matrix.matrix_figure``; ``take`` gets row and column of a cell that is clicked.

    A figure that frames another cell is another widget to Streamlit, so every click begins with nothing selected and
    a second click on a cell is a click too.
    """

    def clicked() -> None:
        points = st.session_state[key]["selection"]["points"]
        if points and len(place := points[0].get("customdata", ())) == 2:
            take(*place)

    show_figure(figure, key=key, alt=alt, on_select=clicked, selection_mode="points")


def ink() -> str | None:
    """The page's text colour, for letters on a coloured ground; None while the browser has not told its theme."""
    return {"light": "#31333F", "dark": "#FAFAFA"}.get(st.context.theme.type or "")
