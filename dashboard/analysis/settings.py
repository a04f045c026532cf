"""The settings of runs, flat, and in which of them several runs differ."""

from collections.abc import Sequence
from typing import Any

from resemotenet.runs import settings
from resemotenet.runs.results import flatten

from ..data import Run

# A recipe is a name for the other settings, which are compared one by one.
_TAUGHT = ("dataset.labels", "recipe")


def _of(run: Run) -> dict[str, Any]:
    """What a run was told, and the code and the machine it ran on, by dotted name."""
    torch = run.environment.versions.get("torch")
    around = {"protocol": run.protocol, "views": run.views, "machine": run.device, "commit": run.commit, "torch": torch}
    return settings.training_settings(run.config) | {f"({name})": value for name, value in around.items()}


def side_by_side(runs: Sequence[Run], *, only_differing: bool) -> dict[str, list[str]]:
    """Setting -> its value in each run; a setting that a run does not know is "not set"."""
    each = [_of(run) for run in runs]
    names = dict.fromkeys(name for values in each for name in values)
    rows = {name: [in_words(values.get(name, "not set")) for values in each] for name in names}
    return {name: row for name, row in rows.items() if not only_differing or len(set(row)) > 1}


def differing(a: Run, b: Run) -> list[str]:
    """In which settings two runs differ, but for the labels taught, seed, layout, code and machine."""
    return list(settings.differing(a.config, b.config, apart_from=(*settings.NOT_THE_RECIPE, *_TAUGHT)))


def flat(values: dict[str, Any]) -> dict[str, str]:
    """Nested settings for people: "network.width" -> "0.5"."""
    return {name: in_words(value) for name, value in flatten(values).items()}


def in_words(value: Any) -> str:
    """A setting for people; 1 and 1.0 are the same one."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(in_words, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)
