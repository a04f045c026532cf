"""Timings on this machine: the network in both layouts, the detector, a whole picture.

    python tests/benchmarks/speed.py [--model FOLDER] [--threads N] [--repeats 20]

The first calls are thrown away; what is printed is the median and the 10th to 90th percentile of the rest.
"""

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from resemotenet import EmotionPredictor, create_model
from resemotenet.models.resemotenet import to_compact
from resemotenet.reading.images import read_image

WARM_UP = 3
PICTURE = Path(__file__).resolve().parents[2] / "demo" / "examples" / "astronaut.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", help="model folder; the bundled one unless given")
    parser.add_argument("--threads", type=int, help="CPU threads; as many as torch takes unless given")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    predictor = EmotionPredictor.from_pretrained(options.model, device="cpu")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}, CPU only")
    print(f"milliseconds, median (10th to 90th percentile) of {options.repeats}")

    torch.manual_seed(0)
    published = create_model("resemotenet").eval()
    networks = {"published network, 64 px": published, "the same, compact": to_compact(published)}
    for name, module in networks.items():
        for batch in (1, 16):
            report(f"{name}, batch {batch}", forward(module, torch.randn(batch, 3, 64, 64)), options.repeats)

    preprocess = predictor.model.preprocess
    faces = torch.randn(16, preprocess.channels, preprocess.size, preprocess.size)
    for batch in (1, 16):
        report(f"model in use, batch {batch}", partial(predictor.model.probabilities, faces[:batch]), options.repeats)
    picture = read_image(PICTURE)
    size = f"{picture.width}x{picture.height}"
    report(f"detection, {size} picture", lambda: predictor.detector.detect(picture), options.repeats)
    report(f"everything, {size} picture", lambda: predictor(picture), options.repeats)


def forward(module: nn.Module, batch: Tensor) -> Callable[[], object]:
    def call() -> object:
        with torch.inference_mode():
            return module(batch)

    return call


def report(name: str, call: Callable[[], object], repeats: int) -> None:
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    low, middle, high = np.percentile(times, [10, 50, 90])
    print(f"{name:45s} {middle:8.1f} ({low:.1f} to {high:.1f})", flush=True)


if __name__ == "__main__":
    main()
