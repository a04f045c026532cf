"""A list of faces on a page, a few at a time, with explanations on request."""

from typing import TYPE_CHECKING

import streamlit as st

from ..analysis.counting import copies_left_out
from ..data import Run
from ..data.pictures import Pictures
from . import state
from .explanations import ExplanationError, overlays
from .samples import Sample, cards, samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from streamlit.delta_generator import DeltaGenerator

    from resemotenet.runs.results import Predictions

PER_PAGE = 12
_ASKS = {"off": "Not shown", "predicted": "For its answer", "truth": "For the truth"}
_HELP = (
    "Where the network found evidence for an emotion (HiResCAM), brighter is more. It shows regions, not features, and "
    "what this network used, never what somebody feels; every picture has its own scale."
)


def show_faces(
    predictions: "Predictions",
    rows: "NDArray[np.int64]",
    run: Run,
    chosen: tuple[str, str],
    pictures: Pictures | None,
    *,
    key: str,
    bar: "DeltaGenerator",
) -> None:
    """These rows of the predictions as cards.

    Args:
        chosen: label definition and split of the predictions.
        pictures: None where the visitor gave no data; why there are none is said either way.
        key: names the list; another list begins at its first page.
        bar: where the question for explanations goes.
    """
    usable = _usable(predictions, chosen, pictures)
    ask = "off"
    if usable is not None:
        with bar:
            ask = _ask()
    shown = _page(predictions, rows, key, copies_left_out(run))
    extra = {} if usable is None or ask == "off" else _explained(shown, run, usable, ask)
    st.html(cards(shown, usable, extra, explained=ask))


def _ask() -> str:
    chosen = state.one(
        "Where it looked", list(_ASKS), key="explain", text=lambda name: _ASKS[name], kind="buttons", help=_HELP
    )
    return chosen or "off"


def _page(predictions: "Predictions", rows: "NDArray[np.int64]", key: str, left_out: bool | None) -> list[Sample]:
    page = state.page(-(-len(rows) // PER_PAGE), of=key)
    return samples(predictions, rows[(page - 1) * PER_PAGE : page * PER_PAGE], left_out=left_out)


def _usable(predictions: "Predictions", chosen: tuple[str, str], pictures: Pictures | None) -> Pictures | None:
    """The pictures, if they are those of this run; else None, after saying why."""
    if pictures is None:
        st.caption("Start with `--data PATH` (FER2013) to see the faces, the crowd's votes and explanations.")
        return None
    with st.spinner(f"Reading the faces of {pictures.path.name}, once for everybody"):
        problem = pictures.mismatch(predictions, *chosen)
    if problem is not None:
        st.warning(problem, icon=":material/hide_image:")
        return None
    return pictures


def _explained(shown: list[Sample], run: Run, pictures: Pictures, ask: str) -> "dict[str, Image.Image]":
    """By id, where the network found evidence; nothing, after saying why, if it cannot be asked."""
    try:
        with st.spinner("Asking the network"):
            return overlays(
                run,
                [
                    (each.id, pictures.picture(each.id), each.truth if ask == "truth" else each.predicted)
                    for each in shown
                ],
            )
    except ExplanationError as error:
        st.warning(str(error), icon=":material/visibility_off:")
        return {}
