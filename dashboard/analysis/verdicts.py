"""Whether a paper's claim holds here: asked only of runs that have the paper's recipe, width, input size and epochs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resemotenet.runs.claims import CLAIMS, DATASETS, OURS, Claim, UserReport, claim_of, reports_for
from resemotenet.runs.label_sets import teaching

from ..data import Run
from .groups import Group, in_percent

EMONEXT = "EmoNeXt"
# Only the size that the claim is about: EmoNeXt's smaller ones are other networks.
METHODS: dict[str, str] = {"resemotenet": OURS, "emonext_xlarge": EMONEXT}


@dataclass(frozen=True)
class Size:
    """What a paper's run had; None where it does not say.

    Attributes:
        recipes: those that follow the paper's words or its code.
    """

    width: float
    pixels: int
    epochs: int | None
    recipes: tuple[str, ...]


_SIZES = {OURS: Size(1.0, 64, 80, ("paper", "upstream")), EMONEXT: Size(1.0, 224, None, ("emonext",))}
NOT_YET = "not yet re-run here"


@dataclass(frozen=True)
class Verdict:
    """A claim, and what there is to say about it.

    Attributes:
        reported: what users of the released code and weights report; "" where nobody did.
        measured: accuracies of re-runs; "" without one.
        text: "not yet re-run here", or how the re-runs compare.
    """

    claim: Claim
    reported: str
    measured: str
    text: str


def claim_for(model: str, labels: str) -> Claim | None:
    """What is claimed for a model by a label definition.

    None for FER+: what is claimed on FERPlus names no definition, so there is no figure to set beside it.
    """
    return None if labels == "ferplus" or model not in METHODS else claim_of(METHODS[model], labels)


def user_reports(method: str, dataset: str) -> list[UserReport]:
    """What users report of a method on a data set."""
    return [report for report in reports_for(dataset) if report.what.startswith(method)]


def in_words(reports: Iterable[UserReport]) -> str:
    """ "58-66 (released code, trained again); 62-71.6 (released weights)"."""
    return "; ".join(f"{span(report)} ({report.what.partition(', ')[2]})" for report in reports)


def span(report: UserReport) -> str:
    """The percentages: "58-66"."""
    low, high = (f"{100 * value:.4g}" for value in (report.low, report.high))
    return low if low == high else f"{low}-{high}"


def shortfalls(run: Run, method: str) -> list[str]:
    """In what a run stays below the paper's; [] for a re-run."""
    size = _SIZES[method]
    wanted = (
        ("wide", run.width, size.width),
        ("px", run.size, size.pixels),
        ("epochs", run.epochs_planned, size.epochs),
    )
    short = [
        f"{'unknown' if had is None else format(had, 'g')} of {needed:g} {unit}"
        for unit, had, needed in wanted
        if needed is not None and (had is None or had < needed)
    ]
    if run.recipe not in size.recipes:
        short.append("not the paper's recipe")
    return [*short, "only part of the data"] if run.limited else short


def is_rerun(group: Group, claim: Claim) -> bool:
    """Whether a line of the table may be held against a claim."""
    run = group.run
    same = METHODS.get(run.model) == claim.method and group.labels == claim.dataset == run.taught
    return same and group.split == "test" and not shortfalls(run, claim.method)


def compared(claim: Claim, group: Group) -> str:
    """How a line of the table compares with a claim."""
    if group.run.taught != claim.dataset:
        return f"not a re-run: taught {teaching(group.run.taught).name}"
    if short := shortfalls(group.run, claim.method):
        return f"not a re-run: {', '.join(short)}"
    low, high = group.interval
    if claim.accuracy > high:
        return "does not hold in this re-run: the claim lies above the interval"
    return "exceeded" if claim.accuracy < low else "holds within the interval"


def verdicts(groups: Sequence[Group]) -> list[Verdict]:
    """Every claim for a method that this software can train, FER2013 first."""
    judged = []
    groups = [group for group in groups if group.run.model in METHODS]
    for claim in sorted(_ours(), key=lambda claim: (list(DATASETS).index(claim.dataset), claim.method != OURS)):
        reruns = [group for group in groups if is_rerun(group, claim)]
        measured = "; ".join(f"{in_percent(group.accuracy, group.interval)}, n = {group.n:,}" for group in reruns)
        text = "; ".join(dict.fromkeys(compared(claim, group) for group in reruns)) or _not_yet(claim, groups)
        judged.append(Verdict(claim, in_words(user_reports(claim.method, claim.dataset)), measured, text))
    return judged


def _not_yet(claim: Claim, groups: Sequence[Group]) -> str:
    if claim.dataset == "ferplus":
        return "cannot be tested: the claim names no label definition and no number of classes"
    runs = [group.run for group in groups if METHODS.get(group.run.model) == claim.method]
    near = [run for run in runs if run.taught == claim.dataset]
    if not near:
        return NOT_YET
    largest = max(near, key=lambda run: (run.width or 0, run.size or 0, run.epochs_planned or 0))
    return f"{NOT_YET} (largest run: {', '.join(shortfalls(largest, claim.method)) or 'test not scored'})"


def _ours() -> list[Claim]:
    return [claim for claim in CLAIMS if claim.method in METHODS.values()]
