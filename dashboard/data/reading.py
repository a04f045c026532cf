"""From a results folder to a run: whatever state the folder is in, reading it never raises."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from resemotenet.errors import ResultsError
from resemotenet.runs.results import ResultsFolder
from resemotenet.runs.schema import SCHEMA, Audit, Environment, Epoch, Result, Salvaged, lines, salvage
from resemotenet.runs.settings import known_settings

from .runs import Run, State
from .texts import harmless, harmless_json

T = TypeVar("T")

# A run counts as running while its files change; an epoch may take its time, so several of its epochs are waited for.
_QUIET_SECONDS = 300.0
_QUIET_EPOCHS = 3.0
# A hundred thousand epochs have half as many.
_MOST_BYTES = 50_000_000


def read_run(path: Path, *, published: bool = False) -> tuple[Run, float]:
    """Read a results folder, whatever is wrong with it; "unfinished" is said of one that may still run.

    Returns:
        The run, and for how many seconds without a change it still counts as running.
    """
    files = _Files(path)
    config = files.read(dict[str, Any], "config.json", needed=True) or {}
    if config and (odd := known_settings(config)[1]):
        files.notes.append(_left_out("config.json", odd))
    environment, audit = files.read(Environment, "environment.json"), files.read(Audit, "audit.json")
    result, epochs = files.read(Result, "result.json"), files.epochs()
    state = files.state(config)
    audit = None if audit is None or not audit.to_dict() else audit
    if state == "finished" and result is not None and result.version < SCHEMA:
        files.notes.insert(0, "Written by an older version of this software; what that did not note is left empty.")
    said = files.newer or " ".join([*files.problems, *files.notes])
    parts = (config, environment or Environment(), audit, result, epochs)
    run = Run(path, harmless(path.name), state, said or None, published, *parts)
    if state == "unfinished":
        run = replace(run, problem=" ".join([_unfinished(run), *files.notes]))
    last = epochs[-1].seconds if epochs else None
    return run, max(_QUIET_SECONDS, _QUIET_EPOCHS * (last or 0.0))


class _Files:
    """The files of a run, one after the other, and what is wrong with them.

    Attributes:
        problems: sentences that make the run a broken one.
        notes: sentences about what was left out of a file.
        newer: that a later version wrote the result.
    """

    def __init__(self, path: Path) -> None:
        self.folder, self.problems, self.notes, self.newer = ResultsFolder(path), list[str](), list[str](), ""

    def read(self, kind: type[T], name: str, *, needed: bool = False) -> T | None:
        """What can be read of a file; None where it is absent or damaged."""
        path = self.folder.path / name
        if not path.is_file():
            if needed:
                self.problems.append(f"{name} is missing, so it is not known what was trained; copy the whole folder.")
            return None
        try:
            if (size := path.stat().st_size) > _MOST_BYTES:
                self.problems.append(f"{name} has {size / 1e6:,.0f} MB, which no run writes; copy it again.")
                return None
            text = harmless_json(path.read_bytes())
        except OSError as error:
            self.problems.append(f"{name} cannot be read ({error.strerror}); copy it again.")
            return None
        if damage := _damage(text):
            self.problems.append(f"{name} {damage}; copy it again.")
            return None
        found: Salvaged[T] = salvage(kind, text)
        if found.newer:
            self.newer = f"{name} {found.problem}."
        elif found.problem:
            self.notes.append(_left_out(name, found.problem))
        return found.value

    def epochs(self) -> tuple[Epoch, ...]:
        """The lines of epochs.jsonl that say which epoch they are of."""
        path = self.folder.epochs
        try:
            if path.exists() and not path.is_file():
                raise ResultsError("epochs.jsonl is no file")
            if path.exists() and (size := path.stat().st_size) > _MOST_BYTES:
                raise ResultsError(f"epochs.jsonl has {size / 1e6:,.0f} MB, which no run writes")
            texts = [harmless_json(line) for line in lines(path)]
        except ResultsError as error:
            self.problems.append(f"{error}; copy it again.")
            return ()
        if any(map(_damage, texts)):
            self.problems.append("epochs.jsonl is damaged, so there are no curves; copy it again.")
            return ()
        found = [salvage(Epoch, text) for text in texts]
        if odd := next(
            (f"line {number}, {each.problem}" for number, each in enumerate(found, 1) if each.problem), None
        ):
            self.notes.append(_left_out("epochs.jsonl,", odd))
        return tuple(each.value for each in found if each.value is not None)

    def state(self, config: dict[str, Any]) -> State:
        """Of the run, once all files are read; says what makes it a broken one."""
        if self.newer:
            return "newer"
        absent = [part for part in ("network", "dataset", "optimization") if not isinstance(config.get(part), dict)]
        if absent and not self.problems:
            self.problems.append(
                f"config.json says nothing of {', '.join(absent)}, so it is not known what was trained; copy it again."
            )
        if not self.problems and self.folder.is_finished:
            if any((self.folder.path / "predictions").glob("[!.]*.npz")):
                return "finished"
            self.problems.append(
                "It is finished, but predictions/ is empty, so no figure can be computed; copy it again."
            )
        return "broken" if self.problems else "unfinished"


def _damage(text: bytes) -> str | None:
    """Why a text is no object of JSON; None where it is one."""
    return salvage(dict[str, Any], text).problem


def _left_out(name: str, odd: str) -> str:
    return f"{name} {odd}; what is wrong is left out."


def _unfinished(run: Run) -> str:
    planned = "" if run.epochs_planned is None else f" of {run.epochs_planned}"
    done = f"after epoch {len(run.epochs)}{planned}" if run.epochs else "before its first epoch was done"
    return f"It stopped {done}; 'python -m training resume {harmless(run.path)}' goes on with it."
