import pytest

from resemotenet.runs.seeds import OverSeeds


def test_mean_and_deviation_of_the_sample():
    seeds = OverSeeds.of(iter([0.60, 0.61, 0.65]))
    assert len(seeds) == 3
    assert seeds.mean == pytest.approx(0.62)
    # Squares of -0.02, -0.01, 0.03 over n - 1 = 2.
    assert seeds.std == pytest.approx((0.0014 / 2) ** 0.5)
    assert seeds.in_percent() == "62.0 ± 2.6"
    assert seeds.in_percent(2) == "62.00 ± 2.65"


def test_one_seed_has_no_deviation():
    seeds = OverSeeds.of([0.6149])
    assert (seeds.mean, seeds.std, seeds.in_percent()) == (0.6149, None, "61.5")


def test_seeds_that_score_the_same_have_one_of_zero():
    assert OverSeeds.of([0.3, 0.3]).std == 0


def test_no_run_has_no_mean():
    with pytest.raises(ValueError, match="needs a run, got none"):
        OverSeeds.of([])
