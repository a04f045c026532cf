"""The ablations C1 to C6, measured beside the paper's table."""

import shlex
from collections.abc import Sequence
from typing import Any

import streamlit as st

from ..analysis.ablations import (
    ABOUT_READINGS,
    CONFIGURATIONS,
    DEFINED,
    Against,
    Series,
    about_layouts,
    accuracies,
    against_c1,
    caution,
    from_c1_mean,
    over_seeds,
    removed,
    scored,
    series_of,
)
from ..analysis.groups import commits_of, devices_of, interval_in_percent, p_in_words, setting
from ..analysis.telling import is_steady
from ..charts import compare
from ..data import Run, Score, label_set, score_of
from ..data.pictures import Pictures
from ..widgets import state
from ..widgets.figures import show_figure
from ..widgets.tables import copy_buttons, show_table

# What a paper's table holds unless other columns are chosen.
_FOR_A_PAPER = ("Configuration", "Removed", "Measured, %", "95% interval", "n", "Points", "Paired 95%")
# What the paper's Table IV calls the parts of the network.
_TERMS = (
    "C1 is the whole network. SE (256): the squeeze-and-excitation block on 256 channels, which weighs them against "
    "each other. CNN (64): the convolution stage that gives 64 channels. RB (256): the residual block that takes 256 "
    f"channels. {ABOUT_READINGS}"
)


def show(runs: Sequence[Run], pictures: Pictures | None) -> None:
    """Draw the page."""
    st.title("Ablations")
    st.markdown(
        "What each part of ResEmoteNet is worth: the paper's configurations C1 to C6, each without some part, trained "
        "here in the same way, beside what the paper claims."
    )
    st.caption(_TERMS)
    every = series_of(runs)
    if not every:
        st.info(
            "None of the configurations has been run to its end yet. This trains all of them:",
            icon=":material/science:",
        )
        st.code(_loop("python -m training train strong --data fer2013.csv", list(CONFIGURATIONS)), language="bash")
        _claims({}, "")
        return
    series, seed, labels, split = _choose(every)
    if series is None or not labels:
        return
    against = against_c1(series, seed, labels, split)
    _conditions(series, seed, labels, split, against)
    rows = [_row(name, against.get(name), series, labels, split) for name in CONFIGURATIONS]
    show_table(_filled(rows), _columns())
    st.caption(
        "Claimed: the paper's Table IV, on RAF-DB: other faces, other sizes. Points: accuracy minus that of C1 of the "
        "same seed, same faces. p: how often chance alone would make so large a difference (exact McNemar test). "
        + caution(series, against, labels, split)
    )
    about = ("Multiply-adds: one face, once.", about_layouts(against), _about_latency(against))
    st.caption(" ".join(filter(None, about)))
    copied = [_row(name, against.get(name), series, labels, split, digits=2) for name in CONFIGURATIONS]
    copy_buttons(
        _filled(copied), name="ablations", caption=f"Ablations, {label_set(labels).name}, {split}.", usual=_FOR_A_PAPER
    )
    _claims(against, f"Measured, seed {seed}")
    _missing(series, against)


def _about_latency(against: dict[str, Against]) -> str:
    """What the times of the table hold for, and that times of several devices are not to be compared."""
    times = [each.run.latency for each in against.values() if each.run.latency is not None]
    if not times:
        return (
            "How long a face takes was not measured: `python -m training latency RUN...` does, where the runs' weights "
            "are."
        )
    places = {each.place for each in times}
    text = f"ms a face: one face alone in its batch, float32, median, on {'; '.join(sorted(places))}."
    if busy := sum(not is_steady(each) for each in times):
        text += f" {busy} of {len(times)} were measured on a busy machine (quartiles far apart): hints only."
    if len(places) > 1:
        return f"{text} **Times of different devices cannot be compared**: see Timed on."
    if len({each.time for each in times}) > 1:
        return f"{text} Not all measured together: `python -m training latency RUN...` measures in turns."
    return text


def _choose(every: Sequence[Series]) -> tuple[Series | None, int | None, str, str]:
    by_key = {series.key: series for series in every}
    left, middle, right = st.columns([5, 3, 2], vertical_alignment="bottom")
    with left:
        chosen = state.one(
            "Runs that differ in the network alone",
            list(by_key),
            key="series",
            text=lambda key: by_key[key].name,
            what="series of runs",
        )
    series = by_key[chosen or every[0].key]
    pairs = [f"{labels}-{split}" for labels, split in scored(series)]
    if not pairs:
        st.info("These runs hold no predictions that can be read.", icon=":material/rule:")
        return None, None, "", ""
    with middle:
        pair = state.one("Scored on", pairs, key="scored", text=_scored_name, what="label definition")
    with right:
        seeds = [str(seed) for seed in series.seeds]
        seed = state.one("Seed", seeds, key="seed", what="seed")
    labels, _, split = (pair or pairs[0]).rpartition("-")
    return series, None if seed in (None, "None") else int(seed), labels, split


def _scored_name(pair: str) -> str:
    labels, _, split = pair.rpartition("-")
    return f"{label_set(labels).name}, {split}"


def _conditions(series: Series, seed: int | None, labels: str, split: str, against: dict[str, Against]) -> None:
    if not against:
        others = [each for each in series.runs.values()]
        st.info(f"No run of seed {seed} was scored so; the series has {len(others)} runs.", icon=":material/rule:")
        return
    runs = [each.run for each in against.values()]
    protocols = "; or: ".join(dict.fromkeys(run.protocol_in_words for run in runs))
    text = (
        f"{label_set(labels).definition} {split.capitalize()}, seed {seed}, {setting(runs[0])}, "
        f"views: {runs[0].views}, {devices_of(runs)}, commit {commits_of(runs)}. Protocol: {protocols}."
    )
    st.caption(
        text + (" The epoch was chosen on these faces, which flatters every row a little." * (split == "validation"))
    )


def _filled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the columns that say nothing of any row."""
    may_be = ("Over seeds", "Points, means", "Layout", "ms a face", "Timed on", "Commit", "Device")
    absent = {name for name in may_be if all(row[name] in ("", None) for row in rows)}
    return [{name: value for name, value in row.items() if name not in absent} for row in rows]


def _row(
    name: str, against: Against | None, series: Series, labels: str, split: str, *, digits: int = 1
) -> dict[str, Any]:
    claim, first = DEFINED[name], DEFINED["C1"]
    score = None if against is None else score_of(against.run, labels, split)
    # All of its seeds: they are merged beside "Over seeds".
    members = [run for (configuration, _), run in series.runs.items() if configuration == name]
    means = from_c1_mean(series, name, labels, split)
    return {
        "Configuration": name,
        "Removed": removed(name),
        **_accuracy(against, score, digits),
        "Over seeds": _over_seeds(over_seeds(series, name, labels, split)),
        "Points, means": None if means is None else 100 * means,
        "Claimed, %": 100 * claim.accuracy,
        "Claimed points": None if claim is first else 100 * (claim.accuracy - first.accuracy),
        "Claimed loss, %": claim.loss,
        "Layout": "" if against is None else "compact" if against.run.compact else "published",
        **_work(None if against is None else against.run),
        "Timed on": "" if against is None or against.run.latency is None else against.run.latency.place,
        "Commit": commits_of(members),
        "Device": devices_of(members),
    }


def _accuracy(against: Against | None, score: Score | None, digits: int) -> dict[str, Any]:
    if against is None or score is None:
        return {"Measured, %": None, "95% interval": "not run", "n": None, "Points": None, "Paired 95%": "", "p": ""}
    pair = against.pair
    return {
        "Measured, %": 100 * score.accuracy,
        "95% interval": interval_in_percent(score.interval, digits=digits),
        "n": score.n,
        "Points": None if pair is None else 100 * pair.difference,
        "Paired 95%": against.problem
        or ("" if pair is None else interval_in_percent(pair.interval, signed=True, digits=digits)),
        "p": "" if pair is None else p_in_words(pair.p_value),
    }


def _work(run: Run | None) -> dict[str, float | None]:
    names = {"Parameters, M": 1e6, "Multiply-adds, M": 1e6, "ms a face": 1, "Minutes": 60, "Memory, GB": 1e9}
    latency = None if run is None or run.latency is None else run.latency.milliseconds
    values = (None,) * 5 if run is None else (run.parameters, run.macs, latency, run.seconds, run.peak_memory)
    return {
        name: None if value is None else value / unit for (name, unit), value in zip(names.items(), values, strict=True)
    }


def _over_seeds(every: Sequence[Score]) -> str:
    """ "62.1 ± 0.4 (3)", or nothing for a single seed."""
    return f"{accuracies(every).in_percent()} ({len(every)})" if len(every) > 1 else ""


def _columns() -> dict[str, Any]:
    column = st.column_config.NumberColumn
    return {
        "Configuration": st.column_config.TextColumn(pinned=True),
        "Measured, %": column(format="%.1f"),
        "n": column(format="localized"),
        "Points": column(format="%+.1f", help="Accuracy minus that of C1 of the same seed, same faces"),
        "Points, means": column(format="%+.1f", help="Mean over its seeds minus the mean over C1's; no interval"),
        "Over seeds": st.column_config.TextColumn(help="Mean ± standard deviation (number of seeds)"),
        "Parameters, M": column(format="%.2f"),
        "Multiply-adds, M": column(format="%.1f"),
        "ms a face": column(format="%.1f", help="One face alone, median"),
        "Minutes": column(format="%.0f", help="Training and validation, all epochs"),
        "Memory, GB": column(format="%.2f", help="The most the process held; on a CPU data and libraries included"),
        "Claimed, %": column(format="%.2f", help="Paper, Table IV, RAF-DB"),
        "Claimed points": column(format="%+.2f", help="Paper, Table IV, RAF-DB: minus its C1"),
        "Claimed loss, %": column(format="%.2f", help="Paper, Table IV; the unit is the paper's"),
    }


def _claims(against: dict[str, Against], title: str) -> None:
    measured = [
        compare.Mark(
            _named(name),
            CONFIGURATIONS[name],
            each.pair.difference,
            *each.pair.interval,
            f"{name}: {100 * each.pair.difference:+.1f} points, n = {each.pair.n:,}",
        )
        for name, each in against.items()
        if each.pair is not None
    ]
    first = DEFINED["C1"].accuracy
    claimed = [
        compare.Mark(
            _named(name),
            CONFIGURATIONS[name],
            DEFINED[name].accuracy - first,
            None,
            None,
            f"{name}: the paper claims {100 * DEFINED[name].accuracy:.2f}% on RAF-DB",
        )
        for name in CONFIGURATIONS
        if name != "C1" and (name in against or DEFINED[name].name == name)
    ]
    figure = compare.deltas(measured, claimed, title or "Measured: nothing yet", "Claimed, RAF-DB")
    show_figure(figure, key="deltas", alt="How far each configuration lies from C1, measured and claimed")
    if not against:
        rows = [
            {
                "Configuration": name,
                "Removed": removed(name),
                "Claimed on RAF-DB, %": f"{100 * each.accuracy:.2f}",
                "Claimed loss, %": f"{each.loss:.2f}",
            }
            for name, each in DEFINED.items()
            if name == each.name
        ]
        st.caption("The paper's Table IV: claims, on RAF-DB. It gives no code for C2 to C6.")
        st.table(rows, hide_index=True, border="horizontal")


def _named(name: str) -> str:
    return name if name == "C1" else f"{name}: without {removed(name)}"


def _missing(series: Series, against: dict[str, Against]) -> None:
    absent = [name for name in CONFIGURATIONS if name not in series.configurations]
    if not absent:
        return
    with st.expander(f"Run the others: {', '.join(absent)}", icon=":material/terminal:"):
        run = next(iter(series.runs.values()))
        st.code(_loop(_command(run), absent), language="bash")


def _command(run: Run) -> str:
    """The command of a run without what a copy of it is given anew."""
    words = run.environment.command
    if words is None or "train" not in words:
        return f"python -m training train {run.recipe} --data PATH"
    kept, skip = [], False
    for word in words:
        name = word.partition("=")[0]
        if skip:
            skip = False
        elif name in ("--data", "--results", "--network.name"):
            skip = "=" not in word
        else:
            kept.append(word)
    return f"{shlex.join(kept)} --data PATH"


def _loop(command: str, configurations: Sequence[str]) -> str:
    models = " ".join(CONFIGURATIONS[name] for name in configurations)
    return f"for name in {models}; do\n  {command} --network.name $name\ndone\npython -m dashboard --results results"
