"""All models on all label sets: what was measured here beside what papers claim and what users report."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from resemotenet.runs.claims import CLAIMS, DATASETS, OURS, claim_of, errata_in
from resemotenet.runs.seeds import OverSeeds

from ..analysis.groups import Group, grouped, interval_in_percent, labels_name, setting
from ..analysis.verdicts import METHODS, Verdict, claim_for, compared, is_rerun, span, user_reports, verdicts
from ..data import LABEL_SETS, Run
from ..data.pictures import Pictures
from ..widgets import state
from ..widgets.tables import copy_buttons, show_table
from .accuracy import show_accuracy

_INTERVAL = "95% interval"
_MIXED = (
    "{} of the rows bring together seeds of several commits or devices, which their columns list, or of both layouts, "
    "which leaves parameters, multiply-adds and time empty."
)
_SORTS = ("accuracy", "newest", "model", "gap", "parameters")
_SORT_NAMES = {"gap": "gap to the claim", "parameters": "parameters, fewest first"}


def show(runs: Sequence[Run], pictures: Pictures | None) -> None:
    """Draw the page."""
    st.title("Overview")
    every = grouped(runs)
    judged = verdicts(every)
    _claims(every, judged)
    st.subheader("Runs")
    if not every:
        _empty(runs)
    else:
        _runs(runs, every)
    _published(every, judged)


def _claims(every: Sequence[Group], judged: Sequence[Verdict]) -> None:
    """The question most visitors come with."""
    st.subheader("Does the claim hold?")
    # Where nothing was measured, the answer stands at the end of the page.
    here = {group.dataset for group in every} | {"fer2013"}
    with st.container(key="claims"):
        st.table([_claim_row(each) for each in judged if each.claim.dataset in here], border="horizontal")
    everyone, strict = LABEL_SETS["fer2013"].most_votes["test"], LABEL_SETS["fer2013"].agreement["test"]
    st.caption(
        "Claims are papers' words, reports those of users, neither a result of this repository. A run is a re-run "
        "only with the paper's recipe (or that of its code), width, input size and epochs. Beside every figure on "
        "FER2013's labels: a reader who always gave the emotion with the most FER+ votes of the seven (plurality; ties "
        f"split evenly, faces without such votes missed) would score **{100 * everyone.share:.1f}%** of all "
        f"{everyone.n:,} test faces, and {100 * strict.share:.1f}% of the {strict.n:,} on which more than half agree."
    )


def _claim_row(each: Verdict) -> dict[str, str]:
    return {
        "Model": each.claim.method,
        "Data set": DATASETS[each.claim.dataset],
        "Claimed, %": f"{100 * each.claim.accuracy:.2f}",
        "Users report, %": each.reported or "nothing known",
        "Re-run here": each.measured or "none",
        "Does it hold?": each.text,
    }


def _runs(runs: Sequence[Run], every: Sequence[Group]) -> None:
    groups = _filtered(runs, every)
    if not groups:
        st.info("No run fits these filters.", icon=":material/filter_alt_off:")
        return
    rows = _filled([_row(group) for group in groups])
    show_table(rows, _columns())
    mixed = sum(group.mixed for group in groups)
    st.caption(
        "Every figure is computed from the stored predictions. ±: standard deviation over seeds. The interval comes "
        "from the number of faces (Wilson, 95%) and knows nothing of seeds. Gap: measured minus claimed, in points, "
        "where the labels taught are those of the claim. A + after a commit: files differed from it."
        + f" {_MIXED.format(mixed)}"
        * bool(mixed)
    )
    rows = [row | {_INTERVAL: _interval(group, digits=2)} for row, group in zip(rows, groups, strict=True)]
    copy_buttons(rows, name="overview", caption="Measured and claimed accuracy.")
    show_accuracy(groups)


def _filtered(runs: Sequence[Run], every: Sequence[Group]) -> list[Group]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
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
        names = {split: f"{split.capitalize()} ({_amount(groups, split):,})" for split in splits}
        split = state.one(
            "Split (runs)", splits, key="split", text=lambda name: names.get(name, name), kind="buttons", what="split"
        )
        sort = state.one("Sort by", _SORTS, key="sort", text=lambda name: _SORT_NAMES.get(name, name), fixed=True)
    groups = [group for group in groups if group.split == split]
    columns = st.columns(4)
    for column, (label, key, of, text) in zip(columns, _FILTERS, strict=False):
        present = sorted({of(group) for group in groups}, key=_label_order)
        with column:
            chosen = state.several(
                label, present, key=key, text=text, placeholder="all", what=label.lower(), fixed=True
            )
        if chosen:
            groups = [group for group in groups if of(group) in chosen]
    with columns[3]:
        words = state.search("Search", key="search", placeholder="recipe, run, device, commit …").lower().split()
    groups = [group for group in groups if all(word in _searched(group) for word in words)]
    return sorted(groups, key=_sort_key(sort or "accuracy"))


def _amount(groups: Sequence[Group], split: str) -> int:
    """How many runs were scored on a split."""
    return len({score.run.path for group in groups if group.split == split for score in group.scores})


_FILTERS: tuple[tuple[str, str, Any, Any], ...] = (
    ("Scored on", "on", lambda group: group.labels, labels_name),
    ("Model", "model", lambda group: group.run.model, str),
    ("Recipe", "recipe", lambda group: group.run.recipe, str),
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

    keys = {
        "accuracy": lambda group: (_label_order(group.labels), -group.accuracy),
        "newest": lambda group: (newest(group), _label_order(group.labels)),
        "model": lambda group: (group.run.model, _label_order(group.labels), -group.accuracy),
        "gap": lambda group: 9.0 if (gap := _gap(group)) is None else -gap,
        "parameters": lambda group: (group.parameters or float("inf"), _label_order(group.labels)),
    }
    return keys[sort]


def _gap(group: Group) -> float | None:
    claim = claim_for(group.run.model, group.labels)
    if claim is None or group.split != "test" or group.run.taught != claim.dataset:
        return None
    return group.accuracy - claim.accuracy


def _row(group: Group) -> dict[str, Any]:
    run, gap = group.run, _gap(group)
    claim = claim_for(run.model, group.labels) if group.split == "test" else None
    return {
        "Model": run.model,
        "Scored on": labels_name(group.labels),
        "Setting": setting(run),
        "Taught": run.taught,
        "Measured, %": 100 * group.accuracy,
        _INTERVAL: _interval(group),
        "n": group.n,
        "±": None if group.accuracies.std is None else 100 * group.accuracies.std,
        "Claimed, %": None if claim is None else 100 * claim.accuracy,
        "Gap": None if gap is None else 100 * gap,
        "Claim": "" if claim is None else compared(claim, group),
        "Users report, %": "" if claim is None else ", ".join(map(span, user_reports(claim.method, claim.dataset))),
        "Seeds": group.seeds,
        "Split": group.split,
        "Without copies, %": None if group.without_leaks is None else 100 * group.without_leaks,
        "Macro recall, %": 100 * group.macro_recall,
        "Macro F1, %": 100 * group.macro_f1,
        "Recipe": run.recipe,
        "Protocol": "; or: ".join(dict.fromkeys(score.run.protocol_in_words for score in group.scores)),
        "Views": run.views,
        "Parameters, M": None if group.parameters is None else group.parameters / 1e6,
        "Multiply-adds, M": None if group.macs is None else group.macs / 1e6,
        "ms a face": None if group.latency is None else group.latency.milliseconds,
        "Timed on": "" if group.latency is None else group.latency.place,
        "Device": group.devices,
        "Commit": group.commits,
        "Run": ", ".join(score.run.id for score in group.scores),
    }


def _interval(group: Group, *, digits: int = 1) -> str:
    return interval_in_percent(group.interval, digits=digits)


def _filled(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the columns that are empty in every row."""
    names = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    return [{name: row[name] for name in names} for row in rows]


def _columns() -> dict[str, Any]:
    column = st.column_config.NumberColumn
    percent = ("Measured, %", "Macro recall, %", "Macro F1, %")
    return {
        **{name: column(format="%.1f") for name in percent},
        "Claimed, %": column(format="%.2f", help="As printed"),
        "Parameters, M": column(format="%.2f"),
        "Model": st.column_config.TextColumn(pinned=True),
        "±": column(format="%.1f", help="Standard deviation over seeds, points"),
        "Gap": column(format="%+.1f", help="Measured minus claimed, points; only where the claim's labels were taught"),
        "Seeds": st.column_config.TextColumn(help="How many, and their numbers"),
        "n": column(format="localized", help="Faces scored"),
        "Multiply-adds, M": column(format="%.1f"),
        "ms a face": column(format="%.1f", help="One face alone, median; compare those timed on the same device only"),
        "Without copies, %": column(format="%.1f", help="Without the faces that have an identical copy in training"),
        "Users report, %": st.column_config.TextColumn(
            help="What users of the released code and weights report", width=165
        ),
        "Claim": st.column_config.TextColumn(help="Whether the paper's claim holds", width=380),
    }


def _empty(runs: Sequence[Run]) -> None:
    running = sum(run.state == "running" for run in runs)
    st.info(
        f"No finished run yet{f'; {running} in training' if running else ''}. A first one takes two minutes, no data:",
        icon=":material/rocket_launch:",
    )
    st.code("python -m training train quick --results results\npython -m dashboard --results results", language="bash")


def _published(every: Sequence[Group], judged: Sequence[Verdict]) -> None:
    title = "All published claims: Table III of the paper and upstream's README"
    with st.expander(title, icon=":material/menu_book:", key="published", on_change="rerun") as box:
        if not box.open:
            return
        rows = _claims_by_method(every)
        show_table(rows, {name: st.column_config.NumberColumn(format="%.2f") for name in rows[0] if name != "Method"})
        with st.container(key="every-claim"):
            st.table([_claim_row(each) for each in judged], border="horizontal")
        errata = errata_in("Table III")
        in_errata = {(OURS, dataset) for each in errata for dataset in each.datasets}
        for claim in CLAIMS:
            if claim.note and (claim.method, claim.dataset) not in in_errata:
                st.caption(f"{claim.method} on {DATASETS[claim.dataset]}: {claim.note}.")
        for each in errata:
            st.caption(f"Erratum {each.mark}, {each.where}: printed are {each.printed}; {each.found}.")
        copy_buttons(rows, name="claims", caption="Published claims, test accuracy.")


def _claims_by_method(every: Sequence[Group]) -> list[dict[str, Any]]:
    """Methods down, data sets across; claims and re-runs in columns of their own."""
    methods = list(dict.fromkeys(claim.method for claim in CLAIMS))
    here = {group.labels for group in every} & set(DATASETS) - {"ferplus"}
    rows = []
    for method in sorted(methods, key=lambda name: name not in METHODS.values()):
        row: dict[str, Any] = {"Method": method}
        for dataset, printed in DATASETS.items():
            claim = claim_of(method, dataset)
            row[f"{printed}, claimed, %"] = None if claim is None else 100 * claim.accuracy
            if dataset in here:
                reruns = [group.accuracy for group in every if claim and is_rerun(group, claim)]
                row[f"{printed}, re-run here, %"] = 100 * OverSeeds.of(reruns).mean if reruns else None
        rows.append(row)
    return rows
