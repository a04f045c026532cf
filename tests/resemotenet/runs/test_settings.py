import json
from pathlib import Path
from typing import Any

import pytest

from resemotenet.runs.results import flatten
from resemotenet.runs.schema import RunConfig
from resemotenet.runs.settings import differing, known_settings, recipe_key, settings_of, training_settings

PUBLISHED = Path(__file__).parents[3] / "dashboard/published"
# Whole, as config.json had it before anything was added to it.
FIRST = json.loads((PUBLISHED / "strong-resemotenet-fer2013-s0-20261122T090108Z/config.json").read_text())


def changed(name: str, value: Any) -> dict[str, Any]:
    part, _, inside = name.rpartition(".")
    return {**FIRST, part: {**FIRST[part], inside: value}} if part else {**FIRST, inside: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", "other/fer2013.csv"),
        ("results", "other"),
        ("cache", "other"),
        ("track", "tensorboard"),
        ("device", "auto"),
    ],
)
def test_places_trackers_and_devices_are_no_settings_of_training(name: str, value: str):
    other = changed(name, value)
    assert other != FIRST
    assert differing(FIRST, other) == {}
    assert recipe_key(FIRST) == recipe_key(other)
    assert name not in training_settings(other)


@pytest.mark.parametrize(("name", "value"), [("seed", 7), ("network.compact", False)])
def test_seed_and_layout_differ_within_a_recipe(name: str, value: Any):
    part, _, inside = name.rpartition(".")
    before = FIRST[part][inside] if part else FIRST[inside]
    assert differing(FIRST, changed(name, value)) == {name: (before, value)}
    assert recipe_key(FIRST) == recipe_key(changed(name, value))


@pytest.mark.parametrize(
    ("name", "value"), [("network.size", 96), ("optimization.epochs", 1), ("recipe", "own"), ("precision", "bf16")]
)
def test_any_other_setting_makes_another_recipe(name: str, value: Any):
    assert list(differing(FIRST, changed(name, value))) == [name]
    assert recipe_key(FIRST) != recipe_key(changed(name, value))
    assert recipe_key(FIRST, apart_from=[name]) == recipe_key(changed(name, value), apart_from=[name])
    assert differing(FIRST, changed(name, value), apart_from=[name]) == {}


def test_what_is_no_setting_may_have_to_be_equal_too():
    assert recipe_key(FIRST, views="none") != recipe_key(FIRST, views="flip")


def test_a_setting_that_came_later_is_what_runs_did_before():
    assert differing(FIRST, changed("augmentation.blur", 0.0)) == {}
    assert differing(FIRST, changed("augmentation.blur", 0.1)) == {"augmentation.blur": (0.0, 0.1)}


def test_a_setting_that_only_one_has():
    assert differing(FIRST, changed("network.depth", 3)) == {"network.depth": (None, 3)}


def test_every_setting_of_today_has_a_value_in_the_first_published_run():
    config = RunConfig("x", data=Path("x"))
    assert set(settings_of(FIRST)) == set(flatten(config.to_dict()))
    assert settings_of({}) == {}


class TestKnown:
    def test_of_a_sound_config_all_are(self):
        assert known_settings(FIRST) == (settings_of(FIRST), None)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("seed", "zero"), ("seed", 10**400), ("network.width", float("nan")), ("network.size", True), ("recipe", 5)],
    )
    def test_what_makes_no_sense_is_not_known_and_told(self, name: str, value: Any):
        known, wrong = known_settings(changed(name, value))
        assert known == {other: each for other, each in settings_of(FIRST).items() if other != name}
        assert str(wrong).startswith(f"says {name} = ")

    def test_nor_what_a_part_that_is_no_object_should_say(self):
        known, wrong = known_settings({**FIRST, "network": 3})
        assert [name for name in known if name.startswith("network")] == []
        assert wrong == "says network = 3, which should be an object"

    def test_what_a_later_version_adds_is_known_all_the_same(self):
        later = {**FIRST, "mood": "good", "optimization": {**FIRST["optimization"], "optimizer": "lion"}}
        known, wrong = known_settings(later)
        assert (known["mood"], known["optimization.optimizer"]) == ("good", "lion")
        assert wrong is not None
        assert "has mood, which this version does not know" in wrong

    def test_settings_that_do_not_go_together_are_told(self):
        known, wrong = known_settings({**FIRST, "data": None})
        assert known["data"] is None
        assert wrong == "is wrong: the data set fer2013 has to be given: --data PATH"
