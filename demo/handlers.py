"""What the page and the API do with a picture. Pure functions: bytes and a reader in, what can be sent out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from resemotenet import LoadedModel, Reading
from resemotenet.checkpoints.pretrained import Source
from resemotenet.errors import ImageError
from resemotenet.reading.crops import cut
from resemotenet.reading.explain import Explanation, explain, overlay
from resemotenet.reading.faces import clip
from resemotenet.reading.images import Picture

from . import guard, markup

EXAMPLES_FOLDER = Path(__file__).parent / "examples"

# The longest side of a picture that goes back to the page: sharp on any screen, a few hundred kB.
_SHOWN_SIDE = 1600
# The side of the picture that explains a face, in pixels, and what is said of it; browsers that explain say the same.
HEAT_SIDE = 264
REASON = (
    "The brighter a place, the more it spoke for {label}. It is what the network used, "
    "no finer than {columns} by {rows} places, and not what the person feels."
)
NO_REASON = "Nothing in this face speaks for {label}."


class Reader(Protocol):
    """What the page reads with: an ``EmotionPredictor``, or whatever reads pictures somewhere else."""

    @property
    def model(self) -> LoadedModel:
        """On this machine and at hand: for the frames of a camera, and for "Why?"."""

    @property
    def source(self) -> Source:
        """Where the model comes from; the page names it."""

    def read(self, picture: Picture, /) -> Reading:
        """Find and read the faces of a picture; may take its time."""


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
    Example("crowd", "A crowd, put together from the two", "crowd.jpg"),
    Example("cat", "A cat: what happens without a human face", "chelsea.jpg"),
)


def answer(reader: Reader, *, picture: str | None, example: str | None, shown: bool, request: int) -> dict[str, Any]:
    """Answer the picker.

    Args:
        picture: a data URI, unless an example was chosen.
        example: the name of one of ``EXAMPLES``.
        shown: whether the picture comes back: the browser cannot decode it.
        request: a number that comes back with the answer, so that the page can tell which of its pictures was answered.

    Returns:
        {"state": "done", "request", "report": the one JSON, "looks": of each face what the network saw, as data URIs},
        with "picture", a data URI, where it is shown or an example; or {"state": "refused", "request", "message": one
        sentence}.
    """
    try:
        data = _example(example).read() if example else guard.decode_data_uri(picture or "")
        reading = reader.read(guard.open_picture(data))
    except ImageError as error:
        return {"state": "refused", "message": str(error), "request": request}
    looks = [markup.data_uri(look, "PNG") for look in reading.looks]
    done = {"state": "done", "request": request, "report": reading.to_dict(), "looks": looks}
    if shown or example:
        done["picture"] = markup.thumbnail(reading.picture.image, _SHOWN_SIDE)
    return done


def _example(name: str) -> Example:
    for example in EXAMPLES:
        if example.name == name:
            return example
    raise ImageError("There is no such example.")


def explain_face(model: LoadedModel, asked: Any) -> dict[str, Any]:
    """Answer "Why?": the places of one face that speak for an emotion.

    Args:
        asked: {"picture": data URI, "box": None where the picture is the crop, else the (x1, y1, x2, y2) of the crop in
            it, "roll": its roll in degrees, "label": one of the model's}. From outside, so anything may be in it.

    Returns:
        {"picture": data URI of what the network saw with the heat over it, "text": what it says}; or {"refused": one
        sentence}.
    """
    try:
        crop, label = _asked_crop(asked), asked["label"]
        if label not in model.labels:
            raise ImageError("There is no such emotion.")
    except ImageError as error:
        return {"refused": str(error)}
    look = model.preprocess.look(crop)
    try:
        (explanation,) = explain(model, [look], label)
    except ValueError:  # the model names no layer that has a map
        return {"refused": "These weights cannot be explained: their config.json names no layer to look at."}
    enlarged = look.resize((HEAT_SIDE, HEAT_SIDE), Image.Resampling.BICUBIC)
    return {"picture": markup.data_uri(overlay(enlarged, explanation)), "text": _reason(explanation)}


def _asked_crop(asked: Any) -> Image.Image:
    """The crop that a card holds; or, of a frame that only the browser has kept, the one that was read there."""
    match asked:
        case {"picture": str(picture), "box": None, "label": _}:
            return guard.open_frame(picture).image
        case {"picture": str(picture), "box": [*box], "roll": roll, "label": _} if all(map(_is_number, [*box, roll])):
            frame = guard.open_frame(picture)
            if len(box) == 4 and abs(roll) <= 180:
                x1, y1, x2, y2 = square = (round(box[0]), round(box[1]), round(box[2]), round(box[3]))
                if clip(square, frame.size) == square == tuple(box) and (x2 - x1 == y2 - y1 or not roll):
                    return cut(frame.image, square, roll)
    raise ImageError("There is no face in this call.")


def _is_number(value: object) -> bool:
    # Compared, not converted: JSON may hold a whole number of any length, which no float can be made of.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e6


def _reason(explanation: Explanation) -> str:
    if not explanation.heat.any():
        return NO_REASON.format(label=explanation.label)
    rows, columns = explanation.evidence.shape
    return REASON.format(label=explanation.label, columns=columns, rows=rows)
