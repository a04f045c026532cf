"""What tests do on the live page, and what they look at."""

import base64
import io
import re
from typing import Any

from PIL import Image
from playwright.sync_api import JSHandle, Page, Request, expect

PRIVATE = "Frames are read in memory and not stored."

# Keeps what the page tells of every answer.
_LISTEN = """() => {
    window.answered = [];
    document.querySelector(".live").addEventListener("answered", ({detail}) => window.answered.push(detail));
}"""


def asked(request: Request) -> dict[str, Any] | None:
    """What a request asks about a frame: {"frame", "time", "smoothing", "memory"}; None for other requests."""
    if "/component_server" not in request.url:
        return None
    body = request.post_data_json
    return body["data"] if body and body["fn_name"] == "read_frame" else None


def start(page: Page) -> None:
    """Start the camera; ends with the first answer."""
    page.evaluate(_LISTEN)
    page.locator(".live .go").click()
    expect_state(page, "watching")
    wait_for_answers(page, 1)


def watch(page: Page) -> None:
    """Start the camera; ends when there is a face."""
    start(page)
    expect(page.locator(".live .cards .card").first).to_be_visible()


def answers(page: Page) -> list[dict[str, Any]]:
    """Every answer since the start: {"faces": [...], "ms": {...}}."""
    found: list[dict[str, Any]] = page.evaluate("window.answered")
    return found


def camera_of(page: Page) -> JSHandle:
    """The track of the camera that the page holds."""
    return page.evaluate_handle("document.querySelector('.live .source').srcObject.getTracks()[0]")


def let_go(track: JSHandle) -> bool:
    return bool(track.evaluate("track => track.readyState === 'ended'"))


def wait_for_answers(page: Page, count: int) -> None:
    """Until so many more frames were answered."""
    enough = page.evaluate("window.answered.length") + count
    page.wait_for_function("enough => window.answered.length >= enough", arg=enough)


def expect_state(page: Page, state: str, message: str | re.Pattern[str] | None = None) -> None:
    expect(page.locator(".live")).to_have_attribute("data-state", state)
    if message is not None:
        expect(page.locator(".live .status")).to_have_text(message)


def canvas(page: Page) -> Image.Image:
    """What the page shows: the frame with the boxes."""
    return decoded(page.locator(".live .view").evaluate("canvas => canvas.toDataURL()"))


def decoded(data_uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data_uri.partition(",")[2]))).convert("RGB")


def sideways(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
