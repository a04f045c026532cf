"""Readings of pictures without a detector or a network: faces where a test puts them."""

from collections.abc import Sequence
from pathlib import Path

from resemotenet import EMOTIONS, FaceEmotion, Reading
from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.checkpoints.pretrained import Source
from resemotenet.reading.crops import cut
from resemotenet.reading.images import ImageSource, Picture
from resemotenet.runs.schema import ModelInfo

PREPROCESS = Preprocess(size=48, channels=1, mean=(0.5,), std=(0.25,))
INFO = ModelInfo("resemotenet", {"in_channels": 1}, EMOTIONS, PREPROCESS, license={"name": "mit"})


def reading_of(image: ImageSource, faces: Sequence[FaceEmotion]) -> Reading:
    picture = Picture.open(image)
    crops = tuple(cut(picture.image, face.crop_box, face.crop_roll) for face in faces)
    looks = tuple(PREPROCESS.look(crop) for crop in crops)
    return Reading(picture, tuple(faces), crops, looks, INFO, Source(Path("made"), "made"))
