"""What several commands print, and the config that they read."""

import dataclasses
import os
from pathlib import Path

from resemotenet.errors import TrainingError
from resemotenet.runs.results import ResultsFolder
from resemotenet.runs.schema import Entry, Result, RunConfig, read


def read_config(folder: ResultsFolder, data: Path | None = None, cache: Path | None = None) -> RunConfig:
    """A run's config as it was written, or with the data or the cache elsewhere."""
    config = read(RunConfig, folder.config, TrainingError)
    return dataclasses.replace(config, data=data or config.data, cache=cache or config.cache)


def say(text: str) -> None:
    """Once, however many processes run; the launchers of torch and accelerate number them in RANK."""
    if os.environ.get("RANK", "0") == "0":
        print(text)


def print_figures(result: Result, split: str) -> None:
    for labels, scored, entry in result.entries():
        if scored == split:
            print_entry(labels, split, entry)


def print_entry(name: str, split: str, entry: Entry, verdict: str = "") -> None:
    assert entry.macro_recall is not None  # just measured
    clean = entry.without_leaks
    extra = f"; without leaked faces {100 * clean.accuracy:.2f}% (n = {clean.n})" if clean else ""
    recall = f", macro recall {_with_interval(entry.macro_recall, entry.macro_recall_interval)}"
    left_out = "".join(f"; without {n} {label}, unanswered" for label, n in (entry.unanswered or {}).items())
    say(
        f"{name} {split}: accuracy {_with_interval(entry.accuracy, entry.interval)}, "
        f"n = {entry.n}{recall}{extra}{left_out}{verdict and ': '}{verdict}"
    )


def _with_interval(share: float, interval: list[float] | None) -> str:
    brackets = "" if interval is None else f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
    return f"{100 * share:.2f}%{brackets}"
