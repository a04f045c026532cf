import numpy as np
import pytest
from scipy import stats

from resemotenet.runs import metrics
from resemotenet.runs.intervals import bootstrap, bootstrap_difference, joint_confusion

# FER2013-like: rows are the truth; the second class is rare.
TABLE = np.array([[80, 5, 15], [4, 3, 5], [20, 2, 160]])


def cases(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(predictions, targets) that give this table."""
    rows, columns = np.indices(table.shape)
    return np.repeat(columns.ravel(), table.ravel()), np.repeat(rows.ravel(), table.ravel())


def test_the_same_intervals_as_drawing_single_faces_with_scipy():
    predictions, targets = cases(TABLE)

    def macro_f1(rows: np.ndarray) -> float:
        return metrics.macro_f1(predictions[rows], targets[rows], num_classes=3)

    everyone = (np.arange(len(targets)),)
    expected = stats.bootstrap(
        everyone, macro_f1, vectorized=False, n_resamples=2000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert bootstrap(TABLE).macro_f1 == pytest.approx(tuple(expected), abs=0.015)


def test_the_figure_lies_inside_its_interval_and_more_faces_make_it_narrower():
    few, many = bootstrap(TABLE), bootstrap(100 * TABLE)
    assert few.macro_recall is not None
    predictions, targets = cases(TABLE)
    recall = metrics.macro_recall(predictions, targets, num_classes=3)
    assert few.macro_recall[0] < recall < few.macro_recall[1]
    width = {name: np.ptp(getattr(few, name)) / np.ptp(getattr(many, name)) for name in ("macro_recall", "macro_f1")}
    assert width == pytest.approx({"macro_recall": 10, "macro_f1": 10}, rel=0.1)


def test_a_rare_class_is_less_certain():
    _, rare, common = bootstrap(TABLE).f1
    assert rare is not None
    assert common is not None
    assert rare[1] - rare[0] > 5 * (common[1] - common[0])


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """200 samples of 300 faces from a known table: 95% of the intervals should hold the figure of that table."""
    shares = TABLE / TABLE.sum()
    hits = shares.diagonal()
    truth = np.mean(2 * hits / (shares.sum(axis=0) + shares.sum(axis=1)))
    samples = np.random.default_rng(0).multinomial(300, shares.ravel(), size=200).reshape(-1, 3, 3)
    found = [bootstrap(sample, draws=400).macro_f1 for sample in samples]
    covered = np.mean([each is not None and each[0] <= truth <= each[1] for each in found])
    assert 0.9 <= covered <= 0.99


def test_classes_that_never_occur_have_no_say():
    table = np.zeros((3, 3), np.int64)
    table[:2, :2] = [[30, 10], [5, 55]]
    with_third, without = bootstrap(table), bootstrap(table[:2, :2])
    assert with_third.f1[2] is None
    assert with_third.macro_f1 == pytest.approx(without.macro_f1, abs=0.02)


def test_where_every_draw_gives_the_same_there_is_no_interval():
    perfect = bootstrap(np.diag([5, 0, 7]))
    assert (perfect.macro_recall, perfect.macro_f1, perfect.f1) == (None, None, (None, None, None))
    no_hit = np.array([[80, 5, 15], [4, 0, 5], [20, 2, 160]])
    first, second, third = bootstrap(no_hit).f1
    assert second is None
    assert first is not None
    assert third is not None
    one_hit = bootstrap(no_hit + np.diag([0, 1, 0])).f1[1]
    assert one_hit is not None
    assert one_hit[0] < one_hit[1]


def two_readers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(first, second, targets) of 600 faces: they mostly agree, and the second is a little better."""
    rng = np.random.default_rng(3)
    targets = rng.choice(3, 600, p=(0.3, 0.1, 0.6))
    first = np.where(rng.random(600) < 0.7, targets, rng.integers(0, 3, 600))
    second = np.where(rng.random(600) < 0.2, targets, first)
    return first, second, targets


def test_differences_are_those_of_drawing_pairs_with_scipy():
    first, second, targets = two_readers()
    found = bootstrap_difference(joint_confusion(first, second, targets, num_classes=3))

    def expected(figure) -> tuple[float, float]:
        interval = stats.bootstrap(
            (np.arange(600),),
            lambda rows: figure(second[rows], targets[rows]) - figure(first[rows], targets[rows]),
            vectorized=False,
            n_resamples=1000,
            method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval
        return interval.low, interval.high

    assert found.macro_f1 == pytest.approx(expected(lambda p, t: metrics.macro_f1(p, t, num_classes=3)), abs=0.01)
    assert found.macro_recall == pytest.approx(
        expected(lambda p, t: metrics.macro_recall(p, t, num_classes=3)), abs=0.01
    )
    assert found.recall[0] == pytest.approx(expected(lambda p, t: (p[t == 0] == 0).mean()), abs=0.01)
    assert found.precision[1] == pytest.approx(expected(lambda p, t: (t[p == 1] == 1).mean()), abs=0.02)


def test_the_difference_in_recall_is_that_of_the_paired_interval():
    first, second, targets = two_readers()
    found = bootstrap_difference(joint_confusion(first, second, targets, num_classes=3)).recall
    for number in range(3):
        of_class = targets == number
        a, b = first[of_class] == number, second[of_class] == number
        paired = metrics.paired_difference_interval(int((a & ~b).sum()), int((b & ~a).sum()), int(of_class.sum()))
        assert found[number] == pytest.approx(paired, abs=0.04)


def test_pairs_are_sharper_than_two_samples_and_the_same_reader_differs_in_nothing():
    first, second, targets = two_readers()
    found = bootstrap_difference(joint_confusion(first, second, targets, num_classes=3))
    assert found.macro_recall is not None
    one, other = (bootstrap(metrics.confusion(each, targets, num_classes=3)).macro_recall for each in (first, second))
    assert one is not None
    assert other is not None
    unpaired = np.hypot(one[1] - one[0], other[1] - other[0])
    assert found.macro_recall[1] - found.macro_recall[0] < 0.7 * unpaired
    same = bootstrap_difference(joint_confusion(first, first, targets, num_classes=3))
    assert same.macro_f1 is None
    assert same.recall == (None, None, None)
    with pytest.raises(ValueError, match="the same faces"):
        joint_confusion(first[:-1], second, targets, num_classes=3)


def test_the_same_table_gives_the_same_interval():
    assert bootstrap(TABLE) == bootstrap(TABLE)
    assert bootstrap(TABLE) != bootstrap(TABLE, seed=1)


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        (np.zeros((3, 3), np.int64), {}, "at least one face"),
        (np.ones((3, 2), np.int64), {}, r"got shape \(3, 2\)"),
        (np.array([[2, -1], [0, 3]]), {}, "expected"),
        (TABLE, {"confidence": 95}, "95% is 0.95"),
    ],
)
def test_what_cannot_be(table: np.ndarray, arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        bootstrap(table, **arguments)
