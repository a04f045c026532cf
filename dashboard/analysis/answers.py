"""What a visitor wants to know first: the best there is on each label definition, and what holds of the paper."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resemotenet.runs.claims import OURS

from ..data import LABEL_SETS, Run, Score, score_of, scores
from .groups import Group, in_percent, usable
from .names import is_bundled
from .verdicts import Verdict, span, user_reports


@dataclass(frozen=True)
class Answer:
    """The runs of one label definition, on test.

    Attributes:
        best: the run with the highest accuracy on validation under these labels; test has no say in it.
        others: the scores of all other runs.
    """

    labels: str
    best: Score
    others: tuple[Score, ...]


def answers(runs: Iterable[Run]) -> list[Answer]:
    """One for each label definition by which whole runs were scored on validation and on test."""
    by_labels: dict[str, list[tuple[float, Score]]] = {}
    for run in usable(runs):
        for score in scores(run) if not run.limited else ():
            validation = score_of(run, score.labels, "validation")
            if score.split == "test" and validation is not None:
                by_labels.setdefault(score.labels, []).append((validation.accuracy, score))
    known = list(LABEL_SETS)
    order = sorted(by_labels, key=lambda name: (known.index(name) if name in known else len(known), name))
    return [_answer(labels, by_labels[labels]) for labels in order]


def _answer(labels: str, ranked: Sequence[tuple[float, Score]]) -> Answer:
    _, best = max(ranked, key=lambda each: each[0])
    return Answer(labels, best, tuple(score for _, score in ranked if score is not best))


def about_the_paper(judged: Sequence[Verdict]) -> str:
    """What is known of the paper's claim on FER2013, as one sentence with its re-runs or what comes nearest to one."""
    ours = next(each for each in judged if (each.claim.method, each.claim.dataset) == (OURS, "fer2013"))
    text = f"The paper claims **{100 * ours.claim.accuracy:.2f}%** on FER2013's own labels: "
    text += f"re-run here, {ours.measured}, it {ours.text}." if ours.measured else f"{ours.text}."
    reports = [span(each) for each in user_reports(OURS, "fer2013")]
    return text + f" Users of its code report {in_words(reports)}%; who and what stands below."


def about_photographs(runs: Iterable[Run]) -> str:
    """How the run of the bundled weights reads photographs, with its detector; "" where that was not measured."""
    measured = next((run.photographs for run in runs if is_bundled(run)), None)
    if measured is None:
        return ""
    return (
        f"On photographs, found by the detector, the bundled weights read "
        f"**{in_percent(measured.accuracy, (measured.interval[0], measured.interval[1]))}** of {measured.n:,} right."
    )


def in_words(texts: Sequence[str]) -> str:
    """ "58-60, 66 and 62"."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def networks(groups: Sequence[Group]) -> int:
    """How many different networks these rows are of."""
    return len({group.run.model for group in groups})
