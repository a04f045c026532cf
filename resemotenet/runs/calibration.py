"""How sure a model may be, and which emotion it names when it is torn between a frequent and a rare one.

Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", 2017) divides all logits by one number,
fitted on validation. It changes how sure the answers are, never which of them is first. The prior bias is the other
way round: it moves the border between the emotions.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .metrics import accuracy, macro_recall, nll

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_STRENGTHS = np.linspace(0, 1, 41)

# A model that is always right on the faces given is best off infinitely sure, one that knows nothing infinitely
# unsure; the search ends here instead.
TEMPERATURES = (0.05, 20.0)


def fit_temperature(probabilities: "ArrayLike", targets: "ArrayLike") -> float:
    """The temperature under which the targets are most likely (least ``metrics.nll``), within ``TEMPERATURES``.

    Below 1 sharpens, above 1 softens.

    Args:
        probabilities: (N, K) of a split that the model neither learned from nor is judged by.
        targets: (N,) class numbers: those that the probabilities are to be true of. A model taught with shares of
            annotators is too modest when judged by their majority, and well calibrated when judged by one of them.

    Raises:
        ValueError: as ``metrics.nll``.
    """
    return best_temperature(lambda temperature: apply_temperature(probabilities, temperature), targets)


def best_temperature(pipeline: "Callable[[float], NDArray[np.float32]]", targets: "ArrayLike") -> float:
    """As ``fit_temperature``, where what follows the temperature is more than a softmax (an average of views, say).

    Args:
        pipeline: temperature -> probabilities (N, K).
        targets: (N,) class numbers.
    """
    from scipy.optimize import minimize_scalar

    # Over the logarithm: halving and doubling are steps of one size.
    found = minimize_scalar(
        lambda exponent: nll(pipeline(float(np.exp(exponent))), targets),
        bounds=tuple(np.log(TEMPERATURES)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def apply_temperature(probabilities: "ArrayLike", temperature: float) -> "NDArray[np.float32]":
    """(N, K) probabilities -> softmax(log probabilities / temperature), float32.

    Where the probabilities are one softmax of logits this is softmax(logits / temperature), to rounding.

    Raises:
        ValueError: the temperature is not positive.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"a temperature is a positive number, got {temperature}")
    scaled = np.log(np.maximum(np.asarray(probabilities, np.float64), np.finfo(np.float32).tiny)) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def prior_bias(prior: "NDArray[np.float64]", strength: float) -> "NDArray[np.float64]":
    """What to add to log probabilities so that the training data's class shares count less (Menon et al. 2021).

    Args:
        prior: (K,) share of each class in training, all positive.
        strength: 0 changes nothing, 1 answers as if all classes were equally frequent.

    Returns:
        (K,), mean 0.
    """
    bias = -strength * np.log(prior)
    centred: NDArray[np.float64] = bias - bias.mean()
    return centred


def choose_prior_bias(
    probabilities: "NDArray[np.float32]",
    targets: "NDArray[np.int64]",
    prior: "NDArray[np.float64]",
    *,
    accuracy_margin: float = 0.0,
) -> "NDArray[np.float64]":
    """The prior bias with the best macro recall among those that cost no more accuracy than the margin.

    One number is fitted, the strength, so a few thousand faces with only a handful of disgust are enough.

    Args:
        probabilities: (N, K) of a validation split, without any bias.
        targets: (N,) class numbers.
        prior: (K,) share of each class in training.
        accuracy_margin: how far below the accuracy at strength 0 the result may lie, a fraction.
    """
    log_probabilities = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    floor = accuracy(probabilities.argmax(axis=1), targets) - accuracy_margin
    best, best_recall = prior_bias(prior, 0.0), -1.0
    for strength in _STRENGTHS:
        bias = prior_bias(prior, float(strength))
        guesses = (log_probabilities + bias).argmax(axis=1)
        recall = macro_recall(guesses, targets)
        if accuracy(guesses, targets) >= floor and recall > best_recall:
            best, best_recall = bias, recall
    return best
