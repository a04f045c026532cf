"""A model as an ONNX graph: for ONNX Runtime here, and as a file for programs in any language.

A file holds the network alone. What goes before it and after it (preprocessing, views, temperature, bias) stands in its
metadata, which any ONNX library reads.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .. import __version__
from ..errors import BackendError, CheckpointError
from ..runs.schema import Int8, Int8Cost, ModelInfo
from .graph import NetworkGraph, build_graph
from .quantize import calibrate, quantized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .checkpoint import LoadedModel

INPUT, OUTPUT = "crops", "logits"

_BEFORE = (
    "crops: float32 (N, C, S, S). Make the face crop grey (0.299 R + 0.587 G + 0.114 B), resize it to S x S with the "
    "filter that preprocess names (antialiased, kept in 0 to 255), divide by 255, subtract mean, divide by std; C = 3 "
    "is the same grey three times. See preprocess."
)
_AFTER = (
    "probabilities = softmax(logits / temperature). Where views is flip, average those of the crop and of its mirror "
    "image. Where there is a logit_bias, take softmax(log(probabilities) + logit_bias). For faces that a detector "
    "found in pictures take temperature and logit_bias of photographs, where that is not null."
)


def model_graph(model: "LoadedModel", precision: str = "exact") -> NetworkGraph:
    """Logits (N, K) from preprocessed crops (N, C, S, S).

    Args:
        precision: "exact" or "int8".

    Raises:
        BackendError: the network has no graph here, or was not calibrated for int8, or with other weights.
    """
    side, channels, int8 = model.preprocess.size, model.preprocess.channels, model.info.int8
    graph = build_graph(model.module, (2, channels, side, side), input=INPUT, outputs=[OUTPUT], free={0: "N"})
    if precision == "exact":
        return graph
    how = "python -m resemotenet calibrate FOLDER --data PATH reads them off faces"
    if int8 is None:
        raise BackendError(f"{model.folder} has no ranges for int8 in its config.json: {how}")
    if int8.weights != _digest(model):
        raise BackendError(f"the ranges for int8 in config.json of {model.folder} are of other weights: {how}")
    return quantized(graph, int8.ranges)


def calibrated(model: "LoadedModel", faces: "NDArray[np.uint8]", about: dict[str, Any]) -> ModelInfo:
    """The model's info with the ranges for int8.

    Args:
        faces: (N, 1, H, W) grey, such as the model was trained on; a few hundred.
        about: where they come from: data set, split, seed.
    """
    batches = (model.preprocess.batch(torch.from_numpy(part)).numpy() for part in _parts(faces))
    ranges = calibrate(model_graph(model), batches)
    return replace(model.info, int8=Int8(ranges, _digest(model), {**about, "n": len(faces)}))


def cost_of_int8(
    model: "LoadedModel", faces: "NDArray[np.uint8]", truth: Sequence[str], *, dataset: str, labels: str, split: str
) -> Int8Cost:
    """Compare int8 with exact.

    Args:
        faces: (N, 1, H, W) grey.
        truth: the right label of each.
        dataset, labels, split: which faces they are.

    Raises:
        BackendError: the model was not calibrated.
    """
    answers = []
    for precision in ("exact", "int8"):
        reader = model.with_backend("onnxruntime", precision)
        parts = [reader.probabilities(model.preprocess.batch(torch.from_numpy(part))) for part in _parts(faces)]
        answers.append(torch.cat(parts).numpy())
    right = np.array([model.labels.index(label) for label in truth])
    exact, int8 = answers
    guesses, rough = exact.argmax(axis=1), int8.argmax(axis=1)
    return Int8Cost(
        dataset=dataset,
        labels=labels,
        split=split,
        n=len(right),
        exact=float(np.mean(guesses == right)),
        int8=float(np.mean(rough == right)),
        same=float(np.mean(guesses == rough)),
        largest=float(np.abs(exact - int8).max()),
    )


def export_onnx(model: "LoadedModel", path: str | Path, precision: str = "exact") -> Path:
    """Write a model as a file that any program with an ONNX library can run; it appears whole or not at all.

    Raises:
        BackendError: the network has no graph here, or was not calibrated for int8.
        CheckpointError: the file cannot be written.
    """
    path = Path(path)
    fresh = path.with_name(f".{path.name}.new")
    content = model_graph(model, precision).to_onnx(_metadata(model, precision))
    try:
        fresh.write_bytes(content.SerializeToString())
        os.replace(fresh, path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise CheckpointError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def _metadata(model: "LoadedModel", precision: str) -> dict[str, str]:
    info = model.info
    operating_point = {
        "labels": info.labels,
        "preprocess": asdict(info.preprocess),
        "views": info.views,
        "temperature": info.temperature,
        "logit_bias": info.logit_bias,
        "sure_margin": info.sure_margin,
        "photographs": None if info.photographs is None else asdict(info.photographs),
        "license": info.license,
    }
    return {
        "producer": f"resemotenet {__version__}",
        "architecture": info.architecture,
        "precision": precision,
        "weights_sha256": _digest(model),
        "before": _BEFORE,
        "after": _AFTER,
        **{name: json.dumps(value) for name, value in operating_point.items()},
    }


def _digest(model: "LoadedModel") -> str:
    from .checkpoint import WEIGHTS_FILE

    with (model.folder / WEIGHTS_FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parts(faces: "NDArray[np.uint8]", size: int = 64) -> "Iterator[NDArray[np.uint8]]":
    return (faces[start : start + size] for start in range(0, len(faces), size))
