"""A real Chromium, visiting a running demo."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, Playwright, Request, expect, sync_playwright

from tests.demo.server import PATIENCE, Demo, running

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera that shows a test pattern
]


@pytest.fixture(scope="session")
def demo(browser: Browser, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo with random weights; asks for the browser first, so that nothing is started where there is none."""
    with running(model_folder, tmp_path_factory.mktemp("demo")) as started:
        yield started


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium. Where there is none this skips, unless REQUIRE_BROWSER=1 says that there must be one."""
    try:
        chromium = playwright.chromium.launch(executable_path=_installed(playwright), args=FLAGS)
    except Error as error:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            raise
        pytest.skip(f"no Chromium: {error.message.splitlines()[0]}")
    expect.set_options(timeout=1000 * PATIENCE)
    yield chromium
    chromium.close()


def _installed(playwright: Playwright) -> str:
    """The system's Chromium, else the one that ``playwright install chromium`` would have put there."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    return playwright.chromium.executable_path


@pytest.fixture
def visit(browser: Browser, demo: Demo) -> Iterator[Callable[..., Page]]:
    """Opens the page as a new visitor: ``visit(width=390, camera=True)``.

    Afterwards: nothing went wrong in the browser, no request left the machine, and no file is left on the server.
    """
    pages: list[Page] = []
    troubles: list[str] = []

    def note_request(request: Request) -> None:
        if not request.url.startswith((demo.address, "data:", "blob:" + demo.address)):
            troubles.append(request.url)

    def open_page(*, width: int = 1280, height: int = 900, camera: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, permissions=["camera"] if camera else []
        )
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", note_request)
        page.goto(demo.address)
        expect(page.locator(".picker")).to_be_visible()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert troubles == []
    assert demo.files() == []
