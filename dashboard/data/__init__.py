"""All the pages know: which runs there are, and every figure computed again from their stored predictions.

No Streamlit, no torch. ``scan`` stats files and reads only what changed; predictions are opened when a figure is asked
for, and the figure is kept until their file changes. Safe to call from several threads.
"""

import os
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import time

from resemotenet.runs.label_sets import LABEL_SETS, Agreement, LabelSet, label_set
from resemotenet.runs.paired import Paired
from resemotenet.runs.schema import Latency

from .reading import read_run
from .runs import FILES, Run, State
from .scores import (
    Calibrated,
    Clean,
    Score,
    are_kept,
    calibrated,
    has_predictions,
    paired,
    prediction_problems,
    predictions,
    score_of,
    scores,
)
from .texts import harmless

__all__ = [
    "LABEL_SETS",
    "PUBLISHED",
    "Agreement",
    "Calibrated",
    "Clean",
    "LabelSet",
    "Latency",
    "Paired",
    "Run",
    "Score",
    "State",
    "are_kept",
    "calibrated",
    "default_folders",
    "folder_problem",
    "has_predictions",
    "label_set",
    "paired",
    "prediction_problems",
    "predictions",
    "scan",
    "score_of",
    "scores",
]

PUBLISHED = Path(__file__).parents[1] / "published"

_RUN_NAME = re.compile(r"-s\d+-\d{8}T\d{6}Z$")
# Runs may lie in folders of folders: results/ablation/RUN.
_DEPTH = 3

# Time, size and inode of each of the files, then of each prediction file.
_Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class _Kept:
    """A run as it was read, and for how long without a change it counts as running."""

    stamp: _Stamp
    run: Run
    patience: float


_kept: dict[str, _Kept] = {}
_lock = Lock()


def default_folders(results: Sequence[str | Path] = ()) -> tuple[Path, ...]:
    """The published runs, then the folders given, then that of RESEMOTENET_RESULTS; each once."""
    named = os.environ.get("RESEMOTENET_RESULTS")
    folders = [PUBLISHED, *map(Path, results), *([Path(named)] if named else [])]
    return tuple(dict.fromkeys(folder.expanduser().absolute() for folder in folders))


def folder_problem(folder: Path) -> str | None:
    """Why a folder that was named shows no runs, in one sentence; None if it can be read."""
    if not folder.exists():
        return f"There is no folder {folder}; check the path given."
    if not folder.is_dir():
        return f"{folder} is a file; name the folder that holds the runs."
    if not os.access(folder, os.R_OK | os.X_OK):
        return f"{folder} must not be read by this user; change its permissions or name another folder."
    return None


def scan(folders: Sequence[Path]) -> list[Run]:
    """Every run in these folders (or below them, or they themselves), newest first; hidden folders are skipped.

    Never raises for a folder: what is wrong with a run stands in its ``problem``, what is wrong with a folder is told
    by ``folder_problem``. Of a run and its copy (published, say) one is shown: the one with more predictions, of equal
    ones the first. Of other runs of one name the first keeps it as its ``id``, the others add where they lie.
    """
    now = time()
    named: dict[str, list[Run]] = {}
    places = [os.path.abspath(folder.expanduser()) for folder in folders]
    seen = set()
    for place in places:
        for path, stamp in _find(place, _DEPTH):
            seen.add(path)
            run = _run(path, stamp, now)
            others = named.setdefault(run.id, [])
            copy = next((number for number, other in enumerate(others) if _is_copy(run, other)), None)
            if copy is None:
                others.append(run)
            elif others[copy].path != run.path and _amount(run) > _amount(others[copy]):
                others[copy] = run
    _forget(places, seen)
    shown = [run for first, *others in named.values() for run in (first, *map(_with_its_place, others))]
    return sorted(shown, key=lambda run: (run.started or _LONG_AGO, run.id), reverse=True)


def _is_copy(run: Run, other: Run) -> bool:
    """Whether two folders of one name hold one run: how long an epoch took, to 10 ms, tells others apart."""
    return run.path == other.path or (bool(run.epochs) and run.epochs[:1] == other.epochs[:1])


def _with_its_place(run: Run) -> Run:
    return replace(run, id=f"{run.id} in {harmless(run.path.parent)}")


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _find(folder: str, depth: int) -> Iterator[tuple[str, _Stamp]]:
    """Folders that are runs, at most so many levels down, and how their files look."""
    try:
        with os.scandir(folder) as entries:
            inside = {entry.name: entry for entry in entries}
    except OSError:
        # A run that must not be read is one all the same; its name tells.
        if _is_run(os.path.basename(folder), frozenset()) and os.path.isdir(folder):
            yield folder, ()
        return
    if _is_run(os.path.basename(folder), inside.keys()):
        yield folder, (*(_stamp(inside.get(name)) for name in FILES), *_prediction_stamps(inside.get("predictions")))
    elif depth > 0:
        for name, entry in sorted(inside.items()):
            # Not entry.is_dir(), which raises where a link leads to itself.
            if not name.startswith(".") and os.path.isdir(entry.path):
                yield from _find(entry.path, depth - 1)


def _is_run(folder: str, names: Set[str]) -> bool:
    """Whether a folder of this name that holds files of these names is, or was to be, a results folder."""
    if "model.safetensors" in names:  # a model folder has a config.json too
        return False
    return not names.isdisjoint(FILES) or _RUN_NAME.search(folder) is not None


def _stamp(entry: "os.DirEntry[str] | None") -> tuple[int, int, int] | None:
    try:
        status = entry.stat() if entry is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)


def _prediction_stamps(folder: "os.DirEntry[str] | None") -> list[tuple[int, int, int] | None]:
    # One that is written over in place leaves its folder's time as it was.
    if folder is None:
        return []
    try:
        with os.scandir(folder.path) as entries:
            return [_stamp(entry) for entry in entries if entry.name.endswith(".npz")]
    except OSError:
        return []


def _run(path: str, stamp: _Stamp, now: float) -> Run:
    """One run, read again if a file of it changed since; whether it still runs is seen anew every time."""
    with _lock:
        kept = _kept.get(path)
    if kept is None or kept.stamp != stamp:
        folder = Path(path)
        try:
            kept = _Kept(stamp, *read_run(folder, published=folder.is_relative_to(PUBLISHED)))
        except OSError as error:
            problem = f"It cannot be read ({error.strerror or error}); check who may read the folder."
            kept = _Kept(stamp, Run(folder, harmless(folder.name), "broken", problem), 0.0)
        except (ValueError, RecursionError, MemoryError) as error:
            problem = f"It cannot be read ({harmless(str(error))[:200] or type(error).__name__}); copy it again."
            kept = _Kept(stamp, Run(folder, harmless(folder.name), "broken", problem), 0.0)
        with _lock:
            _kept[path] = kept
    changed = max((each[0] / 1e9 for each in stamp if each is not None), default=0.0)
    if kept.run.state == "unfinished" and now - changed < kept.patience:
        return replace(kept.run, state="running", problem=None)
    return kept.run


def _forget(places: Sequence[str], seen: Set[str]) -> None:
    """Let go of runs that lay in these places and do no more."""
    below = tuple(os.path.join(place, "") for place in places)
    with _lock:
        for path in [path for path in _kept if path not in seen and (path in places or path.startswith(below))]:
            del _kept[path]


def _amount(run: Run) -> int:
    """How many prediction files."""
    try:
        return sum(name.endswith(".npz") for name in os.listdir(run.path / "predictions"))
    except OSError:
        return 0
