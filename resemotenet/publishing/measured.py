"""The part of a model card that says how good the model is: every figure with what it was measured on."""

from collections.abc import Iterator, Sequence

from ..emotions import EMOTIONS
from ..runs.intervals import bootstrap
from ..runs.label_sets import label_set
from ..runs.schema import Audit, Released
from .calibration import calibration
from .chain import chain, touches
from .escaping import code, text
from .facts import Evaluation, ModelFacts
from .metadata import split_name
from .on_photographs import on_photographs
from .wording import brackets, dataset_name, decimals, label_name, share, table


def measured(facts: ModelFacts) -> str:
    """The section without its title."""
    if not facts.evaluations:
        return on_photographs(facts) or (
            "Not measured: this repository holds no figures, so none are claimed. Anyone who has the data can measure."
        )
    first = facts.evaluations[0]
    parts = [_protocol(facts, first), _table(facts.evaluations), _definitions(facts.evaluations)]
    if first.predictions is not None:
        parts += [_by_emotion(facts, first), calibration(facts)]
    else:
        parts.append(
            "**These figures were not checked**: `config.json` states them, and the run is not here. Recall of each "
            "emotion is not known."
        )
    more = [on_photographs(facts), _leaks(facts, first), _elsewhere(facts.elsewhere), _in_8_bits(facts)]
    return "\n\n".join(filter(None, [*parts, *more]))


def _in_8_bits(facts: ModelFacts) -> str:
    """What the other precision costs; all figures above are the exact network's."""
    int8 = facts.model.info.int8
    if int8 is None or not int8.measured:
        return ""
    rows = [
        f"{share(each.int8)}% of {each.n:,} faces of {dataset_name(each.dataset)}, {text(each.split)}, under "
        f"{label_name(each.labels)} ({share(each.exact)}% exact; the same label on {share(each.same)}%)"
        for each in int8.measured
    ]
    return f'All that is the exact network. In 8 bits (`precision="int8"`) it reads {"; ".join(rows)}.'


def _protocol(facts: ModelFacts, first: Evaluation) -> str:
    said = [f"Protocol: {text(first.protocol)}."]
    result = facts.result
    if result is not None and (chosen := result.chosen) is not None:
        said.append(f"Epoch {chosen.epoch + 1}, counted from 1, was chosen by {text(chosen.by)}.")
        said += _since_chosen(facts, result.released, chosen.value)
    said += [*touches(facts), *chain(facts)]
    seed = facts.model.info.training.get("seed") if facts.config is None else facts.config.seed
    if seed is not None:
        said.append(f"One seed ({text(seed)}).")
    views = first.figures.views or facts.model.info.views
    looked = "read once" if views == "none" else "read together with its mirror image"
    said.append(f"Face crops as the data set gives them, no detector, each {looked}.")
    said.append("Brackets: 95% Wilson interval, which covers the sampling of n such faces, not other seeds or cameras.")
    if result is not None and not facts.weights_are_named:
        said.append(
            "The figures were compared with the stored predictions and the model's settings; `result.json` does not "
            "say which file of weights made them."
        )
    return " ".join(said)


def _since_chosen(facts: ModelFacts, released: Released | None, value: float) -> list[str]:
    """Why the figure that chose the epoch is not the one in the table, where it is not."""
    own = next((each for each in facts.evaluations if each.split == "validation" and each.primary), None)
    if own is None or released is None or abs(own.figures.accuracy - value) < 1e-9:
        return []
    mixed = released.mixed
    start = f"{share(mixed.start_share, 0)}% of the way back to the weights it started from, " if mixed else ""
    return [
        f"It had {share(value)}% then; the table gives {share(own.figures.accuracy)}% for the model as "
        f"released: {start}rounded for storage, with its views, temperature and operating point, which may cost "
        "accuracy for the sake of rare emotions."
    ]


def _table(evaluations: tuple[Evaluation, ...]) -> str:
    titles = ["labels", "split", "n", "accuracy, %", "macro recall, %", "macro F1, %", "NLL", "ECE"]
    leaks = any(each.figures.without_leaks is not None for each in evaluations)
    titles += ["without leaks, %"] if leaks else []
    return table(titles, [_row(each, leaks) for each in evaluations], words=2)


def _row(each: Evaluation, leaks: bool) -> list[str]:
    figures = each.figures
    accuracy = f"**{share(figures.accuracy)}**" if each.primary else share(figures.accuracy)
    row = [label_name(each.labels), text(split_name(each.dataset, each.split)), f"{figures.n:,}"]
    row += [accuracy + brackets(figures.interval), _macro_recall(each), share(figures.macro_f1, 1)]
    row += [decimals(figures.nll), decimals(figures.ece)]
    if leaks:
        clean = figures.without_leaks
        row.append(f"{share(clean.accuracy)} of\u00a0{clean.n:,}" if clean else "-")
    return row


def _macro_recall(each: Evaluation) -> str:
    """With its interval, from the predictions where the figures do not have it."""
    interval: Sequence[float] | None = each.figures.macro_recall_interval
    if interval is None and each.predictions is not None:
        interval = bootstrap(each.predictions.confusion).macro_recall
    return share(each.figures.macro_recall, 1) + brackets(interval)


def _definitions(evaluations: tuple[Evaluation, ...]) -> str:
    used = dict.fromkeys(each.labels for each in evaluations)
    lines = [
        f"- {text(meant.name)} ({code(meant.key)}): {text(meant.definition, 400)}" for meant in map(label_set, used)
    ]
    told = "What counts as right:\n\n" + "\n".join(lines)
    return f"{told}\n\n{_agreement()}" if any(each.dataset == "fer2013" for each in evaluations) else told


def _agreement() -> str:
    meant = label_set("fer2013")
    everyone, strict = meant.most_votes["test"], meant.agreement["test"]
    return (
        "A reader who always gave the emotion with the most FER+ votes of the seven (plurality; ties split evenly, "
        f"faces without such votes missed) would agree with FER2013's own label on {share(everyone.share, 1)}% of all "
        f"{everyone.n:,} test faces, and on {share(strict.share, 1)}% of the {strict.n:,} with a strict majority. "
        "Keep it in mind beside every figure on FER2013's labels."
    )


def _by_emotion(facts: ModelFacts, first: Evaluation) -> str:
    """A row an emotion: recall, precision and F1 under the run's labels, and the recall under others."""
    others = [each for each in facts.evaluations[1:] if each.split == first.split]
    titles = [
        "emotion",
        "n",
        "recall, %",
        "precision, %",
        "F1, %",
        *(f"recall by {label_name(each.labels)}, %" for each in others),
    ]
    classes = first.per_class()
    rows = []
    for emotion in EMOTIONS:
        own = classes[emotion]
        row = [emotion, f"{own['support']:,}", *(share(own[key], 1) for key in ("recall", "precision", "f1"))]
        for each in others:
            other = each.per_class()[emotion]
            row.append(f"{share(other['recall'], 1)} of {other['support']:,}")
        rows.append(row)
    rare = [f"{emotion} ({own['support']})" for emotion, own in classes.items() if (own["support"] or 0) < 100]
    note = f" There are few faces of {', '.join(rare)}: those figures are rough." if rare else ""
    return (
        f"### By emotion\n\n{label_name(first.labels)}, {text(split_name(first.dataset, first.split))}, "
        f"n = {first.figures.n:,}.{note}\n\n{table(titles, rows)}\n\n"
        "![Confusion matrix: rows are the labels, columns the answers](confusion.svg)\n\n"
        "The counts, for every split and label definition, are in `confusion.json`."
    )


def _leaks(facts: ModelFacts, first: Evaluation) -> str:
    if facts.config is None:
        return ""
    if facts.audit is None:
        return "### Copies and leaks\n\nThe data was not audited for copies."
    lines = list(_counts(facts.audit))
    if clean := first.figures.without_leaks:
        lines.append(
            f"- {text(first.split.capitalize())} faces without those that have an identical copy in train: "
            f"**{share(clean.accuracy)}%** of {clean.n:,} are read as labelled, with them "
            f"{share(first.figures.accuracy)}% of {first.figures.n:,} ({label_name(first.labels)})."
        )
    left_out = facts.config.dataset.leave_out_leaked
    lines.append(
        "- Training images with an identical copy in validation or test were "
        + ("left out of training." if left_out else "**not** left out of training.")
    )
    return "### Copies and leaks\n\nThe data was audited before training (`audit.json`):\n\n" + "\n".join(lines)


def _elsewhere(evaluations: tuple[Evaluation, ...]) -> str:
    if not evaluations:
        return ""
    rows = []
    for each in evaluations:
        figures = each.figures
        row = [dataset_name(each.dataset), label_name(each.labels), text(each.split), f"{figures.n:,}"]
        row += [share(figures.accuracy) + brackets(figures.interval), _macro_recall(each), decimals(figures.ece)]
        rows.append([*row, str(figures.broken or 0)])
    titles = [
        "data set",
        "labels",
        "split",
        "n",
        "accuracy, %",
        "macro recall, %",
        "ECE",
        "pictures that cannot be read",
    ]
    return (
        "### On other data sets\n\nNothing was chosen on these. Whether they share pictures with the training data was "
        f"not checked.\n\n{table(titles, rows, words=3)}"
    )


def _counts(audit: Audit) -> Iterator[str]:
    near = audit.near_copies
    for counts in (audit.leaks, near.leaks if near else {}):
        for what, count in counts.items():
            whole = audit.images.get(what.partition(" ")[0])
            told = text(what.replace("with a copy", "with an identical copy").capitalize())
            yield f"- {told}: {count:,}" + (f" of {whole:,}." if whole else ".")
    if near is None:
        alike = "near_copies" in audit.model_fields_set
        told = "were not counted, because the images are all alike" if alike else "were not looked for"
        yield f"- Near copies, cropped or compressed a little differently, {told}."
