"""From pictures to faces with emotions: detection, crops, one model batch, in one place."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..checkpoints.checkpoint import LoadedModel, load_model
from ..checkpoints.pretrained import Source, resolve
from ..emotions import canonical_order
from ..errors import DeviceError
from .crops import crop_box, crop_roll, cut
from .detector import MTCNNDetector
from .faces import Box, Face, FaceDetector, clip
from .images import ImageSource, lightened, read_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

REPORT_SCHEMA = 1

# A detected face, the part of its box inside the picture, the square that the model sees, and its turn.
_Place = tuple[Face, Box, Box, float]

# How many crops go through the network at once: bounds the memory of a long batch() and costs no speed.
_MODEL_BATCH = 256


@dataclass(frozen=True)
class FaceEmotion:
    """One face of a picture and what the model reads in it.

    Attributes:
        box: the detected face, (x1, y1, x2, y2) float pixels, clipped, in the upright (EXIF-turned) picture.
        crop_box: the square that the model saw, same coordinates, whole pixels, inside the picture.
        crop_roll: by how many degrees that square was turned about its centre, clockwise, so that a leaning face stood
            upright in it; 0 for a face that leans less than ``crops.LEVEL``. ``crops.cut`` gives the same pixels again.
        detection_score: how sure the detector is that this is a face, 0 to 1.
        label: the emotion with the largest probability.
        confidence: that probability.
        probabilities: emotion -> probability, all of the model's labels, in canonical order (``EMOTIONS``); sums to 1.
    """

    box: Box
    crop_box: Box
    detection_score: float
    label: str
    confidence: float
    probabilities: dict[str, float]
    crop_roll: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: boxes as lists rounded to 0.01 px, fractions rounded to six places."""
        return {
            "box": [round(value, 2) for value in self.box],
            "crop_box": [round(value, 2) for value in self.crop_box],
            "crop_roll": round(self.crop_roll, 2),
            "detection_score": round(self.detection_score, 6),
            "label": self.label,
            "confidence": round(self.confidence, 6),
            "probabilities": {label: round(value, 6) for label, value in self.probabilities.items()},
        }


class EmotionPredictor:
    """Find the faces of pictures and read their emotions.

        predictor = EmotionPredictor.from_pretrained()
        for face in predictor("photo.jpg"):
            print(face.label, face.confidence, face.box)

    A picture is a path, the bytes of a file, a PIL image, or a uint8 array (H, W, 3) RGB or (H, W) grey (see
    ``images.read_image``). Safe to call from several threads.

    Attributes:
        model: the ``LoadedModel``; its module, preprocessing, labels and info.
        labels: order of the columns of ``classify``.
        device: the ``torch.device`` that was taken.
        detector: what finds the faces.
        source: where the model comes from.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        device: str = "auto",
        detector: FaceDetector | None = None,
        source: Source | None = None,
    ) -> None:
        """``device``: "auto" (CUDA, else CPU), "cpu", "cuda", "cuda:1", "mps". ``detector``: MTCNN unless given.

        ``source``: the model's own folder unless given.

        Raises:
            DeviceError: the device does not exist on this machine.
        """
        self.device = choose_device(device)
        self.model = model.to(self.device)
        self.labels = model.labels
        self.source = source or Source(model.folder, str(model.folder))
        self.detector = detector or MTCNNDetector()
        logger.info("EmotionPredictor: %s on %s", model.info.architecture, self.device)

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path | None = None,
        *,
        revision: str | None = None,
        device: str = "auto",
        detector: FaceDetector | None = None,
    ) -> "EmotionPredictor":
        """Load a model: None = the bundled one, offline; a model folder; or "owner/name" on the Hub (see ``resolve``).

        Raises:
            CheckpointError: there is no model, or it is damaged.
            HubError: the repository cannot be had; each way to fail has an error of its own.
            DeviceError: the device does not exist on this machine.
        """
        found = resolve(source, revision)
        return cls(load_model(found.folder), device=device, detector=detector, source=found)

    def __call__(self, image: ImageSource) -> list[FaceEmotion]:
        """Every face of one picture, largest first; [] where there is none. Dark pictures are lightened before.

        Raises:
            ImageError: the picture cannot be read.
        """
        return self.batch([image])[0]

    def batch(self, images: Iterable[ImageSource]) -> list[list[FaceEmotion]]:
        """One list of faces a picture, in the order of the pictures; all their faces in one model batch.

        Pictures are taken one after the other and not kept, so a generator of many needs the memory of one.

        Raises:
            ImageError: a picture cannot be read.
        """
        found: list[list[_Place]] = []
        inputs: list[Tensor] = []
        for source in images:
            image = lightened(read_image(source))
            places = _places(self.detector.detect(image), image.size)
            inputs.append(self._crops(image, places))
            found.append(places)
        rows = iter(self._probabilities(torch.cat(inputs)) if inputs else ())
        return [[self._face(*place, next(rows)) for place in places] for places in found]

    def read(self, image: Image.Image, faces: Sequence[Face]) -> list[FaceEmotion]:
        """What the model reads in faces that were found before, in their order; one wholly outside is left out.

        Args:
            image: upright, RGB.
            faces: as a detector gives them for this picture.
        """
        image = lightened(image)
        places = _places(faces, image.size)
        rows = self._probabilities(self._crops(image, places))
        return [self._face(*place, row) for place, row in zip(places, rows, strict=True)]

    def classify(self, crops: Sequence[Any]) -> "NDArray[np.float32]":
        """Face crops -> (N, K) float32 probabilities, columns in the order of ``labels``; no detection.

        Args:
            crops: PIL images, or uint8 arrays (H, W, 3) RGB or (H, W) grey; sizes may differ. [] gives (0, K).

        Raises:
            ValueError: a crop is of another type or layout.
        """
        return self._probabilities(self.model.preprocess(crops))

    def report(self, image: dict[str, Any], faces: Sequence[FaceEmotion]) -> dict[str, Any]:
        """The one JSON of command line, page and API: {"schema": 1, "model": {}, "image": {}, "faces": []}.

        Args:
            image: facts about the picture, for example {"name": "photo.jpg", "width": 640, "height": 480}; the size
                is that of the upright picture.
            faces: what the predictor gave for it.
        """
        info = self.model.info
        model = {
            "source": self.source.short_name,
            "revision": self.source.revision,
            "architecture": info.architecture,
            "arguments": info.arguments,
            "labels": list(info.labels),
            "license": info.license.get("name"),
        }
        return {"schema": REPORT_SCHEMA, "model": model, "image": image, "faces": [face.to_dict() for face in faces]}

    def _crops(self, image: Image.Image, places: "Sequence[_Place]") -> Tensor:
        return self.model.preprocess([cut(image, square, turn) for _, _, square, turn in places])

    def _probabilities(self, batch: Tensor) -> "NDArray[np.float32]":
        if len(batch) == 0:
            return np.empty((0, len(self.labels)), np.float32)
        return np.concatenate([self.model.probabilities(part).numpy() for part in torch.split(batch, _MODEL_BATCH)])

    def _face(self, face: Face, box: Box, crop: Box, turn: float, row: "NDArray[np.float32]") -> FaceEmotion:
        probability = dict(zip(self.labels, row.tolist(), strict=True))
        label = max(probability, key=probability.__getitem__)
        return FaceEmotion(
            box=box,
            crop_box=crop,
            crop_roll=turn,
            detection_score=face.score,
            label=label,
            confidence=probability[label],
            probabilities={name: probability[name] for name in canonical_order(self.labels)},
        )


def choose_device(device: str | torch.device = "auto") -> torch.device:
    """The device that a name stands for; "auto" is CUDA where there is one, else the CPU.

    Raises:
        DeviceError: no such device on this machine, or no such name.
    """
    # Apple's "mps" is taken only when asked for: networks of this size gain nothing from it.
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise DeviceError(f"no device is called {device!r}; expected auto, cpu, cuda, cuda:1 or mps") from None
    if chosen.type == "cpu":
        return chosen
    present = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    number = torch.accelerator.device_count() if present is not None and present.type == chosen.type else 0
    if (chosen.index or 0) >= number:
        has = "no accelerator" if present is None else f"{torch.accelerator.device_count()} x {present.type}"
        raise DeviceError(f"device {str(device)!r} was asked for, but torch sees {has} here; use 'cpu' or 'auto'")
    return chosen


def _places(faces: Iterable[Face], size: tuple[int, int]) -> list[_Place]:
    visible = [(face, box) for face in faces if (box := clip(face.box, size)) is not None]
    return [(face, box, crop_box(face.box, size), crop_roll(face)) for face, box in visible]
