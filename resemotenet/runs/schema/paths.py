"""The files of a run without what they say of the machine it ran on; whatever is published goes through here."""

import re
from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

from .environment import Audit
from .record import Record

T = TypeVar("T")

# An absolute path, of Windows too, or one in somebody's home; with what stands before it, which is no part of a word.
_PATH = re.compile(r"""(^|[\s'"(\[,;=])((?:[A-Za-z]:[\\/]|\\\\|~?/)[^\s'"()\[\],;=]+)""")


def without_paths(value: T, places: Collection[Path] = ()) -> T:
    """The same, with the last part of every path alone: of a setting that is one, and of an absolute one in any text.

    Args:
        value: a config, an environment, an audit, or a part of one.
        places: where things lay. The sentences of an audit that name what is in them say where in them; of these
            places alone it is known which spaces belong to their names.
    """
    changed: T = _walk(value, (lambda text: _sentence(text, places)) if isinstance(value, Audit) else _word)
    return changed


def _walk(value: Any, text: Callable[[str], str]) -> Any:
    if isinstance(value, Path):
        return Path(_last_part(str(value)))
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Record):
        return type(value)(**_walk(value.to_dict(), text))
    if isinstance(value, dict):
        return {key: _walk(each, text) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_walk(each, text) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _walk(getattr(value, each.name), text) for each in fields(value)})
    return value


def _sentence(text: str, places: Collection[Path]) -> str:
    for place in sorted(filter(_is_absolute, map(str, places)), key=len, reverse=True):
        text = text.replace(f"{place}/", "").replace(f"{place}\\", "")
    return _PATH.sub(lambda found: f"{found[1]}{_last_part(found[2])}", text)


def _word(text: str) -> str:
    """Of a command, or a setting: spaces belong to it."""
    option, equals, value = text.rpartition("=")  # --data=/home/me/my faces
    return f"{option}{equals}{_last_part(value)}" if _is_absolute(value) else _sentence(text, ())


def _is_absolute(path: str) -> bool:
    return PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()


def _last_part(path: str) -> str:
    return PureWindowsPath(path).name  # which knows both kinds of slashes
