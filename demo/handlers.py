"""What the page and the API do with a picture. Pure functions: bytes and a predictor in, pictures and tables out."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from resemotenet import EmotionPredictor, FaceEmotion
from resemotenet.drawing import annotate
from resemotenet.errors import ImageError

from . import guard, markup

EXAMPLES_FOLDER = Path(__file__).parent / "examples"

# The longest side of the picture that goes back to the page: sharp on any screen, a few hundred kB.
_SHOWN_SIDE = 1600


@dataclass(frozen=True)
class Example:
    """A free picture that comes with the demo; sources and licences are in examples/README.md."""

    name: str
    title: str
    file: str

    def read(self) -> bytes:
        return (EXAMPLES_FOLDER / self.file).read_bytes()


EXAMPLES = (
    Example("astronaut", "Eileen Collins, astronaut", "astronaut.jpg"),
    Example("hopper", "Grace Hopper, computer scientist", "grace_hopper.jpg"),
    Example("two", "Both of them in one picture", "two_faces.jpg"),
    Example("cat", "A cat: what happens without a human face", "chelsea.jpg"),
)


@dataclass(frozen=True)
class Reading:
    """What a picture gave.

    Attributes:
        image: the upright picture, RGB.
        faces: every face, largest first; [] where there is none.
        report: the one JSON that command line, page and API share.
    """

    image: Image.Image
    faces: list[FaceEmotion]
    report: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the page shows for one picture, as HTML and data URIs: nothing of it needs a file.

    Attributes:
        stage: for the picker: ``state`` ("done" or "refused"), ``message``, ``picture`` (data URI), ``turn``.
        faces: a card with seven bars for each face.
        table: all faces as a table, "" where there is none.
        report: the one JSON, None where the picture was refused.
    """

    stage: dict[str, Any]
    faces: str
    table: str
    report: dict[str, Any] | None


def read_picture(predictor: EmotionPredictor, data: bytes) -> Reading:
    """Find and read the faces of a picture, given as the bytes of its file.

    Raises:
        ImageError: refused; the text is one sentence for the person who gave the picture.
    """
    image = guard.open_picture(data)
    faces = predictor(image)
    return Reading(image, faces, predictor.report({"width": image.width, "height": image.height}, faces))


def answer(predictor: EmotionPredictor, *, picture: str | None, example: str | None, turn: int) -> Answer:
    """Answer the picker.

    Args:
        picture: a data URI, unless an example was chosen.
        example: the name of one of ``EXAMPLES``.
        turn: a number that comes back with the answer, so that the page can tell which of its pictures was answered.
    """
    try:
        data = _example(example).read() if example else guard.decode_data_uri(picture or "")
        reading = read_picture(predictor, data)
    except ImageError as error:
        return Answer({"state": "refused", "message": str(error), "turn": turn}, markup.nothing_yet(), "", None)
    stage = {"state": "done", "message": summary(reading.faces), "picture": _shown(reading), "turn": turn}
    return Answer(stage, markup.faces(reading.image, reading.faces), markup.table(reading.faces), reading.report)


def _example(name: str) -> Example:
    for example in EXAMPLES:
        if example.name == name:
            return example
    raise ImageError("There is no such example.")


def _shown(reading: Reading) -> str:
    """The annotated picture, reduced first: a copy of the full size would be the largest thing in memory."""
    small, side = reading.image, _SHOWN_SIDE
    if max(small.size) > side:
        small = ImageOps.contain(small, (side, side), Image.Resampling.LANCZOS)
    scale = small.width / reading.image.width
    faces = []
    for face in reading.faces:
        x1, y1, x2, y2 = face.box
        faces.append(replace(face, box=(scale * x1, scale * y1, scale * x2, scale * y2)))
    return markup.data_uri(annotate(small, faces))


def summary(faces: list[FaceEmotion]) -> str:
    """One sentence about a picture's faces; screen readers hear it when a picture is done."""
    if not faces:
        return "No face was found in this picture."
    if len(faces) == 1:
        return f"1 face: {faces[0].label}, {markup.percent(faces[0].confidence)}."
    counts = Counter(face.label for face in faces).most_common()
    text = f"{len(faces)} faces: " + ", ".join(f"{count} {label}" for label, count in counts) + "."
    if len(faces) > guard.MAX_FACES_SHOWN:
        text += f" Bars are shown for the {guard.MAX_FACES_SHOWN} largest; the table and the JSON hold all."
    return text
