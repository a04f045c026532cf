"""Whether the pixels of a picture are what is to be seen, or lie as EXIF says."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import ExifTags, Image

# catch_warnings changes the filters of the whole process; two threads inside it at once could leave them changed.
_WARNINGS_LOCK = threading.Lock()


def exif_orientation(image: Image.Image) -> int:
    """EXIF's number for how the pixels lie, 1 where they stand upright or nothing (or nonsense) is said."""
    try:
        with without_warnings():
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    # Damaged EXIF says nothing about the pixels, and people cannot mend it: the picture is taken as it lies.
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, OSError):
        return 1


def is_plain(image: Image.Image) -> bool:
    """Whether the pixels are what is to be seen: grey or RGB, not to be turned, not transparent."""
    return image.mode in ("L", "RGB") and not image.has_transparency_data and exif_orientation(image) == 1


@contextmanager
def without_warnings() -> Iterator[None]:
    """Pillow warns of damaged metadata and of large pictures. The first is no matter, the second an error elsewhere.

    Not for decoding, which may take seconds: the filters are those of the whole process, so others would have to wait.
    """
    with _WARNINGS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
