"""What config.json of a model folder holds: everything needed to use the weights that lie beside it."""

import json
from dataclasses import dataclass, field, fields
from types import NoneType
from typing import Any, Literal, cast

from ..errors import CheckpointFormatError
from .preprocessing import LARGEST_NUMBER, SMALLEST_NUMBER, Preprocess, is_number

SCHEMA = 1
# Labels are printed, in tables and on the page.
MOST_LABELS, LONGEST_LABEL = 1000, 40

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "architecture": (str,),
    "arguments": (dict,),
    "labels": (list,),
    "preprocess": (dict,),
    "explain_layer": (str, NoneType),
    "temperature": (int, float),
    "logit_bias": (list, NoneType),
    "views": (str,),
    "measured": (list,),
    "training": (dict,),
    "license": (dict,),
}


@dataclass(frozen=True)
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
        views: "flip" averages the probabilities of a crop and its mirror image; "none" looks once.
        measured: facts, each a dict that says data set, labels, split, n and the figures (fractions in [0, 1]).
        training: where the weights come from: recipe, data, epochs, seed, commit; or what was converted.
        license: name, link and text of the licence of the weights.

    Raises:
        ValueError: a value does not fit, or two of them do not fit each other.
    """

    architecture: str
    arguments: dict[str, Any]
    labels: tuple[str, ...]
    preprocess: Preprocess
    explain_layer: str | None = "se"
    temperature: float = 1.0
    logit_bias: tuple[float, ...] | None = None
    views: Literal["none", "flip"] = "none"
    measured: tuple[dict[str, Any], ...] = ()
    training: dict[str, Any] = field(default_factory=dict)
    license: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        labels, bias = self.labels, self.logit_bias
        if len(labels) > MOST_LABELS:
            raise ValueError(f"labels must be at most {MOST_LABELS}, got {len(labels)}")
        if not all(map(_is_name, labels)) or len(set(labels)) != len(labels):
            raise ValueError(
                f"labels must be different, non-empty names of at most {LONGEST_LABEL} printable characters, "
                f"got {labels}"
            )
        outputs, channels = self.arguments.get("num_classes", 7), self.arguments.get("in_channels", 3)
        if outputs != len(labels):
            raise ValueError(f"the model has {outputs} outputs, but there are {len(labels)} labels: {labels}")
        if channels != self.preprocess.channels:
            raise ValueError(f"the model takes {channels} channels, but preprocessing gives {self.preprocess.channels}")
        if not is_number(self.temperature) or self.temperature < SMALLEST_NUMBER:
            raise ValueError(
                f"temperature must be a positive number, {SMALLEST_NUMBER} to {LARGEST_NUMBER:,.0f}, "
                f"got {self.temperature}"
            )
        if bias is not None and (len(bias) != len(labels) or not all(map(is_number, bias))):
            raise ValueError(f"logit_bias must have one finite number for each of {len(labels)} labels, got {bias}")
        if self.views not in ("none", "flip"):
            raise ValueError(f"views must be 'none' or 'flip', got {self.views!r}")
        if not all(isinstance(fact, dict) for fact in self.measured):
            raise ValueError(f"every entry of measured must be a dict, got {self.measured}")

    def to_dict(self) -> dict[str, Any]:
        """The content of config.json, made of JSON types only.

        Raises:
            TypeError, ValueError: a value has no place in JSON (NaN, for one).
        """
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["preprocess"] = self.preprocess.to_dict()
        return cast(dict[str, Any], json.loads(json.dumps({"schema": SCHEMA, **values}, allow_nan=False)))

    @classmethod
    def from_dict(cls, values: Any) -> "ModelInfo":
        """Read back ``to_dict``.

        Raises:
            CheckpointFormatError: a newer schema, a key that is missing or not known, or a value that does not fit.
        """
        if not isinstance(values, dict):
            raise CheckpointFormatError(f"expected a JSON object, got {type(values).__name__}")
        _check_schema(values.get("schema"))
        expected = {"schema", *_JSON_TYPES}
        if set(values) != expected:
            raise CheckpointFormatError(
                f"missing keys: {sorted(expected - set(values))}; keys that are not known: "
                f"{sorted(set(values) - expected)}"
            )
        for key, types in _JSON_TYPES.items():
            if not isinstance(values[key], types) or isinstance(values[key], bool):
                allowed = " or ".join("null" if kind is NoneType else kind.__name__ for kind in types)
                raise CheckpointFormatError(f"{key} must be {allowed}, got {values[key]!r}")
        known = {key: values[key] for key in _JSON_TYPES}
        known |= {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
        try:
            known["preprocess"] = Preprocess.from_dict(known["preprocess"])
            return cls(**known)
        except (ValueError, TypeError) as error:
            raise CheckpointFormatError(str(error)) from error


def _check_schema(schema: object) -> None:
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise CheckpointFormatError(f"schema must be a whole number from 1 up, got {schema!r}")
    if schema > SCHEMA:
        raise CheckpointFormatError(
            f"written in schema {schema} by a newer version of resemotenet; this one reads up to {SCHEMA}, update it"
        )


def _is_name(label: object) -> bool:
    # What is not printable could command the terminal that it is printed to.
    return isinstance(label, str) and 0 < len(label) <= LONGEST_LABEL and label.isprintable()
