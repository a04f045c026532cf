import io
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from resemotenet.errors import ImageError
from resemotenet.reading import images
from resemotenet.reading.images import read_image

ORIENTATION = 0x0112
RED, BLUE = (200, 30, 40), (20, 60, 180)
FAITHFUL: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}


def colours() -> Image.Image:
    """Four quarters of four colours, so that no turn or flip leaves it as it is; edges on JPEG's blocks."""
    image = Image.new("RGB", (48, 32), RED)
    draw = ImageDraw.Draw(image)
    draw.rectangle((24, 0, 47, 15), fill=BLUE)
    draw.rectangle((0, 16, 23, 31), fill=(90, 200, 90))
    draw.rectangle((24, 16, 47, 31), fill=(240, 240, 240))
    return image


def encoded(image: Image.Image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **{**FAITHFUL.get(file_format, {}), **options})
    return buffer.getvalue()


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG that claims a size, with whatever chunks follow."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n"
    for chunk in (header, *chunks, b"IEND"):
        whole += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return whole


def close(image: Image.Image, expected: Image.Image, tolerance: int = 0) -> bool:
    if (image.mode, image.size) != ("RGB", expected.size):
        return False
    difference = np.asarray(image).astype(int) - np.asarray(expected.convert("RGB"))
    return bool(np.abs(difference).max() <= tolerance)


class TestSources:
    @pytest.mark.parametrize("kind", ["path", "str", "bytes", "bytearray", "pil", "array"])
    def test_every_kind_gives_the_same_pixels(self, kind, tmp_path):
        pixels = data.astronaut()[:64, :96]
        path = tmp_path / "astronaut.png"
        Image.fromarray(pixels).save(path)
        source = {
            "path": path,
            "str": str(path),
            "bytes": path.read_bytes(),
            "bytearray": bytearray(path.read_bytes()),
            "pil": Image.fromarray(pixels),
            "array": pixels,
        }[kind]
        image = read_image(source)
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image), pixels)

    def test_grey_arrays_and_arrays_that_are_views(self):
        grey = data.camera()[::2, ::-2]
        assert np.array_equal(np.asarray(read_image(grey)), np.repeat(grey[..., None], 3, axis=2))

    def test_the_callers_picture_is_not_changed(self):
        image = colours()
        image.info["exif"] = b"kept"
        read_image(image).putpixel((0, 0), (0, 0, 0))
        assert image.getpixel((0, 0)) == RED
        assert image.info == {"exif": b"kept"}

    def test_the_callers_array_is_not_changed(self):
        pixels = data.astronaut()[:8, :8].copy()
        read_image(pixels).putpixel((0, 0), (1, 2, 3))
        assert np.array_equal(pixels, data.astronaut()[:8, :8])


class TestFormats:
    @pytest.mark.parametrize(
        ("file_format", "tolerance"),
        [("PNG", 0), ("BMP", 0), ("TIFF", 0), ("PPM", 0), ("GIF", 2), ("JPEG", 6), ("WEBP", 0), ("JPEG2000", 3)],
    )
    def test_common_formats(self, file_format, tolerance):
        assert close(read_image(encoded(colours(), file_format)), colours(), tolerance)

    def test_formats_that_start_programs_are_no_pictures(self):
        with pytest.raises(ImageError, match="not a picture"):
            read_image(encoded(colours(), "EPS"))

    @pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "HSV"])
    def test_modes_of_colour(self, mode):
        assert close(read_image(colours().convert(mode, palette=Image.Palette.ADAPTIVE)), colours(), tolerance=6)

    @pytest.mark.parametrize("mode", ["1", "L"])
    def test_modes_of_grey(self, mode):
        grey = colours().convert(mode)
        assert close(read_image(grey), grey)

    def test_cmyk_jpeg(self):
        assert close(read_image(encoded(colours().convert("CMYK"), "JPEG")), colours(), tolerance=6)

    def test_lab(self):
        white = Image.new("LAB", (4, 4), (255, 128, 128))
        assert close(read_image(white), Image.new("RGB", (4, 4), "white"), tolerance=3)

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa"])
    def test_what_is_transparent_becomes_white(self, mode):
        grey = Image.new("RGBA", (4, 2), (100, 100, 100, 255))
        grey.paste((100, 100, 100, 0), (0, 0, 2, 2))
        image = read_image(grey.convert(mode))
        assert [image.getpixel((x, 0)) for x in (0, 3)] == [(255, 255, 255), (100, 100, 100)]

    def test_grey_that_was_multiplied_with_its_alpha(self):
        image = read_image(Image.new("LA", (1, 1), (100, 51)).convert("La"))
        assert image.getpixel((0, 0)) == (224, 224, 224)

    def test_half_transparent_is_mixed_with_white(self):
        image = read_image(Image.new("RGBA", (1, 1), (0, 0, 0, 51)))
        assert image.getpixel((0, 0)) == (204, 204, 204)

    @pytest.mark.parametrize("transparency", [0, b"\x00\xff"])
    def test_transparent_colour_of_a_palette(self, transparency):
        palette = Image.new("P", (2, 1))
        palette.putpalette([*RED, *BLUE])
        palette.putpixel((1, 0), 1)
        image = read_image(encoded(palette, "PNG", transparency=transparency))
        assert [image.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), BLUE]

    def test_transparent_colour_without_a_palette(self):
        assert read_image(encoded(colours(), "PNG", transparency=RED)).getpixel((0, 0)) == (255, 255, 255)

    def test_first_frame_of_an_animation(self):
        frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
        image = read_image(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
        assert close(image, frames[0])

    @pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
    def test_16_bit_grey_is_scaled_not_clipped(self, file_format):
        deep = np.array([[0, 257, 32896, 65535]], np.uint16)
        image = read_image(encoded(Image.fromarray(deep), file_format))
        assert np.asarray(image)[0, :, 0].tolist() == [0, 1, 128, 255]

    def test_16_bit_big_endian_and_32_bit_containers(self):
        big_endian = Image.frombytes("I;16B", (2, 1), b"\x80\x80\xff\xff")
        assert np.asarray(read_image(big_endian))[0, :, 2].tolist() == [128, 255]
        wide = Image.fromarray(np.array([[0, 65535]], np.int32))
        assert np.asarray(read_image(wide))[0, :, 0].tolist() == [0, 255]


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
    def test_every_orientation_comes_out_upright(self, orientation, file_format):
        upright = colours()
        # What the camera stored, so that turning it as EXIF says gives the upright picture.
        undo = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270,
        }
        stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        image = read_image(encoded(stored, file_format, exif=exif))
        assert close(image, upright, tolerance=6)
        assert close(read_image(image), upright, tolerance=6), "the second reading turned it again"

    def test_an_opened_pil_image_is_turned_too(self, tmp_path):
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        path = tmp_path / "turned.png"
        colours().save(path, exif=exif)
        with Image.open(path) as opened:
            assert read_image(opened).size == (32, 48)
            assert opened.size == (48, 32)

    @pytest.mark.parametrize(
        "exif", [b"garbage", b"MM\x00*\xff\xff\xff\xff", b"II*\x00", b"II*\x00\x08\x00\x00\x00\x09\x00"]
    )
    def test_damaged_exif_is_no_obstacle(self, exif):
        assert close(read_image(encoded(colours(), "JPEG", exif=b"Exif\x00\x00" + exif)), colours(), tolerance=6)

    def test_an_orientation_that_does_not_exist_is_ignored(self):
        exif = Image.Exif()
        exif[ORIENTATION] = 9
        assert read_image(encoded(colours(), "PNG", exif=exif)).size == (48, 32)


class TestRefusals:
    def one_sentence(self, source, match: str, **options) -> str:
        with pytest.raises(ImageError, match=match) as caught:
            read_image(source, **options)
        message = str(caught.value)
        assert "\n" not in message
        assert len(message) < 200
        return message

    def test_text_named_jpg(self, tmp_path):
        path = tmp_path / "notes.jpg"
        path.write_text("these are notes, not a photograph")
        assert self.one_sentence(path, "not a picture").startswith(str(path))

    def test_a_name_for_the_person_instead_of_the_path(self, tmp_path):
        path = tmp_path / "upload-1234.jpg"
        path.write_text("text")
        assert self.one_sentence(path, "not a picture", name="holiday.jpg").startswith("holiday.jpg: ")

    def test_missing_file_and_folder(self, tmp_path):
        self.one_sentence(tmp_path / "none.jpg", "none.jpg: no such file")
        self.one_sentence(tmp_path, r"directory|denied")

    def test_empty_file_and_no_bytes(self, tmp_path):
        (tmp_path / "empty.png").touch()
        self.one_sentence(tmp_path / "empty.png", "the file is empty")
        self.one_sentence(b"", "the file is empty")

    def test_heic_says_what_to_do(self):
        self.one_sentence(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC.*save it as JPEG")

    @pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
    @pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
    def test_cut_short(self, file_format, share):
        whole = encoded(Image.fromarray(data.astronaut()), file_format)
        self.one_sentence(whole[: int(len(whole) * share)], "damaged or cut short|not a picture")

    def test_every_cut_of_a_small_file_ends_in_our_error(self):
        for file_format in ("PNG", "JPEG", "GIF", "WEBP", "TIFF"):
            whole = encoded(colours(), file_format)
            for end in range(0, len(whole) - 12, 7):
                try:
                    image = read_image(whole[:end])
                except ImageError:
                    continue
                assert image.size == (48, 32), f"{file_format} cut at {end}"

    def test_damaged_bytes_end_in_our_error_or_a_picture(self):
        random = np.random.default_rng(0)
        refused = 0
        for file_format in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
            whole = np.frombuffer(encoded(colours(), file_format), np.uint8)
            for _ in range(60):
                broken = whole.copy()
                broken[random.integers(0, min(len(whole), 120), 4)] = random.integers(0, 256, 4)
                try:
                    assert read_image(broken.tobytes()).mode == "RGB"
                except ImageError:
                    refused += 1
        assert refused > 100

    def test_a_small_file_that_claims_a_huge_picture(self):
        # Three sizes: above our limit only, above Pillow's warning, above Pillow's error.
        for side in (12_001, 13_000, 60_000):
            self.one_sentence(png(side, side, b"IDAT" + zlib.compress(b"")), "more than 144 megapixels")

    @pytest.mark.parametrize("head", [b"zTXtComment\0\0", b"iTXtComment\0\1\0\0\0", b"iCCPprofile\0\0"])
    @pytest.mark.parametrize("size", [1_100_000, 80_000_000])
    def test_a_chunk_that_unpacks_to_much(self, head, size):
        bomb = head + zlib.compress(bytes(size), 9)
        pixels = b"IDAT" + zlib.compress(bytes(8 * 9))
        self.one_sentence(png(8, 8, bomb, pixels), "unusual amount of text or colour data.*save it again without")
        if not head.startswith(b"iCCP"):  # which belongs before the pixels
            self.one_sentence(png(8, 8, pixels, bomb), "save it again without metadata")

    def test_many_chunks_that_unpack_to_much(self):
        text = b"zTXtComment\0\0" + zlib.compress(bytes(1_000_000), 9)
        self.one_sentence(png(8, 8, *[text] * 70), "save it again without metadata")

    def test_a_large_picture_within_the_limit_is_read_without_a_warning(self, monkeypatch):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
        assert read_image(encoded(colours(), "PNG")).size == (48, 32)

    def test_no_pixels(self):
        self.one_sentence(Image.new("RGB", (0, 0)), "no pixels")
        self.one_sentence(Image.new("L", (0, 5)), r"no pixels \(0x5\)")
        self.one_sentence(np.zeros((0, 7, 3), np.uint8), r"no pixels \(7x0\)")
        self.one_sentence(np.zeros((0, 0), np.uint8), "no pixels")

    @pytest.mark.parametrize("shape", [(5,), (4, 4, 4), (4, 4, 1), (2, 4, 4, 3), ()])
    def test_arrays_of_another_layout(self, shape):
        self.one_sentence(np.zeros(shape, np.uint8), r"expected \(H, W, 3\) RGB or \(H, W\) grey, got the shape")

    @pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.int64, bool])
    def test_arrays_of_another_type(self, dtype):
        self.one_sentence(np.zeros((4, 4, 3), dtype), f"expected uint8 .* got {np.dtype(dtype)}")

    def test_pixels_without_an_agreed_range(self):
        self.one_sentence(Image.new("F", (4, 4), 0.5), "floating-point")
        self.one_sentence(Image.fromarray(np.array([[-1, 70000]], np.int32)), "from -1 to 70000, expected 0 to 65535")

    def test_things_that_are_no_pictures(self):
        for thing in (None, 7, [[1, 2], [3, 4]]):
            self.one_sentence(thing, "a picture must be a path, bytes, a PIL image or a uint8 array, got")

    def test_a_file_that_may_not_be_read(self, tmp_path, monkeypatch):
        def denied(*_):
            raise PermissionError(13, "Permission denied")

        (tmp_path / "private.jpg").write_bytes(b"\xff\xd8")
        monkeypatch.setattr(Image, "open", lambda *args, **options: denied())
        self.one_sentence(tmp_path / "private.jpg", "private.jpg: permission denied")


def test_warnings_of_pillow_do_not_leak_and_filters_stay():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    broken = bytearray(encoded(colours(), "TIFF"))
    broken[-30:-20] = b"\xff" * 10
    before = list(warnings.filters)

    def read_many():
        for _ in range(20):
            try:
                read_image(bytes(broken))
            except ImageError:
                continue

    threads = [threading.Thread(target=read_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_suffixes_are_those_of_the_formats():
    Image.init()
    known = {suffix for suffix, name in Image.registered_extensions().items() if name in images.FORMATS}
    # Plugins for HEIC are not part of Pillow; Pillow's other names of the same formats are not in use.
    assert images.SUFFIXES - {".heic", ".heif"} <= known
    assert Path("x.JPG").suffix.lower() in images.SUFFIXES
