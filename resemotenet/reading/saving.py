"""Annotated pictures as files."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ImageError

if TYPE_CHECKING:
    from .reading import Reading

# What annotated pictures are written as.
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


def writable_name(path: Path) -> Path:
    """``path`` with a suffix that can be written: .png in the place of another one."""
    return path if path.suffix.lower() in FORMATS else path.with_suffix(".png")


def save_annotated(reading: "Reading", target: Path) -> None:
    """Draw what was read into the picture and write it, with the folders above it.

    Raises:
        ImageError: it cannot be written; nothing is left then.
    """
    from .drawing import annotate

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()  # so that a format that does not take the picture leaves no half of a file
        annotate(reading).save(buffer, FORMATS[target.suffix.lower()], quality=92)
        target.write_bytes(buffer.getvalue())
    except (OSError, ValueError, MemoryError) as error:  # ValueError: larger than the format allows
        reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
        raise ImageError(f"{target}: cannot be written ({reason}); name a .png or another place") from error
