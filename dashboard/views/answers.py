"""Part of the overview: what there is to know first, in three sentences and a figure."""

from collections.abc import Mapping, Sequence

import streamlit as st

from resemotenet.runs.claims import OURS

from ..analysis.answers import Answer, about_photographs, about_the_paper, answers, networks
from ..analysis.groups import Group, in_percent, labels_name, usable
from ..analysis.names import names
from ..analysis.verdicts import Verdict, claim_for, span, user_reports
from ..charts import compare
from ..data import Run, Score, label_set
from ..widgets.figures import show_figure
from ..widgets.links import link


def show_answers(runs: Sequence[Run], every: Sequence[Group], judged: Sequence[Verdict]) -> None:
    """What this is, the best of it, and what holds of the paper."""
    drawn = answers(runs)
    finished, others = len(usable(runs)), networks(every) - any(group.run.model == "resemotenet" for group in every)
    beside = f" and of {others} other network{'s' * (others != 1)}" if others else ""
    what = "ResEmoteNet reads one of seven emotions from a face."
    if finished:
        what += (
            f" Here {'are' if finished > 1 else 'is'} {finished:,} finished run{'s' * (finished > 1)} of it{beside}; "
            "every figure is computed again from what a run said of each face."
        )
    best = ", ".join(
        f"**{in_percent(each.best.accuracy, each.best.interval)}** on {labels_name(each.labels)}" for each in drawn
    )
    lines = [what, *([f"The best, chosen on validation and measured on test: {best}."] if best else [])]
    st.markdown("  \n".join(filter(None, [*lines, about_photographs(runs), about_the_paper(judged)])))
    if not drawn:
        return
    called = names(runs)
    rows = {each.labels: f"{labels_name(each.labels)}<br>n = {each.best.n:,}" for each in drawn}
    figure = compare.ranking(
        [_mark(each.best, rows[each.labels], called, best=True) for each in drawn],
        [
            compare.Range(rows[labels], claim.accuracy, claim.accuracy, f"The paper claims {100 * claim.accuracy:.2f}%")
            for labels in rows
            if (claim := claim_for("resemotenet", labels)) is not None
        ],
        [
            compare.Range(rows[labels], each.low, each.high, f"users report {span(each)}%<br>{each.what}")
            for labels in rows
            for each in user_reports(OURS, labels)
        ],
        others=[_mark(score, rows[each.labels], called) for each in drawn for score in each.others],
    )
    show_figure(figure, key="answers", alt="The best run, the other runs and the paper's claim by label definition")
    with st.container(horizontal=True, key="best"):
        for each in drawn:
            run = each.best.run
            link("run", f"Best on {labels_name(each.labels)}: {called[run.id]}", icon="trophy", run=run.id)
    st.caption(_terms(drawn))


def _mark(score: Score, row: str, called: Mapping[str, str], *, best: bool = False) -> compare.Mark:
    note = f"<b>{in_percent(score.accuracy, score.interval)}</b><br>{called[score.run.id]}"
    low, high = score.interval if best else (None, None)
    return compare.Mark(row, score.run.model, score.accuracy, low, high, note)


def _terms(drawn: Sequence[Answer]) -> str:
    """What each label definition on the chart means."""
    parts = [f"**{label_set(each.labels).name}**: {label_set(each.labels).definition}" for each in drawn]
    return " ".join([*parts, "In brackets and as bars: 95% intervals."])
