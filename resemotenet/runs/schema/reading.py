"""From the text of a JSON file to a checked value; every file of a run or of a model folder comes in here.

What stands in a file may be anybody's: numbers of any length, NaN, other types, any depth.
"""

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from ...errors import ResEmoteNetError, ResultsError

T = TypeVar("T")

# A file says what it means: no text for a number, no 1 for true, no key that nobody reads.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

LATER = "later"
"""Marks a field that older files lack; its default is what was meant before. Every other one has to be there."""

# How much of a value, and how many problems, an error repeats.
_SHOWN, _MOST_PROBLEMS = 80, 3


def read(kind: type[T], path: str | Path, error: type[ResEmoteNetError] = ResultsError) -> T:
    """Read a file; errors as in ``parse``, also where it cannot be opened."""
    try:
        text = Path(path).read_bytes()
    except OSError as wrong:
        raise error(f"{path} cannot be read: {wrong}") from wrong
    return parse(kind, text, path, error)


def read_lines(kind: type[T], path: Path) -> list[T]:
    """Read a file of one object a line; a last line cut off by a crash is not one.

    Raises:
        ResultsError: another line is damaged, or the file cannot be opened.
    """
    return [parse(kind, line, f"{path}, line {number},", ResultsError) for number, line in enumerate(lines(path), 1)]


def lines(path: Path) -> list[bytes]:
    """The whole lines of a file; none where there is no file.

    Raises:
        ResultsError: it cannot be opened.
    """
    try:
        return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    except FileNotFoundError:
        return []
    except OSError as wrong:
        raise ResultsError(f"{path} cannot be read: {wrong}") from wrong


def parse(kind: type[T], text: bytes | str, name: str | Path, error: type[ResEmoteNetError]) -> T:
    """Read the text of a file.

    Args:
        kind: what it should hold.
        name: of the file, for the error.
        error: what to raise.

    Raises:
        ResEmoteNetError: of the type given: it is no JSON, or not of this kind, or of a newer schema.
    """
    try:
        value: T = adapter(cast(Any, kind)).validate_json(text)
    except ValidationError as wrong:
        # What is absent was taken for its default, so that other things may seem not to fit it.
        raise error(f"{name} {_newer(wrong) or _lacking(kind, text) or problem(wrong)}") from wrong
    except ResEmoteNetError as wrong:
        raise error(f"{name} {_lacking(kind, text) or f'is wrong: {wrong}'}") from wrong
    if lacking := _lacking(kind, text):
        raise error(f"{name} {lacking}")
    return value


def problem(wrong: ValidationError, at: str = "") -> str:
    """What is wrong with a value, as the rest of a sentence that begins with its name; ``at``: its place in a whole."""
    every = wrong.errors(include_url=False)
    more = f"; and {len(every) - _MOST_PROBLEMS} more" if len(every) > _MOST_PROBLEMS else ""
    return "; ".join(_in_words(each, at) for each in every[:_MOST_PROBLEMS]) + more


def _in_words(each: ErrorDetails, at: str) -> str:
    place, kind = _joined(at, *each["loc"]), each["type"]
    if kind == "json_invalid":
        return f"is damaged: {each['msg']}"
    if kind == "missing":
        return f"has no {place}"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"has {place}, which this version does not know"
    if kind == "value_error":  # of our own checks
        return f"is wrong{place and f' in {place}'}: {each['ctx']['error']}"
    shown = _short(repr(each["input"]))
    return f"says {place or 'as a whole'} = {shown}, which should {each['msg'].partition(' should ')[2]}"


def _joined(*steps: str | int) -> str:
    """A place in nested objects; what is not printable could command the terminal that it is printed to."""
    return _short(".".join(str(step) if str(step).isprintable() else repr(step) for step in steps if step != ""))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _newer(wrong: ValidationError) -> str | None:
    for each in wrong.errors(include_url=False):
        if each["loc"] == ("schema",) and each["type"] == "less_than_equal":
            written, known = each["input"], each["ctx"]["le"]
            return (
                f"was written in schema {written} by a newer version of resemotenet; this one reads up to {known}, "
                "update it"
            )
    return None


class Salvaged(NamedTuple, Generic[T]):
    """What could be read of a file.

    Attributes:
        value: without what is wrong; None where nothing can be made of it.
        problem: what is wrong, as the rest of a sentence; None where nothing is.
        newer: whether its schema is newer or none that makes sense, so that nothing of it can be relied on.
    """

    value: T | None
    problem: str | None = None
    newer: bool = False


def salvage(kind: type[T], text: bytes | str) -> Salvaged[T]:
    """What can be read of a file that may be damaged, for people who want to see what there is.

    What is wrong is left out, together with the list or the object that cannot do without it.
    """
    try:
        values, said = from_json(text), None
    except ValueError as wrong:
        return Salvaged(None, f"is damaged: {wrong}")
    while True:
        try:
            return Salvaged(adapter(cast(Any, kind)).validate_json(to_json(values, inf_nan_mode="constants")), said)
        except ValidationError as wrong:
            said = said or _newer(wrong) or problem(wrong)  # what leaving out leads to is no news
            every = wrong.errors(include_url=False)
        if any(each["loc"] == ("schema",) for each in every):
            return Salvaged(None, said, newer=True)
        places = [_place(values, each) for each in every]
        if None in places:
            return Salvaged(None, said)
        for holder, key in filter(None, places):
            holder.pop(key, None)


def _place(values: Any, wrong: ErrorDetails) -> tuple[dict[str, Any], str] | None:
    """The object, and its key, that an error speaks of; None where that is all there is."""
    found = None
    for step in wrong["loc"][:-1] if wrong["type"] == "missing" else wrong["loc"]:
        if isinstance(values, list):  # as a whole: without one of its items it would say something else
            break
        if isinstance(values, dict) and step in values:  # what is in none is the tag of a union
            found, values = (values, str(step)), values[str(step)]
    return found


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _lacking(kind: Any, text: bytes | str) -> str | None:
    """What a whole file has, and its types do not see: every field, and finite numbers also where anything may stand.

    JSON knows no others, but its readers do.
    """
    try:
        values = from_json(text)
    except ValueError:  # no JSON
        return None
    if absent := list(_absent(kind, values)):
        return f"has no {', no '.join(absent)}"
    return next((f"says {_joined(*at)} = {value}, which should be finite" for at, value in _not_finite(values)), None)


def _not_finite(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], float]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield at, value
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield from _not_finite(each, (*at, name))


def _absent(kind: Any, values: Any, at: str = "") -> Iterator[str]:
    """What an object lacks of the fields of a dataclass and of those inside; without the later ones."""
    if not is_dataclass(kind) or not isinstance(values, dict):
        return
    for name, hint, is_later in _fields(kind):
        if name in values:
            yield from _absent(hint, values[name], f"{at}{name}.")
        elif not is_later:
            yield at + name


def later(kind: Any, at: str = "", inside: bool = False) -> Iterator[str]:
    """The fields of a dataclass, and of those inside, that older files lack; ``inside`` such a field all are."""
    for name, hint, is_later in _fields(kind):
        if is_dataclass(hint):
            yield from later(hint, f"{at}{name}.", inside or is_later)
        elif inside or is_later:
            yield at + name


def _fields(kind: Any) -> Iterator[tuple[str, Any, bool]]:
    """Name, type, and whether it came later."""
    hints = get_type_hints(kind, include_extras=True)
    for each in fields(kind):
        hint, *marks = get_args(hints[each.name]) if get_origin(hints[each.name]) is Annotated else (hints[each.name],)
        yield each.name, hint, LATER in marks
