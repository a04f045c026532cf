"""How good a classifier is: NumPy arrays in, plain floats out, so that results can be written as JSON.

Everywhere here ``targets`` and ``predictions`` are (N,) integer class numbers, ``probabilities`` is (N, K) with rows
that sum to 1, and column k belongs to class k. All results are fractions in [0, 1], except ``nll`` (nats).

Averages over classes leave out a class that has no say in them, and no undefined value is called 0: the recall of a
class that never occurs, or the precision of one that is never predicted, is None.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..emotions import EMOTIONS

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# A float32 softmax rounds a probability below this to 0, where the logarithm would be infinite (and no JSON).
_SMALLEST = float(np.finfo(np.float32).tiny)
# Rows of float16 probabilities miss 1 by up to about this much.
_SUM_TOLERANCE = 2e-3


def summary(probabilities: ArrayLike, targets: ArrayLike) -> dict[str, Any]:
    """The figures of one split as they stand in ``result.json``.

    Returns:
        n, accuracy, interval (Wilson, 95%, of the accuracy: [low, high]), macro_recall, macro_f1, nll, ece.

    Raises:
        ValueError: as ``check_probabilities`` and ``confusion``.
    """
    checked, truth = check_probabilities(probabilities, targets)
    predictions = checked.argmax(axis=1)
    correct = int((predictions == truth).sum())
    table = confusion(predictions, truth, num_classes=checked.shape[1])
    return {
        "n": len(truth),
        "accuracy": correct / len(truth),
        "interval": list(wilson_interval(correct, len(truth))),
        "macro_recall": mean_defined(recalls(table)),
        "macro_f1": mean_defined(f1s(table)),
        "nll": nll(checked, truth),
        "ece": ece(checked, truth),
    }


def accuracy(predictions: ArrayLike, targets: ArrayLike) -> float:
    """The share of predictions that equal their target."""
    guesses, truth = _class_numbers("predictions", predictions), _class_numbers("targets", targets)
    _check_lengths(guesses, truth)
    return float((guesses == truth).mean())


def confusion(predictions: ArrayLike, targets: ArrayLike, *, num_classes: int = len(EMOTIONS)) -> Integers:
    """Count (target, prediction) pairs: (K, K) int64, rows are the truth, columns the prediction.

    Raises:
        ValueError: the arrays are empty, differ in length, are not whole numbers, or leave [0, num_classes).
    """
    guesses = _class_numbers("predictions", predictions, num_classes)
    truth = _class_numbers("targets", targets, num_classes)
    _check_lengths(guesses, truth)
    pairs = np.bincount(truth * num_classes + guesses, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes).astype(np.int64)


def macro_recall(predictions: ArrayLike, targets: ArrayLike, *, num_classes: int = len(EMOTIONS)) -> float:
    """Mean recall of the classes that occur in ``targets``; also called balanced accuracy."""
    return mean_defined(recalls(confusion(predictions, targets, num_classes=num_classes)))


def macro_f1(predictions: ArrayLike, targets: ArrayLike, *, num_classes: int = len(EMOTIONS)) -> float:
    """Mean F1 of the classes that occur in ``targets`` or ``predictions``."""
    return mean_defined(f1s(confusion(predictions, targets, num_classes=num_classes)))


def per_class(
    predictions: ArrayLike, targets: ArrayLike, *, labels: Sequence[str] = EMOTIONS
) -> dict[str, dict[str, float | int | None]]:
    """Precision, recall, F1 and support (how often it is the target) of every class, in the order of ``labels``."""
    table = confusion(predictions, targets, num_classes=len(labels))
    rows = zip(labels, precisions(table), recalls(table), f1s(table), table.sum(axis=1), strict=True)
    return {
        label: {"precision": precision, "recall": recall, "f1": f1, "support": int(support)}
        for label, precision, recall, f1, support in rows
    }


def precisions(table: Integers) -> list[float | None]:
    """Of every class of a ``confusion`` matrix (K, K), rows the truth; so are the next two."""
    return _ratios(table.diagonal(), table.sum(axis=0))


def recalls(table: Integers) -> list[float | None]:
    return _ratios(table.diagonal(), table.sum(axis=1))


def f1s(table: Integers) -> list[float | None]:
    # 2 TP / (2 TP + FP + FN) is the harmonic mean, and defined as soon as the class occurs on either side.
    return _ratios(2 * table.diagonal(), table.sum(axis=0) + table.sum(axis=1))


def mean_defined(values: Sequence[float | None]) -> float:
    """The average over classes: of the values that are defined, of which there must be one."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined)


def nll(probabilities: ArrayLike, targets: ArrayLike) -> float:
    """Mean negative log likelihood of the targets, in nats: the cross entropy, ln K for a uniform guess.

    A probability counts as at least the smallest normal float32, so one target called impossible costs 87.3.
    """
    checked, truth = check_probabilities(probabilities, targets)
    of_target = checked[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(of_target, _SMALLEST)).mean())


def ece(probabilities: ArrayLike, targets: ArrayLike, *, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015; Guo et al. 2017, who use 15 bins).

    The confidence of a sample is its largest probability. Cut (0, 1] into ``bins`` intervals of equal width, each open
    on the left and closed on the right; in each, take |accuracy - mean confidence|; average, weighted by the number of
    samples in it. The figure depends on the number of bins and is biased upwards in small samples.
    """
    filled = [row for row in reliability(probabilities, targets, bins=bins) if row["n"]]
    gaps = [row["n"] * abs(row["accuracy"] - row["confidence"]) for row in filled]
    return float(sum(gaps) / sum(row["n"] for row in filled))


def reliability(probabilities: ArrayLike, targets: ArrayLike, *, bins: int = 15) -> list[dict[str, Any]]:
    """The bins of a reliability diagram (see ``ece``), from low to high confidence.

    Returns:
        One dict a bin: low and high (its edges), n, and accuracy and mean confidence of the samples in it, both None
        where there are none.
    """
    if bins < 1:
        raise ValueError(f"the calibration error needs at least one bin, got {bins}")
    checked, truth = check_probabilities(probabilities, targets)
    confidence, hits = checked.max(axis=1), checked.argmax(axis=1) == truth
    index = np.searchsorted(np.arange(1, bins) / bins, confidence, side="left")
    counts = np.bincount(index, minlength=bins).tolist()
    right = np.bincount(index, weights=hits, minlength=bins).tolist()
    claimed = np.bincount(index, weights=confidence, minlength=bins).tolist()
    rows = []
    for number, n in enumerate(counts):
        row = {"low": number / bins, "high": (number + 1) / bins, "n": n, "accuracy": None, "confidence": None}
        if n:
            row |= {"accuracy": right[number] / n, "confidence": claimed[number] / n}
        rows.append(row)
    return rows


# A third of a millisecond each in scipy; a page has dozens, the same at every click.
@lru_cache(maxsize=4096)
def wilson_interval(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927), without continuity correction: (low, high) inside [0, 1].

    It speaks of the sampling of n independent cases only, not of seeds, and not of a choice made on the same cases.

    Raises:
        ValueError: n is not positive, ``correct`` leaves [0, n], or ``confidence`` leaves (0, 1).
    """
    if n < 1 or not 0 <= correct <= n:
        raise ValueError(f"expected 0 <= correct <= n and n >= 1, got correct = {correct} and n = {n}")
    _check_confidence(confidence)
    from scipy.stats import binomtest  # takes most of a second, and not every figure has an interval

    interval = binomtest(correct, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact test of two classifiers on the same cases (McNemar 1947, with binomial probabilities): the p-value.

    Cases that both read right, or both wrong, say nothing about which is better. If neither were, each of the others
    would be a coin toss; p is the probability that tosses turn out at least as one-sided as ``only_a`` to ``only_b``,
    either way. It is exact, so no sample is too small; it errs on the side of caution.

    Args:
        only_a: cases that only the first read right.
        only_b: cases that only the second did.

    Raises:
        ValueError: a count is negative.
    """
    if min(only_a, only_b) < 0:
        raise ValueError(f"counts must be at least 0, got {only_a} and {only_b}")
    from scipy.stats import binomtest

    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def paired_difference_interval(only_a: int, only_b: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of accuracy B - accuracy A, both measured on the same n cases: (low, high) inside [-1, 1].

    Wald's interval after one case more was given to each side (Bonett and Price 2012), as Fagerland, Lydersen and
    Laake recommend ("Recommended tests and confidence intervals for paired binomial proportions", 2014). It is far
    narrower than two single intervals suggest, because hard cases are hard for both.

    Args:
        only_a, only_b: as for ``mcnemar``.
        n: all cases.

    Raises:
        ValueError: negative counts, or more of them than n, or ``confidence`` leaves (0, 1).
    """
    if min(only_a, only_b) < 0 or n < 1 or only_a + only_b > n:
        raise ValueError(f"expected counts >= 0 with a sum of at most n, got {only_a}, {only_b} and n = {n}")
    z = _normal_quantile(confidence)
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    centre = share_b - share_a
    half = z * sqrt((share_a + share_b - centre**2) / (n + 2))
    return max(-1.0, centre - half), min(1.0, centre + half)


def check_probabilities(probabilities: ArrayLike, targets: ArrayLike) -> tuple[Floats, Integers]:
    """Both as arrays, (N, K) float64 and (N,) int64, once they are what this module works on.

    Raises:
        ValueError: wrong shapes, no samples, a value that is not finite or leaves [0, 1], a row that does not sum to
            1 (logits, say), or targets that are no class numbers below K.
    """
    checked = np.asarray(probabilities, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] < 2:
        raise ValueError(f"probabilities must be (N, K) with K >= 2, got the shape {checked.shape}")
    truth = _class_numbers("targets", targets, checked.shape[1])
    _check_lengths(checked, truth)
    if not np.isfinite(checked).all():
        row = int(np.argwhere(~np.isfinite(checked).all(axis=1))[0, 0])
        raise ValueError(f"probabilities must be finite; row {row} is {checked[row].tolist()}")
    off = np.abs(checked.sum(axis=1) - 1)
    if checked.min() < 0 or off.max() > _SUM_TOLERANCE:
        row = int(np.argmax(np.maximum(off, -checked.min(axis=1))))
        raise ValueError(
            f"probabilities must be >= 0 and sum to 1; row {row} is {checked[row].tolist()}; logits need a softmax"
        )
    return checked, truth


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}; 95% is 0.95")


def _normal_quantile(confidence: float) -> float:
    """How many standard deviations to either side hold this share of a normal distribution."""
    _check_confidence(confidence)
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _class_numbers(name: str, values: ArrayLike, num_classes: int | None = None) -> Integers:
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be (N,) with N >= 1, got the shape {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be whole class numbers, got {array.dtype}")
    if array.min() < 0 or (num_classes is not None and array.max() >= num_classes):
        upper = "" if num_classes is None else f" and below {num_classes}"
        raise ValueError(f"{name} must be at least 0{upper}, got values from {array.min()} to {array.max()}")
    return array.astype(np.int64)


def _check_lengths(outputs: NDArray[Any], truth: Integers) -> None:
    if len(outputs) != len(truth):
        raise ValueError(f"there are {len(outputs)} predictions for {len(truth)} targets; each needs one")


def _ratios(numerators: Integers, denominators: Integers) -> list[float | None]:
    return [int(a) / int(b) if b else None for a, b in zip(numerators, denominators, strict=True)]
