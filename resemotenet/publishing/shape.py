"""Whether the files of a run hold what a publication reads of them; a damaged or foreign folder is told so."""

import math
from collections.abc import Callable
from typing import Any, Union

from ..errors import PublicationError

# What a value must be, in words and as a test; or what an object must hold. A key that ends in "?" may be missing.
_Kind = tuple[str, Callable[[Any], bool]]
_Shape = dict[str, Union[_Kind, "_Shape"]]


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_interval(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_share, value))


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _or_none(kind: _Kind) -> _Kind:
    return f"{kind[0]} or null", lambda value: value is None or kind[1](value)


def _of(words: str, item: Callable[[Any], bool]) -> _Kind:
    return words, lambda value: isinstance(value, dict) and all(map(item, value.values()))


_NUMBER: _Kind = ("a number", _is_number)
_SHARE: _Kind = ("a fraction from 0 to 1", _is_share)
_COUNT: _Kind = ("a whole number from 0 up", _is_count)
_PEOPLE: _Kind = ("a whole number from 1 up", lambda value: _is_count(value) and value > 0)
_TEXT: _Kind = ("text", lambda value: isinstance(value, str))
_DICT: _Kind = _of("an object", lambda value: True)
_COUNTS: _Kind = _of("an object of whole numbers", _is_count)
_DIRTY: _Kind = ("true, false or null", lambda value: value is None or isinstance(value, bool))

_FIGURES: _Shape = {
    "n": _PEOPLE,
    "accuracy": _SHARE,
    "interval?": ("two fractions from 0 to 1", _is_interval),
    "macro_recall?": _or_none(_SHARE),
    "macro_f1?": _or_none(_SHARE),
    "nll?": _or_none(_NUMBER),
    "ece?": _or_none(_SHARE),
    "views?": _TEXT,
    "without_leaks?": {"n": _PEOPLE, "accuracy": _SHARE},
    "touched?": _COUNT,
    "broken?": _COUNT,
    "weights?": {"sha256": _TEXT},
    "operating_point?": _DICT,
}
_FACT: _Shape = {"dataset": _TEXT, "labels": _TEXT, "split": _TEXT, **_FIGURES}
_START: _Shape = {"dirty?": _DIRTY, "commit?": _or_none(_TEXT)}
_FILES: dict[str, _Shape] = {
    "config.json": {
        "recipe": _TEXT,
        "seed": _COUNT,
        "dataset": {"name": _TEXT, "labels?": _or_none(_TEXT), "limit?": _or_none(_COUNT)},
        "augmentation": _of(
            "an object of numbers and yes or no",
            lambda value: value is None or isinstance(value, bool) or _is_number(value),
        ),
        "optimization": {
            "epochs": _COUNT,
            "batch_size": _COUNT,
            "learning_rate": _NUMBER,
            "schedule": _TEXT,
            "optimizer?": _TEXT,
        },
        "distillation?": {
            "teachers": ("a list of texts", lambda value: isinstance(value, list) and all(map(_TEXT[1], value))),
            "share": _SHARE,
        },
    },
    "environment.json": {
        **_START,
        "resumptions?": ("a list of objects", lambda value: isinstance(value, list)),
        "versions?": _DICT,
    },
    "result.json": {
        "schema?": _COUNT,
        "run?": _TEXT,
        "protocol": _TEXT,
        "splits": _DICT,
        "also?": _of("an object of objects", lambda value: isinstance(value, dict)),
        "elsewhere?": _of("an object of objects", lambda value: isinstance(value, dict)),
        "test_touched?": _COUNT,
        "chosen?": {"epoch": _COUNT, "by": _TEXT, "value": _SHARE},
        "cost?": {"seconds": _NUMBER, "device": _TEXT, "macs": _NUMBER},
        "released?": {
            "temperature": _NUMBER,
            "logit_bias": ("a list of numbers", lambda value: isinstance(value, list) and all(map(_is_number, value))),
            "views": _TEXT,
            "by": _TEXT,
            "mixed?": {"start_share": _SHARE},
        },
    },
    "audit.json": {
        "images?": _COUNTS,
        "leaks?": _COUNTS,
        "near_copies?": _or_none(_DICT),
        "learned?": {"labels": _TEXT, "faces": _COUNTS},
    },
}


def check_files(files: dict[str, Any]) -> None:
    """Raise PublicationError where the content of a file of a run, by name, is not what a publication reads."""
    for name, content in files.items():
        if content is not None:
            _check(content, _FILES[name], name)
    for number, start in enumerate(files["environment.json"].get("resumptions", [])):
        _check(start, _START, "environment.json", f"resumptions.{number}")
    if near := (files.get("audit.json") or {}).get("near_copies"):
        _check(near, {"leaks?": _COUNTS}, "audit.json", "near_copies")
    result = files.get("result.json") or {}
    for split, entry in result.get("splits", {}).items():
        _check(entry, {"labels": _TEXT, **_FIGURES}, "result.json", f"splits.{split}")
    for part in ("also", "elsewhere"):
        for labels, splits in result.get(part, {}).items():
            for split, entry in splits.items():
                broke_off = isinstance(entry, dict) and "accuracy" not in entry
                _check(entry, {} if broke_off else _FIGURES, "result.json", f"{part}.{labels}.{split}")


def check_fact(fact: dict[str, Any]) -> None:
    """Raise PublicationError where a measured fact of a config.json does not say what a fact has to."""
    if missing := {"dataset", "labels", "split", "n", "accuracy"} - set(fact):
        raise PublicationError(f"a measured fact in config.json does not say {sorted(missing)}: {fact}")
    _check(fact, _FACT, "config.json", "measured")


def _check(values: Any, shape: _Shape, file: str, at: str = "") -> None:
    if not isinstance(values, dict):
        raise PublicationError(_says(file, at, values, "an object"))
    for key, wanted in shape.items():
        name = key.removesuffix("?")
        place = f"{at}.{name}" if at else name
        if name not in values:
            if name == key:
                raise PublicationError(f"{file} has no {place}; it is damaged, or no file of a run of this version")
        elif isinstance(wanted, dict):
            _check(values[name], wanted, file, place)
        elif not wanted[1](values[name]):
            raise PublicationError(_says(file, place, values[name], wanted[0]))


def _says(file: str, place: str, value: Any, expected: str) -> str:
    return (
        f"{file} says {place or 'as a whole'} = {repr(value)[:80]}, expected {expected}; it is damaged, or no file of "
        "a run of this version"
    )
