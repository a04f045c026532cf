"""The figures of the overview: accuracies below each other, and against what they cost."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from textwrap import wrap

import streamlit as st

from resemotenet.runs.claims import DATASETS

from ..analysis.groups import Group, in_percent, labels_name, setting
from ..analysis.telling import is_steady, milliseconds
from ..analysis.verdicts import claim_for, span, user_reports
from ..charts import compare
from ..data import LABEL_SETS, Latency
from ..widgets import state
from ..widgets.figures import show_figure

_COSTS = {
    "macs": "Multiply-adds for one face",
    "latency": "Milliseconds for one face",
    "parameters": "Parameters",
    "minutes": "Minutes of training, on its device",
}
# Of the latency see below: it has a device.
_COST_OF: dict[str, Callable[[Group], float | None]] = {
    "macs": lambda group: group.macs,
    "parameters": lambda group: group.parameters,
    "minutes": lambda group: group.minutes,
}
_SMALL = '<span style="font-size:12px">'
# More rows than this make a figure unreadable; the table has all.
_MOST_DRAWN = 24
_ROW_LETTERS = 30


def show_accuracy(groups: Sequence[Group], called: Mapping[str, str]) -> None:
    """Draw two figures over rows of one label definition; accuracies by different ones do not belong on one axis.

    Args:
        called: by run id, the names of the rows.
    """
    st.subheader("Accuracy, and what it costs")
    left, right = st.columns(2, gap="large")
    with right:
        cost = state.one("Against", list(_COSTS), key="cost", text=_COSTS.__getitem__, fixed=True)
        if cost == "latency":
            _latency(groups, called)
        else:
            _cost(groups, called, cost or "macs")
    with left:
        _ranking(groups, called)


def _ranking(groups: Sequence[Group], called: Mapping[str, str]) -> None:
    drawn = groups[:_MOST_DRAWN]
    measured = [_mark(group, called, row=_row_name(called[group.run.id])) for group in drawn]
    claimed, reported = [], []
    for model, labels in dict.fromkeys((group.run.model, group.labels) for group in drawn if group.split == "test"):
        if claim := claim_for(model, labels):
            row = f"{claim.method}<br>{_SMALL}as others say</span>"
            note = f"{claim.method} claims {100 * claim.accuracy:.2f}% on {DATASETS[claim.dataset]} ({claim.source})"
            claimed.append(compare.Range(row, claim.accuracy, claim.accuracy, note))
            reported += [
                compare.Range(row, each.low, each.high, f"users report {span(each)}%<br>{each.what}<br>{each.source}")
                for each in user_reports(claim.method, claim.dataset)
            ]
    crowd = _crowd(drawn)
    figure = compare.ranking(measured, claimed, reported, crowd)
    show_figure(figure, key="ranking", alt="Accuracy of every row, in the order of the table")
    if crowd:
        n = LABEL_SETS["fer2013"].most_votes[drawn[0].split].n
        st.caption(
            f"Dotted: a reader who always gives the emotion with the most FER+ votes (plurality), all {n:,} faces."
        )
    if len(groups) > len(drawn):
        st.caption(f"The first {len(drawn)} of {len(groups):,} rows; filter or sort to see others.")


def _row_name(name: str) -> str:
    """The network on one line, all that tells it apart on the next."""
    network, _, rest = name.partition(", ")
    words = "<br>".join(wrap(rest, _ROW_LETTERS))
    return f"{network}<br>{_SMALL}{words}</span>"


def _mark(group: Group, called: Mapping[str, str], *, row: str = "") -> compare.Mark:
    low, high = group.interval
    std = group.accuracies.std
    spread = "" if std is None else f" ± {100 * std:.1f} points over {len(group.scores)} seeds"
    note = (
        f"<b>{in_percent(group.accuracy, group.interval)}</b>{spread}, n = {group.n:,}<br>"
        f"{called[group.run.id]}<br>{group.run.recipe}, {setting(group.run)}, scored on "
        f"{labels_name(group.labels)}, {group.split}<br>{group.devices}, commit {group.commits}"
    )
    return compare.Mark(row, group.run.model, group.accuracy, low, high, note)


def _crowd(groups: Sequence[Group]) -> list[compare.Line]:
    """What always giving the emotion with the most votes would score, where FER2013's own labels decide.

    Counted over all faces, as the runs are; the majority's agreement is not.
    """
    split = groups[0].split
    crowd = LABEL_SETS["fer2013"].most_votes.get(split)
    if crowd is None or not any(group.labels == "fer2013" for group in groups):
        return []
    return [compare.Line(crowd.share, f"most votes: {100 * crowd.share:.1f}%")]


def _cost(groups: Sequence[Group], called: Mapping[str, str], cost: str) -> None:
    name, of = _COSTS[cost], _COST_OF[cost]
    marks = [replace(_mark(group, called), x=value) for group in groups if (value := of(group)) is not None]
    if not marks:
        st.info(
            f"None of these runs says its {name.lower()}, or seeds in a row have both layouts.",
            icon=":material/straighten:",
        )
        return
    figure = compare.against(marks, name, _crowd(groups))
    show_figure(figure, key=f"cost-{cost}", alt=f"Accuracy against {name.lower()}")


def _latency(groups: Sequence[Group], called: Mapping[str, str]) -> None:
    """One device at a time: what others took says nothing of the models."""
    counted = Counter(place for group in groups for place in group.latencies)
    if not counted:
        st.info(
            "None of these runs says how long one face takes, or seeds in a row have both layouts. Where their weights "
            "are, `python -m training latency RUN...` measures it, several runs in turns.",
            icon=":material/timer:",
        )
        return
    places = [place for place, _ in counted.most_common()]
    place = places[0]
    if len(places) > 1:
        place = state.one("Measured on", places, key="timed", what="device") or place
    drawn = [(group, group.latencies[place]) for group in groups if place in group.latencies]
    marks = [_timed(group, latency, called) for group, latency in drawn]
    figure = compare.against(marks, _COSTS["latency"], _crowd(groups))
    show_figure(figure, key="cost-latency", alt="Accuracy against the time for one face")
    text = (
        f"One face alone in its batch, float32, in each row's views, on **{place}**: median, and quartiles as bars. "
        "Finding the face is not included."
    )
    if len({latency.time for _, latency in drawn}) > 1:
        text += (
            " These were not all measured together, so the machine may have been busier at one time than at another: "
            "`python -m training latency RUN...` measures in turns."
        )
    if busy := sum(not is_steady(latency) for _, latency in drawn):
        text += (
            f" **{busy} of {len(drawn)} were measured on a busy machine** (their quartiles lie far apart): take "
            "them as hints."
        )
    if others := len(groups) - len(drawn):
        text += f" Not drawn: {others} of {len(groups)} rows, not measured, or elsewhere, or seeds in both layouts."
    st.caption(text)


def _timed(group: Group, latency: Latency, called: Mapping[str, str]) -> compare.Mark:
    mark = _mark(group, called)
    note = f"{mark.note}<br>one face: {milliseconds(latency)}, views: {latency.views}"
    return replace(mark, x=latency.milliseconds, x_low=latency.low, x_high=latency.high, note=note)
