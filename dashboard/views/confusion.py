"""What is taken for what: one run or two, per class, and the faces of any cell."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResultsError
from resemotenet.metrics import confusion
from resemotenet.results import Predictions

from .. import data
from ..analysis.per_class import ClassFigures, Together, class_figures, most_confused, together
from ..charts.matrix import confusion_figure, difference_figure, narrow
from ..data import Run
from ..data.pictures import Pictures
from ..widgets import state
from ..widgets.choices import (
    accuracy_in_words,
    choose_run,
    choose_scored,
    clickable,
    context,
    ink,
    no_runs,
    score_of,
    show_problem,
)
from ..widgets.faces import show_faces
from ..widgets.samples import of_cell

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go
    from numpy.typing import NDArray

_BY = {"truth": "By truth, %", "prediction": "By prediction, %", "counts": "Counts"}
_BY_HELP = (
    "By truth: each row sums to 100 %, the diagonal is recall. By prediction: each column does, the diagonal is "
    "precision."
)
_ORDERS = {"sure": "Surest first", "unsure": "Least sure first"}
_INTERVALS = (
    "95 % intervals: Wilson's for precision and recall, a bootstrap over faces for F1. A dash: not defined, for the "
    "emotion never occurs or is never predicted."
)
_METRICS: dict[str, str] = {"recall": "Recall", "precision": "Precision", "f1": "F1"}


def show(runs: Sequence[Run], pictures: Pictures | None) -> None:
    st.title("Confusion")
    candidates = [run for run in runs if (run.path / "predictions").is_dir() and run.state != "newer"]
    if not candidates:
        no_runs("with predictions")
        return
    left, right = st.columns(2)
    with left:
        first = choose_run(candidates, "Run", key="run")
    with right:
        second = choose_run([run for run in candidates if run != first], "Compare with", key="against", optional=True)
    if first is None:
        return
    show_problem(first)
    if second is not None:
        show_problem(second)
    if (chosen := _choose(first, second)) is None:
        return
    try:
        found = [data.predictions(run, *chosen) for run in (first, second) if run is not None]
    except ResultsError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    if second is None:
        _one(first, found[0], chosen, pictures)
    else:
        _two(first, second, together(*found), chosen, pictures)


def _choose(first: Run, second: Run | None) -> tuple[str, str] | None:
    """Labels and split, of those that all runs chosen were scored on."""
    scored = [(each.labels, each.split) for each in data.scores(first)]
    if second is not None:
        others = {(each.labels, each.split) for each in data.scores(second)}
        if scored and not others.intersection(scored):
            st.info(
                "These two runs were never scored on the same split under the same labels, so there is nothing to "
                "compare. Choose another run, or score one of them with `python -m training evaluate`.",
                icon=":material/compare_arrows:",
            )
            return None
        scored = [each for each in scored if each in others]
    if not scored:
        st.info("This run has no predictions that can be read; they are written when it ends.")
        return None
    return choose_scored(scored, first.labels)


def _one(run: Run, found: Predictions, chosen: tuple[str, str], pictures: Pictures | None) -> None:
    table = _table(found)
    if (score := score_of(data.scores(run), *chosen)) is not None:
        st.markdown(f"**{accuracy_in_words(score)}** right  \n:small[{context(score)}]")
    by = _by()
    left, right = st.columns(2, gap="medium")
    with right:
        _class_table(class_figures(table))
    cell = _choose_cell([table])
    with left:
        _clickable(
            confusion_figure(table, by, cell, ink()), "cells", "Confusion matrix; a click on a cell lists its faces"
        )
    _cell_faces(found, run, chosen, cell, pictures)


def _two(first: Run, second: Run, both: Together, chosen: tuple[str, str], pictures: Pictures | None) -> None:
    tables = [_table(both.first), _table(both.second)]
    for letter, run in (("A", first), ("B", second)):
        if (score := score_of(data.scores(run), *chosen)) is not None:
            st.markdown(f"**{letter}** {run.caption}: **{accuracy_in_words(score)}** right  \n:small[{context(score)}]")
    if both.problem is not None:
        st.warning(both.problem, icon=":material/warning:")
    elif both.left_out:
        st.caption(
            f"Below, both on the {len(both.first.ids):,} faces that both scored; {both.left_out:,} that only one of "
            "them scored are left out."
        )
    by = _by()
    columns = st.columns(3)
    _compared(class_figures(tables[0]), class_figures(tables[1]))
    cell = _choose_cell(tables)
    for column, table, letter in zip(columns[:2], tables, "AB", strict=True):
        with column:
            st.markdown(f"**{letter}**")
            figure = narrow(confusion_figure(table, by, cell, ink()))
            _clickable(figure, f"cells-{letter}", f"Confusion matrix of run {letter}")
    with columns[2]:
        st.markdown("**B - A**, faces" if by == "counts" else "**B - A**, percentage points")
        if both.problem is not None and by == "counts":
            st.caption("Counts of different faces are not subtracted; choose shares.")
        else:
            figure = narrow(difference_figure(tables[0], tables[1], by, cell, ink()))
            _clickable(figure, "cells-B-A", "B minus A")
    reader = state.one("Faces as read by", ["A", "B"], key="of", kind="buttons")
    run, found = (second, both.second) if reader == "B" else (first, both.first)
    _cell_faces(found, run, chosen, cell, pictures)


def _by() -> str:
    chosen = state.one(
        "Show", list(_BY), key="show", text=lambda name: _BY[name], kind="buttons", what="kind of table", help=_BY_HELP
    )
    return chosen or "truth"


def _table(found: Predictions) -> "NDArray[np.int64]":
    return confusion(found.probabilities.argmax(axis=1), found.targets)


def _choose_cell(tables: "Sequence[NDArray[np.int64]]") -> tuple[int, int]:
    """The cell whose faces are listed; the commonest mistake until one is clicked or chosen."""
    usual = most_confused(tables)
    st.subheader("Faces of a cell")
    st.caption("Click a cell above, or choose it here.")
    chosen = []
    for column, label, key, default in zip(
        st.columns(2), ("Truth", "Prediction"), ("truth", "predicted"), usual, strict=True
    ):
        with column:
            name = state.one(label, EMOTIONS, key=key, default=EMOTIONS[default], text=str.capitalize, what="emotion")
        chosen.append(default if name is None else EMOTIONS.index(name))
    return chosen[0], chosen[1]


def _clickable(figure: "go.Figure", key: str, alt: str) -> None:
    clickable(figure, key=key, alt=alt, take=_take)


def _take(row: int, column: int) -> None:
    """The cell that was clicked becomes the one in the lists, and with them in the address."""
    st.session_state["truth"], st.session_state["predicted"] = EMOTIONS[row], EMOTIONS[column]


def _cell_faces(
    found: Predictions, run: Run, chosen: tuple[str, str], cell: tuple[int, int], pictures: Pictures | None
) -> None:
    bar = st.container(horizontal=True)
    with bar:
        order = state.one("Order", list(_ORDERS), key="order", text=lambda name: _ORDERS[name], kind="buttons")
    rows = of_cell(found, *cell, surest_first=order != "unsure")
    truth, predicted = (EMOTIONS[number] for number in cell)
    verdict = f"**{truth.capitalize()}**, read " + ("right" if truth == predicted else f"as **{predicted}**")
    st.markdown(f"{verdict}: {len(rows):,} of {int((found.targets == cell[0]).sum()):,} {truth} faces")
    if not len(rows):
        st.info("There is no such face in this split: choose another cell.", icon=":material/check:")
        return
    show_faces(found, rows, run, chosen, pictures, key=f"{run.id} {chosen} {cell} {order}", bar=bar)


def _class_table(figures: Sequence[ClassFigures]) -> None:
    table = pd.DataFrame(
        [
            {
                "Emotion": each.emotion.capitalize(),
                "Faces": each.support,
                "Precision": _shown(each.precision, each.precision_interval),
                "Recall": _shown(each.recall, each.recall_interval),
                "F1": _shown(each.f1, each.f1_interval),
            }
            for each in figures
        ]
    )
    st.markdown("**Per emotion, %**")
    st.dataframe(table, hide_index=True, alt="Precision, recall and F1 of each emotion")
    st.caption(_INTERVALS)


def _compared(first: Sequence[ClassFigures], second: Sequence[ClassFigures]) -> None:
    """One figure of every emotion in both runs, and how far apart they are."""
    figure = state.one("Figure", list(_METRICS), key="figure", text=lambda name: _METRICS[name], kind="buttons")
    figure = figure or "recall"
    rows = []
    for a, b in zip(first, second, strict=True):
        one, other = getattr(a, figure), getattr(b, figure)
        rows.append(
            {
                "Emotion": a.emotion.capitalize(),
                "Faces in A": a.support,
                "Faces in B": b.support,
                f"{_METRICS[figure]} A, %": _shown(one, getattr(a, f"{figure}_interval")),
                f"{_METRICS[figure]} B, %": _shown(other, getattr(b, f"{figure}_interval")),
                "B - A, points": None if one is None or other is None else 100 * (other - one),
            }
        )
    points = st.column_config.NumberColumn(format="%+.1f")
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"B - A, points": points})
    st.caption(_INTERVALS)


def _shown(value: float | None, interval: tuple[float, float] | None) -> str:
    """ "61.2 (57.0 to 65.3)"; a dash where it is not defined."""
    if value is None or interval is None:
        return "-"
    return f"{100 * value:.1f} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
