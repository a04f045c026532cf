"""A finished run as the trainer leaves it, with predictions that were drawn: no data, no training."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from resemotenet.emotions import EMOTIONS
from resemotenet.runs.metrics import summary
from resemotenet.runs.results import Predictions, ResultsFolder, write_json
from resemotenet.runs.schema import Augmentation, Dataset, Network, Optimization, RunConfig

SECRET_PLACE = "/home/somebody/private"
"""Stands in the run's files as a path of the machine; must not get out."""

_SIZES = {"ferplus-strict": 300, "fer2013": 400}


def make_run(path: Path, model: Path, *, splits: tuple[str, ...] = ("validation", "test"), dirty: bool = False) -> Path:
    """Write a results folder with the weights of ``model``, scored under two label definitions.

    Returns:
        ``path``.
    """
    folder = ResultsFolder(path)
    shutil.copytree(model, folder.model)
    config = json.loads((folder.model / "config.json").read_text())
    config["training"] = {"recipe": "bundled", "data": "fer2013", "labels": "ferplus", "epochs": 3, "seed": 0}
    config["license"] = {
        "name": "non-commercial-research",
        "text": "For research.",
        "link": "https://example.org/terms",
    }
    (folder.model / "config.json").write_text(json.dumps(config))
    write_json(folder.config, _config())
    write_json(folder.environment, _environment(dirty))
    write_json(folder.audit, _audit())
    folder.epochs.write_text("".join(json.dumps({"epoch": number}) + "\n" for number in (1, 2, 3)))
    folder.resume.mkdir()
    (folder.resume / "state.pt").write_bytes(b"optimizer")
    write_json(folder.result, _result(folder, splits))
    return path


def add_elsewhere(path: Path) -> dict[str, Any]:
    """Score the run on CK+ and on a set of which the evaluation broke off; the figures of CK+."""
    folder = ResultsFolder(path)
    predictions = replace(_predictions(309, seed=99), leaked=None)
    predictions.save(folder.predictions("ckplus-peak", "test"))
    figures = {**summary(predictions.probabilities, predictions.targets), "views": "none", "broken": 2, "touched": 1}
    result = json.loads(folder.result.read_text())
    result["elsewhere"] = {"ckplus-peak": {"test": figures}, "raf-db": {"test": {"touched": 1}}}
    write_json(folder.result, result)
    return figures


def _result(folder: ResultsFolder, splits: tuple[str, ...]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "schema": 1,
        "run": folder.path.name,
        "protocol": "validation-chosen",
        "chosen": {"epoch": 2, "by": "validation accuracy, ferplus-strict", "value": 0.7},
        "splits": {},
        "also": {},
        "cost": {"parameters": 1, "macs": 49_195_904, "epochs": 3, "seconds": 60.0, "device": "cpu (x86_64)"},
    }
    for number, split in enumerate(splits):
        for labels, size in _SIZES.items():
            predictions = _predictions(size, seed=10 * number + size)
            predictions.save(folder.predictions(labels, split))
            entry = _figures(predictions)
            if labels == "ferplus-strict":
                result["splits"][split] = {"labels": labels, **entry}
            else:
                result["also"].setdefault(labels, {})[split] = entry
    if "test" in splits:
        result["splits"]["test"]["touched"] = 1
    return result


def _figures(predictions: Predictions) -> dict[str, Any]:
    assert predictions.leaked is not None
    kept = ~predictions.leaked
    hits = predictions.probabilities[kept].argmax(axis=1) == predictions.targets[kept]
    clean = {"n": int(kept.sum()), "accuracy": float(hits.mean())}
    return {**summary(predictions.probabilities, predictions.targets), "views": "none", "without_leaks": clean}


def _predictions(size: int, seed: int) -> Predictions:
    """Right two times in three, with no disgust at all."""
    random = np.random.default_rng(seed)
    targets = random.choice([0, 2, 3, 4, 5, 6], size=size).astype(np.int64)
    named = np.where(random.random(size) < 2 / 3, targets, random.integers(0, len(EMOTIONS), size))
    scores = random.random((size, len(EMOTIONS))) + 4 * np.eye(len(EMOTIONS))[named]
    probabilities = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(
        probabilities, targets, np.array([f"{row:05d}" for row in range(size)]), random.random(size) < 0.1
    )


def _config() -> dict[str, Any]:
    return RunConfig(
        recipe="bundled",
        data=Path(SECRET_PLACE) / "fer2013.parquet",
        results=Path(SECRET_PLACE) / "results",
        network=Network(width=0.0625, size=48, channels=1),
        dataset=Dataset(labels="ferplus"),
        augmentation=Augmentation(scale=0, shift=0, brightness=0, contrast=0, erase=0),
        optimization=Optimization(epochs=3),
    ).to_dict()


def _environment(dirty: bool) -> dict[str, Any]:
    return {
        "commit": "b5e2457cc422acfc6cb29ef20f3d57ae874fea99",
        "dirty": dirty,
        "command": ["python", "-m", "training", "train", "bundled", "--data", f"{SECRET_PLACE}/fer2013.parquet"],
        "seed": 0,
        "device": "cpu (x86_64)",
        "threads": 2,
        "python": "3.11.7",
        "platform": "Linux",
        "versions": {"torch": "2.14.1", "pandas": None},
        "resumptions": [],
    }


def _audit() -> dict[str, Any]:
    return {
        "images": {"train": 28_709, "validation": 3_589, "test": 3_589},
        "leaks": {"validation images with a copy in train": 280, "test images with a copy in train": 288},
        "near_copies": {"pairs": 5_289, "leaks": {"test images with a near but no identical copy in train": 374}},
    }
