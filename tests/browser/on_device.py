"""The reader in a browser, without a page: what tests ask it, and how pictures get there."""

import base64
import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page

from demo.browser import runtime

# A file's bytes -> its pixels as they are in it, with no colours changed on the way.
_PIXELS = """
    const pixelsOf = async (content) => {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        const options = {colorSpaceConversion: "none", premultiplyAlpha: "none"};
        const picture = await createImageBitmap(new Blob([bytes]), options);
        const canvas = new OffscreenCanvas(picture.width, picture.height);
        const brush = canvas.getContext("2d", {willReadFrequently: true});
        brush.drawImage(picture, 0, 0);
        return brush.getImageData(0, 0, canvas.width, canvas.height);
    };
"""
_OPEN = "async () => { window.device = await (await import('/device.js')).openDevice(); }"
_READ = f"async (content) => {{ {_PIXELS} return (await window.device.read(await pixelsOf(content))).report; }}"
_ANSWER = (
    f"async ([content, asked]) => {{ {_PIXELS} return await window.device.answer(await pixelsOf(content), asked); }}"
)
_EXPLAIN = (
    f"async ([content, asked]) => {{ {_PIXELS} const {{pixels, text, evidence}} = "
    "await window.device.explain(await pixelsOf(content), asked);"
    "return {pixels: [...pixels.data], side: pixels.width, text, evidence}; }"
)


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Any folder as any static web server has it: the address, with a slash at the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def skip_without_runtime() -> None:
    """Where npm has not fetched the runtime this skips, unless REQUIRE_BROWSER=1 says that it must be there."""
    if why := runtime.missing():
        if os.environ.get("REQUIRE_BROWSER") == "1":
            raise RuntimeError(why)
        pytest.skip(why)


def open_reader(page: Page, address: str) -> None:
    """Make the page of a folder's server one on which the reader is open."""
    page.goto(f"{address}reader.json")
    page.evaluate(_OPEN)


def read(page: Page, image: Image.Image | bytes) -> dict[str, Any]:
    """The report of a picture; an image travels without loss."""
    report: dict[str, Any] = page.evaluate(_READ, _in_letters(image))
    return report


def answer(page: Page, frame: Image.Image, **asked: Any) -> dict[str, Any]:
    """The answer to a frame of a camera."""
    found: dict[str, Any] = page.evaluate(_ANSWER, [_in_letters(frame), asked])
    return found


def explain(page: Page, picture: Image.Image, label: str, box: list[int] | None = None, roll: float = 0) -> Any:
    """Why a square of a picture, or what the network saw, is read so: {"pixels", "side", "text", "evidence"}."""
    return page.evaluate(_EXPLAIN, [_in_letters(picture), {"box": box, "roll": roll, "label": label}])


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _in_letters(image: Image.Image | bytes) -> str:
    return base64.b64encode(image if isinstance(image, bytes) else png(image)).decode("ascii")
