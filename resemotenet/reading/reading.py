"""What was read of a picture: every face with its emotions, and all that those need who show or pass it on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .faces import Box
from .images import Picture

if TYPE_CHECKING:
    import pandas
    from PIL import Image

    from ..checkpoints.pretrained import Source
    from ..runs.schema import ModelInfo

REPORT_SCHEMA = 1


@dataclass(frozen=True)
class FaceEmotion:
    """One face of a picture and what the model reads in it.

    Attributes:
        box: the detected face, (x1, y1, x2, y2) float pixels, clipped, in the upright (EXIF-turned) picture.
        crop_box: the square that the model saw, same coordinates, whole pixels, inside the picture.
        crop_roll: by how many degrees that square was turned about its centre, clockwise, so that a leaning face stood
            upright in it; 0 for a face that leans less than ``crops.LEVEL``.
        detection_score: how sure the detector is that this is a face, 0 to 1.
        label: the emotion with the largest probability.
        confidence: that probability.
        probabilities: emotion -> probability, all of the model's labels, in canonical order (``EMOTIONS``); sums to 1.
        sure_margin: by how much the largest probability must lead the next one for the answer to be sure, as the model
            has it; None: every answer is.
    """

    box: Box
    crop_box: Box
    detection_score: float
    label: str
    confidence: float
    probabilities: dict[str, float]
    crop_roll: float = 0.0
    sure_margin: float | None = None

    @property
    def not_sure(self) -> tuple[str, str] | None:
        """The label and the emotion next to it where the two are close, else None."""
        others = [label for label in self.probabilities if label != self.label]
        if self.sure_margin is None or not others:
            return None
        second = max(others, key=self.probabilities.__getitem__)
        close = self.probabilities[self.label] - self.probabilities[second] < self.sure_margin
        return (self.label, second) if close else None

    @property
    def answer(self) -> str:
        """For people: the label, or "not sure: sad or neutral"."""
        return self.label if self.not_sure is None else f"not sure: {' or '.join(self.not_sure)}"

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: boxes as lists rounded to 0.01 px, fractions rounded to six places."""
        return {
            "box": [round(value, 2) for value in self.box],
            "crop_box": [round(value, 2) for value in self.crop_box],
            "crop_roll": round(self.crop_roll, 2),
            "detection_score": round(self.detection_score, 6),
            "label": self.label,
            "confidence": round(self.confidence, 6),
            "not_sure": None if self.not_sure is None else list(self.not_sure),
            "probabilities": {label: round(value, 6) for label, value in self.probabilities.items()},
        }


@dataclass(frozen=True, eq=False)
class Reading:
    """A picture and what was read of it, made once by ``EmotionPredictor.read``. It can be pickled.

    ``annotate`` draws it, ``explain(model, reading.crops)`` says what each answer rests on; nothing is computed again.

    Attributes:
        picture: as it is shown, and as it was searched.
        faces: largest first, or in the order in which they were handed in; () where there is none.
        crops: of each face the square that was cut out of ``picture.image``, upright, light, RGB, of any size.
        looks: of each face what the network saw of that square: grey, rounded to whole levels, (S, S) as its input is.
        info: the model that answered, as its config.json describes it.
        source: where that model comes from.
        time: of a frame of a film, in seconds from its beginning; else None.
    """

    picture: Picture
    faces: tuple[FaceEmotion, ...]
    crops: "tuple[Image.Image, ...]"
    looks: "tuple[Image.Image, ...]"
    info: "ModelInfo"
    source: "Source"
    time: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The one JSON of command line, page and API: {"schema": 1, "model": {}, "image": {}, "faces": []}.

        Sizes and boxes are those of the upright picture. The model's source is its name, never a path of this machine.
        """
        path = {} if self.picture.path is None else {"path": self.picture.path}
        image = {**path, "width": self.picture.image.width, "height": self.picture.image.height}
        faces = [face.to_dict() for face in self.faces]
        time = {} if self.time is None else {"time": round(self.time, 3)}
        model = model_report(self.info, self.source)
        return {"schema": REPORT_SCHEMA, "model": model, "image": image, **time, "faces": faces}

    def rows(self) -> list[dict[str, Any]]:
        """A row a face, as tables have them: no lists, the probabilities last; [] where there is no face."""
        width, height = self.picture.size
        rows = []
        for number, face in enumerate(self.faces, start=1):
            told = face.to_dict()
            rows.append(
                {
                    "face": number,
                    **dict(zip(("x1", "y1", "x2", "y2"), told["box"], strict=True)),
                    **{name: told[name] for name in ("detection_score", "label", "confidence")},
                    "not_sure": told["not_sure"] is not None,
                    "width": width,
                    "height": height,
                    **told["probabilities"],
                }
            )
        return rows

    def to_frame(self) -> "pandas.DataFrame":
        """``rows`` for pandas, with "source" and "time" before them."""
        import pandas

        return pandas.DataFrame([{"source": self.picture.path, "time": self.time, **row} for row in self.rows()])

    def _repr_html_(self) -> str:
        """How a notebook shows it: the annotated picture, and a table."""
        from .drawing import reading_html

        return reading_html(self)


def model_report(info: "ModelInfo", source: "Source") -> dict[str, Any]:
    """What a report says of the model that answered."""
    return {
        "source": source.short_name,
        "revision": source.revision,
        "architecture": info.architecture,
        "arguments": dict(info.arguments),
        "labels": list(info.labels),
        "license": info.license.get("name"),
    }
