"""The photo page in a real browser, state by state. What visits leave behind is checked as they end, in conftest."""

import base64
import json
import re
import sys
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from resemotenet import EMOTIONS
from tests.browser.conftest import Visit
from tests.demo.server import Demo

EXAMPLES = Path(__file__).resolve().parents[2] / "demo" / "examples"
ASTRONAUT = EXAMPLES / "astronaut.jpg"
TWO_FACES = EXAMPLES / "two_faces.jpg"

# What a browser does when files are pasted or dropped: (kind of event, name, base64) -> the event on the document.
GIVE = """([kind, name, content]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, {type: "image/jpeg"}));
    const options = {bubbles: true, cancelable: true};
    document.body.dispatchEvent(kind === "paste"
        ? new ClipboardEvent("paste", {clipboardData: data, ...options})
        : new DragEvent("drop", {dataTransfer: data, ...options}));
}"""
# What has the keyboard's focus, in a word.
ACTIVE = "document.activeElement.role ?? document.activeElement.className.split(' ')[0]"


def choose(page: Page, file: Path) -> None:
    page.locator(".picker input[type=file]").set_input_files(file)


def expect_state(page: Page, state: str, message: str | re.Pattern[str]) -> None:
    expect(page.locator(".picker")).to_have_attribute("data-state", state)
    expect(page.locator(".picker .status")).to_have_text(message)


def expect_one_face(page: Page) -> None:
    expect_state(page, "done", re.compile(r"^1 face: (not sure, )?[\w ]+\.$"))
    expect(page.locator(".cards .card")).to_have_count(1)
    expect(page.locator(".cards .card .label")).to_have_text(
        re.compile(f"^(Not sure: |{'|'.join(EMOTIONS)})", re.IGNORECASE)
    )
    expect(page.locator(".cards .card .bars li")).to_have_count(7)


def test_the_empty_page_says_what_to_do(visit: Visit):
    page = visit()
    expect_state(page, "empty", "Your picture is read in memory and not stored.")
    expect(page.get_by_text("Choose pictures with faces")).to_be_visible()
    expect(page.get_by_role("button", name="Choose a picture", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Use the camera")).to_be_visible()
    expect(page.locator(".example")).to_have_count(5)
    expect(page.get_by_text("Not for decisions about people")).to_be_visible()
    expect(page.get_by_text("Not measured")).to_be_visible()  # these weights are random


def test_a_photo_ends_in_a_label_and_seven_bars(visit: Visit):
    page = visit()
    choose(page, ASTRONAUT)
    expect_one_face(page)
    for index, emotion in enumerate(EMOTIONS):
        row = page.locator(".cards .card .bars li").nth(index)
        expect(row).to_be_visible()
        expect(row).to_have_text(re.compile(rf"^{emotion}[<>]?\d+%$", re.IGNORECASE))
        figure = int(re.sub(r"\D", "", row.locator(".figure").inner_text()))
        row.locator(".fill").evaluate("fill => Promise.all(fill.getAnimations().map(each => each.finished))")
        bar, track = row.locator(".fill").bounding_box(), row.locator(".track").bounding_box()
        assert bar is not None
        assert track is not None
        assert abs(bar["width"] / track["width"] - figure / 100) < 0.02 + 2 / track["width"]


def test_the_numbers_are_there_as_a_table_and_as_json(visit: Visit):
    page = visit()
    choose(page, TWO_FACES)
    expect_state(page, "done", re.compile("^2 faces"))
    page.get_by_text("All numbers in a table").click()
    expect(page.locator(".numbers tbody tr")).to_have_count(2)
    expect(page.locator(".numbers tbody tr").first).to_be_visible()
    page.get_by_text("All numbers as JSON").click()
    report = json.loads(page.locator(".as-json pre").inner_text())
    assert report["image"] == {"width": 819, "height": 480}
    assert [list(face["probabilities"]) for face in report["faces"]] == [list(EMOTIONS)] * 2


def test_two_pictures_in_a_row_end_in_the_second(visit: Visit):
    page = visit()
    choose(page, ASTRONAUT)
    choose(page, TWO_FACES)  # while the first is still being read
    expect_state(page, "done", re.compile("^2 faces"))
    expect(page.locator(".cards .card")).to_have_count(2)
    choose(page, ASTRONAUT)
    expect_one_face(page)


def test_a_text_file_named_jpg_ends_in_a_message_and_the_page_goes_on(visit: Visit, tmp_path: Path):
    fake = tmp_path / "holiday.jpg"
    fake.write_text("just some text")
    page = visit()
    choose(page, ASTRONAUT)
    expect_one_face(page)
    choose(page, fake)
    expect_state(page, "refused", re.compile("^This file cannot be read: not a picture"))
    expect(page.locator(".picker .faces.waiting")).to_be_visible()  # the bars of the picture before are gone
    expect(page.get_by_text("All numbers as JSON")).to_be_hidden()
    choose(page, fake)  # the same answer again is an answer too
    expect_state(page, "refused", re.compile("^This file cannot be read: not a picture"))
    choose(page, ASTRONAUT)
    expect_one_face(page)


def test_a_picture_without_a_face_says_so(visit: Visit, tmp_path: Path):
    Image.linear_gradient("L").resize((320, 240)).save(tmp_path / "grey.png")
    page = visit()
    choose(page, tmp_path / "grey.png")
    expect_state(page, "done", "No face was found in this picture.")
    expect(page.locator(".picker .notice-title")).to_have_text("No face found")
    expect(page.locator(".cards .card")).to_have_count(0)


def test_too_small_and_too_large_say_so(visit: Visit, tmp_path: Path):
    Image.new("RGB", (20, 12)).save(tmp_path / "small.png")
    (tmp_path / "heavy.jpg").write_bytes(bytes(16_000_000))
    page = visit()
    choose(page, tmp_path / "small.png")
    expect_state(page, "refused", re.compile("only 20 by 12 pixels"))
    choose(page, tmp_path / "heavy.jpg")
    expect_state(page, "refused", re.compile("16 MB .* at most 15 MB"))


def test_many_faces_have_a_card_and_a_row_each(visit: Visit, tmp_path: Path):
    face = Image.open(ASTRONAUT).crop((150, 0, 310, 160))
    crowd = Image.new("RGB", (5 * 160, 3 * 160))
    for index in range(15):
        crowd.paste(face, (index % 5 * 160, index // 5 * 160))
    crowd.save(tmp_path / "crowd.png")
    page = visit()
    choose(page, tmp_path / "crowd.png")
    expect_state(page, "done", re.compile("^15 faces"))
    expect(page.locator(".cards .card")).to_have_count(15)
    bars = page.locator(".cards .card .bars")
    expect(bars.nth(14)).to_be_hidden()
    page.get_by_role("button", name="Bars of face 15").click()
    expect(bars.nth(14)).to_be_visible()
    page.get_by_text("All numbers in a table").click()
    expect(page.locator(".numbers tbody tr")).to_have_count(15)


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_pasting_and_dropping_work_anywhere_on_the_page(visit: Visit, kind: str):
    page = visit()
    page.evaluate(GIVE, [kind, "photo.jpg", base64.b64encode(ASTRONAUT.read_bytes()).decode()])
    expect_one_face(page)


def test_examples_are_one_click_away(visit: Visit):
    page = visit()
    page.get_by_role("button", name="Eileen Collins, astronaut").click()
    expect_one_face(page)


def test_why_shows_what_spoke_for_an_emotion(visit: Visit):
    page = visit()
    choose(page, TWO_FACES)
    expect(page.locator(".picker .why")).to_have_count(2)
    cards = page.locator(".picker .cards .card")
    cards.nth(1).get_by_role("button", name="Why?").click()
    reason = cards.nth(1).locator(".reason")
    expect(reason).to_have_attribute("data-state", "done")
    expect(reason.locator("select")).to_have_value(cards.nth(1).locator(".label").inner_text().lower())
    expect(reason.locator("img")).to_have_js_property("naturalWidth", 264)
    expect(cards.nth(0).locator(".reason")).to_be_hidden()
    for emotion in EMOTIONS:
        reason.locator("select").select_option(emotion)
        expect(reason.locator(".reason-text")).to_have_text(re.compile(rf"^.*(spoke|speaks) for {emotion}\."))


def test_why_belongs_to_the_picture_that_is_shown(visit: Visit):
    """What was open for one picture must not stay for the next."""
    page = visit()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "component_server" in request.url else None)
    for count, picture in enumerate([ASTRONAUT, TWO_FACES, ASTRONAUT], start=1):
        choose(page, picture)
        expect(page.locator(".picker .cards .card")).to_have_count(2 if picture == TWO_FACES else 1)
        expect(page.locator(".picker .reason").first).to_be_hidden()
        page.locator(".picker .why").first.click()
        expect(page.locator(".picker .reason").first).to_be_visible()
        expect(page.locator(".picker .reason").first).to_have_attribute("data-state", "done")
        expect(page.locator(".picker .reason img").first).to_have_js_property("naturalWidth", 264)
        assert len(asked) == count  # one question a click
    page.locator(".picker .why").click()
    expect(page.locator(".picker .reason")).to_be_hidden()


def test_why_says_when_the_server_cannot_be_reached(visit: Visit):
    page = visit()
    choose(page, ASTRONAUT)
    expect_one_face(page)
    page.route("**/component_server/**", lambda route: route.abort())
    page.locator(".picker .why").click()
    expect(page.locator(".picker .reason-text")).to_have_text(re.compile("^The server cannot be reached"))
    page.unroute("**/component_server/**")
    page.locator(".picker .reason select").select_option("fear")
    expect(page.locator(".picker .reason-text")).to_have_text(re.compile("(spoke|speaks) for fear"))


def test_the_camera_takes_one_picture_and_is_let_go(visit: Visit):
    page = visit(camera=True)
    page.get_by_role("button", name="Use the camera").click()
    expect_state(page, "camera", "Look at the camera.")
    track = page.evaluate_handle("document.querySelector('.picker .camera').srcObject.getTracks()[0]")
    page.get_by_role("button", name="Take the picture").click()
    expect_state(page, "done", "No face was found in this picture.")  # the fake camera shows a pattern
    assert track.evaluate("track => track.readyState") == "ended"


def test_a_refused_camera_says_what_to_do(visit: Visit):
    page = visit(camera=False)
    page.get_by_role("button", name="Use the camera").click()
    expect_state(page, "refused", re.compile("^The camera was refused: allow it"))


def test_a_server_that_cannot_be_reached_says_so(visit: Visit):
    page = visit()
    page.context.set_offline(True)
    choose(page, ASTRONAUT)
    expect_state(page, "lost", re.compile("^The server is busy or cannot be reached"))
    page.context.set_offline(False)
    page.reload()
    choose(page, ASTRONAUT)
    expect_one_face(page)


def test_the_keyboard_reaches_everything_in_order(visit: Visit):
    page = visit()
    page.locator("h1").click()
    reached = []
    for _ in range(11):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(ACTIVE))
    assert reached == ["tab", "tab", "tab", "file", "choose", "open-camera", *["example"] * 5]


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_scrolls_sideways_on_a_phone(visit: Visit, width: int, tmp_path: Path):
    (tmp_path / "fake.jpg").write_text("just some text")
    page = visit(width=width, height=844)

    def sideways() -> int:
        return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    assert sideways() <= 0
    choose(page, tmp_path / "fake.jpg")
    expect_state(page, "refused", re.compile("not a picture"))
    assert sideways() <= 0
    choose(page, TWO_FACES)
    expect_state(page, "done", re.compile("^2 faces"))
    page.get_by_text("All numbers in a table").click()
    page.get_by_text("All numbers as JSON").click()
    expect(page.locator(".numbers tbody tr").first).to_be_visible()
    assert sideways() <= 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_peak_memory_stays_under_1500_mb(visit: Visit, demo: Demo, tmp_path: Path):
    """With the largest picture that is let in, upright only after a turn: one more copy."""
    large = Image.open(ASTRONAUT).resize((5000, 5000))
    exif = Image.Exif()
    exif[0x0112] = 6
    large.save(tmp_path / "large.jpg", quality=95, exif=exif)
    page = visit()
    choose(page, tmp_path / "large.jpg")
    expect_state(page, "done", re.compile("face"))
    status = Path(f"/proc/{demo.process.pid}/status").read_text()
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024
    assert peak < 1.5e9
