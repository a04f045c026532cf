import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from resemotenet.errors import ImageError
from resemotenet.reading.images import ImageSource, read_image


def saved(image: Image.Image, file_format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


class TestLevels:
    """Which level is white is known, or the picture is refused."""

    RAMP = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)

    @staticmethod
    def tiff(pixels: np.ndarray, **options: Any) -> bytes:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels, **options)
        return buffer.getvalue()

    @staticmethod
    def deep_png(pixels: np.ndarray) -> bytes:
        """RGB of 16 bits, which Pillow reads and does not write."""
        height, width, _ = pixels.shape
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
        header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
        whole = b"\x89PNG\r\n\x1a\n"
        for chunk in (b"IHDR" + header, b"IDAT" + zlib.compress(rows), b"IEND"):
            whole += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return whole

    @pytest.mark.parametrize("byteorder", ["<", ">"])
    @pytest.mark.parametrize("compression", [None, "zlib"])
    @pytest.mark.parametrize("predictor", [False, True])
    def test_deep_tiffs(self, byteorder, compression, predictor):
        options = {"byteorder": byteorder, "compression": compression, "predictor": predictor and bool(compression)}
        expected = np.rint(self.RAMP / 257)
        grey = read_image(self.tiff(self.RAMP, photometric="minisblack", **options))
        assert np.abs(np.asarray(grey)[..., 0] - expected).max() == 0
        colours = np.stack([self.RAMP, self.RAMP[::-1], self.RAMP // 2], axis=-1)
        image = np.asarray(read_image(self.tiff(colours, photometric="rgb", **options)), int)
        assert np.abs(image - colours / 257).max() <= 1

    def test_deep_colours_of_a_png(self):
        colours = np.stack([self.RAMP, self.RAMP[::-1], self.RAMP // 2], axis=-1)
        assert np.abs(np.asarray(read_image(self.deep_png(colours)), int) - colours / 257).max() <= 1

    @pytest.mark.parametrize("bits", [8, 10, 12])
    def test_fewer_bits_than_the_container_has(self, bits, tmp_path):
        levels = self.RAMP >> (16 - bits)
        refused = [Image.fromarray(levels), Image.fromarray(levels.astype(np.int32))]
        refused += [Image.frombytes("I;16B", (64, 64), levels.astype(">u2").tobytes())]
        colours = np.stack([levels] * 3, axis=-1)
        files = [saved(refused[0], "PNG"), saved(refused[0], "TIFF"), self.deep_png(colours)]
        files += [self.tiff(levels, photometric="minisblack"), self.tiff(colours, photometric="rgb")]
        sources: list[ImageSource] = [*refused, *files]
        for source in sources:
            with pytest.raises(ImageError, match=r"16-bit levels are .* 8, 10 or 12 bits; scale them, or save it with"):
                read_image(source)

    def test_a_dark_picture_of_16_bits_is_none_of_them(self):
        image = read_image(Image.fromarray(self.RAMP // 8))
        assert np.asarray(image).max() == 32

    @pytest.mark.parametrize(
        ("change", "options", "match"),
        [
            ("uint16", {"photometric": "miniswhite"}, "black and white exchanged"),
            ("uint16", {"photometric": "miniswhite", "compression": "zlib"}, "black and white exchanged"),
            ("uint32", {"photometric": "minisblack"}, "32 bits, and nothing says which level is white"),
            ("int32", {"photometric": "minisblack"}, "signed or floating-point"),
            ("int16", {"photometric": "minisblack"}, "signed or floating-point"),
            ("int8", {"photometric": "minisblack"}, "signed or floating-point"),
            ("float32", {"photometric": "minisblack"}, "floating-point"),
        ],
    )
    def test_tiffs_that_pillow_would_turn_into_something_else(self, change, options, match):
        with pytest.raises(ImageError, match=match):
            read_image(self.tiff((self.RAMP >> 9).astype(change), **options))

    def test_tiffs_of_8_bits(self):
        grey = (self.RAMP >> 8).astype(np.uint8)
        white = read_image(self.tiff(255 - grey, photometric="miniswhite"))
        assert np.array_equal(np.asarray(white)[..., 0], grey)
        planes = np.stack([grey, grey[::-1], grey // 2])
        image = read_image(self.tiff(planes, photometric="rgb", planarconfig="separate"))
        assert np.array_equal(np.asarray(image), np.moveaxis(planes, 0, -1))

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_planes_of_16_bits(self, compression):
        planes = np.stack([self.RAMP, self.RAMP[::-1], self.RAMP // 2])
        with pytest.raises(ImageError, match="a TIFF of 16 bits with a plane for each colour"):
            read_image(self.tiff(planes, photometric="rgb", planarconfig="separate", compression=compression))
