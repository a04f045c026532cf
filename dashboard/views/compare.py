"""Runs beside each other: their curves, what they score, what they cost, and in which settings they differ."""

from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

from resemotenet.errors import ResultsError

from ..analysis.groups import PHOTOGRAPHS, in_percent, interval_in_percent, p_in_words, usable
from ..analysis.names import is_bundled, names
from ..analysis.settings import side_by_side
from ..analysis.telling import milliseconds
from ..charts.curves import compared_curves
from ..data import Run, label_set, paired, score_of, scores
from ..data.pictures import Pictures
from ..widgets import state
from ..widgets.figures import show_figure
from ..widgets.links import link
from ..widgets.tables import copy_buttons, show_table

_MOST_RUNS = 8
_USUALLY = 3
_APART = "against the first"


def show(runs: Sequence[Run], pictures: Pictures | None) -> None:
    """Draw the page."""
    st.title("Compare")
    by_id = {run.id: run for run in runs if run.config}
    if not by_id:
        st.info(
            "No run to compare yet. `python -m training train quick` makes one in two minutes, without data.",
            icon=":material/difference:",
        )
        return
    called = names(runs)
    chosen = state.several(
        "Runs",
        list(by_id),
        key="beside",
        default=_usual(list(by_id.values())),
        text=lambda name: called.get(name, name),
        what="run",
        most=_MOST_RUNS,
    )
    beside = [by_id[name] for name in chosen]
    if len(beside) < 2:
        more = "Choose at least two runs." if len(by_id) > 1 else "There is only one run."
        st.info(more, icon=":material/difference:")
    if beside:
        _leads(beside, called)
        _curves(beside, called)
        _table(beside, called)


def _usual(runs: Sequence[Run]) -> list[str]:
    """The bundled weights' run, and those that do best on validation under the labels that most runs were scored by."""
    finished = usable(runs)
    counted = Counter(score.labels for run in finished for score in scores(run) if score.split == "validation")
    if not counted:
        return [run.id for run in runs[:2]]
    ((labels, _),) = counted.most_common(1)
    ranked = [(score.accuracy, run) for run in finished if (score := score_of(run, labels, "validation")) is not None]
    ranked.sort(key=lambda each: -each[0])
    first = [run for run in finished if is_bundled(run)]
    return list(dict.fromkeys(run.id for run in [*first, *(run for _, run in ranked)]))[:_USUALLY]


def _leads(beside: Sequence[Run], called: Mapping[str, str]) -> None:
    """From here to what each of them takes for what."""
    with st.container(horizontal=True):
        if len(beside) == 2:
            first, second = beside
            link("confusion", "Confusion of both, face by face", icon="grid_on", run=first.id, against=second.id)
        else:
            for run in beside:
                link("confusion", f"Confusion of {called[run.id]}", icon="grid_on", run=run.id)


def _curves(beside: Sequence[Run], called: Mapping[str, str]) -> None:
    counted = Counter(labels for run in beside for line in run.epochs[:1] for labels in line.validation)
    if not counted:
        st.caption("None of these runs has an epoch to draw yet.")
        return
    # First what the most of them say.
    labels = state.one(
        "Scored on",
        [labels for labels, _ in counted.most_common()],
        key="curves",
        text=lambda name: label_set(name).name,
        kind="buttons",
        what="label definition",
    )
    lines = {called[run.id]: run.epochs for run in beside if any(labels in line.validation for line in run.epochs)}
    show_figure(compared_curves(lines, labels or ""), key="compared", alt="Curves of the runs over each other")
    absent = [called[run.id] for run in beside if called[run.id] not in lines]
    st.caption(
        "Validation loss: the negative logarithm of what a run gave the right emotion, on average. Training loss may "
        "be that of augmented faces, of smoothed labels or of teachers' answers, so between runs it shows the course "
        "only." + (f" Not scored on these labels while it trained: {'; '.join(absent)}." if absent else "")
    )


def _table(beside: Sequence[Run], called: Mapping[str, str]) -> None:
    st.subheader("Side by side")
    only = state.switch("Only settings that differ", key="differing", default=True)
    settings = side_by_side(beside, only_differing=only and len(beside) > 1)
    columns = [called[run.id] for run in beside]
    rows = [
        {"Setting": what, **dict(zip(columns, values, strict=True))}
        for what, values in (_results(beside) | settings).items()
    ]
    if not settings:
        st.caption("No setting differs between these runs.")
    show_table(rows, {"Setting": st.column_config.TextColumn(pinned=True)})
    if any(_APART in row["Setting"] for row in rows):
        st.caption(
            "Against the first: accuracy minus that of the first run, on the faces that both scored, its paired 95% "
            "interval, and how often chance alone would make so large a difference (exact McNemar test, uncorrected). "
            "One seed each: another seed moves both."
        )
    copy_buttons(rows, name="runs", caption="Runs, and the settings in which they differ.")


def _results(beside: Sequence[Run]) -> dict[str, list[str]]:
    """Accuracies by every definition that any of them was scored by, recomputed; and what the runs cost."""
    each = [{(s.labels, s.split): s for s in scores(run)} if run in usable([run]) else {} for run in beside]
    pairs = dict.fromkeys(pair for by_pair in each for pair in by_pair if pair[0] != PHOTOGRAPHS)
    rows = {}
    for labels, split in sorted(pairs, key=lambda pair: (pair[1] != "test", pair[0])):
        name = f"{label_set(labels).name}, {split}"
        rows[name] = [
            "" if (s := by_pair.get((labels, split))) is None else f"{in_percent(s.accuracy, s.interval)}, n = {s.n:,}"
            for by_pair in each
        ]
        scored = [(labels, split) in by_pair for by_pair in each]
        if scored[0] and any(scored[1:]):
            apart = [
                _apart(beside[0], run, labels, split) if there else ""
                for run, there in zip(beside, scored, strict=True)
            ]
            rows[f"{name}, {_APART}"] = ["", *apart[1:]]
    if any(run.photographs for run in beside):
        rows["photographs, with the detector"] = [_photographs(run) for run in beside]
    rows["state"] = [run.state for run in beside]
    rows["parameters"] = ["" if run.parameters is None else f"{run.parameters:,}" for run in beside]
    rows["one face"] = [
        "not measured" if run.latency is None else f"{milliseconds(run.latency)}, {run.latency.place}" for run in beside
    ]
    rows["training, minutes"] = ["" if run.seconds is None else f"{run.seconds / 60:.0f}" for run in beside]
    return rows


def _apart(first: Run, run: Run, labels: str, split: str) -> str:
    """How far a run is from the first: "+6.9 points [+5.5, +8.2], p < 0.0001"."""
    try:
        pair = paired(first, run, labels, split)
    except ResultsError:
        return "not the same faces"
    p_value = p_in_words(pair.p_value)
    chance = f"p {p_value}" if p_value.startswith("<") else f"p = {p_value}"
    return f"{100 * pair.difference:+.1f} points {interval_in_percent(pair.interval, signed=True)}, {chance}"


def _photographs(run: Run) -> str:
    if (measured := run.photographs) is None:
        return "not measured"
    return f"{in_percent(measured.accuracy, (measured.interval[0], measured.interval[1]))}, n = {measured.n:,}"
