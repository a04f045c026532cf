"""Means of rectangles are those that torch's interpolation "area" gives."""

import numpy as np
import pytest
import torch

from resemotenet.reading.means import Means


def picture(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def area(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    planes = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float()
    return torch.nn.functional.interpolate(planes, (height, width), mode="area").numpy()


@pytest.mark.parametrize("size", [(50, 30), (31, 17), (1, 1), (7, 30), (64, 45), (50, 1), (120, 90)])
def test_the_whole_picture_at_another_size(size):
    pixels = picture(50, 30)
    np.testing.assert_allclose(Means(pixels).whole(*size), area(pixels, *size), atol=1e-4)


def test_without_a_border():
    pixels = picture(50, 40)
    whole = Means(pixels).whole(31, 25)
    np.testing.assert_array_equal(Means(pixels).whole(31, 25, border=4), whole[:, :, 4:-4, 4:-4])


def test_some_rows_of_the_whole():
    pixels = picture(50, 40)
    whole = Means(pixels).whole(31, 25, border=2)
    np.testing.assert_array_equal(Means(pixels).whole(31, 25, border=2, rows=range(4, 15)), whole[:, :, 4:15])


def test_a_fourth_channel_is_not_looked_at():
    pixels = picture(50, 40)
    other = np.dstack([pixels, np.full((40, 50), 255, np.uint8)])
    np.testing.assert_array_equal(Means(other).whole(31, 25), Means(pixels).whole(31, 25))


def test_parts_of_every_size():
    pixels = picture(80, 60)
    corners = np.array([(0, 0, 80, 60), (3, 5, 27, 29), (10, 10, 11, 11), (20, 7, 75, 12), (79, 59, 80, 60)])
    parts = Means(pixels).parts(corners, 24)
    assert parts.shape == (5, 3, 24, 24)
    assert parts.dtype == np.float32
    for part, (x1, y1, x2, y2) in zip(parts, corners, strict=True):
        np.testing.assert_allclose(part[None], area(pixels[y1:y2, x1:x2], 24, 24), atol=1e-4)


def test_no_parts():
    assert Means(picture(5, 5)).parts(np.empty((0, 4), np.int64), 24).shape == (0, 3, 24, 24)


def test_sums_of_a_large_white_picture_do_not_run_over():
    white = np.full((3300, 3300, 3), 255, np.uint8)  # 2.8e9 a channel, more than 31 bits
    np.testing.assert_allclose(Means(white).whole(7, 5), np.full((1, 3, 5, 7), 255), rtol=1e-6)
    np.testing.assert_allclose(Means(white).whole(1, 1), np.full((1, 3, 1, 1), 255), rtol=1e-6)
