"""Intervals of figures that are no shares of cases, for which Wilson's does not hold: F1, and averages over classes.

A percentile bootstrap (Efron 1979): faces drawn again with replacement are cells of the confusion matrix drawn again,
so thousands of draws cost milliseconds, and the same matrix gives the same interval. Like Wilson's it knows of the
sampling of faces only, not of seeds. A class of a handful of faces is drawn not at all now and then; such draws have
no say in its interval, and the average over classes is then one over those that occur.

Where all faces give the same figure however they are drawn (no hit at all: always 0; no error at all: always 1), the
bootstrap knows nothing of how far off it may be: there is no interval then, rather than one of no width.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]


@dataclass(frozen=True)
class Bootstrapped:
    """Intervals of a confusion matrix; None where every draw gives the same.

    Attributes:
        f1: one a class, None also where the class is neither true nor predicted.
        macro_recall, macro_f1: as ``metrics.macro_recall`` and ``metrics.macro_f1`` average.
    """

    f1: tuple[Interval | None, ...]
    macro_recall: Interval | None
    macro_f1: Interval | None


@dataclass(frozen=True)
class Differences:
    """Intervals of what one model's figures are above another's on the same faces; None as in ``Bootstrapped``.

    Attributes:
        recall, precision, f1: one a class.
    """

    recall: tuple[Interval | None, ...]
    precision: tuple[Interval | None, ...]
    f1: tuple[Interval | None, ...]
    macro_recall: Interval | None
    macro_f1: Interval | None


def bootstrap(table: NDArray[np.int64], *, draws: int = 2000, confidence: float = 0.95, seed: int = 0) -> Bootstrapped:
    """All of them from one set of draws.

    Args:
        table: (K, K) counts as from ``metrics.confusion``, rows are the truth.
        draws: how often as many faces are drawn.

    Raises:
        ValueError: the table is not square or has no faces, or ``confidence`` leaves (0, 1).
    """
    if table.ndim != 2 or table.shape[0] != table.shape[1] or table.sum() < 1 or table.min() < 0:
        raise ValueError(f"expected (K, K) counts of at least one face, got shape {table.shape}, sum {table.sum()}")
    drawn = _drawn(table, draws, confidence, seed)
    figures = _figures(drawn)
    return Bootstrapped(
        f1=_each(figures["f1"], confidence),
        macro_recall=_percentiles(np.nanmean(figures["recall"], axis=1), confidence),
        macro_f1=_percentiles(np.nanmean(figures["f1"], axis=1), confidence),
    )


def joint_confusion(
    first: NDArray[np.int64], second: NDArray[np.int64], targets: NDArray[np.int64], *, num_classes: int
) -> NDArray[np.int64]:
    """Count what two models said of the same faces: (K, K, K), by truth, answer of the first, answer of the second.

    Args:
        first, second: (N,) classes that the two models predicted.
        targets: (N,) the truth.

    Raises:
        ValueError: the lengths differ or are 0.
    """
    if not first.shape == second.shape == targets.shape or not targets.size:
        raise ValueError(
            f"expected predictions of two models for the same faces, got {first.shape}, {second.shape} and targets "
            f"{targets.shape}"
        )
    joint = np.zeros((num_classes,) * 3, np.int64)
    np.add.at(joint, (targets, first, second), 1)
    return joint


def bootstrap_difference(
    joint: NDArray[np.int64], *, draws: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Differences:
    """Of the second minus the first, faces drawn again with what both said of them: sharper than two intervals.

    Args:
        joint: (K, K, K) counts as from ``joint_confusion``.

    Raises:
        ValueError: ``confidence`` leaves (0, 1).
    """
    drawn = _drawn(joint, draws, confidence, seed)
    one, other = _figures(drawn.sum(axis=3)), _figures(drawn.sum(axis=2))
    apart = {name: other[name] - one[name] for name in one}
    # Each average is over the classes that it is defined for, as it is for a single model.
    macro = {name: np.nanmean(other[name], axis=1) - np.nanmean(one[name], axis=1) for name in ("recall", "f1")}
    return Differences(
        recall=_each(apart["recall"], confidence),
        precision=_each(apart["precision"], confidence),
        f1=_each(apart["f1"], confidence),
        macro_recall=_percentiles(macro["recall"], confidence),
        macro_f1=_percentiles(macro["f1"], confidence),
    )


def _drawn(counts: NDArray[np.int64], draws: int, confidence: float, seed: int) -> NDArray[np.int64]:
    """(draws, *counts.shape): as many faces as there are, drawn with replacement."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}; 95% is 0.95")
    n = int(counts.sum())
    filled = np.flatnonzero(counts)  # the others are never drawn
    drawn = np.zeros((draws, counts.size), np.int64)
    drawn[:, filled] = np.random.default_rng(seed).multinomial(n, counts.ravel()[filled] / n, size=draws)
    return drawn.reshape(draws, *counts.shape)


def _figures(tables: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """(draws, K) each, of confusion matrices (draws, K, K)."""
    hits, truths, called = np.diagonal(tables, axis1=1, axis2=2), tables.sum(axis=2), tables.sum(axis=1)
    return {
        "recall": _ratios(hits, truths),
        "precision": _ratios(hits, called),
        "f1": _ratios(2 * hits, truths + called),
    }


def _ratios(numerators: NDArray[np.int64], denominators: NDArray[np.int64]) -> NDArray[np.float64]:
    """NaN where the denominator is 0."""
    ratios: NDArray[np.float64] = np.where(denominators > 0, numerators / np.maximum(denominators, 1), np.nan)
    return ratios


def _each(values: NDArray[np.float64], confidence: float) -> tuple[Interval | None, ...]:
    return tuple(_percentiles(column, confidence) for column in values.T)


def _percentiles(values: NDArray[np.float64], confidence: float) -> Interval | None:
    """None where nothing is defined, or all is the same."""
    defined = values[~np.isnan(values)]
    if not defined.size or np.ptp(defined) < 1e-12:
        return None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
