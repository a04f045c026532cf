"""What the browser draws of an answer: boxes and tags, linked with the cards; and what a visitor takes away."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import Download, Page, expect

from resemotenet.reading.drawing import color_of
from tests.browser.conftest import Visit
from tests.browser.live_page import decoded
from tests.browser.test_photo import ACTIVE, ASTRONAUT, TWO_FACES, choose, expect_state

# What the page says when it asks about a picture: the bytes that travel.
SENT = "request => request.url().includes('queue/join')"


def crowd(path: Path, columns: int, rows: int) -> Path:
    """A picture of so many faces, one like the other."""
    face = Image.open(ASTRONAUT).crop((150, 0, 310, 160)).resize((100, 100))
    picture = Image.new("RGB", (columns * 100, rows * 100))
    for index in range(columns * rows):
        picture.paste(face, (index % columns * 100, index // columns * 100))
    picture.save(path, quality=92)
    return path


def drawn(page: Page) -> Image.Image:
    return decoded(page.locator(".picker .view").evaluate("canvas => canvas.toDataURL()"))


def pixels_like(picture: Image.Image, color: str) -> int:
    difference = np.abs(np.asarray(picture, int) - ImageColor.getrgb(color)).max(axis=2)
    return int((difference < 12).sum())


def saved(page: Page, button: str) -> Download:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    expect(page.locator(".take .told")).to_have_text("Saved")
    return download.value


def test_boxes_are_drawn_over_the_picture_in_the_emotions_colour(visit: Visit):
    page = visit()
    choose(page, TWO_FACES)
    expect_state(page, "done", re.compile("^2 faces"))
    report = json.loads(page.locator(".as-json pre").text_content() or "")
    picture = drawn(page)
    for face in report["faces"]:
        assert pixels_like(picture, color_of(face["label"])) > 500
    assert page.locator(".spot").count() == 2


@pytest.mark.parametrize("file", ["tiny.jpg", "crowd.jpg"])
def test_a_tiny_picture_and_a_crowd_can_be_read(visit: Visit, tmp_path: Path, file: str):
    page = visit()
    if file == "tiny.jpg":
        Image.open(ASTRONAUT).crop((170, 20, 290, 180)).resize((64, 85)).save(tmp_path / file)
        faces = 1
    else:
        crowd(tmp_path / file, 9, 6)
        faces = 54
    choose(page, tmp_path / file)
    expect_state(page, "done", re.compile(f"^{faces} faces?"))
    expect(page.locator(".picker .cards .card")).to_have_count(faces)
    view = page.locator(".picker .view").bounding_box()
    spots = [each.bounding_box() for each in page.locator(".spot").all()]
    assert view is not None
    for spot in spots:
        assert spot is not None
        assert spot["width"] >= 24
        assert view["x"] - 12 <= spot["x"] <= view["x"] + view["width"]


def test_a_face_and_its_card_light_each_other_up(visit: Visit, tmp_path: Path):
    page = visit()
    choose(page, crowd(tmp_path / "crowd.jpg", 4, 3))
    expect_state(page, "done", re.compile("^12 faces"))
    before = drawn(page)
    page.locator(".spot").nth(11).hover()
    lit = page.locator(".card.active")
    expect(lit).to_have_attribute("aria-label", "Face 12")
    assert drawn(page).tobytes() != before.tobytes()
    page.locator(".cards .card").nth(2).hover()
    expect(lit).to_have_attribute("aria-label", "Face 3")
    page.mouse.move(0, 0)
    expect(lit).to_have_count(0)
    page.locator(".spot").nth(8).click()
    expect(lit).to_have_attribute("aria-label", "Face 9")
    expect(lit.locator(".bars")).to_be_visible()
    expect(lit).to_be_in_viewport()
    page.locator(".spot").nth(8).focus()
    page.keyboard.press("ArrowRight")
    expect(lit).to_have_attribute("aria-label", "Face 10")
    page.keyboard.press("End")
    expect(lit).to_have_attribute("aria-label", "Face 12")
    assert page.evaluate(ACTIVE) == "spot"


def test_a_large_photo_travels_small_and_upright(visit: Visit, tmp_path: Path):
    """24 megapixels of 6000x4000, which stand upright only after a quarter turn."""
    large = Image.open(ASTRONAUT).resize((4000, 6000)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    large.save(tmp_path / "phone.jpg", quality=95, exif=exif)
    page = visit()
    with page.expect_request("**/queue/join*") as asked:
        choose(page, tmp_path / "phone.jpg")
    expect_state(page, "done", re.compile("^1 face"))
    assert len(asked.value.post_data_buffer or b"") < 330_000 < (tmp_path / "phone.jpg").stat().st_size
    given = json.loads(asked.value.post_data or "")["event_data"]["picture"]
    assert decoded(given).height > decoded(given).width
    report = json.loads(page.locator(".as-json pre").text_content() or "")
    assert report["image"] == {"width": 4000, "height": 6000}  # of the picture that was given, not of what travelled
    assert report["faces"][0]["box"][3] > 1000


def test_a_photo_takes_less_than_six_seconds_on_3g(visit: Visit, tmp_path: Path):
    noise = Image.effect_noise((1500, 1000), 60).convert("RGB").resize((6000, 4000))
    picture = Image.blend(Image.open(ASTRONAUT).resize((6000, 4000)), noise, 0.25)
    picture.save(tmp_path / "phone.jpg", quality=95)
    page = visit()
    session = page.context.new_cdp_session(page)
    slow = {
        "offline": False,
        "latency": 150,
        "downloadThroughput": 200_000,
        "uploadThroughput": 93_750,
    }  # 1.6 and 0.75 Mbit/s
    session.send("Network.emulateNetworkConditions", slow)
    started = page.evaluate("performance.now()")
    choose(page, tmp_path / "phone.jpg")
    expect_state(page, "done", re.compile("face"))
    assert page.evaluate("performance.now()") - started < 6000


def test_what_the_browser_cannot_decode_is_shown_by_the_server(visit: Visit, tmp_path: Path):
    Image.open(ASTRONAUT).save(tmp_path / "scan.tiff")
    page = visit()
    choose(page, tmp_path / "scan.tiff")
    expect_state(page, "done", re.compile("^1 face"))
    assert (
        pixels_like(
            drawn(page), color_of(page.locator(".cards .card .winner").first.get_attribute("data-emotion") or "")
        )
        > 500
    )


def test_the_annotated_picture_the_table_and_the_json_are_saved(visit: Visit):
    page = visit()
    choose(page, TWO_FACES)
    expect_state(page, "done", re.compile("^2 faces"))
    picture = saved(page, "Save picture")
    assert picture.suggested_filename == "two_faces-emotions.png"
    image = Image.open(picture.path()).convert("RGB")
    assert max(image.size) == 1200
    table = saved(page, "Save table (CSV)")
    rows = list(csv.DictReader(io.StringIO(Path(table.path()).read_text(encoding="utf-8"))))
    report = json.loads(Path(saved(page, "Save JSON").path()).read_text(encoding="utf-8"))
    assert list(report) == ["faces", "schema", "model", "image"]
    assert [row["picture"] for row in rows] == ["two_faces"] * 2
    for row, face in zip(rows, report["faces"], strict=True):
        assert row["label"] == face["label"]
        assert [float(row[name]) for name in ("x1", "y1", "x2", "y2")] == face["box"]
        assert {name: float(row[name]) for name in face["probabilities"]} == face["probabilities"]
        assert pixels_like(image, color_of(face["label"])) > 500


def test_table_and_json_are_copied_and_say_so(visit: Visit):
    page = visit()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(page, TWO_FACES)
    expect_state(page, "done", re.compile("^2 faces"))
    page.get_by_role("button", name="Copy table").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("picture\tface\tlabel\t")
    page.get_by_role("button", name="Copy JSON").click()
    expect(page.locator(".take .told")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith('{\n  "faces"')


def test_the_picture_is_shared_where_the_device_can(visit: Visit):
    page = visit()
    page.add_init_script("""
        navigator.canShare = () => true;
        navigator.share = async ({ files, text }) => { window.shared = [files[0].name, files[0].size, text]; };
    """)
    page.reload()
    page.get_by_role("button", name="Both of them in one picture").click()
    expect_state(page, "done", re.compile("^2 faces"))
    page.get_by_role("button", name="Share picture").click()
    expect(page.get_by_role("button", name="Shared")).to_be_visible()
    name, size, text = page.evaluate("window.shared")
    assert (name, text[:7]) == ("two-emotions.png", "2 faces")
    assert size > 10_000
