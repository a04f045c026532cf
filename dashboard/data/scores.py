"""Figures from stored predictions: computed, never read from result.json, and kept until the file changes."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from resemotenet.datasets import SPLITS
from resemotenet.errors import ResultsError
from resemotenet.runs import metrics
from resemotenet.runs.calibration import apply_temperature, fit_temperature
from resemotenet.runs.label_sets import label_set
from resemotenet.runs.paired import Paired, pair_up
from resemotenet.runs.results import Predictions, ResultsFolder

from .runs import Run
from .texts import harmless

_FOLDS = 5


@dataclass(frozen=True)
class Clean:
    """Without the faces that have a pixel-identical copy among the training images."""

    n: int
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Score:
    """One prediction file in figures; fractions in [0, 1], nll in nats, interval Wilson's at 95%.

    Attributes:
        labels: the label definition, a key of ``LABEL_SETS`` or the name of another data set.
        dataset: the data set whose faces were scored; ``run.dataset`` is the one trained on.
        leaked: how many faces have a pixel-identical copy in train, None where the predictions do not say.
        without_leaks: None where none has, or that is not known.
    """

    run: Run
    labels: str
    dataset: str
    split: str
    n: int
    accuracy: float
    interval: tuple[float, float]
    macro_recall: float
    macro_f1: float
    nll: float
    ece: float
    leaked: int | None = None
    without_leaks: Clean | None = None


@dataclass(frozen=True)
class Calibrated:
    """Probabilities before and after temperature scaling.

    Before is as they are stored: a released model's own temperature (``Run.temperature``) is in them, so that what is
    left to gain is little.

    Attributes:
        before, after: predictions with the same targets and ids.
        temperature: below 1 sharpens, above 1 softens. Cross-fitted: the mean over the folds.
        fitted_on: "validation": fitted there, shown on another split. "folds": there is no other split, so each fifth
            of the faces is shown with the temperature fitted on the other four.
    """

    before: Predictions
    after: Predictions
    temperature: float
    fitted_on: Literal["validation", "folds"]

    @property
    def ece(self) -> tuple[float, float]:
        """Expected calibration error, before and after."""
        return self._both(metrics.ece)

    @property
    def nll(self) -> tuple[float, float]:
        return self._both(metrics.nll)

    def _both(self, figure: Callable[[Any, Any], float]) -> tuple[float, float]:
        first, second = (figure(each.probabilities, each.targets) for each in (self.before, self.after))
        return first, second


# The fields of a ``Score``, or what is wrong with its file.
_Figures = dict[str, Any] | str
# Without the run itself, which would then live as long as the server.
_of_run: WeakKeyDictionary[Run, list[tuple[str, str, _Figures]]] = WeakKeyDictionary()
_lock = Lock()


def scores(run: Run) -> tuple[Score, ...]:
    """The figures of every prediction file that can be read, in the order of their names; () for a newer schema.

    Files that cannot are told by ``prediction_problems``.
    """
    return tuple(
        Score(run=run, labels=labels, dataset=label_set(labels).dataset, split=split, **figures)
        for labels, split, figures in _figures(run)
        if not isinstance(figures, str)
    )


def score_of(run: Run, labels: str, split: str) -> Score | None:
    """One of ``scores``; None where the run has none such, or its file cannot be read."""
    return next((score for score in scores(run) if (score.labels, score.split) == (labels, split)), None)


def prediction_problems(run: Run) -> tuple[str, ...]:
    """One sentence for each prediction file of a run that cannot be read."""
    return tuple(figures for _, _, figures in _figures(run) if isinstance(figures, str))


def are_kept(run: Run) -> bool:
    """Whether the figures of a run are known already, so that they cost no time."""
    with _lock:
        return run in _of_run


def has_predictions(run: Run, labels: str, split: str) -> bool:
    """Whether there is a prediction file and the way to it is open; it may still be damaged."""
    return run.state != "newer" and os.path.isfile(ResultsFolder(run.path).predictions(labels, split))


def predictions(run: Run, labels: str, split: str) -> Predictions:
    """What a run's model said of a split.

    Raises:
        ResultsError: the file is missing or damaged.
    """
    path = ResultsFolder(run.path).predictions(labels, split)
    return _load(path, _stamp(path))


def paired(a: Run, b: Run, labels: str, split: str) -> Paired:
    """Two runs face by face, on the faces that both scored.

    Raises:
        ResultsError: a file is missing or damaged, or the two share no face or disagree on what is right.
    """
    first, second = predictions(a, labels, split), predictions(b, labels, split)
    return pair_up(first, second, split=split, labels=labels, names=(a.id, b.id))


def calibrated(run: Run, labels: str, split: str) -> Calibrated:
    """The probabilities of a split before and after temperature scaling (Guo et al. 2017), honestly fitted.

    Raises:
        ResultsError: as ``predictions``.
    """
    before = predictions(run, labels, split)
    if split != "validation" and has_predictions(run, labels, "validation"):
        taught = predictions(run, labels, "validation")
        temperature = fit_temperature(taught.probabilities, taught.targets)
        after = apply_temperature(before.probabilities, temperature)
        return Calibrated(before, _with(before, after), temperature, "validation")
    fold_of = np.random.default_rng(0).permutation(len(before.targets)) % _FOLDS
    after, temperatures = np.empty_like(before.probabilities), []
    for fold in range(_FOLDS):
        inside = fold_of == fold
        temperature = fit_temperature(before.probabilities[~inside], before.targets[~inside])
        after[inside] = apply_temperature(before.probabilities[inside], temperature)
        temperatures.append(temperature)
    return Calibrated(before, _with(before, after), float(np.mean(temperatures)), "folds")


def _with(old: Predictions, probabilities: NDArray[np.float32]) -> Predictions:
    return replace(old, probabilities=probabilities)


def _figures(run: Run) -> list[tuple[str, str, _Figures]]:
    """Label definition, split and figures of every prediction file, in the order of their names.

    Kept with the run: ``scan`` gives another object as soon as one of the files changes.
    """
    with _lock:
        kept = _of_run.get(run)
    if kept is None:
        kept = list(_read_figures(run))
        with _lock:
            _of_run[run] = kept
    return kept


def _read_figures(run: Run) -> Iterator[tuple[str, str, _Figures]]:
    if run.state == "newer":
        return
    try:
        with os.scandir(run.path / "predictions") as entries:
            files = sorted((entry.name, entry) for entry in entries if entry.name.endswith(".npz"))
    except OSError:
        return
    for name, entry in files:
        labels, _, split = name.removesuffix(".npz").rpartition("-")
        if labels and labels == harmless(labels) and not name.startswith(".") and split in SPLITS:
            yield labels, split, _figures_of(entry)


def _figures_of(entry: "os.DirEntry[str]") -> _Figures:
    try:
        status = entry.stat()
    except OSError:  # gone since the folder was listed, or a link to nowhere
        return f"predictions/{entry.name} cannot be opened; copy it again."
    return _figures_at(entry.path, (status.st_mtime_ns, status.st_size, status.st_ino))


# For the files of a run of which another one changed; those of unchanged runs are kept with the run.
@lru_cache(maxsize=4096)
def _figures_at(path: str, stamp: "_Stamp") -> _Figures:
    name = f"predictions/{os.path.basename(path)}"
    try:
        return _compute(Path(path))
    except ResultsError:
        return f"{name} is damaged; copy it again, or make it with 'python -m training evaluate'."
    except ValueError as error:
        return f"{name} cannot be scored: {error}."


def _compute(path: Path) -> dict[str, Any]:
    stored = Predictions.load(path)
    figures = stored.figures()
    leaked = None if stored.leaked is None else int(stored.leaked.sum())
    clean = figures.get("without_leaks")
    if clean is not None:
        clean = Clean(**clean, interval=metrics.wilson_interval(round(clean["accuracy"] * clean["n"]), clean["n"]))
    return {**figures, "interval": tuple(figures["interval"]), "leaked": leaked, "without_leaks": clean}


_Stamp = tuple[int, int, int]


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError as error:
        raise ResultsError(f"{path} holds no predictions: {error}") from error
    return status.st_mtime_ns, status.st_size, status.st_ino


@lru_cache(maxsize=64)
def _load(path: Path, stamp: _Stamp) -> Predictions:
    return Predictions.load(path)
