"""Several runs one after the other: what is finished is skipped, what was cut off goes on.

A campaign may be stopped at any moment and started again by the same command, so it also fits where time is lent in
small pieces (``--minutes``). Every run has a process of its own: a run that fails leaves nothing behind in the next.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from resemotenet.cli import print_any_name
from resemotenet.errors import ResEmoteNetError, TrainingError, in_words
from resemotenet.models import model_entry
from resemotenet.runs import claims
from resemotenet.runs.results import ResultsFolder
from resemotenet.runs.schema import Audit, Result, RunConfig, read

from .locks import only_campaign
from .recipes import paper, strong, upstream

ABLATIONS = tuple(each.model for each in claims.ABLATIONS)
_POOLED = tuple(each.pooled for each in claims.ABLATIONS if each.pooled)
# What a rehearsal takes of every run: enough to go through all of its code.
_REHEARSED_WIDTH, _REHEARSED_FACES = 0.0625, 256


def ablation() -> list[RunConfig]:
    """C1 to C6 by the recipe strong at a quarter of the width for 15 epochs, in both readings, three seeds.

    Says which stage costs how much on FER2013 with a short schedule; nothing here is as wide or as long as the paper's.
    Of each seed the networks that take as long as C1 or less come first.
    """
    names = (*ABLATIONS[:2], *_POOLED, *ABLATIONS[2:])
    return [replace(_run(strong(), name, width=0.25, epochs=15), seed=seed) for seed in range(3) for name in names]


def baselines() -> list[RunConfig]:
    """Upstream's plain CNN and VGG beside C1, as in ``ablation``; VGG, which needs 64 pixels, beside C1 at 64."""
    plain, first, vgg = (_run(strong(), name, width=0.25, epochs=15) for name in ("plain_cnn", "resemotenet", "vgg"))
    large = [replace(each, network=replace(each.network, size=64)) for each in (first, vgg)]
    return [replace(config, seed=seed) for seed in range(3) for config in (plain, *large)]


def tables() -> list[RunConfig]:
    """The paper's tables at full width, most telling first; for a GPU, where none of it was run so far.

    strong with three seeds, ResNet-18 by the same recipe, then upstream and paper as they are, then C2 to C6 by strong.
    """
    best = _run(strong(), "resemotenet")
    seeds = [replace(best, seed=seed) for seed in range(3)]
    others = [_run(strong(), "resnet18"), upstream(), paper()]
    return seeds + others + [_run(strong(), name) for name in ABLATIONS[1:]]


CAMPAIGNS: dict[str, Callable[[], list[RunConfig]]] = {plan.__name__: plan for plan in (ablation, baselines, tables)}


def _run(recipe: RunConfig, name: str, *, width: float = 1.0, epochs: int | None = None) -> RunConfig:
    network = replace(recipe.network, name=name, width=width, compact=model_entry(name).compact)
    optimization = replace(recipe.optimization, epochs=epochs or recipe.optimization.epochs)
    if name == "resnet18":
        network = replace(network, conv_dropout=None, head_dropout=None)
    return replace(recipe, network=network, optimization=optimization)


def rehearsed(config: RunConfig) -> RunConfig:
    """The same run as small as it goes: one epoch of few faces, and a thin network where it can be thin."""
    width = config.network.width if config.network.name.startswith("resnet") else _REHEARSED_WIDTH
    return replace(
        config,
        network=replace(config.network, width=width),
        dataset=replace(config.dataset, limit=_REHEARSED_FACES),
        optimization=replace(config.optimization, epochs=1, warmup_epochs=0.0),
    )


def run_campaign(
    configs: Sequence[RunConfig], *, test: bool, minutes: float | None = None, say: Callable[[str], None] = print
) -> bool:
    """Bring every run to its end, in order.

    Args:
        configs: with data and results set; runs of the same settings that lie in their results folders count as them.
        test: score each finished run on test, once.
        minutes: stop after that time, in the middle of a run if need be; a last whole epoch is never lost.

    Returns:
        Whether all is done.

    Raises:
        TrainingError: a run failed; what it said stands above.
        ResultsError: another campaign fills one of their folders.
        DatasetError: see ``find_run``.
    """
    end = None if minutes is None else time.monotonic() + 60 * minutes
    data_of = DataHashes()
    with ExitStack() as held:
        for results in sorted({Path(config.results) for config in configs}):
            held.enter_context(only_campaign(results))
        for number, config in enumerate(configs, start=1):
            title = f"{number} of {len(configs)}: {config.recipe} {config.network.name}, seed {config.seed}"
            folder = find_run(config, data_of)
            if folder is not None and _is_done(folder, test):
                say(f"{title}: done, {folder.path.name}")
                continue
            say(f"{title}: {'goes on' if folder else 'starts'}")
            left = None if end is None else max(0.0, end - time.monotonic())
            if not _in_its_own_process(config, folder, test, left, title):
                say(f"out of time; the same command goes on with {title}")
                return False
    return True


class DataHashes:
    """The ``Data.sha256`` of configs; runs that read the same of a data set ask for it once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], str] = {}

    def __call__(self, config: RunConfig) -> str:
        from .loading import load_data

        key = (config.data, config.dataset, config.network.size)
        if key not in self._known:
            self._known[key] = load_data(config).sha256
        return self._known[key]


def find_run(config: RunConfig, data_of: DataHashes | None = None) -> ResultsFolder | None:
    """The run of these settings on this data in ``config.results``: the finished one, else the one that came farthest.

    The data is the same if ids, pixels and labels are, wherever it lies; for runs of a version that did not note them,
    if it lies where it did.

    Returns:
        None if there is none.

    Raises:
        DatasetError: there are runs of these settings, but the data cannot be read.
    """
    found, data_of = [], data_of or DataHashes()
    for path in sorted(Path(config.results).glob("[!.]*/config.json")):
        folder = ResultsFolder(path.parent)
        try:
            other = read(RunConfig, path, TrainingError)
            noted = read(Audit, folder.audit).sha256
        except ResEmoteNetError:  # of another version, so not of these settings; or damaged
            continue
        same = replace(other, data=config.data, results=config.results, device=config.device) == config
        if same and (other.data == config.data if noted is None else noted == data_of(config)):
            found.append((folder.is_finished, len(folder.read_epochs()), folder))
    return max(found, key=lambda each: each[:2])[2] if found else None


def _is_done(folder: ResultsFolder, test: bool) -> bool:
    return folder.is_finished and (not test or "test" in read(Result, folder.result).splits)


def _in_its_own_process(
    config: RunConfig, folder: ResultsFolder | None, test: bool, seconds: float | None, title: str
) -> bool:
    """Whether it came to its end in time."""
    process = multiprocessing.get_context("spawn").Process(target=_complete, args=(config, folder, test))
    process.start()
    try:
        process.join(seconds)
        if process.is_alive():
            return False
    finally:
        process.kill()  # nothing of a run depends on how it is stopped
        process.join()
    if process.exitcode != 0:
        raise TrainingError(f"{title} failed with exit code {process.exitcode}; what it said stands above")
    return True


def _complete(config: RunConfig, folder: ResultsFolder | None, test: bool) -> None:
    """Start the run or go on with it, then score it; the whole life of the process of its own."""
    print_any_name()
    try:
        _train_and_score(config, folder, test)
    except ResEmoteNetError as error:
        sys.exit(f"training: {error}")
    except OSError as error:
        sys.exit(f"training: {in_words(error)}")
    except KeyboardInterrupt:  # goes to both processes; the other one says what to do
        sys.exit(130)


def _train_and_score(config: RunConfig, folder: ResultsFolder | None, test: bool) -> None:
    from .evaluation import evaluate_run
    from .loading import load_data_of
    from .loop import resume, train

    if folder is None:
        folder = train(config)
    elif not folder.is_finished:
        folder = resume(config, folder.path)
    if test and not _is_done(folder, test):
        data = load_data_of(folder, config)
        evaluate_run(folder, data.scored, "test", data.leaked["test"])
