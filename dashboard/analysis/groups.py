"""Runs that are seeds of one experiment, as one line of a table; and whether a claim holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from resemotenet.metrics import wilson_interval

from ..data import Run, Score, label_set, prediction_problems, scores


@dataclass(frozen=True)
class Group:
    """The scores of runs that differ in nothing but their seed, by one label definition on one split.

    Attributes:
        scores: one a run, newest first; all of the same number of faces.
    """

    scores: tuple[Score, ...]

    @property
    def run(self) -> Run:
        """The newest of them; what it says of the recipe holds for all."""
        return self.scores[0].run

    @property
    def labels(self) -> str:
        return self.scores[0].labels

    @property
    def dataset(self) -> str:
        return self.scores[0].dataset

    @property
    def split(self) -> str:
        return self.scores[0].split

    @property
    def n(self) -> int:
        return self.scores[0].n

    @cached_property
    def accuracy(self) -> float:
        """The mean over seeds."""
        return fmean(score.accuracy for score in self.scores)

    @cached_property
    def std(self) -> float | None:
        """Over seeds; None for a single one."""
        return stdev(score.accuracy for score in self.scores) if len(self.scores) > 1 else None

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 %, from the number of faces; it knows nothing of seeds."""
        if len(self.scores) == 1:
            return self.scores[0].interval
        return wilson_interval(round(self.accuracy * self.n), self.n)

    @property
    def macro_recall(self) -> float:
        return fmean(score.macro_recall for score in self.scores)

    @property
    def macro_f1(self) -> float:
        return fmean(score.macro_f1 for score in self.scores)

    @property
    def without_leaks(self) -> float | None:
        """Accuracy without the faces that have a copy in training; None where that is not known of every seed."""
        clean = [score.without_leaks for score in self.scores]
        return fmean(each.accuracy for each in clean if each) if all(clean) else None

    @property
    def parameters(self) -> int | None:
        return self._noted([score.run.parameters for score in self.scores])

    @property
    def macs(self) -> int | None:
        """Multiply-adds for one face."""
        return self._noted([score.run.macs for score in self.scores])

    @property
    def minutes(self) -> float | None:
        """Of training; the mean over the runs that say it."""
        told = [score.run.seconds for score in self.scores if score.run.seconds is not None]
        return fmean(told) / 60 if told else None

    @staticmethod
    def _noted(values: list[int | None]) -> int | None:
        # The same for all seeds; a run of an older version may not say it.
        return next((value for value in values if value is not None), None)

    @property
    def seeds(self) -> str:
        return ", ".join(str(score.run.seed) for score in sorted(self.scores, key=lambda score: score.run.seed or 0))


_known: dict[Path, tuple[dict[str, Any], tuple[Score, ...], tuple[str, ...]]] = {}


def known_scores(run: Run) -> tuple[Score, ...]:
    """``scores``, without a look at the files while the run is as it was: with a thousand runs looks take a second.

    A scan reads a run again, and so has another ``result``, as soon as a file was added, replaced or removed.
    """
    return _look(run)[1]


def known_problems(run: Run) -> tuple[str, ...]:
    """``prediction_problems``, in the same way."""
    return _look(run)[2]


def is_known(run: Run) -> bool:
    """Whether its scores cost no time."""
    return run.path in _known and _known[run.path][0] is run.result


def _look(run: Run) -> tuple[dict[str, Any], tuple[Score, ...], tuple[str, ...]]:
    if not is_known(run):
        _known[run.path] = run.result, scores(run), prediction_problems(run)
    return _known[run.path]


def usable(runs: Iterable[Run]) -> list[Run]:
    """Runs whose predictions count: finished, by this version or an older one."""
    return [run for run in runs if run.state == "finished"]


def grouped(runs: Iterable[Run], *, seeds_together: bool = True) -> list[Group]:
    """All scores of all runs as lines of a table, in the order in which they come (newest run first)."""
    found: dict[tuple[object, ...], list[Score]] = {}
    for run in usable(runs):
        who = (run.recipe_key, run.protocol, run.views) if seeds_together else (run.path,)
        for score in known_scores(run):
            found.setdefault((*who, score.labels, score.split, score.n), []).append(score)
    return [Group(tuple(_one_a_seed(group))) for group in found.values()]


def _one_a_seed(scores: Sequence[Score]) -> list[Score]:
    """The newest of each seed: a run repeated is not another seed."""
    newest: dict[object, Score] = {}
    for score in scores:
        newest.setdefault(score.run.seed if score.run.seed is not None else score.run.path, score)
    return list(newest.values())


def setting(run: Run) -> str:
    """What sets the scale of a run: "0.5 wide, 48 px, 40 epochs"."""
    parts = [
        None if run.width is None else f"{run.width:g} wide",
        None if run.size is None else f"{run.size} px",
        None if run.epochs_planned is None else f"{run.epochs_planned} epochs",
    ]
    return ", ".join(part for part in parts if part) or "unknown"


def in_percent(accuracy: float, interval: tuple[float, float]) -> str:
    """ "61.05 [59.4, 62.6]"."""
    return f"{100 * accuracy:.2f} {interval_in_percent(interval)}"


def interval_in_percent(interval: tuple[float, float], *, signed: bool = False) -> str:
    """ "[59.4, 62.6]"; "[-1.2, +0.4]" where the sign matters."""
    low, high = (f"{100 * end:{'+' if signed else ''}.1f}" for end in interval)
    return f"[{low}, {high}]"


def p_in_words(p_value: float) -> str:
    """Two digits, and no 0 that is not one."""
    return f"{p_value:.2g}" if p_value >= 1e-4 else "< 0.0001"


def labels_name(labels: str) -> str:
    """A label definition for people."""
    return label_set(labels).name
