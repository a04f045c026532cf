"""How fast a training step is: this trainer against the upstream script's way, same network, 64 px, fp32, on the CPU.

    python tests/benchmarks/bench_training.py [--width 0.5] [--rounds 5] [--images 256] [--threads N]

The upstream way is that of its training script: PNG files opened one by one with PIL, torchvision transforms, no
worker processes, batch 16, the full layout, plain SGD, the loss and the hits read after every step. Ours is the
trainer's own step as a run takes it: faces in memory, the whole augmentation of the recipes (more than upstream's
flip), gradient clipping and the moving average of the weights included. Batch and layout are varied one at a time, so
that it shows what comes from where.

Every round measures each way once, in turn, on a fresh network after a step that is not timed. A ratio is taken inside
a round, so that a machine that slows down slows both. The faces are drawn by the program. At width 1 a round takes
about two minutes on two cores and the process 4 GB.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch
from accelerate import Accelerator
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.datasets import FaceSet, Synthetic
from resemotenet.models import create_model
from resemotenet.runs.schema import Dataset as Data
from resemotenet.runs.schema import Network, Optimization, RunConfig
from training.cost import count_macs
from training.description import describe
from training.loading import Batches
from training.optimization import class_weights
from training.progress import Progress
from training.step import LossWatch, Objective

SIZE = 64
UPSTREAM_BATCH = 16
Measure = Callable[[], float]


@dataclass(frozen=True)
class Way:
    """One row of the table; ``measure`` gives images a second."""

    name: str
    layout: str
    batch: int
    measure: Measure


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=float, default=0.5, help="of the network; 1 is the published one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=256, help="timed in each way and round; a multiple of 128")
    parser.add_argument("--threads", type=int, help="CPU threads; as many as torch takes unless given")
    options = parser.parse_args()
    if options.images % 128 or min(options.images, options.rounds) < 1:
        parser.error("--images must be a multiple of 128 and --rounds at least 1")
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        compare(options.width, options.rounds, options.images, Path(folder))


def compare(width: float, rounds: int, images: int, folder: Path) -> None:
    """Measure all ways in turn, print the table."""
    faces = Synthetic().split("train")
    files = Files(write(faces, images + UPSTREAM_BATCH, folder))
    ways = [
        Way("upstream", "full", UPSTREAM_BATCH, lambda: upstream(files, images, width)),
        *(
            Way("ours", layout, batch, ours(faces, images, width, layout == "compact", batch))
            for batch in (UPSTREAM_BATCH, 128)
            for layout in ("full", "compact")
        ),
    ]
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}, CPU only, fp32")
    print(f"resemotenet, width {width:g}, {SIZE} px; load before the start {load}", flush=True)
    peaks, reading, rates = [], [], []
    for number in range(1, rounds + 1):
        peaks.append(matmul_rate())
        reading.append(rate(len(files), lambda: list(loader(files))))
        rates.append([way.measure() for way in ways])
        print(f"round {number}/{rounds}: " + ", ".join(f"{each:.1f}" for each in rates[-1]), flush=True)
    report(ways, rates, max(peaks), width)
    print(f"Upstream's files and transforms alone: {spread(reading)} images/s.")


def report(ways: list[Way], rates: list[list[float]], peak: float, width: float) -> None:
    """The table in Markdown: medians, and the lowest and highest round."""
    print(f"\nMedian (lowest to highest) of {len(rates)} rounds; peak: {peak / 1e9:.0f} GFLOP/s in a matrix product\n")
    print("| way | layout | batch | images/s | times upstream | share of peak |\n|---|---|---|---|---|---|")
    for column, way in enumerate(ways):
        own = [row[column] for row in rates]
        ratios = [row[column] / row[0] for row in rates]
        flops = 6 * macs(width, compact=way.layout == "compact")
        share = f"{100 * flops * median(own) / peak:.0f}%"
        print(f"| {way.name} | {way.layout} | {way.batch} | {spread(own)} | {spread(ratios, 2)} | {share} |")
    print("\nShare of peak: 2 operations a multiply-add of the layout itself, 3 times the forward pass.")


def spread(values: list[float], digits: int = 1) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def macs(width: float, *, compact: bool) -> int:
    return count_macs(create_model("resemotenet", width=width, compact=compact), (1, 3, SIZE, SIZE))


def rate(images: int, call: Callable[[], object]) -> float:
    """Images a second of a call that handles so many."""
    start = time.perf_counter()
    call()
    return images / (time.perf_counter() - start)


def matmul_rate(side: int = 2048, repeats: int = 5) -> float:
    """Operations a second of a large fp32 matrix product, the best of some: what this machine can do."""
    a, b = torch.randn(side, side), torch.randn(side, side)
    return max(2 * side**3 * rate(1, lambda: a @ b) for _ in range(repeats + 1))


def ours(faces: FaceSet, images: int, width: float, compact: bool, batch_size: int) -> Measure:
    """The trainer's step (see training.loop._train_epoch) with the default settings, but for batch and layout."""
    config = RunConfig(
        recipe="benchmark",
        dataset=Data(name="synthetic", labels="synthetic"),
        network=Network(width=width, compact=compact, size=SIZE),
        optimization=replace(Optimization(), batch_size=batch_size),
        device="cpu",
    )

    def measure() -> float:
        accelerator = Accelerator(cpu=True)
        info = describe(config)
        progress = Progress.begin(config, info, accelerator)
        batches = Batches.of(faces, accelerator.device, batch_size=batch_size, seed=0)
        weights = class_weights(batches.distribution, config.optimization)
        objective = Objective(config, Preprocess.of(info.preprocess), weights)
        model, optimizer = accelerator.prepare(progress.model.train(), progress.optimizer)
        watch, epoch = LossWatch(0, faces.ids), batches.epoch(0)

        def steps(number: int) -> None:
            for _ in range(number):
                batch = next(epoch)
                watch.add(objective.backward(model, batch, accelerator), batch.rows)
                assert config.optimization.clip_norm is not None
                accelerator.clip_grad_norm_(model.parameters(), config.optimization.clip_norm)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                assert progress.average is not None
                progress.average.update_parameters(progress.model)

        steps(1)
        timed = rate(images, lambda: steps(images // batch_size))
        watch.mean()  # raises if a loss was not finite
        return timed

    return measure


def upstream(files: "Files", images: int, width: float) -> float:
    model = create_model("resemotenet", width=width).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-4)
    criterion = nn.CrossEntropyLoss()
    running_loss, correct = 0.0, 0
    start = 0.0
    for step, (inputs, labels) in enumerate(loader(files)):
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        correct += int((outputs.argmax(1) == labels).sum())
        if step == 0:
            start = time.perf_counter()
    elapsed = time.perf_counter() - start
    assert running_loss > 0
    return images / elapsed


def loader(files: "Files") -> Iterator[tuple[Tensor, Tensor]]:
    return iter(DataLoader(files, batch_size=UPSTREAM_BATCH, shuffle=True))


class Files(Dataset[tuple[Tensor, int]]):
    """Pictures on disk with their class numbers, read when asked for."""

    def __init__(self, rows: list[tuple[Path, int]]) -> None:
        self.rows = rows
        self.transform = transforms.Compose(
            [
                transforms.Resize((SIZE, SIZE)),
                transforms.Grayscale(num_output_channels=3),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
            ]
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        path, target = self.rows[row]
        return self.transform(Image.open(path)), target


def write(faces: FaceSet, number: int, folder: Path) -> list[tuple[Path, int]]:
    """The first faces as PNG files, with their class numbers."""
    rows = []
    for row in range(number):
        path = folder / f"{row:05d}.png"
        Image.fromarray(faces.images[row, 0]).save(path)
        rows.append((path, int(faces.targets[row])))
    return rows


if __name__ == "__main__":
    main()
