"""Two files of predictions brought to the faces that they share; ``pair_up`` is tested with ``training.compare``."""

import numpy as np

from resemotenet.runs.paired import match
from resemotenet.runs.results import Predictions


def predictions(**targets: int) -> Predictions:
    """Faces by id with their label; what is said of each is its place in the file."""
    n = len(targets)
    probabilities = np.eye(7, dtype=np.float32)[np.arange(n) % 7]
    return Predictions(probabilities, np.array(list(targets.values()), np.int64), np.array(list(targets), str))


def test_faces_are_matched_by_id_whatever_their_order():
    one, other = predictions(a=0, b=1, c=2), predictions(c=2, x=5, a=0)
    shared = match(one, other)
    assert shared.n == 2
    assert list(zip(one.ids[shared.first], other.ids[shared.second], strict=True)) == [("a", "a"), ("c", "c")]
    assert (shared.left_out, shared.conflicts) == (2, 0)
    assert match(one, one).left_out == 0


def test_other_labels_for_the_same_face_are_counted():
    shared = match(predictions(a=0, b=1, c=2), predictions(a=0, b=2, c=3))
    assert (shared.n, shared.left_out, shared.conflicts) == (3, 0, 2)


def test_nothing_in_common():
    shared = match(predictions(a=0), predictions(b=0, c=1))
    assert (shared.n, shared.left_out, shared.conflicts) == (0, 3, 0)


def test_taken_rows_keep_what_belongs_to_them():
    whole = predictions(a=0, b=1, c=2)
    part = whole.take(np.array([2, 0]))
    assert part.ids.tolist() == ["c", "a"]
    assert part.targets.tolist() == [2, 0]
    assert part.probabilities.argmax(axis=1).tolist() == [2, 0]
    assert part.leaked is None
    marked = Predictions(whole.probabilities, whole.targets, whole.ids, np.array([True, False, False]))
    taken = marked.take(np.array([2, 0])).leaked
    assert taken is not None
    assert taken.tolist() == [False, True]
