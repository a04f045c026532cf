"""How a model reads photographs with its detector: part of result.json, or a file of its own."""

from typing import Annotated, Literal

from pydantic import Field

from .model import SCHEMA, OperatingPoint, Weights
from .numbers import Count, Pair, Share, Some
from .record import Record


class OfEmotion(Record):
    """Pictures with one label: how many, in how many a face was found, how many were read right."""

    n: Some
    found: Count
    right: Count

    @property
    def recall(self) -> float:
        return self.right / self.n


class MeanRecall(Record):
    """The average recall of these emotions, and its interval; None where no draw differs."""

    value: Share
    interval: Pair | None = None
    emotions: list[str]


class Photographs(Record):
    """What detector, crop and network together made of labelled photographs; a picture without a face is wrong.

    Attributes:
        n: pictures that could be opened, one face each: the largest.
        found: those in which the detector found a face; ``several``: more than one.
        broken: pictures that could not be opened; they are not among n.
        unanswered: label -> pictures that were left out, since the model does not answer it.
        accuracy, interval: right of n; Wilson, 95%.
        accuracy_of_found, interval_of_found: right of found.
        emotions: by label, in canonical order.
        mean_recall: of all labels that occur; ``common``: of those with at least 20 pictures, None where there is none.
        nll, ece: of found.
        detector: what found the faces.
        touched: how often a run was scored on photographs.
    """

    version: Annotated[int, Field(alias="schema", ge=1, le=SCHEMA)] = SCHEMA
    dataset: Literal["photographs"] = "photographs"
    n: Some
    found: Count
    several: Count
    right: Count
    broken: Count
    unanswered: dict[str, Count]
    accuracy: Share
    interval: Pair
    accuracy_of_found: Share | None = None
    interval_of_found: Pair | None = None
    emotions: dict[str, OfEmotion]
    mean_recall: MeanRecall
    common: MeanRecall | None = None
    nll: float | None = None
    ece: Share | None = None
    detector: str | None = None
    views: str | None = None
    weights: Weights | None = None
    operating_point: OperatingPoint | None = None
    touched: Count | None = None
