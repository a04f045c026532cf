"""Files as people have them: turned by EXIF, of other colours and depths, animated, huge, cut short."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from tests.browser.camera import EXAMPLES

# What undoes an orientation is what Pillow's ImageOps does; this is the way there.
_LAID = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def portrait() -> Image.Image:
    return Image.open(EXAMPLES / "astronaut.jpg").convert("RGB")


def saved(image: Image.Image, kind: str, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def upright() -> Image.Exif:
    """EXIF that turns nothing."""
    exif = Image.Exif()
    exif[0x0112] = 1
    return exif


def turned(orientation: int, kind: str) -> bytes:
    """The portrait on its side, with the EXIF that says how it is upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(portrait().transpose(_LAID[orientation]), kind, exif=exif)


def animated(kind: str) -> bytes:
    """The portrait, and then something without a face."""
    frames = [portrait(), Image.new("RGB", portrait().size, "teal")]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=200)


def png(samples: np.ndarray) -> bytes:
    """Of 16 bits: (H, W) or (H, W, 3) uint16, which Pillow cannot write in colour."""
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return _png(width, height, 16, 0 if samples.ndim == 2 else 2, zlib.compress(rows, 1))


def claims(width: int, height: int) -> bytes:
    """A PNG that has hardly any bytes and says it is that large."""
    return _png(width, height, 8, 2, zlib.compress(bytes(1000)))


def deep(*, grey: bool, bits: int = 16) -> bytes:
    """The portrait in a PNG of 16 bits a channel, of which it uses so many."""
    levels = np.asarray(portrait().convert("L") if grey else portrait()).astype(np.uint16)
    return png(levels * 257 >> (16 - bits))


def cmyk(profile: bytes | None = None) -> bytes:
    return saved(portrait().convert("CMYK"), "JPEG", quality=95, **({"icc_profile": profile} if profile else {}))


def wide_gamut() -> bytes:
    """The portrait's levels, said to be of a screen with stronger colours."""
    primaries = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
    return saved(portrait(), "PNG", icc_profile=_matrix_profile(primaries))


def _png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _matrix_profile(primaries: tuple[tuple[float, float], ...]) -> bytes:
    """sRGB's profile with other primaries, adapted to the profile's white as they are in it (Bradford left out)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    white = np.array([0.9642, 1.0, 0.8249])
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in primaries]).T
    scaled = columns * np.linalg.solve(columns, white)
    for index in range(struct.unpack(">I", profile[128:132])[0]):
        name, offset, _ = struct.unpack(">4sII", profile[132 + 12 * index : 144 + 12 * index])
        if name in (b"rXYZ", b"gXYZ", b"bXYZ"):
            values = scaled[:, "rgb".index(chr(name[0]))]
            profile[offset + 8 : offset + 20] = struct.pack(">3i", *(round(value * 65536) for value in values))
    return bytes(profile)
