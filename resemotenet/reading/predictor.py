"""From pictures to faces with emotions: detection, crops, one model batch, in one place."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..checkpoints.backends import core_count
from ..checkpoints.checkpoint import LoadedModel, load_model
from ..checkpoints.preprocessing import check_several, rounded
from ..checkpoints.pretrained import Source, resolve
from ..emotions import canonical_order
from ..errors import DeviceError, ImageError
from .crops import crop_box, crop_roll, cut
from .detector import MTCNNDetector
from .faces import Box, Face, FaceDetector, clip
from .images import ImageSource, Picture, read_crop
from .reading import FaceEmotion, Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

logger = logging.getLogger(__name__)

# How many crops go through the network at once: bounds the memory of a long batch() and costs no speed.
_MODEL_BATCH = 256


class _Place(NamedTuple):
    """Where a detected face is in its picture: the visible part of its box, the square to cut out, and its roll."""

    face: Face
    box: Box
    square: Box
    roll: float


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
        device: str | torch.device = "auto",
        detector: FaceDetector | None = None,
        source: Source | None = None,
        network: Callable[[Tensor], Tensor] | None = None,
        backend: str = "auto",
        precision: str | None = None,
        operating_point: Literal["photographs", "given"] = "photographs",
    ) -> None:
        """Take a loaded model, which is moved to ``device``.

        Args:
            device: "auto" (CUDA, else CPU), "cpu", "cuda", "cuda:1", "mps".
            backend: what runs the networks: "onnxruntime" (CPU), "torch", or "auto": the former where that is possible.
            precision: "exact", or "int8": several times as fast on a CPU. As the model has it unless given.
            detector: MTCNN unless given.
            source: the model's own folder unless given.
            operating_point: "photographs", that for faces found in pictures, where the model has one; "given", that for
                crops as data sets have them, of which the model's measured figures speak.
            network: takes the place of ``model.probabilities``, for one that computes somewhere else: preprocessed
                crops (N, C, S, S), at most 256 -> probabilities (N, K), both float32 on the CPU.

        Raises:
            DeviceError: the device does not exist on this machine.
            BackendError: the backend is not installed or does not run there, or the model was not calibrated for int8.
        """
        precision = precision or model.precision
        if device == "auto" and (backend == "onnxruntime" or precision == "int8"):
            device = "cpu"
        self.device = choose_device(device)
        ready = model.to(self.device).with_backend(backend, precision)
        info = ready.info.for_photographs() if operating_point == "photographs" else ready.info
        self.model = ready if info is ready.info else replace(ready, info=info)
        self.labels = model.labels
        self.source = source or Source(model.folder, str(model.folder))
        self._network = network or self.model.probabilities
        self.detector = detector or MTCNNDetector(backend="torch" if backend == "torch" else "auto")
        taken = (model.info.architecture, self.device, self.model.backend, self.model.precision)
        logger.info("EmotionPredictor: %s on %s, backend %s, precision %s", *taken)

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path | None = None,
        *,
        revision: str | None = None,
        device: str = "auto",
        backend: str = "auto",
        precision: str = "exact",
        detector: FaceDetector | None = None,
    ) -> "EmotionPredictor":
        """Load a model: None = the bundled one, offline; a model folder; or "owner/name" on the Hub (see ``resolve``).

        Raises:
            CheckpointError: there is no model, or it is damaged.
            HubError: the repository cannot be had; each way to fail has an error of its own.
            DeviceError, BackendError: as the class raises them.
        """
        resolved = resolve(source, revision)
        model = load_model(resolved.folder)
        return cls(model, device=device, detector=detector, source=resolved, backend=backend, precision=precision)

    def __call__(self, image: ImageSource) -> list[FaceEmotion]:
        """Every face of one picture, largest first; [] where there is none. Dark ones are lightened.

        Raises:
            ImageError: the picture cannot be read.
        """
        return list(self.read(image).faces)

    @overload
    def batch(
        self, images: Iterable[ImageSource], *, return_exceptions: Literal[False] = False
    ) -> list[list[FaceEmotion]]: ...

    @overload
    def batch(
        self, images: Iterable[ImageSource], *, return_exceptions: Literal[True]
    ) -> list[list[FaceEmotion] | ImageError]: ...

    def batch(
        self, images: Iterable[ImageSource], *, return_exceptions: bool = False
    ) -> list[list[FaceEmotion]] | list[list[FaceEmotion] | ImageError]:
        """One list of faces a picture, in the order of the pictures; all their faces in one model batch.

        As many pictures as there are cores are opened and searched at once, and none is kept, so a generator of many
        needs the memory of a few.

        Args:
            return_exceptions: in the place of a picture that cannot be read stands its ``ImageError``, and the others
                are done; else it ends the batch.

        Raises:
            ImageError: a picture cannot be read, and its index is named; or one picture came and no list of them.
        """
        check_several(images, "pictures")
        places: list[list[_Place] | ImageError] = []
        inputs: list[Tensor] = []
        with ThreadPoolExecutor(core_count(), "pictures") as threads:
            for index, (found, crops) in enumerate(_ahead(threads, self._locate, images, core_count())):
                if isinstance(found, ImageError):
                    named = ImageError(f"picture {index} of the batch, counted from 0: {found}")
                    named.__cause__ = found
                    if not return_exceptions:
                        raise named
                    found = named
                places.append(found)
                inputs.append(crops)
        rows = iter(self._probabilities(torch.cat(inputs)) if inputs else ())
        return [
            each if isinstance(each, ImageError) else [self._face(place, next(rows)) for place in each]
            for each in places
        ]

    def _locate(self, image: ImageSource) -> tuple[list[_Place] | ImageError, Tensor]:
        """Where the faces of a picture are, and what the network is to see of them; or why it cannot be read."""
        try:
            picture = Picture.open(image)
        except ImageError as error:
            return error, self.model.preprocess([])
        places = _places(self.detector.detect(picture.light), picture.size)
        return places, self.model.preprocess(_cut(picture, places))

    def read(self, image: ImageSource | Picture, faces: Sequence[Face] | None = None) -> Reading:
        """A picture and all that is read of it: the faces, their crops, what the network saw, the JSON.

        Args:
            image: what was opened before, as a ``Picture``, is not opened again.
            faces: where they were found before, as a detector gives them for ``Picture.light``; the predictor's own
                detector looks for them unless given. One that lies wholly outside of the picture is left out.

        Raises:
            ImageError: the picture cannot be read.
        """
        picture = image if isinstance(image, Picture) else Picture.open(image)
        places = _places(self.detector.detect(picture.light) if faces is None else faces, picture.size)
        crops = _cut(picture, places)
        levels = self.model.preprocess.levels(crops)
        rows = self._probabilities(self.model.preprocess.normalize(levels))
        return Reading(
            picture,
            tuple(self._face(place, row) for place, row in zip(places, rows, strict=True)),
            tuple(crops),
            tuple(Image.fromarray(look[0]) for look in rounded(levels)),
            self.model.info,
            self.source,
        )

    def classify(self, crops: Sequence[Any]) -> "NDArray[np.float32]":
        """Face crops -> (N, K) float32 probabilities, columns in the order of ``labels``; no detection.

        Args:
            crops: PIL images, or uint8 arrays (H, W, 3) RGB or (H, W) grey; sizes may differ. [] gives (0, K). The
                rules for their pixels are those of ``read_image``: EXIF is obeyed, transparent is white.

        Raises:
            ImageError: a crop is of another type or layout, or one crop came and no list of them.
        """
        check_several(crops, "crops")
        return self._probabilities(self.model.preprocess([read_crop(crop) for crop in crops]))

    def _probabilities(self, batch: Tensor) -> "NDArray[np.float32]":
        if len(batch) == 0:
            return np.empty((0, len(self.labels)), np.float32)
        return np.concatenate([self._network(part).numpy() for part in torch.split(batch, _MODEL_BATCH)])

    def _face(self, place: _Place, row: "NDArray[np.float32]") -> FaceEmotion:
        probability = dict(zip(self.labels, row.tolist(), strict=True))
        label = max(probability, key=probability.__getitem__)
        return FaceEmotion(
            box=place.box,
            crop_box=place.square,
            crop_roll=place.roll,
            detection_score=place.face.score,
            label=label,
            confidence=probability[label],
            probabilities={name: probability[name] for name in canonical_order(self.labels)},
            sure_margin=self.model.info.sure_margin,
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


def _ahead(
    threads: ThreadPoolExecutor, work: Callable[[_Item], _Result], items: Iterable[_Item], most: int
) -> Iterator[_Result]:
    """What ``work`` gives for each item, in order; so many items, and no more, are taken before they are asked for."""
    waiting: deque[Future[_Result]] = deque()
    try:
        for item in items:
            waiting.append(threads.submit(work, item))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # one of them failed: nobody waits for the others
        for each in waiting:
            each.cancel()


def _places(faces: Iterable[Face], size: tuple[int, int]) -> list[_Place]:
    visible = [(face, box) for face in faces if (box := clip(face.box, size)) is not None]
    return [_Place(face, box, crop_box(face.box, size), crop_roll(face)) for face, box in visible]


def _cut(picture: Picture, places: Iterable[_Place]) -> list[Image.Image]:
    return [cut(picture.image, place.square, place.roll) for place in places]
