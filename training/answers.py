"""What a model's labels mean among the seven emotions, however they are ordered or spelt, and how many there are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from resemotenet.datasets.names import NAMES
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResultsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What a float32 softmax can still say; so that rows of nothing but other answers can be scaled to 1.
_SMALLEST = np.finfo(np.float32).tiny


def emotions_of(labels: Sequence[str]) -> tuple[str | None, ...]:
    """The emotion that each label stands for; None for one that the seven do not have.

    Raises:
        ResultsError: two labels are one emotion, or fewer than two are emotions at all.
    """
    meant = tuple(NAMES.get(label.strip().lower()) for label in labels)
    known = [emotion for emotion in meant if emotion is not None]
    if len(set(known)) != len(known):
        raise ResultsError(
            f"the model answers {', '.join(labels)}: two of these are one emotion, so none can be scored"
        )
    if len(known) < 2:
        raise ResultsError(
            f"the model answers {', '.join(labels)}, the data set is labelled {', '.join(EMOTIONS)}; they share "
            f"{'one emotion' if known else 'none'}, so there is nothing to measure"
        )
    return meant


def canonical(probabilities: "NDArray[np.float32]", labels: Sequence[str]) -> "NDArray[np.float32]":
    """(N, K) in the order of the labels -> (N, 7) in canonical order.

    An emotion that the model does not answer has 0. Answers beside the seven (contempt) are dropped, and the others
    scaled to sum to 1 again.
    """
    meant = emotions_of(labels)
    columns = [EMOTIONS.index(emotion) for emotion in meant if emotion is not None]
    found = np.zeros((len(probabilities), len(EMOTIONS)), np.float32)
    found[:, columns] = probabilities[:, [emotion is not None for emotion in meant]]
    if None in meant:
        found[:, columns] = np.maximum(found[:, columns], _SMALLEST)
        found /= found.sum(axis=1, keepdims=True)
    return found


def unanswered(targets: "NDArray[np.int64]", labels: Sequence[str]) -> dict[str, int]:
    """Emotion -> faces labelled with it, of those emotions that the model does not answer and that occur."""
    meant = emotions_of(labels)
    counts = np.bincount(targets, minlength=len(EMOTIONS))
    return {emotion: int(n) for emotion, n in zip(EMOTIONS, counts, strict=True) if n and emotion not in meant}


def is_answered(targets: "NDArray[np.int64]", labels: Sequence[str]) -> "NDArray[np.bool_]":
    """(N,) for which faces the model has an answer that could be right."""
    meant = emotions_of(labels)
    answered: NDArray[np.bool_] = np.array([emotion in meant for emotion in EMOTIONS])[targets]
    return answered
