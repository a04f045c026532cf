"""From the text of a JSON file to a checked value; every file of a run or of a model folder comes in here.

What stands in a file may be anybody's: numbers of any length, NaN, other types, any depth.
"""

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from ...errors import ResEmoteNetError

T = TypeVar("T")

# A file says what it means: no text for a number, no 1 for true, no key that nobody reads.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

LATER = "later"
"""Marks a field that older files lack; its default is what was meant before. Every other one has to be there."""

# How much of a value, and how many problems, an error repeats.
_SHOWN, _MOST_PROBLEMS = 80, 3


def parse(kind: type[T], text: bytes | str, name: str | Path, error: type[ResEmoteNetError]) -> T:
    """Read the text of a file.

    Args:
        kind: what it should hold.
        name: of the file, for the error.
        error: what to raise.

    Raises:
        ResEmoteNetError: of the type given: it is no JSON, or not of this kind, or of a newer schema.
    """
    adapter: TypeAdapter[T] = _adapter(cast(Any, kind))
    try:
        value = adapter.validate_json(text)
    except ValidationError as wrong:
        # What is absent was taken for its default, so that other things may seem not to fit it.
        raise error(f"{name} {_newer(wrong) or _lacking(kind, text) or problem(wrong)}") from wrong
    if lacking := _lacking(kind, text):
        raise error(f"{name} {lacking}")
    return value


def problem(wrong: ValidationError) -> str:
    """What is wrong with a value, as the rest of a sentence that begins with its name."""
    every = wrong.errors(include_url=False)
    more = f"; and {len(every) - _MOST_PROBLEMS} more" if len(every) > _MOST_PROBLEMS else ""
    return "; ".join(map(_in_words, every[:_MOST_PROBLEMS])) + more


def _in_words(each: ErrorDetails) -> str:
    place, kind = ".".join(map(str, each["loc"])), each["type"]
    if kind == "json_invalid":
        return f"is damaged: {each['msg']}"
    if kind == "missing":
        return f"has no {place}"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"has {place}, which is not known"
    if kind == "value_error":  # of our own checks
        return f"is wrong{place and f' in {place}'}: {each['ctx']['error']}"
    shown = repr(each["input"])
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return f"says {place or 'as a whole'} = {shown}, which should {each['msg'].partition(' should ')[2]}"


def _newer(wrong: ValidationError) -> str | None:
    for each in wrong.errors(include_url=False):
        if each["loc"] == ("schema",) and each["type"] == "less_than_equal":
            written, known = each["input"], each["ctx"]["le"]
            return (
                f"was written in schema {written} by a newer version of resemotenet; this one reads up to {known}, "
                "update it"
            )
    return None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
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
    return next((f"says {place} = {value}, which should be finite" for place, value in _not_finite(values)), None)


def _not_finite(value: Any, at: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield at, value
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield from _not_finite(each, f"{at}.{name}" if at else str(name))


def _absent(kind: Any, values: Any, at: str = "") -> Iterator[str]:
    """What an object lacks of the fields of a dataclass and of those inside; without the later ones."""
    if not is_dataclass(kind) or not isinstance(values, dict):
        return
    hints = get_type_hints(kind, include_extras=True)
    for name in (each.name for each in fields(kind)):
        hint, *marks = get_args(hints[name]) if get_origin(hints[name]) is Annotated else (hints[name],)
        if name in values:
            yield from _absent(hint, values[name], f"{at}{name}.")
        elif LATER not in marks:
            yield at + name
