"""Which level is white in a picture of more than 8 bits; refused where neither file nor format says so for sure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of 255: up to here reach 12-bit levels in a file of 16 bits (4095 of 65535), and no photograph is that dark all over.
DARKEST = 16

_WHITE_IS_ZERO, _UNSIGNED, _PLANES = 0, 1, 2
_PHOTOMETRIC, _BITS, _PLANAR, _SAMPLE_FORMAT = 262, 258, 284, 339  # tags of TIFF
_REMEDY = "save it with 8 bits a channel"

# What is said of such levels: where they are found.
IN_THE_DARK = "in the darkest sixteenth of their range"
DARK = f"its 16-bit levels are {{found}}, so they are probably of 8, 10 or 12 bits; scale them, or {_REMEDY}"


def white_level(image: Image.Image, name: str) -> int:
    """The level that means white: 255, or more in a picture of more bits. Asked before the pixels are decoded.

    Raises:
        ImageError: the layout does not say, or Pillow is known to decode it wrongly.
    """
    if image.mode == "F":
        raise ImageError(f"{name}: its pixels are floating-point numbers without an agreed range; {_REMEDY}")
    tags: Any = getattr(image, "tag_v2", None)
    if tags is not None:
        return _white_of_tiff(tags, name)
    # Where colours have 16 bits, only the way they are packed in the file tells so.
    tiles = getattr(image, "tile", None)
    deep = image.mode == "I" or "16" in image.mode or bool(tiles and ";16" in str(tiles[0][3]))
    return 65535 if deep else 255


def _white_of_tiff(tags: Any, name: str) -> int:
    bits: int = max(tags.get(_BITS, (1,)))
    if any(each != _UNSIGNED for each in tags.get(_SAMPLE_FORMAT, ())):
        raise ImageError(f"{name}: its pixels are signed or floating-point, without an agreed range; {_REMEDY}")
    if bits > 16:
        raise ImageError(f"{name}: its pixels have {bits} bits, and nothing says which level is white; {_REMEDY}")
    if bits > 8 and (tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO or tags.get(_PLANAR) == _PLANES):
        layout = "black and white exchanged" if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else "a plane for each colour"
        raise ImageError(f"{name}: a TIFF of {bits} bits with {layout} cannot be read here; {_REMEDY}")
    return max(255, (1 << bits) - 1)


def scaled(grey: "NDArray[Any]", white: int, name: str) -> "NDArray[np.uint8]":
    """Grey levels from 0 to ``white`` as levels from 0 to 255.

    Raises:
        ImageError: they go beyond, or hardly leave black.
    """
    grey = grey.astype(np.int32)
    if grey.min() < 0 or grey.max() > white:
        raise ImageError(f"{name}: its pixels go from {grey.min()} to {grey.max()}, expected 0 to {white}")
    levels = ((grey * 255 + white // 2) // white).astype(np.uint8)
    check_used([(0, int(levels.max()))], name, f"from {grey.min()} to {grey.max()} of {white}")
    return levels


def check_used(extrema: Iterable[Any], name: str, found: str = IN_THE_DARK) -> None:
    """Refuse what was scaled from more than 8 bits and is nearly black: levels of another range, as good as surely.

    Args:
        extrema: (smallest, largest) of each channel, of 255.
    """
    if max(largest for _, largest in extrema) <= DARKEST:
        raise ImageError(f"{name}: {DARK.format(found=found)}")
