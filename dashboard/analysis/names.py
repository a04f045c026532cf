"""What runs are called: by what tells them apart, and by when they were made only where nothing else does."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import resemotenet
from resemotenet.errors import ResultsError
from resemotenet.runs.schema import ModelInfo, read

from ..data import Run
from .settings import differing, in_words

# Short names of what a run may be taught; other data sets go by their own.
_TAUGHT = {"fer2013": "FER2013", "ferplus": "FER+", "synthetic": "drawn faces"}
# So many further settings are named where two runs are alike in all that is usually told.
_MOST_SETTINGS = 2


def network(run: Run) -> str:
    """ "resemotenet x0.25": the network and its width, unless that is the paper's."""
    return run.model if run.width in (None, 1) else f"{run.model} x{run.width:g}"


def taught(run: Run) -> str:
    """ "FER+": the labels that a run learned, in one word."""
    return _TAUGHT.get(run.taught, run.taught)


def started_from(run: Run) -> str:
    """ "from weights"; or "continued" from another run, whose name is too long for a row."""
    if run.start is None:
        return ""
    return "continued" if run.start.count("-") > 2 else f"from {run.start}"


def teachers(run: Run) -> str:
    """How many trained models taught a run, in words; "" where none did."""
    return f"{run.teachers} teacher{'s' if run.teachers > 1 else ''}" if run.teachers else ""


def when(run: Run) -> str:
    """ "21 Nov 12:48", UTC; "" where the folder's name does not say it."""
    return "" if run.started is None else f"{run.started.day} {run.started:%b %H:%M}"


# In this order, each where it differs among runs of one network that were taught the same.
_PARTS: tuple[Callable[[Run], str], ...] = (
    lambda run: "" if run.size is None else f"{run.size} px",
    lambda run: "" if run.epochs_planned is None else f"{run.epochs_planned} epochs",
    started_from,
    teachers,
)
# And these one after the other, as long as some of them are still called the same.
_FURTHER: tuple[Callable[[Run], str], ...] = (
    lambda run: run.recipe,
    lambda run: "" if run.seed is None else f"seed {run.seed}",
)


def names(runs: Sequence[Run]) -> dict[str, str]:
    """By id, a name for each run that no other of these runs has.

    "resemotenet x0.25, FER2013, 64 px, seed 1": the network and what it was taught always, further settings where they
    differ from those of its like, then when it began, then where it lies.
    """
    result: dict[str, str] = {}
    for base, alike in _by(runs, lambda run: f"{network(run)}, {taught(run)}" if run.config else run.id).items():
        for name, same in _by(alike, partial(_described, base, alike)).items():
            result |= _told_apart(name, same, [*_FURTHER, *_settings_of(same), when, _place])
    return result


def _described(base: str, alike: Sequence[Run], run: Run) -> str:
    """The parts in which a run differs from others of its like."""
    return _joined(base, *(part(run) for part in _PARTS if len({part(each) for each in alike}) > 1))


def _told_apart(name: str, same: Sequence[Run], parts: Sequence[Callable[[Run], str]]) -> Mapping[str, str]:
    """Names that begin with this one; a part is added where it tells any of the runs apart."""
    if len(same) == 1 or not parts:
        return {run.id: name for run in same}
    result: dict[str, str] = {}
    split = len({parts[0](run) for run in same}) > 1
    for longer, left in _by(same, lambda run: _joined(name, parts[0](run) if split else "")).items():
        result |= _told_apart(longer, left, parts[1:])
    return result


def _settings_of(same: Sequence[Run]) -> list[Callable[[Run], str]]:
    """The first settings in which any of these runs differ."""
    differ = dict.fromkeys(setting for run in same[1:] for setting in differing(same[0], run))
    return [partial(_setting, setting) for setting in list(differ)[:_MOST_SETTINGS]]


def _setting(name: str, run: Run) -> str:
    return f"{name.rpartition('.')[2]} {in_words(run.known.get(name, 'not set'))}"


def _place(run: Run) -> str:
    return f"in {run.path.parent}"


def _by(runs: Iterable[Run], name: Callable[[Run], str]) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(name(run), []).append(run)
    return groups


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def is_bundled(run: Run) -> bool:
    """Whether the bundled weights came from this run."""
    return run.path.name == _bundled_run()


@lru_cache(maxsize=1)
def _bundled_run() -> str | None:
    path = Path(resemotenet.__file__).parent / "weights" / "config.json"
    if not path.is_file():  # a source tree without weights
        return None
    try:
        run = read(ModelInfo, path).training.get("run")
    except ResultsError:  # said where the weights are used
        return None
    return run if isinstance(run, str) else None


def opened_first(runs: Sequence[Run]) -> Run | None:
    """The run that a page opens on: that of the bundled weights, else the newest finished one, else the newest."""
    finished = next((run for run in runs if run.state == "finished"), None)
    return next(filter(is_bundled, runs), None) or finished or next(iter(runs), None)
