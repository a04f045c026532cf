"""What tests do on the tab Video."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect


def opened(page: Page) -> Page:
    page.get_by_role("tab", name="Video").click()
    expect(page.locator(".video")).to_be_visible()
    return page


def choose(page: Page, file: Path) -> None:
    page.locator(".video .file").set_input_files(file)


def expect_state(page: Page, state: str, message: str | re.Pattern[str] | None = None) -> None:
    expect(page.locator(".video")).to_have_attribute("data-state", state)
    if message is not None:
        expect(page.locator(".video .status")).to_have_text(message)


def read(page: Page, clip: Path) -> None:
    """The fixture ``clip``, to its end."""
    choose(page, clip)
    expect_state(page, "done", re.compile("^2 people in 0:0[56]"))
