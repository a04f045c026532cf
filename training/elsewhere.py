"""A finished run on another data set: how much of what it learned is about faces, and how much about its own data.

The other set's split is read at the size of the network's input and scored with the run's own operating point; nothing
is chosen on it. Predictions lie beside the run's own; result.json has the figures under "elsewhere", by label
definition and split, so that they are never taken for the run's own; each says of the model what a release may change,
and a release that changes it takes them out. Whether the other set holds pictures that the run
was trained on is not looked at: sets from the web may share some.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from resemotenet.checkpoints.checkpoint import LoadedModel
from resemotenet.datasets import FER2013, FaceFiles, FaceSet, ReadyFaces, read_ckplus, recognise
from resemotenet.errors import ResultsError
from resemotenet.runs.label_sets import FERPLUS, teaching
from resemotenet.runs.results import ResultsFolder, write_json
from resemotenet.runs.schema import Entry, Look, Result, read

from .evaluation import load_chosen, made_with, predict_all, save_predictions
from .locks import alone_with
from .picture_sets import Storage
from .processes import join_processes


def evaluate_elsewhere(
    folder: ResultsFolder, path: Path, split: str, *, skip_broken: bool = False, storage: Storage | None = None
) -> dict[str, Entry]:
    """Score a finished run's chosen model on a split of another data set.

    Args:
        path: the other data set, in any layout that ``recognise`` knows.
        split: "validation" or "test"; each look is counted, before there is anything to see of it.
        skip_broken: leave out pictures that cannot be read; the figures say how many.
        storage: where the pixels of a large set are kept.

    Returns:
        The figures by label definition, as they now stand in result.json.

    Raises:
        ResultsError: the run is not finished, or has these labels as its own, or another process works on it.
        DatasetError: the other set cannot be read, or has no such split.
    """
    folder.check_finished()
    with alone_with(folder):
        return _evaluate(folder, path, split, skip_broken, storage or Storage())


def _evaluate(folder: ResultsFolder, path: Path, split: str, skip_broken: bool, storage: Storage) -> dict[str, Entry]:
    result = read(Result, folder.result)
    model = load_chosen(folder)
    definitions, broken = _definitions(path, split, model.preprocess.size, skip_broken, storage)
    own = {labels for labels, _, _ in result.entries()}
    if taken := sorted(own & set(definitions)):
        raise ResultsError(
            f"{path} has the labels {', '.join(taken)}, which are the run's own; evaluate it without --on, or name "
            "another data set"
        )
    touched = {name: result.touch_elsewhere(name, split) for name in definitions}
    state = join_processes()
    if state.is_main_process:
        write_json(folder.result, result.to_dict())
    state.wait_for_everyone()
    predictions, measured_with = predict_all(model, definitions), made_with(model)
    entries = {
        name: Entry(**each.figures(), **measured_with, broken=len(broken), touched=touched[name])
        for name, each in predictions.items()
    }
    for name, entry in entries.items():
        result.enter_elsewhere(name, split, entry)
    if state.is_main_process:
        save_predictions(folder, split, predictions)
        write_json(folder.result, result.to_dict())
    return entries


def drop_stale(folder: ResultsFolder, model: LoadedModel) -> tuple[str, ...]:
    """Take out what weights, views or an operating point other than the model's gave: figures and predictions.

    How often a split was looked at stays.

    Returns:
        What was dropped, "raf-db test" and so on.
    """
    result, now, dropped = read(Result, folder.result), made_with(model), []
    for name, split, entry in list(result.elsewhere_entries()):
        if any(getattr(entry, key) != value for key, value in now.items()):
            result.enter_elsewhere(name, split, Look(touched=entry.touched or 0))
            folder.predictions(name, split).unlink(missing_ok=True)
            dropped.append(f"{name} {split}")
    if dropped:
        write_json(folder.result, result.to_dict())
        print(
            f"{', '.join(dropped)}: these figures were of the model as it was before, and are gone; measure them again "
            "with 'python -m training evaluate RUN --on PATH'",
            file=sys.stderr,
        )
    return tuple(dropped)


def _definitions(
    path: Path, split: str, size: int, skip_broken: bool, storage: Storage
) -> tuple[Mapping[str, ReadyFaces], tuple[str, ...]]:
    """The faces of a split by label definition, one of them with all faces; and what could not be read."""
    info, _, root = recognise(path)
    if info.name == "ckplus":
        return _ckplus(root, split, size, skip_broken)
    whole = info.read(root, skip_broken=skip_broken)
    if isinstance(whole, FER2013):
        scored = (teaching("fer2013") if whole.votes is None else FERPLUS).scored
        names = [name for name in FER2013.definitions if name in scored]
        return {name: whole.split(split, name) for name in names}, ()
    held, broken = storage.ready(whole.split(split), size, skip_broken=skip_broken)
    return {whole.name: held}, (*whole.broken, *broken)


def _ckplus(root: Path, split: str, size: int, skip_broken: bool) -> tuple[dict[str, FaceSet], tuple[str, ...]]:
    """Both conventions; the last three frames have the peak among them."""
    three = read_ckplus(root, labels="ckplus-last3", skip_broken=skip_broken)
    held, broken = three.split(split).into_memory(size, skip_broken=skip_broken)
    peaks: FaceFiles = read_ckplus(root, skip_broken=skip_broken).split(split)
    peak = replace(held.where(np.isin(held.ids, peaks.ids)), name="ckplus-peak")
    return {"ckplus-peak": peak, "ckplus-last3": held}, (*three.broken, *broken)
