"""From a model to predictions and figures: no augmentation, fixed order, full float32.

On a CPU with the same number of threads the predictions are the same bit for bit; on a GPU to rounding.

``train`` ends at validation. ``evaluate_run(..., "test")`` is the one touch of test, and each touch is counted.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from tqdm.auto import tqdm

from resemotenet.checkpoints.checkpoint import LoadedModel, load_model
from resemotenet.datasets import ReadyFaces
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResultsError, TrainingError
from resemotenet.runs.intervals import bootstrap
from resemotenet.runs.results import Predictions, ResultsFolder, write_json
from resemotenet.runs.schema import Entry, Result, RunConfig, Weights, read

from .ahead import ahead
from .answers import canonical, emotions_of, is_answered, unanswered
from .cost import note_latency
from .locks import alone_with
from .processes import join_processes

_BATCH = 256


def load_chosen(folder: ResultsFolder) -> LoadedModel:
    """The model of a run's chosen epoch, on the device that the run's config asks for."""
    cpu = read(RunConfig, folder.config, TrainingError).device == "cpu"
    device = on_whole_device(join_processes(cpu=cpu).device)
    # The processes of an earlier call may be on a GPU; the run's config has the last word.
    return load_model(folder.model, device="cpu" if cpu else device)


def on_whole_device(device: torch.device) -> torch.device:
    """The CPU by its plain name, for predictions that are one process's bit for bit; any other device as it is.

    Several processes on a CPU call it "cpu:0", and moving there copies the weights to other addresses: sums over
    aligned and unaligned memory round differently.
    """
    return torch.device("cpu") if device.type == "cpu" else device


def predict(
    model: LoadedModel, faces: ReadyFaces, *, shown: str | None = None, any_labels: bool = False
) -> Predictions:
    """Read every face of a set; with several processes each takes some batches and all get the whole.

    A batch holds the same faces however many processes there are, so its probabilities are the same bit for bit (on a
    CPU with the same number of threads).

    Args:
        shown: a progress bar under this name, where that takes long enough to be looked at.
        any_labels: take a model whose labels are spelt otherwise, or are more or fewer, as ``answers`` says.

    Raises:
        ResultsError: the model's labels are not the seven emotions; with any_labels, as ``answers.emotions_of``.
    """
    if any_labels:
        emotions_of(model.labels)  # before an hour is spent
    elif sorted(model.labels) != sorted(EMOTIONS):
        raise ResultsError(f"the model answers {model.labels}, the data set is labelled {EMOTIONS}")
    state = join_processes()
    batches = np.split(np.arange(len(faces)), range(_BATCH, len(faces), _BATCH))
    own = batches[state.process_index :: state.num_processes]
    hidden = shown is None or not state.is_main_process
    with _full_precision(), tqdm(ahead(faces.pixels, own), shown, len(own), disable=hidden) as read:
        mine = [
            model.probabilities(model.preprocess.batch(torch.from_numpy(images).to(model.device))).numpy()
            for _, images in read
        ]
    parts: list[Any] = [None] * len(batches)
    for process, share in enumerate(gather_object([mine])):
        parts[process :: state.num_processes] = share
    probabilities = np.concatenate(parts)
    return Predictions(canonical(probabilities, model.labels), faces.targets, faces.ids)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Keep a GPU from rounding float32 to TF32, as cuDNN does to convolutions unless told otherwise."""
    backends: tuple[Any, ...] = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = False
        yield
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed


def predict_all(model: LoadedModel, definitions: Mapping[str, ReadyFaces]) -> dict[str, Predictions]:
    """Predictions of one split under several label definitions; every face is read once.

    Args:
        definitions: by label definition; the largest set holds the faces of all others, which leave some out.

    Returns:
        By label definition; without faces of an emotion that the model does not answer (``unanswered`` counts them).

    Raises:
        ResultsError: the model's labels are no emotions, or no face of a definition has one that it answers.
    """
    whole = predict(model, max(definitions.values(), key=len), any_labels=True)
    row_of = {face: row for row, face in enumerate(whole.ids)}
    found = {}
    for name, faces in definitions.items():
        kept = np.flatnonzero(is_answered(faces.targets, model.labels))
        if not kept.size:
            raise ResultsError(f"no face of {faces.split} under {name} has a label that the model answers")
        ids = faces.ids[kept]
        found[name] = Predictions(whole.probabilities[[row_of[face] for face in ids]], faces.targets[kept], ids)
    return found


def entries_of(
    model: LoadedModel,
    predictions: Mapping[str, Predictions],
    definitions: Mapping[str, ReadyFaces],
    measured_with: Mapping[str, Any],
) -> dict[str, Entry]:
    """The figures by label definition, with how many faces were left out since the model does not answer theirs.

    Args:
        measured_with: see ``made_with``.
    """
    found = {}
    for name, each in predictions.items():
        found[name] = entry = _entry(each, measured_with)
        if left_out := unanswered(definitions[name].targets, model.labels):
            entry.unanswered = left_out
    return found


def evaluate_run(
    folder: ResultsFolder, scored: Mapping[str, Mapping[str, ReadyFaces]], split: str, leaked: set[str] | None = None
) -> Result:
    """Score a finished run's chosen model, write the predictions, bring result.json up to date.

    A result without the latency, or with that of other views, gets it as well (see ``cost.note_latency``).

    A touch of test is in result.json before there is anything to see of it, so one that breaks off is counted too:
    under "splits" where test was scored before, until then as "test_touched".

    Args:
        scored: by split, then by label definition; the run's own definition first.
        leaked: ids that have an identical copy in train; accuracy without them is given beside.

    Returns:
        What result.json now holds.

    Raises:
        ResultsError: the run is not finished, a file of it is damaged, or another process works on it.
    """
    folder.check_finished()
    with alone_with(folder):
        return _evaluate(folder, scored, split, leaked)


def _evaluate(
    folder: ResultsFolder, scored: Mapping[str, Mapping[str, ReadyFaces]], split: str, leaked: set[str] | None
) -> Result:
    result = read(Result, folder.result)
    model = load_chosen(folder)
    if split == "test":
        _count_touch(folder, result)
    predictions = marked(predict_all(model, scored[split]), leaked)
    record(result, split, predictions, made_with(model))
    if join_processes().is_main_process:
        save_predictions(folder, split, predictions)
        note_latency(result, model)
        write_json(folder.result, result.to_dict())
    return result


def marked(predictions: dict[str, Predictions], leaked: set[str] | None) -> dict[str, Predictions]:
    """The same, saying which faces have an identical copy in train, where that is known."""
    if leaked is None:
        return predictions
    return {name: replace(each, leaked=np.isin(each.ids, list(leaked))) for name, each in predictions.items()}


def save_predictions(folder: ResultsFolder, split: str, predictions: dict[str, Predictions]) -> None:
    """Write the predictions of a split, one file a label definition."""
    for name, each in predictions.items():
        each.save(folder.predictions(name, split))


def _count_touch(folder: ResultsFolder, result: Result) -> None:
    """Enter one touch more of test, in the file too, before any process goes on."""
    result.touch_test()
    state = join_processes()
    if state.is_main_process:
        write_json(folder.result, result.to_dict())
    state.wait_for_everyone()


def made_with(model: LoadedModel) -> dict[str, Any]:
    """What each entry of a result says of the model: everything of it that a release may change."""
    weights = Weights(sha256=model.sha256())
    return {"views": model.info.views, "weights": weights, "operating_point": model.info.operating_point}


def record(result: Result, split: str, predictions: dict[str, Predictions], measured_with: dict[str, Any]) -> None:
    """Enter a split into a result: its first label definition under "splits", the others under "also".

    Args:
        measured_with: see ``made_with``.
    """
    result.enter(split, {name: _entry(each, measured_with) for name, each in predictions.items()})


def _entry(predictions: Predictions, measured_with: Mapping[str, Any]) -> Entry:
    entry = Entry(**predictions.figures(), **measured_with)
    if (interval := bootstrap(predictions.confusion).macro_recall) is not None:
        entry.macro_recall_interval = list(interval)
    return entry
