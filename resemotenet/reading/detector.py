"""The face detector: MTCNN, for pictures of any size, faces that fill them, stand against the light, and lie."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from .cascade import THRESHOLDS, Cascade
from .faces import Box, Face, Point, clip, roll, suppress_overlaps
from .light import face_lightened, shadows

if TYPE_CHECKING:
    from numpy.typing import NDArray

GREY = (128, 128, 128)


class MTCNNDetector:
    """MTCNN; the same picture gives the same faces.

    Pictures larger than ``max_side`` are searched at that size and the boxes scaled back. The smallest face looked
    for is ``min_face`` pixels high at the size searched: 20 pixels, or 2% of the longer side of a large picture.

    Where no face is found, the picture is searched again, exposed for its shadows: a face before a window is dark in a
    picture that is not. And MTCNN knows faces that stand upright or lean by some 30 degrees. Where there is none, the
    picture is searched once more at no more than half that size, turned by each eighth of a full turn: a photograph
    that lies on its side, a head on a pillow. Of these ways the one with the best scored face counts. This takes 0.2 to
    0.3 s on one CPU core. And MTCNN takes some faces that lie or hang for upright ones; so each face is looked at from
    all sides, and where one of them shows it far more surely, the landmarks are those seen from there.

    Args:
        min_score: faces with a lower score are left out; of those found in shadows or turned, all below
            ``BACKLIT_SCORE`` or ``TURNED_SCORE`` too.
        max_side: longer side, in pixels, at which pictures are searched; at most ``MAX_SIDE``.
        min_face: side of the smallest face, in pixels of the picture that is searched.
        thorough: whether a picture in which nobody is found is searched again, in its shadows and turned, and each face
            is looked at from all sides.
        every_core: whether a search is spread over the cores; not where several pictures come at once.
        backend: what runs the networks: "auto" and "onnxruntime" are ONNX Runtime, "torch" is slower. They are tiny and
            stay on the CPU.

    Raises:
        ImportError: facenet-pytorch is not installed.
        BackendError: the backend is not installed.
        ValueError: ``max_side`` is too large.
    """

    # A grey margin around the picture, as a share of its shorter side. Without it 83% of a sample of 400 faces of
    # FER2013, which fill their picture, are found upright; with it 90%; wider margins give no more.
    MARGIN = 0.125
    MAX_SIDE = 3200
    # Degrees by which a picture is turned, counterclockwise, where no face stands upright.
    TURNS = (45, 90, 135, 180, 225, 270, 315)
    # The lowest score of a face that only the turned search finds. Of 359 pictures and parts of pictures without people
    # (of scikit-image, Gradio and documentation) the seven turns report faces in 19 with 0.9, in 10 with 0.95, in none
    # with 0.98; of 232 photographs of a face, laid on a side, 230 keep it.
    TURNED_SCORE = 0.98
    # The lowest score of a face that only the shadows show (training/LOG.md, faces against the light).
    BACKLIT_SCORE = 0.95
    # How many times the odds of a face must be, seen from another side. In scenes (tests/benchmarks/scene_study.py),
    # 176 of 952 faces that lay on a side or stood on their head had landmarks more than 60 degrees wrong; with 150 that
    # is 80, and of 2,474 others, many of them blurred, 6 become wrong. With 20 it is 55, and 55 of the others.
    SURER = 150

    def __init__(
        self,
        *,
        min_score: float = 0.9,
        max_side: int = 1024,
        min_face: int = 20,
        thorough: bool = True,
        every_core: bool = True,
        backend: str = "auto",
    ) -> None:
        if not 1 <= max_side <= self.MAX_SIDE:
            raise ValueError(f"max_side must be from 1 to {self.MAX_SIDE} pixels, got {max_side}")
        self.min_score = min_score
        self.max_side = max_side
        self.min_face = min_face
        self.thorough = thorough
        self._cascade = Cascade(backend=backend, every_core=every_core)

    def detect(self, image: Image.Image) -> list[Face]:
        """Every face of an upright RGB picture, largest first; [] where there is none."""
        faces = self._search(image)
        if not faces and self.thorough:
            faces = self._search_shadows(image)
        if not faces and self.thorough:
            ways = [self._search_turned(image, degrees) for degrees in self.TURNS]
            best = max(ways, key=lambda found: max((face.score for face in found), default=0.0))
            faces = [face for face in best if face.score >= self.TURNED_SCORE]
        faces = suppress_overlaps([face for face in faces if clip(face.box, image.size)])
        if not (faces and self.thorough):
            return faces
        small = _at_most(image, self.max_side)
        seen = [self._seen_around(small, face, small.width / image.width) for face in faces]
        return [face for face in seen if face.score >= self.min_score]

    def detect_backlit(self, image: Image.Image) -> list[Face]:
        """Every face of ``detect``'s picture that stands upright in its shadows, largest first."""
        return suppress_overlaps([face for face in self._search_shadows(image) if clip(face.box, image.size)])

    def _search_shadows(self, image: Image.Image) -> list[Face]:
        exposed = shadows(image)
        found = [] if exposed is None else self._search(exposed)
        return [face for face in found if face.score >= self.BACKLIT_SCORE]

    def _search(self, image: Image.Image) -> list[Face]:
        searched = _at_most(image, self.max_side)
        ratio = np.divide(image.size, searched.size)
        margin = round(self.MARGIN * min(searched.size))
        found, points = self._cascade.find(_pixels(ImageOps.expand(searched, margin, fill=GREY)), self.min_face, margin)
        corners = (found[:, :4].reshape(-1, 2, 2) - margin) * ratio
        points = (points - margin) * ratio
        return [
            Face(_box(corners[i].ravel()), min(1.0, float(found[i, 4])), _points(points[i]))
            for i in range(len(found))
            if found[i, 4] >= self.min_score
        ]

    def _search_turned(self, image: Image.Image, degrees: float) -> list[Face]:
        small = _at_most(image, self.max_side // 2)
        turned = small.rotate(degrees, Image.Resampling.BILINEAR, expand=True, fillcolor=GREY)
        return [_turned_back(face, degrees, turned, small, image) for face in self._search(turned)]

    def _seen_around(self, small: Image.Image, face: Face, scale: float) -> Face:
        """A face with the landmarks seen from the side from which it is by far most surely one; else as it is.

        Args:
            small: the picture, ``scale`` times as large as the one whose pixels the face is in.
        """
        square = _square(_box(scale * np.array(face.box)))
        looks = self._cascade.look(_from_all_sides(small, square, roll(face)))
        odds = looks.scores / np.maximum(1 - looks.scores, 1e-9)
        best = int(odds.argmax())
        if odds[best] <= self.SURER * odds[0]:
            return face
        side = square[2] - square[0]
        places = (looks.landmarks[best].reshape(2, 5).T - 0.5) @ _turning_back(roll(face) + 45 * best) * side
        centre = np.array([square[0] + side / 2, square[1] + side / 2])
        return Face(face.box, float(looks.scores[best]), _points((places + centre) / scale))

    def follow(self, image: Image.Image, boxes: Sequence[Box]) -> list[Face | None]:
        """Where faces that were at ``boxes`` a moment ago are now; None for one that is not there any more.

        Only the cascade's last network looks, once at each face: some 30 times as fast as searching the picture. It
        corrects a box by up to about a fifth of its side, finds nobody new, and may stay on something that only looks
        like a face, so search anew every now and then.

        Args:
            image: upright, RGB.
            boxes: (x1, y1, x2, y2) in pixels of the image, as ``detect`` or this function gave them.
        """
        if not boxes:
            return []
        squares = [_square(box) for box in boxes]
        looks = self._cascade.look(np.stack([_shrink(image, square) for square in squares]))
        moved = zip(squares, *looks, strict=True)
        faces = [_moved(*each) if each[3] >= THRESHOLDS[2] else None for each in moved]
        return [face if face and clip(face.box, image.size) else None for face in faces]


def _at_most(image: Image.Image, side: int) -> Image.Image:
    """A picture no longer than that; itself if it is not."""
    shrink = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _pixels(image: Image.Image) -> "NDArray[np.uint8]":
    """Those of an RGB picture as they lie in memory, (H, W, 4) with an empty channel: no copy pixel by pixel."""
    return np.frombuffer(image.tobytes("raw", "RGBX"), np.uint8).reshape(image.height, image.width, 4)


def _turned_back(face: Face, degrees: float, turned: Image.Image, small: Image.Image, image: Image.Image) -> Face:
    """A face of ``turned``, which is ``small`` turned counterclockwise about its centre, in pixels of ``image``.

    Its box is upright again: of the same area, wide where it was high after a quarter turn, square after an eighth.
    """
    back = _turning_back(degrees)
    x1, y1, x2, y2 = face.box
    places = np.array([((x1 + x2) / 2, (y1 + y2) / 2), *face.landmarks]) - np.divide(turned.size, 2)
    places = (places @ back + np.divide(small.size, 2)) * np.divide(image.size, small.size)
    sides = np.array([x2 - x1, y2 - y1]) * np.divide(image.size, small.size)
    half = np.exp(np.square(back) @ np.log(sides)) / 2  # the geometric mean after an eighth
    return Face(_box(np.concatenate([places[0] - half, places[0] + half])), face.score, _points(places[1:]))


def _turning_back(degrees: float) -> "NDArray[np.float64]":
    """For (x, y) about the centre of a picture turned counterclockwise, as rows times this: where they were."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, sin], [-sin, cos]])


def _square(box: Box) -> Box:
    """The square around a box that the cascade's last network is shown, as large as the box's longer side."""
    x1, y1, x2, y2 = box
    half = max(x2 - x1, y2 - y1) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return x - half, y - half, x + half, y + half


def _shrink(image: Image.Image, square: Box) -> "NDArray[np.uint8]":
    """What is in a square, (48, 48, 3); black where it reaches outside the picture."""
    x1, y1 = round(square[0]), round(square[1])
    side = max(1, round(square[2] - square[0]))
    crop = image.crop((x1, y1, x1 + side, y1 + side))
    return np.asarray(face_lightened(crop.resize((48, 48), Image.Resampling.BILINEAR, reducing_gap=2.0)))


def _from_all_sides(image: Image.Image, square: Box, upright: float) -> "NDArray[np.uint8]":
    """What is in a square, turned counterclockwise about its centre so far and by each eighth more: (8, 48, 48, 3)."""
    x1, y1, x2, y2 = square
    margin = (x2 - x1) * (math.sqrt(2) - 1) / 2
    around = image.crop((round(x1 - margin), round(y1 - margin), round(x2 + margin), round(y2 + margin)))
    around = face_lightened(around.resize((136, 136), Image.Resampling.BILINEAR, reducing_gap=2.0))
    turned = [around.rotate(upright + degrees, Image.Resampling.BILINEAR) for degrees in (0, 45)]
    pair = [np.asarray(each.resize((48, 48), Image.Resampling.BOX, (20, 20, 116, 116))) for each in turned]
    return np.stack([np.rot90(pair[eighths % 2], eighths // 2) for eighths in range(8)])  # quarters move no pixel


def _moved(square: Box, move: "NDArray[Any]", points: "NDArray[Any]", score: np.float32) -> Face:
    """A face from the last network's answer: offsets of the corners and places of the landmarks, in sides."""
    x, y, side = square[0], square[1], square[2] - square[0]
    box = _box(np.array(square) + side * move)
    return Face(
        box, float(score), tuple((x + side * float(points[i]), y + side * float(points[5 + i])) for i in range(5))
    )


def _box(corners: "NDArray[Any]") -> Box:
    x1, y1, x2, y2 = corners.tolist()
    return x1, y1, x2, y2


def _points(places: "NDArray[Any]") -> tuple[Point, ...]:
    return tuple((x, y) for x, y in places.tolist())
