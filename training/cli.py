"""python -m training {train,resume,campaign,evaluate,latency,release,publish,compare,audit,datasets,recipes}."""

import dataclasses
import inspect
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from resemotenet.cli import leave_closed_pipe, print_any_name
from resemotenet.errors import ResEmoteNetError, in_words
from resemotenet.runs.results import ResultsFolder, write_json
from resemotenet.runs.schema import RunConfig, default_results

from .evaluate_command import evaluate
from .recipes import RECIPES
from .saying import print_figures, read_config, say
from .usage import (
    PROGRAM,
    check_options,
    check_words,
    did_you_mean,
    first_line,
    leave,
    options_in,
    options_of,
    overview,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it went well, 1 with one line on stderr for an error of ours, 2 for wrong usage."""
    print_any_name()
    given = list(sys.argv[1:] if arguments is None else arguments)
    commands: dict[str, Callable[..., int]] = {
        "train": _train,
        "resume": _resume,
        "campaign": _campaign,
        "evaluate": evaluate,
        "latency": _latency,
        "release": _release,
        "publish": _publish,
        "compare": _compare,
        "audit": _audit,
        "datasets": _datasets,
        "recipes": _recipes,
    }
    check_words(given)
    try:
        if given[:1] == ["train"]:
            return _train(given[1:])
        if given and given[0] in commands:
            command = commands[given[0]]
            check_options(given[1:], options_of(command), given[0])
            code = tyro.cli(command, args=given[1:], prog=f"{PROGRAM} {given[0]}", description=_described(command))
            sys.stdout.flush()  # here, since what is still buffered would fail when Python ends
            return code
    except ResEmoteNetError as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        leave_closed_pipe()
        return 1
    except OSError as error:
        print(f"training: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print(f"training: interrupted{_how_to_go_on(given[0], stop.args)}", file=sys.stderr)
        return 130
    if given[:1] in (["--help"], ["-h"]):
        print(f"usage: {PROGRAM} COMMAND ...; '{PROGRAM} COMMAND --help' says all of one\n\n{overview(commands)}")
        return 0
    if given and not given[0].startswith("-"):
        wrong = f"there is no command {given[0]!r}"
        said = did_you_mean(wrong, given[0], list(commands), f"'{PROGRAM} --help' lists them")
        print(f"training: {said}", file=sys.stderr)
    else:
        print(f"usage: {PROGRAM} {{{','.join(commands)}}} ...", file=sys.stderr)
    return 2


def _described(command: Callable[..., int]) -> str | None:
    """What tyro cannot know: names that a command takes."""
    if command is not _campaign:
        return None
    from .campaign import CAMPAIGNS

    return f"{first_line(command)}\n\nThe campaigns:\n{overview(CAMPAIGNS)}"


def _how_to_go_on(command: str, run: tuple[Any, ...]) -> str:
    """What to say to someone who stopped a command; the trainer names the run once it has a folder."""
    if run:
        return f"; 'python -m training resume {run[0]}' goes on from the last whole epoch"
    return "; 'resume' goes on from the last whole epoch" if command == "resume" else ""


def _train(arguments: list[str]) -> int:
    """Train a network by a recipe, to a results folder."""
    from .loop import train

    command = f"{PROGRAM} train"
    if arguments[:1] in (["--help"], ["-h"]):
        print(f"usage: {command} RECIPE --data PATH ...; '{command} RECIPE --help' lists every setting\n")
        print(f"{overview(RECIPES)}\n\n'{PROGRAM} recipes' says all about them.")
        return 0
    if not arguments or arguments[0] not in RECIPES:
        known = f"there are {', '.join(RECIPES)}: {command} RECIPE --data PATH"
        if not arguments or arguments[0].startswith("-"):
            leave(f"name a recipe first; {known}")
        leave(did_you_mean(f"no recipe is called {arguments[0]!r}", arguments[0], list(RECIPES), known))
    recipe = RECIPES[arguments[0]]
    check_options(arguments[1:], options_in(recipe()), f"train {arguments[0]}")
    config = tyro.cli(
        RunConfig,
        default=recipe(),
        args=arguments[1:],
        prog=f"{command} {arguments[0]}",
        description=first_line(recipe),
    )
    folder = train(config)
    say(f"finished: {folder.path}")
    return 0


def _resume(run: Annotated[Path, tyro.conf.Positional], /, data: Path | None = None, cache: Path | None = None) -> int:
    """Go on with an unfinished run from its last whole epoch.

    Args:
        run: the results folder.
        data: where the data set is now, if it was moved.
        cache: where prepared pictures lie now, if they were moved.
    """
    from .loop import resume

    folder = ResultsFolder(run)
    config = read_config(folder, data, cache)
    if folder.is_finished:
        print(f"{run} is finished already")
        return 0
    resume(config, run)
    say(f"finished: {run}")
    return 0


def _campaign(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")],
    /,
    data: Path,
    results: Path | None = None,
    minutes: float | None = None,
    test: bool = False,
    rehearse: bool = False,
    device: Literal["auto", "cpu"] = "auto",
    precision: Literal["no", "bf16", "fp16"] = "no",
) -> int:
    """Bring a list of runs to its end; started again, it goes on, and 3 says that some are left.

    Args:
        name: of a campaign.
        data: the data set.
        results: where the runs lie and go; unless said, where RESEMOTENET_RESULTS says, or results.
        minutes: stop after this time, also in the middle of a run.
        test: score each finished run on test, once.
        rehearse: one epoch of a few faces each, to see that everything works; such runs are no results.
        device: as for train.
        precision: as for train.
    """
    from .campaign import CAMPAIGNS, rehearsed, run_campaign

    if name not in CAMPAIGNS:
        leave(
            did_you_mean(f"no campaign is called {name!r}", name, list(CAMPAIGNS), f"there are {', '.join(CAMPAIGNS)}")
        )
    place = results or default_results()
    configs = [
        dataclasses.replace(config, data=data, results=place, device=device, precision=precision)
        for config in CAMPAIGNS[name]()
    ]
    if rehearse:
        configs = [rehearsed(config) for config in configs]
    return 0 if run_campaign(configs, test=test, minutes=minutes) else 3


def _latency(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN...")],
    /,
    device: Literal["auto", "cpu"] = "auto",
) -> int:
    """Measure anew how long finished runs' models take for one face, and enter it into each one's result.json.

    Several runs are measured in turns, and only such times should be compared; let nothing else run meanwhile.

    Args:
        runs: results folders with their weights.
        device: as for train.
    """
    from .cost import measure_runs
    from .processes import join_processes

    if not runs:
        raise ResEmoteNetError("name the runs to measure: python -m training latency RUN...")
    found = measure_runs([ResultsFolder(run) for run in runs], join_processes(cpu=device == "cpu").device)
    print(f"one face alone, float32, {found[0].device}, {found[0].threads} threads")
    print(f"{'median ms':>10}  {'quartiles':>19}  {'passes':>6}  {'views':5}  run")
    for run, each in zip(runs, found, strict=True):
        quartiles = f"{each.low:.3f} to {each.high:.3f}"
        print(f"{each.milliseconds:10.3f}  {quartiles:>19}  {each.passes:6}  {each.views:5}  {run.name}")
    return 0


def _release(
    run: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    views: Literal["none", "flip"] = "flip",
    half: bool = True,
    accuracy_margin: float = 0.0,
    start_share: float = 0.0,
) -> int:
    """Fix a finished run's model for use: choose its operating point on validation, measure it, write it to OUT.

    Args:
        run: the results folder.
        out: the model folder to write.
        views: flip averages each face with its mirror image.
        half: store the weights as float16.
        accuracy_margin: validation accuracy (a fraction) that a better macro recall may cost.
        start_share: mix in this share of the weights that the run started from (--network.start).
    """
    from .loading import load_data_of
    from .release import release

    results = ResultsFolder(run)
    data = load_data_of(results, read_config(results))
    result = release(
        results, out, data, views=views, half=half, accuracy_margin=accuracy_margin, start_share=start_share
    )
    for split in ("validation", "test"):
        print_figures(result, split)
    return 0


def _publish(run: Annotated[Path, tyro.conf.Positional], into: Annotated[Path, tyro.conf.Positional], /) -> int:
    """Copy the small files of a finished run for others, without weights and without paths of this machine.

    Args:
        run: the results folder.
        into: the folder that gets a folder of the run's name.
    """
    from .publish import publish

    print(publish(ResultsFolder(run), into))
    return 0


def _compare(
    run_a: Annotated[Path, tyro.conf.Positional],
    run_b: Annotated[Path, tyro.conf.Positional],
    /,
    split: Literal["validation", "test"] = "validation",
    labels: str | None = None,
    also_a: tuple[Path, ...] = (),
    also_b: tuple[Path, ...] = (),
) -> int:
    """Say whether run B is better than run A, or whether it may be chance. Reads stored predictions only.

    Args:
        run_a: a results folder.
        run_b: another one.
        split: test needs an 'evaluate' of both runs first.
        labels: the label definition; the one by which both runs chose their epoch unless given.
        also_a: further runs of A's recipe with other seeds.
        also_b: further runs of B's.
    """
    from .compare import report

    print(report((run_a, *also_a), (run_b, *also_b), split, labels))
    return 0


def _audit(data: Path, json: Path | None = None, cache: Path | None = None) -> int:
    """Count identical and nearly identical images within and between the splits, and labels that conflict.

    Args:
        data: the data set.
        json: also write the counts to this file.
        cache: where prepared pictures of a large set lie.
    """
    from .audit import audit, in_words, mirror_pairs
    from .picture_sets import Storage, all_splits

    splits = all_splits(data, storage=Storage(cache))
    found = {**audit(splits), "mirror_pairs": mirror_pairs(splits)}
    print(in_words(found))
    if json is not None:
        write_json(json, found)
    return 0


def _datasets(
    action: Annotated[Literal["list", "check"], tyro.conf.Positional] = "list",
    path: Annotated[Path | None, tyro.conf.Positional] = None,
    /,
    skip_broken: bool = False,
    json: Path | None = None,
) -> int:
    """List the data sets and what each needs; or check what a folder holds: which set, counts, splits, leaks.

    Args:
        action: list, or check PATH.
        path: the folder or file to check.
        skip_broken: go on where pictures are listed but missing; broken ones are counted either way.
        json: also write what was found to this file.
    """
    from .datasets_command import check, in_words, listing

    if action == "list":
        print(listing())
        return 0
    if path is None:
        raise ResEmoteNetError("say which folder to check: python -m training datasets check PATH")
    found = check(path, skip_broken=skip_broken)
    print(in_words(found))
    if json is not None:
        write_json(json, found)
    return 1 if found["broken"] else 0


def _recipes() -> int:
    """List the recipes."""
    for name, recipe in RECIPES.items():
        print(f"{name}\n{textwrap.indent(inspect.getdoc(recipe) or '', '    ')}\n")
    return 0
