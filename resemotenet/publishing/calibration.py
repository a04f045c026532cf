"""How sure the model is against how right it is: the part of a model card about its probabilities."""

from ..runs.label_sets import FERPLUS
from .escaping import text
from .facts import Evaluation, ModelFacts
from .wording import decimals, label_name, share

PICTURE = "calibration.svg"


def calibration(facts: ModelFacts) -> str:
    """The section: a line for each label definition of the split that counts most; only with predictions."""
    first = facts.evaluations[0]
    lines = [_line(each) for each in facts.evaluations if each.split == first.split]
    told = (
        f"### Calibration\n\nThe mean of the largest probability against the accuracy on {text(first.split)}, and the "
        "expected calibration error (ECE, 15 bins):\n\n"
        + "\n".join(lines)
        + f"\n\n![Accuracy against the largest probability]({PICTURE})\n\n{_settings(facts)}"
    )
    taught_shares = facts.config is not None and facts.config.dataset.labels == FERPLUS.key
    if taught_shares and facts.model.info.temperature == 1:
        told += " It was taught shares of annotators, so its probabilities tell how people would be divided."
    return told


def _line(each: Evaluation) -> str:
    confidence, accuracy = each.mean_confidence(), each.figures.accuracy
    gap = confidence - accuracy
    if abs(gap) < 0.02:
        verdict = "on average about as sure as it is right"
    else:
        verdict = f"on average {'too sure' if gap > 0 else 'too modest'} by {share(abs(gap), 1)} points"
    return (
        f"- {label_name(each.labels)}: {share(confidence, 1)}% against {share(accuracy, 1)}%, {verdict}; ECE "
        f"{decimals(each.figures.ece)}."
    )


def _settings(facts: ModelFacts) -> str:
    """Temperature and operating point, and which rows they were fitted on."""
    info, released = facts.model.info, None if facts.result is None else facts.result.released
    bias = (
        "none"
        if info.logit_bias is None
        else ", ".join(f"{text(label)} {value:+.2f}" for label, value in zip(info.labels, info.logit_bias, strict=True))
    )
    what = "answer" if info.photographs is None else "figure here"
    told = (
        f"Part of `config.json` and of every {what}: temperature {info.temperature:g}; operating point (logit bias) "
        f"{bias}."
    )
    if info.sure_margin is not None:
        told += (
            f" Where the largest probability leads the next one by less than {info.sure_margin:g}, the answer is told "
            "as not sure between the two."
        )
    if info.photographs is not None:
        told += (
            " For faces that a detector finds in pictures the predictor has another operating point, `photographs` in "
            f"`config.json` (temperature {info.photographs.temperature:g}); the table is of given crops and does not "
            "use it."
        )
    if released is None:
        return told
    split, _, labels = released.by.partition(", ")
    by = f"{text(split)}, by {label_name(labels)}" if labels else text(split)
    return (
        f"{told} The temperature was fitted and the operating point chosen on {by}, so the {text(split)} rows of the "
        "table are in-sample. What holds for those labels need not hold for others: see the lines above."
    )
