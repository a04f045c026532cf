"""A finished run on another data set: how much of what it learned is about faces, and how much about its own data.

The other set's split is read at the size of the network's input and scored with the run's own operating point; nothing
is chosen on it. Predictions lie beside the run's own; result.json has the figures under "elsewhere", by label
definition and split, so that they are never taken for the run's own; each says of the model what a release may change,
and a release that changes it takes them out. Whether the other set holds pictures that the run
was trained on is not looked at: sets from the web may share some.
"""

import sys
from pathlib import Path

from resemotenet.checkpoints.checkpoint import LoadedModel
from resemotenet.datasets import recognise
from resemotenet.errors import ResultsError
from resemotenet.runs.results import ResultsFolder, write_json
from resemotenet.runs.schema import Entry, Look, Result, read

from .evaluation import entries_of, load_chosen, made_with, predict_all, save_predictions
from .locks import alone_with
from .picture_sets import Storage
from .processes import join_processes
from .scored_sets import scored_sets


def evaluate_elsewhere(
    folder: ResultsFolder,
    path: Path,
    split: str,
    *,
    name: str | None = None,
    skip_broken: bool = False,
    storage: Storage | None = None,
) -> dict[str, Entry]:
    """Score a finished run's chosen model on a split of another data set.

    Args:
        path: the other data set, in any layout that ``recognise`` knows.
        name: of the data set; ``recognise`` finds it unless given.
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
        return _evaluate(folder, path, name, split, skip_broken, storage or Storage())


def _evaluate(
    folder: ResultsFolder, path: Path, name: str | None, split: str, skip_broken: bool, storage: Storage
) -> dict[str, Entry]:
    result = read(Result, folder.result)
    model = load_chosen(folder)
    info, _, root = recognise(path, name)
    size = model.preprocess.size
    scored, broken = scored_sets(info, root, [split], size, skip_broken=skip_broken, storage=storage)
    definitions = scored[split]
    own = {labels for labels, _, _ in result.entries()}
    if taken := sorted(own & set(definitions)):
        raise ResultsError(
            f"{path} has the labels {', '.join(taken)}, which are the run's own; evaluate it without --on, or name "
            "another data set"
        )
    touched = {labels: result.touch_elsewhere(labels, split) for labels in definitions}
    state = join_processes()
    if state.is_main_process:
        write_json(folder.result, result.to_dict())
    state.wait_for_everyone()
    predictions = predict_all(model, definitions)
    entries = entries_of(model, predictions, definitions, made_with(model))
    for labels, entry in entries.items():
        entry.broken, entry.touched = len(broken), touched[labels]
        result.enter_elsewhere(labels, split, entry)
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
    if result.photographs and any(getattr(result.photographs, key) != value for key, value in now.items()):
        result.photographs = None
        folder.predictions("photographs", "test").unlink(missing_ok=True)
        dropped.append("photographs")
    if dropped:
        write_json(folder.result, result.to_dict())
        print(
            f"{', '.join(dropped)}: these figures were of the model as it was before, and are gone; measure them again "
            "with 'python -m training evaluate RUN --on PATH'",
            file=sys.stderr,
        )
    return tuple(dropped)
