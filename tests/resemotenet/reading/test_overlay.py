"""The heat of an explanation over its crop: seen on any picture, by anybody, in the right place."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from resemotenet.errors import ImageError
from resemotenet.reading.explain import Explanation, overlay


def with_heat(heat: NDArray[np.float32]) -> Explanation:
    return Explanation("happy", 0.9, np.zeros((6, 6), np.float32), heat)


def brightness(picture: Image.Image) -> NDArray[np.float64]:
    """Relative luminance (WCAG 2), what is left of a colour without colour vision."""
    levels = np.asarray(picture, np.float64) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("size", [(48, 48), (200, 260), (31, 17), (1, 1), (900, 700)])
def test_any_size_of_crop(size: tuple[int, int]):
    heat = np.linspace(0, 1, 48, dtype=np.float32)[None].repeat(48, axis=0)
    drawn = overlay(Image.new("RGB", size, (120, 90, 60)), with_heat(heat))
    assert (drawn.size, drawn.mode) == (size, "RGB")
    if size[0] > 1:
        across = brightness(drawn).mean(axis=0)
        assert (np.diff(across) >= -1e-3).all()
        assert across[-1] > across[0] + 0.3


def test_the_crops_own_colours_do_not_show():
    crop = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8))
    cold = np.asarray(overlay(crop, with_heat(np.zeros((48, 48), np.float32)))).astype(int)
    assert (cold[..., 0] == cold[..., 1]).all()
    assert (cold[..., 0] == cold[..., 2]).all()
    assert np.corrcoef(cold[..., 0].ravel(), np.asarray(crop.convert("L")).ravel())[0, 1] > 0.99


def test_hotter_is_brighter_whatever_is_beneath():
    heat = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(64, axis=0)
    for grey in range(0, 256, 15):
        across = brightness(overlay(np.full((64, 64), grey, np.uint8), with_heat(heat)))[32]
        assert (np.diff(across) > -0.002).all()  # a level, by rounding
        assert (np.diff(across[::8]) > 0).all()
        assert across[-1] - across[0] > 0.3


def test_heat_is_told_from_a_bright_picture():
    """White without heat stays darker than black with all of it."""
    black_and_white = np.repeat(np.array([0, 255], np.uint8), 32)[None].repeat(64, axis=0)
    cold = brightness(overlay(black_and_white, with_heat(np.zeros((64, 64), np.float32))))
    hot = brightness(overlay(black_and_white, with_heat(np.ones((64, 64), np.float32))))
    assert cold.max() < hot.min()


def test_the_heat_is_where_it_belongs():
    heat = np.zeros((48, 48), np.float32)
    heat[36:42, 6:12] = 1
    crop = np.full((100, 200), 90, np.uint8)
    drawn = brightness(overlay(crop, with_heat(heat)))
    down, right = np.unravel_index(drawn.argmax(), drawn.shape)
    assert 75 <= down < 88
    assert 25 <= right < 50
    assert np.ptp(drawn[:50]) == 0


def test_arrays_and_pictures_alike_and_unchanged():
    random = np.random.default_rng(0)
    explanation = with_heat(random.random((48, 48), np.float32))
    pixels = random.integers(0, 256, (60, 50, 3), dtype=np.uint8)
    before, picture = pixels.copy(), Image.fromarray(pixels)
    drawn = np.asarray(overlay(picture, explanation))
    assert np.array_equal(drawn, np.asarray(overlay(pixels, explanation)))
    assert np.array_equal(np.asarray(picture), before)
    assert np.array_equal(pixels, before)


def test_a_crop_of_another_kind():
    explanation = with_heat(np.zeros((48, 48), np.float32))
    with pytest.raises(ImageError, match="floating-point"):
        overlay(Image.new("F", (48, 48)), explanation)
    clear = overlay(Image.new("RGBA", (48, 48)), explanation)
    assert clear == overlay(Image.new("RGB", (48, 48), "white"), explanation)
