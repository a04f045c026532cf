"""How fast this machine is with what the library does, against the plain way to do the same.

    python tests/benchmarks/speed.py [--model FOLDER] [--repeats 30] [--only TEXT] [--out speed.json]

Every row runs both ways in turns of a few calls, so that a slow minute of the machine hits both; the first call of each
turn is thrown away, for it finds the caches full of the other's weights.
Printed are the median and the 10th to 90th percentile of the rest, and how many times as fast the library's way is.
Rows of one thread say nothing about several. Let nothing else run meanwhile.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from facenet_pytorch import MTCNN
from facenet_pytorch.models.utils.detect_face import detect_face
from PIL import Image, ImageOps
from torch import nn

from resemotenet import EMOTIONS, EmotionPredictor, create_model
from resemotenet.checkpoints.backends import core_count
from resemotenet.checkpoints.checkpoint import LoadedModel
from resemotenet.checkpoints.export import calibrated
from resemotenet.models.resemotenet import to_compact
from resemotenet.reading.cascade import PYRAMID_FACTOR, THRESHOLDS
from resemotenet.reading.detector import MTCNNDetector
from resemotenet.reading.images import read_image
from resemotenet.runs.schema import ModelInfo, Preprocessing

# Calls of one way before it is the other's turn, of which the first is not counted; and turns before any is.
TURN, WARM_UP = 4, 1
SIZE = (640, 480)
CALLERS = 8
PICTURE = Path(__file__).resolve().parents[2] / "demo" / "examples" / "astronaut.jpg"

Call = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One comparison; times in milliseconds.

    Attributes:
        wanted: how many times as fast it should be.
    """

    name: str
    wanted: float
    plain: tuple[float, float, float]
    ours: tuple[float, float, float]

    @property
    def ratio(self) -> float:
        return self.plain[1] / self.ours[1]

    def line(self) -> str:
        plain, ours = (f"{middle:.2f} ({low:.2f} to {high:.2f})" for low, middle, high in (self.plain, self.ours))
        return f"| {self.name} | {plain} | {ours} | {self.ratio:.2f}x | {self.wanted:g}x |"


def compare(name: str, wanted: float, plain: Call, ours: Call, repeats: int) -> Row:
    """Time both ways in turns; rows that are not of one thread may use every core."""
    torch.set_num_threads(1 if "one thread" in name else core_count())
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(WARM_UP + -(-repeats // (TURN - 1))):
        for call, taken in zip((plain, ours), times, strict=True):
            for number in range(TURN):
                start = time.perf_counter()
                call()
                if turn >= WARM_UP and number > 0:
                    taken.append(1000 * (time.perf_counter() - start))
    low_middle_high = [tuple(np.percentile(each, [10, 50, 90]).tolist()) for each in times]
    return Row(name, wanted, *low_middle_high)


def one_network(model: LoadedModel) -> Iterator[tuple[str, float, Call, Call]]:
    """The network of the folder, with and without 8 bits."""
    crops = torch.randn(16, model.preprocess.channels, model.preprocess.size, model.preprocess.size)
    eager = model.with_backend("torch")
    fast = {"exact": model.with_backend("onnxruntime"), "int8": model.with_backend("onnxruntime", "int8")}
    for faces, wanted in ((1, {"exact": 3.0, "int8": 6.0}), (16, {"exact": 2.0, "int8": 4.0})):
        for precision, ours in fast.items():
            name = f"network of the folder, {faces} face{'s' * (faces > 1)}, one thread: {precision}"
            plain, own = (partial(each.probabilities, crops[:faces]) for each in (eager, ours))
            yield name, wanted[precision], plain, own


def published() -> tuple[LoadedModel, LoadedModel]:
    """The published network in upstream's layout, and the same compact and calibrated; random weights, as fast."""
    torch.manual_seed(0)
    info = ModelInfo("resemotenet", {}, EMOTIONS, Preprocessing())
    full = LoadedModel(create_model("resemotenet").eval(), info, Path())
    return full, LoadedModel(to_compact(full.module).eval(), replace(info, arguments={"compact": True}), Path())


def published_network(folder: Path) -> Iterator[tuple[str, float, Call, Call]]:
    full, compact = published()
    # Ranges belong to a file of weights; here any will do.
    compact = replace(compact, folder=folder)
    faces = np.random.default_rng(0).integers(0, 256, (8, 1, 64, 64), dtype=np.uint8)
    compact = replace(compact, info=calibrated(compact, faces, {}))
    crop = torch.randn(1, 3, 64, 64)
    for precision, wanted in (("exact", 3.3), ("int8", 10.0)):
        ours = compact.with_backend("onnxruntime", precision)
        plain, own = partial(full.probabilities, crop), partial(ours.probabilities, crop)
        yield f"published network, 1 face, one thread: {precision}, compact", wanted, plain, own


def detection(picture: Image.Image) -> Iterator[tuple[str, float, Call, Call]]:
    detector = MTCNNDetector(thorough=False, every_core=False)
    plain = MTCNN(keep_all=True)
    networks = (plain.pnet, plain.rnet, plain.onet)

    @torch.inference_mode()
    def with_margin() -> object:
        wide = ImageOps.expand(picture, round(detector.MARGIN * min(picture.size)), fill=(128, 128, 128))
        return detect_face(wide, detector.min_face, *networks, THRESHOLDS, PYRAMID_FACTOR, torch.device("cpu"))

    size = f"{picture.width}x{picture.height}"
    ours = partial(detector.detect, picture)
    yield f"detection, {size}, one thread: facenet-pytorch's cascade with our margin", 3.5, with_margin, ours
    yield f"detection, {size}, one thread: MTCNN() with its defaults", 3.0, partial(plain.detect, picture), ours


def whole_picture(predictor: EmotionPredictor, picture: Image.Image) -> Iterator[tuple[str, float, Call, Call]]:
    full, _ = published()
    plain = MTCNN()

    def upstream() -> object:
        boxes, _ = plain.detect(picture)
        return full.probabilities(full.preprocess([picture.crop(tuple(box)) for box in boxes]))

    size = f"{picture.width}x{picture.height}"
    name = f"picture, {size}, one face, every core: MTCNN() and the published network"
    yield name, 6.0, upstream, partial(predictor, picture)


def training_step() -> Iterator[tuple[str, float, Call, Call]]:
    """C1 at half width, compact, 48 px, batch 128: in bfloat16 against float32."""
    net = create_model("resemotenet", in_channels=1, width=0.5, compact=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    crops, targets = torch.randn(128, 1, 48, 48), torch.randint(7, (128,))

    def step(half: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = nn.functional.cross_entropy(net(crops).float(), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    yield (
        "training step, C1 half as wide, 128 faces, every core: bfloat16",
        1.4,
        partial(step, False),
        partial(step, True),
    )


def callers(predictor: EmotionPredictor, picture: Image.Image, pictures: int) -> list[str]:
    """Eight who ask at once, each as soon as he is answered, against one; a picture is one thread's, as a visitor's
    frame is. On two cores nobody can be answered in less than four times the time of one, if both are always busy.
    """
    torch.set_num_threads(1)

    def ask(count: int) -> tuple[float, list[float]]:
        taken: list[float] = []

        def work() -> None:
            for _ in range(pictures):
                start = time.perf_counter()
                predictor(picture)
                taken.append(1000 * (time.perf_counter() - start))

        threads = [threading.Thread(target=work) for _ in range(count)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return count * pictures / (time.perf_counter() - start), taken

    ask(2)
    alone, together = ask(1), ask(CALLERS)
    middle, slow = statistics.median(alone[1]), float(np.percentile(together[1], 95))
    return [
        f"{CALLERS} callers at once: {together[0]:.1f} pictures/s against {alone[0]:.1f} for one: "
        f"{together[0] / alone[0]:.2f}x (wanted 1.5x)",
        f"p95 of the {CALLERS}: {slow:.1f} ms, {slow / middle:.2f} times the {middle:.1f} ms of one (wanted below 4)",
    ]


def machine() -> str:
    names = [line.split(":", 1)[1].strip() for line in _cpu_lines() if line.startswith("model name")]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"{names[0] if names else platform.processor() or platform.machine()}, {core_count()} cores, load {load:.1f}; "
        f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, Python {platform.python_version()}"
    )


def _cpu_lines() -> Sequence[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="model folder; the bundled one unless given")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--only", default="", help="only rows whose name holds this")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    predictor = EmotionPredictor.from_pretrained(options.model, device="cpu")
    picture = ImageOps.fit(read_image(PICTURE), SIZE)
    rows: list[Row] = []
    print(f"{machine()}\nmilliseconds: median (10th to 90th percentile) of {options.repeats}, both ways in turns\n")
    print("| row | plain | here | as fast | wanted |\n|---|---|---|---|---|")
    for group in (
        one_network(predictor.model),
        published_network(predictor.model.folder),
        detection(picture),
        whole_picture(predictor, picture),
        training_step(),
    ):
        for name, wanted, plain, ours in group:
            if options.only in name:
                rows.append(compare(name, wanted, plain, ours, options.repeats))
                print(rows[-1].line(), flush=True)
    said: list[str] = []
    if options.only in f"{CALLERS} callers at once":
        lone = EmotionPredictor(predictor.model, detector=MTCNNDetector(every_core=False))
        said = callers(lone, picture, options.repeats)
        print("\n" + "\n".join(said))
    if options.out:
        figures: dict[str, Any] = {"machine": machine(), "rows": [asdict(row) for row in rows], "callers": said}
        options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.exit(0)


if __name__ == "__main__":
    main()
