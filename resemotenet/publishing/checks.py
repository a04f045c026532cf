"""Whether a run's figures, its predictions and its model belong together."""

import hashlib
import math
from pathlib import Path
from typing import Any

from ..checkpoints.checkpoint import WEIGHTS_FILE, LoadedModel
from ..errors import PublicationError
from ..runs.results import Predictions


def sha256_of(model: LoadedModel) -> str:
    """SHA-256 of a model's file of weights, as the Hub tells it too."""
    with (model.folder / WEIGHTS_FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def operating_point_of(model: LoadedModel) -> dict[str, Any]:
    """What is done to a model's answers before they are given, as it stands in JSON."""
    bias = model.info.logit_bias
    return {"temperature": model.info.temperature, "logit_bias": None if bias is None else list(bias)}


def check_operating_point(model: LoadedModel, result: dict[str, Any], path: Path) -> None:
    """The model answers with the temperature and bias that its release fixed; with none where it was not released.

    Raises:
        PublicationError: it does not, so the figures are not its own.
    """
    released = result.get("released", {})
    measured = {
        "temperature": released.get("temperature", 1),
        "logit_bias": list(released.get("logit_bias", ())) or None,
        "views": released.get("views", model.info.views),
    }
    now = {**operating_point_of(model), "views": model.info.views}
    for name, value in now.items():
        if value != measured[name]:
            raise PublicationError(
                f"{path} was measured with {name} {measured[name]!r}, but the model now has {value!r}; release the run "
                "again, or put the model back"
            )


def check_weights(found: str, said: dict[str, Any], where: str, path: Path) -> None:
    """The file of weights is the one that was measured, where an entry of result.json says which.

    Raises:
        PublicationError: it is another.
    """
    measured = said.get("weights", {}).get("sha256", found)
    if measured != found:
        raise PublicationError(
            f"{path} was measured ({where}) with weights of SHA-256 {measured}, but {WEIGHTS_FILE} now has {found}; "
            "evaluate the run again"
        )


def check_entry(model: LoadedModel, said: dict[str, Any], where: str, path: Path) -> None:
    """An entry of result.json was measured with the views, temperature and bias that the model has, where it says so.

    Raises:
        PublicationError: with others.
    """
    now = {"views": model.info.views, "operating_point": operating_point_of(model)}
    for name, value in now.items():
        if said.get(name, value) != value:
            raise PublicationError(
                f"{path} was measured ({where}) with {name.replace('_', ' ')} {said[name]!r}, but the model now has "
                f"{value!r}; evaluate it again"
            )


def check_figures(said: dict[str, Any], predictions: Predictions, where: str, path: Path) -> None:
    """Every figure of an entry of result.json is what the predictions give.

    Raises:
        PublicationError: one is not.
    """
    figures = predictions.figures()
    if "without_leaks" not in said:
        figures.pop("without_leaks", None)
    elif predictions.leaked is not None:  # older runs have it also where none of the faces has a copy
        figures.setdefault("without_leaks", {name: figures[name] for name in ("n", "accuracy")})
    _check_equal(said, figures, where, path)


def _check_equal(said: dict[str, Any], found: dict[str, Any], where: str, path: Path) -> None:
    for name, value in found.items():
        claimed = said.get(name)
        if isinstance(value, dict):
            _check_equal(claimed or {}, value, f"{where}, {name}", path)
            continue
        pairs = zip(value, claimed or (), strict=False) if isinstance(value, list) else [(value, claimed)]
        same = all(b is not None and math.isclose(a, b, rel_tol=1e-6) for a, b in pairs)
        if not same or (isinstance(value, list) and len(value) != len(claimed or ())):
            raise PublicationError(
                f"result.json says {name} = {claimed} ({where}), but its predictions in {path} give {value}; one of "
                "them was changed. Evaluate the run again"
            )
