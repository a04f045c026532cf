"""python -m training {train,resume,evaluate,audit,recipes}."""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from resemotenet.errors import ResEmoteNetError
from resemotenet.results import ResultsFolder, read_json

from .config import Augmentation, Dataset, Network, Optimization, RunConfig
from .recipes import RECIPES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it went well, 1 with one line on stderr for an error of ours, 2 for wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    commands: dict[str, Callable[..., int]] = {
        "resume": _resume,
        "evaluate": _evaluate,
        "release": _release,
        "audit": _audit,
        "recipes": _recipes,
    }
    try:
        if given[:1] == ["train"]:
            return _train(given[1:])
        if given and given[0] in commands:
            return tyro.cli(commands[given[0]], args=given[1:], prog=f"python -m training {given[0]}")
    except ResEmoteNetError as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    print(f"usage: python -m training {{train,{','.join(commands)}}} [--help]", file=sys.stderr)
    return 0 if given[:1] in (["--help"], ["-h"]) else 2


def _train(arguments: list[str]) -> int:
    from .loop import train

    recipes = {name: (inspect.getdoc(recipe) or "", recipe()) for name, recipe in RECIPES.items()}
    config = tyro.extras.overridable_config_cli(recipes, args=arguments, prog="python -m training train")
    folder = train(config)
    print(f"finished: {folder.path}")
    return 0


def _resume(run: Annotated[Path, tyro.conf.Positional]) -> int:
    """Go on with an unfinished run from its last whole epoch.

    Args:
        run: the results folder.
    """
    from .loop import resume

    folder = ResultsFolder(run)
    if folder.is_finished:
        print(f"{run} is finished already")
        return 0
    resume(read_config(folder), run)
    print(f"finished: {run}")
    return 0


def _evaluate(
    folder: Annotated[Path, tyro.conf.Positional],
    /,
    split: str = "test",
    data: Path | None = None,
    labels: str = "ferplus",
) -> int:
    """Score a finished run on a split; or measure the facts of a model folder again.

    Args:
        folder: a results folder (its result.json is brought up to date) or a model folder (nothing is written).
        split: validation or test; each touch of test is counted. Used with a results folder.
        data: where the data set is; a results folder knows.
        labels: fer2013 or ferplus; used with a model folder.
    """
    from .evaluation import check_facts, evaluate_run
    from .loading import load_data

    results = ResultsFolder(folder)
    if results.config.is_file() and results.model.is_dir():
        config = read_config(results)
        if data is not None:
            config = dataclasses.replace(config, data=data)
        loaded = load_data(config)
        result = evaluate_run(results, loaded.scored, split, loaded.leaked[split])
        _print_figures(result, split)
        return 0
    if data is None:
        raise ResEmoteNetError("a model folder does not know where the data is; give --data")
    config = RunConfig(recipe="check", data=data, dataset=Dataset(labels="ferplus" if labels == "ferplus" else "fer2013"))
    rows = check_facts(folder, load_data(config).scored)
    for row in rows:
        verdict = "as stated" if row["agrees"] else f"STATED {100 * row['claimed']:.2f} %"
        print(
            f"{row['labels']} {row['split']}: accuracy {100 * row['found']:.2f} % (n = {row['n']}), "
            f"macro recall {100 * row['macro_recall']:.2f} %: {verdict}"
        )
    if not rows:
        print("config.json states no measured facts")
    return 0 if all(row["agrees"] for row in rows) else 1


def _release(
    run: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    views: Literal["none", "flip"] = "flip",
    half: bool = True,
    accuracy_margin: float = 0.0,
) -> int:
    """Fix a finished run's model for use: choose its operating point on validation, measure it, write it to OUT.

    Args:
        run: the results folder.
        out: the model folder to write.
        views: flip averages each face with its mirror image.
        half: store the weights as float16.
        accuracy_margin: validation accuracy (a fraction) that a better macro recall may cost.
    """
    from .loading import load_data
    from .release import release

    results = ResultsFolder(run)
    data = load_data(read_config(results))
    result = release(results, out, data, views=views, half=half, accuracy_margin=accuracy_margin)
    for split in ("validation", "test"):
        _print_figures(result, split)
    return 0


def _audit(data: Path) -> int:
    """Count pixel-identical images within and between the splits, and those whose labels conflict.

    Args:
        data: the data set.
    """
    from resemotenet.datasets import SPLITS, read_fer2013

    from .audit import audit

    whole = read_fer2013(data)
    found = audit({split: whole.split(split) for split in SPLITS})
    for name, value in found.items():
        if isinstance(value, dict):
            for key, count in value.items():
                print(f"{key if name == 'leaks' else f'{name} in {key}'}: {count:,}")
        else:
            print(f"{name.replace('_', ' ')}: {value:,}")
    return 0


def _recipes() -> int:
    """List the recipes."""
    for name, recipe in RECIPES.items():
        print(f"{name}\n    {(inspect.getdoc(recipe) or '').replace(chr(10), chr(10) + '    ')}\n")
    return 0


def read_config(folder: ResultsFolder) -> RunConfig:
    """A run's config as it was written."""
    values = read_json(folder.config)
    parts = {"network": Network, "dataset": Dataset, "augmentation": Augmentation, "optimization": Optimization}
    nested = {name: kind(**values[name]) for name, kind in parts.items()}
    paths = {name: Path(values[name]) for name in ("data", "results")}
    return RunConfig(**{**values, **nested, **paths})


def _entries(result: dict, split: str) -> list[tuple[str, dict]]:
    primary = result["splits"][split]
    others = [(name, entry[split]) for name, entry in result["also"].items() if split in entry]
    return [(primary["labels"], primary), *others]


def _print_figures(result: dict, split: str) -> None:
    for name, entry in _entries(result, split):
        low, high = entry["interval"]
        clean = entry.get("without_leaks")
        extra = f"; without leaked faces {100 * clean['accuracy']:.2f} % (n = {clean['n']})" if clean else ""
        print(
            f"{name} {split}: accuracy {100 * entry['accuracy']:.2f} % [{100 * low:.1f}, {100 * high:.1f}], "
            f"n = {entry['n']}, macro recall {100 * entry['macro_recall']:.2f} %{extra}"
        )
