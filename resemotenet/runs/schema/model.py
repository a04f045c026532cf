"""What config.json of a model folder holds: everything needed to use the weights that lie beside it."""

import json
from dataclasses import asdict, field, replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from .reading import LATER, STRICT
from .record import Record

SCHEMA = 1
# Beyond these, float32 arithmetic gives infinities.
SMALLEST_NUMBER, LARGEST_NUMBER = 1e-6, 1e6
# Where they are None: older versions refuse a key that they do not know.
_LEFT_OUT = ("int8", "sure_margin", "photographs")


def _printable(label: str) -> str:
    # What is not printable could command the terminal that it is printed to.
    if not label.isprintable():
        raise ValueError(f"a label must be of printable characters, got {label!r}")
    return label


def _whole(value: Any) -> Any:
    # For Literal, 1.0 and true are 1.
    if type(value) is not int:
        raise ValueError(f"it must be a whole number, got {value!r}")
    return value


def _different(labels: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(labels)) != len(labels):
        raise ValueError(f"labels must be different, got {labels}")
    return labels


Number = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
Positive = Annotated[float, Field(ge=SMALLEST_NUMBER, le=LARGEST_NUMBER)]
# Faces are small and networks are for 48 to 224 pixels; what a file asks for must not exhaust the memory.
Side = Annotated[int, Field(ge=1, le=1024)]
# Grey, or the same grey three times.
Channels = Annotated[Literal[1, 3], BeforeValidator(_whole)]
# Labels are printed, in tables and on the page.
Label = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_printable)]
Labels = Annotated[tuple[Label, ...], Field(max_length=1000), AfterValidator(_different)]


@dataclass(frozen=True, config=STRICT)
class Preprocessing:
    """How a face crop becomes a network's input: grey, a square, [0, 1], normalised.

    Attributes:
        size: side of the input in pixels, 1 to 1024.
        channels: 1 (grey) or 3 (the same grey three times, as upstream).
        mean, std: one value a channel, for pixels in [0, 1]; at most a million, std at least a millionth.
        interpolation: one of PIL's filters, with antialiasing (pixel centres, support grown by the scale): "bilinear",
            as training has it; "lanczos", which keeps more of what is sharp.

    Raises:
        ValueError: a setting is out of range or of the wrong type.
    """

    size: Side = 64
    channels: Channels = 3
    mean: tuple[Number, ...] = (0.485, 0.456, 0.406)
    std: tuple[Positive, ...] = (0.229, 0.224, 0.225)
    interpolation: Literal["bilinear", "lanczos"] = "bilinear"

    @model_validator(mode="after")
    def _one_value_a_channel(self) -> "Preprocessing":
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean {self.mean} and std {self.std} must have {self.channels} values each")
        return self


def _ordered(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] <= ends[1]:
        raise ValueError(f"a range goes from its lowest value to its highest, got {ends}")
    return ends


Range = Annotated[tuple[Number, Number], AfterValidator(_ordered)]


Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=STRICT)
class Int8Cost:
    """What 8 bits changed on labelled faces.

    Attributes:
        dataset, labels, split: which faces, and what says what is right.
        n: how many.
        exact, int8: share that is read right by each.
        same: share to which both give the same label.
        largest: largest difference of a probability.
    """

    dataset: str
    labels: str
    split: str
    n: Annotated[int, Field(ge=1)]
    exact: Share
    int8: Share
    same: Share
    largest: Share


@dataclass(frozen=True, config=STRICT)
class Int8:
    """What the network in 8-bit whole numbers needs besides the weights.

    Attributes:
        ranges: lowest and highest value of what flows between the layers, by the name of the layer that gives it.
        weights: SHA-256 of the file of weights that they are for.
        calibration: the faces in which they were seen: data set, split, n, seed.
        measured: what it costs.
    """

    ranges: dict[str, Range]
    weights: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    calibration: dict[str, Any]
    measured: tuple[Int8Cost, ...] = ()


class Weights(Record):
    """A file of weights."""

    sha256: str


class OperatingPoint(Record):
    """What is done to a model's answers before they are given; see ``ModelInfo``."""

    temperature: float
    logit_bias: list[float] | None


@dataclass(frozen=True, config=STRICT)
class Point:
    """An operating point of its own for one kind of pictures; the fields are those of ``ModelInfo``."""

    temperature: Positive = 1.0
    logit_bias: tuple[Number, ...] | None = None
    sure_margin: Share | None = None


@dataclass(frozen=True, config=STRICT)
class ModelInfo:
    """What config.json holds.

    Attributes:
        architecture: a name that ``create_model`` knows.
        arguments: the keyword arguments for ``create_model``; what is left out has its default.
        labels: name of each output, in the order of the outputs: at most 1000 of at most 40 printable characters.
        preprocess: how a face crop becomes the network's input.
        explain_layer: the submodule whose map explanations look at, or None where there is none.
        temperature, logit_bias: calibration and operating point; probabilities are
            ``softmax(logits / temperature + logit_bias)``. The bias has one value a label, None is no bias; with
            several views it is added once, to the logarithm of their average.
        sure_margin: an answer is sure where its probability leads the next one by at least this, else it is told as
            "not sure: sad or neutral"; None: every answer is sure.
        photographs: the operating point for faces that a detector finds in pictures, where it is another than that for
            given crops, of which ``measured`` speaks; None: the same.
        views: "flip" averages the probabilities of a crop and its mirror image; "none" looks once.
        measured: facts, each a dict that says data set, labels, split, n and the figures (fractions in [0, 1]).
        training: where the weights come from: recipe, data, epochs, seed, commit; or what was converted.
        license: name, link and text of the licence of the weights.
        int8: what the network in 8 bits needs; None where it was not calibrated.

    Raises:
        ValueError: a value does not fit, or two of them do not fit each other.
    """

    schema: Annotated[int, Field(ge=1, le=SCHEMA)] = field(default=SCHEMA, kw_only=True)
    architecture: str
    arguments: dict[str, Any]
    labels: Labels
    preprocess: Preprocessing
    explain_layer: str | None = "se"
    temperature: Positive = 1.0
    logit_bias: tuple[Number, ...] | None = None
    sure_margin: Annotated[Share | None, LATER] = None
    photographs: Annotated[Point | None, LATER] = None
    views: Literal["none", "flip"] = "none"
    measured: tuple[dict[str, Any], ...] = ()
    training: dict[str, Any] = field(default_factory=dict)
    license: dict[str, Any] = field(default_factory=dict)
    int8: Annotated[Int8 | None, LATER] = None

    @model_validator(mode="after")
    def _fits(self) -> "ModelInfo":
        count = len(self.labels)
        outputs, channels = self.arguments.get("num_classes", 7), self.arguments.get("in_channels", 3)
        if outputs != count:
            raise ValueError(f"the model has {outputs!r} outputs, but there are {count} labels: {self.labels}")
        if channels != self.preprocess.channels:
            raise ValueError(
                f"the model takes {channels!r} channels, but preprocessing gives {self.preprocess.channels}"
            )
        for point in (self, self.photographs):
            if point is not None and point.logit_bias is not None and len(point.logit_bias) != count:
                raise ValueError(f"logit_bias must have one number for each of {count} labels, got {point.logit_bias}")
        return self

    def for_photographs(self) -> "ModelInfo":
        """With the operating point for faces found in pictures in the place of the other one."""
        point = self.photographs
        return self if point is None else replace(self, photographs=None, **asdict(point))

    @property
    def operating_point(self) -> OperatingPoint:
        """As a run notes it beside figures."""
        bias = None if self.logit_bias is None else list(self.logit_bias)
        return OperatingPoint(temperature=self.temperature, logit_bias=bias)

    def to_dict(self) -> dict[str, Any]:
        """The content of config.json, made of JSON types only; without what older versions lack where it is None.

        Raises:
            TypeError, ValueError: a value has no place in JSON (NaN, for one).
        """
        values: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return {name: value for name, value in values.items() if value is not None or name not in _LEFT_OUT}
