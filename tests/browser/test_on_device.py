"""Pictures and frames read on the visitor's device: on the served page, and on the page as files alone."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect

from demo.handlers import HEAT_SIDE
from demo.space.static import assemble_static
from resemotenet.checkpoints.pretrained import bundled_folder
from tests.browser.conftest import Launch, visits_of
from tests.browser.live_page import start
from tests.browser.on_device import served, skip_without_runtime
from tests.browser.test_photo import TWO_FACES
from tests.demo.server import Demo, running

HERE, THERE = "Read on this device: nothing is sent", "Read by the server"
SENT = "Sent to the server: this browser cannot open it"
TWO = re.compile("^2 faces")

Open = Callable[..., tuple[Page, list[Request]]]


@pytest.fixture(scope="module")
def offering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The page with the bundled weights and the reader's files."""
    skip_without_runtime()
    with running(bundled_folder(), tmp_path_factory.mktemp("demo"), settings={"RESEMOTENET_DEVICE": "on"}) as demo:
        yield demo


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page as files alone."""
    skip_without_runtime()
    with served(assemble_static(tmp_path_factory.mktemp("site") / "out")) as address:
        yield address


@pytest.fixture
def open_site(launch: Launch, site: str) -> Iterator[Open]:
    """Opens it as a new visitor with a camera: the page, and all that is asked for from now on."""
    contexts = []

    def open_page(*, worker: bool = True) -> tuple[Page, list[Request]]:
        # What a service worker asks for, no route of the page sees.
        context = launch("crowd").new_context(permissions=["camera"], service_workers="allow" if worker else "block")
        contexts.append(context)
        asked: list[Request] = []
        context.on("request", lambda request: asked.append(request))
        page = context.new_page()
        page.goto(site)
        return page, asked

    yield open_page
    for context in contexts:
        context.close()


def read_picture(page: Page) -> None:
    page.locator(".picker .file").set_input_files(TWO_FACES)
    expect(page.locator(".picker")).to_have_attribute("data-state", "done")
    expect(page.locator(".picker .status")).to_have_text(TWO)


def ask_why(page: Page, part: str) -> None:
    """About the first face; ends with the picture that explains it."""
    page.locator(f"{part} .why").first.click()
    reason = page.locator(f"{part} .reason").first
    expect(reason).to_have_attribute("data-state", "done")
    expect(reason.locator(".reason-text")).to_have_text(re.compile("^The brighter a place, the more it spoke for"))
    assert reason.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == HEAT_SIDE


def sent(asked: list[Request], address: str) -> list[str]:
    """What is more than a question for a file of the page's own."""
    return [
        f"{request.method} {request.url}"
        for request in asked
        if request.method != "GET" or request.post_data or not request.url.startswith((address, "data:", "blob:"))
    ]


def test_the_served_page_reads_on_the_device_and_sends_nothing(launch: Launch, offering: Demo):
    with visits_of(offering) as visits:
        page = visits.open(launch("crowd"), camera=True)
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request))
        read_picture(page)
        expect(page.locator("#photo .who")).to_have_text(HERE)
        page.get_by_role("tab", name="Live camera").click()
        start(page)
        expect(page.locator("#live .who")).to_have_text(HERE)
        expect(page.locator(".live .cards .card")).to_have_count(5)
        assert sent(asked, offering.address) == []
        page.get_by_role("tab", name="Picture").click()
        ask_why(page, "#photo")
        assert sent(asked, offering.address) == []


def test_of_each_picture_it_is_said_who_has_read_it(launch: Launch, offering: Demo, tmp_path: Path):
    """What this browser cannot open goes to the server, which nobody may overlook."""
    with Image.open(TWO_FACES) as image:
        image.save(tmp_path / "scan.tiff")
    with visits_of(offering) as visits:
        page = visits.open(launch("crowd"))
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request))
        read_picture(page)
        page.locator(".picker .file").set_input_files([tmp_path / "scan.tiff", TWO_FACES])
        expect(page.locator("#photo .who")).to_have_text(SENT)
        expect(page.locator(".of-all")).to_have_text(re.compile("^2 pictures, 4 faces"))
        expect(page.locator("#photo .who")).to_have_text(SENT)
        assert len([each for each in asked if each.method == "POST"]) == 1
        page.locator(".thumb").nth(1).click()
        expect(page.locator("#photo .who")).to_have_text(HERE)
        page.locator(".example").first.click()
        expect(page.locator(".picker .status")).to_have_text(re.compile("^1 face"))
        expect(page.locator("#photo .who")).to_have_text(THERE)


def test_what_only_the_server_can_explain_is_sent_and_said(launch: Launch, offering: Demo):
    def without(route: Route) -> None:
        settings = route.fetch().json()
        route.fulfill(json={**settings, "explain": None})

    with visits_of(offering) as visits:
        page = visits.open(launch("crowd"))
        page.context.route("**/device/reader.json", without)
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request))
        read_picture(page)
        ask_why(page, "#photo")
        assert len(sent(asked, offering.address)) == 1


@pytest.mark.parametrize("file", ["worker.js", "reader.json", "network.onnx.gz"])
def test_where_a_file_does_not_arrive_the_server_reads(launch: Launch, offering: Demo, file: str):
    with visits_of(offering) as visits:
        page = visits.open(launch("crowd"), camera=True)
        page.route(re.compile(f"/device/{file}"), lambda route: route.abort())
        page.get_by_role("tab", name="Live camera").click()
        start(page)
        expect(page.locator("#live .who")).to_have_text(THERE)
        page.get_by_role("tab", name="Picture").click()
        read_picture(page)
        expect(page.locator("#photo .who")).to_have_text(THERE)


def test_the_page_of_files_reads_pictures_and_frames(open_site: Open):
    page, asked = open_site()
    address = page.url  # without the tab, which it names later
    read_picture(page)
    expect(page.locator("#photo .who")).to_have_text(HERE)
    ask_why(page, "#photo")
    page.locator(".example").last.click()
    expect(page.locator(".picker .status")).to_have_text("No face was found in this picture.")
    page.get_by_role("tab", name="Live camera").click()
    start_without_eval(page)
    expect(page.locator(".live .cards .card")).to_have_count(5)
    expect(page.locator("#live .who")).to_have_text(HERE)
    ask_why(page, "#live")
    assert sent(asked, address) == []


def start_without_eval(page: Page) -> None:
    """As ``start``, which waits by a script that this page's policy forbids."""
    page.locator(".live .go").click()
    expect(page.locator(".live .rate")).to_have_text(re.compile(r"^\d+$"))


def test_after_the_first_visit_no_network_is_needed(open_site: Open):
    page, asked = open_site()
    read_picture(page)
    page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
    page.context.set_offline(True)
    asked.clear()
    page.reload()
    read_picture(page)
    expect(page.locator("#photo .who")).to_have_text(HERE)
    ask_why(page, "#photo")


def test_the_page_of_files_says_that_it_reads_no_videos(open_site: Open, tmp_path: Path):
    page, _ = open_site(worker=False)
    expect(page.get_by_text("Videos are not read here: that takes the page with a server.")).to_be_visible()
    (tmp_path / "film.mp4").write_bytes(b"just some bytes")
    page.locator(".picker .file").set_input_files(tmp_path / "film.mp4")
    expect(page.locator(".picker .status")).to_have_text(
        "This is a video, and only the page with a server reads videos."
    )


def test_what_the_page_of_files_cannot_read_is_said(open_site: Open, tmp_path: Path):
    page, _ = open_site(worker=False)
    page.route("**/device/worker.js", lambda route: route.abort())
    page.locator(".picker .file").set_input_files(TWO_FACES)
    expect(page.locator(".picker .status")).to_have_text(re.compile("open this page in another one"))
