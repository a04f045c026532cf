"""A corpus read at once, killed three times, against the plain loop; and a film against real time.

    python tests/benchmarks/bulk.py [--pictures 20000] [--kills 3] [--minutes 10] [--ray] [--model FOLDER]

Pictures are one face each, 640 x 480 JPEG. The plain loop, ``for p in paths: predictor(p)``, reads one in twenty of
them, half before the corpus and half after it, so that a slow hour of the machine hits both. Let nothing else run.
"""

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageEnhance, ImageOps

from resemotenet import EmotionPredictor
from resemotenet.corpus.tables import missed_path, read_table

EXAMPLES = Path(__file__).resolve().parents[2] / "demo" / "examples"
SIZE = (640, 480)
SEED = 0


def generate(folder: Path, count: int) -> list[Path]:
    """So many pictures with one face, no two of the same light and cut."""
    draw = random.Random(SEED)
    person = ImageOps.fit(Image.open(EXAMPLES / "astronaut.jpg").convert("RGB"), (720, 540))
    paths = []
    for number in range(count):
        x, y = draw.randrange(80), draw.randrange(60)
        picture = person.crop((x, y, x + SIZE[0], y + SIZE[1]))
        path = folder / f"{number // 1000:03}" / f"{number:05}.jpg"
        path.parent.mkdir(exist_ok=True)
        ImageEnhance.Brightness(picture).enhance(draw.uniform(0.7, 1.2)).save(path, quality=90)
        paths.append(path)
    return paths


def memory_of(pid: int) -> float:
    """MB that a process has in memory; 0 for one that is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / 2**20


def command(*arguments: str | Path, model: str | None) -> list[str]:
    words = [sys.executable, "-m", "resemotenet", "predict", *map(str, arguments)]
    return [*words, *(("--model", model) if model else ())]


def watched(words: list[str], kill_after: float | None = None) -> tuple[float, list[float], int]:
    """Seconds, memory each second, and the exit code of a command that is killed after so many seconds, if at all."""
    start = time.perf_counter()
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    memory = []
    while process.poll() is None:
        time.sleep(1)
        memory.append(memory_of(process.pid))
        if kill_after is not None and time.perf_counter() - start > kill_after:
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    return time.perf_counter() - start, memory, process.returncode


def pictures(options: argparse.Namespace, folder: Path) -> None:
    paths = generate(folder, options.pictures)
    predictor = EmotionPredictor.from_pretrained(options.model, device="cpu")
    for path in paths[:5]:
        predictor(path)
    few = paths[: max(20, options.pictures // 20)]
    plain = _plain(predictor, few[: len(few) // 2])
    out = folder.parent / "faces.csv"
    words = command(folder, "--out", out, model=options.model)
    for number in range(options.kills):
        seconds, _, code = watched(words, options.kill_after)
        print(f"run {number + 1}: killed after {seconds:.0f} s (exit code {code})", flush=True)
    seconds, memory, _ = watched(words)
    plain += _plain(predictor, few[len(few) // 2 :])
    found = Counter(row["source"] for row in read_table(out))
    missed = Counter(row["source"] for row in read_table(missed_path(out)))
    everything = set(found) | set(missed)
    twice = [name for name in found if name in missed]
    print(f"rows: {sum(found.values()):,} faces; {len(everything):,} of {len(paths):,} pictures, {len(twice)} in both")
    assert everything == set(map(str, paths))
    quarter = max(1, len(memory) // 4)
    early, late = max(memory[quarter : 2 * quarter], default=0), max(memory[-quarter:], default=0)
    print(f"memory of the last run: {early:.0f} MB in its second quarter, {late:.0f} MB in its last")
    whole = folder.parent / "whole.csv"
    seconds, _, _ = watched(command(folder, "--out", whole, model=options.model))
    assert out.read_bytes() == whole.read_bytes()
    rate, loop = len(paths) / seconds, len(few) / plain
    print(f"{rate:.1f} pictures a second, start included, against {loop:.1f} of the plain loop: {rate / loop:.2f}x")
    if options.ray:
        spread = folder.parent / "spread.csv"
        seconds, _, code = watched([*command(folder, "--out", spread, model=options.model), "--engine", "ray"])
        print(f"Ray, two workers: {len(paths) / seconds:.1f} pictures a second, start included (exit code {code})")
        assert spread.read_bytes() == whole.read_bytes()


def _plain(predictor: EmotionPredictor, paths: list[Path]) -> float:
    start = time.perf_counter()
    for path in paths:
        predictor(path)
    return time.perf_counter() - start


def film(options: argparse.Namespace, folder: Path) -> None:
    path, seconds = folder / "film.mp4", 60 * options.minutes
    write_film(path, seconds)
    out = folder / "film.csv"
    taken, memory, code = watched(command(path, "--out", out, "--fps", "5", model=options.model))
    rows = list(read_table(out))
    people = sorted({row["person"] for row in rows})
    readings = len({row["time"] for row in rows})
    print(
        f"film of {seconds:.0f} s, 1280 x 720, 25 a second: {taken:.0f} s, {seconds / taken:.1f} times as fast as real"
    )
    print(f"{readings:,} readings, people {people}, at most {max(memory):.0f} MB (exit code {code})")


def write_film(path: Path, seconds: float) -> None:
    """Two heads that walk to and fro."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", 25, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for image in _walk(round(25 * seconds)):
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode(None))


def _walk(count: int) -> Iterator[Image.Image]:
    names = ("astronaut", "grace_hopper")
    heads = [ImageOps.fit(Image.open(EXAMPLES / f"{name}.jpg").convert("RGB"), (360, 400)) for name in names]
    for number in range(count):
        wall = Image.new("RGB", (1280, 720), (120, 125, 130))
        shift = abs(number % 500 - 250)
        wall.paste(heads[0], (20 + shift, 200))
        wall.paste(heads[1], (900 - shift, 180))
        yield wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000, help="0: no pictures")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--kill-after", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the film; 0: no film")
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--model", help="model folder; the bundled one unless given")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        if options.pictures:
            folder = Path(name) / "photos"
            folder.mkdir()
            pictures(options, folder)
        if options.minutes:
            film(options, Path(name))


if __name__ == "__main__":
    main()
