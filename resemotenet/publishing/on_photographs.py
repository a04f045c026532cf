"""How whole photographs are read, detector included: the part of a model card that tells what to expect outside a
data set of crops."""

from collections.abc import Sequence

from ..runs.photographs import COMMON
from ..runs.schema import Fact, MeanRecall, Photographs
from .escaping import text
from .facts import ModelFacts
from .wording import brackets, decimals, share, table

DATASET = "photographs"


def in_short(facts: ModelFacts) -> str:
    """One sentence for the opening; "" where it was not measured."""
    measured = facts.photographs or _stated(facts)
    if measured is None or measured.interval is None:
        return ""
    return (
        f" On photographs, in which a detector finds the face first: **{share(measured.accuracy)}%**"
        f"{brackets(measured.interval)} of {measured.n:,}."
    )


def on_photographs(facts: ModelFacts) -> str:
    """The section, or "" where it was not measured."""
    stated, counted = _stated(facts), facts.photographs
    if counted is None and stated is None:
        return ""
    parts = ["### On photographs", _whole(facts, counted, stated)]
    if counted is not None:
        parts += [_table(counted), _averages(counted)]
    return "\n\n".join(filter(None, parts))


def _stated(facts: ModelFacts) -> Fact | None:
    return next((fact for fact in facts.stated if fact.dataset == DATASET), None)


def _whole(facts: ModelFacts, counted: Photographs | None, stated: Fact | None) -> str:
    told = counted or stated
    assert told is not None  # the section is left out otherwise
    said = (
        f"Through the whole chain, detector, crop and network, **{share(told.accuracy)}%**{brackets(told.interval)} of "
        f"{told.n:,} photographs are read as labelled; one in which no face is found counts as wrong"
    )
    said += "." if counted is None else f" (a face was found in {counted.found:,})."
    if stated is not None and stated.protocol:
        said += f" Protocol: {text(stated.protocol, 200)}."
    if facts.model.info.photographs is not None:
        said += " Found faces have an operating point of their own, `photographs` in `config.json`."
    return (
        f"{said} The pictures and what was said of each are not part of this repository, so these counts were not made "
        "again for this card; `python -m training evaluate MODEL --data FOLDER --dataset.name photographs` measures "
        "anybody's."
    )


def _table(counted: Photographs) -> str:
    titles = ["emotion", "photographs", "face found in", "read right", "recall, %"]
    rows = [
        [text(emotion, 40), f"{each.n:,}", f"{each.found:,}", f"{each.right:,}", share(each.recall, 1)]
        for emotion, each in counted.emotions.items()
    ]
    return table(titles, rows)


def _averages(counted: Photographs) -> str:
    common = counted.common
    lines = [f"Mean recall: {_mean(counted.mean_recall)}."]
    if common is not None and common.emotions != counted.mean_recall.emotions:
        lines.append(f"Of those with at least {COMMON} photographs: {_mean(common)}.")
    if counted.ece is not None:
        lines.append(f"Expected calibration error (ECE, 15 bins) of the faces found: {decimals(counted.ece)}.")
    return " ".join(lines)


def _mean(mean: MeanRecall) -> str:
    interval: Sequence[float] | None = mean.interval
    return f"{share(mean.value, 1)}%{brackets(interval)} over {len(mean.emotions)} emotions"
