import pytest

from resemotenet.reading.faces import Face, area, clip, overlap, suppress_overlaps


def test_overlap():
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    assert overlap((0, 0, 10, 10), (2, 2, 4, 4)) == pytest.approx(0.04)
    assert overlap((0, 0, 0, 0), (0, 0, 0, 0)) == 0


def test_area_of_a_box_turned_inside_out():
    assert area((5, 5, 3, 9)) == 0
    assert area((5, 5, 3, 3)) == 0


def test_clip():
    assert clip((-5.0, 2.0, 30.0, 50.0), (20, 40)) == (0.0, 2.0, 20.0, 40.0)
    assert clip((1.5, 2.5, 3.5, 4.5), (20, 40)) == (1.5, 2.5, 3.5, 4.5)
    assert clip((20.0, 0.0, 30.0, 10.0), (20, 40)) is None
    assert clip((-9.0, 0.0, 0.0, 10.0), (20, 40)) is None


def test_of_overlapping_detections_the_best_stays_largest_first():
    best = Face((0, 0, 10, 10), 0.99)
    double = Face((1, 1, 11, 11), 0.95)
    neighbour = Face((8, 0, 20, 12), 0.92)
    large = Face((50, 50, 90, 90), 0.91)
    assert suppress_overlaps([neighbour, double, large, best]) == [large, neighbour, best]
