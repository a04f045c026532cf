"""What the pages about single runs share: choosing a run and a split, and saying what a run is."""

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from .. import data
from ..analysis.names import is_bundled, opened_first
from ..data import Run, Score
from . import state

NONE = "none"
_STATE_WORDS = {"running": "running", "unfinished": "stopped early", "broken": "damaged", "newer": "newer version"}
_SPLIT_ORDER = ("test", "validation", "train")


def choose_run(
    runs: Sequence[Run], label: str, *, key: str, called: Mapping[str, str], optional: bool = False
) -> Run | None:
    """A list of runs to choose from, newest first; it opens on the run of the bundled weights, if that is among them.

    Args:
        called: by id, the name of each.
        optional: whether none of them is a choice too; then it is what the list opens on.
    """
    by_id = {run.id: run for run in runs}
    usual = None if optional else opened_first(runs)
    chosen = state.one(
        label,
        [NONE, *by_id] if optional else list(by_id),
        key=key,
        default=None if usual is None else usual.id,
        text=lambda name: _named(by_id.get(name), called),
        what="run",
    )
    return None if chosen is None else by_id.get(chosen)


def choose_scored(scored: Sequence[tuple[str, str]], preferred: str) -> tuple[str, str] | None:
    """Label definition and split of a prediction file, out of those that there are; test where there is one.

    Args:
        scored: (labels, split) of each.
        preferred: the label definition to begin with.
    """
    definitions = sorted(dict.fromkeys(labels for labels, _ in scored), key=lambda name: (name != preferred, name))
    left, right = st.columns(2)
    with left:
        labels = state.one(
            "Labels", definitions, key="labels", text=lambda name: data.label_set(name).name, what="label definition"
        )
    splits = [split for split in _SPLIT_ORDER if (labels, split) in set(scored)]
    with right:
        split = state.one("Split", splits, key="split", text=str.capitalize, kind="buttons", what="split")
    return None if labels is None or split is None else (labels, split)


def show_problem(run: Run) -> None:
    """What is wrong with a run, or that it still goes on; nothing for one that is finished and whole."""
    if run.state == "running":
        st.info(
            "This run is still training; figures from its predictions will follow when it ends.",
            icon=":material/timelapse:",
        )
    elif run.state != "finished" and run.problem:
        st.warning(run.problem, icon=":material/warning:")
    elif run.problem:
        st.caption(run.problem)
    for problem in data.prediction_problems(run):
        st.warning(problem, icon=":material/warning:")


def no_runs(what: str) -> None:
    """The page when there is nothing to show."""
    st.info(
        f"There is no run {what} yet. Train one with `python -m training train RECIPE --data PATH`, then open the "
        "dashboard with `--results` and the folder it wrote to.",
        icon=":material/folder_open:",
    )


def context(score: Score) -> str:
    """Everything a figure stands with, as one line: labels, split, n, protocol, seed, device, commit."""
    run = score.run
    parts = [
        data.label_set(score.labels).name,
        score.split,
        f"n = {score.n:,}",
        run.protocol_in_words if run.protocol != "unknown" else "",
        f"views: {run.views}" if run.views != "unknown" else "",
        "" if run.seed is None else f"seed {run.seed}",
        run.device if run.device != "unknown" else "",
        "" if run.commit is None else f"commit {run.commit[:8]}",
        "only the first faces of each split: a rehearsal" if run.limited else "",
    ]
    return " · ".join(escape(part) for part in parts if part)


def no_predictions(run: Run) -> None:
    """Why nothing can be computed of a run: its files are damaged, or they are still to come."""
    if problems := data.prediction_problems(run):
        files = "the prediction file" if len(problems) == 1 else f"all {len(problems)} prediction files"
        st.error(
            f"Nothing can be computed: {files} of this run cannot be read, see above. Copy predictions/ again from "
            "where the run was made, or write it again there with `python -m training evaluate`.",
            icon=":material/broken_image:",
        )
    elif run.state in ("running", "unfinished"):
        st.info("There are no predictions yet: they are written when the run ends.", icon=":material/hourglass:")
    else:
        st.info(
            "There are no predictions in this run's folder, though it is no longer training: copy predictions/ again.",
            icon=":material/folder_open:",
        )


def accuracy_in_words(score: Score) -> str:
    """ "86.9% (85.6 to 88.2)"."""
    return f"{100 * score.accuracy:.1f}% {interval_in_words(score.interval)}"


def percent(value: float | None, interval: tuple[float, float] | None) -> str:
    """For a column in percent: "61.2 (57.0 to 65.3)"; a dash for an interval or a figure that is not defined."""
    if value is None:
        return "-"
    return f"{100 * value:.1f} {interval_in_words(interval)}"


def interval_in_words(interval: tuple[float, float] | None, *, signed: bool = False) -> str:
    """ "(57.0 to 65.3)"; "(-1.2 to +0.4)" where the sign matters; "(-)" where there is none."""
    if interval is None:
        return "(-)"
    low, high = (f"{100 * end:{'+' if signed else ''}.1f}" for end in interval)
    return f"({low} to {high})"


def _named(run: Run | None, called: Mapping[str, str]) -> str:
    if run is None:
        return "None"
    notes = [note for note in (_STATE_WORDS.get(run.state), "the bundled weights" * is_bundled(run)) if note]
    return f"{called[run.id]} ({', '.join(notes)})" if notes else called[run.id]
