import json
import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve

from resemotenet.emotions import EMOTIONS
from resemotenet.runs import metrics

# Six samples of three classes by hand: class 0 is right 2 of 3 times, class 1 both times, class 2 never.
TARGETS = [0, 0, 0, 1, 1, 2]
PREDICTIONS = [0, 0, 1, 1, 1, 0]

# How often each emotion is the label in FER2013's PrivateTest, in canonical order (n = 3589).
PRIVATE_TEST = {"angry": 491, "disgust": 55, "fear": 528, "happy": 879, "neutral": 626, "sad": 594, "surprise": 416}


@pytest.fixture
def random_case() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (400, 7) and targets (400,) that agree more often than chance."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 7, 400)
    logits = rng.normal(size=(400, 7))
    logits[np.arange(400), targets] += 1
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True), targets


def test_accuracy_by_hand():
    assert metrics.accuracy(PREDICTIONS, TARGETS) == pytest.approx(4 / 6)


def test_confusion_has_truth_in_rows():
    table = metrics.confusion(PREDICTIONS, TARGETS, num_classes=3)
    assert table.tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_confusion_has_seven_classes_unless_told():
    table = metrics.confusion([6], [2])
    assert table.shape == (7, 7)
    assert table[2, 6] == table.sum() == 1


def test_macro_figures_by_hand():
    assert metrics.macro_recall(PREDICTIONS, TARGETS, num_classes=3) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.macro_f1(PREDICTIONS, TARGETS, num_classes=3) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)


def test_per_class_by_hand_and_undefined_is_none():
    rows = metrics.per_class(PREDICTIONS, TARGETS, labels=("a", "b", "c", "never"))
    assert list(rows) == ["a", "b", "c", "never"]
    assert rows["a"] == {"precision": 2 / 3, "recall": 2 / 3, "f1": 4 / 6, "support": 3}
    assert rows["b"] == {"precision": 2 / 3, "recall": 1.0, "f1": 4 / 5, "support": 2}
    assert rows["c"] == {"precision": None, "recall": 0.0, "f1": 0.0, "support": 1}
    assert rows["never"] == {"precision": None, "recall": None, "f1": None, "support": 0}


def test_classes_without_a_say_do_not_lower_the_averages():
    assert metrics.macro_recall([0, 1], [0, 1]) == 1.0
    assert metrics.macro_f1([0, 1], [0, 1]) == 1.0


def test_always_happy_on_fer2013():
    """The majority guess: 24.5% accuracy, and a macro recall of one in seven."""
    targets = np.repeat(np.arange(7), [PRIVATE_TEST[emotion] for emotion in EMOTIONS])
    guess = np.full_like(targets, EMOTIONS.index("happy"))
    assert len(targets) == 3589
    assert metrics.accuracy(guess, targets) == pytest.approx(0.2449, abs=5e-5)
    assert metrics.macro_recall(guess, targets) == pytest.approx(1 / 7)
    assert metrics.per_class(guess, targets)["happy"]["precision"] == pytest.approx(879 / 3589)


def test_figures_agree_with_scikit_learn(random_case):
    probabilities, targets = random_case
    predictions = probabilities.argmax(axis=1)
    precision, recall, f1, support = sklearn_metrics.precision_recall_fscore_support(targets, predictions)
    rows = metrics.per_class(predictions, targets)
    assert [row["precision"] for row in rows.values()] == pytest.approx(precision)
    assert [row["recall"] for row in rows.values()] == pytest.approx(recall)
    assert [row["f1"] for row in rows.values()] == pytest.approx(f1)
    assert [row["support"] for row in rows.values()] == support.tolist()
    assert metrics.confusion(predictions, targets).tolist() == (
        sklearn_metrics.confusion_matrix(targets, predictions).tolist()
    )
    balanced = sklearn_metrics.balanced_accuracy_score(targets, predictions)
    assert metrics.macro_recall(predictions, targets) == pytest.approx(balanced)
    assert metrics.macro_f1(predictions, targets) == pytest.approx(
        sklearn_metrics.f1_score(targets, predictions, average="macro")
    )
    assert metrics.nll(probabilities, targets) == pytest.approx(sklearn_metrics.log_loss(targets, probabilities))


def test_nll_of_a_uniform_guess_is_the_logarithm_of_the_classes():
    assert metrics.nll(np.full((3, 7), 1 / 7), [0, 3, 6]) == pytest.approx(math.log(7))


def test_nll_by_hand():
    assert metrics.nll([[0.5, 0.5], [0.25, 0.75]], [0, 0]) == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_nll_of_a_target_called_impossible_is_finite():
    assert metrics.nll([[1.0, 0.0]], [1]) == pytest.approx(87.34, abs=0.01)


def test_ece_by_hand():
    # Confidences .6 .6 .9 .9; two bins would join them all, fifteen tell .6 from .9.
    probabilities = [[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]]
    assert metrics.ece(probabilities, [0, 1, 0, 0]) == pytest.approx((abs(0.5 - 0.6) + abs(1 - 0.9)) / 2)
    assert metrics.ece(probabilities, [0, 1, 0, 0], bins=2) == pytest.approx(abs(0.75 - 0.75))


def test_ece_bins_are_closed_on_the_right():
    # With two bins the edge is 0.5: it belongs to the lower bin, apart from the sample at 0.6.
    probabilities = [[0.5, 0.5], [0.6, 0.4]]
    assert metrics.ece(probabilities, [1, 0], bins=2) == pytest.approx((0.5 + 0.4) / 2)


def test_ece_is_zero_for_a_sure_and_right_model():
    assert metrics.ece(np.eye(7), np.arange(7)) == 0.0


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_as_published(correct, n, low, high):
    """Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3."""
    assert metrics.wilson_interval(correct, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("confidence", "z"), [(0.5, 0.674490), (0.95, 1.959964), (0.999, 3.290527)])
@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (2507, 3589), (3589, 3589)])
def test_wilson_interval_holds_the_shares_that_the_score_test_accepts(correct, n, confidence, z):
    """Its ends are the shares p at which |correct / n - p| is z standard errors of p."""
    ends = metrics.wilson_interval(correct, n, confidence)
    assert all(type(end) is float for end in ends)
    for end in ends:
        assert abs(correct / n - end) == pytest.approx(z * math.sqrt(end * (1 - end) / n), abs=1e-6)
    assert (ends[0] == 0, ends[1] == 1) == (correct == 0, correct == n)


def test_summary_has_the_keys_of_a_result_and_survives_json(random_case):
    probabilities, targets = random_case
    predictions = probabilities.argmax(axis=1)
    result = json.loads(json.dumps(metrics.summary(probabilities.astype(np.float32), targets)))
    assert list(result) == ["n", "accuracy", "interval", "macro_recall", "macro_f1", "nll", "ece"]
    assert result["n"] == 400
    assert result["accuracy"] == metrics.accuracy(predictions, targets)
    assert result["interval"] == list(metrics.wilson_interval(int((predictions == targets).sum()), 400))
    assert result["macro_recall"] == metrics.macro_recall(predictions, targets)
    assert result["macro_f1"] == metrics.macro_f1(predictions, targets)
    assert result["nll"] == pytest.approx(metrics.nll(probabilities, targets), abs=1e-6)
    assert result["ece"] == pytest.approx(metrics.ece(probabilities, targets), abs=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "targets", "message"),
    [
        ([0.5, 0.5], [0], r"must be \(N, K\).*\(2,\)"),
        ([[1.0]], [0], "K >= 2"),
        (np.empty((0, 7)), np.empty(0, int), "N >= 1"),
        ([[0.5, 0.5]], [0, 1], "1 predictions for 2 targets"),
        ([[0.5, 0.5]], [2], "below 2, got values from 2 to 2"),
        ([[0.5, 0.5]], [-1], "at least 0"),
        ([[0.5, 0.5]], [0.0], "whole class numbers, got float64"),
        ([[0.5, 0.5], [np.nan, 1.0]], [0, 0], "finite; row 1"),
        ([[0.5, 0.5], [2.0, 1.0]], [0, 0], r"sum to 1; row 1 is \[2.0, 1.0\]; logits"),
        ([[0.5, 0.5], [-0.5, 1.5]], [0, 0], "row 1"),
    ],
)
def test_what_is_no_probability_is_refused(probabilities, targets, message):
    with pytest.raises(ValueError, match=message):
        metrics.summary(probabilities, targets)


@pytest.mark.parametrize(
    ("predictions", "targets", "message"),
    [
        ([], [], "predictions must be.*N >= 1"),
        ([7], [0], "predictions must be.*below 7"),
        ([0, 1], [0], "2 predictions for 1 targets"),
        ([[0]], [[0]], r"must be \(N,\)"),
        (["happy"], [3], "whole class numbers"),
    ],
)
def test_what_is_no_class_number_is_refused(predictions, targets, message):
    with pytest.raises(ValueError, match=message):
        metrics.confusion(predictions, targets)


@pytest.mark.parametrize(("correct", "n", "confidence"), [(1, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 2, 95)])
def test_wilson_interval_refuses_what_is_no_proportion(correct, n, confidence):
    with pytest.raises(ValueError, match=r"got"):
        metrics.wilson_interval(correct, n, confidence)


def test_ece_needs_a_bin():
    with pytest.raises(ValueError, match="at least one bin"):
        metrics.ece([[0.5, 0.5]], [0], bins=0)


def test_reliability_bins_by_hand():
    rows = metrics.reliability([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [1.0, 0.0]], [0, 1, 0, 0], bins=4)
    assert [row["n"] for row in rows] == [0, 0, 2, 2]
    assert [(row["low"], row["high"]) for row in rows] == [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]
    assert rows[0]["accuracy"] is rows[0]["confidence"] is None
    assert (rows[2]["accuracy"], rows[2]["confidence"]) == (0.5, pytest.approx(0.6))
    assert (rows[3]["accuracy"], rows[3]["confidence"]) == (1.0, pytest.approx(0.95))


def test_reliability_holds_every_sample_and_its_gaps_are_the_calibration_error(random_case):
    probabilities, targets = random_case
    rows = json.loads(json.dumps(metrics.reliability(probabilities, targets)))
    assert sum(row["n"] for row in rows) == 400
    prob_true, prob_pred = calibration_curve(
        probabilities.argmax(axis=1) == targets, probabilities.max(axis=1), n_bins=15
    )
    filled = [row for row in rows if row["n"]]
    assert [row["accuracy"] for row in filled] == pytest.approx(prob_true)
    assert [row["confidence"] for row in filled] == pytest.approx(prob_pred)
    expected = sum(row["n"] * abs(row["accuracy"] - row["confidence"]) for row in filled) / 400
    assert metrics.ece(probabilities, targets) == pytest.approx(expected)


# Fagerland, Lydersen and Laake, "Statistical Analysis of Contingency Tables", 2017, chapter 8: patients with complete
# response only before (6) and only after (16) consolidation therapy, of 161 (Cavo et al. 2012).
ONLY_BEFORE, ONLY_AFTER, PATIENTS = 6, 16, 161


def test_mcnemar_as_published():
    assert metrics.mcnemar(ONLY_BEFORE, ONLY_AFTER) == pytest.approx(0.052479, abs=5e-7)


def test_paired_interval_as_published():
    low, high = metrics.paired_difference_interval(ONLY_AFTER, ONLY_BEFORE, PATIENTS)
    assert (low, high) == pytest.approx((-0.1195, -0.0032), abs=5e-5)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (5, 5), (3, 14), (150, 86), (160, 201), (1500, 1620), (0, 30)])
def test_mcnemar_counts_tosses_and_knows_no_sides(a, b):
    tails = sum(math.comb(a + b, k) for k in range(min(a, b) + 1))
    assert metrics.mcnemar(a, b) == pytest.approx(min(1.0, 2 * tails / 2 ** (a + b)), rel=1e-9)
    assert metrics.mcnemar(b, a) == metrics.mcnemar(a, b)


def test_paired_interval_turns_round_with_the_sides():
    low, high = metrics.paired_difference_interval(120, 161, 3589)
    assert low < 41 / 3589 < high
    assert metrics.paired_difference_interval(161, 120, 3589) == pytest.approx((-high, -low))


def test_paired_interval_of_equals_holds_zero_and_stays_inside():
    low, high = metrics.paired_difference_interval(0, 0, 3589)
    assert low < 0 < high < 0.001
    assert metrics.paired_difference_interval(1, 0, 1)[0] == -1


def test_paired_interval_covers_the_truth_as_often_as_it_says():
    """Two classifiers that differ by 2 points, 500 cases, 2000 experiments."""
    rng = np.random.default_rng(0)
    counts = rng.multinomial(500, [0.06, 0.08, 0.86], size=2000)
    intervals = [metrics.paired_difference_interval(int(a), int(b), 500) for a, b, _ in counts]
    covered = np.mean([low <= 0.02 <= high for low, high in intervals])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="at least 0, got -1"):
        metrics.mcnemar(-1, 3)
    with pytest.raises(ValueError, match="at most n"):
        metrics.paired_difference_interval(3, 3, 5)
    with pytest.raises(ValueError, match=r"95% is 0\.95"):
        metrics.paired_difference_interval(3, 3, 50, 95)
