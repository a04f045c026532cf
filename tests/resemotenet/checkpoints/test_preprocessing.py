"""The evaluation transform against PIL and against upstream's chain of transforms."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision import transforms

from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.runs.schema import Preprocessing

GREY = Preprocess(size=48, channels=1, mean=(0.5,), std=(0.25,))


def noise(height: int, width: int, channels: int | None = None, seed: int = 0) -> NDArray[np.uint8]:
    shape = (height, width) if channels is None else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(48, 48), (300, 300), (97, 31), (20, 33), (64, 200), (64, 64), (1, 1)])
def test_resize_is_pils_bilinear_up_to_its_rounding(shape: tuple[int, int]) -> None:
    pixels = noise(*shape)
    expected = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR), dtype=np.float32)
    resized = Preprocess().resize(torch.from_numpy(pixels)[None, None])[0, 0].numpy()
    # PIL rounds after the horizontal and after the vertical pass: half a level each, and a little for its weights.
    assert np.abs(resized - expected).max() <= 1.05


@pytest.mark.parametrize("shape", [(48, 48), (300, 300), (97, 31), (20, 33), (1, 1)])
def test_lanczos_is_pils_whichever_way_it_is_computed_and_stays_between_black_and_white(shape: tuple[int, int]) -> None:
    pixels = np.where(noise(*shape) < 128, 0, 255).astype(np.uint8)
    preprocess = Preprocess(size=64, interpolation="lanczos")
    whole = Image.fromarray(pixels.astype(np.float32)).resize((64, 64), Image.Resampling.LANCZOS)
    expected = np.asarray(whole).clip(0, 255)
    np.testing.assert_allclose(preprocess.resize(torch.from_numpy(pixels)[None, None])[0, 0], expected, atol=0.01)
    np.testing.assert_allclose(preprocess.levels([pixels])[0, 0], expected, atol=0.01)


def test_a_crop_of_the_inputs_size_is_the_same_by_every_filter() -> None:
    pixels = noise(48, 48)
    np.testing.assert_array_equal(replace(GREY, interpolation="lanczos")([pixels]), GREY([pixels]))


@pytest.mark.parametrize("shape", [(48, 48), (300, 280), (97, 31), (20, 33)])
def test_upstreams_chain_up_to_its_roundings(shape: tuple[int, int]) -> None:
    upstream = transforms.Compose(
        [
            transforms.Resize((64, 64)),
            transforms.Grayscale(num_output_channels=3),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    crop = Image.fromarray(noise(*shape, 3))
    expected, got = upstream(crop), Preprocess()([crop])[0]
    assert got.shape == expected.shape == (3, 64, 64)
    levels = (got - expected).abs() * torch.tensor([0.229, 0.224, 0.225])[:, None, None] * 255
    assert levels.max() <= 2
    assert levels.mean() <= 0.5


def test_normalisation_by_hand() -> None:
    pixels = noise(64, 64)
    batch = Preprocess()([pixels])
    for channel, (mean, std) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        np.testing.assert_allclose(batch[0, channel].numpy(), (pixels / 255 - mean) / std, atol=1e-5)
    np.testing.assert_allclose(GREY([noise(48, 48)])[0, 0].numpy(), (noise(48, 48) / 255 - 0.5) / 0.25, atol=1e-6)


@pytest.mark.parametrize(("color", "grey"), [((255, 0, 0), 76.245), ((0, 255, 0), 149.685), ((0, 0, 255), 29.07)])
def test_grey_has_pils_weights_and_rgb_order(color: tuple[int, int, int], grey: float) -> None:
    pixels = np.full((48, 48, 3), color, dtype=np.uint8)
    expected = torch.full((1, 1, 48, 48), (grey / 255 - 0.5) / 0.25)
    torch.testing.assert_close(GREY([pixels]), expected, rtol=0, atol=1e-5)
    assert abs(grey - np.asarray(Image.fromarray(pixels).convert("L"))[0, 0]) <= 0.5


def test_pictures_and_arrays_are_the_same() -> None:
    color, grey = noise(50, 40, 3), noise(50, 40)
    torch.testing.assert_close(GREY([Image.fromarray(color)]), GREY([color]), rtol=0, atol=0)
    torch.testing.assert_close(GREY([Image.fromarray(grey)]), GREY([grey]), rtol=0, atol=0)


def test_a_batch_of_different_sizes_is_each_crop_alone() -> None:
    crops = [noise(50, 40, 3, seed=1), noise(48, 48, seed=2), noise(9, 200, 3, seed=3)]
    batch = GREY(crops)
    assert batch.shape == (3, 1, 48, 48)
    assert batch.dtype == torch.float32
    for index, crop in enumerate(crops):
        torch.testing.assert_close(batch[index : index + 1], GREY([crop]), rtol=0, atol=0)


def test_tensors_on_a_device_take_the_same_path() -> None:
    pixels = noise(30, 30)
    stack = torch.from_numpy(np.stack([pixels, pixels]))[:, None]
    torch.testing.assert_close(GREY.batch(stack), GREY([pixels, pixels]), rtol=0, atol=0)
    torch.testing.assert_close(GREY.batch(stack.float()), GREY.batch(stack), rtol=0, atol=0)


def test_read_only_arrays_and_mirrored_views() -> None:
    pixels = noise(48, 48)
    mirrored = pixels[:, ::-1]
    pixels.flags.writeable = False
    torch.testing.assert_close(GREY([pixels]).flip(-1), GREY([mirrored]), rtol=0, atol=0)


def test_no_crops() -> None:
    assert Preprocess()([]).shape == (0, 3, 64, 64)


@pytest.mark.parametrize(
    ("crop", "message"),
    [
        (np.zeros((5, 5), np.float32), r"uint8, got \(5, 5\) float32"),
        (np.zeros((5, 5, 4), np.uint8), r"uint8, got \(5, 5, 4\) uint8"),
        (np.zeros((1, 5, 5, 3), np.uint8), r"got \(1, 5, 5, 3\)"),
        (np.zeros((0, 5, 3), np.uint8), r"must have pixels, got \(0, 5, 3\)"),
        (Image.new("RGBA", (5, 5)), "mode RGB or L, got RGBA"),
        (Image.new("I;16", (5, 5)), "mode RGB or L, got I;16"),
        ("photo.jpg", "uint8, got"),
    ],
)
def test_what_is_no_crop(crop: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocess()([crop])


def test_it_does_what_a_config_asks_for() -> None:
    assert Preprocess.of(Preprocessing(size=48, channels=1, mean=(0.5,), std=(0.25,))) == GREY
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        replace(GREY, size=0)


def test_what_the_network_sees_can_be_looked_at():
    crop = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    preprocess = Preprocess(size=48, channels=1, mean=(0.5,), std=(0.25,))
    seen = preprocess.look(crop)
    assert (seen.size, seen.mode) == ((48, 48), "L")
    # Seen again it is the same: nothing is left to resize, and only the rounding is lost.
    level = 1 / 255 / 0.25
    assert (preprocess([seen]) - preprocess([crop])).abs().max() <= 0.5 * level + 1e-6


@pytest.mark.parametrize("shape", [(48, 48), (300, 280), (97, 31), (20, 33), (700, 700), (1, 1)])
def test_crops_and_tensors_are_resized_alike(shape: tuple[int, int]) -> None:
    """Crops by Pillow, tensors by torch: the same filter, summed up in another order."""
    pixels = noise(*shape)
    by_torch = GREY.resize(torch.from_numpy(pixels)[None, None])
    torch.testing.assert_close(GREY.levels([pixels]), by_torch, rtol=0, atol=2e-3)
    torch.testing.assert_close(GREY([pixels]), GREY.normalize(by_torch), rtol=0, atol=3e-5)
