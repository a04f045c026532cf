"""MTCNN's three networks, one after the other: proposals from all places and sizes, refined, then refined once more.

The method is that of Zhang et al., 2016 (https://arxiv.org/abs/1604.02878); weights and arithmetic are those of
facenet-pytorch (https://github.com/timesler/facenet-pytorch, MIT), in whose package the weights come, and the faces are
the same. What differs is how fast they are found: the networks run in ONNX Runtime, in the form that suits it, all
smaller pictures come from one table of sums, the first network does not look where there is nothing but margin, and
large pictures go in pieces.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ..checkpoints.backends import Session, choose_backend, spread
from ..checkpoints.graph import NetworkGraph, build_graph
from .blocked import in_blocks
from .means import Means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

# Lowest probabilities of a face after each network, and sizes of the pyramid, as published.
THRESHOLDS = (0.6, 0.7, 0.7)
PYRAMID_FACTOR = 0.709
# What the first network sees of a level at once, and how far its places are apart, in pixels.
WINDOW, STRIDE = 12, 2
# How many pixels a strip of a level has, and at least how many rows of places. Smaller ones stay in a core's cache and
# take a single thread no longer, but several threads wait for the interpreter after each.
STRIP_PIXELS, STRIP_PLACES = 2**17, 12
# Sides of what the second and the third network see.
REFINED_SIDE, LOCATED_SIDE = 24, 48
# Boxes that share more are one face: within a level of the pyramid and after each network. All are shares of the union
# but the last, a share of the smaller box.
LEVEL_OVERLAP, PROPOSED_OVERLAP, REFINED_OVERLAP, CONTAINED = 0.5, 0.7, 0.7, 0.7


class Looks(NamedTuple):
    """What the last network says of crops, in sides of a crop from its top left corner.

    Attributes:
        moves: (N, 4), from the corners of the crop to those of the face, (x1, y1, x2, y2).
        landmarks: (N, 10), x of five points, then their y.
        scores: (N,), 0 to 1.
    """

    moves: "Floats"
    landmarks: "Floats"
    scores: "Floats"


class Cascade:
    """The networks, ready to run. Safe to call from several threads.

    Args:
        backend: "auto", "onnxruntime" or "torch"; on the CPU.
        every_core: spread a picture over the cores, else one thread does it.

    Raises:
        ImportError: facenet-pytorch is not installed.
        BackendError: the backend is not installed.
    """

    def __init__(self, *, backend: str = "auto", every_core: bool = True) -> None:
        backend = choose_backend(backend, torch.device("cpu"))
        self._proposals, self._refined, self._located = _load(backend, every_core=every_core)
        self._map: Callable[..., Iterable[Any]] = spread if every_core else map

    def find(self, pixels: "NDArray[np.uint8]", smallest: int, margin: int) -> "tuple[Floats, Floats]":
        """Faces of a picture.

        Args:
            pixels: (H, W, 3), RGB, or with a fourth channel of anything, which is faster.
            smallest: side of the smallest face that is looked for, in pixels.
            margin: width of an empty border that the picture has.

        Returns:
            Boxes with scores (N, 5), (x1, y1, x2, y2, score), and landmarks (N, 5, 2), in pixels of the picture.
        """
        picture = Means(pixels)
        boxes, moves = self._refine(picture, _squared(self._propose(picture, smallest, margin)))
        boxes = _squared(_moved(boxes, moves))
        corners, inside = _inside(boxes, picture.size)
        looks = self._locate(picture.parts(corners, LOCATED_SIDE))
        good = looks.scores > THRESHOLDS[2]
        boxes = np.column_stack([boxes[inside][good, :4], looks.scores[good]])
        sides = boxes[:, 2:4] - boxes[:, :2] + 1
        places = looks.landmarks[good].reshape(-1, 2, 5).transpose(0, 2, 1)
        points = places * sides[:, None] + boxes[:, None, :2] - 1
        boxes = _moved(boxes, looks.moves[good])
        kept = _suppress_contained(boxes, CONTAINED)
        return boxes[kept], points[kept]

    def look(self, crops: "NDArray[np.uint8]") -> Looks:
        """The last network alone, for RGB crops (N, 48, 48, 3)."""
        return self._locate(np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32))

    def _locate(self, crops: "Floats") -> Looks:
        moves, landmarks, logits = self._located(crops)
        return Looks(moves, landmarks, _probability(logits[:, 0]))

    def _propose(self, picture: Means, smallest: int, margin: int) -> "Floats":
        """Boxes (N, 5) that may be faces."""
        strips = list(_strips(picture.size, smallest, margin))
        levels: defaultdict[float, list[Floats]] = defaultdict(list)
        for strip, boxes in zip(strips, self._map(partial(self._look_over, picture), strips), strict=True):
            levels[strip.scale].append(boxes)
        best = [boxes[_suppress(boxes, LEVEL_OVERLAP)] for boxes in map(np.concatenate, levels.values())]
        found = np.concatenate([np.empty((0, 9), np.float32), *best])
        found = found[_suppress(found, PROPOSED_OVERLAP)]
        sides = np.tile(found[:, 2:4] - found[:, :2], 2)
        return np.column_stack([found[:, :4] + found[:, 5:] * sides, found[:, 4]])

    def _look_over(self, picture: Means, strip: "_Strip") -> "Floats":
        """Boxes, scores and moves of the corners in sides (N, 9)."""
        level = picture.whole(strip.width, strip.height, strip.skipped, strip.rows)
        ends = self._proposals(level)[0][0]
        moves, logits = ends[:4], ends[4]
        rows, columns = np.nonzero(logits >= math.log(THRESHOLDS[0] / (1 - THRESHOLDS[0])))
        if not len(rows):
            return np.empty((0, 9), np.float32)
        corners = np.column_stack([columns * STRIDE, rows * STRIDE + strip.rows.start]).astype(np.float32)
        corners += strip.skipped
        scale = np.float32(strip.scale)
        ends = [np.floor((corners + 1) / scale), np.floor((corners + WINDOW) / scale)]
        return np.column_stack([*ends, _probability(logits[rows, columns]), moves[:, rows, columns].T])

    def _refine(self, picture: Means, boxes: "Floats") -> "tuple[Floats, Floats]":
        """Those of the boxes (N, 5) that still look like faces, and how their corners move, in sides (N, 4)."""
        corners, inside = _inside(boxes, picture.size)
        moves, logits = self._refined(picture.parts(corners, REFINED_SIDE))
        scores = _probability(logits[:, 0])
        good = scores > THRESHOLDS[1]
        boxes, moves = np.column_stack([boxes[inside][good, :4], scores[good]]), moves[good]
        kept = _suppress(boxes, REFINED_OVERLAP)
        return boxes[kept], moves[kept]


_Network = Callable[["NDArray[Any]"], "list[NDArray[np.float32]]"]


class _Strip(NamedTuple):
    """Rows of one size of the picture that the first network looks at together.

    Attributes:
        scale: by what the picture is multiplied.
        width, height: of the whole picture at that size.
        skipped: width of a border that is left out, for a window there holds nothing but margin.
        rows: of the pixels inside the border.
    """

    scale: float
    width: int
    height: int
    skipped: int
    rows: range


def _strips(size: tuple[int, int], smallest: int, margin: int) -> Iterator[_Strip]:
    for scale in _scales(min(size), smallest):
        width, height = (int(side * scale + 1) for side in size)
        skipped = max(0, int(margin * scale) - WINDOW) // STRIDE * STRIDE
        inside = height - 2 * skipped
        # The last place may lack a row of pixels, as the network's pooling rounds up.
        places = (inside - WINDOW + 1) // STRIDE + 1
        together = max(STRIP_PLACES, STRIP_PIXELS // (width - 2 * skipped) // STRIDE)
        for first in range(0, places, together):
            last = min(places, first + together) - 1
            yield _Strip(scale, width, height, skipped, range(first * STRIDE, min(inside, last * STRIDE + WINDOW)))


def _scales(side: int, smallest: int) -> Iterator[float]:
    """By what the picture is multiplied for each level: at the first the smallest face fills a window."""
    scale = WINDOW / smallest
    left = side * scale
    while left >= WINDOW:
        yield scale
        scale, left = scale * PYRAMID_FACTOR, left * PYRAMID_FACTOR


def _inside(boxes: "Floats", size: tuple[int, int]) -> "tuple[NDArray[np.int64], NDArray[np.bool_]]":
    """The part of boxes (N, 5) inside the picture in whole pixels (M, 4), and which of the boxes have one."""
    corners = np.trunc(boxes[:, :4]).astype(np.int64)
    corners[:, :2] = np.maximum(corners[:, :2], 1) - 1
    corners[:, 2:] = np.minimum(corners[:, 2:], size)
    inside: NDArray[np.bool_] = np.all(corners[:, 2:] > corners[:, :2], axis=1)
    return corners[inside], inside


def _probability(logits: "Floats") -> "Floats":
    with np.errstate(over="ignore"):  # a very sure "no" is 1 / infinity
        shares: Floats = np.reciprocal(1 + np.exp(-logits))
        return shares


def _squared(boxes: "Floats") -> "Floats":
    """Each box as the square around its centre that is as wide as the longer side."""
    sides = boxes[:, 2:4] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True)
    corners = boxes[:, :2] + sides * 0.5 - longer * 0.5
    return np.column_stack([corners, corners + longer, boxes[:, 4]])


def _moved(boxes: "Floats", moves: "Floats") -> "Floats":
    sides = np.tile(boxes[:, 2:4] - boxes[:, :2] + 1, 2)
    return np.column_stack([boxes[:, :4] + moves * sides, boxes[:, 4]])


def _suppress(boxes: "Floats", most: float) -> "NDArray[np.int64]":
    """Of boxes (N, 5 or more) that share more than this (intersection over union), the best; the best first."""
    from torchvision.ops import nms  # slow to import

    kept: NDArray[np.int64] = nms(torch.from_numpy(boxes[:, :4]), torch.from_numpy(boxes[:, 4]), most).numpy()
    return kept


def _suppress_contained(boxes: "Floats", most: float) -> list[int]:
    """Of boxes that share more than this part of the smaller one, the best; the best first."""
    sizes = boxes[:, 2:4] - boxes[:, :2] + 1
    areas = sizes.prod(axis=1)
    left, kept = np.argsort(boxes[:, 4]), []
    while len(left):
        best, left = left[-1], left[:-1]
        kept.append(int(best))
        low, high = np.maximum(boxes[best, :2], boxes[left, :2]), np.minimum(boxes[best, 2:4], boxes[left, 2:4])
        shared = np.maximum(0, high - low + 1).prod(axis=1)
        left = left[shared / np.minimum(areas[best], areas[left]) <= most]
    return kept


class _Kind(NamedTuple):
    """One of the three networks in facenet-pytorch."""

    file: str
    name: str
    side: int
    scores: str
    softmax: str


_KINDS = (
    _Kind("pnet.pt", "PNet", WINDOW, "conv4_1", "softmax4_1"),
    _Kind("rnet.pt", "RNet", REFINED_SIDE, "dense5_1", "softmax5_1"),
    _Kind("onet.pt", "ONet", LOCATED_SIDE, "dense6_1", "softmax6_1"),
)


def graphs() -> tuple[NetworkGraph, NetworkGraph, NetworkGraph]:
    """The three networks: they take levels from 0 to 255 and give moves, landmarks (the last) and logarithms of odds.

    Raises:
        ImportError: facenet-pytorch is not installed.
    """
    first, second, third = (_graph(network, kind) for network, kind in _networks())
    return first, second, third


def _load(backend: str, *, every_core: bool) -> "list[_Network]":
    if backend == "torch":
        first, *others = (partial(_in_torch, network) for network, _ in _networks())
        return [lambda level: [np.concatenate(first(level), axis=1)], *others]
    graphs = [_graph(in_blocks(network), kind) for network, kind in _networks()]
    return [Session(graph, every_core=every_core) for graph in graphs]


def _networks() -> "list[tuple[nn.Module, _Kind]]":
    try:
        from facenet_pytorch.models import mtcnn
    except ImportError as error:
        raise ImportError("finding faces needs facenet-pytorch: pip install 'facenet-pytorch>=2.5.3,<2.6'") from error
    folder = Path(mtcnn.__file__).parents[1] / "data"
    with torch.device("meta"):  # weights drawn only to be replaced would move torch's random state
        networks = [getattr(mtcnn, kind.name)(pretrained=False) for kind in _KINDS]
    for network, kind in zip(networks, _KINDS, strict=True):
        weights = torch.load(folder / kind.file, map_location="cpu", weights_only=True)
        network.load_state_dict(weights, strict=True, assign=True)
        _take_levels_and_give_odds(network.eval().requires_grad_(False), kind)
    return list(zip(networks, _KINDS, strict=True))


def _take_levels_and_give_odds(network: Any, kind: _Kind) -> None:
    # Levels from 0 to 255 go in as they are: what brings them to -1 to 1 is a part of the first convolution.
    first = network.conv1
    first.bias -= 127.5 / 128 * first.weight.sum(dim=(1, 2, 3))
    first.weight /= 128
    # Out comes the logarithm of the odds of a face, and not the shares of "no" and "yes".
    last = getattr(network, kind.scores)
    last.weight = nn.Parameter(last.weight[1:] - last.weight[:1], requires_grad=False)
    last.bias = nn.Parameter(last.bias[1:] - last.bias[:1], requires_grad=False)
    setattr(network, kind.softmax, nn.Identity())


def _graph(network: nn.Module, kind: _Kind) -> NetworkGraph:
    shape = (2, 3, kind.side, kind.side)
    with torch.inference_mode():
        answer = network(torch.zeros(shape))
    outputs = [f"output_{number}" for number, _ in enumerate((answer,) if isinstance(answer, torch.Tensor) else answer)]
    free = {0: "N", 2: "H", 3: "W"} if kind.name == "PNet" else {0: "N"}
    return build_graph(network, shape, input="levels", outputs=outputs, free=free)


@torch.inference_mode()
def _in_torch(network: nn.Module, levels: "Floats") -> "list[Floats]":
    return [output.numpy() for output in network(torch.from_numpy(levels))]
