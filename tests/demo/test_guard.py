"""What the page refuses, and that it does so before it decodes."""

import base64
import contextlib
import io
import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from demo import guard
from resemotenet.errors import ImageError
from resemotenet.reading import effort

Picture = Callable[..., bytes]


def data_uri(data: bytes, media_type: str = "image/jpeg") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("data", [b"a", b"ab", b"abc", b"abcd"])  # every kind of padding
def test_data_uri_gives_the_bytes_back(data: bytes):
    assert guard.decode_data_uri(data_uri(data)) == data


def test_the_media_type_is_not_believed():
    assert guard.decode_data_uri(data_uri(b"plain text", "text/plain;charset=utf-8")) == b"plain text"


@pytest.mark.parametrize(
    "text",
    ["", "data:", "data:image/png;base64", "http://127.0.0.1/a.png", "data:image/png,abc", "data:;base64,a!cd"],
)
def test_what_is_no_data_uri_did_not_arrive_whole(text: str):
    with pytest.raises(ImageError, match="did not arrive whole"):
        guard.decode_data_uri(text)


def test_length_is_checked_before_decoding():
    body = "!" * (guard.MAX_BYTES // 3 * 4 + 8)  # could not be decoded
    with pytest.raises(ImageError, match="at most 15 MB"):
        guard.decode_data_uri("data:image/png;base64," + body)


def test_the_largest_file_passes_and_one_byte_more_does_not():
    data = bytes(guard.MAX_BYTES)
    assert len(guard.decode_data_uri(data_uri(data))) == guard.MAX_BYTES
    with pytest.raises(ImageError, match="MB"):
        guard.decode_data_uri(data_uri(data + b"\0"))


def test_an_empty_file_is_called_empty():
    with pytest.raises(ImageError, match="empty"):
        guard.decode_data_uri(data_uri(b""))


# Below Pillow's own limits, between its warning and its error, and above both.
@pytest.mark.parametrize("size", [(5001, 5000), (12_000, 10_000), (30_000, 30_000)])
def test_pixels_are_counted_before_decoding(png_header: Callable[[int, int], bytes], size: tuple[int, int]):
    with pytest.raises(ImageError, match="at most 25 megapixels"):
        guard.open_picture(png_header(*size))


def test_the_largest_picture_passes_the_header(png_header: Callable[[int, int], bytes]):
    with pytest.raises(ImageError, match="damaged or cut short"):  # so it came to decoding
        guard.open_picture(png_header(5000, 5000))


@pytest.mark.parametrize("size", [(31, 400), (400, 31), (1, 1)])
def test_too_small_says_how_small(picture: Picture, size: tuple[int, int]):
    with pytest.raises(ImageError, match=f"only {size[0]} by {size[1]} pixels"):
        guard.open_picture(picture(*size))


def test_browsers_are_given_the_limits_and_the_words(picture: Picture, png_header: Callable[[int, int], bytes]):
    told = json.loads(json.dumps(guard.for_browsers()))
    said = told["said"]
    with pytest.raises(ImageError) as small:
        guard.open_picture(picture(31, 40))
    assert str(small.value) == said["small"].format(width=31, height=40, least=told["min_side"])
    with pytest.raises(ImageError) as large:
        guard.open_picture(png_header(8000, 8000))
    assert str(large.value) == said["large"].format(amount="64 megapixels", most=25)
    for name, data in (("kind", b"just some text"), ("heic", b"\0\0\0\x18ftypheic"), ("empty", b"")):
        with pytest.raises(ImageError) as refused:
            guard.open_picture(data)
        assert str(refused.value) == said[name]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_smallest_picture_is_read(picture: Picture, kind: str):
    image = guard.open_picture(picture(guard.MIN_SIDE, 40, kind)).image
    assert (image.mode, image.size) == ("RGB", (guard.MIN_SIDE, 40))


@pytest.mark.parametrize(
    "data", [b"just some text", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF"]
)
def test_not_a_picture(data: bytes):
    with pytest.raises(ImageError, match=r"^This file cannot be read: not a picture"):
        guard.open_picture(data)


@pytest.mark.parametrize("kind", ["PPM", "TGA", "SGI", "PCX", "DDS", "ICO", "JPEG2000", "IM", "MSP"])
def test_kinds_that_nobody_sends_to_a_page_are_not_read(kind: str):
    buffer = io.BytesIO()
    Image.new("1" if kind == "MSP" else "RGB", (64, 64)).save(buffer, kind)
    with pytest.raises(ImageError, match=r"^This file cannot be read: not a picture of a kind that pages take"):
        guard.open_picture(buffer.getvalue())


def test_a_flood_of_comments_is_refused_at_once():
    """Pillow reads these one by one, each time from the start."""
    begun = time.perf_counter()
    for start in (b"P6\n", b"P5\n", b"P1\n", b"P7\n", b"PyP6\n"):
        with pytest.raises(ImageError, match="not a picture"):
            guard.open_picture(start + b"# a comment\n" * 1_100_000)
    assert time.perf_counter() - begun < 5


def test_a_picture_cut_short_is_called_damaged(picture: Picture):
    whole = picture(300, 300, "JPEG")
    with pytest.raises(ImageError, match=r"^This file cannot be read: .*damaged or cut short"):
        guard.open_picture(whole[: len(whole) // 2])


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A server that answers with the length of the body, behind a limit of 1000 bytes."""

    async def length(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    monkeypatch.setattr(guard, "MAX_BODY_BYTES", 1000)
    monkeypatch.setattr(guard, "MAX_CALL_BYTES", 100)
    routes = [Route(path, length, methods=["GET", "POST"]) for path in ("/", "/gradio_api/component_server/")]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(guard.BodyLimit)]))


def test_a_body_within_the_limit_arrives_whole(limited: TestClient):
    assert limited.get("/").text == "0"
    assert limited.post("/", content=b"x" * 1000).text == "1000"


def test_a_body_over_the_limit_is_refused(limited: TestClient):
    assert limited.post("/", content=b"x" * 1001).status_code == 413


def test_one_that_says_so_is_refused_before_it_arrives(limited: TestClient):
    answer = limited.post("/", content=b"", headers={"Content-Length": "9" * 20})
    assert (answer.status_code, answer.json()) == (413, {"detail": "a request may have at most 1000 bytes"})


def test_a_body_that_does_not_tell_its_length_is_refused_too(limited: TestClient):
    assert limited.post("/", content=(b"x" * 600 for _ in range(2))).status_code == 413


def test_the_body_limit_lets_the_largest_picture_through():
    assert len(data_uri(bytes(guard.MAX_BYTES))) < guard.MAX_BODY_BYTES


def test_calls_of_the_page_itself_have_a_smaller_limit(limited: TestClient):
    address = "/gradio_api/component_server/"
    assert limited.post(address, content=b"x" * 100).text == "100"
    assert limited.post(address, content=b"x" * 101).status_code == 413


def test_a_frame_and_what_is_remembered_of_faces_fit_into_a_call():
    assert guard.MAX_FRAME_BYTES * 4 / 3 < guard.MAX_CALL_BYTES < guard.MAX_BODY_BYTES


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_drawn(picture: Picture):
    """Each scan costs a pass over all pixels and a few bytes of the file."""
    with pytest.raises(ImageError, match="unusual way"):
        guard.open_picture(bomb(picture))


@pytest.mark.parametrize("filling", [b"\xff", b"\0", b"\xff\xd0"])
def test_bytes_that_belong_to_no_segment_are_not_walked_through(picture: Picture, filling: bytes):
    whole = picture(64, 64, "JPEG")
    place = whole.index(b"\xff\xdb")
    few, many = (whole[:place] + filling * count + whole[place:] for count in (100, 5_000_000))
    assert guard.open_picture(few).size == (64, 64)
    begun = time.process_time()
    with pytest.raises(ImageError, match="unusual way"):
        guard.open_picture(many)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"junk"])
def test_a_png_of_endless_chunks_is_refused_at_once(picture: Picture, kind: bytes):
    whole = picture(64, 64, "PNG")
    empty = bytes(4) + kind + zlib.crc32(kind).to_bytes(4, "big")
    begun = time.process_time()
    with pytest.raises(ImageError, match="unusual way"):
        guard.open_picture(whole[:33] + empty * 1_000_000 + whole[33:])
    assert time.process_time() - begun < 1
    assert guard.open_picture(whole + empty * 100_000).size == (64, 64)  # behind its end nobody looks


def noise(count: int) -> bytes:
    return np.random.default_rng(0).bytes(count)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_photo_with_a_film_behind_it_is_read(picture: Picture, options: dict[str, Any]):
    """As phones save "motion photos": the bytes of the film look like a hundred scans."""
    photo = picture(400, 300, "JPEG", comment=b"\xff\xda" * (effort.MAX_SCANS + 1), **options)
    film = (24).to_bytes(4, "big") + b"ftypmp42\0\0\0\0isommp42" + noise(8_000_000)
    assert film.count(b"\xff\xda") > effort.MAX_SCANS
    assert guard.open_picture(photo + film).size == (400, 300)


def bomb(picture: Picture, between: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan comes again and again; each costs a pass over all pixels."""
    whole = picture(64, 64, "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + (whole[last:-2] + between) * (effort.MAX_SCANS + 2) + whole[-2:]


@pytest.mark.parametrize(
    "between",
    [
        b"\xff\xfe\0\x04\xff\xd9",  # an end inside a comment is none
        b"\xff\xfe\0\0",  # a length that does not even count itself
        b"\xff\xff\xff\0\xd9",  # padding before a byte FF of the picture
        b"\xff\xd0\xff\xd7",
        b"\xff\x02\xff\xff",  # where libjpeg gives up, unless it looks for a restart
        b"\0\xff",  # as padding of the next marker
    ],
)
def test_nothing_between_scans_hides_them(picture: Picture, between: bytes):
    with pytest.raises(ImageError, match="unusual way"):
        guard.open_picture(bomb(picture, between))


@pytest.mark.parametrize("filling", [b"\xff\xe0\0\2", b"\xff\xd0", b"\xff", b"\xff\0", b"\0"])
def test_markers_are_walked_fast_whatever_they_are(picture: Picture, filling: bytes):
    start = picture(64, 64, "JPEG")[:-2]
    data = start + filling * ((guard.MAX_BYTES - len(start)) // len(filling))
    begun = time.perf_counter()
    assert effort.has_many_scans(data) == (filling == b"\xff\xe0\0\2")
    assert time.perf_counter() - begun < 5  # a tenth of it, unless the machine is busy


@pytest.mark.parametrize("progressive", [False, True])
def test_damaged_jpegs_end_in_a_refusal_or_a_picture(picture: Picture, progressive: bool):
    whole = picture(400, 300, "JPEG", progressive=progressive)
    random = np.random.default_rng(0)
    read = 0
    for _ in range(100):
        broken = np.frombuffer(whole, np.uint8).copy()
        broken[random.integers(2, len(broken), 3)] = random.choice([0, 0xFF, 0xD9, 0xDA, 0xE1], 3)
        with contextlib.suppress(ImageError):
            guard.open_picture(broken.tobytes())
            read += 1
    assert 10 < read < 90


def test_a_picture_with_much_metadata_says_what_to_do():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("comment", "a" * 1_100_000, zip=True)
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG", pnginfo=info)
    with pytest.raises(ImageError, match=r"^This file cannot be read: .*save it again without metadata\.$"):
        guard.open_picture(buffer.getvalue())


def test_a_frame_is_what_the_page_sends(picture: Picture):
    assert guard.open_frame(data_uri(picture(640, 480, "JPEG"))).size == (640, 480)
    assert guard.open_frame(data_uri(picture(48, 48, "PNG"))).size == (48, 48)
    with pytest.raises(ImageError, match="at most 640 pixels"):
        guard.open_frame(data_uri(picture(641, 48, "PNG")))
    with pytest.raises(ImageError, match="JPEG or a PNG"):
        guard.open_frame(data_uri(picture(100, 100, "GIF")))
    with pytest.raises(ImageError, match="at most 600000 bytes"):
        guard.open_frame(data_uri(bytes(guard.MAX_FRAME_BYTES + 10)))


def test_a_frame_that_claims_a_huge_size_is_refused_and_no_crash(png_header: Callable[[int, int], bytes]):
    for side in (12_000, 100_000):  # Pillow warns of the first and refuses the second
        with pytest.raises(ImageError, match=r"at most|far too many"):
            guard.open_frame(data_uri(png_header(side, side)))


def test_text_that_is_not_even_ascii_did_not_arrive_whole():
    with pytest.raises(ImageError, match="did not arrive whole"):
        guard.decode_data_uri("data:image/jpeg;base64,äöü=")
