"""Whether a run's figures, its predictions and its model belong together."""

import math
from pathlib import Path
from typing import Any

from ..checkpoints.checkpoint import WEIGHTS_FILE, LoadedModel
from ..errors import PublicationError
from ..runs.results import Predictions
from ..runs.schema import Entry, OperatingPoint, Result


def check_operating_point(model: LoadedModel, result: Result, path: Path) -> None:
    """The model answers with the temperature and bias that its release fixed; with none where it was not released.

    Raises:
        PublicationError: it does not, so the figures are not its own.
    """
    released, now = result.released, model.info.operating_point
    views = model.info.views if released is None else released.views
    temperature, bias = (1.0, None) if released is None else (released.temperature, released.logit_bias or None)
    for name, measured, value in (
        ("temperature", temperature, now.temperature),
        ("logit_bias", bias, now.logit_bias),
        ("views", views, model.info.views),
    ):
        if value != measured:
            raise PublicationError(
                f"{path} was measured with {name} {measured!r}, but the model now has {value!r}; release the run "
                "again, or put the model back"
            )


def check_weights(found: str, said: Entry, where: str, path: Path) -> None:
    """The file of weights is the one that was measured, where an entry of result.json says which.

    Raises:
        PublicationError: it is another.
    """
    if said.weights is not None and (measured := said.weights.sha256) != found:
        raise PublicationError(
            f"{path} was measured ({where}) with weights of SHA-256 {measured}, but {WEIGHTS_FILE} now has {found}; "
            "evaluate the run again"
        )


def check_entry(model: LoadedModel, said: Entry, where: str, path: Path) -> None:
    """An entry of result.json was measured with the views, temperature and bias that the model has, where it says so.

    Raises:
        PublicationError: with others.
    """
    pairs = {
        "views": (said.views, model.info.views),
        "operating point": (_dict(said.operating_point), _dict(model.info.operating_point)),
    }
    for name, (measured, now) in pairs.items():
        if measured not in (None, now):
            raise PublicationError(
                f"{path} was measured ({where}) with {name} {measured!r}, but the model now has {now!r}; evaluate it "
                "again"
            )


def _dict(point: OperatingPoint | None) -> dict[str, Any] | None:
    return None if point is None else point.to_dict()


def check_figures(said: Entry, predictions: Predictions, where: str, path: Path) -> None:
    """Every figure of an entry of result.json is what the predictions give.

    Raises:
        PublicationError: one is not.
    """
    figures = predictions.figures()
    if said.without_leaks is None:
        figures.pop("without_leaks", None)
    elif predictions.leaked is not None:  # older runs have it also where none of the faces has a copy
        figures.setdefault("without_leaks", {name: figures[name] for name in ("n", "accuracy")})
    _check_equal(said.to_dict(), figures, where, path)


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
