"""Every state of the page as a picture, wide and on a phone, light and dark; and what must be true of all of them.

The pictures are for eyes: ``RESEMOTENET_SCREENSHOTS=FOLDER`` keeps them. Those of the documents are made with
``RESEMOTENET_SCREENSHOTS=. pytest tests/browser/test_screenshots.py -k readme``.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

import resemotenet
from tests import films
from tests.browser.camera import EXAMPLES
from tests.browser.conftest import OTHER_HOST, Launch, Visits, visits_of
from tests.browser.dashboard_visits import Visitor
from tests.browser.live_page import answers, expect_state, sideways, start, wait_for_answers, watch
from tests.browser.test_photo import choose
from tests.demo.server import Demo

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
README_BYTES = 200_000

# Texts that are read worse than WCAG 2 asks for: [ratio, text]. What is dimmed on purpose is left out. A canvas mixes
# the colours as the browser does.
FAINT = """() => {
    const brush = Object.assign(document.createElement("canvas"), {width: 1, height: 1})
        .getContext("2d", {willReadFrequently: true});
    const luminance = () => {
        const [red, green, blue] = [...brush.getImageData(0, 0, 1, 1).data].map((value) => value / 255)
            .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const paint = (color) => {
        brush.fillStyle = color;
        brush.fillRect(0, 0, 1, 1);
    };
    const faint = [];
    for (const element of document.querySelectorAll(":is(.masthead, #tabs, .about) *")) {
        const text = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)
            .map((node) => node.data.trim()).join(" ").trim();
        const above = [];
        for (let each = element; each; each = each.parentElement) above.unshift(each);
        const dimmed = above.some((each) => getComputedStyle(each).opacity !== "1");
        if (!text || dimmed || !element.checkVisibility({visibilityProperty: true})) continue;
        paint("white");
        for (const each of above) paint(getComputedStyle(each).backgroundColor);
        const behind = luminance();
        paint(getComputedStyle(element).color);
        const front = luminance();
        const ratio = (Math.max(front, behind) + 0.05) / (Math.min(front, behind) + 0.05);
        if (ratio < 4.5) faint.push([ratio, text]);
    }
    return faint;
}"""

Shoot = Callable[[Page, str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    kept = Path(os.environ.get("RESEMOTENET_SCREENSHOTS") or tmp_path)
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shoot(folder: Path, theme: str) -> Shoot:
    """Takes a state's two pictures, after a look at what must be true of it."""

    def shoot(page: Page, name: str) -> None:
        for device, size in (("wide", WIDE), ("phone", PHONE)):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.wait_for_timeout(150)  # one more frame, and the bars' movement
            assert sideways(page) <= 0, f"{name} on {device} scrolls sideways"
            assert page.evaluate(FAINT) == [], f"{name} on {device} has texts that are hard to read"
            page.screenshot(path=folder / f"{name}-{device}-{theme}.png", full_page=True)
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]

    return shoot


@pytest.fixture
def visits(trained: Demo) -> Iterator[Visits]:
    with visits_of(trained) as visits:
        yield visits


def to_live(page: Page) -> Page:
    page.get_by_role("tab", name="Live camera").click()
    expect(page.locator(".live")).to_be_visible()
    return page


def explain(page: Page, part: str) -> None:
    page.locator(f"{part} .why").first.click()
    expect(page.locator(f"{part} .reason").first).to_have_attribute("data-state", "done")


def test_the_picture_page(launch: Launch, visits: Visits, theme: str, shoot: Shoot, tmp_path: Path):
    (tmp_path / "fake.jpg").write_text("just some text")
    Image.linear_gradient("L").resize((320, 240)).save(tmp_path / "grey.png")
    page = visits.open(launch("patterns"), theme=theme)
    picker = page.locator(".picker")
    shoot(page, "picture-empty")
    held: list[Route] = []
    page.route("**/queue/join*", lambda route: held.append(route))
    choose(page, EXAMPLES / "two_faces.jpg")
    expect(picker).to_have_attribute("data-state", "working")
    shoot(page, "picture-working")
    held.pop().continue_()
    page.unroute("**/queue/join*")
    expect(page.locator(".picker .why")).to_have_count(2)
    shoot(page, "picture-done")
    explain(page, ".picker")
    shoot(page, "picture-why")
    choose(page, tmp_path / "grey.png")
    expect(page.locator(".picker .notice-title")).to_have_text("No face found")
    shoot(page, "picture-no-face")
    choose(page, tmp_path / "fake.jpg")
    expect(picker).to_have_attribute("data-state", "refused")
    shoot(page, "picture-refused")


def test_the_live_page(launch: Launch, visits: Visits, theme: str, shoot: Shoot):
    page = to_live(visits.open(launch("astronaut"), theme=theme, camera=True))
    shoot(page, "live-idle")
    watch(page)
    wait_for_answers(page, 5)
    shoot(page, "live-one-face")
    explain(page, ".live")
    expect_state(page, "paused")
    shoot(page, "live-why")
    page.get_by_role("button", name="Go on").click()
    wait_for_answers(page, 1)
    page.route("**/component_server/**", lambda route: route.abort())
    expect(page.locator(".live")).to_have_attribute("data-server", "lost")
    shoot(page, "live-lost")


def test_the_live_page_with_a_crowd_and_with_nobody(launch: Launch, visits: Visits, theme: str, shoot: Shoot):
    page = to_live(visits.open(launch("crowd"), theme=theme, camera=True))
    watch(page)
    expect(page.locator(".live .cards .card")).to_have_count(5)
    shoot(page, "live-five-faces")
    page = to_live(visits.open(launch("patterns"), theme=theme, camera=True))
    start(page)
    expect(page.locator(".live .nobody")).to_be_visible()
    shoot(page, "live-nobody")


def test_the_live_page_without_a_camera(launch: Launch, visits: Visits, theme: str, shoot: Shoot):
    page = to_live(visits.open(launch("patterns"), theme=theme))
    page.locator(".live .go").click()
    expect_state(page, "problem", re.compile("^The camera was refused"))
    shoot(page, "live-refused")
    page = to_live(visits.open(launch("patterns"), theme=theme, host=OTHER_HOST))
    expect_state(page, "problem", re.compile("^Browsers give the camera only"))
    shoot(page, "live-insecure")


def keep(picture: bytes, path: Path) -> None:
    """For a document, in a palette: half of a photograph's bytes."""
    shot = Image.open(io.BytesIO(picture)).convert("RGB")
    path.parent.mkdir(exist_ok=True)
    shot.quantize(palette=shot.quantize(256), dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    assert 10_000 < path.stat().st_size < README_BYTES


def test_the_readme_picture(launch: Launch, visits: Visits, folder: Path):
    """The live page that watches one face and says why."""
    page = to_live(visits.open(launch("astronaut"), width=1180, height=752, camera=True))
    watch(page)
    wait_for_answers(page, 40)  # the gauges have settled
    explain(page, ".live")
    assert answers(page)[-1]["faces"][0]["label"] == "happy"
    page.mouse.move(0, 0)
    page.locator("h1").click()
    keep(page.screenshot(), folder / "demo" / "screenshot.png")


def test_the_readme_picture_of_the_dashboard(visit_dashboard: Visitor, folder: Path):
    """How it opens, down to the first figure."""
    page = visit_dashboard(width=1180, height=900)
    expect(page.locator(".js-plotly-plot .nsewdrag").first).to_be_visible()
    page.wait_for_timeout(500)  # a figure's last move
    keep(page.screenshot(), folder / "dashboard" / "screenshot.png")


def test_the_readme_picture_of_a_timeline(browser: Browser, folder: Path, tmp_path: Path):
    """Of a film with two people, one of whom is away for a while; as ``Timeline.to_svg`` draws it."""
    one, other = films.heads()
    moments = [number / 5 for number in range(60)]
    scenes = [
        films.scene((one, 60 + 8 * time, 100), *([] if 4 < time < 6 else [(other, 380 - 5 * time, 110)]))
        for time in moments
    ]
    film = films.write(tmp_path / "film.mp4", scenes, moments)
    moments_read = resemotenet.watch(
        resemotenet.EmotionPredictor.from_pretrained(), resemotenet.Video.open(film).frames()
    )
    seen = resemotenet.timeline(moments_read, smoothing=0.5)
    assert len(seen.people) == 2
    page = browser.new_page(viewport={"width": 1000, "height": 400}, device_scale_factor=1.5)
    page.set_content(seen.to_svg())
    keep(page.locator("svg").screenshot(), folder / "demo" / "timeline.png")
    page.close()
