import numpy as np
import pytest

from resemotenet.calibration import choose_prior_bias, prior_bias
from resemotenet.metrics import accuracy, macro_recall


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
