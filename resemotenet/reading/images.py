"""Opening pictures: whatever people have, upright, RGB and light, or one sentence that says what is wrong."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..checkpoints.orientation import exif_orientation, is_plain, without_warnings
from ..errors import ImageError
from .apart import read_apart
from .effort import takes_what_its_size_says
from .levels import check_used, scaled, white_level
from .light import lightened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..checkpoints.preprocessing import Crop

ImageSource = Union[str, Path, bytes, Image.Image, "NDArray[np.uint8]"]

# Formats of cameras and of the web. Pillow would also open formats that start other programs (EPS runs Ghostscript).
# HEIF is there for those who have registered a plugin for it.
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = frozenset(
    {
        *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpeg", ".jpg", ".mpo"),
        *(".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
    }
)
# 12,000 x 12,000, 432 MB as RGB: above nearly every camera. A small file can claim any size to exhaust memory.
MAX_PIXELS = 144_000_000

# What is said of files that are no picture here, after their name.
DAMAGED = "the picture is damaged or cut short"
HEIC = "HEIC pictures cannot be read here; save it as JPEG"

# What undoes each EXIF orientation.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow says of a PNG whose compressed metadata unpack to more than it takes: one block, all together.
_MUCH_METADATA = ("decompressed data too large", "too much memory used in text chunks")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as it is shown, and as it is searched.

    Attributes:
        image: upright (EXIF-turned), RGB, 8 bits a channel, with no metadata left. All boxes are in its pixels, and
            faces are cut out of it (``crops.cut``).
        light: the same where there is light enough, the very object; a dark one as if there were more (``lightened``).
        path: where it was read from, as it was given; None for bytes, images and arrays.
    """

    image: Image.Image
    light: Image.Image
    path: str | None = None

    @classmethod
    def open(cls, source: ImageSource, *, name: str | None = None) -> "Picture":
        """Read and lighten; arguments and errors are those of ``read_image``."""
        image = read_image(source, name=name)
        return cls(image, lightened(image), str(source) if isinstance(source, (str, Path)) else None)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.image.size


def read_image(source: ImageSource, *, name: str | None = None) -> Image.Image:
    """Any picture as a new, upright PIL image in mode RGB, 8 bits a channel.

    EXIF orientation is obeyed, and the result carries none, so reading it again turns nothing. Transparent parts
    are put on white, as on a page. 16-bit levels are scaled to 8 bits, not clipped. Of an animation it is the first
    frame (of a PIL image, the frame it stands at). The caller's image or array is not changed. What does not say for
    sure which level is white is refused: floating-point and signed pixels, and 16-bit ones that are all nearly black,
    as pictures of 8, 10 or 12 bits are in such a file.

    Args:
        source: a path, the bytes of a file, a PIL image, or a uint8 array, (H, W, 3) RGB or (H, W) grey.
        name: what errors call the picture; its path unless given.

    Raises:
        ImageError: not a picture, damaged, of more than ``MAX_PIXELS``, without pixels, or of a layout or type that
            cannot be understood. One sentence, fit to be shown to the person who gave the picture.
    """
    if isinstance(source, np.ndarray):
        return Image.fromarray(_checked_array(source, name or "the array")).convert("RGB")
    opened: Image.Image | Path | io.BytesIO
    if isinstance(source, Image.Image):
        name, opened = name or "the image", source
    elif isinstance(source, (bytes, bytearray)):
        name, opened = name or "the data", io.BytesIO(source)
    elif isinstance(source, (str, Path)):
        name, opened = name or str(source), Path(source)
    else:
        raise ImageError(f"a picture must be a path, bytes, a PIL image or a uint8 array, got {type(source).__name__}")
    return _read(opened, name)


def read_crop(crop: "Crop") -> "Crop":
    """A face crop by the same rules as any picture (``read_image``); what follows them is given back as it is.

    Raises:
        ImageError: as ``read_image``; a crop is no path and no file.
    """
    if isinstance(crop, Image.Image):
        return crop if is_plain(crop) and crop.size[0] and crop.size[1] else read_image(crop, name="a crop")
    if not isinstance(crop, np.ndarray):
        raise ImageError(f"a crop must be a PIL image or a uint8 array, got {type(crop).__name__}")
    return _checked_array(crop, "a crop")


def _read(source: "Image.Image | Path | io.BytesIO", name: str) -> Image.Image:
    try:
        if isinstance(source, Image.Image):
            with _in_words(source, name):
                return _upright_rgb(source, name)
        if isinstance(source, Path) and _is_special(source):
            raise ImageError(f"{name}: a pipe or a device, expected a file")  # a pipe might never end
        with _in_words(source, name):
            is_plain_work = takes_what_its_size_says(source)
        return read_file(source, name) if is_plain_work else read_apart(source, name)
    except MemoryError:
        raise ImageError(f"{name}: there is not enough memory for this picture; scale it down") from None


def _is_special(path: Path) -> bool:
    # Not Path's own questions, which raise where a name is too long.
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))


def read_file(
    source: "Path | io.BytesIO", name: str, before: Callable[[tuple[int, int]], None] | None = None
) -> Image.Image:
    """The picture in a file, as ``read_image`` gives it; a file may take any time and memory.

    Args:
        before: called with (width, height) before anything is decoded.

    Raises:
        ImageError: as ``read_image``.
        MemoryError: there is not enough.
    """
    with _in_words(source, name):
        with without_warnings():
            opened = Image.open(source, formats=readable_formats())
        with opened as image:
            return _upright_rgb(image, name, before)


@contextmanager
def _in_words(source: "Image.Image | Path | io.BytesIO", name: str) -> Iterator[None]:
    """Whatever Pillow raises becomes an ``ImageError`` of one sentence."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{name}: {_why_unidentified(source)}") from None
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    # On damaged files Pillow's decoders raise a dozen kinds (SyntaxError, struct.error, ...); all of them end here.
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise ImageError(f"{name}: {error.strerror.lower()}") from error
        reason = " ".join(str(error).split()) or type(error).__name__
        if any(words in reason.lower() for words in _MUCH_METADATA):
            much = "it holds an unusual amount of text or colour data besides its pixels"
            raise ImageError(f"{name}: {much}; save it again without metadata") from error
        raise ImageError(f"{name}: {DAMAGED} ({reason})") from error


def readable_formats() -> list[str]:
    """Pillow's names of the formats that are read here, as far as this Pillow knows them."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _upright_rgb(image: Image.Image, name: str, before: Callable[[tuple[int, int]], None] | None = None) -> Image.Image:
    width, height = image.size
    if width == 0 or height == 0:
        raise ImageError(f"{name}: the picture has no pixels ({width}x{height})")
    if width * height > MAX_PIXELS:
        raise _too_large(name)
    if before is not None:
        before(image.size)
    white = white_level(image, name)
    image.load()
    upright = _rgb(image, name, white)
    transposed = _UPRIGHT.get(exif_orientation(image))
    if transposed is not None:
        upright = upright.transpose(transposed)
    upright.info = {}  # the EXIF in it would be obeyed a second time
    return upright


def _rgb(image: Image.Image, name: str, white: int) -> Image.Image:
    """A new image in mode RGB, without alpha."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        return Image.fromarray(scaled(np.asarray(image), white, name)).convert("RGB")
    if white > 255:  # Pillow has scaled colours itself
        check_used(image.getextrema()[:3], name)
    if image.mode == "La":  # converts to nothing else
        image = image.convert("LA")
    if not image.has_transparency_data:
        return image.convert("RGB")
    colours = image.convert("RGBA")
    paper = Image.new("RGBA", colours.size, "white")
    return Image.alpha_composite(paper, colours).convert("RGB")


def _checked_array(pixels: "NDArray[np.uint8]", name: str) -> "NDArray[np.uint8]":
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise ImageError(f"{name}: expected (H, W, 3) RGB or (H, W) grey, got the shape {pixels.shape}")
    if pixels.dtype != np.uint8:
        raise ImageError(f"{name}: expected uint8 pixels from 0 to 255, got {pixels.dtype}; scale and convert them")
    if pixels.size == 0:
        raise ImageError(f"{name}: the picture has no pixels ({pixels.shape[1]}x{pixels.shape[0]})")
    return np.ascontiguousarray(pixels)


def _too_large(name: str) -> ImageError:
    return ImageError(f"{name}: the picture has more than {MAX_PIXELS // 10**6} megapixels; scale it down")


def _why_unidentified(source: "Path | io.BytesIO | Image.Image") -> str:
    head = _first_bytes(source)
    if not head:
        return "the file is empty"
    if head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS:
        return HEIC
    return "not a picture, or of a format that cannot be read (JPEG, PNG, WebP, GIF, BMP and TIFF can)"


def _first_bytes(source: "Path | io.BytesIO | Image.Image") -> bytes:
    if isinstance(source, Path):
        with source.open("rb") as file:
            return file.read(12)
    assert isinstance(source, io.BytesIO)
    return source.getvalue()[:12]
