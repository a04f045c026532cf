"""The settings of runs, flat, and in which of them several runs differ."""

from collections.abc import Sequence
from typing import Any

from resemotenet.runs.results import flatten, settings_of

from ..data import Run
from ..data.runs import NOT_THE_RECIPE, PLACES

# A recipe is a name for the other settings, which are compared one by one.
_NO_TEACHING = (*NOT_THE_RECIPE, "dataset.labels", "recipe")


def settings(run: Run) -> dict[str, Any]:
    """What a run was told, and the code and the machine it ran on, by dotted name."""
    flat = {name: value for name, value in settings_of(run.config).items() if name not in PLACES}
    versions = run.environment.get("versions")
    torch = versions.get("torch") if isinstance(versions, dict) else None
    around = {"protocol": run.protocol, "views": run.views, "machine": run.device, "commit": run.commit, "torch": torch}
    return flat | {f"({name})": value for name, value in around.items()}


def side_by_side(runs: Sequence[Run], *, only_differing: bool) -> dict[str, list[str]]:
    """Setting -> its value in each run; a setting that a run does not know is "not set"."""
    each = [settings(run) for run in runs]
    names = dict.fromkeys(name for values in each for name in values)
    rows = {name: [in_words(values.get(name, "not set")) for values in each] for name in names}
    return {name: row for name, row in rows.items() if not only_differing or len(set(row)) > 1}


def differing(a: Run, b: Run) -> list[str]:
    """In which settings two runs differ, but for the labels taught, seed, layout, code and machine."""
    told = side_by_side([a, b], only_differing=True)
    return [name for name in told if name not in _NO_TEACHING and not name.startswith("(")]


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
