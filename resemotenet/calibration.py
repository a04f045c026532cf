"""The operating point: which emotion a model names when it is torn between a frequent and a rare one."""

from typing import TYPE_CHECKING

import numpy as np

from .metrics import accuracy, macro_recall

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STRENGTHS = np.linspace(0, 1, 41)


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
