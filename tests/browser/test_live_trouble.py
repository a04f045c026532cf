"""The live page where the camera or the server is not as one would wish: refused, gone, lost, crowded, another one."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import OTHER_HOST, Launch, Visit, visits_of
from tests.browser.live_page import (
    PRIVATE,
    asked,
    camera_of,
    expect_state,
    let_go,
    sideways,
    start,
    wait_for_answers,
    watch,
)
from tests.demo.server import Demo, free_port, running

# A browser without a window cannot be minimised, so it is told what it would say.
HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_refused_camera_says_what_to_do(visit_live: Visit):
    page = visit_live(camera=False)
    page.locator(".live .go").click()
    expect_state(page, "problem", "The camera was refused: allow it beside the address bar, then start again.")
    page.context.grant_permissions(["camera"])
    watch(page)


def test_no_camera_says_so(visit_live: Visit):
    page = visit_live("none")
    page.locator(".live .go").click()
    expect_state(page, "problem", "No camera was found: connect one, or give a picture instead.")


def test_a_camera_that_goes_away_says_so(visit_live: Visit):
    page = visit_live()
    watch(page)
    page.context.clear_permissions()  # to the page this is what pulling the plug is: the track ends
    expect_state(page, "problem", "The camera was disconnected: connect it, then start again.")
    expect(page.locator(".live .cards .card")).to_have_count(0)
    page.context.grant_permissions(["camera"])
    watch(page)


def test_a_hidden_page_pauses_and_goes_on_by_itself(visit_live: Visit):
    page = visit_live()
    watch(page)
    page.evaluate(HIDE, True)
    expect_state(page, "paused", "Paused while this page was hidden.")
    assert page.evaluate("document.querySelector('.source').srcObject") is None  # nor is the camera held
    page.evaluate(HIDE, False)
    expect_state(page, "watching")
    wait_for_answers(page, 1)
    page.get_by_role("button", name="Pause").click()
    page.evaluate(HIDE, True)
    page.evaluate(HIDE, False)
    expect_state(page, "paused", "Paused.")  # the visitor's own pause stays


def test_the_other_camera_is_one_click_away(visit_live: Visit):
    page = visit_live("patterns")
    start(page)
    first = camera_of(page)
    page.get_by_role("button", name="Other camera").click()
    expect_state(page, "watching")
    wait_for_answers(page, 2)
    assert let_go(first)
    second = camera_of(page)
    assert second.evaluate("track => track.label") != first.evaluate("track => track.label")
    page.get_by_role("button", name="Other camera").click()
    expect_state(page, "watching")
    wait_for_answers(page, 2)
    assert camera_of(page).evaluate("track => track.label") == first.evaluate("track => track.label")
    expect(page.locator(".live .nobody")).to_be_visible()  # these cameras show a pattern
    expect(page.locator(".live .spoken")).to_have_text("No face in sight.")
    expect(page.locator(".count")).to_have_text("0")


def test_another_camera_that_cannot_be_opened_does_not_lock_the_page(visit_live: Visit):
    page = visit_live("patterns")
    start(page)
    first = camera_of(page).evaluate("track => track.getSettings().deviceId")
    page.evaluate(
        """first => {
            const devices = navigator.mediaDevices;
            const open = devices.getUserMedia.bind(devices);
            devices.getUserMedia = (wanted) => [undefined, first].includes(wanted.video.deviceId?.exact)
                ? open(wanted) : Promise.reject(new DOMException("", "NotReadableError"));
        }""",
        first,
    )
    page.get_by_role("button", name="Other camera").click()
    expect_state(page, "problem", "The camera is used by another program: close that program, then start again.")
    start(page)
    assert camera_of(page).evaluate("track => track.getSettings().deviceId") == first


def test_one_camera_has_no_button_for_another(visit_live: Visit):
    page = visit_live()
    watch(page)
    expect(page.get_by_role("button", name="Other camera")).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 320])
def test_plain_http_from_another_device_says_why_and_what_to_do(visit_live: Visit, width: int):
    page = visit_live("patterns", host=OTHER_HOST, camera=False, width=width)
    message = re.compile(r"only to pages on https, or on this very machine as http://localhost.*behind https")
    expect_state(page, "problem", message)
    assert sideways(page) <= 0
    page.locator(".live .go").filter(has_text="Give a picture instead").click()
    page.get_by_role("button", name="Eileen Collins, astronaut").click()
    expect(page.locator(".picker .status")).to_have_text(re.compile("^1 face: happy"))


def test_a_server_that_is_restarted_is_found_again(launch: Launch, model_folder: Path, tmp_path: Path):
    port = free_port()
    with visits_of(Demo(f"http://127.0.0.1:{port}/", tmp_path / "temporary", None)) as visits:  # type: ignore[arg-type]
        with running(model_folder, tmp_path, port):
            page = visits.open(launch("astronaut"), camera=True)
            page.get_by_role("tab", name="Live camera").click()
            watch(page)
        expect(page.locator(".live")).to_have_attribute("data-server", "lost")
        expect_state(page, "watching", "The server does not answer. Trying again…")
        with running(model_folder, tmp_path, port):
            expect(page.locator(".live")).to_have_attribute("data-server", "fine")
            wait_for_answers(page, 3)
            expect_state(page, "watching", PRIVATE)
            visits.end()


def test_a_crowded_server_slows_the_page_down_and_says_so(visit_live: Visit):
    page = visit_live()
    watch(page)
    turned_away = []

    def busy(route: Route) -> None:
        turned_away.append(route.request)
        route.fulfill(json={"busy": True, "wait": 0.1})

    page.route("**/component_server/**", busy)
    expect(page.locator(".live")).to_have_attribute("data-server", "crowded")
    expect_state(page, "watching", re.compile("^Many are watching at the moment"))
    page.wait_for_timeout(1000)
    assert 2 <= len(turned_away) <= 20  # it asks again, and not at once
    page.unroute("**/component_server/**")
    expect(page.locator(".live")).to_have_attribute("data-server", "fine")
    wait_for_answers(page, 3)
    expect_state(page, "watching", PRIVATE)


def test_a_server_with_another_model_asks_for_a_new_page(visit_live: Visit):
    page = visit_live()
    watch(page)
    box = [100, 100, 200, 200]
    face = {
        "number": 1,
        "box": box,
        "crop_box": box,
        "crop_roll": 0,
        "label": "calm",
        "confidence": 1,
        "probabilities": {"calm": 1},
    }
    answer: dict[str, Any] = {"faces": [face], "memory": None, "ms": {}, "wait": 0}
    page.route("**/component_server/**", lambda route: route.fulfill(json=answer))
    expect_state(page, "problem", re.compile("please reload it"))
    assert page.evaluate("document.querySelector('.source').srcObject") is None


def test_frames_that_are_always_refused_end_with_the_reason(visit_live: Visit):
    page = visit_live()
    watch(page)
    refused = []

    def refuse(route: Route) -> None:
        question = asked(route.request)
        assert question is not None
        refused.append(question["memory"])
        route.fulfill(json={"refused": "No frame is good enough.", "wait": 0})

    page.route("**/component_server/**", refuse)
    expect_state(page, "problem", "No frame is good enough.")
    assert len(refused) == 3
    assert refused[0] is not None
    assert refused[1:] == [None, None]  # it may have been the memory


def test_leaving_while_the_camera_opens_leaves_nothing_running(visit_live: Visit):
    page = visit_live()
    page.evaluate("""() => {
        const devices = navigator.mediaDevices;
        const list = devices.enumerateDevices.bind(devices);
        devices.enumerateDevices = () => new Promise((done) => setTimeout(() => done(list()), 1500));
    }""")
    page.locator(".live .go").click()
    expect_state(page, "asking")
    page.wait_for_function("document.querySelector('.source').srcObject !== null")
    page.get_by_role("tab", name="Picture").click()
    page.wait_for_timeout(2500)
    assert page.locator(".live").get_attribute("data-state") == "idle"
    assert page.evaluate("document.querySelector('.source').srcObject") is None
