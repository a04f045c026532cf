import numpy as np
import pytest

from resemotenet.datasets import carve, folds

SHARES = {"train": 0.7, "validation": 0.2, "test": 0.1}


def counts(targets, part, name: str):
    return np.bincount(targets[part == name], minlength=7)


def singles(n: int = 3_000):
    rng = np.random.default_rng(0)
    return rng.choice(7, n, p=[0.15, 0.02, 0.05, 0.3, 0.25, 0.13, 0.1]), np.array([f"face{row}" for row in range(n)])


def test_single_faces_are_stratified_to_within_two_of_each_share():
    targets, groups = singles()
    part = carve(targets, groups, SHARES, seed=0)
    whole = np.bincount(targets, minlength=7)
    for name, share in SHARES.items():
        assert np.abs(counts(targets, part, name) - share * whole).max() <= 2


def test_groups_never_straddle_and_emotions_still_balance():
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 1_500, 3_000).astype(str)  # two faces to a photograph on average, up to eight
    targets = singles()[0]
    part = carve(targets, groups, SHARES, seed=0)
    assert all(len(set(part[groups == group])) == 1 for group in set(groups))
    whole = np.bincount(targets, minlength=7)
    for name, share in SHARES.items():
        assert np.abs(counts(targets, part, name) - share * whole).max() <= 3


def test_the_cut_depends_on_the_seed_and_not_on_the_order_of_rows():
    targets, groups = singles(500)
    part = carve(targets, groups, SHARES, seed=0)
    order = np.random.default_rng(2).permutation(500)
    assert (carve(targets[order], groups[order], SHARES, seed=0) == part[order]).all()
    assert (carve(targets, groups, SHARES, seed=1) != part).sum() > 100


def test_a_face_less_changes_little():
    targets, groups = singles()
    part = carve(targets, groups, SHARES, seed=0)
    without = carve(targets[1:], groups[1:], SHARES, seed=0)
    rest = targets[1:] != targets[0]
    assert (without == part[1:])[rest].all()  # other emotions are cut as before


def test_the_cut_is_the_same_on_every_machine_and_in_every_version():
    targets = np.arange(210) % 7
    part = carve(targets, np.arange(210).astype(str), {"train": 0.9, "validation": 0.1}, seed=0)
    assert np.flatnonzero(part == "validation").tolist() == [
        2, 7, 21, 30, 36, 59, 85, 94, 111, 124, 130, 131, 136, 144, 151, 153, 159, 162, 163, 174, 182,
    ]  # fmt: skip


def test_an_emotion_with_two_faces_is_in_both_parts():
    part = carve(np.array([0] * 50 + [1, 1]), np.arange(52).astype(str), {"train": 0.9, "validation": 0.1}, seed=0)
    assert set(part[50:]) == {"train", "validation"}


@pytest.mark.parametrize("n", [2, 10])
def test_folds_deal_groups_out_in_the_order_of_their_names(n: int):
    groups = np.array([f"S{subject:03d}" for subject in range(25, 0, -1) for _ in range(3)])
    fold = folds(groups, n)
    for row, group in enumerate(groups):
        assert fold[row] == (int(group[1:]) - 1) % n
