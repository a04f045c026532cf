"""From a finished run to weights for others: stored small, operating point chosen on validation, facts measured."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from resemotenet.calibration import choose_prior_bias
from resemotenet.checkpoint import LoadedModel, load_model, save_model
from resemotenet.results import ResultsFolder, read_json

from .evaluation import evaluate_run, predict
from .loading import Data

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
    """
    folder.check_finished()
    dtype = torch.float16 if half else torch.float32
    environment = read_json(folder.environment)
    model = load_model(folder.model)
    provenance = {**model.info.training, "commit": environment["commit"], "dirty": environment["dirty"]}
    info = replace(model.info, views=views, logit_bias=None, measured=(), training=provenance)
    save_model(folder.model, model.module, info, dtype=dtype)

    stored = load_model(folder.model)
    validation = data.scored["validation"][data.primary]
    plain = predict(stored, validation)
    prior = data.train.distribution.mean(axis=0).astype(float)
    bias = choose_prior_bias(plain.probabilities, plain.targets, prior, accuracy_margin=accuracy_margin)
    info = replace(info, logit_bias=tuple(round(float(value), 4) for value in bias))
    save_model(folder.model, stored.module, info, dtype=dtype)

    evaluate_run(folder, data.scored, "validation", data.leaked["validation"])
    result = evaluate_run(folder, data.scored, "test", data.leaked["test"])
    _write(load_model(folder.model), out, result, dtype)
    return result


def _write(model: LoadedModel, out: Path, result: dict[str, Any], dtype: torch.dtype) -> None:
    facts = []
    for split, entry in result["splits"].items():
        also = {name: entries[split] for name, entries in result["also"].items() if split in entries}
        for labels, figures in {entry["labels"]: entry, **also}.items():
            kept = {key: figures[key] for key in _FACTS if key in figures}
            facts.append(
                {"dataset": "fer2013", "labels": labels, "split": split, "protocol": result["protocol"], **kept}
            )
    save_model(out, model.module, replace(model.info, measured=tuple(json.loads(json.dumps(facts)))), dtype=dtype)
