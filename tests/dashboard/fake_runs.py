"""Made-up results folders for tests: the figures in them agree with each other and mean nothing.

Predictions are drawn from a seeded model of confusion: each face has a difficulty that all runs share, each run a
skill and noise of its own, so that runs err on mostly the same faces, as real ones do. Every recipe is called
"made_up" unless a test says otherwise.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resemotenet.emotions import EMOTIONS
from resemotenet.runs import photographs
from resemotenet.runs.metrics import summary
from resemotenet.runs.results import Predictions, ResultsFolder, read_json, write_json
from resemotenet.runs.schema import Network, Optimization, RunConfig

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# How often each emotion is drawn, and which other one it is mistaken for most; canonical order.
_SHARES = (0.14, 0.02, 0.14, 0.25, 0.17, 0.17, 0.11)
_LIKE = ("sad", "angry", "surprise", "neutral", "sad", "neutral", "fear")
_LEAKED = 0.08


def draw_predictions(
    labels: str = "fer2013", split: str = "validation", *, n: int = 200, skill: float = 1.0, seed: int = 0
) -> Predictions:
    """What a made-up model says of ``n`` faces; the faces are the same for the same labels and split.

    Args:
        skill: 0 is worse than a guess, 0.5 reads about a third right, 1 five eighths, 3 nine tenths.
    """
    faces = np.random.default_rng([len(labels), *labels.encode(), *split.encode()])
    targets = faces.choice(len(EMOTIONS), n, p=_SHARES).astype(np.int64)
    difficulty = faces.normal(0, 1, n)
    leaked = faces.random(n) < _LEAKED
    own = np.random.default_rng([seed, round(1000 * skill)])
    logits = own.normal(0, 0.7, (n, len(EMOTIONS)))
    logits[np.arange(n), targets] += skill * (1.6 - difficulty)
    like = np.array([EMOTIONS.index(other) for other in _LIKE])
    logits[np.arange(n), like[targets]] += 0.8
    weights = np.exp(logits)
    probabilities = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(probabilities, targets, np.array([f"{split[:2]}{row:05d}" for row in range(n)]), leaked)


def write_run(
    results: Path,
    *,
    recipe: str = "made_up",
    model: str = "resemotenet",
    width: float = 0.25,
    labels: str = "fer2013",
    dataset: str = "fer2013",
    seed: int = 0,
    stamp: str = "20260101T120000Z",
    skill: float = 1.0,
    epochs: int = 4,
    planned: int = 4,
    n: int = 200,
    test: bool = True,
    scored: tuple[str, ...] | None = None,
    templates: dict[tuple[str, str], Path] | None = None,
) -> Path:
    """A finished run, as the trainer leaves it, without weights.

    Args:
        epochs: how many were done, out of ``planned``.
        test: whether test was scored too.
        scored: label definitions, the deciding one first; those that belong to ``labels`` unless given.
        templates: files to copy predictions from instead of drawing them, by labels and split; for many runs.
    """
    several = ("ferplus-strict", "ferplus-usual", "fer2013") if labels == "ferplus" else (labels,)
    definitions = several if scored is None else scored
    folder = ResultsFolder(results / f"{recipe}-{model}-{labels}-s{seed}-{stamp}")
    folder.path.mkdir(parents=True)
    write_json(folder.config, _config(recipe, model, width, dataset, labels, seed, planned))
    write_json(folder.environment, _environment(seed))
    write_json(folder.audit, AUDIT)
    lines = [_epoch(number, definitions, n, skill, seed) for number in range(epochs)]
    folder.epochs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result: dict[str, Any] = {
        "schema": 1,
        "run": folder.path.name,
        "protocol": "validation-chosen, test once",
        "chosen": {"epoch": epochs - 1, "by": f"validation accuracy, {definitions[0]}", "value": 0.5},
        "splits": {},
        "also": {},
        "cost": {"parameters": 2_269_415, "macs": 12_465_088, "epochs": epochs, "seconds": 60.0 * epochs,
                 "device": "cpu (x86_64)", "peak_memory_bytes": 1_500_000_000},
    }  # fmt: skip
    for split in ("validation", "test") if test else ("validation",):
        for name in definitions:
            _score(folder, result, name, split, n=n, skill=skill, seed=seed, templates=templates)
    write_json(folder.result, result)
    return folder.path


def _score(
    folder: ResultsFolder,
    result: dict[str, Any],
    name: str,
    split: str,
    *,
    n: int,
    skill: float,
    seed: int,
    templates: dict[tuple[str, str], Path] | None,
) -> None:
    path = folder.predictions(name, split)
    if templates is None:
        found = draw_predictions(name, split, n=n, skill=skill, seed=seed)
        found.save(path)
        figures = summary(found.probabilities, found.targets)
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(templates[name, split].read_bytes())
        figures = {}
    entry: dict[str, Any] = {**figures, "views": "none"}
    if split in result["splits"]:
        result["also"].setdefault(name, {})[split] = entry
    else:
        result["splits"][split] = {"labels": name, **entry, **({"touched": 1} if split == "test" else {})}


# What a result.json says of how long a face takes.
NOTED: dict[str, Any] = {
    "milliseconds": 12.5,
    "quartiles": [12, 14.25],
    "faces": 1,
    "views": "flip",
    "device": "cpu (made up)",
    "threads": 2,
    "time": "20260301T120000Z",
}


def time_run(path: Path, milliseconds: float, **told: Any) -> Path:
    """Note in a finished run how long a face takes; ``told`` replaces what goes with it."""
    latency = {"milliseconds": milliseconds, "quartiles": [0.95 * milliseconds, 1.1 * milliseconds], "faces": 1,
               "passes": 100, "views": "none", "device": "cpu (made up)", "threads": 2, "torch": "2.14.1",
               "time": "20260301T120000Z"}  # fmt: skip
    result = read_json(path / "result.json")
    write_json(path / "result.json", {**result, "cost": {**result["cost"], "latency": {**latency, **told}}})
    return path


def measure_on_photographs(path: Path, *, right: int, n: int) -> Path:
    """Note in a finished run that it read so many of so many photographs right; a face was found in all but two."""
    targets = np.arange(n) % len(EMOTIONS)
    answers = np.where(np.arange(n) < right, targets, (targets + 1) % len(EMOTIONS))
    found = np.arange(n) < n - 2
    probabilities = np.eye(len(EMOTIONS), dtype=np.float32)[answers]
    measured = photographs.figures(probabilities, targets, found, several=0, broken=0, unanswered={})
    write_json(path / "result.json", read_json(path / "result.json") | {"photographs": measured.to_dict()})
    ids = np.array([f"{row:05d}.jpg" for row in range(n)])
    stored = Predictions(probabilities[found], targets[found], ids[found])
    stored.save(ResultsFolder(path).predictions("photographs", "test"))
    return path


def write_running(results: Path, *, epochs: int = 2, planned: int = 10, **arguments: Any) -> Path:
    """A run in the middle of training: no result, files of this moment."""
    path = write_run(results, epochs=epochs, planned=planned, **{"stamp": "20260102T120000Z", **arguments})
    for file in (path / "predictions").iterdir():
        file.unlink()
    (path / "predictions").rmdir()
    (path / "result.json").unlink()
    return path


def write_unfinished(results: Path, **arguments: Any) -> Path:
    """A run that stopped yesterday."""
    path = write_running(results, **{"stamp": "20260103T120000Z", **arguments})
    age(path, 86_400)
    return path


def age(path: Path, seconds: float) -> None:
    """Make all files of a run look as old as this."""
    then = time.time() - seconds
    for file in (*path.rglob("*"), path):
        os.utime(file, (then, then))


def write_older(results: Path, **arguments: Any) -> Path:
    """A finished run of a version before the schema had a number, which noted less."""
    path = write_run(results, **{"stamp": "20260104T120000Z", **arguments})
    result = read_json(path / "result.json")
    for name in ("schema", "also", "cost"):
        del result[name]
    write_json(path / "result.json", result)
    (path / "audit.json").unlink()
    return path


def write_newer(results: Path, **arguments: Any) -> Path:
    """A finished run of a later version, whose result.json is laid out in another way."""
    path = write_run(results, **{"stamp": "20260105T120000Z", **arguments})
    write_json(path / "result.json", {"schema": 99, "run": path.name, "splits": [{"name": "validation"}], "cost": 3})
    return path


def _unlink(name: str) -> Callable[[Path], None]:
    return lambda path: (path / name).unlink()


def _write(name: str, content: str | bytes) -> Callable[[Path], object]:
    return lambda path: (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _empty_predictions(path: Path) -> None:
    for file in (path / "predictions").iterdir():
        file.unlink()


def _empty(path: Path) -> None:
    for file in sorted(path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()


# What can be wrong with a finished run so that its folder is broken, and a word that its problem must say.
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (_unlink("config.json"), "config.json is missing"),
    "config no JSON": (_write("config.json", '{"recipe": "ma'), "config.json is damaged"),
    "config no UTF-8": (_write("config.json", b"\xff\xfe\x00"), "config.json is damaged"),
    "config no object": (
        _write("config.json", "[1, 2]"),
        "config.json says as a whole = [1, 2], which",
    ),
    "config empty": (_write("config.json", "{}"), "config.json says nothing of network, dataset, optimization"),
    "config of other things": (_write("config.json", '{"network": 3}'), "config.json says nothing of network"),
    "config too deep": (_write("config.json", "[" * 100_000), "config.json is damaged"),
    "result cut off": (_write("result.json", '{"schema": 1, "splits": {"valid'), "result.json is damaged"),
    "result no object": (
        _write("result.json", "null"),
        "result.json says as a whole = None, which",
    ),
    "audit cut off": (_write("audit.json", "{"), "audit.json is damaged"),
    "environment cut off": (_write("environment.json", ""), "environment.json is damaged"),
    "epochs damaged": (_write("epochs.jsonl", '{"epoch": 0}\n{"epo\n{"epoch": 2}\n'), "epochs.jsonl is damaged"),
    "epochs no objects": (_write("epochs.jsonl", "1\n2\n"), "epochs.jsonl is damaged"),
    "epochs no UTF-8": (_write("epochs.jsonl", b"\xff\xfe\n"), "epochs.jsonl is damaged"),
    "no predictions": (_empty_predictions, "predictions/ is empty"),
    "nothing at all": (_empty, "config.json is missing"),
}


def write_every_state(results: Path) -> None:
    """A run in each state that a folder can be in, and one with each fault."""
    for write in (write_run, write_running, write_unfinished, write_older, write_newer):
        write(results)
    for number, (spoil, _) in enumerate(FAULTS.values()):
        spoil(write_run(results, seed=number, stamp="20260106T120000Z"))


AUDIT: dict[str, Any] = {
    "images": {"train": 28709, "validation": 3589, "test": 3589},
    "identical_groups": 1516,
    "surplus_copies": 1853,
    "groups_across_splits": 557,
    "groups_with_conflicting_labels": 57,
    "blank_images": 13,
    "leaks": {
        "validation images with a copy in train": 280,
        "test images with a copy in train": 288,
        "train images with a copy elsewhere": 703,
    },
    "near_copies": None,
}


def _config(recipe: str, model: str, width: float, dataset: str, labels: str, seed: int, epochs: int) -> dict[str, Any]:
    network, optimization = Network(model, width, size=48, channels=1), Optimization(epochs=epochs)
    config = RunConfig(recipe, Path("fer2013.csv"), seed=seed, network=network, optimization=optimization).to_dict()
    # Also sets and labels that the trainer would not put together.
    return config | {"dataset": {**config["dataset"], "name": dataset, "labels": labels}}


def _environment(seed: int) -> dict[str, Any]:
    return {
        "commit": COMMIT,
        "dirty": False,
        "command": ["python", "-m", "training", "train", "made_up", "--data", "fer2013.csv"],
        "seed": seed,
        "device": "cpu (x86_64)",
        "threads": 2,
        "python": "3.11.7",
        "platform": "made up",
        "versions": {"torch": "2.14.1", "numpy": "2.4.6"},
        "resumptions": [],
    }


def _epoch(number: int, definitions: tuple[str, ...], n: int, skill: float, seed: int) -> dict[str, Any]:
    """Rises towards the skill at the end; the figures of an epoch are drawn for few faces, to be quick."""
    found: dict[str, NDArray[Any] | Any] = {}
    for name in definitions:
        drawn = draw_predictions(name, "validation", n=min(n, 60), skill=skill * (1 - 0.6 ** (number + 1)), seed=seed)
        figures = summary(drawn.probabilities, drawn.targets)
        found[name] = figures
    return {
        "epoch": number,
        "loss": 1.9 * 0.9**number,
        "learning_rate": 0.06 * 0.9**number,
        "seconds": 60.0,
        "images_per_second": 480.0,
        "peak_memory_bytes": 1_500_000_000,
        "validation": found,
    }
