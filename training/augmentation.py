"""Augmentation of a whole batch at once, as tensor code on the batch's device.

Nothing is written to disk, and it runs after the split, so an augmented copy can never sit in two splits.
"""

import math

import torch
from torch import Tensor

from resemotenet.runs.schema import Augmentation


def augment(images: Tensor, config: Augmentation, size: int) -> Tensor:
    """Draw one variant of every face.

    Args:
        images: (N, 1, H, W) uint8.
        size: side of the result; the resize is part of the one geometric sampling, so nothing is sampled twice.

    Returns:
        (N, 1, size, size) float32 in [0, 255].
    """
    faces = _warp(images.float(), config, size)
    faces = _light(faces, config)
    faces = _dim(faces, config.dimming)
    faces = _shade(faces, config.shade)
    faces = _blur(faces, config.blur)
    faces = _noise(faces, config.noise)
    return _erase(faces, config.erase)


def mixup(faces: Tensor, distribution: Tensor, parameter: float) -> tuple[Tensor, Tensor]:
    """Blend every face (N, 1, S, S), and what is aimed at (N, K), with another one of the batch, all in one share.

    With one share the batch as a whole aims at what it aimed at before, so class weights weigh what they weighed.
    """
    if not parameter:
        return faces, distribution
    share = float(torch.distributions.Beta(parameter, parameter).sample())
    others = torch.randperm(len(faces), device=faces.device)
    return torch.lerp(faces[others], faces, share), torch.lerp(distribution[others], distribution, share)


def _symmetric(n: int, extent: float, device: torch.device) -> Tensor:
    return (torch.rand(n, device=device) * 2 - 1) * extent


def _warp(faces: Tensor, config: Augmentation, size: int) -> Tensor:
    """Flip, rotate, scale and shift in one bilinear sampling; the border is continued outwards."""
    n, device = len(faces), faces.device
    angle = _symmetric(n, math.radians(config.rotation), device)
    scale = 1 + _symmetric(n, config.scale, device)
    mirror = (torch.rand(n, device=device) < 0.5).float() * -2 + 1 if config.flip else torch.ones(n, device=device)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    # affine_grid's coordinates run over [-1, 1], so a fraction of the side counts twice.
    across, down = _symmetric(n, 2 * config.shift, device), _symmetric(n, 2 * config.shift, device)
    matrix = torch.stack(
        [torch.stack([cos * mirror, -sin, across], dim=1), torch.stack([sin * mirror, cos, down], dim=1)], dim=1
    )
    grid = torch.nn.functional.affine_grid(matrix, [n, 1, size, size], align_corners=False)
    return torch.nn.functional.grid_sample(faces, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _light(faces: Tensor, config: Augmentation) -> Tensor:
    """Contrast around each face's own mean, then brightness."""
    n, device = len(faces), faces.device
    contrast = 1 + _symmetric(n, config.contrast, device)[:, None, None, None]
    brightness = _symmetric(n, 255 * config.brightness, device)[:, None, None, None]
    mean = faces.mean(dim=(1, 2, 3), keepdim=True)
    return ((faces - mean) * contrast + mean + brightness).clamp_(0, 255)


def _extent(n: int, most: float, device: torch.device) -> Tensor:
    """(n, 1, 1, 1) uniform in [0, most] for every second face on average, 0 for the others."""
    drawn = torch.rand(n, device=device) * most * (torch.rand(n, device=device) < 0.5)
    return drawn[:, None, None, None]


def _dim(faces: Tensor, most: float) -> Tensor:
    return faces if most == 1 else faces * torch.exp(-_extent(len(faces), math.log(most), faces.device))


def _shade(faces: Tensor, most: float) -> Tensor:
    """From full light at one end of the face to a part of it at the other, along a straight line of any direction."""
    if most == 0:
        return faces
    n, _, height, width = faces.shape
    angle = _symmetric(n, math.pi, faces.device)[:, None, None, None]
    y = torch.linspace(-1, 1, height, device=faces.device)[:, None]
    x = torch.linspace(-1, 1, width, device=faces.device)[None, :]
    along = x * torch.cos(angle) + y * torch.sin(angle)
    along = (along / (torch.cos(angle).abs() + torch.sin(angle).abs()) + 1) / 2  # 0 and 1 in opposite corners
    return faces * (1 - _extent(n, most, faces.device) * along)


def _blur(faces: Tensor, most: float) -> Tensor:
    """A Gaussian of its own width for each face, cut off at three of the widest; the border is continued outwards."""
    if most == 0:
        return faces
    n, width = len(faces), faces.shape[-1]
    deviation = _extent(n, most * width, faces.device)[:, 0, 0].clamp(min=1e-3)  # (n, 1)
    reach = math.ceil(3 * most * width)
    offset = torch.arange(-reach, reach + 1, device=faces.device)
    kernel = torch.exp(-0.5 * (offset / deviation) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True))[:, None]  # (n, 1, taps)
    pad = torch.nn.functional.pad(faces, (reach, reach, reach, reach), mode="replicate").transpose(0, 1)
    across = torch.nn.functional.conv2d(pad, kernel[:, :, None], groups=n)
    return torch.nn.functional.conv2d(across, kernel[..., None], groups=n).transpose(0, 1)


def _noise(faces: Tensor, most: float) -> Tensor:
    if most == 0:
        return faces
    deviation = _extent(len(faces), 255 * most, faces.device)
    return (faces + torch.randn_like(faces) * deviation).clamp_(0, 255)


def _erase(faces: Tensor, probability: float) -> Tensor:
    """Random erasing (Zhong et al. 2020): one rectangle a face, of 2% to 20% of the area, filled with noise."""
    if probability == 0:
        return faces
    n, _, height, width = faces.shape
    device = faces.device
    area = torch.empty(n, device=device).uniform_(0.02, 0.2)
    aspect = torch.exp(_symmetric(n, math.log(3), device))
    tall = (area * aspect).sqrt().clamp(max=1) * height
    wide = (area / aspect).sqrt().clamp(max=1) * width
    top = torch.rand(n, device=device) * (height - tall)
    left = torch.rand(n, device=device) * (width - wide)
    y = torch.arange(height, device=device)[None, :, None]
    x = torch.arange(width, device=device)[None, None, :]
    inside_y = (y >= top[:, None, None]) & (y < (top + tall)[:, None, None])
    inside_x = (x >= left[:, None, None]) & (x < (left + wide)[:, None, None])
    chosen = (torch.rand(n, device=device) < probability)[:, None, None]
    hole = (inside_y & inside_x & chosen)[:, None]
    return torch.where(hole, torch.rand_like(faces) * 255, faces)
