"""How long a face takes, as result.json says it; what makes no sense is not known."""

import json
from pathlib import Path
from typing import Any

import pytest

from dashboard import data
from resemotenet.runs.results import read_json, write_json
from tests.dashboard.fake_runs import NOTED, write_run


def latency_of(results: Path, noted: Any) -> data.Latency | None:
    path = write_run(results)
    result = read_json(path / "result.json")
    text = json.dumps({**result, "cost": {**result["cost"], "latency": noted}})  # also what JSON does not know
    (path / "result.json").write_text(text)
    (run,) = data.scan([results])
    assert run.macs == result["cost"]["macs"], "the rest of the cost is known all the same"
    return run.latency


def test_it_is_read_from_the_result(results: Path):
    found = latency_of(results, NOTED)
    assert found is not None
    assert (found.low, found.milliseconds, found.high, found.views) == (12, 12.5, 14.25, "flip")
    assert found.place == "cpu (made up), 2 threads"
    alone = found.model_copy(update={"threads": 1})
    assert alone.place == "cpu (made up), 1 thread"


@pytest.mark.parametrize(
    "wrong",
    [
        {"milliseconds": "12"}, {"milliseconds": None}, {"milliseconds": 0}, {"milliseconds": float("nan")},
        {"quartiles": None}, {"quartiles": [12]}, {"quartiles": [12, "x"]}, {"quartiles": [13, 14]},
        {"quartiles": [-1, 14]}, {"faces": 8}, {"faces": None},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_not_known(results: Path, wrong: dict[str, Any]):
    assert latency_of(results, {**NOTED, **wrong}) is None


def test_a_cost_that_is_no_object_is_not_known(results: Path):
    path = write_run(results)
    write_json(path / "result.json", {**read_json(path / "result.json"), "cost": [3]})
    (run,) = data.scan([results])
    assert (run.latency, run.macs, run.state) == (None, None, "finished")
