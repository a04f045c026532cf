"""Faces in pictures: what a detector gives, and the geometry of boxes."""

import math
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

Box = tuple[float, float, float, float]
Point = tuple[float, float]

# Boxes whose intersection is more than this share of their union are one face.
MAX_OVERLAP = 0.4
# Scores below this are shown beside what is read, since what was found may be no face.
LOW_SCORE = 0.98


@dataclass(frozen=True)
class Face:
    """A detected face, in pixels of the upright picture.

    Attributes:
        box: (x1, y1, x2, y2); reaches outside the picture where the face does.
        score: how sure the detector is, 0 to 1.
        landmarks: (x, y) of both eyes, nose, both corners of the mouth, left before right as seen in an upright face;
            () if the detector gives none.
    """

    box: Box
    score: float
    landmarks: tuple[Point, ...] = ()


class FaceDetector(Protocol):
    """Anything that finds faces; give yours to ``EmotionPredictor(detector=...)``."""

    def detect(self, image: Image.Image) -> list[Face]:
        """Every face of an upright RGB picture, largest first; [] where there is none. Called from several threads.

        With landmarks, in the order that ``Face`` says: faces are turned upright by them. Without, they are not.
        """
        ...


def roll(face: Face) -> float:
    """How far a face leans sideways, in hundredths of a degree from -180 to 180, clockwise as the picture is seen.

    From the lines through the eyes and through the corners of the mouth; 0 where a detector gives no such landmarks.
    """
    if len(face.landmarks) != 5:
        return 0.0
    (left_x, left_y), (right_x, right_y), _, (mouth_x1, mouth_y1), (mouth_x2, mouth_y2) = face.landmarks
    down, across = right_y - left_y + mouth_y2 - mouth_y1, right_x - left_x + mouth_x2 - mouth_x1
    return round(math.degrees(math.atan2(down, across)), 2)


def suppress_overlaps(faces: list[Face], max_overlap: float = MAX_OVERLAP) -> list[Face]:
    """Of faces that overlap more than that (intersection over union), keep the best scored; largest first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(overlap(face.box, other.box) <= max_overlap for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: (-area(face.box), face.box))


def area(box: Box) -> float:
    """Area of a box in square pixels; 0 if it is turned inside out."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    shared = area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    union = area(a) + area(b) - shared
    return shared / union if union > 0 else 0.0


def clip(box: Box, size: tuple[int, int]) -> Box | None:
    """The part of a box that lies in a picture of (width, height); None if there is none."""
    width, height = size
    x1, y1, x2, y2 = box
    inside = (max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2))
    return inside if area(inside) > 0 else None
