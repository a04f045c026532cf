"""axe-core finds nothing serious, in every state of the page, light and dark, wide and on a phone."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import video_page
from tests.browser.conftest import Visit
from tests.browser.live_page import watch
from tests.browser.test_photo import ASTRONAUT, TWO_FACES, choose, expect_state
from tests.browser.test_photo_drawn import crowd

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
# Of our own parts: Gradio's footer is Gradio's.
RUN = """async (part) => {
    const ours = {include: [[part]], exclude: [["footer:not(.about)"]]};
    const found = await axe.run(ours, {resultTypes: ["violations"]});
    return found.violations.filter(({impact}) => ["serious", "critical"].includes(impact))
        .map(({id, nodes}) => `${id}: ${nodes.slice(0, 3).map(({html}) => html.slice(0, 120)).join(" ")}`);
}"""

State = Callable[[Page, Path], None]


def refused(page: Page, folder: Path) -> None:
    (folder / "fake.jpg").write_text("just some text")
    choose(page, folder / "fake.jpg")
    expect_state(page, "refused", re.compile("not a picture"))


def two_faces(page: Page, folder: Path) -> None:
    choose(page, TWO_FACES)
    expect_state(page, "done", re.compile("^2 faces"))
    page.get_by_text("All numbers in a table").click()
    page.get_by_text("All numbers as JSON").click()
    page.locator(".picker .why").first.click()
    expect(page.locator(".picker .reason").first).to_have_attribute("data-state", "done")


def many_faces(page: Page, folder: Path) -> None:
    choose(page, crowd(folder / "crowd.jpg", 4, 3))
    expect_state(page, "done", re.compile("^12 faces"))


def several(page: Page, folder: Path) -> None:
    page.locator(".picker .file").set_input_files([ASTRONAUT, TWO_FACES])
    expect(page.locator(".of-all")).to_have_text(re.compile("^2 pictures"))


STATES: dict[str, State] = {
    "empty": lambda page, folder: None,
    "refused": refused,
    "two faces": two_faces,
    "many faces": many_faces,
    "several": several,
}


def serious(page: Page, part: str = ".main") -> list[str]:
    """What axe-core finds in the part of a page that a selector names; the test is skipped where there is no axe."""
    if not AXE.exists() and os.environ.get("REQUIRE_BROWSER") != "1":
        pytest.skip("no axe-core: npm ci --prefix tests/browser")
    page.add_script_tag(path=AXE)
    found: list[str] = page.evaluate(RUN, part)
    return found


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 390)])
def test_the_tab_picture(visit: Visit, tmp_path: Path, state: str, theme: str, width: int):
    page = visit(theme=theme, width=width)
    STATES[state](page, tmp_path)
    assert serious(page) == []


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("dark", 1400)])
def test_the_tab_live(visit_live: Visit, theme: str, width: int):
    page = visit_live(theme=theme, width=width)
    assert serious(page) == []
    watch(page)
    page.get_by_role("button", name="Pause").click()
    assert serious(page) == []


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("dark", 1400)])
def test_the_tab_video(visit_video: Visit, clip: Path, tmp_path: Path, theme: str, width: int):
    page = visit_video(theme=theme, width=width)
    assert serious(page) == []
    (tmp_path / "fake.mp4").write_text("just some text")
    video_page.choose(page, tmp_path / "fake.mp4")
    video_page.expect_state(page, "refused", re.compile("not a video"))
    assert serious(page) == []
    video_page.read(page, clip)
    assert serious(page) == []
