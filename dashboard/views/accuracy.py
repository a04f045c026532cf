"""The figures of the overview: accuracies below each other, and against what they cost."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from resemotenet.runs.claims import DATASETS

from ..analysis.groups import Group, in_percent, labels_name, setting, teachers
from ..analysis.telling import milliseconds
from ..analysis.verdicts import claim_for, span, user_reports
from ..charts import compare
from ..data import LABEL_SETS, Latency, Run
from ..widgets import state

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
_SMALL = '<span style="font-size:11px">'
# More rows than this make a figure unreadable; the table has all.
_MOST_DRAWN = 24


def show_accuracy(groups: Sequence[Group]) -> None:
    """Draw two figures over one label definition: accuracies by different ones do not belong on one axis."""
    st.subheader("Accuracy, and what it costs")
    left, right = st.columns(2, gap="large")
    with left:
        present = list(dict.fromkeys(group.labels for group in groups))
        labels = state.one("Scored on", present, key="drawn", text=labels_name, what="label definition")
    with right:
        cost = state.one("Against", list(_COSTS), key="cost", text=_COSTS.__getitem__, fixed=True)
    chosen = [group for group in groups if group.labels == labels]
    with left:
        _ranking(chosen)
    with right:
        if cost == "latency":
            _latency(chosen)
        else:
            _cost(chosen, cost or "macs")


def _ranking(groups: Sequence[Group]) -> None:
    drawn = groups[:_MOST_DRAWN]
    measured = [_mark(group, name) for group, name in zip(drawn, _row_names(drawn), strict=True)]
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
    st.plotly_chart(figure, key="ranking", config={"displayModeBar": False})
    if crowd:
        n = LABEL_SETS["fer2013"].most_votes[drawn[0].split].n
        st.caption(
            f"Dotted: a reader who always gives the emotion with the most FER+ votes (plurality), all {n:,} faces."
        )
    if len(groups) > len(drawn):
        st.caption(f"The first {len(drawn)} of {len(groups):,} rows; filter or sort to see others.")


def _row_names(groups: Sequence[Group]) -> list[str]:
    """Short names, with as much as tells them apart."""
    sized = len({group.run.size for group in groups}) > 1
    scale = [_scale(group.run, sized=sized) for group in groups]
    names = [(group.run.model, size) for group, size in zip(groups, scale, strict=True)]
    counts = Counter(names)
    more = [
        size if counts[name] == 1 else f"{size}, {group.run.recipe}, {group.run.taught}"
        for name, group, size in zip(names, groups, scale, strict=True)
    ]
    counts = Counter(zip((group.run.model for group in groups), more, strict=True))
    return [
        f"{group.run.model}<br>{_SMALL}{words}</span>"
        if counts[group.run.model, words] == 1
        else f"{group.run.model}<br>{_SMALL}{words}<br>seeds: {group.seeds}, {_stamp(group.run)}</span>"
        for group, words in zip(groups, more, strict=True)
    ]


def _stamp(run: Run) -> str:
    """When it began; and where it lies, if another run has its name."""
    return run.id[len(run.path.name) - len("20260101T120000Z") :]


def _scale(run: Run, *, sized: bool) -> str:
    width = "" if run.width is None else f"x{run.width:g}, "
    size = f"{run.size or '?'} px, " if sized else ""
    taught = "" if (each := teachers(run)) is None else f", {each}"
    return f"{width}{size}{run.epochs_planned or '?'} epochs{taught}"


def _mark(group: Group, name: str) -> compare.Mark:
    low, high = group.interval
    std = group.accuracies.std
    spread = "" if std is None else f" ± {100 * std:.1f} points over {len(group.scores)} seeds"
    note = (
        f"<b>{in_percent(group.accuracy, group.interval)}</b>{spread}, n = {group.n:,}<br>"
        f"{group.run.model}, {setting(group.run)}<br>{group.run.recipe}, taught {group.run.taught}, scored on "
        f"{labels_name(group.labels)}, {group.split}<br>{group.devices}, commit {group.commits}"
    )
    return compare.Mark(name, group.run.model, group.accuracy, low, high, note)


def _crowd(groups: Sequence[Group]) -> list[compare.Line]:
    """What always giving the emotion with the most votes would score, where FER2013's own labels decide.

    Counted over all faces, as the runs are; the majority's agreement is not.
    """
    split = groups[0].split
    crowd = LABEL_SETS["fer2013"].most_votes.get(split)
    if crowd is None or not any(group.labels == "fer2013" for group in groups):
        return []
    return [compare.Line(crowd.share, f"most votes: {100 * crowd.share:.1f}%")]


def _cost(groups: Sequence[Group], cost: str) -> None:
    name, of = _COSTS[cost], _COST_OF[cost]
    marks = [replace(_mark(group, ""), x=value) for group in groups if (value := of(group)) is not None]
    if not marks:
        st.info(
            f"None of these runs says its {name.lower()}, or seeds in a row have both layouts.",
            icon=":material/straighten:",
        )
        return
    st.plotly_chart(compare.against(marks, name, _crowd(groups)), key=f"cost-{cost}", config={"displaylogo": False})


def _latency(groups: Sequence[Group]) -> None:
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
    marks = [_timed(*each) for each in drawn]
    figure = compare.against(marks, _COSTS["latency"], _crowd(groups))
    st.plotly_chart(figure, key="cost-latency", config={"displaylogo": False})
    text = (
        f"One face alone in its batch, float32, in each row's views, on **{place}**: median, and quartiles as bars. "
        "Finding the face is not included."
    )
    if len({latency.time for _, latency in drawn}) > 1:
        text += (
            " These were not all measured together, so the machine may have been busier at one time than at another: "
            "`python -m training latency RUN...` measures in turns."
        )
    if others := len(groups) - len(drawn):
        text += f" Not drawn: {others} of {len(groups)} rows, not measured, or elsewhere, or seeds in both layouts."
    st.caption(text)


def _timed(group: Group, latency: Latency) -> compare.Mark:
    mark = _mark(group, "")
    note = f"{mark.note}<br>one face: {milliseconds(latency)}, views: {latency.views}"
    return replace(mark, x=latency.milliseconds, x_low=latency.low, x_high=latency.high, note=note)
