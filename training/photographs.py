"""A model on whole photographs: the detector finds the faces, crops are cut, the network reads them.

Everything as a visitor of the page has it, so what is measured is what people get, not how well faces are read that
somebody has found before. Of several faces in a picture the largest counts, by the area of its box: a picture has one
label, and it is of whom it shows. A picture without a face is wrong. A picture that cannot be opened is named, counted
and left out.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from resemotenet.checkpoints.checkpoint import LoadedModel
from resemotenet.datasets import Collection, FaceFiles
from resemotenet.errors import DatasetFormatError, ImageError, TrainingError
from resemotenet.runs.photographs import figures
from resemotenet.runs.results import Predictions, ResultsFolder, write_json
from resemotenet.runs.schema import Photographs, Result, read

from .answers import canonical, is_answered, unanswered
from .evaluation import load_chosen, made_with
from .locks import alone_with

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resemotenet.reading.predictor import EmotionPredictor

_TOGETHER = 64
"""Pictures whose faces go through the network in one batch."""
_NAMED = 20
"""So many broken pictures are named; all are counted."""


@dataclass(frozen=True)
class Readings:
    """What the chain made of pictures.

    Attributes:
        probabilities: (N, 7) float32 of the largest face, columns in canonical order; NaN where there is no face.
        faces: (N,) how many faces were found.
        opened: (N,) whether the picture could be opened.
        broken: a sentence for each that could not.
    """

    probabilities: "NDArray[np.float32]"
    faces: "NDArray[np.int64]"
    opened: "NDArray[np.bool_]"
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """The figures, and what they were computed from.

    Attributes:
        predictions: of the pictures with a face; ids that are missing had none or could not be opened.
    """

    figures: Photographs
    predictions: Predictions


def read_pictures(predictor: "EmotionPredictor", pictures: FaceFiles) -> Readings:
    """Find and read the largest face of every picture, with a progress bar where there is a terminal."""
    n = len(pictures)
    probabilities = np.full((n, len(predictor.labels)), np.nan, np.float32)
    faces, opened, broken = np.zeros(n, np.int64), np.ones(n, bool), list[str]()
    with tqdm(total=n, desc="photographs", unit="picture", disable=None, leave=False) as bar:
        for rows in np.split(np.arange(n), range(_TOGETHER, n, _TOGETHER)):
            answers = predictor.batch(_shown(pictures, rows, bar), return_exceptions=True)
            for row, answer in zip(rows.tolist(), answers, strict=True):
                if isinstance(answer, ImageError):
                    opened[row] = False
                    broken.append(f"{pictures.ids[row]}: {answer.__cause__}")
                elif answer:
                    faces[row] = len(answer)
                    probabilities[row] = [answer[0].probabilities[label] for label in predictor.labels]
    if n and not opened.any():
        raise DatasetFormatError(f"none of {n:,} pictures can be opened: {broken[0]}")
    return Readings(canonical(probabilities, predictor.labels), faces, opened, tuple(broken))


def _shown(pictures: FaceFiles, rows: "NDArray[np.int64]", bar: "tqdm[Any]") -> Iterator[str | bytes]:
    for row in rows.tolist():
        bar.update()
        yield pictures.source(row)


def measure(model: LoadedModel, whole: Collection) -> Measured:
    """Read all photographs and compute every figure.

    Args:
        whole: as ``read_photographs`` gives it.

    Raises:
        TrainingError: there is no face detector.
        ResultsError: the model's labels are no emotions.
        DatasetFormatError: no picture is left that could be scored.
    """
    predictor = _predictor(model)
    pictures = whole.split("test")
    left_out = unanswered(pictures.targets, model.labels)
    pictures = pictures.where(is_answered(pictures.targets, model.labels))
    if not len(pictures):
        raise DatasetFormatError(f"no picture of {whole.root} has a label that the model answers: {model.labels}")
    readings = read_pictures(predictor, pictures)
    broken = (*whole.broken, *readings.broken)
    for said in broken[:_NAMED]:
        print(f"photographs: {said}", file=sys.stderr)
    found, opened = readings.faces > 0, readings.opened
    measured = figures(
        readings.probabilities[opened],
        pictures.targets[opened],
        found[opened],
        several=int((readings.faces > 1).sum()),
        broken=len(broken),
        unanswered=left_out,
        detector="MTCNN",
        **made_with(predictor.model),
    )
    seen = pictures.where(found)
    return Measured(measured, Predictions(readings.probabilities[found], seen.targets, seen.ids))


def measure_run(folder: ResultsFolder, whole: Collection) -> Measured:
    """The same of a finished run's chosen model; result.json gets the figures, and counts the look before.

    Raises:
        ResultsError: the run is not finished, or another process works on it; and as ``measure``.
    """
    folder.check_finished()
    with alone_with(folder):
        model, result = load_chosen(folder), read(Result, folder.result)
        touched = 1 + (result.photographs.touched or 0 if result.photographs else 0)
        measured = measure(model, whole)
        measured.figures.touched = touched
        result.photographs = measured.figures
        measured.predictions.save(folder.predictions(whole.name, "test"))
        write_json(folder.result, result.to_dict())
    return measured


def _predictor(model: LoadedModel) -> "EmotionPredictor":
    from resemotenet.reading.predictor import EmotionPredictor

    try:
        return EmotionPredictor(model, device=model.device)
    except ImportError as error:  # a machine that only trains needs none
        raise TrainingError(f"photographs cannot be read here: {error}") from error
