"""The tab Video: a video given, watched, gone through by the timeline, called off, taken away, and gone."""

import base64
import csv
import io
import json
import re
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from resemotenet import EMOTIONS
from resemotenet.reading.drawing import color_of
from tests import films
from tests.browser.conftest import Launch, Visit, visits_of
from tests.browser.live_page import sideways
from tests.browser.test_photo import ASTRONAUT
from tests.browser.test_photo_drawn import pixels_like
from tests.browser.video_page import choose, expect_state, opened, read
from tests.demo.server import Demo, wait_until

PRIVATE = re.compile("^Your video is sent to the server of this page, read there, and deleted when you leave")
# What a browser does when a video is dropped on the page.
DROP = """([name, content]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, {type: "video/webm"}));
    document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


def paused_at(page: Page, seconds: float) -> None:
    player = page.locator(".video .player")
    player.evaluate("(player, seconds) => { player.pause(); player.currentTime = seconds; }", seconds)
    page.wait_for_function("() => !document.querySelector('.video .player').seeking")


def drawn(page: Page) -> "np.ndarray":
    """Where something is drawn over the player: (height, width) of bool."""
    canvas = decoded(page.locator(".video .view").evaluate("canvas => canvas.toDataURL()"))
    return np.asarray(canvas.getchannel("A")) > 60


def boxes(page: Page) -> int:
    """How many of the two people have a box: one on each half of the picture."""
    return sum(bool(half.any()) for half in np.array_split(drawn(page), 2, axis=1))


def test_the_empty_tab_says_its_limits_and_what_becomes_of_a_video(visit_video: Visit):
    page = visit_video()
    expect_state(page, "empty", PRIVATE)
    expect(page.locator(".video .limits")).to_have_text("Up to 10 minutes, 200 MB, 4096 by 2304 pixels")
    expect(page.get_by_role("button", name="Record a video")).to_be_visible()
    expect(page.get_by_role("slider", name="Timeline")).to_be_hidden()


def test_a_video_is_read_and_its_people_are_summed_up(visit_video: Visit, clip: Path):
    page = visit_video()
    read(page, clip)
    course = decoded(page.locator(".seek canvas").evaluate("canvas => canvas.toDataURL()"))
    assert pixels_like(course.convert("RGB"), color_of("happy")) > 1000
    assert pixels_like(course.convert("RGB"), color_of("neutral")) > 500
    cards = page.locator(".video .cards .card")
    expect(cards).to_have_count(2)
    expect(cards.first.locator(".label")).to_have_text("Person 1")
    expect(cards.first.locator(".sub")).to_have_text(re.compile("^Now .* · seen for 0:0[56]$"))
    expect(cards.nth(1).locator(".sub")).to_have_text(re.compile("^Not in sight now · seen for 0:0[34]$"))
    for index in range(2):
        figures = cards.nth(index).locator(".figure").all_inner_texts()
        assert len(figures) == len(EMOTIONS)
        assert 97 <= sum(int(re.sub(r"\D", "", figure)) for figure in figures) <= 104
    expect(cards.first.locator(".change").first).to_have_text(re.compile(r"^([+\u2212]\d+|0)$"))
    expect(cards.nth(1).locator(".change").first).to_have_text("\u2013")


def test_boxes_lie_over_the_very_frame_and_the_timeline_goes_there(visit_video: Visit, clip: Path):
    page = visit_video()
    read(page, clip)
    paused_at(page, 1.0)
    page.wait_for_function("() => document.querySelector('.video .seek').ariaValueNow === '1.0'")
    assert boxes(page) == 1
    slider = page.get_by_role("slider", name="Timeline")
    box = slider.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + 20)
    page.wait_for_function("() => document.querySelector('.video .player').currentTime > 3.5")
    expect(page.locator(".video .cards .card").nth(1).locator(".sub")).to_have_text(re.compile("^Now "))
    assert boxes(page) == 2
    slider.focus()
    before = page.locator(".video .player").evaluate("player => player.currentTime")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "before => Math.abs(document.querySelector('.video .player').currentTime - before + 1) < 0.1", arg=before
    )
    page.keyboard.press("Home")
    page.wait_for_function("() => document.querySelector('.video .player').currentTime === 0")
    expect(slider).to_have_attribute("aria-valuetext", "0:00")


def test_the_box_moves_with_the_face_while_it_plays(visit_video: Visit, clip: Path):
    """The left edge of what is drawn at two times, in pixels of the film: the person goes 25 a second to the right."""
    page = visit_video()
    read(page, clip)
    edges = []
    for seconds in (0.5, 1.7):
        paused_at(page, seconds)
        page.wait_for_function(
            "time => Math.abs(document.querySelector('.video .seek').ariaValueNow - time) < 0.06", arg=seconds
        )
        canvas = drawn(page)
        edges.append(float(canvas.any(axis=0).argmax() * 640 / canvas.shape[1]))
    assert edges[1] - edges[0] == pytest.approx(30, abs=5)
    page.locator(".video .player").evaluate("player => { player.muted = true; return player.play(); }")
    page.wait_for_function("() => document.querySelector('.video .seek').ariaValueNow > 2.2")


def test_numbers_and_the_annotated_video_are_taken_away(visit_video: Visit, clip: Path):
    page = visit_video()
    read(page, clip)
    table = list(
        csv.DictReader(io.StringIO(taken(page, "Save table (CSV)", "my film-emotions.csv").read_text("utf-8")))
    )
    assert {row["person"] for row in table} == {"1", "2"}
    assert all(abs(sum(float(row[name]) for name in EMOTIONS) - 1) < 1e-3 for row in table)
    report = json.loads(taken(page, "Save JSON", "my film-emotions.json").read_text("utf-8"))
    assert [each["person"] for each in report["timeline"]["people"]] == [1, 2]
    assert sum(len(each["faces"]) for each in report["moments"]) == len(table)
    film = taken(page, "Save annotated video (MP4)", "my film-emotions.mp4")
    with av.open(str(film)) as opened_film:
        assert opened_film.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in opened_film.decode(video=0)) == 150
    taken(page, "Save annotated video (MP4)", "my film-emotions.mp4")  # a second time at once


def taken(page: Page, button: str, name: str) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    expect(page.locator(".video .said")).to_have_text("Saved")
    assert download.value.suggested_filename == name
    return Path(download.value.path())


def test_a_video_is_dropped_on_any_tab_and_the_next_takes_its_place(visit_video: Visit, clip: Path):
    page = visit_video()
    read(page, clip)
    page.get_by_role("tab", name="Picture").click()
    page.evaluate(DROP, ["dropped.webm", base64.b64encode(clip.read_bytes()).decode()])
    expect(page.locator(".video")).to_be_visible()
    expect_state(page, "done", re.compile("^2 people"))
    expect(page.locator(".picker")).to_have_attribute("data-state", "empty")
    taken(page, "Save table (CSV)", "dropped-emotions.csv")


def test_what_is_chosen_on_the_wrong_tab_opens_the_right_one(visit_video: Visit, clip: Path):
    page = visit_video()
    choose(page, ASTRONAUT)
    expect(page.locator(".picker")).to_be_visible()
    expect(page.locator(".picker .status")).to_have_text(re.compile("^1 face"))
    page.locator(".picker .file").set_input_files(clip)
    expect(page.locator(".video")).to_be_visible()
    expect_state(page, "done", re.compile("^2 people"))
    expect(page.locator(".picker .status")).to_have_text(re.compile("^1 face"))


def test_a_reading_is_called_off_and_leaves_nothing(visit_video: Visit, trained: Demo, tmp_path: Path):
    one, _ = films.heads()
    pieces = (films.scene((one, 60 + number % 300, 90)) for number in range(2400))
    long = films.write(tmp_path / "long.webm", pieces, codec="libvpx")
    page = visit_video()
    choose(page, long)
    expect_state(page, "reading", PRIVATE)
    expect(page.locator(".video .way span")).to_have_text(re.compile(r"^0:\d\d of 1:3\d read"))
    assert trained.files() != []
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect_state(page, "empty", PRIVATE)
    wait_until(lambda: trained.files() == [])
    expect(page.get_by_role("slider", name="Timeline")).to_be_hidden()


def test_a_visitor_who_leaves_takes_the_video_along(visit_video: Visit, trained: Demo, clip: Path):
    page = visit_video()
    read(page, clip)
    assert trained.files() != []
    page.goto("about:blank")
    wait_until(lambda: trained.files() == [])


def test_what_cannot_be_read_is_one_sentence_and_the_page_goes_on(visit_video: Visit, clip: Path, tmp_path: Path):
    fake = tmp_path / "fake.mp4"
    fake.write_text("just some text")
    page = visit_video()
    choose(page, fake)
    expect_state(page, "refused", re.compile("^This video cannot be read: not a video"))
    long = films.write(tmp_path / "long.webm", films.ticking(3), [0, 1, 660], codec="libvpx")
    choose(page, long)
    expect_state(page, "refused", re.compile(r"^This video lasts 11\.0 minutes, and at most 10 are read"))
    read(page, clip)


def test_a_video_that_the_browser_cannot_show_is_read_all_the_same(visit_video: Visit, tmp_path: Path):
    one, _ = films.heads()
    scenes = (films.scene((one, 60 + number, 90)) for number in range(50))
    odd = films.write(tmp_path / "odd.avi", scenes, codec="mpeg4")
    page = visit_video()
    choose(page, odd)
    expect_state(page, "done", re.compile("^1 person in 0:0[12]"))
    expect(page.get_by_text("This browser cannot show this video")).to_be_visible()
    taken(page, "Save annotated video (MP4)", "odd-emotions.mp4")


def test_a_video_without_a_face_says_so(visit_video: Visit, tmp_path: Path):
    page = visit_video()
    choose(page, films.write(tmp_path / "grey.webm", films.ticking(30), codec="libvpx"))
    expect_state(page, "done", "No face was found in this video.")
    expect(page.locator(".video .notice-title")).to_have_text("No face found")


def test_a_video_is_recorded_and_read(launch: Launch, trained: Demo):
    with visits_of(trained) as visits:
        page = opened(visits.open(launch("astronaut"), camera=True))
        page.get_by_role("button", name="Record a video").click()
        expect_state(page, "recording", re.compile(r"^Recording: 0:0[2-9] of at most 10:00"))
        page.get_by_role("button", name="Stop and read it").click()
        expect_state(page, "done", re.compile(r"^1 person in 0:\d\d\.$"))
        assert page.locator(".video .player").evaluate("player => Number.isFinite(player.duration)")


def test_on_a_phone_nothing_is_wider_than_the_screen(visit_video: Visit, clip: Path):
    page = visit_video(width=390, height=844)
    assert sideways(page) <= 0
    read(page, clip)
    assert sideways(page) <= 0
    expect(page.locator(".video .cards .card").first).to_be_visible()


def decoded(data_uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data_uri.partition(",")[2]))).convert("RGBA")
