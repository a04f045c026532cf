"""Runs beside each other: curves over each other, and only the settings in which they differ."""

import json
import re
from pathlib import Path

import pytest

from dashboard import data
from dashboard.analysis.settings import side_by_side
from resemotenet.runs.results import read_json, write_json
from tests.dashboard import comparing, fake_runs
from tests.dashboard.comparing import again, opened, rows, words
from tests.dashboard.pages import figures, links, numbers

C1, C2 = "resemotenet", "resemotenet_c2"


@pytest.mark.parametrize("state", comparing.STATES)
def test_the_page_opens_whatever_the_folder_holds(results: Path, state: str):
    comparing.STATES[state](results)
    assert "Compare" in words(opened("compare", results))


def test_only_what_differs_is_shown(results: Path):
    a = fake_runs.write_run(results, model=C1)
    b = fake_runs.write_run(results, model=C2, width=0.5)
    page = opened("compare", results, beside=[a.name, b.name])
    table = {row.pop("Setting"): list(row.values()) for row in rows(page)}
    assert table["network.name"] == [C1, C2]
    assert table["network.width"] == ["0.25", "0.5"]
    assert "network.size" not in table
    assert "dataset.limit" not in table
    page.toggle(key="differing").set_value(False)
    table = {row.pop("Setting"): list(row.values()) for row in rows(again(page))}
    assert table["network.size"] == ["48", "48"]
    assert table["dataset.limit"] == ["none", "none"]
    assert page.query_params["differing"] == "off"


def test_runs_of_other_versions_know_other_settings(results: Path):
    a, b = fake_runs.write_run(results, seed=0), fake_runs.write_run(results, seed=1)
    config = read_json(b / "config.json")
    config["network"]["attention"] = True
    write_json(b / "config.json", config)
    runs = {run.id: run for run in data.scan([results])}
    told = side_by_side([runs[a.name], runs[b.name]], only_differing=True)
    assert told["network.attention"] == ["not set", "yes"]
    assert told["seed"] == ["0", "1"]


def test_running_and_stopped_runs_can_be_compared_too(results: Path):
    a, b = fake_runs.write_running(results), fake_runs.write_unfinished(results, seed=3)
    page = opened("compare", results, beside=[a.name, b.name, "lost"])
    assert "“lost”" in words(page)
    table = {row.pop("Setting"): list(row.values()) for row in rows(page)}
    assert table["state"] == ["running", "unfinished"]
    assert table["seed"] == ["0", "3"]


def test_curves_lie_over_each_other_and_hold_what_the_epochs_say(results: Path):
    paths = [fake_runs.write_run(results, model=model, epochs=3) for model in (C1, C2)]
    page = opened("compare", results, beside=[path.name for path in paths])
    (figure,) = figures(page)
    assert [line["name"] for line in figure["data"][::3]] == [f"{model} x0.25, FER2013" for model in (C1, C2)]
    for path, (accuracy, loss, training) in zip(paths, (figure["data"][:3], figure["data"][3:]), strict=True):
        lines = [json.loads(line) for line in (path / "epochs.jsonl").read_text().splitlines()]
        said = [line["validation"]["fer2013"] for line in lines]
        assert numbers(accuracy["y"]) == pytest.approx([100 * each["accuracy"] for each in said])
        assert numbers(loss["y"]) == pytest.approx([each["nll"] for each in said])
        assert numbers(training["y"]) == pytest.approx([line["loss"] for line in lines])
    colors = [line["line"]["color"] for line in figure["data"]]
    assert len(set(colors[:3])) == len(set(colors[3:])) == 1
    assert colors[0] != colors[3]


def test_curves_of_other_labels_are_not_drawn_as_if_they_were_of_these(results: Path):
    plain = fake_runs.write_run(results)
    crowd = fake_runs.write_run(results, labels="ferplus")
    page = opened("compare", results, beside=[plain.name, crowd.name], curves="ferplus-strict")
    (figure,) = figures(page)
    assert {line["name"] for line in figure["data"]} == {"resemotenet x0.25, FER+"}
    assert "Not scored on these labels while it trained: resemotenet x0.25, FER2013." in words(page)


def test_two_runs_lead_to_their_confusion_face_by_face(results: Path):
    a, b = (fake_runs.write_run(results, model=model) for model in (C1, C2))
    page = opened("compare", results, beside=[a.name, b.name])
    assert links(page) == {"Confusion of both, face by face": f"confusion?run={a.name}&against={b.name}"}


def test_it_opens_with_the_best_on_validation_and_not_with_the_newest(results: Path):
    for number, skill in enumerate((0.4, 1.2, 0.8, 1.0)):
        fake_runs.write_run(results, seed=number, skill=skill, stamp=f"2026010{number + 1}T120000Z")
    page = opened("compare", results)
    runs = {run.id: run for run in data.scan([results])}
    assert [runs[name].seed for name in page.multiselect(key="beside").value] == [1, 3, 2]


def test_how_far_a_run_is_from_the_first_is_said_face_by_face(results: Path):
    poor, good, other = (
        fake_runs.write_run(results, seed=number, skill=skill, labels=labels)
        for number, (skill, labels) in enumerate(((0.4, "fer2013"), (1.2, "fer2013"), (1.0, "ferplus")))
    )
    page = opened("compare", results, beside=[poor.name, good.name, other.name])
    table = {row.pop("Setting"): list(row.values()) for row in rows(page)}
    runs = {run.id: run for run in data.scan([results])}
    first, *right = (data.predictions(runs[path.name], "fer2013", "test").correct for path in (poor, good, other))
    said = table["FER2013's own labels, test, against the first"]
    assert said[0] == ""
    for text, correct in zip(said[1:], right, strict=True):
        assert text.startswith(f"{100 * (correct.mean() - first.mean()):+.1f} points [")
        assert re.search(r"\], p (< 0\.0001|= 0\.\d+)$", text)
    assert "another seed moves both" in words(page)
    page = opened("compare", results, beside=[poor.name])
    assert not any("against the first" in row["Setting"] for row in rows(page))


def test_photographs_stand_beside_crops(results: Path):
    a, b = (fake_runs.write_run(results, model=model) for model in (C1, C2))
    fake_runs.measure_on_photographs(a, right=75, n=100)
    page = opened("compare", results, beside=[a.name, b.name])
    table = {row.pop("Setting"): list(row.values()) for row in rows(page)}
    assert table["photographs, with the detector"] == ["75.0% (65.7 to 82.5), n = 100", "not measured"]
    assert "photographs, test" not in table  # which would leave out the pictures without a face


def test_photographs_have_a_column_of_their_own_and_no_row(results: Path):
    fake_runs.measure_on_photographs(fake_runs.write_run(results), right=75, n=100)
    (row,) = rows(opened("overview", results))
    assert row["Photographs, %"] == "75.0 [65.7, 82.5]"
    page = opened("run", results)
    assert "On photographs **75.0% (65.7 to 82.5)** of 100 read right" in words(page)
    assert "found in 98" in words(page)
