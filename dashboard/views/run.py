"""One run: how it went, how sure it may be, where it errs, and how to do it again."""

from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from resemotenet.errors import ResultsError
from resemotenet.runs.claims import DATASETS, OURS, cost_for
from resemotenet.runs.label_sets import teaching

from .. import data
from ..analysis.groups import in_percent
from ..analysis.live import going
from ..analysis.names import names, network, when
from ..analysis.per_class import averages
from ..analysis.telling import best_epoch, duration, is_steady, milliseconds, reliability_bins, thousands, why_chosen
from ..analysis.verdicts import METHODS
from ..charts.curves import curves_figure
from ..charts.run import reliability_figure
from ..data import Calibrated, Run, Score
from ..data.pictures import Pictures
from ..widgets import state
from ..widgets.choices import choose_run, choose_scored, no_predictions, no_runs, percent, show_problem
from ..widgets.faces import show_faces
from ..widgets.figures import show_figure
from ..widgets.links import link
from ..widgets.samples import hardest, most_confident_mistakes
from ..widgets.tables import show_table
from .run_settings import show_settings

_PARTS = ("Curves", "Calibration", "Mistakes", "Settings")
_MISTAKES = {"confident": "Most confident", "hardest": "Hardest"}
_MISTAKES_HELP = (
    "Most confident: wrong answers that the model was surest of. Hardest: faces whose true emotion it thought least "
    "likely. Look at them before blaming the model: some labels are wrong."
)


def show(runs: Sequence[Run], pictures: Pictures | None) -> None:
    st.title("Run")
    called = names(runs)
    run = choose_run(runs, "Run", key="run", called=called) if runs else None
    if run is None:
        no_runs("here")
        return
    show_problem(run)
    if run.state == "newer":
        return
    _head(run)
    if run.state == "running":
        state_of = going(run)
        st.progress(state_of.share, text=state_of.text.capitalize())
    _one_face(run)
    _claimed_cost(run)
    _photographs(run)
    _figures(run)
    part = state.tab(_PARTS, key="part")
    if part == "Curves":
        _curves(run)
    elif part == "Calibration":
        _calibration(run)
    elif part == "Mistakes":
        _mistakes(run, pictures)
    else:
        show_settings(run)


def _head(run: Run) -> None:
    """What it is and what it cost, as one row of figures."""
    st.caption(f"`{run.id}`" + (f" · begun {begun} UTC" if (begun := when(run)) else ""))
    _links(run)
    shown = {
        "Model": network(run),
        "Learned from": _learned_from(run),
        "Epochs": f"{len(run.epochs)}" + ("" if run.epochs_planned is None else f" of {run.epochs_planned}"),
        "Parameters": None if run.parameters is None else thousands(run.parameters),
        "Multiply-adds per face": None if run.macs is None else thousands(run.macs),
        # What a busy machine took is no figure of the network: it stands below, with its word of warning.
        "Time per face": None
        if run.latency is None or not is_steady(run.latency)
        else f"{run.latency.milliseconds:.3g} ms",
        "Training": None if run.seconds is None else duration(run.seconds),
        "Peak memory": None if run.peak_memory is None else f"{run.peak_memory / 2**30:.2f} GiB",
        "Device": None if run.device == "unknown" else run.device,
    }
    cells = "".join(
        f'<div><div class="name">{escape(name)}</div><div class="value">{escape(value)}</div></div>'
        for name, value in shown.items()
        if value is not None  # a run that still trains does not know all of it
    )
    st.html(f'{_HEAD_STYLE}<div class="run-head">{cells}</div>')


def _links(run: Run) -> None:
    with st.container(horizontal=True):
        if run.state == "finished":
            link("confusion", "Its confusion", icon="grid_on", run=run.id)
        link("compare", "Compare it", icon="stacked_line_chart", beside=[run.id])


def _learned_from(run: Run) -> str:
    return run.dataset if run.taught == run.dataset else f"{run.dataset}, {teaching(run.taught).name}"


def _one_face(run: Run) -> None:
    """How long the network takes for one face, and on what; or how to find out."""
    if (latency := run.latency) is not None:
        st.caption(
            f"One face takes {milliseconds(latency)}, median and quartiles: alone in its batch, float32, views: "
            f"{latency.views}, on {latency.place}. Finding the face is not included."
        )
    elif run.state == "finished":
        st.caption(
            "Time per face was not measured: `python -m training latency RUN` measures it where the run's weights are."
        )


def _photographs(run: Run) -> None:
    """The whole chain, beside the crops of the table below."""
    if (measured := run.photographs) is None:
        return
    accuracy = in_percent(measured.accuracy, (measured.interval[0], measured.interval[1]))
    common = measured.common
    of_emotions = (
        ""
        if common is None
        else (f" Mean recall of {', '.join(common.emotions)}: {percent(common.value, _pair(common.interval))}%.")
    )
    st.markdown(
        f"On photographs **{accuracy}** of {measured.n:,} read right, through detector, crop and network; a face was "
        f"found in {measured.found:,}, and a photograph without one counts as wrong.{of_emotions}"
    )


def _pair(interval: Sequence[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])


def _claimed_cost(run: Run) -> None:
    """What the paper says that its network took on the same data: a claim, beside what was measured."""
    claimed = cost_for(run.dataset) if METHODS.get(run.model) == OURS else None
    if claimed is not None:
        st.caption(
            f"The paper claims {claimed.training_hours:g} h of training and {claimed.inference_ms:g} ms an image for "
            f"{OURS} on {DATASETS[claimed.dataset]}, on an M2 Pro or a P100 (it does not say which): a claim, not a "
            "measurement."
        )


def _figures(run: Run) -> None:
    """Every score of the run, computed from its predictions."""
    scores = data.scores(run)
    if not scores:
        return
    order = {"test": 0, "validation": 1}
    rows = [
        _row(each)
        for each in sorted(scores, key=lambda each: (each.labels != run.labels, each.labels, order.get(each.split, 2)))
    ]
    columns = {
        "n": st.column_config.NumberColumn(format="localized"),
        "NLL": st.column_config.NumberColumn(format="%.3f"),
        "ECE, %": st.column_config.NumberColumn(format="%.1f"),
    }
    show_table(rows, columns, alt="All scores of this run")
    st.caption(
        "Computed from the stored predictions, one seed. 95% intervals: Wilson's for accuracy, a bootstrap over faces "
        f"for macro recall and F1. Protocol: {run.protocol_in_words}."
    )


def _row(score: Score) -> dict[str, Any]:
    recall, f1 = averages(data.predictions(score.run, score.labels, score.split).confusion)
    return {
        "Labels": data.label_set(score.labels).name,
        "Split": score.split,
        "n": score.n,
        "Accuracy, %": percent(score.accuracy, score.interval),
        "Macro recall, %": percent(recall.value, recall.interval),
        "Macro F1, %": percent(f1.value, f1.interval),
        "NLL": score.nll,
        "ECE, %": 100 * score.ece,
    }


def _curves(run: Run) -> None:
    lines = run.epochs
    if not lines:
        if run.state in ("running", "unfinished"):
            st.info("No epoch is done yet; the curves appear with the first one.", icon=":material/hourglass:")
        else:
            st.info("There are no curves: epochs.jsonl is missing or damaged.", icon=":material/show_chart:")
        return
    chosen = best_epoch(run)
    st.markdown(why_chosen(run))
    definitions = {name: data.label_set(name).name for line in lines for name in line.validation}
    shown = _shown_epochs(max(line.epoch for line in lines) + 1)
    figure = curves_figure(
        lines, definitions, deciding=run.labels, chosen=None if chosen is None else chosen[0], shown=shown
    )
    if shown is not None and st.button("Show all epochs", icon=":material/zoom_out:"):
        del st.query_params["epochs"]
        st.rerun()
    show_figure(
        figure,
        key="curves",
        alt="Validation accuracy, loss and learning rate by epoch",
        on_select=_zoom,
        selection_mode="box",
    )
    line = "best epoch so far" if run.state == "running" else "chosen epoch"
    st.caption(
        f"The dotted line is the {line}. Validation faces are never augmented; their loss is the negative logarithm "
        f"of what the right emotion got, under {data.label_set(run.labels).name}. Training loss is that of augmented "
        "faces and of all that is learned from (shares of votes, teachers), so the two need not meet. Drag across the "
        "figure to see some epochs; new ones do not change that."
    )


def _zoom() -> None:
    """Epochs that were dragged over go into the address."""
    boxes = st.session_state["curves"]["selection"]["box"]
    if boxes and len(ends := boxes[-1].get("x", ())) == 2:
        first, last = sorted((max(1, round(ends[0])), max(1, round(ends[1]))))
        st.query_params["epochs"] = f"{first}-{max(last, first + 1)}"


def _shown_epochs(last: int) -> tuple[int, int] | None:
    """The epochs that the address names, "5-20"; None for all of ``last``."""
    words = st.query_params.get("epochs", "").split("-")
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return None
    first, end = int(words[0]), int(words[1])
    return (first, end) if 1 <= first < end and first < last else None


def _calibration(run: Run) -> None:
    if (chosen := _scored(run)) is None:
        return
    try:
        scaled = data.calibrated(run, *chosen)
    except ResultsError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    st.markdown(_how_fitted(scaled, *chosen))
    if run.temperature is not None:
        st.caption(
            f"This model was released with a temperature of its own, {run.temperature:g}, which is in the stored "
            'probabilities already: "before" is as released.'
        )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        figure = reliability_figure(reliability_bins(scaled, after=False), reliability_bins(scaled, after=True))
        show_figure(figure, key="reliability", alt="Reliability before and after")
    with right:
        ece, nll = scaled.ece, scaled.nll
        rows = [
            {"": name, "ECE, %": 100 * error, "NLL": loss}
            for name, error, loss in zip(("Before", "After"), ece, nll, strict=True)
        ]
        formats = {"ECE, %": "%.2f", "NLL": "%.4f"}
        show_table(rows, {name: st.column_config.NumberColumn(format=each) for name, each in formats.items()})
        st.caption(
            "ECE: how far confidence and accuracy lie apart, averaged over the faces of 15 bins of equal width. "
            "Above the dotted line the model is more often right than it is sure, below less often. Bars are 95% "
            "Wilson intervals. Temperature scaling changes no answer, only how sure it is."
        )


def _how_fitted(scaled: Calibrated, labels: str, split: str) -> str:
    name = data.label_set(labels).name
    way = "sharpens" if scaled.temperature < 1 else "softens"
    temperature = f"Temperature **{scaled.temperature:.3f}** ({way} the answers)"
    if scaled.fitted_on == "validation":
        return f"{temperature}, fitted on validation under {name}, shown on **{split}** (n = {scaled.before.n:,})."
    return (
        f"{temperature} on average. There is no other split to show it on, so it is fitted and shown on **{split}** in "
        f"five folds under {name}: every face is shown with the temperature that the other four fifths gave "
        f"(n = {scaled.before.n:,})."
    )


def _mistakes(run: Run, pictures: Pictures | None) -> None:
    if (chosen := _scored(run)) is None:
        return
    bar = st.container(horizontal=True)
    with bar:
        kind = state.one(
            "Mistakes",
            list(_MISTAKES),
            key="mistakes",
            text=lambda name: _MISTAKES[name],
            kind="buttons",
            help=_MISTAKES_HELP,
        )
    try:
        predictions = data.predictions(run, *chosen)
    except ResultsError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    rows = hardest(predictions) if kind == "hardest" else most_confident_mistakes(predictions)
    st.markdown(f"**{len(rows):,}** of {predictions.n:,} faces read wrong")
    if len(rows):
        show_faces(predictions, rows, run, chosen, pictures, key=f"{run.id} {chosen} {kind}", bar=bar)


def _scored(run: Run) -> tuple[str, str] | None:
    scored = [(each.labels, each.split) for each in data.scores(run)]
    if not scored:
        no_predictions(run)
        return None
    return choose_scored(scored, run.labels)


_HEAD_STYLE = """<style>
.run-head {display:grid; grid-template-columns:repeat(auto-fit,minmax(125px,1fr)); gap:6px 18px}
.run-head .name {font-size:12px; opacity:.65}
.run-head .value {font-size:16px; line-height:1.3; font-variant-numeric:tabular-nums; overflow-wrap:anywhere}
</style>"""
