"""What reading on the visitor's device costs: the visitor the first time and later, the device over time, the server.

    python -m tests.benchmarks.device [--minutes 10] [--visitors 50] [--only visits memory crowd]

visits: from opening the page to the answer for a picture, for a new visitor and again, over a line of 10 Mbit/s and 40
ms (a proxy, since Chromium does not slow down what workers fetch), on the page of ``make demo`` and that of files.
memory: the browser and the processor while it watches five faces, read on the device and by the server. crowd: many
visitors who come at once fetch what the first one's browser has fetched; the server's log and load.

Browser and server share this machine's cores. Linux only.
"""

import argparse
import asyncio
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from demo.browser import runtime
from demo.space.static import assemble_static
from resemotenet.checkpoints.pretrained import resolve
from tests.benchmarks.live import WARM_UP, processor_seconds
from tests.browser import camera
from tests.browser.conftest import FLAGS, installed
from tests.browser.on_device import served
from tests.browser.test_photo import TWO_FACES
from tests.demo.server import PATIENCE, Demo, free_port, running

LINE, DELAY = 10e6 / 8, 0.04  # bytes a second, seconds to the server and back
PART = 8192  # bytes that go over the line at once
EVERY = 10  # seconds between two looks at the memory
DEVICE = {"RESEMOTENET_DEVICE": "on"}
COUNT = """() => {
    window.answered = 0;
    document.querySelector(".live").addEventListener("answered", () => { window.answered += 1; });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0, help="for which the memory is watched")
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3, help="of the visits")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    if why := runtime.missing():
        parser.error(f"no browser can read: {why}")
    with sync_playwright() as driver:
        for name in options.only:
            PARTS[name](driver, options)


def visits(driver: Playwright, options: argparse.Namespace) -> None:
    """Seconds to the first answer."""
    print("\nFrom opening the page to the answer for a picture over 10 Mbit/s and 40 ms, seconds:\n")
    print("| page | MB, first visit | page stands | answer | later visit: answer |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, running(resolve().folder, Path(name), settings=DEVICE) as demo:
        httpx.get(f"{demo.address}device/reader.json", timeout=120).raise_for_status()  # made by now
        with served(assemble_static(Path(name) / "site")) as site:
            for title, address in (("make demo", demo.address), ("files alone", site)):
                rows = [_visited(driver, address) for _ in range(options.repeats)]
                medians = [statistics.median(column) for column in zip(*rows, strict=True)]
                print(f"| {title} | {' | '.join(f'{each:.1f}' for each in medians)} |")


def _visited(driver: Playwright, address: str) -> tuple[float, float, float, float]:
    """Megabytes; seconds until a new visitor's page stands, until it has answered, and until it does the next time."""
    browser = driver.chromium.launch(executable_path=installed(driver), args=FLAGS)
    with slow(int(address.rstrip("/").rpartition(":")[2])) as (port, line):
        page = browser.new_context(service_workers="allow").new_page()
        begun = time.perf_counter()
        page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
        page.locator(".picker").wait_for()
        stands = time.perf_counter() - begun
        answer = _answered(page) - begun  # a visitor with a picture at hand, who waits for nothing
        page.locator("#photo .who[data-where=device]").wait_for()
        loaded = line.sent / 1e6
        page.wait_for_timeout(2000)
        begun = time.perf_counter()
        page.goto(f"http://127.0.0.1:{port}/?again", wait_until="commit")
        again = _answered(page) - begun
        page.locator("#photo .who[data-where=device]").wait_for()
        browser.close()
    return loaded, stands, answer, again


def _answered(page: Page) -> float:
    page.locator(".picker .file").set_input_files(TWO_FACES, timeout=1000 * PATIENCE)
    page.locator(".picker[data-state=done]").wait_for(timeout=1000 * PATIENCE)
    return time.perf_counter()


class Line:
    """A line to a server that lets so many bytes a second pass, all connections together."""

    def __init__(self, port: int) -> None:
        self.port, self.sent, self.free_at = port, 0, 0.0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self._up(reader, there[1]), self._down(there[0], writer))

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(PART):
            await asyncio.sleep(DELAY)
            writer.write(part)
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(PART):
                now = time.monotonic()
                self.free_at = max(now, self.free_at) + len(part) / LINE
                self.sent += len(part)
                await asyncio.sleep(self.free_at - now)
                writer.write(part)
                await writer.drain()
        except ConnectionError:  # the browser has seen enough
            pass
        writer.close()


@contextmanager
def slow(port: int) -> Iterator[tuple[int, Line]]:
    """The port at which a server is reached over such a line."""
    line, here, over = Line(port), free_port(), Event()

    @asynccontextmanager
    async def listening() -> AsyncIterator[None]:
        server = await asyncio.start_server(line.carry, "127.0.0.1", here)
        yield
        server.close()

    async def serve() -> None:
        async with listening():
            while not over.is_set():
                await asyncio.sleep(0.05)

    thread = Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    time.sleep(0.2)
    try:
        yield here, line
    finally:
        over.set()
        thread.join()


def memory(driver: Playwright, options: argparse.Namespace) -> None:
    """Megabytes and processor while five faces are watched."""
    print(
        f"\nFive faces watched for {options.minutes:g} minutes. Memory of the browser's processes, MB (PSS): median of"
    )
    print("the first and of the last minute, and the slope of the line through all looks.\n")
    print("| read by | frames a second | first | last | MB a minute | ms of processor a frame: browser | server |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        film = camera.write(Path(name) / "five.mjpeg", camera.crowd())
        fake = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}"]
        with running(resolve().folder, Path(name), settings=DEVICE) as demo:
            for reads in ("device", "server"):
                browser = driver.chromium.launch(executable_path=installed(driver), args=[*FLAGS, *fake])
                minutes = options.minutes if reads == "device" else min(options.minutes, 0.5)
                print(_watched(browser, demo, reads, 60 * minutes), flush=True)
                browser.close()


def _watched(browser: Browser, demo: Demo, reads: str, seconds: float) -> str:
    page = browser.new_context(permissions=["camera"]).new_page()
    if reads == "server":
        page.route("**/device/*", lambda route: route.abort())
    page.goto(demo.address)
    page.get_by_role("tab", name="Live camera").click()
    page.locator(".live .go").click()
    page.locator(f".live .who[data-where={reads}]").wait_for(timeout=1000 * PATIENCE)
    page.locator(".live .card").nth(4).wait_for(timeout=1000 * PATIENCE)
    page.wait_for_timeout(1000 * WARM_UP)
    page.evaluate(COUNT)
    session = browser.new_browser_cdp_session()
    begun, used, there = time.perf_counter(), _processor(session), processor_seconds(demo.process.pid)
    looks = []
    while (passed := time.perf_counter() - begun) < seconds:
        looks.append((passed / 60, _megabytes(session)))
        page.wait_for_timeout(1000 * min(EVERY, seconds - passed))
    passed = time.perf_counter() - begun
    frames = page.evaluate("window.answered")
    minute = [value for at, value in looks if at < 1], [value for at, value in looks if at >= looks[-1][0] - 1]
    slope = statistics.linear_regression(*zip(*looks, strict=True)).slope if len(looks) > 2 else float("nan")
    browsers = 1000 * (_processor(session) - used) / frames
    servers = 1000 * (processor_seconds(demo.process.pid) - there) / frames
    first, last = (statistics.median(values) for values in minute)
    figures = f"{frames / passed:.1f} | {first:.0f} | {last:.0f} | {slope:+.1f} | {browsers:.0f} | {servers:.0f}"
    return f"| {reads} | {figures} |"


def _processes(session: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return found


def _processor(session: Any) -> float:
    return sum(processor_seconds(each["id"]) for each in _processes(session))


def _megabytes(session: Any) -> float:
    """What each process has for itself, and its part of what several have."""
    kilobytes = 0
    for each in _processes(session):
        rollup = Path(f"/proc/{each['id']}/smaps_rollup").read_text(encoding="utf-8")
        kilobytes += int(re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[0])
    return kilobytes / 1000


def crowd(driver: Playwright, options: argparse.Namespace) -> None:
    """What many visitors cost the server, and what they ask it for while they read."""
    with tempfile.TemporaryDirectory() as name, running(resolve().folder, Path(name), settings=DEVICE) as demo:
        browser = driver.chromium.launch(executable_path=installed(driver), args=FLAGS)
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
        page.goto(demo.address)
        _answered(page)
        page.locator("#photo .who[data-where=device]").wait_for()
        first, before = _of_the_server(asked, demo), len(asked)
        for _ in range(10):
            _answered(page)
        later = _of_the_server(asked[before:], demo)
        print(f"\nOne visitor asked for {len(first)} things until the first answer, for {len(later)} while 10 more")
        print("pictures were read. They are: " + ", ".join(f"{many} {kind}" for kind, many in _kinds(first).items()))
        browser.close()
        paths = [line.partition(" ")[2] for line in first if line.startswith("GET") and not line.endswith("/data")]
        used_before, begun = processor_seconds(demo.process.pid), time.perf_counter()
        with ThreadPoolExecutor(1) as apart:  # Playwright has a loop in this one
            apart.submit(asyncio.run, _all_at_once(demo, paths, options.visitors)).result()
        passed = time.perf_counter() - begun
        used = processor_seconds(demo.process.pid) - used_before
        print(f"\n{options.visitors} visitors at once fetched these in {passed:.1f} s; {used:.2f} s of the server,")
        used_before = processor_seconds(demo.process.pid)
        time.sleep(10)
        idle = (processor_seconds(demo.process.pid) - used_before) / 10
        print(f"{1000 * used / options.visitors:.0f} ms a visitor; afterwards {100 * idle:.1f}% of a core.")


def _of_the_server(asked: list[str], demo: Demo) -> list[str]:
    """Requests as "METHOD path"; not those of pictures that the page has made itself."""
    return [line.replace(demo.address, "") for line in asked if line.partition(" ")[2].startswith(demo.address)]


def _kinds(asked: list[str]) -> Counter[str]:
    return Counter(
        "the reader's files" if " device/" in line else line.partition("?")[0].split("/")[0] for line in asked
    )


async def _all_at_once(demo: Demo, paths: list[str], visitors: int) -> None:
    limits = httpx.Limits(max_connections=6)  # as many as a browser opens to one server

    async def visitor() -> None:
        async with httpx.AsyncClient(base_url=demo.address, limits=limits, timeout=300) as http:
            for answer in await asyncio.gather(*(http.get(path) for path in paths)):
                answer.raise_for_status()

    await asyncio.gather(*(visitor() for _ in range(visitors)))


PARTS = {"visits": visits, "memory": memory, "crowd": crowd}


if __name__ == "__main__":
    main()
