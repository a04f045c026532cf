"""Schematic faces drawn from parameters: no data set, but a stand-in to train on where there is none.

A head with brows, eyes and a mouth, turned, shifted, lit from one side and covered with noise. The emotion decides how
far brows, lids and mouth leave their rest; how strongly it shows differs from face to face, down to hardly at all, so
some faces are ambiguous, as real ones are: angry and disgust, fear and surprise, and everything faint and neutral.
Who knew every feature exactly would name 93% of them right (a test computes it).

Nothing learned here says anything about people. Every split, file and figure made from it is named "synthetic".
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..emotions import EMOTIONS
from .base import FaceSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 48
SIZES = {"train": 5_600, "validation": 1_050, "test": 1_050}
# How often each emotion is drawn, in canonical order; disgust is rare, as it is in FER2013.
_SHARES = (0.15, 0.07, 0.15, 0.19, 0.16, 0.15, 0.13)
_CHUNK = 256

# Where an emotion takes the features when it shows fully; 1 is about 3 px. brow_slant > 0 lifts the inner ends of the
# brows, mouth_curve > 0 the corners of the mouth.
# Columns: brow_lift, brow_slant, eye_open, mouth_curve, mouth_open, mouth_width.
_FULL = {
    "angry": (-0.6, -1.0, -0.3, -0.4, 0.1, -0.1),
    "disgust": (-0.4, -0.7, -0.6, -0.7, 0.3, 0.0),
    "fear": (0.7, 0.6, 0.6, -0.3, 0.5, 0.1),
    "happy": (0.1, 0.0, -0.3, 1.0, 0.3, 0.3),
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "sad": (0.0, 0.8, -0.4, -0.8, 0.0, -0.1),
    "surprise": (1.0, 0.1, 0.7, 0.0, 1.0, -0.3),
}
# Standard deviation of each feature from person to person.
_SPREAD = 0.17
# How strongly an emotion shows: uniform between these.
_STRENGTH = (0.4, 1.0)


@dataclass(frozen=True)
class Synthetic:
    """The same seed gives the same pixels, whatever else was drawn."""

    seed: int = 0

    def split(self, split: str, labels: str = "synthetic") -> FaceSet:
        """All faces of one split.

        Args:
            split: "train", "validation" or "test"; sizes in ``SIZES``.
            labels: "synthetic", what was drawn; there are no others.

        Returns:
            images (N, 1, 48, 48) uint8, one-hot distributions, ids like "train-00041".

        Raises:
            ValueError: no such split or label definition.
        """
        if split not in SIZES or labels != "synthetic":
            raise ValueError(
                f"no split {split!r} with labels {labels!r}; splits: {', '.join(SIZES)}; labels: synthetic"
            )
        n = SIZES[split]
        rng = np.random.default_rng([self.seed, list(SIZES).index(split)])
        targets = rng.choice(len(EMOTIONS), n, p=_SHARES).astype(np.int64)
        strength = rng.uniform(*_STRENGTH, (n, 1))
        full = np.array([_FULL[emotion] for emotion in EMOTIONS])
        features = full[targets] * strength + rng.normal(0, _SPREAD, (n, full.shape[1]))
        pose = _Pose.draw(n, rng)
        images = np.empty((n, 1, SIDE, SIDE), np.uint8)
        for start in range(0, n, _CHUNK):
            rows = slice(start, start + _CHUNK)
            images[rows, 0] = _render(features[rows].astype(np.float32), pose.part(rows), rng)
        ids = np.array([f"{split}-{row:05d}" for row in range(n)])
        return FaceSet("synthetic", split, images, targets, np.eye(len(EMOTIONS), dtype=np.float32)[targets], ids)


@dataclass(frozen=True)
class _Pose:
    """What has nothing to do with the emotion; one column (N, 1, 1) each."""

    roll: "NDArray[np.float32]"
    yaw: "NDArray[np.float32]"
    shift_x: "NDArray[np.float32]"
    shift_y: "NDArray[np.float32]"
    size: "NDArray[np.float32]"
    light: "NDArray[np.float32]"
    skin: "NDArray[np.float32]"
    ground: "NDArray[np.float32]"
    ink: "NDArray[np.float32]"
    noise: "NDArray[np.float32]"

    @classmethod
    def draw(cls, n: int, rng: np.random.Generator) -> "_Pose":
        ranges = {
            "roll": (-0.2, 0.2),  # radians
            "yaw": (-3.0, 3.0),  # px that the features move within the head
            "shift_x": (-2.5, 2.5),  # px
            "shift_y": (-2.5, 2.5),
            "size": (0.88, 1.1),
            "light": (-1.2, 1.2),  # grey levels a px, from left to right
            "skin": (120, 205),  # grey levels from here on
            "ground": (20, 110),
            "ink": (15, 75),
            "noise": (6, 22),
        }
        return cls(**{name: rng.uniform(*span, (n, 1, 1)).astype(np.float32) for name, span in ranges.items()})

    def part(self, rows: slice) -> "_Pose":
        return _Pose(**{name: column[rows] for name, column in vars(self).items()})


def _render(features: "NDArray[np.float32]", pose: _Pose, rng: np.random.Generator) -> "NDArray[np.uint8]":
    """(n, 6) features -> (n, 48, 48) uint8. Lengths are px of an upright head of size 1, its centre the origin."""
    lift, slant, eye, curve, gape, width = (column[:, None, None] for column in features.T)
    down, across = np.mgrid[:SIDE, :SIDE].astype(np.float32) - (SIDE - 1) / 2
    u, v = across - pose.shift_x, down - pose.shift_y
    x = (np.cos(pose.roll) * u + np.sin(pose.roll) * v) / pose.size
    y = (np.cos(pose.roll) * v - np.sin(pose.roll) * u) / pose.size
    head = _soft(19 * (1 - np.hypot(x / 17, y / 21)))
    x = x - pose.yaw
    side = np.abs(x) - 7.5  # from the middle of the nearer eye, outwards
    brow_height = -9.5 - 2.5 * lift + 0.38 * slant * side
    brows = _soft(1.0 - np.abs(y - brow_height)) * _soft(5 - np.abs(side))
    opening = np.maximum(2.0 + 1.3 * eye, 0.5)
    eyes = _soft(opening * (1 - np.hypot(side / 3.6, (y + 4) / opening)))
    nose = 0.5 * _soft(1.0 - np.abs(x)) * _soft(3.5 - np.abs(y - 2))
    half = 7.5 * (1 + 0.6 * width)
    middle = 11 - 3.2 * curve * ((x / half) ** 2 - 0.4)
    lips = np.maximum(0.9 + 3.2 * gape * (1 - (x / half) ** 2), 0.9)
    mouth = _soft(lips - np.abs(y - middle)) * _soft(half - np.abs(x))
    drawn = np.maximum.reduce([brows, eyes, nose, mouth])
    grey = pose.ground + head * (pose.skin - pose.ground)
    grey = grey + head * drawn * (np.minimum(pose.ink, 0.6 * pose.skin) - pose.skin) + pose.light * across
    grey = grey + pose.noise * rng.standard_normal(grey.shape, np.float32)
    pixels: NDArray[np.uint8] = grey.round().clip(0, 255).astype(np.uint8)
    return pixels


def _soft(inside: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Coverage of a pixel from its distance (px) to the edge, positive inside: an edge without steps."""
    return (inside + 0.5).clip(0, 1)
