"""Runs that are seeds of one experiment, as one line of a table; and whether a claim holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from resemotenet.runs.metrics import wilson_interval
from resemotenet.runs.schema import Photographs
from resemotenet.runs.seeds import OverSeeds
from resemotenet.runs.settings import settings_of

from ..data import Latency, Run, Score, label_set, score_of, scores
from .names import teachers

PHOTOGRAPHS = "photographs"


@dataclass(frozen=True)
class Group:
    """The scores of runs of one recipe (seed, layout, code and machine may differ), by one label set on one split.

    Attributes:
        scores: one a run, newest first; all of the same number of faces.
    """

    scores: tuple[Score, ...]

    @property
    def run(self) -> Run:
        """The newest of them; what it says of the recipe holds for all, not what it says of its layout and cost."""
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
    def accuracies(self) -> OverSeeds:
        return OverSeeds.of(score.accuracy for score in self.scores)

    @property
    def accuracy(self) -> float:
        """The mean over seeds; so are the figures below."""
        return self.accuracies.mean

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95%, from the number of faces; it knows nothing of seeds."""
        if len(self.scores) == 1:
            return self.scores[0].interval
        return wilson_interval(round(self.accuracy * self.n), self.n)

    @cached_property
    def validated(self) -> float | None:
        """The mean accuracy on validation by the same labels, by which rows are ordered: by that of test, the first row
        would be one that was chosen on test. None where a seed was not scored there."""
        found = [score_of(score.run, self.labels, "validation") for score in self.scores]
        return OverSeeds.of(score.accuracy for score in found if score).mean if all(found) else None

    @property
    def macro_recall(self) -> float:
        return OverSeeds.of(score.macro_recall for score in self.scores).mean

    @property
    def macro_f1(self) -> float:
        return OverSeeds.of(score.macro_f1 for score in self.scores).mean

    @property
    def without_leaks(self) -> float | None:
        """Accuracy without the faces that have a copy in training; None where that is not known of every seed."""
        clean = [score.without_leaks for score in self.scores]
        return OverSeeds.of(each.accuracy for each in clean if each).mean if all(clean) else None

    @property
    def photographs(self) -> Photographs | None:
        """That of the newest run that was measured on photographs."""
        return next((each for score in self.scores if (each := score.run.photographs) is not None), None)

    @property
    def one_layout(self) -> bool:
        """Whether all its networks are compact, or none is: otherwise no one size or time is that of the row."""
        return len({score.run.compact for score in self.scores}) == 1

    @property
    def parameters(self) -> int | None:
        """None where layouts differ."""
        return self._noted([score.run.parameters for score in self.scores])

    @property
    def macs(self) -> int | None:
        """Multiply-adds for one face; None where layouts differ."""
        return self._noted([score.run.macs for score in self.scores])

    @property
    def minutes(self) -> float | None:
        """Of training; the mean over the runs that say it."""
        seconds = [score.run.seconds for score in self.scores if score.run.seconds is not None]
        return OverSeeds.of(seconds).mean / 60 if seconds else None

    @cached_property
    def latencies(self) -> dict[str, Latency]:
        """By place; of each that of one run, the newest: the machines may not be alike. Empty where layouts differ."""
        by_place: dict[str, Latency] = {}
        for score in self.scores if self.one_layout else ():
            if (each := score.run.latency) is not None:
                by_place.setdefault(each.place, each)
        return by_place

    @property
    def latency(self) -> Latency | None:
        """That of the newest run that says it; None where layouts differ."""
        return next(iter(self.latencies.values()), None)

    def _noted(self, values: list[int | None]) -> int | None:
        # The same for all seeds of one layout; a run of an older version may not say it.
        return next((value for value in values if value is not None), None) if self.one_layout else None

    @property
    def seeds(self) -> str:
        """How many, and which: "3 (0, 1, 2)"."""
        each = sorted(self.scores, key=lambda score: score.run.seed or 0)
        return (
            f"{len(each)} ({', '.join('unknown' if score.run.seed is None else str(score.run.seed) for score in each)})"
        )

    @property
    def commits(self) -> str:
        """Every commit of the code that made these scores."""
        return commits_of(score.run for score in self.scores)

    @property
    def devices(self) -> str:
        """Every machine that they were made on."""
        return devices_of(score.run for score in self.scores)

    @property
    def mixed(self) -> bool:
        """Whether its runs differ in code, machine or layout after all."""
        return not self.one_layout or len({(score.run.commit, score.run.device) for score in self.scores}) > 1


def commits_of(runs: Iterable[Run]) -> str:
    """The distinct commits of runs, short: "0123abcd, 89abcdef+"; a plus where files differed from the commit."""
    each = (f"{run.commit[:8]}{'+' if run.dirty else ''}" if run.commit else "unknown" for run in runs)
    return ", ".join(dict.fromkeys(each))


def devices_of(runs: Iterable[Run]) -> str:
    """The distinct machines of runs."""
    return ", ".join(dict.fromkeys(run.device for run in runs))


def usable(runs: Iterable[Run]) -> list[Run]:
    """Runs whose predictions count: finished, by this version or an older one."""
    return [run for run in runs if run.state == "finished"]


def grouped(runs: Iterable[Run], *, seeds_together: bool = True) -> list[Group]:
    """All scores of all runs as lines of a table, in the order in which they come (newest run first)."""
    rows: dict[tuple[object, ...], list[Score]] = {}
    for run in usable(runs):
        who = (run.recipe_key, run.protocol, run.views) if seeds_together else (run.path,)
        # Stored of photographs is only what was made of those with a face; ``Run.photographs`` counts the others too.
        for score in (each for each in scores(run) if each.labels != PHOTOGRAPHS):
            rows.setdefault((*who, score.labels, score.split, score.n), []).append(score)
    return [Group(tuple(_one_a_seed(group))) for group in rows.values()]


def _one_a_seed(scores: Sequence[Score]) -> list[Score]:
    """The newest of each seed: a run repeated is not another seed."""
    newest: dict[object, Score] = {}
    for score in scores:
        newest.setdefault(score.run.seed if score.run.seed is not None else score.run.path, score)
    return list(newest.values())


def setting(run: Run) -> str:
    """What sets the scale of a run: "0.5 wide, 48 px, 40 epochs", what it started from, how many models taught it.

    And how often a part of a face was erased, for that holds short schedules back more than networks differ.
    """
    erase = settings_of(run.config).get("augmentation.erase")
    parts = [
        None if run.width is None else f"{run.width:g} wide",
        None if run.size is None else f"{run.size} px",
        None if run.epochs_planned is None else f"{run.epochs_planned} epochs",
        f"erase {erase:g}" if erase else None,
        None if run.start is None else f"from {run.start}",
        teachers(run),
    ]
    return ", ".join(part for part in parts if part) or "unknown"


def in_percent(accuracy: float, interval: tuple[float, float]) -> str:
    """ "61.1% (59.5 to 62.7)", as text has it on every page."""
    low, high = interval
    return f"{100 * accuracy:.1f}% ({100 * low:.1f} to {100 * high:.1f})"


def interval_in_percent(interval: tuple[float, float], *, signed: bool = False, digits: int = 1) -> str:
    """ "[59.5, 62.7]", as tables have it; "[-1.2, +0.4]" where the sign matters."""
    low, high = (f"{100 * end:{'+' if signed else ''}.{digits}f}" for end in interval)
    return f"[{low}, {high}]"


def p_in_words(p_value: float) -> str:
    """Two digits, and no 0 that is not one."""
    return f"{p_value:.2g}" if p_value >= 1e-4 else "< 0.0001"


def labels_name(labels: str) -> str:
    """A label definition for people."""
    return label_set(labels).name
