"""A real Chromium, visiting a running demo."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, Playwright, Request, expect, sync_playwright

from resemotenet.checkpoints.pretrained import bundled_folder
from tests import films
from tests.browser import camera
from tests.browser.dashboard_visits import Dashboards, Visitor
from tests.browser.video_page import opened
from tests.demo.server import PATIENCE, Demo, running, wait_until

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {(OTHER_HOST := 'camera.test')} 127.0.0.1",  # as from another device: plain http
]
# What a browser's camera shows. It belongs to the process, so each kind is a Chromium of its own.
SCENES: dict[str, Callable[[], camera.Scene]] = {
    "astronaut": lambda: camera.portrait("astronaut"),
    "hopper": lambda: camera.portrait("grace_hopper"),
    "crowd": camera.crowd,
    "leaning": lambda: camera.leaning(camera.portrait("astronaut"), 25),
}
DEVICES = {"patterns": "device-count=2", "none": "device-count=0"}

Launch = Callable[[str], Browser]
Visit = Callable[..., Page]  # with the arguments that its fixture names


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def launch(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Chromium with a fake camera: those of ``SCENES``, "patterns" (two cameras without a face), "none".

    Where there is no Chromium this skips, unless REQUIRE_BROWSER=1 says that there must be one.
    """
    started: dict[str, Browser] = {}
    folder = tmp_path_factory.mktemp("cameras")
    expect.set_options(timeout=1000 * PATIENCE)

    def launch(kind: str) -> Browser:
        if kind not in started:
            fake = "--use-fake-device-for-media-stream"
            if kind in SCENES:
                file = camera.write(folder / f"{kind}.mjpeg", SCENES[kind]())
                flags = [fake, f"--use-file-for-fake-video-capture={file}"]
            else:
                flags = [f"{fake}={DEVICES[kind]}"]
            started[kind] = _chromium(playwright, flags)
        return started[kind]

    yield launch
    for chromium in started.values():
        chromium.close()


def _chromium(playwright: Playwright, flags: list[str]) -> Browser:
    try:
        return playwright.chromium.launch(executable_path=installed(playwright), args=[*FLAGS, *flags])
    except Error as error:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            raise
        pytest.skip(f"no Chromium: {error.message.splitlines()[0]}")


def installed(playwright: Playwright) -> str:
    """The system's Chromium, else the one that ``playwright install chromium`` would have put there."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    return playwright.chromium.executable_path


@pytest.fixture(scope="session")
def browser(launch: Launch) -> Browser:
    return launch("patterns")


@pytest.fixture(scope="session")
def demo(browser: Browser, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo with random weights; asks for the browser first, so that nothing is started where there is none."""
    with running(model_folder, tmp_path_factory.mktemp("demo"), settings={"RESEMOTENET_HOSTS": OTHER_HOST}) as started:
        yield started


@pytest.fixture(scope="session")
def trained(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo with the bundled weights: it tells a smile from a straight face."""
    with running(
        bundled_folder(), tmp_path_factory.mktemp("trained"), settings={"RESEMOTENET_HOSTS": OTHER_HOST}
    ) as started:
        yield started


@dataclass
class Visits:
    """The visitors of one server, and what went wrong in their browsers."""

    demo: Demo
    pages: list[Page] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def open(
        self,
        browser: Browser,
        *,
        width: int = 1280,
        height: int = 900,
        camera: bool = False,
        host: str = "127.0.0.1",
        theme: str = "light",
    ) -> Page:
        """The page as a new visitor sees it who has, or has not, allowed the camera."""
        address = self.demo.address.replace("127.0.0.1", host)
        context = browser.new_context(
            viewport={"width": width, "height": height}, permissions=["camera"] if camera else []
        )
        self.pages.append(page := context.new_page())
        context.set_default_timeout(1000 * PATIENCE)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self._note(request, address))
        page.goto(f"{address}?__theme={theme}")
        expect(page.locator(".picker")).to_be_visible()
        return page

    def _note(self, request: Request, address: str) -> None:
        if not request.url.startswith((address, "data:", "about:blank", "blob:" + address)):
            self.troubles.append(request.url)

    def end(self) -> None:
        for page in self.pages:
            if not page.is_closed():
                page.goto("about:blank")  # what is closed at once is not told that it is left
            page.context.close()


@contextmanager
def visits_of(demo: Demo) -> Iterator[Visits]:
    """Afterwards: nothing went wrong in a browser, no request left the machine, and no file is left on the server."""
    visits = Visits(demo)
    try:
        yield visits
    finally:
        visits.end()
    assert visits.troubles == []
    wait_until(lambda: demo.files() == [])


@pytest.fixture
def visit(browser: Browser, demo: Demo) -> Iterator[Visit]:
    """Opens the page as a new visitor: ``visit(width=390, camera=True)``; what it left is looked at afterwards."""
    with visits_of(demo) as visits:
        yield lambda **options: visits.open(browser, **options)


@pytest.fixture
def visit_live(launch: Launch, trained: Demo) -> Iterator[Visit]:
    """Opens the live page with a camera: ``visit_live("crowd", width=390)``; what it left is looked at afterwards."""

    def open_page(kind: str = "astronaut", *, camera: bool = True, **options: object) -> Page:
        page = visits.open(launch(kind), camera=camera, **options)  # type: ignore[arg-type]
        page.get_by_role("tab", name="Live camera").click()
        expect(page.locator(".live")).to_be_visible()
        return page

    with visits_of(trained) as visits:
        yield open_page


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds: one person, who is joined by a second one after two. WebM, which every Chromium plays."""
    one, other = films.heads()
    scenes = (
        films.scene((one, 60 + number, 90), *([(other, 400, 90)] if number >= 50 else [])) for number in range(150)
    )
    return films.write(tmp_path_factory.mktemp("clips") / "my film.webm", scenes, codec="libvpx")


@pytest.fixture
def visit_video(browser: Browser, trained: Demo) -> Iterator[Visit]:
    """Opens the tab Video: ``visit_video(width=390)``; what it left is looked at afterwards."""
    with visits_of(trained) as visits:
        yield lambda **options: opened(visits.open(browser, **options))


@pytest.fixture(scope="session")
def dashboards(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboards]:
    """Dashboards, each started when it is first visited."""
    with ExitStack() as stack:
        yield Dashboards(lambda: tmp_path_factory.mktemp("dashboard"), stack)


@pytest.fixture
def visit_dashboard(browser: Browser, dashboards: Dashboards) -> Iterator[Visitor]:
    """Opens a page: ``visit_dashboard(["--results", folder], "run?run=...", width=390, theme="dark")``.

    Afterwards: nothing went wrong in the browser, and no request left the machine.
    """
    visitor = Visitor(browser, dashboards)
    yield visitor
    visitor.end()
    assert visitor.troubles == []
