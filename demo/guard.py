"""Limits on what comes in, checked before anything is decoded wherever that is possible.

Every refusal is an ``ImageError`` whose text is one sentence for the person who gave the picture.
"""

import base64
import binascii
import io
from typing import TYPE_CHECKING

from PIL import Image
from starlette.exceptions import HTTPException

from resemotenet.errors import ImageError
from resemotenet.images import read_image

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 15_000_000
# A camera's 24 megapixels pass. Pixels cost memory, three bytes each and a few copies of them, whatever the file's
# size says.
MAX_PIXELS = 25_000_000
MIN_SIDE = 32
# Faces that get bars of their own; the table and the JSON hold all of them.
MAX_FACES_SHOWN = 12

# A data URI is a third longer than the bytes in it; the rest is room for the event around it.
MAX_BODY_BYTES = MAX_BYTES * 4 // 3 + 100_000


def check_bytes(count: int) -> None:
    """Raises ``ImageError`` where a file of ``count`` bytes is empty or too large."""
    if count == 0:
        raise ImageError("This file is empty.")
    if count > MAX_BYTES:
        raise ImageError(
            f"This file has {count / 1e6:.0f} MB, and at most {MAX_BYTES / 1e6:.0f} MB are read: "
            "make the picture smaller and try again."
        )


def decode_data_uri(text: str) -> bytes:
    """``data:image/jpeg;base64,...`` -> the bytes of the file; its length is checked before it is decoded.

    The media type is not looked at: browsers derive it from the file's name.
    """
    head, comma, body = text.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        raise ImageError("The picture did not arrive whole: please try again.")
    check_bytes(len(body) // 4 * 3 - body[-2:].count("="))
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise ImageError("The picture did not arrive whole: please try again.") from None


def open_picture(data: bytes, *, max_side: int | None = None) -> Image.Image:
    """The bytes of a file -> an upright PIL image in RGB, if they are within the limits.

    Args:
        max_side: a limit of its own for the longer side, in pixels.

    Raises:
        ImageError: too many bytes or pixels, too few pixels, or not a picture.
    """
    check_bytes(len(data))
    _check_header(data, max_side)
    return read_image(data, name="This file cannot be read")


def _check_header(data: bytes, max_side: int | None) -> None:
    try:
        with Image.open(io.BytesIO(data)) as header:
            width, height = header.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(_too_many_pixels("far too many pixels")) from None
    except OSError:
        return  # not a picture: read_image knows better words for why
    if width * height > MAX_PIXELS:
        raise ImageError(_too_many_pixels(f"{width * height / 1e6:.0f} megapixels"))
    if max_side and max(width, height) > max_side:
        raise ImageError(
            f"This picture has {width} by {height} pixels, and at most {max_side} on a side are read here."
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"This picture is only {width} by {height} pixels, and both sides should have at least {MIN_SIDE}: "
            "try a larger one."
        )


def _too_many_pixels(amount: str) -> str:
    return (
        f"This picture has {amount}, and at most {MAX_PIXELS / 1e6:.0f} megapixels are read: "
        "make it smaller and try again."
    )


class BodyLimit:
    """ASGI middleware that stops reading a request's body at ``limit`` bytes and answers 413.

    A server would otherwise take any amount into memory before the first line of a handler could object.
    """

    def __init__(self, app: "ASGIApp", limit: int = MAX_BODY_BYTES) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        taken = 0

        async def limited() -> "Message":
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit:
                raise HTTPException(413, f"a request may have at most {self.limit} bytes")
            return message

        await self.app(scope, limited if scope["type"] == "http" else receive, send)
