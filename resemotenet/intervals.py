"""Intervals of figures that are no shares of cases, for which Wilson's does not hold: F1, and averages over classes.

A percentile bootstrap (Efron 1979): faces drawn again with replacement are cells of the confusion matrix drawn again,
so thousands of draws cost milliseconds, and the same matrix gives the same interval. Like Wilson's it knows of the
sampling of faces only, not of seeds. A class of a handful of faces is drawn not at all now and then; such draws have
no say in its interval, and the average over classes is then one over those that occur.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]


@dataclass(frozen=True)
class Bootstrapped:
    """Intervals of a confusion matrix.

    Attributes:
        f1: one a class, None where the class is neither true nor predicted.
        macro_recall, macro_f1: as ``metrics.macro_recall`` and ``metrics.macro_f1`` average.
    """

    f1: tuple[Interval | None, ...]
    macro_recall: Interval
    macro_f1: Interval


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
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}; 95 % is 0.95")
    n = int(table.sum())
    drawn = np.random.default_rng(seed).multinomial(n, table.ravel() / n, size=draws).reshape(draws, *table.shape)
    hits, truths, called = np.diagonal(drawn, axis1=1, axis2=2), drawn.sum(axis=2), drawn.sum(axis=1)
    recalls, f1s = _ratios(hits, truths), _ratios(2 * hits, truths + called)
    return Bootstrapped(
        f1=tuple(_percentiles(column, confidence) for column in f1s.T),
        macro_recall=_of_average(recalls, confidence),
        macro_f1=_of_average(f1s, confidence),
    )


def _ratios(numerators: NDArray[np.int64], denominators: NDArray[np.int64]) -> NDArray[np.float64]:
    """NaN where the denominator is 0."""
    ratios: NDArray[np.float64] = np.where(denominators > 0, numerators / np.maximum(denominators, 1), np.nan)
    return ratios


def _percentiles(values: NDArray[np.float64], confidence: float) -> Interval | None:
    defined = values[~np.isnan(values)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _of_average(values: NDArray[np.float64], confidence: float) -> Interval:
    interval = _percentiles(np.nanmean(values, axis=1), confidence)
    assert interval is not None  # every draw has a face, so some class occurs
    return interval
