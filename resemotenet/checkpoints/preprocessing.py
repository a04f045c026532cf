"""From a face crop to the numbers a model reads: the one evaluation transform that everything uses."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import ImageError
from ..runs.schema import Preprocessing
from .orientation import is_plain

Crop = Image.Image | NDArray[np.uint8]

# ITU-R 601-2 luma, the weights of PIL's convert("L").
LUMA = (0.299, 0.587, 0.114)


class Preprocess(Preprocessing):
    """Grey, resize to a square (aspect not kept), scale to [0, 1], normalise: what ``Preprocessing`` says, done.

    Upstream resizes the colours and makes them grey then, rounding to whole levels after each step. Here grey comes
    first and nothing is rounded: the same up to those roundings, and a third of the work.
    """

    @classmethod
    def of(cls, settings: Preprocessing) -> "Preprocess":
        """What a model's config.json asks for."""
        return cls(**asdict(settings))

    def __call__(self, crops: Sequence[Crop]) -> Tensor:
        """Face crops -> (N, channels, size, size) float32 on the CPU.

        Args:
            crops: PIL pictures of mode RGB or L, or uint8 arrays (H, W, 3) RGB or (H, W) grey; sizes may differ.

        Raises:
            ValueError: a crop is something else, or has no pixels.
        """
        return self.normalize(self.levels(crops))

    def batch(self, grey: Tensor) -> Tensor:
        """Grey pixels (N, 1, H, W), uint8 or float in [0, 255] -> (N, channels, size, size) float32, same device."""
        return self.normalize(self.resize(grey))

    def levels(self, crops: Sequence[Crop]) -> Tensor:
        """Face crops, as for ``__call__`` -> grey and not yet normalised, (N, 1, size, size) float32 in [0, 255]."""
        check_several(crops, "crops")
        if len(crops) == 0:
            return torch.empty(0, 1, self.size, self.size)
        return torch.from_numpy(np.stack([self._levels(_pixels(crop)) for crop in crops])[:, None])

    def look(self, crop: Crop) -> Image.Image:
        """What the network sees of a crop, as a grey PIL picture of (size, size), rounded to whole levels."""
        return Image.fromarray(self.looks([crop])[0, 0])

    def looks(self, crops: Sequence[Crop]) -> NDArray[np.uint8]:
        """``look`` of several crops: (N, 1, size, size)."""
        return rounded(self.levels(crops))

    def _levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """``levels`` of one crop, (size, size). Pillow and torch agree within 0.001 levels, and Pillow takes one core,
        where torch's threads fight with those of others for the cores there are."""
        grey = _grey(pixels)
        if grey.shape == (self.size, self.size):
            return grey
        resized = Image.fromarray(grey).resize((self.size, self.size), Image.Resampling[self.interpolation.upper()])
        return np.asarray(resized).clip(0, 255)  # beside an edge, Lanczos' filter swings beyond black and white

    def resize(self, grey: Tensor) -> Tensor:
        """(N, 1, H, W) in [0, 255] -> (N, 1, size, size) float32 in [0, 255]."""
        grey = grey.float()
        if grey.shape[-2:] == (self.size, self.size):
            return grey
        if self.interpolation == "lanczos":
            down, across = (_lanczos(side, self.size).to(grey.device) for side in grey.shape[-2:])
            return (down @ grey @ across.T).clamp(0, 255)
        shape = (self.size, self.size)
        return torch.nn.functional.interpolate(grey, shape, mode="bilinear", antialias=True, align_corners=False)

    def normalize(self, grey: Tensor) -> Tensor:
        """(N, 1, S, S) in [0, 255] -> (N, channels, S, S) float32."""
        mean = torch.tensor(self.mean, device=grey.device)[:, None, None]
        std = torch.tensor(self.std, device=grey.device)[:, None, None]
        return (grey / 255 - mean) / std


def _lanczos(before: int, after: int) -> Tensor:
    """(after, before): what each pixel along a side is made of, by Lanczos' filter of three lobes; rows sum to 1."""
    scale = before / after
    centers = (np.arange(after) + 0.5) * scale
    x = (np.arange(before) + 0.5 - centers[:, None]) / max(1.0, scale)
    shares = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
    return torch.from_numpy((shares / shares.sum(axis=1, keepdims=True)).astype(np.float32))


def rounded(levels: Tensor) -> NDArray[np.uint8]:
    """``Preprocess.levels`` as whole levels, (N, 1, size, size): what ``Preprocess.looks`` gives for the same crops."""
    looks: NDArray[np.uint8] = levels.round().clamp(0, 255).to(torch.uint8).numpy()
    return looks


def check_several(given: object, what: str) -> None:
    """Refuse one picture where several are expected: its rows would be taken for pictures, silently.

    Raises:
        ImageError: a picture, a path, a file's bytes, an array of two or three dimensions, or no list at all.
    """
    shape = getattr(given, "shape", None)
    if shape is not None and len(shape) not in (1, 4):
        raise ImageError(
            f"expected a list of {what}, got one array of the shape {tuple(shape)}; give one as [array], and "
            "a stack of grey ones as list(array)"
        )
    if isinstance(given, (Image.Image, str, Path, bytes, bytearray)):
        raise ImageError(f"expected a list of {what}, got one {type(given).__name__}; give it in a list, as [it]")
    if not isinstance(given, Iterable):
        raise ImageError(f"expected a list of {what}, got {type(given).__name__}")


def _pixels(crop: Crop) -> NDArray[np.uint8]:
    """A crop as (H, W) or (H, W, 3), checked; not to be written to."""
    if isinstance(crop, Image.Image) and crop.mode not in ("L", "RGB"):
        raise ValueError(f"a crop must be of mode RGB or L, got {crop.mode}; read pictures with read_image")
    if isinstance(crop, Image.Image) and not is_plain(crop):
        raise ValueError("a crop must be upright and opaque, its EXIF or alpha says otherwise; read it with read_image")
    pixels: NDArray[np.uint8] = np.asarray(crop)
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise ValueError(f"a crop must be (H, W) or (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    if pixels.size == 0:
        raise ValueError(f"a crop must have pixels, got {pixels.shape}")
    return pixels


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A crop as (H, W) in [0, 255]; not rounded, unlike PIL's convert("L")."""
    if pixels.ndim == 2:
        return pixels.astype(np.float32)
    red, green, blue = (pixels[..., channel] * np.float32(weight) for channel, weight in enumerate(LUMA))
    grey: NDArray[np.float32] = red + green + blue
    return grey
