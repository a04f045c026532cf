"""What a run tells about itself, as text and numbers for a page."""

import shlex
from typing import Any

from resemotenet.runs.metrics import reliability, wilson_interval

from .. import data
from ..data import Calibrated, Latency, Run


def why_chosen(run: Run) -> str:
    """Which epoch the weights come from and why, in words; epochs are counted from 1."""
    if (chosen := best_epoch(run)) is None:
        return "No epoch is done yet."
    epoch, value, by = chosen
    name = data.label_set(by).name
    so_far = f" of {len(run.epochs)} so far" if run.state == "running" else f" of {len(run.epochs)}"
    text = (
        f"Epoch **{epoch + 1}**{so_far}: it had the best validation accuracy under {name}, {100 * value:.1f}%, the "
        "earliest where several tied. Test had no say in it."
    )
    final = data.score_of(run, by, "validation")
    if final is not None and abs(final.accuracy - value) > 5e-4:
        text += f" Its stored predictions score {100 * final.accuracy:.1f}% there{_released(run)}."
    return text


def _released(run: Run) -> str:
    """What came between the chosen epoch and the stored predictions, as the end of a sentence."""
    mirrored = ["averaging a face with its mirror image"] if run.views == "flip" else []
    if run.released is None and not mirrored:
        return ""
    share = start_share(run)
    mixed = [] if share is None else [f"weights {100 * share:g}% of the way back to those it started from"]
    # A bias of zeros moves nothing. Whether the weights were halved is not noted.
    moved = run.released is not None and any(run.released.logit_bias)
    point = ["an operating point that favours rare emotions"] if moved else []
    added = ", ".join([*mixed, *mirrored, *point])
    return ", after what the release added" + (f" ({added})" if added else "")


def best_epoch(run: Run) -> tuple[int, float, str] | None:
    """(epoch from 0, validation accuracy, label definition) of the chosen epoch; of the best so far while it runs."""
    if run.result is not None and (chosen := run.result.chosen) is not None:
        return chosen.epoch, chosen.value, run.labels
    values = [
        (line.epoch, line.validation[run.labels].accuracy) for line in run.epochs if run.labels in line.validation
    ]
    if not values:
        return None
    epoch, value = max(values, key=lambda each: (each[1], -each[0]))
    return epoch, value, run.labels


def reliability_bins(calibrated: Calibrated, *, after: bool) -> list[dict[str, Any]]:
    """The 15 bins before or after scaling, each with the interval of its accuracy."""
    each = calibrated.after if after else calibrated.before
    bins = reliability(each.probabilities, each.targets)
    for one in bins:
        one["interval"] = wilson_interval(round(one["accuracy"] * one["n"]), one["n"]) if one["n"] else None
    return bins


def command_of(run: Run) -> str | None:
    """What to type to do the run again, and what was done with it afterwards; None where it does not say.

    RUN stands for the folder that training makes.
    """
    if not run.environment.command:
        return None
    checkout = [] if run.commit is None else [f"git checkout {run.commit}"]
    return "\n".join([*checkout, shlex.join(run.environment.command), *_afterwards(run)])


def start_share(run: Run) -> float | None:
    """How much of the released weights are those that training started from; None where none were mixed in."""
    return None if run.released is None or run.released.mixed is None else run.released.mixed.start_share


def _afterwards(run: Run) -> list[str]:
    """The command that wrote the stored predictions of test; releasing a run scores test too."""
    if run.released is not None:
        views, share = run.released.views, start_share(run)
        option = f" --views {views}" if views in ("none", "flip") else ""
        return ["python -m training release RUN OUT" + option + ("" if share is None else f" --start-share {share:g}")]
    return ["python -m training evaluate RUN --split test"] if run.touched else []


def thousands(number: int | None) -> str:
    if number is None:
        return "?"
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {name}"
    return str(number)


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


# Of a median: further than this apart, the quartiles tell of a machine that did other things as well.
_STEADY = 0.2


def is_steady(latency: Latency) -> bool:
    """Whether the machine seems to have been idle but for the measurement, so that the figure is one of the model."""
    return latency.high - latency.low <= _STEADY * latency.milliseconds


def milliseconds(latency: Latency) -> str:
    """ "32.9 ms (32.8 to 33.5)": median and quartiles."""
    text = f"{latency.milliseconds:.3g} ms ({latency.low:.3g} to {latency.high:.3g})"
    return text if is_steady(latency) else f"{text}, on a busy machine"


def times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
