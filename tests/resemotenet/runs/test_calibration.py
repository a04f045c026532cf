import numpy as np
import pytest

from resemotenet.runs.calibration import (
    TEMPERATURES,
    apply_temperature,
    best_temperature,
    choose_prior_bias,
    fit_temperature,
    prior_bias,
)
from resemotenet.runs.metrics import accuracy, ece, macro_recall, nll


def test_full_strength_makes_the_classes_equally_frequent():
    """Bayes: dividing the posterior by the prior leaves the likelihood."""
    prior = np.array([0.9, 0.1])
    likelihood = np.array([0.3, 0.6])
    posterior = likelihood * prior / (likelihood * prior).sum()
    adjusted = posterior * np.exp(prior_bias(prior, 1.0))
    np.testing.assert_allclose(adjusted / adjusted.sum(), likelihood / likelihood.sum())


def test_no_strength_is_no_bias_and_every_bias_has_mean_zero():
    prior = np.array([0.5, 0.3, 0.2])
    np.testing.assert_array_equal(prior_bias(prior, 0.0), np.zeros(3))
    assert prior_bias(prior, 0.7).mean() == pytest.approx(0)


def reader_with_a_prior(n: int = 4000, seed: int = 0):
    """Two overlapping Gaussians, nine times as many of the first; probabilities are the true posteriors."""
    rng = np.random.default_rng(seed)
    prior = np.array([0.9, 0.1])
    targets = (rng.random(n) < prior[1]).astype(np.int64)
    position = rng.normal(2.0 * targets, 1.0)
    likelihood = np.exp(-0.5 * (position[:, None] - np.array([0.0, 2.0])) ** 2)
    posterior = likelihood * prior
    return (posterior / posterior.sum(axis=1, keepdims=True)).astype(np.float32), targets, prior


def apply(probabilities, bias):
    return (np.log(probabilities) + bias).argmax(axis=1)


def test_a_wide_margin_buys_macro_recall_and_a_narrow_one_keeps_the_accuracy():
    probabilities, targets, prior = reader_with_a_prior()
    plain = probabilities.argmax(axis=1)
    wide = apply(probabilities, choose_prior_bias(probabilities, targets, prior, accuracy_margin=1.0))
    narrow = apply(probabilities, choose_prior_bias(probabilities, targets, prior))
    assert macro_recall(wide, targets) > macro_recall(plain, targets) + 0.1
    assert accuracy(narrow, targets) >= accuracy(plain, targets)
    assert macro_recall(plain, targets) <= macro_recall(narrow, targets) < macro_recall(wide, targets)


def test_equal_classes_leave_nothing_to_adjust():
    probabilities, targets, _ = reader_with_a_prior()
    np.testing.assert_array_equal(choose_prior_bias(probabilities, targets, np.array([0.5, 0.5])), np.zeros(2))


def calibrated_reader(n: int = 6000, seed: int = 0):
    """Logits (n, 7) whose softmax is the true probability of each class; targets drawn by it."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 7))
    probabilities = softmax(logits)
    targets = np.array([rng.choice(7, p=row) for row in probabilities])
    return logits, targets


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found_and_taking_it_out_calibrates(factor: float):
    logits, targets = calibrated_reader()
    distorted = softmax(factor * logits).astype(np.float32)
    temperature = fit_temperature(distorted, targets)
    assert temperature == pytest.approx(factor, rel=0.05)
    after = apply_temperature(distorted, temperature)
    assert ece(after, targets) < 0.02
    np.testing.assert_array_equal(after.argmax(axis=1), distorted.argmax(axis=1))
    if factor != 1:
        assert ece(distorted, targets) > 0.1


def test_no_temperature_near_by_is_better():
    logits, targets = calibrated_reader(n=500)
    probabilities = softmax(logits)
    best = fit_temperature(probabilities, targets)
    around = [nll(apply_temperature(probabilities, best * factor), targets) for factor in (0.99, 1, 1.01)]
    assert around[1] == min(around)


def test_it_is_the_softmax_of_divided_logits():
    logits, _ = calibrated_reader(n=50)
    for temperature in (0.5, 1.0, 4.0):
        expected = softmax(logits / temperature)
        np.testing.assert_allclose(apply_temperature(softmax(logits), temperature), expected, rtol=1e-5)
    assert apply_temperature(softmax(logits), 2.0).dtype == np.float32


def test_an_impossible_answer_stays_a_number():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    for temperature in TEMPERATURES:
        scaled = apply_temperature(probabilities, temperature)
        assert np.isfinite(scaled).all()
        np.testing.assert_allclose(scaled.sum(axis=1), 1, rtol=1e-6)


def test_the_search_ends_where_no_temperature_is_best():
    """A model that is always right cannot be too sure; one that is always wrong cannot be unsure enough."""
    probabilities = np.array([[0.6, 0.4], [0.3, 0.7]])
    assert fit_temperature(probabilities, [0, 1]) == pytest.approx(TEMPERATURES[0], rel=0.01)
    assert fit_temperature(probabilities, [1, 0]) == pytest.approx(TEMPERATURES[1], rel=0.01)


def test_the_best_for_an_average_of_views_is_not_that_of_the_averaged_probabilities():
    logits, targets = calibrated_reader(n=3000)
    rng = np.random.default_rng(1)
    looks = [softmax(logits + rng.normal(0, 2, logits.shape)) for _ in range(2)]

    def pipeline(temperature: float):
        return np.mean([apply_temperature(look, temperature) for look in looks], axis=0)

    inside, after = best_temperature(pipeline, targets), fit_temperature(pipeline(1.0), targets)
    assert abs(np.log(inside / after)) > 0.05
    assert nll(pipeline(inside), targets) < min(nll(pipeline(after), targets), nll(pipeline(1.0), targets))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_what_is_no_temperature(temperature: float):
    with pytest.raises(ValueError, match="a temperature is a positive number"):
        apply_temperature(np.array([[0.5, 0.5]]), temperature)
