"""Part of the page on data sets: FER2013's labels against the FER+ crowd, class by class and face by face."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetError, ResultsError

from .. import data
from ..analysis import crowd
from ..analysis.crowd import COLUMNS, DEFINITIONS, NO_MAJORITY, Labelled
from ..charts.matrix import label_figure, narrow
from ..charts.run import agreement_figure
from ..data import Run
from ..data.pictures import Pictures
from ..widgets import state
from ..widgets.figures import clickable, ink, show_figure
from ..widgets.samples import Sample, cards

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PER_PAGE = 12


def show_votes(runs: Sequence[Run], pictures: Pictures | None) -> None:
    """FER2013's label against the crowd's majority, by class and by cell."""
    st.markdown(
        "Ten people labelled every FER2013 face again (FER+). Where they have a majority, it often differs from the "
        "face's own label."
    )
    left, right = st.columns(2)
    with left:
        definition = state.one(
            "Majority",
            DEFINITIONS,
            key="majority",
            text=lambda name: data.label_set(name).name,
            kind="buttons",
            what="kind of majority",
        )
    with right:
        split = state.one("Split", ("test", "validation", "train"), key="split", text=str.capitalize, kind="buttons")
    if definition is None or split is None:
        return
    st.caption(data.label_set(definition).definition)
    if (labelled := _labelled(runs, pictures, definition, split)) is None:
        return
    table = labelled.table()
    same, n = int(np.trace(table[:, :NO_MAJORITY])), int(table[:, :NO_MAJORITY].sum())
    st.markdown(
        f"The crowd has a majority for **{n:,}** of {len(labelled.ids):,} faces ({split}) and agrees with the label on "
        f"**{100 * same / n:.1f}%** of them, which is what a reader who always agreed with the crowd would score there."
        if n
        else "The crowd has no majority on any of these faces."
    )
    _matrix_and_faces(labelled, table, pictures)


def _labelled(runs: Sequence[Run], pictures: Pictures | None, definition: str, split: str) -> Labelled | None:
    """Both labels of every face: from the data where it has votes, else from a run's predictions."""
    if pictures is not None:
        try:
            with st.spinner(f"Reading the votes in {pictures.path.name}, once for everybody"):
                return crowd.of_pictures(pictures, definition, split)
        except DatasetError as error:
            st.warning(f"The votes cannot be read from the data: {error}.", icon=":material/warning:")
    if (run := crowd.run_with_both(runs, definition, split)) is None:
        st.info(
            "No run was scored on this split under both label definitions, and there are no votes in the data: start "
            "with `--data` and a copy of FER2013 that has fer2013new.csv beside it, or choose another split.",
            icon=":material/how_to_vote:",
        )
        return None
    try:
        return crowd.of_run(run, definition, split)
    except ResultsError as error:
        st.warning(str(error), icon=":material/warning:")
        return None


def _matrix_and_faces(labelled: Labelled, table: "NDArray[np.int64]", pictures: Pictures | None) -> None:
    by = state.one(
        "Show",
        ("truth", "counts"),
        key="cells",
        text=lambda name: {"truth": "By label, %", "counts": "Counts"}[name],
        kind="buttons",
        what="kind of table",
    )
    left, right = st.columns([3, 2], gap="medium")
    with right:
        st.markdown("**How often the crowd agrees with the label**, where it has a majority")
        figure = agreement_figure(crowd.agreement(table))
        show_figure(figure, key="agreement", alt="Agreement by emotion")
        st.caption("The thin lines are 95% Wilson intervals.")
    cell = _choose_cell(table)
    with left:
        st.markdown("**What the crowd says of each label**")
        clickable(
            narrow(label_figure(table, by or "truth", cell, ink())),
            key="votes",
            alt="FER2013's label against the crowd's majority",
            take=_take,
        )
    _cell_faces(labelled, cell, pictures)
    st.caption(f"Counted in {labelled.source}.")


def _take(row: int, column: int) -> None:
    st.session_state["label"], st.session_state["crowd"] = EMOTIONS[row], COLUMNS[column]


def _choose_cell(table: "NDArray[np.int64]") -> tuple[int, int]:
    """The cell whose faces are listed; the commonest disagreement until another is chosen."""
    apart = table[:, :NO_MAJORITY].copy()
    np.fill_diagonal(apart, 0)
    row, column = np.unravel_index(apart.argmax(), apart.shape)
    st.subheader("Faces of a cell")
    left, right = st.columns(2)
    with left:
        label = state.one("Label", EMOTIONS, key="label", default=EMOTIONS[row], text=str.capitalize, what="emotion")
    with right:
        named = state.one("Crowd", COLUMNS, key="crowd", default=COLUMNS[column], text=str.capitalize, what="emotion")
    return EMOTIONS.index(label or EMOTIONS[row]), COLUMNS.index(named or COLUMNS[column])


def _cell_faces(labelled: Labelled, cell: tuple[int, int], pictures: Pictures | None) -> None:
    rows = labelled.rows(*cell)
    answer = "has no majority" if cell[1] == NO_MAJORITY else f"says **{COLUMNS[cell[1]]}**"
    st.markdown(f"Labelled **{EMOTIONS[cell[0]]}**, and the crowd {answer}: {len(rows):,} faces")
    if pictures is None:
        st.caption("Start with `--data PATH` (FER2013 with its FER+ votes) to see them.")
        return
    if not len(rows) or pictures.problem() is not None:
        return
    page = state.page(-(-len(rows) // _PER_PAGE), of=f"votes {labelled.source} {cell} {len(rows)}")
    shown = [str(labelled.ids[row]) for row in rows[(page - 1) * _PER_PAGE : page * _PER_PAGE]]
    st.caption("Bars are shares of the ten votes; the tick marks FER2013's own label.")
    st.html(cards([_voted(name, cell, pictures) for name in shown], pictures))


def _voted(name: str, cell: tuple[int, int], pictures: Pictures) -> Sample:
    votes = pictures.votes(name) or {}
    total = max(1, sum(votes.values()))
    shares = np.array([votes.get(emotion, 0) / total for emotion in EMOTIONS], np.float32)
    likeliest = int(shares.argmax()) if cell[1] == NO_MAJORITY else cell[1]
    verdict = "" if cell[1] != NO_MAJORITY else f"{EMOTIONS[cell[0]].capitalize()} → no majority"
    return Sample(name, cell[0], likeliest, shares, verdict)
