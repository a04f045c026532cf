"""A run under every label set of the faces that it read, also those by which it was not scored.

Predictions say what the network made of a face, whatever its label is; label and face are joined by the sample's id.
So where another run's file holds the labels, a run can be scored by them without its data: exactly, not estimated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from resemotenet.errors import ResultsError
from resemotenet.runs.paired import match
from resemotenet.runs.results import Predictions

from ..data import Run, has_predictions, predictions, score_of, scores

# So many runs are asked for their labels before a cell stays empty.
_MOST_ASKED = 3


@dataclass(frozen=True)
class Crossing:
    """What a run says of a split under one label definition; fractions in [0, 1].

    Attributes:
        answers: predictions with the targets of that definition.
        lender: the run whose file told the labels; None if the run was scored by them itself.
    """

    run: Run
    labels: str
    split: str
    answers: Predictions
    lender: Run | None
    n: int
    accuracy: float
    interval: tuple[float, float]
    macro_recall: float
    macro_f1: float


def crossings(runs: Sequence[Run], lenders: Sequence[Run], split: str) -> list[Crossing]:
    """Every run under every definition that any of ``lenders`` was scored by, where the faces are the same."""
    definitions = dict.fromkeys(labels for run in [*runs, *lenders[:50]] for labels in _definitions(run, split))
    cells = [_crossing(run, labels, split, lenders) for run in runs for labels in definitions]
    return [each for each in cells if each is not None]


def _crossing(run: Run, labels: str, split: str, lenders: Sequence[Run]) -> Crossing | None:
    try:
        if has_predictions(run, labels, split):
            score = score_of(run, labels, split)
            if score is None:  # a damaged file is told of beside the pages: see prediction_problems
                return None
            return Crossing(run, labels, split, predictions(run, labels, split), None, **_shown(vars(score)))
        for lender in _asked(run, labels, split, lenders):
            if (answers := _joined(run, lender, labels, split)) is not None:
                return Crossing(run, labels, split, answers, lender, **_shown(answers.figures()))
    except (ResultsError, ValueError):
        pass  # as above
    return None


def _shown(figures: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: figures[name] for name in ("n", "accuracy", "macro_recall", "macro_f1")}
    return kept | {"interval": tuple(figures["interval"])}


def _asked(run: Run, labels: str, split: str, lenders: Sequence[Run]) -> list[Run]:
    there = (each for each in lenders if each.dataset == run.dataset and each != run)
    return [each for each in there if has_predictions(each, labels, split)][:_MOST_ASKED]


def _joined(run: Run, lender: Run, labels: str, split: str) -> Predictions | None:
    """What ``run`` said of the faces that ``lender`` was scored on, with their labels; None if they are others."""
    definitions = _definitions(run, split)
    common = [labels for labels in definitions if has_predictions(lender, labels, split)]
    if not common:
        return None  # nothing shows that an id means the same face in both
    own = max((predictions(run, each, split) for each in definitions), key=lambda answers: answers.n)
    target = predictions(lender, labels, split)
    shared = match(own, target)
    if shared.n < target.n or not all(_same_labels(run, lender, each, split) for each in common):
        return None
    return replace(own.take(shared.first), targets=target.targets[shared.second], leaked=None)


def _definitions(run: Run, split: str) -> list[str]:
    return [score.labels for score in scores(run) if score.split == split]


def _same_labels(a: Run, b: Run, labels: str, split: str) -> bool:
    """Whether two runs were scored on the same faces by the same labels."""
    shared = match(predictions(a, labels, split), predictions(b, labels, split))
    return shared.left_out == shared.conflicts == 0
