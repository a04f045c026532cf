"""From a finished run to weights for others: stored small, operating point chosen on validation, facts measured."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from resemotenet.calibration import choose_prior_bias
from resemotenet.checkpoint import LoadedModel, load_model, save_model
from resemotenet.datasets import FaceSet
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import TrainingError
from resemotenet.results import ResultsFolder, read_json

from .evaluation import evaluate_run, predict
from .loading import Data

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FACTS = ("n", "accuracy", "interval", "macro_recall", "macro_f1", "nll", "ece", "views", "without_leaks")


def release(
    folder: ResultsFolder,
    out: Path,
    data: Data,
    *,
    views: Literal["none", "flip"] = "flip",
    half: bool = True,
    accuracy_margin: float = 0.0,
) -> dict[str, Any]:
    """Fix the model of a finished run as it will be used, measure it, write it to ``out`` with its facts.

    The run's own model becomes the one released, so its predictions are those of the released weights. Test is touched
    once, after everything is chosen.

    Args:
        out: the model folder to write or replace.
        views: see ``ModelInfo.views``.
        half: store kernels and matrices as float16.
        accuracy_margin: how much validation accuracy the operating point may cost, see ``choose_prior_bias``.

    Returns:
        What the run's result.json now holds.

    Raises:
        ResultsError: the run is not finished.
        TrainingError: an emotion never occurs in training.
    """
    folder.check_finished()
    prior = _shares(data.train)
    dtype = torch.float16 if half else torch.float32
    environment = read_json(folder.environment)
    model = load_model(folder.model)
    provenance = {**model.info.training, "commit": environment["commit"], "dirty": environment["dirty"]}
    info = replace(model.info, views=views, logit_bias=None, measured=(), training=provenance)
    save_model(folder.model, model.module, info, dtype=dtype)

    stored = load_model(folder.model)
    validation = data.scored["validation"][data.primary]
    plain = predict(stored, validation)
    bias = choose_prior_bias(plain.probabilities, plain.targets, prior, accuracy_margin=accuracy_margin)
    info = replace(info, logit_bias=tuple(round(float(value), 4) for value in bias))
    save_model(folder.model, stored.module, info, dtype=dtype)

    evaluate_run(folder, data.scored, "validation", data.leaked["validation"])
    result = evaluate_run(folder, data.scored, "test", data.leaked["test"])
    _write(load_model(folder.model), out, result, read_json(folder.config)["dataset"]["name"], dtype)
    return result


def _shares(train: FaceSet) -> "NDArray[np.float64]":
    """The share (7,) of each emotion in training, all positive."""
    shares: NDArray[np.float64] = train.distribution.mean(axis=0, dtype=np.float64)
    absent = [emotion for emotion, share in zip(EMOTIONS, shares, strict=True) if share == 0]
    if absent:
        raise TrainingError(
            f"no training face is labelled {' or '.join(absent)}, so the model was never taught it, and no operating "
            "point can make up for that; train on data that has all seven emotions"
        )
    return shares


def _write(model: LoadedModel, out: Path, result: dict[str, Any], dataset: str, dtype: torch.dtype) -> None:
    facts = []
    for split, entry in result["splits"].items():
        also = {name: entries[split] for name, entries in result["also"].items() if split in entries}
        for labels, figures in {entry["labels"]: entry, **also}.items():
            kept = {key: figures[key] for key in _FACTS if key in figures}
            facts.append({"dataset": dataset, "labels": labels, "split": split, "protocol": result["protocol"], **kept})
    save_model(out, model.module, replace(model.info, measured=tuple(json.loads(json.dumps(facts)))), dtype=dtype)
