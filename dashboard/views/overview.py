"""What there is to know first, then every run in a table, then all that papers claim."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from resemotenet.runs.claims import CLAIMS, DATASETS, OURS, claim_of, errata_in
from resemotenet.runs.seeds import OverSeeds

from ..analysis.groups import Group, grouped
from ..analysis.verdicts import METHODS, Verdict, is_rerun, verdicts
from ..data import LABEL_SETS, Run
from ..data.pictures import Pictures
from ..widgets.tables import copy_buttons, show_table
from .answers import show_answers
from .runs_table import show_runs


def show(runs: Sequence[Run], pictures: Pictures | None) -> None:
    """Draw the page."""
    st.title("Overview")
    every = grouped(runs)
    judged = verdicts(every)
    show_answers(runs, every, judged)
    st.subheader("Every run")
    if not every:
        _empty(runs)
    else:
        show_runs(runs, every)
    _claims(every, judged)
    _published(every, judged)


def _claims(every: Sequence[Group], judged: Sequence[Verdict]) -> None:
    """The question most visitors come with, in full."""
    st.subheader("Does the claim hold?")
    # Where nothing was measured, the answer stands at the end of the page.
    here = {group.dataset for group in every} | {"fer2013"}
    with st.container(key="claims"):
        st.table([_claim_row(each) for each in judged if each.claim.dataset in here], border="horizontal")
    everyone, strict = LABEL_SETS["fer2013"].most_votes["test"], LABEL_SETS["fer2013"].agreement["test"]
    st.caption(
        "A claim is what a paper says, a report what users of its code say; neither is a result of this repository. A "
        "run is a re-run only with the paper's recipe (or that of its code), width, input size and epochs. How far one "
        "can get on FER2013's own labels: a reader who always gave the emotion with the most FER+ votes of the seven "
        "(plurality; ties split evenly, faces without such votes missed) would score "
        f"**{100 * everyone.share:.1f}%** of all {everyone.n:,} test faces, and {100 * strict.share:.1f}% of the "
        f"{strict.n:,} on which more than half agree."
    )


def _claim_row(each: Verdict) -> dict[str, str]:
    return {
        "Model": each.claim.method,
        "Data set": DATASETS[each.claim.dataset],
        "Claimed, %": f"{100 * each.claim.accuracy:.2f}",
        "Users report, %": each.reported or "nothing known",
        "Re-run here": each.measured or "none",
        "Does it hold?": each.text,
        "Claimed in": f"[{each.claim.source}]({each.claim.address})",
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
