"""The live page in a real browser, state by state. What visits leave behind is checked as they end, in conftest."""

import base64
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor, ImageOps
from playwright.sync_api import Request, expect

from resemotenet import EMOTIONS
from resemotenet.reading.drawing import color_of
from tests.browser.camera import EXAMPLES
from tests.browser.conftest import Visit
from tests.browser.live_page import (
    PRIVATE,
    answers,
    asked,
    camera_of,
    canvas,
    decoded,
    expect_state,
    let_go,
    sideways,
    wait_for_answers,
    watch,
)
from tests.browser.test_photo import ACTIVE, GIVE

WAITING = "Every face gets seven bars like these."

# Adds up by how much of the window things jumped, also what the browser forgives because a key was just pressed.
WATCH_JUMPS = """() => {
    window.jumps = [];
    new PerformanceObserver((list) => {
        for (const {value, sources} of list.getEntries())
            window.jumps.push([value, sources.map(({node}) => node?.className ?? node?.nodeName).join(" | ")]);
    }).observe({type: "layout-shift"});
}"""


def middle(face: dict[str, Any]) -> tuple[float, float]:
    x1, y1, x2, y2 = face["box"]
    return (x1 + x2) / 2, (y1 + y2) / 2


@pytest.mark.parametrize("width", [1280, 390])
def test_the_idle_page_says_what_to_do(visit_live: Visit, width: int):
    page = visit_live(width=width)
    expect_state(page, "idle", PRIVATE)
    expect(page.get_by_text("and watch what is read from every face")).to_be_visible(visible=width > 640)
    expect(page.locator(".live .go")).to_have_text("Start the camera")
    expect(page.locator(".live").get_by_text(WAITING)).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    assert sideways(page) <= 0


@pytest.mark.parametrize("width", [1280, 390])
def test_a_smile_is_read_from_the_camera(visit_live: Visit, width: int):
    page = visit_live(width=width)
    watch(page)
    card = page.locator(".live .cards .card")
    expect(card).to_have_count(1)
    expect(card.locator(".label")).to_have_text("Happy")
    expect(card.locator(".sub")).to_have_text(re.compile(r"^[<>]?\d+% · face 1$"))
    expect(card.locator(".bars li")).to_have_text([re.compile(rf"^{each}[<>]?\d+%$", re.I) for each in EMOTIONS])
    expect(card.locator(".winner .name")).to_have_text("Happy")
    wait_for_answers(page, 3)
    expect(page.locator(".rate")).to_have_text(re.compile(r"^\d+$"))
    expect(page.locator(".latency")).to_have_text(re.compile(r"^\d+ ms$"))
    expect(page.locator(".count")).to_have_text("1")
    expect(page.locator(".live .spoken")).to_have_text("1 face: happy.")  # screen readers hear it
    expect(page.locator(".live .spoken")).to_have_attribute("aria-live", "polite")
    box = page.locator(".live .view").bounding_box()
    assert box is not None
    assert box["width"] / box["height"] == pytest.approx(4 / 3, rel=0.01)
    assert box["width"] > 0.5 * min(width, 1120)


@pytest.mark.parametrize("mirrored", [True, False])
def test_boxes_are_drawn_on_the_very_frame_they_belong_to(visit_live: Visit, mirrored: bool):
    page = visit_live()
    sent: list[Request] = []
    page.on("requestfinished", lambda request: sent.append(request) if asked(request) else None)
    page.get_by_label("Mirror").set_checked(mirrored)
    watch(page)
    for _ in range(2):
        before = middle(answers(page)[-1]["faces"][0])
        while math.dist(before, middle(answers(page)[-1]["faces"][0])) < 25:
            wait_for_answers(page, 1)
        page.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(300)  # what was under way has arrived, and must not be drawn any more
        (face,) = answers(page)[-1]["faces"]
        calls = [(asked(request), request.response()) for request in sent[-12:]]
        frames = [question["frame"] for question, response in calls if question and response]
        boxes = [[each["box"] for each in response.json()["faces"]] for _, response in calls if response]
        picture = canvas(page)
        picture = ImageOps.mirror(picture) if mirrored else picture
        differences = [difference(picture, decoded(frame)) for frame in frames]
        belonging = max(index for index, each in enumerate(boxes) if each == [face["box"]])
        assert differences[belonging] < 3
        assert differences[belonging] <= min(differences)
        assert share_in_color(picture, face["box"], color_of("happy")) > 0.95
        page.get_by_role("button", name="Go on").click()
        wait_for_answers(page, 1)


def difference(picture: Image.Image, frame: Image.Image) -> float:
    """How far two pictures are from each other below the face, where nothing is drawn: 0 to 255."""
    below = (0, 310, 640, 480)
    first, second = (np.asarray(each.resize((640, 480)).crop(below), float) for each in (picture, frame))
    return float(np.abs(first - second).mean())


def share_in_color(picture: Image.Image, box: list[float], color: str) -> float:
    """How much of a box's left, right and lower line has a colour; corners are round, a tag may be on the upper."""
    scale = picture.width / 640
    x1, y1, x2, y2 = (scale * value for value in box)
    along = np.linspace(0.15, 0.85, 40)
    points = [(x, y1 + share * (y2 - y1)) for x in (x1, x2) for share in along]
    points += [(x1 + share * (x2 - x1), y2) for share in along]
    pixels = np.array([picture.getpixel((int(x), int(y))) for x, y in points], float)
    return float((np.abs(pixels - ImageColor.getrgb(color)).max(axis=1) < 40).mean())


def test_faces_keep_their_numbers_while_they_move(visit_live: Visit):
    page = visit_live("crowd")
    watch(page)
    expect(page.locator(".live .cards .card")).to_have_count(5)
    page.evaluate("window.answered.length = 0")
    wait_for_answers(page, 15)
    homes: dict[int, tuple[float, float]] = {}
    for answer in answers(page):
        for face in answer["faces"]:
            home = homes.setdefault(face["number"], middle(face))
            assert math.dist(home, middle(face)) < 70  # they sway by 20, and are 200 from each other
    assert sorted(homes) == [1, 2, 3, 4, 5]
    expect(page.locator(".live .cards .card .sub")).to_have_text([re.compile(f"face {each}$") for each in range(1, 6)])
    expect(page.locator(".live .spoken")).to_have_text(
        re.compile(r"^5 faces: (\d .*and \d .*)\.$|^5 faces, all \w+\.$")
    )


def test_pause_go_on_and_stop(visit_live: Visit):
    page = visit_live()
    watch(page)
    track = camera_of(page)
    page.get_by_role("button", name="Pause").click()
    expect_state(page, "paused", "Paused.")
    expect(page.locator(".badge")).to_have_text("Paused")
    shown, heard = canvas(page), len(answers(page))
    page.wait_for_timeout(500)
    assert len(answers(page)) == heard
    assert canvas(page).tobytes() == shown.tobytes()
    page.get_by_role("button", name="Go on").click()
    expect_state(page, "watching", PRIVATE)
    wait_for_answers(page, 2)
    assert canvas(page).tobytes() != shown.tobytes()
    assert not let_go(track)
    page.get_by_role("button", name="Stop").click()
    expect_state(page, "idle", PRIVATE)
    assert let_go(track)
    expect(page.locator(".live .view")).to_be_hidden()
    expect(page.locator(".live .cards .card")).to_have_count(0)
    expect(page.locator(".live").get_by_text(WAITING).locator("visible=true")).to_have_count(1)
    expect(page.locator(".live .gauges dd")).to_have_text(["\N{EN DASH}"] * 3)
    page.locator(".live .start").click()  # and again
    wait_for_answers(page, 1)


def test_leaving_the_tab_lets_the_camera_go(visit_live: Visit):
    page = visit_live()
    watch(page)
    track = camera_of(page)
    page.get_by_role("tab", name="Picture").click()
    page.wait_for_function("track => track.readyState === 'ended'", arg=track)
    page.get_by_role("tab", name="Live camera").click()
    expect_state(page, "idle", PRIVATE)


def test_a_picture_pasted_while_live_goes_to_the_picture_page(visit_live: Visit):
    page = visit_live()
    watch(page)
    track = camera_of(page)
    page.evaluate(GIVE, ["paste", "photo.jpg", base64.b64encode((EXAMPLES / "astronaut.jpg").read_bytes()).decode()])
    expect(page.get_by_role("tab", name="Picture")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".picker .status")).to_have_text("1 face: happy.")
    assert let_go(track)


def test_the_smoothing_asked_for_travels_with_the_frames(visit_live: Visit):
    page = visit_live()
    watch(page)

    def smoothed(seconds: float) -> Callable[[Request], bool]:
        return lambda request: (asked(request) or {}).get("smoothing") == seconds

    for key, seconds in (("End", 2), ("Home", 0)):
        with page.expect_request(smoothed(seconds)):
            page.get_by_label("Smoothing").press(key)
        expect(page.locator(".live output")).to_have_text(f"{seconds}.0 s")


@pytest.mark.parametrize("width", [1280, 390])
def test_why_pauses_and_shows_what_spoke_for_an_emotion(visit_live: Visit, width: int):
    page = visit_live("crowd", width=width)
    watch(page)
    expect(page.locator(".live .cards .card")).to_have_count(5)
    card = page.locator(".live .cards .card").nth(1)
    card.get_by_role("button", name="Why?").click()
    expect_state(page, "paused", "Paused, so that the face stays the one that is explained.")
    reason = card.locator(".reason")
    expect(reason.locator(".reason-text")).to_have_text(re.compile(r"spoke for \w+\."))
    label = card.locator(".label").inner_text().lower()
    expect(reason.locator("select")).to_have_value(label)
    expect(reason.locator("img")).to_have_js_property("naturalWidth", 264)
    first = reason.locator("img").get_attribute("src")
    other = "fear" if label != "fear" else "sad"
    reason.locator("select").select_option(other)
    expect(reason.locator(".reason-text")).to_have_text(re.compile(rf"(speaks|spoke) for {other}\."))
    expect(reason).to_have_attribute("data-state", "done")
    assert reason.locator("img").get_attribute("src") != first
    assert sideways(page) <= 0
    card.get_by_role("button", name="Why?").click()
    expect(reason).to_be_hidden()
    page.get_by_role("button", name="Go on").click()
    wait_for_answers(page, 1)


def test_two_visitors_each_see_their_own_face(visit_live: Visit):
    pages = [visit_live("astronaut"), visit_live("hopper")]
    for page in pages:
        watch(page)
    for page in pages:
        page.evaluate("window.answered.length = 0")
    for _ in range(3):
        for page in pages:
            wait_for_answers(page, 4)
    smiling, straight = ([face for answer in answers(page) for face in answer["faces"]] for page in pages)
    assert {face["label"] for face in smiling} == {"happy"}
    assert "happy" not in {face["label"] for face in straight}
    assert all(face["box"][3] - face["box"][1] < 220 for face in smiling)
    assert all(face["box"][3] - face["box"][1] > 220 for face in straight)
    assert {face["number"] for face in [*smiling, *straight]} == {1}
    assert min(len(smiling), len(straight)) >= 12


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_scrolls_sideways_on_a_phone(visit_live: Visit, width: int):
    page = visit_live("crowd", width=width, height=844)
    assert sideways(page) <= 0
    watch(page)
    expect(page.locator(".live .cards .card")).to_have_count(5)
    assert sideways(page) <= 0
    page.locator(".live .why").first.click()
    expect(page.locator(".live .reason").first).to_have_attribute("data-state", "done")
    assert sideways(page) <= 0
    page.context.clear_permissions()
    expect_state(page, "problem")
    assert sideways(page) <= 0


@pytest.mark.parametrize(("kind", "width"), [("astronaut", 1280), ("astronaut", 390), ("crowd", 390)])
def test_nothing_jumps_while_frames_arrive(visit_live: Visit, kind: str, width: int):
    page = visit_live(kind, width=width)
    page.evaluate(WATCH_JUMPS)
    watch(page)
    if kind == "crowd":
        expect(page.locator(".live .cards .card")).to_have_count(5)
    page.wait_for_timeout(300)
    assert sum(value for value, _ in page.evaluate("window.jumps")) < 0.1
    page.evaluate("window.jumps.length = 0")
    wait_for_answers(page, 15)
    page.wait_for_timeout(300)
    assert page.evaluate("window.jumps") == []


def test_the_keyboard_alone_is_enough(visit_live: Visit):
    page = visit_live()

    def tab_to(name: str) -> None:
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate(ACTIVE) == name:
                return
        raise AssertionError(f"the keyboard does not reach {name}")

    page.evaluate("window.answered = []")
    page.locator("h1").click()
    tab_to("invite")
    page.keyboard.press("Enter")
    expect(page.locator(".live .cards .card")).to_have_count(1)
    assert page.evaluate(ACTIVE) == "go"  # the button pressed is gone, the focus is not
    tab_to("stop")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".live output")).to_have_text("0.6 s")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_label("Mirror")).not_to_be_checked()
    tab_to("why")
    page.keyboard.press("Enter")
    expect_state(page, "paused")
    expect(page.locator(".live .reason")).to_have_attribute("data-state", "done")
    page.keyboard.press("Shift+Tab")
    for _ in range(10):
        if page.evaluate(ACTIVE) == "stop":
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect_state(page, "idle")
    assert page.evaluate(ACTIVE) == "go"
