"""Every figure of photographs by hand."""

from typing import Any

import numpy as np
import pytest

from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResultsError
from resemotenet.runs.metrics import ece, nll, wilson_interval
from resemotenet.runs.photographs import COMMON, figures, in_words
from resemotenet.runs.schema import Photographs, parse

NOTED: dict[str, Any] = {"several": 1, "broken": 2, "unanswered": {"fear": 3}}


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """20 happy (15 right, 3 without a face), 4 sad (1 right)."""
    targets = np.array([3] * 20 + [5] * 4)
    said = np.array([3] * 15 + [4] * 2 + [0] * 3 + [5] + [4] * 3)
    found = np.ones(24, bool)
    found[17:20] = False
    probabilities = np.full((24, 7), 0.05, np.float32)
    probabilities[np.arange(24), said] = 0.7
    probabilities[~found] = np.nan
    return probabilities, targets, found


def test_every_figure():
    probabilities, targets, found = drawn()
    each = figures(probabilities, targets, found, **NOTED)
    assert (each.n, each.found, each.right, each.several, each.broken) == (24, 21, 16, 1, 2)
    assert each.accuracy == 16 / 24
    assert each.interval == list(wilson_interval(16, 24))
    assert each.accuracy_of_found == 16 / 21
    assert each.interval_of_found == list(wilson_interval(16, 21))
    assert {name: (of.n, of.found, of.right) for name, of in each.emotions.items()} == {
        "happy": (20, 17, 15), "sad": (4, 4, 1),
    }  # fmt: skip
    assert each.mean_recall.value == pytest.approx((15 / 20 + 1 / 4) / 2)
    assert each.mean_recall.emotions == ["happy", "sad"]
    assert each.mean_recall.interval is not None
    assert each.mean_recall.interval[0] < each.mean_recall.value < each.mean_recall.interval[1]
    assert each.common is not None
    assert (each.common.value, each.common.emotions) == (15 / 20, ["happy"])
    assert each.nll == nll(probabilities[found], targets[found])
    assert each.ece == ece(probabilities[found], targets[found])


def test_it_is_read_back_as_it_was_written():
    each = figures(*drawn(), **NOTED)
    written = each.model_dump_json(by_alias=True, exclude_unset=True)
    assert '"schema"' in written
    assert parse(Photographs, written, "photographs.json", ResultsError) == each


def test_no_face_anywhere_is_all_wrong():
    probabilities, targets, found = drawn()
    each = figures(probabilities, targets, np.zeros_like(found), **NOTED)
    assert (each.found, each.right, each.accuracy) == (0, 0, 0.0)
    assert each.accuracy_of_found is None
    assert each.ece is None
    assert each.mean_recall.interval is None
    assert "right of found" not in in_words(each)


def test_no_emotion_is_common():
    probabilities, targets, found = drawn()
    each = figures(probabilities[1:], targets[1:], found[1:], **NOTED)
    assert each.emotions["happy"].n == COMMON - 1
    assert each.common is None


def test_no_pictures():
    with pytest.raises(ValueError, match="at least one picture"):
        figures(np.empty((0, 7), np.float32), np.empty(0, np.int64), np.empty(0, bool), **NOTED)


def test_the_table_says_all_of_it():
    said = in_words(figures(*drawn(), **NOTED))
    for words in (
        "24, a face found in 21 (87.5%), more than one in 1 (the largest counts)",
        "right of all:   16 (66.7%) [",
        "right of found: 76.2% [",
        "mean recall:    50.0% [",
        "75.0% [",
        "of 1 emotion with at least 20 pictures",
        "left out: 3 fear, which the model does not answer",
        "broken: 2 more could not be opened",
    ):
        assert words in said
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines()[-2:]}
    assert rows == {"happy": ["20", "17", "15", "75.0%"], "sad": ["4", "4", "1", "25.0%"]}
    assert set(rows) < set(EMOTIONS)
