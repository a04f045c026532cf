"""What is taken for what: one run or two, per class, and the faces of any cell."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResultsError
from resemotenet.runs.paired import Paired
from resemotenet.runs.results import Predictions

from .. import data
from ..analysis.groups import p_in_words
from ..analysis.names import names
from ..analysis.per_class import (
    ClassFigures,
    Together,
    averages,
    class_figures,
    difference_intervals,
    most_confused,
    together,
)
from ..charts.matrix import confusion_figure, difference_figure, narrow
from ..data import Run
from ..data.pictures import Pictures
from ..widgets import state
from ..widgets.choices import (
    accuracy_in_words,
    choose_run,
    choose_scored,
    context,
    interval_in_words,
    no_predictions,
    no_runs,
    percent,
    show_problem,
)
from ..widgets.faces import show_faces
from ..widgets.figures import clickable, ink
from ..widgets.samples import of_cell
from ..widgets.tables import show_table

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go
    from numpy.typing import NDArray
    from streamlit.delta_generator import DeltaGenerator

_BY = {"truth": "By truth, %", "prediction": "By prediction, %", "counts": "Counts"}
_BY_HELP = (
    "By truth: each row sums to 100%, the diagonal is recall. By prediction: each column does, the diagonal is "
    "precision."
)
_ORDERS = {"sure": "Surest first", "unsure": "Least sure first"}
_INTERVALS = (
    "95% intervals: Wilson's for precision and recall, a bootstrap over faces for F1. A dash: not defined, because the "
    "emotion never occurs or is never predicted. A dash in place of F1's interval: there is no hit, or no mistake, so "
    "every draw of the bootstrap gives the same figure and does not say how far off it may be."
)
_DIFFERENCES = (
    " B - A: a bootstrap over faces, each drawn with the answers of both runs. An interval that includes 0 is no "
    "evidence of a difference; and even without a difference, one of seven intervals misses 0 nearly one time in "
    "three. A dash: the two never differ in this figure."
)
_METRICS: dict[str, str] = {"recall": "Recall", "precision": "Precision", "f1": "F1"}


def show(runs: Sequence[Run], pictures: Pictures | None) -> None:
    st.title("Confusion")
    # Of a run that must not be read, os.path says False where pathlib raises.
    candidates = [run for run in runs if os.path.isdir(run.path / "predictions") and run.state != "newer"]
    if not candidates:
        no_runs("with predictions")
        return
    called = names(runs)
    left, right = st.columns(2)
    with left:
        first = choose_run(candidates, "Run", key="run", called=called)
    with right:
        others = [run for run in candidates if run != first]
        second = choose_run(others, "Compare with", key="against", called=called, optional=True)
    if first is None:
        return
    show_problem(first)
    if second is not None:
        show_problem(second)
    if (chosen := _choose(first, second)) is None:
        return
    try:
        stored = [data.predictions(run, *chosen) for run in (first, second) if run is not None]
    except ResultsError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    if second is None:
        _one(first, stored[0], chosen, pictures)
    else:
        _two((first, second), called, together(*stored), chosen, pictures)


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
        no_predictions(first)
        return None
    return choose_scored(scored, first.labels)


def _one(run: Run, predictions: Predictions, chosen: tuple[str, str], pictures: Pictures | None) -> None:
    table = predictions.confusion
    if (score := data.score_of(run, *chosen)) is not None:
        st.markdown(f"**{accuracy_in_words(score)}** right, {_averages(table)}  \n:small[{context(score)}]")
    by = _by()
    left, right = st.columns(2, gap="medium")
    with right:
        _class_table(class_figures(table))
    cell = _choose_cell([table])
    with left:
        _clickable(
            confusion_figure(table, by, cell, ink()), "cells", "Confusion matrix; a click on a cell lists its faces"
        )
    _cell_faces(predictions, run, chosen, cell, pictures)


def _two(
    runs: tuple[Run, Run],
    called: Mapping[str, str],
    both: Together,
    chosen: tuple[str, str],
    pictures: Pictures | None,
) -> None:
    first, second = runs
    tables = [both.first.confusion, both.second.confusion]
    for letter, run in (("A", first), ("B", second)):
        if (score := data.score_of(run, *chosen)) is not None:
            whole = _averages(data.predictions(run, *chosen).confusion)
            words = f"**{accuracy_in_words(score)}** right, {whole}"
            st.markdown(f"**{letter}** {called[run.id]}: {words}  \n:small[{context(score)}]")
    if both.problem is not None:
        st.warning(both.problem, icon=":material/warning:")
    else:
        st.markdown(_paired_in_words(data.paired(first, second, *chosen)))
    by = _by()
    columns = st.columns(3)
    _compared(both, *map(class_figures, tables))
    cell = _choose_cell(tables)
    _matrices(columns, tables, both, by, cell)
    reader = state.one("Faces as read by", ["A", "B"], key="of", kind="buttons")
    run, predictions = (second, both.second) if reader == "B" else (first, both.first)
    _cell_faces(predictions, run, chosen, cell, pictures)


def _averages(table: "NDArray[np.int64]") -> str:
    """Both averages over emotions, with intervals."""
    recall, f1 = averages(table)
    return (
        f"macro recall **{100 * recall.value:.1f}%** {interval_in_words(recall.interval)}, "
        f"macro F1 **{100 * f1.value:.1f}%** {interval_in_words(f1.interval)}"
    )


def _paired_in_words(pair: Paired) -> str:
    """How much better B is, and whether that may be chance; on the faces that both scored."""
    p_value = p_in_words(pair.p_value)
    alone = f"; {pair.left_out:,} that only one of them scored are left out here and below" if pair.left_out else ""
    return (
        f"**B - A: {100 * pair.difference:+.1f} points** {interval_in_words(pair.interval, signed=True)}, "
        f"p {p_value if p_value.startswith('<') else f'= {p_value}'}  \n"
        f":small[McNemar's paired test on the {pair.n:,} faces that both scored{alone}: {pair.only_b:,} read right by "
        f"B alone, {pair.only_a:,} by A alone. One seed each: another seed moves both.]"
    )


def _matrices(
    columns: "Sequence[DeltaGenerator]",
    tables: "Sequence[NDArray[np.int64]]",
    both: Together,
    by: str,
    cell: tuple[int, int],
) -> None:
    """A, B and B - A beside each other."""
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


def _by() -> str:
    chosen = state.one(
        "Show", list(_BY), key="show", text=lambda name: _BY[name], kind="buttons", what="kind of table", help=_BY_HELP
    )
    return chosen or "truth"


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
    predictions: Predictions, run: Run, chosen: tuple[str, str], cell: tuple[int, int], pictures: Pictures | None
) -> None:
    bar = st.container(horizontal=True)
    with bar:
        order = state.one("Order", list(_ORDERS), key="order", text=lambda name: _ORDERS[name], kind="buttons")
    rows = of_cell(predictions, *cell, surest_first=order != "unsure")
    truth, predicted = (EMOTIONS[number] for number in cell)
    verdict = f"**{truth.capitalize()}**, read " + ("right" if truth == predicted else f"as **{predicted}**")
    st.markdown(f"{verdict}: {len(rows):,} of {int((predictions.targets == cell[0]).sum()):,} {truth} faces")
    if not len(rows):
        st.info("There is no such face in this split: choose another cell.", icon=":material/check:")
        return
    show_faces(predictions, rows, run, chosen, pictures, key=f"{run.id} {chosen} {cell} {order}", bar=bar)


def _class_table(figures: Sequence[ClassFigures]) -> None:
    rows = [
        {
            "Emotion": each.emotion.capitalize(),
            "Faces": each.support,
            "Precision": percent(each.precision, each.precision_interval),
            "Recall": percent(each.recall, each.recall_interval),
            "F1": percent(each.f1, each.f1_interval),
        }
        for each in figures
    ]
    st.markdown("**Per emotion, %**")
    show_table(rows, alt="Precision, recall and F1 of each emotion")
    st.caption(_INTERVALS)


def _compared(both: Together, first: Sequence[ClassFigures], second: Sequence[ClassFigures]) -> None:
    """One figure of every emotion in both runs, and how far apart they are."""
    figure = state.one("Figure", list(_METRICS), key="figure", text=lambda name: _METRICS[name], kind="buttons")
    figure = figure or "recall"
    intervals = None if both.problem is not None else difference_intervals(both)[figure]
    rows = []
    for number, (a, b) in enumerate(zip(first, second, strict=True)):
        one, other = getattr(a, figure), getattr(b, figure)
        row = {
            "Emotion": a.emotion.capitalize(),
            "Faces in A": a.support,
            "Faces in B": b.support,
            f"{_METRICS[figure]} A, %": percent(one, getattr(a, f"{figure}_interval")),
            f"{_METRICS[figure]} B, %": percent(other, getattr(b, f"{figure}_interval")),
            "B - A, points": None if one is None or other is None else 100 * (other - one),
        }
        if intervals is not None:
            row["B - A, 95%"] = interval_in_words(intervals[number], signed=True)
        rows.append(row)
    points = st.column_config.NumberColumn(format="%+.1f")
    show_table(rows, {"B - A, points": points})
    unpaired = " B - A has no interval here: the two were not scored on the same faces."
    st.caption(_INTERVALS + (unpaired if intervals is None else _DIFFERENCES))
