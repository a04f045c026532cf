"""What runs are called: by what tells them apart, whatever that is."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

import resemotenet
from dashboard import data
from dashboard.analysis.names import is_bundled, names, opened_first
from resemotenet.runs.results import read_json, write_json
from tests.dashboard.fake_runs import write_every_state, write_run, write_running
from tests.dashboard.published import PUBLISHED


def called(results: Path) -> list[str]:
    return sorted(names(data.scan([results])).values())


def change(path: Path, name: str, value: Any) -> None:
    config = read_json(path / "config.json")
    part, _, setting = name.partition(".")
    config[part][setting] = value
    write_json(path / "config.json", config)


def test_one_run_is_its_network_and_what_it_was_taught(results: Path):
    write_run(results, labels="ferplus")
    write_run(results, model="vgg", width=1.0)
    assert called(results) == ["resemotenet x0.25, FER+", "vgg, FER2013"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("network.size", 64, ["48 px", "64 px"]),
        ("optimization.epochs", 9, ["4 epochs", "9 epochs"]),
        ("network.start", "elsewhere/weights", ["", "from weights"]),
        ("network.start", "strong-resemotenet-fer2013-s0-20260101T120000Z", ["", "continued"]),
        ("distillation.teachers", ["a", "b"], ["", "2 teachers"]),
        ("augmentation.mixup", 0.2, ["mixup 0", "mixup 0.2"]),
        ("optimization.label_smoothing", 0.1, ["label_smoothing 0", "label_smoothing 0.1"]),
    ],
)
def test_what_differs_is_the_name_and_the_date_is_not(results: Path, name: str, value: Any, told: list[str]):
    write_run(results, stamp="20260101T120000Z")
    change(write_run(results, stamp="20260102T120000Z"), name, value)
    base = "resemotenet x0.25, FER2013"
    assert called(results) == [", ".join(filter(None, (base, words))) for words in told]


def test_seeds_are_named_only_where_nothing_else_tells_runs_apart(results: Path):
    write_run(results, seed=0, epochs=4, planned=4)
    write_run(results, seed=1, epochs=4, planned=4)
    write_run(results, seed=2, epochs=9, planned=9)
    base = "resemotenet x0.25, FER2013"
    assert called(results) == [f"{base}, 4 epochs, seed 0", f"{base}, 4 epochs, seed 1", f"{base}, 9 epochs"]


def test_a_run_made_twice_is_told_by_when_and_one_of_two_folders_by_where(tmp_path: Path):
    base = "resemotenet x0.25, FER2013"
    write_run(tmp_path / "a", stamp="20260101T120000Z")
    write_run(tmp_path / "a", stamp="20260101T130000Z")
    assert called(tmp_path / "a") == [f"{base}, 1 Jan 12:00", f"{base}, 1 Jan 13:00"]
    write_run(tmp_path / "b", stamp="20260101T120000Z", skill=2.0)
    both = set(names(data.scan([tmp_path / "a", tmp_path / "b"])).values())
    assert both == {
        f"{base}, 1 Jan 13:00",
        *(f"{base}, 1 Jan 12:00, in {tmp_path / place}" for place in "ab"),
    }


def test_no_two_runs_are_called_the_same_whatever_state_they_are_in(results: Path):
    write_every_state(results)
    for model, seed in itertools.product(("resemotenet", "vgg"), range(3)):
        write_run(results, model=model, seed=seed, stamp="20260301T120000Z")
    runs = [*data.scan([results]), *PUBLISHED]
    every = names(runs)
    assert set(every) == {run.id for run in runs}
    assert len(set(every.values())) == len(runs)


def test_published_names_hold_no_date():
    assert not [name for name in names(PUBLISHED).values() if "Nov" in name or ":" in name]


def test_pages_open_on_the_run_of_the_bundled_weights():
    config = json.loads((Path(resemotenet.__file__).parent / "weights" / "config.json").read_text(encoding="utf-8"))
    first = opened_first(PUBLISHED)
    assert first is not None
    assert first.id == config["training"]["run"]
    assert [run for run in PUBLISHED if is_bundled(run)] == [first]


def test_without_it_they_open_on_the_newest_that_is_finished(results: Path):
    assert opened_first([]) is None
    write_running(results, stamp="20260601T120000Z")
    assert opened_first(data.scan([results])) is not None
    write_run(results, stamp="20260101T120000Z")
    newest = write_run(results, stamp="20260201T120000Z")
    first = opened_first(data.scan([results]))
    assert first is not None
    assert first.id == newest.name
