"""From a model to predictions and figures. Deterministic: no augmentation, fixed order.

``train`` ends at validation. ``evaluate_run(..., "test")`` is the one touch of test, and each touch is counted.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object

from resemotenet.checkpoint import LoadedModel, load_model
from resemotenet.datasets import FaceSet
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResultsError
from resemotenet.metrics import summary
from resemotenet.results import Predictions, ResultsFolder, read_json, write_json

_BATCH = 256


def predict(model: LoadedModel, faces: FaceSet) -> Predictions:
    """Read every face of a set; with several processes each takes a share and all get the whole.

    Raises:
        ResultsError: the model's labels are not the seven emotions.
    """
    if sorted(model.labels) != sorted(EMOTIONS):
        raise ResultsError(f"the model answers {model.labels}, the data set is labelled {EMOTIONS}")
    state = PartialState()
    own = torch.from_numpy(faces.images[state.process_index :: state.num_processes])
    parts = [
        model.probabilities(model.preprocess.batch(images.to(model.device))).numpy() for images in own.split(_BATCH)
    ]
    shares = [np.concatenate(parts)] if state.num_processes == 1 else gather_object([np.concatenate(parts)])
    probabilities = np.empty((len(faces), len(EMOTIONS)), np.float32)
    for process, share in enumerate(shares):
        probabilities[process :: state.num_processes] = share
    canonical = [model.labels.index(emotion) for emotion in EMOTIONS]
    return Predictions(probabilities[:, canonical], faces.targets, faces.ids)


def predict_all(model: LoadedModel, definitions: dict[str, FaceSet]) -> dict[str, Predictions]:
    """Predictions of one split under several label definitions; every face is read once.

    Label definitions leave rows out but share ids, so the largest set holds all the others.
    """
    largest = max(definitions.values(), key=len)
    whole = predict(model, largest)
    row_of = {id_: row for row, id_ in enumerate(whole.ids)}
    result = {}
    for name, faces in definitions.items():
        if all(id_ in row_of for id_ in faces.ids):
            rows = [row_of[id_] for id_ in faces.ids]
            result[name] = Predictions(whole.probabilities[rows], faces.targets, faces.ids)
        else:  # under a limit the definitions keep different faces
            result[name] = predict(model, faces)
    return result


def figures(predictions: dict[str, Predictions]) -> dict[str, dict[str, Any]]:
    """Accuracy and its companions under each label definition."""
    return {name: summary(each.probabilities, each.targets) for name, each in predictions.items()}


def evaluate_run(
    folder: ResultsFolder, scored: dict[str, dict[str, FaceSet]], split: str, leaked: set[str] | None = None
) -> dict[str, Any]:
    """Score a finished run's chosen model, write the predictions, bring result.json up to date.

    Args:
        scored: by split, then by label definition; the run's own definition first.
        leaked: ids that have an identical copy in train; accuracy without them is given beside.

    Returns:
        What result.json now holds.

    Raises:
        ResultsError: the run is not finished.
    """
    if not folder.is_finished:
        raise ResultsError(f"{folder.path} has no result.json, so the run is not finished; resume it first")
    result: dict[str, Any] = read_json(folder.result)
    model = load_model(folder.model)
    predictions = predict_all(model, scored[split])
    for name, each in predictions.items():
        each.save(folder.predictions(name, split))
    touched = result["splits"].get(split, {}).get("touched", 0) + 1
    record(result, split, predictions, model.info.views, leaked)
    if split == "test":
        result["splits"][split]["touched"] = touched
    write_json(folder.result, result)
    return result


def record(
    result: dict[str, Any], split: str, predictions: dict[str, Predictions], views: str, leaked: set[str] | None
) -> None:
    """Enter a split into a result: its first label definition under "splits", the others under "also"."""
    primary, *others = predictions
    for name in (primary, *others):
        each = predictions[name]
        entry = {**summary(each.probabilities, each.targets), "views": views}
        if leaked:
            clean = ~np.isin(each.ids, list(leaked))
            hits = each.probabilities[clean].argmax(axis=1) == each.targets[clean]
            entry["without_leaks"] = {"n": int(clean.sum()), "accuracy": float(hits.mean())}
        if name == primary:
            result["splits"][split] = {"labels": name, **entry}
        else:
            result["also"].setdefault(name, {})[split] = entry


def check_facts(folder: Path, scored: dict[str, dict[str, FaceSet]]) -> list[dict[str, Any]]:
    """Measure again what a model folder says was measured.

    Returns:
        One dict a fact: labels, split, n, the accuracy claimed, the accuracy found, and whether they agree to the last
        face.
    """
    model = load_model(folder)
    rows = []
    cache: dict[str, dict[str, Predictions]] = {}
    for fact in model.info.measured:
        split = fact["split"]
        if split not in cache:
            cache[split] = predict_all(model, scored[split])
        each = cache[split][fact["labels"]]
        found = summary(each.probabilities, each.targets)
        agrees = found["n"] == fact["n"] and round(found["accuracy"] * fact["n"]) == round(fact["accuracy"] * fact["n"])
        rows.append({
            "labels": fact["labels"], "split": split, "n": found["n"], "claimed": fact["accuracy"],
            "found": found["accuracy"], "macro_recall": found["macro_recall"], "agrees": agrees,
        })
    return rows
