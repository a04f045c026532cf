"""In what any runs differ, side by side."""

from collections.abc import Sequence

import streamlit as st

from ..analysis.ablations import series_of
from ..analysis.groups import in_percent, usable
from ..analysis.settings import side_by_side
from ..analysis.telling import milliseconds
from ..data import Run, label_set, scores
from ..widgets import state
from ..widgets.tables import copy_buttons, show_table

_MOST_RUNS = 8


def show_differences(runs: Sequence[Run]) -> None:
    """Draw this part of the page about ablations."""
    by_id = {run.id: run for run in runs if run.config}
    if not by_id:
        st.info(
            "No run to compare yet. `python -m training train quick` makes one in two minutes, without data.",
            icon=":material/difference:",
        )
        return
    every = series_of(runs)
    usual = [run.id for run in every[0].runs.values()] if every else list(by_id)
    if len(usual) < 2:
        usual = [*usual, *(name for name in by_id if name not in usual)][:2]
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    with left:
        chosen = state.several(
            "Runs",
            list(by_id),
            key="beside",
            default=usual[:_MOST_RUNS],
            text=lambda name: by_id[name].caption if name in by_id else name,
            what="run",
            most=_MOST_RUNS,
        )
    with right:
        only = state.switch("Only what differs", key="differing", default=True)
    if len(chosen) < 2:
        st.info(
            "Choose at least two runs." if len(by_id) > 1 else "There is only one run.", icon=":material/difference:"
        )
    if chosen:
        _table([by_id[name] for name in chosen], only_differing=only and len(chosen) > 1)


def _table(runs: Sequence[Run], *, only_differing: bool) -> None:
    names = _distinct([run.caption for run in runs])
    rows = [{"Setting": what, **dict(zip(names, values, strict=True))} for what, values in _results(runs).items()]
    settings = side_by_side(runs, only_differing=only_differing)
    rows += [{"Setting": name, **dict(zip(names, values, strict=True))} for name, values in settings.items()]
    if not settings:
        st.caption("No setting differs between these runs.")
    show_table(rows, {"Setting": st.column_config.TextColumn(pinned=True)})
    copy_buttons(rows, name="runs", caption="Runs, and the settings in which they differ.")


def _results(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Accuracies by the definitions that all of these runs were scored by, recomputed; and what the runs cost."""
    each = [{(s.labels, s.split): s for s in scores(run)} if run in usable([run]) else {} for run in runs]
    common = [pair for pair in (each[0] if each else {}) if all(pair in by_pair for by_pair in each)]
    rows = {}
    for labels, split in sorted(common, key=lambda pair: (pair[1] != "test", pair[0])):
        beside = [by_pair[labels, split] for by_pair in each]
        rows[f"{label_set(labels).name}, {split}"] = [
            f"{in_percent(s.accuracy, s.interval)}, n = {s.n:,}" for s in beside
        ]
    rows["state"] = [run.state for run in runs]
    rows["parameters"] = ["" if run.parameters is None else f"{run.parameters:,}" for run in runs]
    rows["one face"] = [
        "not measured" if run.latency is None else f"{milliseconds(run.latency)}, {run.latency.place}" for run in runs
    ]
    rows["training, minutes"] = ["" if run.seconds is None else f"{run.seconds / 60:.0f}" for run in runs]
    return rows


def _distinct(names: Sequence[str]) -> list[str]:
    """The same names, numbered where two are alike."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result
