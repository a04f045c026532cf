"""The live page as its visitors get it: frames a second and latency in a real Chromium, and where the time goes.

    python -m tests.benchmarks.live [--model FOLDER] [--seconds 8] [--repeats 3] [--visitors 1 2] [--reads device ...]

Each scenario is read on the visitor's device and by the server, in turns. Browser and server share this machine's
cores, so a visitor who brings a computer of his own gets more. The scenarios take turns, so that a slow minute of the
machine hits all of them; the first seconds of each are thrown away.
"""

import argparse
import itertools
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from demo.browser import runtime
from resemotenet.checkpoints.pretrained import resolve
from tests.browser import camera
from tests.browser.conftest import FLAGS, installed
from tests.demo.server import PATIENCE, Demo, running

FACES = (1, 5)
WARM_UP = 3.0  # seconds
PARTS = ("encode", "transport", "decode", "find", "read", "draw")
COLLECT = """() => {
    window.answered = [];
    document.querySelector(".live").addEventListener("answered", ({ detail }) =>
        window.answered.push({ ...detail.ms, faces: detail.faces.length, at: performance.now() }));
}"""


Scenario = tuple[int, int, str]  # visitors, faces, who reads
Frames = list[dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", help="model folder; the bundled one unless given")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 2], help="at the same time")
    parser.add_argument("--reads", nargs="+", choices=("device", "server"), default=["device", "server"])
    options = parser.parse_args()
    if "device" in options.reads and (why := runtime.missing()):
        parser.error(f"no browser can read: {why}")
    scenarios = list(itertools.product(options.visitors, FACES, options.reads))
    results: dict[Scenario, list[Frames]] = {scenario: [] for scenario in scenarios}
    busy: dict[Scenario, list[float]] = {scenario: [] for scenario in scenarios}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        cameras = {
            1: camera.write(folder / "one.mjpeg", camera.portrait("astronaut")),
            5: camera.write(folder / "five.mjpeg", camera.crowd()),
        }
        settings = {"RESEMOTENET_DEVICE": "on"}
        with running(resolve(options.model).folder, folder, settings=settings) as demo:
            for _ in range(options.repeats):
                for visitors, faces, reads in scenarios:
                    fake = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={cameras[faces]}"]
                    flags = [*FLAGS, *fake]
                    browser = driver.chromium.launch(executable_path=installed(driver), args=flags)
                    watched, share = watch(browser, demo, visitors, options.seconds, reads)
                    results[visitors, faces, reads] += watched
                    busy[visitors, faces, reads].append(share)
                    browser.close()
    print_table(results, busy)


def watch(browser: Browser, demo: Demo, visitors: int, seconds: float, reads: str) -> tuple[list[Frames], float]:
    """The answers that each visitor got, and how much of a core the server needed for it."""
    pages = [browser.new_context(permissions=["camera"]).new_page() for _ in range(visitors)]
    for page in pages:
        if reads == "server":
            page.route("**/device/*", lambda route: route.abort())
        page.goto(demo.address)
        page.get_by_role("tab", name="Live camera").click()
        page.locator(".live .go").click()
        page.locator(".live .card").first.wait_for(timeout=1000 * PATIENCE)
        page.locator(f".live .who[data-where={reads}]").wait_for()
    pages[0].wait_for_timeout(1000 * WARM_UP)
    for page in pages:
        page.evaluate(COLLECT)
    before = processor_seconds(demo.process.pid)
    pages[0].wait_for_timeout(1000 * seconds)
    return [answered(page) for page in pages], (processor_seconds(demo.process.pid) - before) / seconds


def processor_seconds(process: int) -> float:
    """What a process has used so far (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answered(page: Page) -> Frames:
    frames: list[dict[str, Any]] = page.evaluate("window.answered")
    for frame in frames:
        frame["transport"] = frame["call"] - frame["decode"] - frame["find"] - frame["read"]
        frame["draw"] = frame["total"] - frame["call"] - frame["encode"]
    return frames


def print_table(results: dict[Scenario, list[Frames]], busy: dict[Scenario, list[float]]) -> None:
    print("Frames a second of one visitor: median over visitors and repeats [range]. Latency from taking a frame to")
    print("showing its answer, ms: median (10th to 90th percentile). Parts: mean ms a frame.")
    print("Server: cores that it kept busy meanwhile, mean over repeats.\n")
    print(f"| visitors | faces | read by | frames a second | latency | server | {' | '.join(PARTS)} |")
    print("|---" * (6 + len(PARTS)) + "|")
    for (visitors, faces, reads), watched in results.items():
        rates = [1000 * (len(frames) - 1) / (frames[-1]["at"] - frames[0]["at"]) for frames in watched]
        every = [frame for frames in watched for frame in frames]
        seen = statistics.mean(frame["faces"] for frame in every)
        assert abs(seen - faces) < 0.25, f"{seen:.2f} faces were read in the mean, expected {faces}"
        deciles = statistics.quantiles((frame["total"] for frame in every), n=10)
        latency = f"{statistics.median(frame['total'] for frame in every):.0f} ({deciles[0]:.0f}-{deciles[-1]:.0f})"
        parts = [f"{statistics.mean(frame[part] for frame in every):.1f}" for part in PARTS]
        rate = f"{statistics.median(rates):.1f} [{min(rates):.1f}, {max(rates):.1f}]"
        server = f"{statistics.mean(busy[visitors, faces, reads]):.2f}"
        print(f"| {visitors} | {faces} | {reads} | {rate} | {latency} | {server} | {' | '.join(parts)} |")


if __name__ == "__main__":
    main()
