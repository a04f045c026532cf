"""What runs were trained and scored on: counts, audit, and where the crowd disagrees with FER2013's labels."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetError, ResultsError
from resemotenet.runs.claims import DATASETS, FER2013_COUNTS, PAPER, TABLE_II, errata_in
from resemotenet.runs.schema import Audit

from .. import data
from ..analysis.counting import Counts, copies_left_out, learned_counts, scored_counts
from ..analysis.names import names
from ..charts.run import counts_figure
from ..data import Run
from ..data.pictures import Pictures
from ..widgets import state
from ..widgets.choices import choose_run, no_predictions, percent, show_problem
from ..widgets.figures import show_figure
from ..widgets.tables import show_table
from .votes import show_votes

_PARTS = ("Class counts", "Audit", "Labels against votes")


def show(runs: Sequence[Run], pictures: Pictures | None) -> None:
    st.title("Data sets")
    part = state.tab(_PARTS, key="section")
    if part == "Labels against votes":
        show_votes(runs, pictures)
        return
    usable = [run for run in runs if run.config and run.state != "newer"]
    run = choose_run(usable, "As used by the run", key="run", called=names(runs))
    if run is not None:
        show_problem(run)
    if part == "Audit":
        _audit(run)
        return
    if run is None:
        st.info("There is no run yet, so nothing to count: train one, then come back.", icon=":material/folder_open:")
    else:
        _counts(run, pictures)
    _table_ii(run, pictures)


def _counts(run: Run, pictures: Pictures | None) -> None:
    """Classes of every split, as far as they are known."""
    splits: list[Counts] = []
    try:
        with st.spinner("Counting the faces, once"):
            learned = learned_counts(run, pictures)
        if learned is not None:
            splits.append(learned)
        else:
            st.caption(
                "This run is of a version that did not note the emotions it learned from: start with `--data PATH` "
                "(FER2013) to count them by its settings. Validation and test are counted in its predictions."
            )
    except DatasetError as error:
        st.warning(f"What it learned from cannot be counted: {error}.", icon=":material/warning:")
    try:
        splits += scored_counts(run)
    except ResultsError as error:
        st.warning(str(error), icon=":material/warning:")
    if not splits:
        no_predictions(run)
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        show_figure(
            counts_figure({each.split: each.by_emotion for each in splits}),
            key="counts",
            alt="Faces per emotion in each split",
        )
    with right:
        table: dict[str, list[Any]] = {"Emotion": [*(emotion.capitalize() for emotion in EMOTIONS), "All"]}
        for each in splits:
            table[each.split.capitalize()] = [*each.by_emotion.values(), each.total]
        show_table(pd.DataFrame(table).to_dict("records"), _whole(table), alt="Faces per emotion")
    lines = [f"{each.split}: {data.label_set(each.labels).name}, from {each.source}" for each in splits]
    st.caption("Counted under: " + "; ".join(lines) + ".")


def _table_ii(run: Run | None, pictures: Pictures | None) -> None:
    """Faces per class as the paper prints them, beside what is in the data and what a run used; errata are marked."""
    st.subheader("Beside the paper's Table II")
    dataset = state.one("Data set", list(TABLE_II), key="table", text=lambda name: DATASETS[name], what="data set")
    dataset = dataset or "fer2013"
    used = _used(run, pictures, dataset)
    table = table_ii_rows(dataset, used)
    show_table(pd.DataFrame(table).to_dict("records"), _whole(table), alt="Table II")
    for each in errata_in("Table II"):
        if dataset in each.datasets:
            st.markdown(f"{each.mark} **Erratum, {each.where}**: printed are {each.printed}; {each.found}.")
    if dataset == "fer2013":
        st.caption(
            f"Printed: {PAPER}. In the data: FER2013's original labels, all faces, nothing left out. "
            + _about_this_run(run, used)
        )
    else:
        st.caption(f"Printed: {PAPER}. Not counted here: no copy of this data set was at hand.")


def _used(run: Run | None, pictures: Pictures | None, dataset: str) -> list[Counts]:
    """What a run learned from and was scored on, where that is of this data set under the labels of the table."""
    if run is None or not run.dataset == run.taught == dataset:
        return []
    try:
        learned = learned_counts(run, pictures)
        return [*([] if learned is None else [learned]), *scored_counts(run)]
    except (DatasetError, ResultsError):
        return []  # why is said above the table, where they are counted for all data sets


def _about_this_run(run: Run | None, used: Sequence[Counts]) -> str:
    if run is None:
        return ""
    if not run.dataset == run.taught == "fer2013":
        return "The run chosen above learned other labels or other data, so it has no column here."
    if not any(each.split == "train" for each in used):
        return "This run: what it was scored on; what it learned from is counted with `--data PATH`."
    left_out = ", without the copies of validation and test faces" if copies_left_out(run) else ""
    return f"This run: what it learned from{left_out}, and what it was scored on."


def table_ii_rows(dataset: str, used: Sequence[Counts] = ()) -> dict[str, list[Any]]:
    """Columns of the table: emotion, then for each split as printed, for FER2013 as in the data, and what a run used.

    Args:
        used: faces by emotion of the run's splits, under the labels of the table.
    """
    mark = {dataset: each.mark for each in errata_in("Table II") for dataset in each.datasets}.get(dataset, "")
    of_run = {each.split: each for each in used}
    columns: dict[str, list[Any]] = {"Emotion": [*(emotion.capitalize() for emotion in EMOTIONS), "All"]}
    for split, printed in TABLE_II[dataset].items():
        columns[f"{split.capitalize()}, printed"] = [*printed, sum(printed)]
        if dataset == "fer2013":
            found = FER2013_COUNTS[split]
            columns[f"{split.capitalize()}, in the data"] = [*found, sum(found)]
            wrong = [mark if a != b else "" for a, b in zip(printed, found, strict=True)]
            if any(wrong):
                columns[f"{split.capitalize()}, erratum"] = [*wrong, ""]
        if (own := of_run.get(split)) is not None:
            columns[f"{split.capitalize()}, this run"] = [*own.by_emotion.values(), own.total]
    return columns


def _audit(run: Run | None) -> None:
    """What audit.json says, in words and numbers."""
    if run is None or run.audit is None:
        st.info(
            "There is no audit here: a run writes one before its first epoch; `python -m training audit --data PATH` "
            "shows it without training.",
            icon=":material/fact_check:",
        )
        return
    st.caption(
        f"From audit.json of `{run.id}`: the whole data set under its original labels, before anything is left out."
    )
    st.dataframe(
        pd.DataFrame(audit_rows(run.audit), columns=["Found", "How many", "What it means"]),
        hide_index=True,
        height="content",
        column_config={"How many": st.column_config.NumberColumn(format="localized")},
    )
    if run.audit.near_copies is None:
        st.caption("Near copies were not counted when this run was audited.")
    left_out = copies_left_out(run)
    if left_out is not None:
        word = "left out" if left_out else "kept"
        st.markdown(f"This run **{word}** the training images that have an identical copy in validation or test.")
    _without_leaks(run)
    if digest := run.audit.sha256:
        st.caption(f"SHA-256 over ids, pixels and labels: `{digest}`")


def audit_rows(audit: Audit) -> list[tuple[str, int, str]]:
    """The counts of an audit as (what, how many, what it means); what an older one lacks is left out."""
    rows = [(f"images in {split}", n, "") for split, n in audit.images.items()]
    for name, words, meaning in _AUDIT:
        if (n := getattr(audit, name)) is not None:
            rows.append((words, n, meaning))
    rows += [(name, n, _LEAK if "train images" not in name else _LEFT_OUT) for name, n in audit.leaks.items()]
    if (near := audit.near_copies) is not None:
        for n, words in (
            (near.pairs, "pairs of near copies"),
            (near.pairs_with_conflicting_labels, "pairs of near copies with conflicting labels"),
        ):
            if n is not None:
                rows.append((words, n, _NEAR))
        rows += [(name, n, _NEAR) for name, n in near.leaks.items()]
    return rows


_AUDIT = (
    ("identical_groups", "groups of identical images", "pixel for pixel the same picture, more than once"),
    ("surplus_copies", "surplus copies", "images that another one repeats"),
    ("groups_across_splits", "groups across splits", "copies on both sides of a split"),
    ("groups_with_conflicting_labels", "groups with conflicting labels", "one picture, several labels: one is wrong"),
    ("blank_images", "blank images", "nothing can be seen in them"),
)
_LEAK = "a model that learns from the copies may have memorised them"
_LEFT_OUT = "left out of training unless a run says otherwise"
_NEAR = "the same picture, cut or compressed differently"


_COPIES = {
    True: "This run left those copies out of training, so it has not seen these very pictures; near copies stayed in.",
    False: "This run learned from those copies, so it may have memorised these faces.",
    None: "Whether this run learned from those copies is not recorded.",
}


def _without_leaks(run: Run) -> None:
    """How much the copies matter: accuracy with and without them."""
    rows = [
        {
            "Labels": data.label_set(each.labels).name,
            "Split": each.split,
            "All faces, %": percent(each.accuracy, each.interval),
            "n": each.n,
            "Without leaked copies, %": percent(each.without_leaks.accuracy, each.without_leaks.interval),
            "n without": each.without_leaks.n,
        }
        for each in data.scores(run)
        if each.without_leaks is not None
    ]
    if rows:
        whole = st.column_config.NumberColumn(format="localized")
        st.markdown("**Accuracy with and without the faces that have a copy in the train split**")
        show_table(rows, {"n": whole, "n without": whole})
        st.caption(f"95% Wilson intervals. {_COPIES[copies_left_out(run)]}")


def _whole(names: Iterable[str]) -> dict[str, Any]:
    """Columns of whole numbers with separators; the first holds words, and errata are marks."""
    named = [name for name in list(names)[1:] if not name.endswith("erratum")]
    return {name: st.column_config.NumberColumn(format="localized") for name in named}
