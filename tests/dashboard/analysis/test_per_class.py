"""Figures of every emotion, and the matrices that show them: computed and drawn, without a page."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import f1_score, precision_recall_fscore_support, recall_score

from dashboard.analysis import per_class
from dashboard.analysis.per_class import averages, class_figures, difference_intervals, most_confused, together
from resemotenet.emotions import EMOTIONS
from resemotenet.runs.metrics import confusion
from resemotenet.runs.results import Predictions
from tests.dashboard.fake_runs import draw_predictions

NUMBERS = np.arange(len(EMOTIONS))


def table_of(found: Predictions) -> np.ndarray:
    return confusion(found.probabilities.argmax(axis=1), found.targets)


def test_per_class_figures_are_those_of_scikit_learn():
    found = draw_predictions(n=300)
    guesses = found.probabilities.argmax(axis=1)
    expected = precision_recall_fscore_support(found.targets, guesses, labels=NUMBERS, zero_division=np.nan)
    for number, each in enumerate(class_figures(table_of(found))):
        got = (each.precision, each.recall, each.f1, each.support)
        assert [np.nan if value is None else value for value in got] == pytest.approx(
            [column[number] for column in expected], nan_ok=True
        )
        hits = int(((guesses == number) & (found.targets == number)).sum())
        for interval, n in ((each.recall_interval, each.support), (each.precision_interval, (guesses == number).sum())):
            wilson = binomtest(hits, int(n)).proportion_ci(method="wilson") if n else None
            assert interval == (pytest.approx((wilson.low, wilson.high)) if wilson else None)


def test_intervals_of_the_same_counts_are_computed_once(monkeypatch: pytest.MonkeyPatch):
    """A page draws itself anew at every click, and shows figures of a table in several places."""
    computed: list[tuple[int, ...]] = []

    def counted(compute):
        def once(counts, **arguments):
            computed.append(counts.shape)
            return compute(counts, **arguments)

        return once

    for name in ("bootstrap", "bootstrap_difference"):
        monkeypatch.setattr(per_class, name, counted(getattr(per_class, name)))
    first, second = draw_predictions(n=211, seed=5), draw_predictions(n=211, seed=6)
    both = together(first, second)
    for _ in range(2):
        again = replace(both, first=replace(both.first), second=replace(both.second))
        class_figures(again.first.confusion)
        averages(again.first.confusion)
        before = difference_intervals(again)
    assert computed == [(7, 7), (7, 7, 7)]
    averages(second.confusion)
    assert computed[2:] == [(7, 7)]
    turned = difference_intervals(replace(both, first=both.second, second=both.first))
    assert computed[3:] == [(7, 7, 7)]
    assert turned != before


def test_what_is_not_defined_is_none_and_not_zero():
    table = np.zeros((7, 7), np.int64)
    table[3, 3], table[3, 4] = 8, 2
    by_name = {each.emotion: each for each in class_figures(table)}
    assert by_name["happy"].recall == 0.8
    assert by_name["neutral"].recall is None
    assert by_name["neutral"].precision == 0
    assert by_name["neutral"].f1 == 0
    assert by_name["sad"].f1 is None
    assert by_name["sad"].f1_interval is None


def test_the_interval_of_f1_is_that_of_faces_drawn_again():
    found = draw_predictions(n=500)
    guesses = found.probabilities.argmax(axis=1)
    rng = np.random.default_rng(1)
    drawn = np.array(
        [
            f1_score(found.targets[rows], guesses[rows], labels=NUMBERS, average=None, zero_division=np.nan)
            for rows in rng.integers(0, 500, (400, 500))
        ]
    )
    for number, each in enumerate(class_figures(table_of(found))):
        assert each.f1 is not None
        assert each.f1_interval is not None
        if each.support > 20:  # of a handful of faces the ends jump
            assert list(each.f1_interval) == pytest.approx(np.percentile(drawn[:, number], (2.5, 97.5)), abs=0.04)
        assert each.f1_interval[0] <= each.f1 <= each.f1_interval[1]


def test_a_class_without_a_hit_or_without_a_mistake_has_no_interval_of_f1():
    table = np.diag([50, 0, 30, 40, 20, 20, 20])
    table[1, 3], table[2, 4] = 12, 5
    by_name = {each.emotion: each for each in class_figures(table)}
    assert (by_name["disgust"].f1, by_name["disgust"].f1_interval) == (0, None)
    assert by_name["disgust"].recall_interval is not None  # Wilson's knows better
    assert (by_name["angry"].f1, by_name["angry"].f1_interval) == (1, None)
    assert by_name["fear"].f1_interval is not None


def test_averages_over_emotions_are_those_of_scikit_learn():
    found = draw_predictions(n=300)
    guesses = found.probabilities.argmax(axis=1)
    recall, f1 = averages(table_of(found))
    assert recall.value == pytest.approx(recall_score(found.targets, guesses, average="macro"))
    assert f1.value == pytest.approx(f1_score(found.targets, guesses, average="macro"))
    for each in (recall, f1):
        assert each.interval is not None
        assert each.interval[0] < each.value < each.interval[1]
    table = np.zeros((7, 7), np.int64)
    table[3, 3], table[3, 4] = 8, 2
    recall, f1 = averages(table)
    assert recall.value == 0.8  # of the one emotion that occurs
    assert f1.value == pytest.approx((16 / 18 + 0) / 2)  # neutral is called, so it has a say here


def test_more_faces_narrow_the_interval_of_f1():
    table = table_of(draw_predictions(n=200))
    few, many = class_figures(table)[3].f1_interval, class_figures(100 * table)[3].f1_interval
    assert few is not None
    assert many is not None
    assert few[1] - few[0] == pytest.approx(10 * (many[1] - many[0]), rel=0.2)


def test_two_runs_are_brought_to_the_faces_they_share():
    whole = draw_predictions(n=100)
    order = np.random.default_rng(0).permutation(100)[:60]
    part = Predictions(whole.probabilities[order], whole.targets[order], whole.ids[order])
    both = together(whole, part)
    assert both.problem is None
    assert both.left_out == 40
    assert list(both.first.ids) == list(both.second.ids)
    assert (both.first.probabilities == both.second.probabilities).all()
    strangers = Predictions(whole.probabilities, whole.targets, np.char.add("x", whole.ids))
    assert "share no face" in str(together(whole, strangers).problem)
    others = Predictions(whole.probabilities, (whole.targets + 1) % 7, whole.ids)
    assert "other data" in str(together(whole, others).problem)


def test_the_page_begins_with_the_commonest_mistake():
    table = np.diag([50] * 7)
    table[4, 5] = 9
    table[5, 4] = 8
    assert most_confused([table]) == (4, 5)
    assert most_confused([np.diag([5, 4, 3, 9, 1, 1, 1])]) == (3, 3)
