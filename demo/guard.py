"""Limits on what comes in, checked before anything is decoded wherever that is possible.

Every refusal is an ``ImageError``, of a video a ``VideoError``, whose text is one sentence for the person who gave it.
"""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from resemotenet.errors import ImageError, VideoError
from resemotenet.reading import images, levels
from resemotenet.reading.effort import has_many_parts
from resemotenet.reading.images import Picture, readable_formats
from resemotenet.reading.video import Video

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 15_000_000
# A camera's 24 megapixels pass. Pixels cost memory, three bytes each and a few copies of them, whatever the file's
# size says.
MAX_PIXELS = 25_000_000
MIN_SIDE = 32
# A video of a telephone: a minute and a half of 1080p as it comes, ten minutes of what is meant to be sent.
MAX_FILM_BYTES = 200_000_000
MAX_FILM_SECONDS = 600
MAX_FILM_SIZE = (4096, 2304)  # pixels, or the other way around
# Of JPEG, PNG, WebP, GIF, BMP and TIFF; AVIF and HEIC name themselves four bytes later.
_BEGINNINGS = (b"\xff\xd8", b"\x89PNG", b"RIFF", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What is said of a picture that is not read, on the page as by browsers that read themselves.
_EMPTY = "This file is empty."
_UNREAD = "This file cannot be read"
_KIND = f"{_UNREAD}: not a picture of a kind that pages take: JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF."
_DAMAGED = f"{_UNREAD}: {images.DAMAGED}"
_SMALL = (
    "This picture is only {width} by {height} pixels, and both sides should have at least {least}: try a larger one."
)
_LARGE = "This picture has {amount}, and at most {most} megapixels are read: make it smaller and try again."
# What the page's own scripts send many times a second.
MAX_FRAME_SIDE = 640
MAX_FRAME_BYTES = 600_000

# A data URI is a third longer than the bytes in it; the rest is room for the event around it.
MAX_BODY_BYTES = MAX_BYTES * 4 // 3 + 100_000
MAX_CALL_BYTES = MAX_FRAME_BYTES * 4 // 3 + 100_000  # with what is remembered of a dozen faces
MAX_UPLOAD_BYTES = MAX_FILM_BYTES + 100_000  # with what stands around the file


def check_bytes(count: int) -> None:
    """Raises ``ImageError`` where a file of ``count`` bytes is empty or too large."""
    if count == 0:
        raise ImageError(_EMPTY)
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
    except ValueError:  # not base64, or not even ASCII
        raise ImageError("The picture did not arrive whole: please try again.") from None


def open_picture(data: bytes) -> Picture:
    """The bytes of a file -> a picture, if they are within the limits.

    Raises:
        ImageError: too many bytes or pixels, too few pixels, too much work, or not a picture.
    """
    check_bytes(len(data))
    if not _may_be_shown(data):
        raise ImageError(_KIND)
    header = _read_header(data, readable_formats())
    if header is not None:  # else it is not a picture, and Picture.open knows better words for why
        _check_header(header)
    return _read(data)


def _may_be_shown(data: bytes) -> bool:
    """Whether a file begins as those do that cameras write and browsers show.

    Pillow reads more kinds, which nobody sends to a page but to keep it busy: a PPM of comments takes it minutes.
    """
    return data.startswith(_BEGINNINGS) or data[4:8] == b"ftyp"


def open_frame(text: str) -> Picture:
    """A frame of a camera or the crop of a face, as the page's own scripts send them -> a picture.

    Args:
        text: data URI of a JPEG that is not progressive, or of a PNG.

    Raises:
        ImageError: something else, or larger than scripts send.
    """
    if len(text) > MAX_FRAME_BYTES * 4 // 3:
        raise ImageError(f"A frame may have at most {MAX_FRAME_BYTES} bytes.")
    data = decode_data_uri(text)
    header = _read_header(data, ("JPEG", "PNG"))
    if header is None:
        raise ImageError("A frame must be a JPEG or a PNG.")
    if max(header.width, header.height) > MAX_FRAME_SIDE or header.progressive:
        raise ImageError(f"A frame may have at most {MAX_FRAME_SIDE} pixels on a side and not be progressive.")
    _check_header(header)
    return _read(data)


def open_film(path: Path) -> Video:
    """An uploaded file -> a video, if it is within the limits; nothing of it is decoded yet.

    Raises:
        VideoError: not a video, damaged, too long, or with too many pixels.
    """
    if path.stat().st_size > MAX_FILM_BYTES:
        raise VideoError(
            f"This video has {path.stat().st_size / 1e6:.0f} MB, and at most {MAX_FILM_BYTES / 1e6:.0f} MB are read: "
            "cut it or make it smaller, and try again."
        )
    try:
        film = Video.open(path)
    except VideoError as error:
        raise VideoError(about_film(error, path)) from None
    if film.duration is not None and film.duration > MAX_FILM_SECONDS + 1:
        raise VideoError(
            f"This video lasts {film.duration / 60:.1f} minutes, and at most {MAX_FILM_SECONDS // 60} are read: "
            "cut it and try again."
        )
    longer, shorter = sorted(film.size, reverse=True)
    if longer * shorter > MAX_FILM_SIZE[0] * MAX_FILM_SIZE[1]:
        raise VideoError(
            f"This video has {film.size[0]} by {film.size[1]} pixels, and at most {MAX_FILM_SIZE[0]} by "
            f"{MAX_FILM_SIZE[1]} are read: make it smaller and try again."
        )
    return film


def about_film(error: Exception | str, path: Path) -> str:
    """What the library says of a file, for the person who gave it and knows nothing of the place where it lies here."""
    return f"This video cannot be read: {str(error).removeprefix(f'{path}: ')}."


class _Header(NamedTuple):
    """What a picture's file says of it before anything is decoded."""

    width: int
    height: int
    progressive: bool


def _read_header(data: bytes, formats: list[str] | tuple[str, ...]) -> _Header | None:
    """None where it is no picture of one of these formats."""
    if has_many_parts(data):
        raise ImageError("This file is built in an unusual way: open it and save it again as JPEG.")
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            return _Header(*image.size, bool(image.info.get("progressive")))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(_too_many_pixels("far too many pixels")) from None
    # Pillow raises a dozen kinds for files that are no pictures or damaged; Picture.open has words for all of them.
    except Exception:
        return None


def _check_header(header: _Header) -> None:
    width, height, _ = header
    if width * height > MAX_PIXELS:
        raise ImageError(_too_many_pixels(f"{width * height / 1e6:.0f} megapixels"))
    if min(width, height) < MIN_SIDE:
        raise ImageError(_SMALL.format(width=width, height=height, least=MIN_SIDE))


def _read(data: bytes) -> Picture:
    try:
        return Picture.open(data, name=_UNREAD)
    except ImageError as error:
        # How Pillow calls the damage tells a visitor nothing.
        raise ImageError(f"{_DAMAGED if str(error).startswith(_DAMAGED) else error}.") from error


def _too_many_pixels(amount: str) -> str:
    return _LARGE.format(amount=amount, most=f"{MAX_PIXELS / 1e6:.0f}")


def for_browsers() -> dict[str, Any]:
    """Limits and words for the page's scripts, which open pictures before anything else does; JSON types only.

    A browser has its visitor's memory for one picture, so it takes as many pixels as the library, and makes it small.
    """
    return {
        "max_pixels": images.MAX_PIXELS,
        "min_side": MIN_SIDE,
        "darkest": levels.DARKEST,
        "kinds": [each.decode("latin-1") for each in _BEGINNINGS],
        "heic": [each.decode("latin-1") for each in images.HEIC_BRANDS],
        "said": {
            "empty": _EMPTY,
            "kind": _KIND,
            "small": _SMALL,
            "large": _LARGE,
            "heic": f"{_UNREAD}: {images.HEIC}.",
            "damaged": f"{_DAMAGED}.",
            "dark": f"{_UNREAD}: {levels.DARK.format(found=levels.IN_THE_DARK)}.",
            "unknown": f"{_UNREAD}: this browser does not know pictures of this kind; save it as JPEG.",
        },
    }


def _body_limit(scope: "Scope") -> int:
    """In bytes; of a call of the page's own functions, which bring a frame, less, and of an upload more."""
    if scope["path"] == "/gradio_api/upload":
        return MAX_UPLOAD_BYTES
    return MAX_CALL_BYTES if "/component_server" in scope["path"] else MAX_BODY_BYTES


def body_length(scope: "Scope") -> int:
    """How many bytes a request's body may come to have: as many as it says, or else as many as are read."""
    limit = _body_limit(scope)
    said = _said_length(scope)
    return limit if said is None else min(limit, said)


def _said_length(scope: "Scope") -> int | None:
    said = Headers(scope=scope).get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() else None


class BodyLimit:
    """ASGI middleware that stops reading a request's body at a limit and answers 413.

    A server would otherwise take any amount into memory before the first line of a handler could object.
    """

    def __init__(self, app: "ASGIApp") -> None:
        self.app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        taken, limit = 0, _body_limit(scope)
        too_long = f"a request may have at most {limit} bytes"
        if (_said_length(scope) or 0) > limit:  # nobody need wait for it
            await JSONResponse({"detail": too_long}, 413)(scope, receive, send)
            return

        async def limited() -> "Message":
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, too_long)
            return message

        await self.app(scope, limited, send)
