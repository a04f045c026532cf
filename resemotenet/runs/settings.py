"""Which settings of runs matter where the runs are compared; every table and every comparison asks here."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from ..errors import TrainingError
from .results import flatten
from .schema import Dataset, RunConfig, adapter, later, problem

# Where files lie, what watched the run and which device was asked for do not change what was trained. On which machine
# it was, environment.json says.
PLACES = ("data", "results", "cache", "track", "device")
# Nor is the seed part of a recipe; and the compact layout computes the same function.
NOT_THE_RECIPE = (*PLACES, "seed", "network.compact")


@cache
def _before() -> dict[str, Any]:
    """What runs did before a setting was there to be made: a config.json without it means this."""
    whole = flatten(RunConfig("", dataset=Dataset("synthetic", "synthetic")).to_dict())
    return {name: whole[name] for name in later(RunConfig)}


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in a run's config.json under dotted names, the same whatever version wrote it; of {}, {}."""
    return _before() | flatten(config) if config else {}


def known_settings(config: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """``settings_of`` without values that a config cannot have, and what is wrong with those; None where nothing is.

    A setting, or a choice, of a later version stays: it says what it says.
    """
    known = settings_of(config)
    try:
        adapter(RunConfig).validate_json(to_json(config, inf_nan_mode="constants"))
    except ValidationError as wrong:
        for each in wrong.errors(include_url=False):
            place = ".".join(map(str, each["loc"]))
            if each["type"] == "unexpected_keyword_argument" or (
                each["type"] == "literal_error" and isinstance(each["input"], str)
            ):
                continue
            known = {name: value for name, value in known.items() if not f"{name}.".startswith(f"{place}.")}
        return known, problem(wrong)
    except TrainingError as wrong:
        return known, f"is wrong: {wrong}"
    return known, None


def training_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that may change what is trained, by dotted name, the same whatever version wrote a config.json."""
    return {name: value for name, value in settings_of(config).items() if name not in PLACES}


def recipe_key(config: Mapping[str, Any], *, apart_from: Iterable[str] = (), **beside: Any) -> str:
    """Equal for runs of one recipe, whatever their seed and layout, the place and the machine.

    Args:
        apart_from: further settings in which the runs may differ.
        beside: what is no setting and has to be equal too.
    """
    ignored = {*NOT_THE_RECIPE, *apart_from}
    recipe = {name: value for name, value in training_settings(config).items() if name not in ignored}
    return json.dumps(recipe | beside, sort_keys=True, default=str)


def differing(
    a: Mapping[str, Any], b: Mapping[str, Any], *, apart_from: Iterable[str] = ()
) -> dict[str, tuple[Any, Any]]:
    """In which settings two configs differ: dotted name -> both values, None where one has no such setting.

    Args:
        apart_from: settings that are of no interest.
    """
    first, second = training_settings(a), training_settings(b)
    names = dict.fromkeys(name for name in (*first, *second) if name not in apart_from)
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}
