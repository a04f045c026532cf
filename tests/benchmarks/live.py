"""The live page as its visitors get it: frames a second and latency in a real Chromium, and where the time goes.

    python -m tests.benchmarks.live [--model FOLDER] [--seconds 8] [--repeats 3]

Browser and server share this machine's cores, so a visitor who brings a computer of his own gets more. The scenarios
take turns, so that a slow minute of the machine hits all of them; the first seconds of each are thrown away.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from resemotenet.checkpoints.pretrained import resolve
from tests.browser import camera
from tests.browser.conftest import FLAGS, installed
from tests.demo.server import Demo, running

SCENARIOS = [(1, 1), (1, 5), (2, 1), (2, 5)]  # visitors, faces
WARM_UP = 3.0  # seconds
PARTS = ("encode", "transport", "decode", "find", "read", "draw")
COLLECT = """() => {
    window.answered = [];
    document.querySelector(".live").addEventListener("answered", ({ detail }) =>
        window.answered.push({ ...detail.ms, faces: detail.faces.length, at: performance.now() }));
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", help="model folder; the bundled one unless given")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    results: dict[tuple[int, int], list[list[dict[str, float]]]] = {scenario: [] for scenario in SCENARIOS}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        cameras = {
            1: camera.write(folder / "one.mjpeg", camera.portrait("astronaut")),
            5: camera.write(folder / "five.mjpeg", camera.crowd()),
        }
        with running(resolve(options.model).folder, folder) as demo:
            for _ in range(options.repeats):
                for visitors, faces in SCENARIOS:
                    fake = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={cameras[faces]}"]
                    flags = [*FLAGS, *fake]
                    browser = driver.chromium.launch(executable_path=installed(driver), args=flags)
                    results[visitors, faces] += watch(browser, demo, visitors, options.seconds)
                    browser.close()
    print_table(results)


def watch(browser: Browser, demo: Demo, visitors: int, seconds: float) -> list[list[dict[str, float]]]:
    """The answers that each visitor got."""
    pages = [browser.new_context(permissions=["camera"]).new_page() for _ in range(visitors)]
    for page in pages:
        page.goto(demo.address)
        page.get_by_role("tab", name="Live camera").click()
        page.locator(".live .go").click()
        page.locator(".live .card").first.wait_for()
    pages[0].wait_for_timeout(1000 * WARM_UP)
    for page in pages:
        page.evaluate(COLLECT)
    pages[0].wait_for_timeout(1000 * seconds)
    return [answered(page) for page in pages]


def answered(page: Page) -> list[dict[str, float]]:
    frames: list[dict[str, Any]] = page.evaluate("window.answered")
    for frame in frames:
        frame["transport"] = frame["call"] - frame["decode"] - frame["find"] - frame["read"]
        frame["draw"] = frame["total"] - frame["call"] - frame["encode"]
    return frames


def print_table(results: dict[tuple[int, int], list[list[dict[str, float]]]]) -> None:
    print("Frames a second of one visitor: median over visitors and repeats [range]. Latency from taking a frame to")
    print("showing its answer, ms: median (10th to 90th percentile). Parts: mean ms a frame.\n")
    print(f"| visitors | faces | frames a second | latency | {' | '.join(PARTS)} |")
    print("|---" * (4 + len(PARTS)) + "|")
    for (visitors, faces), watched in results.items():
        rates = [1000 * (len(frames) - 1) / (frames[-1]["at"] - frames[0]["at"]) for frames in watched]
        every = [frame for frames in watched for frame in frames]
        seen = statistics.mean(frame["faces"] for frame in every)
        assert abs(seen - faces) < 0.25, f"{seen:.2f} faces were read in the mean, expected {faces}"
        deciles = statistics.quantiles((frame["total"] for frame in every), n=10)
        latency = f"{statistics.median(frame['total'] for frame in every):.0f} ({deciles[0]:.0f}-{deciles[-1]:.0f})"
        parts = [f"{statistics.mean(frame[part] for frame in every):.1f}" for part in PARTS]
        rate = f"{statistics.median(rates):.1f} [{min(rates):.1f}, {max(rates):.1f}]"
        print(f"| {visitors} | {faces} | {rate} | {latency} | {' | '.join(parts)} |")


if __name__ == "__main__":
    main()
