"""What the page and the API do with a picture. Pure functions: bytes and a predictor in, pictures and tables out."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from resemotenet import EmotionPredictor, FaceEmotion
from resemotenet.emotions import percent
from resemotenet.errors import ImageError
from resemotenet.reading.crops import cut
from resemotenet.reading.drawing import annotate
from resemotenet.reading.explain import Explanation, explain, overlay
from resemotenet.reading.faces import clip
from resemotenet.reading.images import lightened

from . import guard, markup

# What finds and reads the faces of an upright RGB picture: a predictor, or one that works somewhere else.
Read = Callable[[Image.Image], list[FaceEmotion]]

EXAMPLES_FOLDER = Path(__file__).parent / "examples"

# The longest side of the picture that goes back to the page: sharp on any screen, a few hundred kB.
_SHOWN_SIDE = 1600
# The side of the picture that explains a face, in pixels.
_HEAT_SIDE = 264


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


NOTHING = Answer({}, markup.nothing_yet(), "", None)


def read_picture(predictor: EmotionPredictor, data: bytes, read: Read | None = None) -> Reading:
    """Find and read the faces of a picture, given as the bytes of its file.

    Args:
        read: what reads the faces; the predictor unless given. The file is opened and refused here in any case: what
            reads may be another process, on a GPU that is paid for by the second.

    Raises:
        ImageError: refused; the text is one sentence for the person who gave the picture.
    """
    image = guard.open_picture(data)
    faces = (read or predictor)(image)
    return Reading(image, faces, predictor.report({"width": image.width, "height": image.height}, faces))


def answer(
    predictor: EmotionPredictor, read: Read | None = None, *, picture: str | None, example: str | None, turn: int
) -> Answer:
    """Answer the picker.

    Args:
        read: as ``read_picture`` takes it.
        picture: a data URI, unless an example was chosen.
        example: the name of one of ``EXAMPLES``.
        turn: a number that comes back with the answer, so that the page can tell which of its pictures was answered.
    """
    try:
        data = _example(example).read() if example else guard.decode_data_uri(picture or "")
        reading = read_picture(predictor, data, read)
    except ImageError as error:
        return replace(NOTHING, stage={"state": "refused", "message": str(error), "turn": turn})
    stage = {"state": "done", "message": summary(reading.faces), "picture": _shown(reading), "turn": turn}
    cards = markup.faces(lightened(reading.image), reading.faces, predictor.model.preprocess)
    return Answer(stage, cards, markup.table(reading.faces), reading.report)


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
        return f"1 face: {faces[0].label}, {percent(faces[0].confidence)}."
    counts = Counter(face.label for face in faces).most_common()
    text = f"{len(faces)} faces: " + ", ".join(f"{count} {label}" for label, count in counts) + "."
    if len(faces) > guard.MAX_FACES_SHOWN:
        text += f" Bars are shown for the {guard.MAX_FACES_SHOWN} largest; the table and the JSON hold all."
    return text


def explain_face(predictor: EmotionPredictor, asked: Any) -> dict[str, Any]:
    """Answer "Why?": the places of one face that speak for an emotion.

    Args:
        asked: {"picture": data URI, "box": None where the picture is the crop, else the (x1, y1, x2, y2) of the crop in
            it, "roll": its turn in degrees, "label": one of the model's}. From outside, so anything may be in it.

    Returns:
        {"picture": data URI of what the network saw with the heat over it, "text": what it says}; or {"refused": one
        sentence}.
    """
    try:
        crop, label = _asked_crop(asked), asked["label"]
        if label not in predictor.labels:
            raise ImageError("There is no such emotion.")
    except ImageError as error:
        return {"refused": str(error)}
    seen = predictor.model.preprocess.look(crop)
    try:
        (explanation,) = explain(predictor.model, [seen], label)
    except ValueError:  # the model names no layer that has a map
        return {"refused": "These weights cannot be explained: their config.json names no layer to look at."}
    enlarged = seen.resize((_HEAT_SIDE, _HEAT_SIDE), Image.Resampling.BICUBIC)
    return {"picture": markup.data_uri(overlay(enlarged, explanation)), "text": _reason(explanation)}


def _asked_crop(asked: Any) -> Image.Image:
    match asked:
        case {"picture": str(picture), "box": None, "label": _}:
            return guard.open_frame(picture)
        case {"picture": str(picture), "box": [*box], "roll": roll, "label": _} if all(map(_is_number, [*box, roll])):
            image = guard.open_frame(picture)
            if len(box) == 4 and abs(roll) <= 180:
                x1, y1, x2, y2 = square = (round(box[0]), round(box[1]), round(box[2]), round(box[3]))
                if clip(square, image.size) == square == tuple(box) and (x2 - x1 == y2 - y1 or not roll):
                    return cut(lightened(image), square, roll)
    raise ImageError("There is no face in this call.")


def _is_number(value: object) -> bool:
    # Compared, not converted: JSON may hold a whole number of any length, which no float can be made of.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e6


def _reason(explanation: Explanation) -> str:
    if not explanation.heat.any():
        return f"Nothing in this face speaks for {explanation.label}."
    rows, columns = explanation.evidence.shape
    return (
        f"The brighter a place, the more it spoke for {explanation.label}. It is what the network used, "
        f"no finer than {columns} by {rows} places, and not what the person feels."
    )
