"""Each kind of augmentation alone, measured on pictures whose answer is known: how far, which way, how often."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from resemotenet.runs.schema import Augmentation
from training.augmentation import augment, mixup

NONE = Augmentation(flip=False, rotation=0, scale=0, shift=0, brightness=0, contrast=0, erase=0)
N = 600
CENTRE = 23.5


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def faces(n: int = 8) -> Tensor:
    return torch.randint(0, 256, (n, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def spot(across: float, down: float, n: int = N) -> Tensor:
    """A soft white spot on black, its centre this many pixels right of and below the middle: (n, 1, 48, 48) uint8."""
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    distance = (x - CENTRE - across) ** 2 + (y - CENTRE - down) ** 2
    return (255 * torch.exp(-distance / 8)).round().to(torch.uint8).expand(n, 1, 48, 48)


def centres(images: Tensor) -> tuple[Tensor, Tensor]:
    """Centre of brightness of each image, pixels right of and below the middle."""
    weights = images[:, 0] / images[:, 0].sum(dim=(1, 2), keepdim=True)
    along = torch.arange(48.0) - CENTRE
    return (weights.sum(dim=1) * along).sum(dim=1), (weights.sum(dim=2) * along).sum(dim=1)


def test_nothing_asked_nothing_done():
    images = faces()
    torch.testing.assert_close(augment(images, NONE, 48), images.float(), rtol=0, atol=0.01)


def test_only_the_size_changes():
    """A slope stays the same slope on another number of pixels; beyond the last pixel centre it is continued flat."""
    slope = (torch.arange(48.0) * 5).to(torch.uint8).expand(2, 1, 48, 48)
    at = ((torch.arange(64) + 0.5) * 48 / 64 - 0.5).clamp(0, 47)
    out = augment(slope, NONE, 64)
    torch.testing.assert_close(out, (5 * at).expand(2, 1, 64, 64), rtol=0, atol=0.01)


def test_flip_mirrors_about_half_and_does_nothing_else():
    images = faces(N)
    out = augment(images, replace(NONE, flip=True), 48)
    same = torch.isclose(out, images.float(), atol=0.01).all(dim=(1, 2, 3))
    mirrored = torch.isclose(out, images.flip(-1).float(), atol=0.01).all(dim=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 0.4 < mirrored.float().mean() < 0.6


@pytest.mark.parametrize("degrees", [5.0, 15.0, 30.0])
def test_rotation_turns_about_the_middle_up_to_its_range(degrees: float):
    across, down = centres(augment(spot(14, 0), replace(NONE, rotation=degrees), 48))
    angle = torch.atan2(down, across) * 180 / math.pi
    torch.testing.assert_close(torch.hypot(across, down), torch.full((N,), 14.0), rtol=0, atol=0.1)
    assert angle.abs().max() <= degrees + 0.3
    assert angle.min() < -0.95 * degrees
    assert angle.max() > 0.95 * degrees
    assert angle.mean().abs() < 0.15 * degrees


def test_scale_shows_between_less_and_more_of_the_side():
    """A scale of 0.15 shows 85% to 115% of the side; what lay 12 px from the middle comes to 12 / share shown."""
    across, down = centres(augment(spot(12, 0), replace(NONE, scale=0.15), 48))
    shown = 12 / across
    assert shown.min() == pytest.approx(0.85, abs=0.01)
    assert shown.max() == pytest.approx(1.15, abs=0.01)
    assert shown.mean() == pytest.approx(1.0, abs=0.02)
    assert down.abs().max() < 0.01


def test_shift_goes_both_ways_up_to_its_fraction_of_the_side():
    along = centres(augment(spot(0, 0), replace(NONE, shift=0.1), 48))
    for pixels in along:
        assert pixels.min() == pytest.approx(-4.8, abs=0.1)
        assert pixels.max() == pytest.approx(4.8, abs=0.1)
        assert pixels.mean() == pytest.approx(0, abs=0.4)
    correlation = torch.corrcoef(torch.stack(along))[0, 1]
    assert abs(correlation) < 0.15


def test_the_border_is_continued_outwards():
    white = torch.full((20, 1, 48, 48), 200, dtype=torch.uint8)
    out = augment(white, replace(NONE, shift=0.3, rotation=30, scale=0.3), 48)
    torch.testing.assert_close(out, torch.full_like(out, 200), rtol=0, atol=0.01)


def test_brightness_adds_up_to_its_fraction_of_full_scale():
    grey = torch.full((N, 1, 48, 48), 128, dtype=torch.uint8)
    added = augment(grey, replace(NONE, brightness=0.2), 48) - 128
    assert (added.amax(dim=(1, 2, 3)) - added.amin(dim=(1, 2, 3))).max() < 0.01
    assert added.min() == pytest.approx(-51, abs=1)
    assert added.max() == pytest.approx(51, abs=1)
    assert added.mean() == pytest.approx(0, abs=4)


def test_contrast_changes_the_spread_and_keeps_the_mean():
    halves = torch.full((N, 1, 48, 48), 100, dtype=torch.uint8)
    halves[..., 24:] = 140
    out = augment(halves, replace(NONE, contrast=0.25), 48)
    torch.testing.assert_close(out.mean(dim=(1, 2, 3)), torch.full((N,), 120.0), rtol=0, atol=0.01)
    spread = (out[:, 0, 0, 40] - out[:, 0, 0, 5]) / 40
    assert spread.min() == pytest.approx(0.75, abs=0.01)
    assert spread.max() == pytest.approx(1.25, abs=0.01)


def test_pixels_stay_in_range():
    out = augment(faces(100), Augmentation(brightness=1, contrast=1), 48)
    assert out.min() == 0
    assert out.max() == 255


@pytest.mark.parametrize("probability", [0.25, 1.0])
def test_erasing_puts_noise_into_one_rectangle_of_the_stated_area(probability: float):
    black = torch.zeros(N, 1, 48, 48, dtype=torch.uint8)
    out = augment(black, replace(NONE, erase=probability), 48)[:, 0]
    erased = out.amax(dim=(1, 2)) > 0
    assert erased.float().mean() == pytest.approx(probability, abs=0.06)
    shares = []
    for face in out[erased]:
        rows, columns = face.amax(dim=1).nonzero(), face.amax(dim=0).nonzero()
        inside = face[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (inside > 0).float().mean() > 0.99  # a whole rectangle: noise is hardly ever just 0
        shares.append(inside.numel() / 48**2)
    # A side is at most one pixel off what was drawn.
    assert 0.012 < min(shares) < 0.03
    assert 0.18 < max(shares) < 0.23
    noise = out[out > 0]
    assert noise.mean() == pytest.approx(127.5, abs=2)
    assert noise.max() <= 255


def test_every_face_is_drawn_for_itself():
    out = augment(faces(1).expand(50, 1, 48, 48), Augmentation(), 48)
    assert len(torch.unique(out.flatten(1), dim=0)) == 50


def test_a_face_does_not_depend_on_its_neighbours():
    images = faces(2)
    other = images.clone()
    other[1] = 255 - other[1]
    torch.manual_seed(3)
    first = augment(images, Augmentation(), 48)
    torch.manual_seed(3)
    second = augment(other, Augmentation(), 48)
    torch.testing.assert_close(first[0], second[0], rtol=0, atol=0)
    assert not torch.equal(first[1], second[1])


def test_a_seed_gives_the_same_faces_again():
    drawn = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        drawn.append(augment(faces(), Augmentation(), 48))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_input_is_left_as_it_was():
    images = faces()
    before = images.clone()
    augment(images, Augmentation(), 48)
    assert torch.equal(images, before)


def grey(n: int = N, level: int = 200) -> Tensor:
    return torch.full((n, 1, 48, 48), level, dtype=torch.uint8)


def test_dimming_divides_by_up_to_the_factor():
    images = faces(N)
    out = augment(images, replace(NONE, dimming=8.0), 48)
    factors = out.sum(dim=(1, 2, 3)) / images.float().sum(dim=(1, 2, 3))
    torch.testing.assert_close(out, images * factors[:, None, None, None], rtol=1e-4, atol=0.02)
    dimmed = factors[factors < 0.9999]
    assert 0.4 < len(dimmed) / N < 0.6
    assert 1 / 8 <= dimmed.min() < 0.14
    assert dimmed.log().mean() == pytest.approx(-math.log(8) / 2, abs=0.1)


def test_shade_falls_off_in_a_straight_line_from_full_light():
    out = augment(grey(), replace(NONE, shade=0.8), 48)[:, 0]
    shaded = (out - 200).abs().amax(dim=(1, 2)) > 0.01
    assert 0.4 < shaded.float().mean() < 0.6
    out = out[shaded]
    assert out.amax() <= 200.001
    lightest, darkest = out.amax(dim=(1, 2)), out.amin(dim=(1, 2))
    assert (lightest > 199).all()  # full light in one corner
    assert 1 - 0.8 <= (darkest / 200).min() < 0.3
    assert (out.diff(n=2, dim=1).abs() < 0.01).all()
    assert (out.diff(n=2, dim=2).abs() < 0.01).all()
    across, down = out.diff(dim=2).mean(dim=(1, 2)), out.diff(dim=1).mean(dim=(1, 2))
    for slope in (across, down):  # in all directions
        assert 0.3 < (slope > 0).float().mean() < 0.7


def test_blur_is_a_gaussian_of_at_most_the_asked_width_and_keeps_the_light():
    point = torch.zeros(N, 1, 48, 48, dtype=torch.uint8)
    point[:, :, 24, 24] = 255
    out = augment(point, replace(NONE, blur=0.05), 48)[:, 0]
    torch.testing.assert_close(out.sum(dim=(1, 2)), torch.full((N,), 255.0), rtol=1e-4, atol=0.01)
    at = torch.arange(48.0) - 24
    for across in (1, 2):
        deviation = ((out.sum(dim=across) / 255 * at**2).sum(dim=1)).sqrt()
        assert 0.4 < (deviation < 0.01).float().mean() < 0.65
        assert 2.2 < deviation.max() <= 0.05 * 48 + 0.01
    torch.testing.assert_close(out, out.transpose(1, 2), rtol=1e-4, atol=1e-4)


def test_blur_does_not_darken_the_border():
    torch.testing.assert_close(augment(grey(), replace(NONE, blur=0.05), 48), grey().float(), rtol=1e-5, atol=1e-3)


def test_noise_is_normal_and_different_everywhere():
    out = augment(grey(level=128), replace(NONE, noise=0.1), 48) - 128
    deviation = out.std(dim=(1, 2, 3))
    noisy = deviation > 0
    assert 0.4 < noisy.float().mean() < 0.6
    assert 23 < deviation.max() < 27
    assert out.mean().abs() < 0.1
    loud = out[deviation > 15]
    neighbours = (loud[..., 1:] * loud[..., :-1]).mean() / loud.var()
    assert neighbours.abs() < 0.05


def test_a_run_from_before_these_draws_what_it_drew():
    """Nothing is drawn for what is not asked for, so that a run begun with an earlier version goes on as it was."""
    torch.manual_seed(3)
    before = augment(faces(), Augmentation(), 48)
    following = torch.rand(1)
    torch.manual_seed(3)
    for draws in (8, 8, 8, 8, 8, 8, 8):  # rotation, scale, mirror, two shifts, contrast, brightness
        torch.rand(draws)
    for draws in (8, 8, 8, 8, 8):  # erasing: area, aspect, top, left, whether
        torch.rand(draws)
    torch.rand(before.shape)
    assert torch.equal(torch.rand(1), following)


class TestMixup:
    images = torch.rand(64, 1, 4, 4) * 255
    aims = torch.eye(7)[torch.arange(64) % 7]

    def test_none(self):
        faces, aims = mixup(self.images, self.aims, 0)
        assert faces is self.images
        assert aims is self.aims

    def test_every_face_and_its_aim_are_blended_with_the_same_other_in_one_share(self):
        # Faces that tell who they are: constant, face i of brightness i.
        faces, aims = mixup(torch.arange(64.0)[:, None, None, None].expand(64, 1, 4, 4), torch.eye(64), 0.4)
        torch.testing.assert_close(aims.sum(dim=1), torch.ones(64))
        torch.testing.assert_close(faces[:, 0, 0, 0], aims @ torch.arange(64.0))
        torch.testing.assert_close(aims.sum(dim=0), torch.ones(64))  # everyone is once the other
        shares = aims.diagonal()[aims.diagonal() < 0.999]
        torch.testing.assert_close(shares, shares[:1].expand_as(shares))

    def test_the_share_follows_the_beta_distribution(self):
        """One parameter of 0.2 gives shares near 0 or 1, one of 50 shares near a half."""

        def share(parameter: float) -> float:
            return float(mixup(self.images, torch.eye(64), parameter)[1].diagonal().median())

        assert sum(not 0.1 < share(0.2) < 0.9 for _ in range(200)) in range(100, 170)  # 67% by the distribution
        assert sum(0.35 < share(50) < 0.65 for _ in range(200)) > 190
