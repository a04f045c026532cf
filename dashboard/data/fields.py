"""Values out of JSON that others wrote: of the wanted type, or nothing."""

from collections.abc import Mapping
from typing import Any


def at(values: Any, *names: str) -> Any:
    """What stands at this path of nested objects, None where it ends early."""
    for name in names:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def text(values: Any, *names: str) -> str:
    """A word at this path, "unknown" where there is none."""
    found = at(values, *names)
    return found if isinstance(found, str) else "unknown"


def number(values: Any, *names: str) -> float | None:
    """A finite number at this path, None where there is none."""
    found = at(values, *names)
    if not isinstance(found, int | float) or isinstance(found, bool) or not abs(found) < 2**63:  # nor NaN
        return None
    return float(found)


def accuracies(line: Any) -> dict[str, float]:
    """Validation accuracy by label definition, as a line of epochs.jsonl has it."""
    measured = at(line, "validation")
    names = measured if isinstance(measured, Mapping) else ()
    return {name: value for name in names if (value := number(measured, name, "accuracy")) is not None}


def whole(values: Any, *names: str) -> int | None:
    """A whole number at this path, None where there is none."""
    found = number(values, *names)
    return int(found) if found is not None and found.is_integer() else None
