"""How long a face takes: shown where it was measured, and never one device's time beside another's without a word."""

from pathlib import Path
from typing import Any

import pytest

from dashboard import data
from resemotenet.runs.results import read_json, write_json
from tests.dashboard.comparing import again, opened, rows, words
from tests.dashboard.fake_runs import NOTED, time_run, write_older, write_run
from tests.dashboard.pages import figures, html, numbers


def drawn(page) -> list[tuple[str, float, float, float]]:
    """Model, place, and both ends of its bar, of every mark of the figure against a cost."""
    found = []
    for trace in figures(page)[2]["data"]:
        x, plus, minus = (
            numbers(each) for each in (trace["x"], trace["error_x"]["array"], trace["error_x"]["arrayminus"])
        )
        found += [(trace["name"], *each) for each in zip(x, x - minus, x + plus, strict=True)]
    return found


def test_the_overview_draws_accuracy_against_it_and_says_on_what(results: Path):
    time_run(write_run(results, model="resemotenet"), 30)
    time_run(write_run(results, model="resemotenet_c2"), 20)
    write_run(results, model="vgg")
    page = opened("overview", results, cost="latency")
    assert {name: x for name, x, *_ in drawn(page)} == {"resemotenet": 30, "resemotenet_c2": 20}
    (ends,) = [ends for name, _, *ends in drawn(page) if name == "resemotenet"]
    assert ends == pytest.approx([28.5, 33])
    said = words(page)
    assert "**cpu (made up), 2 threads**" in said
    assert "Not drawn: 1 of 3 rows" in said
    assert "in turns" not in said
    table = {row["Model"]: row for row in rows(page)}
    assert (table["resemotenet"]["ms a face"], table["resemotenet"]["Timed on"]) == (30, "cpu (made up), 2 threads")
    assert table["vgg"]["Timed on"] == ""


def test_times_of_two_devices_are_never_in_one_figure(results: Path):
    for model, milliseconds, told in (
        ("resemotenet", 30, {}),
        ("resemotenet_c2", 20, {}),
        ("vgg", 1, {"device": "GPU (made up)"}),
        ("cnn_se", 50, {"threads": 1}),
    ):
        time_run(write_run(results, model=model), milliseconds, **told)
    page = opened("overview", results, cost="latency")
    assert {name for name, *_ in drawn(page)} == {"resemotenet", "resemotenet_c2"}
    places = page.selectbox(key="timed").options
    assert set(places) == {"cpu (made up), 2 threads", "GPU (made up), 2 threads", "cpu (made up), 1 thread"}
    page.selectbox(key="timed").set_value("GPU (made up), 2 threads")
    assert {name for name, *_ in drawn(again(page))} == {"vgg"}
    assert "Not drawn: 3 of 4 rows" in words(page)


def test_times_of_different_hours_are_told_from_those_measured_in_turns(results: Path):
    time_run(write_run(results, model="resemotenet"), 30)
    time_run(write_run(results, model="vgg"), 20, time="20260302T120000Z")
    said = words(opened("overview", results, cost="latency"))
    assert "not all measured together" in said
    assert "python -m training latency" in said
    time_run(next(run.path for run in data.scan([results]) if run.model == "vgg"), 20)
    assert "not all measured together" not in words(opened("overview", results, cost="latency"))


def test_where_nobody_measured_it_the_overview_says_how(results: Path):
    write_run(results)
    write_older(results, seed=1)
    page = opened("overview", results, cost="latency")
    assert "`python -m training latency RUN...` measures it" in words(page)
    assert len(figures(page)) == 2  # the answers and the ranking
    assert not {"ms a face", "Timed on"} & set(rows(page)[0])


def test_of_seeds_it_is_that_of_the_newest_run_that_has_it_there(results: Path):
    time_run(write_run(results, seed=0, stamp="20260101T120000Z"), 30)
    time_run(write_run(results, seed=1, stamp="20260102T120000Z"), 7, device="GPU (made up)")
    write_run(results, seed=2, stamp="20260103T120000Z")
    (row,) = rows(opened("overview", results))
    assert (row["ms a face"], row["Timed on"]) == (7, "GPU (made up), 2 threads")
    for place, milliseconds in (("cpu (made up), 2 threads", 30), ("GPU (made up), 2 threads", 7)):
        page = opened("overview", results, cost="latency", timed=place)
        assert [x for _, x, *_ in drawn(page)] == [milliseconds]


def test_ablations_have_it_and_warn_of_several_devices(results: Path):
    one, other = (write_run(results, model=model) for model in ("resemotenet", "resemotenet_c2"))
    page = opened("ablation", results)
    assert "How long a face takes was not measured" in words(page)
    assert "ms a face" not in rows(page)[0]
    time_run(one, 30)
    time_run(other, 25)
    page = opened("ablation", results)
    table = {row["Configuration"]: row for row in rows(page)}
    assert [table[name]["ms a face"] for name in ("C1", "C2")] == [30, 25]
    assert "median, on cpu (made up), 2 threads." in words(page)
    assert "cannot be compared" not in words(page)
    time_run(other, 2, device="GPU (made up)")
    page = opened("ablation", results)
    assert "**Times of different devices cannot be compared**" in words(page)
    assert {row["Timed on"] for row in rows(page)} == {"cpu (made up), 2 threads", "GPU (made up), 2 threads", ""}


def test_what_differs_names_the_device_beside_the_time(results: Path):
    time_run(write_run(results, model="resemotenet"), 30)
    write_run(results, model="resemotenet_c2")
    table = {row.pop("Setting"): row for row in rows(opened("compare", results))}
    assert set(table["one face"].values()) == {"30 ms (28.5 to 33), cpu (made up), 2 threads", "not measured"}


def test_a_run_says_it_beside_what_the_paper_claims(results: Path):
    path = write_run(results)
    page = opened("run", results)
    assert "was not measured: `python -m training latency RUN` measures it" in words(page)
    assert "Time per face" not in html(page)
    time_run(path, 30)
    page = opened("run", results)
    assert "30 ms" in html(page)
    measured, claimed = (
        next(text for text in words(page).splitlines() if word in text) for word in ("takes", "claims")
    )
    assert "30 ms (28.5 to 33), median and quartiles" in measured
    assert "on cpu (made up), 2 threads" in measured
    assert "1.4 ms" in claimed
    assert "a claim, not a measurement" in claimed
    assert "1.4" not in measured


def test_a_result_with_nonsense_for_it_is_shown_without(results: Path):
    path = write_run(results)
    result = read_json(path / "result.json")
    several: tuple[Any, ...] = (3, {**NOTED, "device": 5, "threads": "x", "time": None})
    for nonsense in several:
        write_json(path / "result.json", {**result, "cost": {**result["cost"], "latency": nonsense}})
        opened("run", results)
        opened("overview", results, cost="latency")


def test_a_busy_machine_is_named_and_its_figure_is_no_headline(results: Path):
    path = time_run(write_run(results), 30, quartiles=[28, 38])
    page = opened("run", results)
    assert "One face takes 30 ms (28 to 38), on a busy machine" in words(page)
    assert "Time per face" not in html(page)
    overview = opened("overview", results, cost="latency")
    assert rows(overview)[0]["Timed on"] == "cpu (made up), 2 threads (busy machine)"
    assert "**1 of 1 were measured on a busy machine**" in words(overview)
    assert "1 of 1 were measured on a busy machine" in words(opened("ablation", results))
    time_run(path, 30, quartiles=[28, 34])
    assert "Time per face" in html(opened("run", results))
    assert "busy" not in words(opened("overview", results, cost="latency"))
