"""Part of the overview: every run in a table, with filters in front of it and a way from each row to its run."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ..analysis.groups import Group, grouped, interval_in_percent, labels_name, setting
from ..analysis.names import names
from ..analysis.telling import is_steady
from ..analysis.verdicts import claim_for, compared, span, user_reports
from ..data import LABEL_SETS, Run, label_set
from ..widgets import state
from ..widgets.links import link
from ..widgets.tables import copy_buttons, row_picker
from .accuracy import show_accuracy

_INTERVAL = "95% interval"
_EVERY = "all"
_MIXED = (
    "{} of the rows bring together seeds of several commits or devices, which their columns list, or of both layouts, "
    "which leaves parameters, multiply-adds and time empty."
)
_SORTS = ("validation", "newest", "model", "parameters")
_SORT_NAMES = {"validation": "accuracy on validation", "parameters": "parameters, fewest first"}
# What a paper's table holds unless other columns are chosen.
_FOR_A_PAPER = ("Name", "Setting", "Scored on", "Measured, %", _INTERVAL, "n", "Protocol")


def show_runs(runs: Sequence[Run], every: Sequence[Group]) -> None:
    labels, groups, called = _filtered(runs, every)
    if not groups:
        st.info("No run fits these filters.", icon=":material/filter_alt_off:")
        return
    filled = _filled([_row(group, called) for group in groups])
    leads = st.container(horizontal=True, key="leads")
    identity = zlib.crc32(" ".join(score.run.id + score.labels for group in groups for score in group.scores).encode())
    picked = row_picker(filled, _columns(), key=f"runs-{identity:08x}")
    with leads:
        _leads([groups[row].run for row in picked])
    mixed = sum(group.mixed for group in groups)
    st.caption(
        "Unless you sort them, rows stand in the order of validation: in that of test the first would be one chosen on "
        "test. ±: standard deviation over seeds. The interval comes from the number of faces (Wilson, 95%) and knows "
        "nothing of seeds. Gap: measured minus claimed, in points, where the labels taught are those of the claim. A + "
        "after a commit: files differed from it." + f" {_MIXED.format(mixed)}" * bool(mixed)
    )
    rows = [row | {_INTERVAL: _interval(group, digits=2)} for row, group in zip(filled, groups, strict=True)]
    copy_buttons(rows, name="overview", caption="Measured and claimed accuracy.", usual=_FOR_A_PAPER)
    if labels == _EVERY and len({group.labels for group in groups}) > 1:
        st.caption("Choose one label definition above to see its runs in figures: two are two tasks.")
    else:
        show_accuracy(groups, called)


def _leads(picked: Sequence[Run]) -> None:
    """Where the rows that are ticked lead to."""
    if not picked:
        st.caption("Tick a row to open its run, or several to compare them.")
        return
    ids = [run.id for run in picked]
    if len(ids) == 1:
        link("run", "Open this run", icon="monitoring", run=ids[0])
        link("confusion", "Its confusion", icon="grid_on", run=ids[0])
        return
    link("compare", f"Compare these {len(ids)} runs", icon="stacked_line_chart", beside=ids)
    if len(ids) == 2:
        link("confusion", "Both, face by face", icon="grid_on", run=ids[0], against=ids[1])


def _filtered(runs: Sequence[Run], every: Sequence[Group]) -> tuple[str, list[Group], dict[str, str]]:
    """The label definition chosen, the rows that fit all filters, and what each is called."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        together = state.one(
            "Rows",
            ["seeds", "runs"],
            key="rows",
            text={"seeds": "Seeds together", "runs": "Each run"}.__getitem__,
            kind="buttons",
            fixed=True,
        )
        groups = list(every) if together != "runs" else grouped(runs, seeds_together=False)
        splits = [split for split in ("test", "validation", "train") if any(group.split == split for group in groups)]
        counted = {split: f"{split.capitalize()} ({_amount(groups, split):,})" for split in splits}
        split = state.one(
            "Split (runs)", splits, key="split", text=lambda name: counted.get(name, name), kind="buttons", what="split"
        )
        sort = state.one("Sort by", _SORTS, key="sort", text=lambda name: _SORT_NAMES.get(name, name), fixed=True)
    groups = [group for group in groups if group.split == split]
    called = names(list({group.run.id: group.run for group in groups}.values()))
    labels = _choose_labels(groups)
    if labels != _EVERY:
        groups = [group for group in groups if group.labels == labels]
    columns = st.columns(3)
    for column, (label, key, of) in zip(columns, _FILTERS, strict=False):
        present = sorted({of(group) for group in groups})
        with column:
            chosen = state.several(label, present, key=key, placeholder="all", what=label.lower(), fixed=True)
        if chosen:
            groups = [group for group in groups if of(group) in chosen]
    with columns[2]:
        words = state.search("Search", key="search", placeholder="recipe, run, device, commit …").lower().split()
    groups = [group for group in groups if all(word in _searched(group) for word in words)]
    return labels, sorted(groups, key=_sort_key(sort or "validation")), called


def _choose_labels(groups: Sequence[Group]) -> str:
    """The label definition of the table and of the figures below it."""
    present = sorted({group.labels for group in groups}, key=_label_order)
    options = [*present, _EVERY] if len(present) > 1 else present
    rows = {labels: sum(group.labels == labels for group in groups) for labels in present} | {_EVERY: len(groups)}
    labels = state.one(
        "Scored on (rows)",
        options,
        key="on",
        text=lambda name: f"{'All' if name == _EVERY else labels_name(name)} ({rows[name]:,})",
        kind="buttons",
        what="label definition",
    )
    labels = labels or _EVERY
    if labels != _EVERY:
        st.caption(label_set(labels).definition)
    return labels


def _amount(groups: Sequence[Group], split: str) -> int:
    """How many runs were scored on a split."""
    return len({score.run.path for group in groups if group.split == split for score in group.scores})


_FILTERS: tuple[tuple[str, str, Any], ...] = (
    ("Model", "model", lambda group: group.run.model),
    ("Recipe", "recipe", lambda group: group.run.recipe),
)


def _label_order(name: str) -> tuple[int, str]:
    known = list(LABEL_SETS)
    return known.index(name) if name in known else len(known), name


def _searched(group: Group) -> str:
    run = group.run
    parts = [run.model, run.recipe, run.taught, labels_name(group.labels), setting(run), run.protocol_in_words]
    parts += [f"{each.run.id} {each.run.device} {each.run.commit}" for each in group.scores]
    return " ".join(parts).lower()


def _sort_key(sort: str) -> Any:
    def newest(group: Group) -> float:
        return -group.run.started.timestamp() if group.run.started else 0.0

    def validated(group: Group) -> float:
        return 0.0 if group.validated is None else -group.validated

    keys = {
        "validation": lambda group: (_label_order(group.labels), validated(group)),
        "newest": lambda group: (newest(group), _label_order(group.labels)),
        "model": lambda group: (group.run.model, _label_order(group.labels), validated(group)),
        "parameters": lambda group: (group.parameters or float("inf"), _label_order(group.labels)),
    }
    return keys[sort]


def _gap(group: Group) -> float | None:
    claim = claim_for(group.run.model, group.labels)
    if claim is None or group.split != "test" or group.run.taught != claim.dataset:
        return None
    return group.accuracy - claim.accuracy


def _row(group: Group, called: Mapping[str, str]) -> dict[str, Any]:
    run, gap = group.run, _gap(group)
    claim = claim_for(run.model, group.labels) if group.split == "test" else None
    return {
        "Name": called[run.id],
        "Measured, %": 100 * group.accuracy,
        _INTERVAL: _interval(group),
        "n": group.n,
        "±": None if group.accuracies.std is None else 100 * group.accuracies.std,
        "Claimed, %": None if claim is None else 100 * claim.accuracy,
        "Gap": None if gap is None else 100 * gap,
        "Claim": "" if claim is None else compared(claim, group),
        "Users report, %": "" if claim is None else ", ".join(map(span, user_reports(claim.method, claim.dataset))),
        "Seeds": group.seeds,
        "Scored on": labels_name(group.labels),
        "Split": group.split,
        "Model": run.model,
        "Setting": setting(run),
        "Taught": run.taught,
        "Validation, %": None if group.split == "validation" or not group.validated else 100 * group.validated,
        "Without copies, %": None if group.without_leaks is None else 100 * group.without_leaks,
        "Photographs, %": _photographs(group),
        "Macro recall, %": 100 * group.macro_recall,
        "Macro F1, %": 100 * group.macro_f1,
        "Recipe": run.recipe,
        "Protocol": "; or: ".join(dict.fromkeys(score.run.protocol_in_words for score in group.scores)),
        "Views": run.views,
        "Parameters, M": None if group.parameters is None else group.parameters / 1e6,
        "Multiply-adds, M": None if group.macs is None else group.macs / 1e6,
        "ms a face": None if group.latency is None else group.latency.milliseconds,
        "Timed on": _timed_on(group),
        "Device": group.devices,
        "Commit": group.commits,
        "Run": ", ".join(score.run.id for score in group.scores),
    }


def _photographs(group: Group) -> str:
    if (measured := group.photographs) is None:
        return ""
    return f"{100 * measured.accuracy:.1f} {interval_in_percent((measured.interval[0], measured.interval[1]))}"


def _timed_on(group: Group) -> str:
    if (latency := group.latency) is None:
        return ""
    return latency.place + ("" if is_steady(latency) else " (busy machine)")


def _interval(group: Group, *, digits: int = 1) -> str:
    return interval_in_percent(group.interval, digits=digits)


def _filled(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the columns that are empty in every row."""
    filled = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    return [{name: row[name] for name in filled} for row in rows]


def _columns() -> dict[str, Any]:
    column = st.column_config.NumberColumn
    percent = ("Measured, %", "Validation, %", "Macro recall, %", "Macro F1, %")
    return {
        **{name: column(format="%.1f") for name in percent},
        "Claimed, %": column(format="%.2f", help="As printed"),
        "Parameters, M": column(format="%.2f"),
        "Name": st.column_config.TextColumn(pinned=True, width=230),
        "±": column(format="%.1f", help="Standard deviation over seeds, points"),
        "Gap": column(format="%+.1f", help="Measured minus claimed, points; only where the claim's labels were taught"),
        "Seeds": st.column_config.TextColumn(help="How many, and their numbers"),
        "n": column(format="localized", help="Faces scored"),
        "Multiply-adds, M": column(format="%.1f"),
        "ms a face": column(format="%.1f", help="One face alone, median; compare those timed on the same device only"),
        "Photographs, %": st.column_config.TextColumn(
            help="Read right of photographs, found by the detector; one without a face is wrong"
        ),
        "Without copies, %": column(format="%.1f", help="Without the faces that have an identical copy in training"),
        "Users report, %": st.column_config.TextColumn(
            help="What users of the released code and weights report", width=165
        ),
        "Claim": st.column_config.TextColumn(help="Whether the paper's claim holds", width=380),
    }
