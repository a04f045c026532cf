"""Train on one kind of label, test on another: what is learned, and what the label sets disagree on."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from resemotenet.errors import ResultsError
from resemotenet.runs.label_sets import teaching
from resemotenet.runs.paired import pair_up

from ..analysis.crossing import Crossing, crossings
from ..analysis.groups import interval_in_percent, labels_name, p_in_words, setting, usable
from ..analysis.names import names, taught
from ..analysis.settings import differing
from ..data import LABEL_SETS, Run, score_of, scores
from ..data.pictures import Pictures
from ..widgets import state
from ..widgets.crossing import Cell, crossing_table
from ..widgets.tables import copy_buttons, show_table

_MOST_ROWS = 12


def show(runs: Sequence[Run], pictures: Pictures | None) -> None:
    """Draw the page."""
    st.title("Cross data set")
    st.caption(
        "Rows: what a network was trained on. Columns: the labels that it is scored by. Along a row the network stays "
        "the same, down a column the labels do. Framed and bold: scored by the kind of labels that it learned."
    )
    finished = [run for run in usable(runs) if scores(run)]
    if not finished:
        _empty()
        return
    split, chosen = _choose(finished)
    table = crossings(chosen, finished, split)
    if not table:
        st.info(
            f"None of the chosen runs was scored on {split}; choose some, or another split.", icon=":material/rule:"
        )
        return
    _matrix(table, split)
    _reading(table, split)
    st.subheader("Every cell")
    show_table([_row(each) for each in table], _columns())
    copy_buttons(
        [_row(each, digits=2) for each in table],
        name="cross-data-set",
        caption=f"Trained on one kind of label, tested on another ({split}).",
        usual=("Trained on", "Tested on", "Accuracy, %", "95% interval", "n", "Setting"),
    )
    _lessons(table, split)


def _choose(finished: Sequence[Run]) -> tuple[str, list[Run]]:
    called = names(finished)
    scored: set[str] = {score.split for run in finished for score in scores(run)}

    def counted(split: str) -> str:
        return f"{split.capitalize()} ({sum(any(each.split == split for each in scores(run)) for run in finished):,})"

    left, right = st.columns([1, 3])
    with left:
        splits = [split for split in ("test", "validation", "train") if split in scored]
        split = state.one("Split (runs)", splits, key="split", text=counted, kind="buttons", what="split") or splits[0]
    with right:
        chosen = state.several(
            "Runs",
            list(called),
            key="runs",
            default=_usual(finished, split),
            text=lambda name: called.get(name, name),
            what="run",
            most=_MOST_ROWS,
            of=split,
            help="Unless chosen: of each kind of label taught, the run with the highest validation accuracy on it.",
        )
    by_id = {run.id: run for run in finished}
    return split, [by_id[name] for name in chosen]


def _usual(finished: Sequence[Run], split: str) -> list[str]:
    """Of each kind of label, among the runs scored on this split, the one that validation speaks for; never test."""
    best: dict[tuple[str, str], tuple[float, str]] = {}
    for run in finished:
        if run.limited or not any(score.split == split for score in scores(run)):
            continue
        own = score_of(run, run.labels, "validation")
        kind, rank = (run.dataset, run.taught), (0.0 if own is None else own.accuracy, run.id)
        best[kind] = max(best.get(kind, rank), rank)
    return [name for _, name in best.values()]


def _matrix(table: Sequence[Crossing], split: str) -> None:
    known = list(LABEL_SETS)
    columns = sorted(
        {each.labels for each in table}, key=lambda name: (known.index(name) if name in known else 99, name)
    )
    called = names(list({each.run.id: each.run for each in table}.values()))
    cells = {
        (each.run.id, each.labels): Cell(each.accuracy, interval_in_percent(each.interval), _is_home(each))
        for each in table
    }
    rows = {each.run.id: (taught(each.run), called[each.run.id]) for each in table}
    titles = {labels: (labels_name(labels), f"n = {_counts(table, labels)}") for labels in columns}
    st.html(crossing_table(rows, titles, cells))
    st.caption(f"Accuracy on {split}, %, and its 95% interval.")


def _counts(table: Sequence[Crossing], labels: str) -> str:
    counts = sorted({each.n for each in table if each.labels == labels})
    return " or ".join(f"{n:,}" for n in counts[:3])


def _is_home(each: Crossing) -> bool:
    return each.labels in teaching(each.run.taught).own


def _reading(table: Sequence[Crossing], split: str) -> None:
    """What the labels themselves allow, and where they come from."""
    lines = []
    agreement = LABEL_SETS["ferplus-strict"].agreement.get(split)
    if agreement is not None and {each.labels for each in table} >= {"fer2013", "ferplus-strict"}:
        lines.append(
            f"The label sets are two tasks: on {split}, FER2013's original label and the strict majority of ten "
            f"annotators agree on **{100 * agreement.share:.1f}%** of the {agreement.n:,} faces where there is a "
            "majority. A reader who agreed perfectly with one would score that on the other, so a drop outside the "
            "frame may say more about the labels than about a network."
        )
    if any(each.lender for each in table):
        lines.append(
            "Where a run was not scored by some labels itself, they are taken from a run that was, face by face."
        )
    if lines:
        st.caption(" ".join(lines))


def _row(each: Crossing, *, digits: int = 1) -> dict[str, Any]:
    return {
        "Trained on": teaching(each.run.taught).name,
        "Tested on": labels_name(each.labels),
        "Same kind": "yes" if _is_home(each) else "no",
        "Split": each.split,
        "Accuracy, %": 100 * each.accuracy,
        "95% interval": interval_in_percent(each.interval, digits=digits),
        "n": each.n,
        "Macro recall, %": 100 * each.macro_recall,
        "Macro F1, %": 100 * each.macro_f1,
        "Setting": setting(each.run),
        "Run": each.run.id,
        "Labels from": "" if each.lender is None else each.lender.id,
    }


def _columns() -> dict[str, Any]:
    percent = ("Accuracy, %", "Macro recall, %", "Macro F1, %")
    columns: dict[str, Any] = {name: st.column_config.NumberColumn(format="%.1f") for name in percent}
    return columns | {"n": st.column_config.NumberColumn(format="localized")}


def _lessons(table: Sequence[Crossing], split: str) -> None:
    """On one column, the networks that were taught it against those that were not, face by face."""
    called = names(list({each.run.id: each.run for each in table}.values()))
    lines = [
        _lesson(home, other, called)
        for home in table
        for other in table
        if home.labels == other.labels and _is_home(home) and not _is_home(other)
    ]
    st.subheader("Does it matter what was taught?")
    if not lines:
        taught = sorted({teaching(each.run.taught).name for each in table})
        st.info(
            f"All runs shown were trained on {', '.join(taught)}. Train one on other labels to compare: "
            "`python -m training train strong --data PATH` learns FER2013's own labels, "
            "`python -m training train bundled --data PATH` the FER+ votes.",
            icon=":material/school:",
        )
        return
    if any(line["Note"] for line in lines):
        st.warning(
            "Runs are contrasted here that differ in more than the labels they were taught: what the points show may "
            "come from that. The column Note says in what.",
            icon=":material/balance:",
        )
    else:
        lines = [{name: value for name, value in line.items() if name != "Note"} for line in lines]
    st.caption(
        "The same faces, face by face. Points: accuracy of the network taught other labels, minus that of the one "
        "taught these. p: how often chance alone would make so large a difference (exact McNemar test). One seed of "
        "each: another seed moves both, so interval and p speak of these two networks on these faces, not of the "
        "labels they were taught" + (f"; {len(lines)} comparisons, uncorrected." if len(lines) > 1 else ".")
    )
    column = st.column_config.NumberColumn
    show_table(
        lines,
        {
            "Points": column(format="%+.1f"),
            "Note": st.column_config.TextColumn(width="medium"),
            "n": column(format="localized"),
        },
    )


def _lesson(home: Crossing, other: Crossing, called: Mapping[str, str]) -> dict[str, Any]:
    more = [name.rpartition(".")[2] for name in differing(home.run, other.run)]
    note = f"differ in {', '.join(more[:6])}{', …' * (len(more) > 6)}" if more else ""
    line: dict[str, Any] = {"Tested on": labels_name(home.labels), "Note": note}
    pair_names = {"Taught these": called[home.run.id], "Taught others": called[other.run.id]}
    try:
        ids = (home.run.id, other.run.id)
        pair = pair_up(home.answers, other.answers, split=home.split, labels=home.labels, names=ids)
    except ResultsError as error:
        return line | {"Points": None, "Paired 95%": "", "p": "", "n": None} | pair_names | {"Not compared": str(error)}
    figures = {
        "Points": 100 * pair.difference,
        "Paired 95%": interval_in_percent(pair.interval, signed=True),
        "p": p_in_words(pair.p_value),
        "n": pair.n,
    }
    return line | figures | pair_names


def _empty() -> None:
    st.info(
        "No finished run yet. Train one on FER2013's labels and one on the FER+ votes, and this page tells them apart:",
        icon=":material/compare_arrows:",
    )
    st.code(
        "python -m training train strong  --data fer2013.csv    # FER2013's own labels\n"
        "python -m training train bundled --data fer2013.csv    # FER+ votes; needs fer2013new.csv beside it\n"
        "python -m dashboard --results results",
        language="bash",
    )
