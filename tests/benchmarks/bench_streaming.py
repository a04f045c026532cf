"""How fast a large set of picture files reaches the trainer, against a plain PIL loader; and how much memory it takes.

    python tests/benchmarks/bench_streaming.py [--faces 300000] [--size 64] [--rounds 5] [--batches 60] [--folder DIR]

The set is drawn: JPEG files of 56x56 px in AffectNet's layout of lists; every file is one of its own on the disk (no
links), though only 4,001 contents differ. Nothing of it is left behind. Measured are, in this order:

    prepare     picture files -> prepared file, by two processes, in shares of the set that lie far apart
    plain       torch's DataLoader with two workers: PIL opens, converts to grey and resizes, batch after batch
    stream      ``Batches`` over the prepared file, as a run reads it, for each epoch
    memory      what the streaming process holds after so many batches, its own pages and those of mapped files

Every round measures prepare, plain and stream once, in turn, after a round that is not counted; a ratio is taken inside
a round, so that a machine that slows down slows all. All pictures were just written, so a disk is hardly waited for.

With 300,000 files on two quiet cores (--rounds 2 --batches 40): lists read in 6.6 s; 284,334 training faces prepared in
43 s, the time to the first batch of the first run; of every later one 1.5 s after the lists, for the time and length of
every file are looked at. prepare 3,257 images/s (3,134 to 3,381), 0.39 x plain; plain 8,324 (7,948 to 8,701); stream
157,098 (153,004 to 161,192), 18.9 x plain (18.5 to 19.3). In a round prepare takes short shares, so that starting its
two processes weighs; the whole set went at 6,600 a second. Memory over an epoch, MiB after batch 100, 250, 500, 1000,
1500, 2000: own 422 throughout; of mapped files, which are the libraries', 235.

Under other work (load 9), before and after in turn: looking through names as text took lists from 4.4 to 1.9 s of a
core for 100,000 rows; a picture takes 0.3 ms of a core, 0.6 before those of one shape were resized together, with the
same pixels (plain 0.28).

Written by the process that trains, in the order of the faces, instead of by each process that reads, with its journal:
in five turns of 18,334 faces under other work, ms of a core a picture, median (range), 0.372 (0.348 to 0.442) before,
0.371 (0.366 to 0.399) since; a face of a batch takes 1.65 us (1.60 to 2.00) instead of 1.99 (1.81 to 2.23), for a face
is read by one call. A memory map in its place would be 2.7 times faster still; ``PixelFile`` says why there is none.
"""

import argparse
import csv
import io
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from resemotenet.datasets import FaceFiles, PreparedFaces, read_affectnet
from training.loading import Batches
from training.preparing import BLOCK, prepare, read_blocks

_SIDE, _BATCH = 56, 128
_TEST = 700
_DRAWN = 4_001  # no multiple of seven, so that pictures do not go with emotions
_MARKS = (100, 250, 500, 1000, 1500, 2000)


def draw(root: Path, faces: int) -> Path:
    """Soft patterns in colour, with as many bytes as small photographs have."""
    rng = np.random.default_rng(0)
    contents = []
    for _ in range(_DRAWN):
        pattern = Image.fromarray(rng.integers(0, 256, (7, 7, 3), np.uint8))
        content = io.BytesIO()
        pattern.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC).save(content, "JPEG", quality=85)
        contents.append(content.getvalue())
    lists = root / "Manually_Annotated_file_lists"
    lists.mkdir(parents=True)
    for name, numbers in (("training", range(_TEST, faces)), ("validation", range(_TEST))):
        with (lists / f"{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            for number in numbers:
                place = f"{number // 1000}/{number:06d}.jpg"
                path = root / "Manually_Annotated_Images" / place
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(contents[number % _DRAWN])
                rows.writerow([place, 2, 2, 52, 52, "", number % 7, 0, 0])
    return root


class Plain(Dataset[torch.Tensor]):
    """As training scripts read pictures."""

    def __init__(self, faces: FaceFiles, size: int) -> None:
        self.faces, self.size = faces, size

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, row: int) -> torch.Tensor:
        assert self.faces.boxes is not None
        with Image.open(self.faces.root / self.faces.files[row]) as picture:
            face = picture.crop(tuple(self.faces.boxes[row].tolist())).convert("L")
        resized = face.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(resized))[None]


def plain_rate(faces: FaceFiles, size: int, batches: int, seed: int) -> float:
    """Images a second after the first batch: starting workers is not counted."""
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(Plain(faces, size), _BATCH, shuffle=True, num_workers=2, generator=generator)
    return _rate(iter(loader), batches)


def stream_rate(batches: Batches, epoch: int, count: int) -> float:
    return _rate(batches.epoch(epoch), count)


def _rate(batches: Iterator[object], count: int) -> float:
    next(batches)
    started = time.perf_counter()
    for _ in range(count):
        next(batches)
    return count * _BATCH / (time.perf_counter() - started)


def prepare_rate(faces: FaceFiles, size: int, share: int, of: int, folder: Path) -> float:
    """Of one of so many interleaved shares of the set, by two processes that are started for it."""
    part = faces.where(np.arange(len(faces)) % of == share)
    scratch, count = folder / "scratch", 0
    with scratch.open("wb") as file:
        for number, (_, images, _) in enumerate(read_blocks(part, list(range(0, len(part), BLOCK)), size, 2)):
            file.write(images.data)
            if number == 8:  # both processes are at work
                started = time.perf_counter()
            count += len(images) * (number > 8)
    rate = count / (time.perf_counter() - started)
    scratch.unlink()
    return rate


def memory() -> tuple[float, float]:
    """MiB of this process: its own, and mapped from files."""
    lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(int(lines[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile"))  # type: ignore[return-value]


def report_memory(root: Path, cache: Path, size: int) -> None:
    """Run in a process of its own, as a run would start; prints seconds to the first batch and memory at the marks."""
    started, busy = time.perf_counter(), time.process_time()
    listed = read_affectnet(root).split("train")
    read, busy = time.perf_counter(), time.process_time() - busy
    faces, _ = prepare(listed, size, cache)
    batches = Batches.of(faces, torch.device("cpu"), batch_size=_BATCH, seed=0)
    epoch = batches.epoch(0)
    next(epoch)
    first = time.perf_counter()
    print(f"lists read in {read - started:.1f} s ({busy:.1f} s of a core); first batch {first - read:.1f} s later")
    for number, _ in enumerate(epoch, start=2):
        if number in _MARKS:
            own, mapped = memory()
            print(
                f"    after batch {number:5d}: own {own:6.0f} MiB, of the mapped file and libraries {mapped:6.0f} MiB"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=300_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--folder", type=Path, help="where to make the set; the system's temporary folder unless given")
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="streaming-", dir=given.folder))
    try:
        measure(folder, given.faces, given.size, given.rounds, given.batches)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, n: int, size: int, rounds: int, batches: int) -> None:
    started = time.perf_counter()
    root, cache = draw(folder / "set", n), folder / "cache"
    drawn = time.perf_counter()
    print(f"{platform.platform()}, torch {torch.__version__}; {n:,} files drawn in {drawn - started:.0f} s")
    listed = read_affectnet(root).split("train")
    started = time.perf_counter()
    faces, _ = prepare(listed, size, cache, workers=2)
    took = time.perf_counter() - started
    print(f"{len(faces):,} train faces prepared at {size} px in {took:.0f} s: time to the first batch the first time")
    sys.stdout.flush()
    code = f"from tests.benchmarks import bench_streaming as b; from pathlib import Path as P; b.report_memory(P({str(root)!r}), P({str(cache)!r}), {size})"  # noqa: E501
    subprocess.run([sys.executable, "-c", code], check=True)
    compare(listed, faces, size, rounds, batches, folder)


def compare(listed: FaceFiles, faces: PreparedFaces, size: int, rounds: int, batches: int, folder: Path) -> None:
    stream = Batches.of(faces, torch.device("cpu"), batch_size=_BATCH, seed=0)
    rates: dict[str, list[float]] = {"prepare": [], "plain": [], "stream": []}
    shares = max(1, len(listed) // (batches * _BATCH))
    for number in range(rounds + 1):
        once = {
            "prepare": prepare_rate(listed, size, number % shares, shares, folder),
            "plain": plain_rate(listed, size, batches, number),
            "stream": stream_rate(stream, number, min(len(stream) - 1, 20 * batches)),
        }
        for way, rate in once.items() if number else ():  # the first is the warm-up
            rates[way].append(rate)
    for way, each in rates.items():
        ratios = [rate / plain for rate, plain in zip(each, rates["plain"], strict=True)]
        print(
            f"    {way:<8} {median(each):10,.0f} images/s ({min(each):,.0f} to {max(each):,.0f}); "
            f"{median(ratios):7.2f} x plain ({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
