"""Visits to the dashboard: opening a page of it, and waiting until Streamlit has drawn it."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.dashboard.server import running
from tests.demo.server import PATIENCE


@dataclass
class Dashboards:
    """Running dashboards, one for each list of arguments.

    Attributes:
        folder: gives a folder for each, where it runs.
        stack: stops them.
    """

    folder: Callable[[], Path]
    stack: ExitStack
    addresses: dict[tuple[str, ...], str] = field(default_factory=dict)
    folders: dict[tuple[str, ...], Path] = field(default_factory=dict)

    def log(self, arguments: Sequence[str]) -> str:
        """What the dashboard of these arguments has printed so far."""
        return (self.folders[tuple(map(str, arguments))] / "log.txt").read_text(encoding="utf-8")

    def address(self, arguments: Sequence[str]) -> str:
        key = tuple(map(str, arguments))
        if key not in self.addresses:
            self.folders[key] = self.folder()
            self.addresses[key] = self.stack.enter_context(running(self.folders[key], key))
        return self.addresses[key]


@dataclass
class Visitor:
    """Opens pages of dashboards, and notes what goes wrong in the browser or leaves the machine."""

    browser: Browser
    dashboards: Dashboards
    pages: list[Page] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def __call__(
        self,
        arguments: Sequence[str] = (),
        path: str = "",
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "light",
        script: str = "",
    ) -> Page:
        """Open a page ("ablation?study=What+differs") of a dashboard started with these arguments.

        Args:
            script: runs before the page's own.
        """
        address = self.dashboards.address(arguments)
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
        )
        context.set_default_timeout(1000 * PATIENCE)
        self.pages.append(page := context.new_page())
        page.add_init_script(script)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self._note(request.url, address))
        page.goto(address + path)
        expect(page.locator("h1").first).to_be_visible()
        drawn(page)
        return page

    def _note(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:" + address)):
            self.troubles.append(url)

    def end(self) -> None:
        for page in self.pages:
            page.context.close()


def drawn(page: Page) -> None:
    """Wait until the script is at its end; it ended without an exception."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stException")).to_have_count(0)
