"""Where CROP_SCALE and CROP_DOWN in resemotenet/reading/crops.py come from, and how well they restore FER2013's frame.

    python tests/benchmarks/crop_study.py --data PATH [--n 1000] [--model FOLDER]

Fit: Training faces, enlarged four times and padded by a quarter of a frame, go through the detector; scale and offset
are medians over the faces found. Check: PublicTest faces, the crop that the library would take against the frame they
came in; with a model also its accuracy on both, over the same faces. About 70 ms a face and padding on one CPU core.

What it found, --n 1000 --seed 0:

    padding  found  scale    down   right
    black    0.896  1.091  -0.009  +0.006
    grey     0.908  1.077  -0.013  +0.007
    edge     0.906  1.072  -0.012  +0.004

    PublicTest, edge padding, 881 of 1,000 found     IoU 10% / median / 90%  correlation
    crop_box                                              0.52 / 0.78 / 0.91         0.667
    detected box as it is                                 0.49 / 0.71 / 0.78         0.522

Accuracy of the bundled weights on those 881 faces, labels FER+ strict (--skip-fit --model resemotenet/weights): given
frames 88.1%, crop_box 88.5%, detected boxes as they are 79.9%. With the same network in the 18th epoch of its
training and another draw (1,323 of 1,500 found): 87.6, 88.1, 79.4%; scales of 0.92, 1.00, 1.16, 1.25: 87.7, 88.2,
86.9, 86.9%.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from resemotenet.checkpoints.checkpoint import LoadedModel, load_model
from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.datasets import FaceSet, read_fer2013
from resemotenet.reading.crops import crop_box
from resemotenet.reading.detector import MTCNNDetector
from resemotenet.reading.faces import Box, Face, overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENLARGE = 4
FRAME = 48 * ENLARGE
PAD = FRAME // 4
SIZE = (FRAME + 2 * PAD, FRAME + 2 * PAD)
GIVEN: Box = (float(PAD), float(PAD), float(PAD + FRAME), float(PAD + FRAME))
GREY = Preprocess(size=48, channels=1, mean=(0.0,), std=(1 / 255,))  # grey levels from 0 to 255

PADDINGS: dict[str, Callable[["NDArray[np.uint8]"], "NDArray[np.uint8]"]] = {
    "black": lambda pixels: np.pad(pixels, PAD),
    "grey": lambda pixels: np.pad(pixels, PAD, constant_values=128),
    "edge": lambda pixels: np.pad(pixels, PAD, mode="edge"),
}
# The constants are taken with the padding with which most faces are found, and checked with another.
FIT_WITH, CHECK_WITH = "grey", "edge"


def framed(pixels: "NDArray[np.uint8]", padding: str) -> Image.Image:
    """A (48, 48) face as a picture in which it is small enough to be found; its frame is at ``GIVEN``."""
    large = Image.fromarray(pixels).resize((FRAME, FRAME), Image.Resampling.BICUBIC)
    return Image.fromarray(PADDINGS[padding](np.asarray(large))).convert("RGB")


def sample(faces: FaceSet, n: int, seed: int) -> FaceSet:
    """n faces drawn without replacement; all if there are fewer."""
    keep = np.zeros(len(faces), bool)
    keep[np.random.default_rng(seed).permutation(len(faces))[:n]] = True
    return faces.where(keep)


def best_faces(detector: MTCNNDetector, faces: FaceSet, padding: str) -> list[Face | None]:
    """The best-scored face found in each picture, or None."""
    found = (detector.detect(framed(image[0], padding)) for image in faces.images)
    return [max(each, key=lambda face: face.score, default=None) for each in found]


def fit(detector: MTCNNDetector, faces: FaceSet) -> None:
    """Print, for each padding, how the detected boxes lie in the frame, and the constants that follow."""
    print(f"\nFit on {len(faces)} Training faces. Box and centre in frames (median, 10th to 90th percentile).")
    titles = "  ".join(f"{title:17}" for title in ("box width", "box height", "centre x", "centre y"))
    print(f"padding  found  score>.95  {titles}   scale    down   right")
    for padding in PADDINGS:
        found = [face for face in best_faces(detector, faces, padding) if face is not None]
        boxes = (np.array([face.box for face in found]) - PAD) / FRAME
        width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
        mean = np.sqrt(width * height)
        scale, down, right = np.median(1 / mean), np.median((0.5 - y) / mean), np.median((0.5 - x) / mean)
        sure = np.mean([face.score > 0.95 for face in found]) * len(found) / len(faces)
        spreads = "  ".join(spread(values) for values in (width, height, x, y))
        mark = " <- crops.py" if padding == FIT_WITH else ""
        print(f"{padding:7}  {len(found) / len(faces):5.3f}      {sure:5.3f}  {spreads}  ", end="")
        print(f"{scale:6.3f}  {down:+.3f}  {right:+.3f}{mark}")


def spread(values: "NDArray[np.float64]") -> str:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{middle:.3f} ({low:.2f}-{high:.2f})"


def check(detector: MTCNNDetector, faces: FaceSet, model: LoadedModel | None) -> None:
    """Print how the crops that the library takes agree with the given ones."""
    pictures = [framed(image[0], CHECK_WITH) for image in faces.images]
    boxes = best_faces(detector, faces, CHECK_WITH)
    rows = [row for row, face in enumerate(boxes) if face is not None]
    detected = [face.box for face in boxes if face is not None]
    ways = {
        "given frame": [GIVEN] * len(rows),
        "crop_box": [crop_box(box, SIZE) for box in detected],
        "detected box as it is": detected,
    }
    print(f"\nCheck on {len(faces)} PublicTest faces with {CHECK_WITH} padding: {len(rows)} found. Same faces below.")
    print("crop                   IoU 10% / median / 90%  IoU>=0.5  IoU>=0.7  correlation  |difference|", end="")
    print("  accuracy" if model else "")
    given = faces.images[rows, 0].astype(np.float64)
    for name, crops in ways.items():
        pixels = [pictures[row].crop(box) for row, box in zip(rows, crops, strict=True)]
        ious = np.array([overlap(box, GIVEN) for box in crops])
        seen = GREY(pixels).numpy()[:, 0].astype(np.float64)
        low, middle, high = np.percentile(ious, [10, 50, 90])
        print(f"{name:22} {low:9.3f} / {middle:.3f} / {high:.3f}  {np.mean(ious >= 0.5):8.3f}", end="")
        print(f"  {np.mean(ious >= 0.7):8.3f}  {np.median(correlation(seen, given)):11.3f}", end="")
        print(f"  {np.median(np.abs(seen - given).mean(axis=(1, 2))):12.1f}", end="")
        print(f"  {accuracy(model, pixels, faces.targets[rows]):8.4f}" if model else "")


def correlation(a: "NDArray[np.float64]", b: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Of pixels, (N, H, W) each -> (N,); 0 where a picture is of one colour."""
    a, b = a - a.mean(axis=(1, 2), keepdims=True), b - b.mean(axis=(1, 2), keepdims=True)
    norm = np.sqrt((a**2).sum(axis=(1, 2)) * (b**2).sum(axis=(1, 2)))
    return np.divide((a * b).sum(axis=(1, 2)), norm, out=np.zeros(len(a)), where=norm > 0)


def accuracy(model: LoadedModel, crops: list[Image.Image], targets: "NDArray[np.int64]") -> float:
    """Share of crops read as their label; targets are canonical indices."""
    from resemotenet import EMOTIONS

    parts = torch.split(model.preprocess(crops), 256)
    answers = np.concatenate([model.probabilities(part).argmax(dim=1).numpy() for part in parts])
    names = np.array(model.labels)[answers]
    return float(np.mean(names == np.array(EMOTIONS)[targets]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="FER2013, in any layout that resemotenet reads")
    parser.add_argument("--n", type=int, default=1000, help="faces in the fit and in the check (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="which faces are drawn (default 0)")
    parser.add_argument("--model", type=Path, help="a model folder, for the accuracy on both crops")
    parser.add_argument("--labels", default="ferplus-strict", help="labels of the check (default ferplus-strict)")
    parser.add_argument("--skip-fit", action="store_true", help="only check")
    arguments = parser.parse_args()

    data = read_fer2013(arguments.data)
    detector = MTCNNDetector(thorough=False)
    if not arguments.skip_fit:
        fit(detector, sample(data.split("train"), arguments.n, arguments.seed))
    model = load_model(arguments.model) if arguments.model else None
    check(detector, sample(data.split("validation", arguments.labels), arguments.n, arguments.seed), model)


if __name__ == "__main__":
    main()
