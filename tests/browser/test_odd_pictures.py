"""Odd pictures and broken files on the page that has no server: the answers and the words of the server's."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from demo import guard
from demo.space.static import assemble_static
from resemotenet import EmotionPredictor
from resemotenet.errors import ImageError
from resemotenet.reading.faces import overlap
from tests.browser.conftest import Launch
from tests.browser.odd_files import animated, claims, cmyk, deep, portrait, saved, turned, upright, wide_gamut
from tests.browser.on_device import served, skip_without_runtime

# Of files that lose nothing. Two decoders of JPEG or WebP may differ by a level here and there.
SAME, NEARLY = 1e-3, 0.02

READ: dict[str, tuple[bytes, float]] = {
    **{f"EXIF {number} in a JPEG": (turned(number, "JPEG"), NEARLY) for number in range(2, 9)},
    "EXIF in a PNG": (turned(6, "PNG"), SAME),
    "EXIF in a WebP that is upright": (saved(portrait(), "WEBP", exif=upright()), NEARLY),
    "GIF": (animated("GIF"), SAME),
    "animated WebP": (animated("WEBP"), NEARLY),
    "animated PNG": (animated("PNG"), SAME),
    "grey": (saved(portrait().convert("L"), "PNG"), SAME),
    "palette": (saved(portrait().quantize(64), "PNG"), SAME),
    "16 bits": (deep(grey=False), NEARLY),
    "16 bits, grey": (deep(grey=True), NEARLY),
    "CMYK": (cmyk(), NEARLY),
    "wide gamut": (wide_gamut(), 0.06),
    "AVIF": (saved(portrait(), "AVIF", quality=95), NEARLY),
    "BMP": (saved(portrait(), "BMP"), SAME),
}

_JPEG, _PNG = saved(portrait(), "JPEG"), saved(portrait(), "PNG")
REFUSED: dict[str, bytes] = {
    "empty": b"",
    "text": b"just some text",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'/>",
    "one pixel": saved(portrait().resize((1, 1)), "PNG"),
    "JPEG cut short": _JPEG[: len(_JPEG) // 2],
    "PNG cut short": _PNG[: len(_PNG) // 2],
    "GIF cut short": animated("GIF")[:20_000],
    "WebP cut short": saved(portrait(), "WEBP")[:10_000],
    "HEIC": b"\0\0\0\x18ftypheic" + bytes(100),
    "16 bits of which 12 are used": deep(grey=False, bits=12),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    skip_without_runtime()
    with served(assemble_static(tmp_path_factory.mktemp("site") / "out")) as address:
        yield address


@pytest.fixture(scope="module")
def page(launch: Launch, site: str) -> Iterator[Page]:
    page = launch("patterns").new_context().new_page()
    page.goto(site)
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def predictor() -> EmotionPredictor:
    return EmotionPredictor.from_pretrained(precision="int8")


def give(page: Page, content: bytes, folder: Path) -> str:
    """Ends when the page has read it or refused it; what it says."""
    file = folder / "picture"
    file.write_bytes(content)
    page.locator(".picker .file").set_input_files(file)
    expect(page.locator(".picker")).to_have_attribute("data-state", re.compile("^(done|refused)$"))
    return page.locator(".picker .status").inner_text()


def report(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.locator(".as-json pre").text_content() or "")
    return found


@pytest.mark.parametrize("name", READ)
def test_it_is_read_as_by_the_server(page: Page, predictor: EmotionPredictor, tmp_path: Path, name: str):
    content, most = READ[name]
    expected = predictor.read(guard.open_picture(content)).to_dict()
    assert len(expected["faces"]) == 1
    assert "1 face" in give(page, content, tmp_path)
    found = report(page)
    assert found["image"] == {key: expected["image"][key] for key in found["image"]}
    for face, wanted in zip(found["faces"], expected["faces"], strict=True):
        assert overlap(tuple(face["box"]), tuple(wanted["box"])) > 0.95
        assert face["label"] == wanted["label"]
        assert face["probabilities"] == pytest.approx(wanted["probabilities"], abs=most)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_the_words_of_the_server(page: Page, tmp_path: Path, name: str):
    with pytest.raises(ImageError) as refused:
        guard.open_picture(REFUSED[name])
    said = give(page, REFUSED[name], tmp_path)
    assert said == str(refused.value)


def test_a_picture_of_more_pixels_than_the_server_takes_is_made_small(page: Page, tmp_path: Path):
    content = saved(portrait().resize((6000, 6000)), "JPEG")
    with pytest.raises(ImageError, match="36 megapixels, and at most 25"):
        guard.open_picture(content)
    assert "1 face" in give(page, content, tmp_path)
    assert report(page)["image"] == {"width": 6000, "height": 6000}


def test_far_too_many_pixels_are_refused_before_they_are_decoded(page: Page, tmp_path: Path):
    said = give(page, claims(20_000, 10_000), tmp_path)
    assert (
        said == "This picture has 200 megapixels, and at most 144 megapixels are read: make it smaller and try again."
    )


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_what_not_every_browser_knows_is_one_sentence(page: Page, tmp_path: Path, kind: str):
    """No Chromium decodes a TIFF, or turns a WebP as its EXIF says."""
    content = turned(6, kind)
    guard.open_picture(content)  # the server would read it
    assert give(page, content, tmp_path) == guard.for_browsers()["said"]["unknown"]
