"""The photo page where something comes between: another picture, the camera, another tab, a server that is gone."""

import base64
import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.test_live_trouble import HIDE
from tests.browser.test_photo import ACTIVE, ASTRONAUT, GIVE, TWO_FACES, choose, expect_one_face, expect_state

PRIVATE = "Your picture is read in memory and not stored."

# Keeps every stream that is opened in window.streams, and opens each when its turn in window.grants is called.
PROMPT = """() => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    [window.streams, window.grants] = [[], []];
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        await new Promise((grant) => window.grants.push(grant));
        const stream = await open(wanted);
        window.streams.push(stream);
        return stream;
    };
}"""
# Whether all of so many streams were let go.
ALL_LET_GO = """count => window.streams.length === count
    && window.streams.every((stream) => stream.getTracks().every((track) => track.readyState === "ended"))"""

# Whether so many of Gradio's streams have ended, which they do when all answers are there.
STREAMS_ENDED = """count => performance.getEntriesByType("resource")
    .filter(({ name }) => name.includes("/queue/data")).length === count"""


def press_camera(page: Page) -> None:
    page.get_by_role("button", name="Use the camera").click()


def open_camera(page: Page) -> None:
    press_camera(page)
    page.evaluate("window.grants.at(-1)()")
    expect_state(page, "camera", "Look at the camera.")


def give_too_much(page: Page) -> None:
    heavy = base64.b64encode(bytes(16_000_000)).decode()
    page.evaluate(GIVE, ["drop", "heavy.jpg", heavy])
    expect_state(page, "refused", re.compile("16 MB .* at most 15 MB"))


def expect_no_results(page: Page) -> None:
    expect(page.locator(".picker .faces.waiting")).to_be_visible()
    expect(page.locator(".picker .cards .card .why")).to_have_count(0)
    expect(page.get_by_text("All numbers as JSON")).to_be_hidden()


@pytest.fixture
def page(visit: Visit) -> Page:
    """One whose camera opens when ``window.grants`` are called."""
    page = visit(camera=True)
    page.evaluate(PROMPT)
    return page


def test_a_picture_given_while_the_camera_is_asked_for_stays(page: Page):
    press_camera(page)
    expect_state(page, "asking", "Asking for the camera…")
    page.get_by_role("button", name="Eileen Collins, astronaut").click()
    page.evaluate("window.grants[0]()")
    page.wait_for_function(ALL_LET_GO, arg=1)
    expect_one_face(page)


def test_of_two_presses_one_camera_is_held_and_none_after_cancel(page: Page):
    press_camera(page)
    open_camera(page)
    page.evaluate("window.grants[0]()")
    page.wait_for_function("window.streams.length === 2")
    page.get_by_role("button", name="Cancel").click()
    expect_state(page, "empty", PRIVATE)
    page.wait_for_function(ALL_LET_GO, arg=2)


def test_a_file_refused_while_the_camera_is_on_lets_it_go(page: Page):
    open_camera(page)
    give_too_much(page)
    page.wait_for_function(ALL_LET_GO, arg=1)
    expect(page.get_by_role("button", name="Choose a picture", exact=True)).to_be_visible()


def test_another_tab_lets_the_camera_go(page: Page):
    open_camera(page)
    page.get_by_role("tab", name="Live camera").click()
    page.wait_for_function(ALL_LET_GO, arg=1)
    page.get_by_role("tab", name="Picture").click()
    expect_state(page, "empty", PRIVATE)
    press_camera(page)
    page.get_by_role("tab", name="Live camera").click()
    expect(page.locator(".live")).to_be_visible()
    page.evaluate("window.grants.at(-1)()")
    page.wait_for_function(ALL_LET_GO, arg=2)


def test_a_hidden_page_lets_the_camera_go(page: Page):
    open_camera(page)
    page.evaluate(HIDE, True)
    expect_state(page, "empty", PRIVATE)
    page.wait_for_function(ALL_LET_GO, arg=1)
    press_camera(page)  # it may be hidden by the time that the camera opens
    page.evaluate("window.grants.at(-1)()")
    page.wait_for_function(ALL_LET_GO, arg=2)
    expect_state(page, "empty", PRIVATE)


def test_a_camera_that_goes_away_says_so(page: Page):
    open_camera(page)
    page.context.clear_permissions()  # to the page this is what pulling the plug is: the track ends
    expect_state(page, "refused", "The camera was disconnected: connect it, then start again.")


def test_the_keyboard_keeps_its_place_when_buttons_go(page: Page):
    page.get_by_role("button", name="Use the camera").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("window.grants.length === 1")
    page.evaluate("window.grants[0]()")
    expect_state(page, "camera", "Look at the camera.")
    assert page.evaluate(ACTIVE) == "snap"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect_state(page, "empty", PRIVATE)
    assert page.evaluate(ACTIVE) == "choose"
    open_camera(page)
    page.keyboard.press("Enter")
    expect_state(page, "done", "No face was found in this picture.")
    assert page.evaluate(ACTIVE) == "choose"


def test_results_go_with_their_picture(page: Page):
    """A picture refused by the browser, and the camera, take the place of the picture; so its results go."""
    for leave in (give_too_much, open_camera):
        choose(page, ASTRONAUT)
        expect_one_face(page)
        expect(page.get_by_text("All numbers as JSON")).to_be_visible()
        leave(page)
        expect_no_results(page)
    page.get_by_role("button", name="Cancel").click()
    expect_state(page, "empty", PRIVATE)
    expect_no_results(page)
    choose(page, TWO_FACES)
    expect(page.locator(".picker .cards .card .why")).to_have_count(2)
    expect(page.get_by_text("All numbers as JSON")).to_be_visible()


def test_an_older_answer_that_comes_last_changes_nothing(visit: Visit):
    page = visit()
    page.evaluate("performance.clearResourceTimings()")  # there is room for 250
    held: list[Route] = []
    page.route("**/queue/join*", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/queue/join*"):
        choose(page, ASTRONAUT)
    choose(page, TWO_FACES)
    page.wait_for_function(STREAMS_ENDED, arg=1)
    expect_state(page, "done", re.compile("^2 faces"))
    expect(page.locator(".picker .cards .card .why")).to_have_count(2)
    held[0].continue_()
    page.wait_for_function(STREAMS_ENDED, arg=2)
    page.wait_for_timeout(300)  # what came has been taken
    expect_state(page, "done", re.compile("^2 faces"))
    assert page.locator(".picker .cards .card .why").count() == 2
    page.get_by_text("All numbers in a table").click()
    expect(page.locator(".numbers tbody tr")).to_have_count(2)


def test_an_older_call_that_fails_does_not_keep_the_newer_answer_away(visit: Visit):
    page = visit()
    held: list[Route] = []
    page.route("**/queue/join*", lambda route: held.append(route))
    for picture in (ASTRONAUT, TWO_FACES):
        with page.expect_request("**/queue/join*"):
            choose(page, picture)
    expect_state(page, "working", "Still working: others may be ahead of you.")
    older, newer = held
    older.fulfill(status=503, json={"detail": "Queue is full."})
    expect_state(page, "lost", re.compile("^The server is busy"))  # Gradio does not say which call failed
    newer.continue_()
    expect_state(page, "done", re.compile("^2 faces"))
    expect(page.locator(".picker .cards .card .why")).to_have_count(2)


def test_a_proxy_without_a_server_behind_it_is_no_server(visit: Visit):
    page = visit()
    page.route("**/queue/join*", lambda route: None)  # never answered
    page.route("**/*", lambda route: route.fulfill(status=503) if route.request.method == "HEAD" else route.fallback())
    choose(page, ASTRONAUT)
    expect_state(page, "lost", re.compile("^The server is busy or cannot be reached"))


def test_a_slow_server_is_waited_for(visit: Visit):
    """Meanwhile nothing is shown of the picture before."""
    page = visit()
    choose(page, ASTRONAUT)
    expect_one_face(page)
    page.get_by_text("All numbers in a table").click()
    held: list[Route] = []
    page.route("**/queue/join*", lambda route: held.append(route))
    choose(page, TWO_FACES)
    expect_state(page, "working", "Still working: others may be ahead of you.")
    expect_no_results(page)
    held.pop().continue_()
    expect_state(page, "done", re.compile("^2 faces"))
    expect(page.locator(".numbers tbody tr")).to_have_count(2)


def test_results_are_hidden_when_the_connection_is_lost(visit: Visit):
    """Gradio then does nothing any more, not even in the browser."""
    page = visit()
    choose(page, ASTRONAUT)
    expect_one_face(page)
    page.context.set_offline(True)
    choose(page, TWO_FACES)
    expect_state(page, "lost", re.compile("^The server is busy or cannot be reached"))
    expect(page.locator(".picker .cards .card .why:visible")).to_have_count(0)
    expect(page.get_by_text("All numbers as JSON")).to_be_hidden()


def test_the_last_of_two_files_given_at_once_is_read(visit: Visit):
    """Reading a large file takes the browser longer than reading a small one."""
    page = visit()
    page.evaluate("""() => {
        const read = FileReader.prototype.readAsDataURL;
        FileReader.prototype.readAsDataURL = function (file) {
            setTimeout(() => read.call(this, file), file.name === "slow.jpg" ? 1000 : 0);
        };
    }""")
    for name, file in (("slow.jpg", ASTRONAUT), ("fast.jpg", TWO_FACES)):
        page.evaluate(GIVE, ["drop", name, base64.b64encode(file.read_bytes()).decode()])
    expect_state(page, "done", re.compile("^2 faces"))
    page.wait_for_timeout(1200)
    expect_state(page, "done", re.compile("^2 faces"))
