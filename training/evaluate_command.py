"""python -m training evaluate: a finished run, a model folder or a checkpoint on faces, or on photographs."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from resemotenet.datasets import SPLITS, read_photographs, recognise
from resemotenet.errors import ResEmoteNetError
from resemotenet.runs.photographs import in_words
from resemotenet.runs.results import ResultsFolder, write_json

from .saying import print_entry, print_figures, read_config, say

if TYPE_CHECKING:
    from .measuring import Measurement
    from .photographs import Measured
    from .picture_sets import Storage

_CHECKPOINTS = (".pth", ".pt")


@dataclass(frozen=True)
class Named:
    """Which data set it is."""

    name: str | None = None
    """As 'python -m training datasets' calls it; recognised by its files unless given."""


def evaluate(
    folder: Annotated[Path, tyro.conf.Positional],
    /,
    split: Literal["validation", "test"] | None = None,
    data: Path | None = None,
    on: Path | None = None,
    dataset: Named = Named(),
    skip_broken: bool = False,
    cache: Path | None = None,
    json: Path | None = None,
    predictions: Path | None = None,
) -> int:
    """Score a finished run, a model folder or a .pth checkpoint on a data set, or on photographs with its detector.

    Args:
        folder: a results folder (its result.json is brought up to date); or a model folder, 'bundled', or a checkpoint
            of upstream's or the folder that it lies in: nothing is written, and 1 is returned where a fact that
            config.json states is not so.
        split: test unless given, of a model folder the splits of its facts; each touch of a run's test is counted.
        data: where the data set is; a results folder knows.
        on: another data set to score a run on; 'python -m training datasets' says which there are.
        dataset: which data set --data or --on is; photographs are searched for faces, all others are read as they are.
        skip_broken: leave out pictures that are absent or cannot be read.
        cache: where prepared pictures of a large set lie; a results folder knows for its own data.
        json: also write the figures to this file.
        predictions: of a model folder: also write the probabilities of each face to this .npz.
    """
    from .picture_sets import Storage

    for file in (json, predictions):
        if file is not None and not file.absolute().parent.is_dir():
            raise ResEmoteNetError(f"{file} cannot be written: its folder is not there; make it first")
    with _opened(folder) as model:
        if model is not None:
            return _evaluate_model(model, data, on, dataset.name, split, skip_broken, Storage(cache), json, predictions)
    if predictions is not None:
        raise ResEmoteNetError(
            "a results folder keeps its predictions itself, in predictions/; leave --predictions out"
        )
    results = ResultsFolder(folder)
    results.check_finished()
    place = on if on is not None else data if dataset.name == "photographs" else None
    if place is None and dataset.name is not None:
        raise ResEmoteNetError("a run knows which data set is its own; --dataset.name says which another is, with --on")
    if place is not None:
        return _evaluate_elsewhere(results, place, dataset.name, split or "test", skip_broken, Storage(cache), json)
    return _evaluate_run(results, data, split or "test", cache, json)


def _evaluate_run(results: ResultsFolder, data: Path | None, split: str, cache: Path | None, json: Path | None) -> int:
    from .evaluation import evaluate_run
    from .loading import load_data_of

    config = read_config(results, data, cache)
    loaded = load_data_of(results, config)
    result = evaluate_run(results, loaded.scored, split, loaded.leaked[split])
    print_figures(result, split)
    if json is not None:
        write_json(json, [fact for fact in result.facts(config.dataset.name) if fact["split"] == split])
    return 0


def _evaluate_elsewhere(
    results: ResultsFolder, place: Path, name: str | None, split: str, skip_broken: bool, storage: "Storage",
    json: Path | None,
) -> int:  # fmt: skip
    from .elsewhere import evaluate_elsewhere

    info, _, root = recognise(place, name)
    if info.name == "photographs":
        from .photographs import measure_run

        return _print_photographs(measure_run(results, read_photographs(root, skip_broken=True)), json, None)
    found = evaluate_elsewhere(results, place, split, name=name, skip_broken=skip_broken, storage=storage)
    for labels, entry in found.items():
        print_entry(labels, split, entry)
    if json is not None:
        write_json(json, [{"labels": labels, "split": split, **entry.to_dict()} for labels, entry in found.items()])
    return 0


def _evaluate_model(
    folder: Path, data: Path | None, on: Path | None, name: str | None, split: str | None, skip_broken: bool,
    storage: "Storage", json: Path | None, predictions: Path | None,
) -> int:  # fmt: skip
    from resemotenet.checkpoints.checkpoint import load_model

    from .evaluation import on_whole_device
    from .measuring import measure_model, stated_facts
    from .processes import join_processes
    from .scored_sets import scored_sets

    if data is not None and on is not None:
        raise ResEmoteNetError("a model folder has no data of its own: give --data or --on, not both")
    place = data if data is not None else on
    if place is None:
        raise ResEmoteNetError("a model folder does not say where its data is; give --data")
    info, _, root = recognise(place, name)
    model = load_model(folder, device=on_whole_device(join_processes().device))
    if info.name == "photographs":
        from .photographs import measure

        return _print_photographs(measure(model, read_photographs(root, skip_broken=True)), json, predictions)
    facts = stated_facts(model, info.name)
    splits = [split] if split else [each for each in SPLITS if each in {fact.split for fact in facts}] or ["test"]
    also = {fact.labels for fact in facts}
    size = model.preprocess.size
    scored, _ = scored_sets(info, root, splits, size, also=also, skip_broken=skip_broken, storage=storage)
    measured = measure_model(model, info.name, scored)
    for each in measured:
        print_entry(each.labels, each.split, each.entry, each.verdict)
    if json is not None:
        write_json(json, [each.fact(info.name) for each in measured])
    if predictions is not None:
        _save_predictions(predictions, measured)
    return 0 if all(each.agrees for each in measured) else 1


def _print_photographs(measured: "Measured", json: Path | None, predictions: Path | None) -> int:
    say(in_words(measured.figures))
    if json is not None:
        write_json(json, measured.figures.to_dict())
    if predictions is not None:
        measured.predictions.save(predictions)
    return 0


def _save_predictions(path: Path, measured: "list[Measurement]") -> None:
    if len(measured) == 1:
        measured[0].predictions.save(path)
        return
    for each in measured:
        each.predictions.save(path.with_stem(f"{path.stem}-{each.labels}-{each.split}"))


@contextmanager
def _opened(folder: Path) -> Iterator[Path | None]:
    """The model folder that is meant, a checkpoint's made for as long as it is needed; None for a results folder."""
    from resemotenet.checkpoints.checkpoint import WEIGHTS_FILE
    from resemotenet.checkpoints.convert import convert_upstream
    from resemotenet.checkpoints.pretrained import BUNDLED, bundled_folder

    if str(folder) == BUNDLED and not folder.exists():
        folder = bundled_folder()
    if (folder / WEIGHTS_FILE).is_file():
        yield folder
    elif (checkpoint := _checkpoint(folder)) is None:
        yield None
    else:
        with tempfile.TemporaryDirectory() as place:
            yield convert_upstream(checkpoint, Path(place) / checkpoint.stem)


def _checkpoint(folder: Path) -> Path | None:
    if folder.is_file():
        return folder
    if not folder.is_dir():
        raise ResEmoteNetError(
            f"there is nothing at {folder}; expected a results folder, a model folder or a checkpoint"
        )
    there = sorted(each for each in folder.iterdir() if each.suffix in _CHECKPOINTS)
    if len(there) > 1:
        raise ResEmoteNetError(f"{folder} holds {len(there)} checkpoints; name one: {', '.join(map(str, there))}")
    if ResultsFolder(folder).config.is_file():
        return None
    if not there:
        raise ResEmoteNetError(
            f"{folder} is neither a results folder (it has no config.json) nor a model folder (it has no "
            "model.safetensors), and holds no .pth checkpoint; there is nothing to measure"
        )
    return there[0]
