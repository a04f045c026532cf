"""The overview: measured beside claimed, seeds together, and no run called what it is not."""

import csv
import io
import json
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest

from dashboard import data
from dashboard.analysis.groups import grouped
from resemotenet.runs.claims import CLAIMS
from resemotenet.runs.results import Predictions, read_json, write_json
from tests.dashboard import comparing, fake_runs
from tests.dashboard.comparing import again, opened, rows, words
from tests.dashboard.pages import figures


@pytest.mark.parametrize("state", comparing.STATES)
def test_the_page_opens_whatever_the_folder_holds(results: Path, state: str):
    comparing.STATES[state](results)
    said = words(opened("overview", results))
    assert "Does the claim hold?" in said
    assert "**63.4%** of all 3,589 test faces" in said
    assert "72.2% of the 2,720" in said


def test_without_runs_it_says_what_to_do_and_still_shows_the_claims(results: Path):
    page = opened("overview", results)
    assert "python -m training train quick" in words(page)
    claims = page.table[0].value.to_dict("records")
    assert [(row["Model"], row["Claimed, %"]) for row in claims] == [("ResEmoteNet", "79.79"), ("EmoNeXt", "76.12")]
    assert {row["Does it hold?"] for row in claims} == {"not yet re-run here"}
    assert claims[0]["Users report, %"].startswith(
        "58-60 (released code, trained again); 66 (released code, trained again); 65.9-71.6"
    )


def test_all_claims_are_there_on_request_apart_from_measurements(results: Path):
    fake_runs.write_run(results)
    page = opened("overview", results)
    assert len(page.table) == 1
    page.session_state["published"] = True
    again(page)
    table = {row["Method"]: row for row in rows(page, 1)}
    assert table["ResEmoteNet"]["FER2013, claimed, %"] == pytest.approx(79.79)
    assert table["ResEmoteNet"]["FER2013, re-run here, %"] is None
    assert len(table) == len({claim.method for claim in CLAIMS})
    verdict = {row["Data set"]: row["Does it hold?"] for row in page.table[1].value.to_dict("records")}
    assert verdict["FERPlus"].startswith("cannot be tested")


def test_rows_of_the_chart_are_told_apart_by_what_differs():
    """Not by the time at which they began, where words can do it."""
    page = opened("overview", data.PUBLISHED)
    drawn = [json.dumps(each) for each in figures(page)]
    (ranking,) = [each for each in drawn if "most votes: 63.4%" in each and "Claimed in a paper" in each]
    assert "the emotion with the most FER+ votes (plurality), all 3,589 faces" in words(page)
    assert "48 px, 15 epochs, 1" in ranking
    assert all(f"FER2013, {size} px, 15 epochs" in ranking for size in (48, 64))
    assert "seed " not in ranking


def test_a_run_in_training_is_named(results: Path):
    fake_runs.write_running(results)
    assert "1 in training" in words(opened("overview", results))


def test_the_published_run_is_shown_with_what_its_predictions_say():
    shown = rows(opened("overview", data.PUBLISHED, on="all"))
    measured = {}
    for run in data.scan([data.PUBLISHED]):
        said = Predictions.load(run.path / "predictions" / f"{run.labels}-test.npz")
        measured[run.id] = 100 * (said.probabilities.argmax(axis=1) == said.targets).mean()
        (row,) = [row for row in shown if run.id in row["Run"] and row["Scored on"] == data.label_set(run.labels).name]
        row["seeds"] = [*row.get("seeds", []), run.id]
    for row in shown:  # seeds of one experiment share a row
        if "seeds" in row:
            assert row["Measured, %"] == pytest.approx(np.mean([measured[run] for run in row["seeds"]]))
    found = {row["Scored on"]: row for row in shown if row["Taught"] == "ferplus"}
    ours = found["FER2013's own labels"]
    assert ours["Claimed, %"] == pytest.approx(79.79)
    assert np.isnan(ours["Gap"])  # it was taught other labels than those of the claim
    assert ours["Claim"].startswith("not a re-run")
    # What is claimed on FERPlus names no definition, so nothing stands beside these.
    assert found["FER+ strict"]["Claimed, %"] != found["FER+ strict"]["Claimed, %"]


def test_figures_come_from_predictions_and_not_from_what_the_run_says_of_itself(results: Path):
    path = fake_runs.write_run(results)
    result = read_json(path / "result.json")
    result["splits"]["test"]["accuracy"] = 0.999
    write_json(path / "result.json", result)
    (row,) = rows(opened("overview", results))
    said = Predictions.load(path / "predictions" / "fer2013-test.npz")
    assert row["Measured, %"] == pytest.approx(100 * (said.probabilities.argmax(axis=1) == said.targets).mean())


def test_seeds_are_one_row_with_mean_and_deviation_and_can_be_told_apart(results: Path):
    for seed in range(3):
        fake_runs.write_run(results, seed=seed)
    each = [score.accuracy for run in data.scan([results]) for score in data.scores(run) if score.split == "test"]
    page = opened("overview", results)
    (row,) = rows(page)
    assert row["Seeds"] == "3 (0, 1, 2)"
    assert row["Measured, %"] == pytest.approx(100 * mean(each))
    assert row["±"] == pytest.approx(100 * stdev(each))
    page.segmented_control(key="rows").set_value("runs")
    found = rows(again(page))
    assert sorted(row["Measured, %"] for row in found) == pytest.approx(sorted(100 * value for value in each))
    assert page.query_params["rows"] == "runs"


def test_a_prediction_that_comes_later_or_anew_is_seen(results: Path):
    path = fake_runs.write_run(results, test=False)
    assert [row["Split"] for row in rows(opened("overview", results))] == ["validation"]
    said = fake_runs.draw_predictions("fer2013", "test", skill=0.5)
    said.save(path / "predictions" / "fer2013-test.npz")
    (before,) = rows(opened("overview", results))
    assert before["Split"] == "test"
    better = fake_runs.draw_predictions("fer2013", "test", skill=3)
    better.save(path / "predictions" / "fer2013-test.npz")
    (after,) = rows(opened("overview", results))
    assert after["Measured, %"] > before["Measured, %"]


def test_a_seed_that_was_run_twice_counts_once(results: Path):
    fake_runs.write_run(results, stamp="20260101T120000Z", skill=0.5)
    fake_runs.write_run(results, stamp="20260101T130000Z", skill=1.5)
    (group,) = [group for group in grouped(data.scan([results])) if group.split == "test"]
    assert [score.run.id[-16:] for score in group.scores] == ["20260101T130000Z"]
    assert group.accuracies.std is None


def test_runs_of_other_settings_are_no_seeds_of_one_experiment(results: Path):
    fake_runs.write_run(results, seed=0)
    fake_runs.write_run(results, seed=1, width=0.5)
    assert len(rows(opened("overview", results))) == 2


def test_a_link_filters_sorts_and_searches(results: Path):
    comparing.many(results)
    page = opened("overview", results, model=["resemotenet_c2", "vgg"], on="fer2013", sort="model")
    assert [row["Model"] for row in rows(page)] == ["resemotenet_c2", "vgg"]
    page.text_input(key="search").set_value("VGG")
    assert [row["Model"] for row in rows(again(page))] == ["vgg"]
    assert page.query_params["search"] == "VGG"
    page.text_input(key="search").set_value("no such thing")
    assert "No run fits" in words(again(page))


def test_rows_stand_in_the_order_of_validation_and_not_of_test(results: Path):
    """And so do those of the figure below; on what is shown, the first row may be the worse one."""
    paths = [fake_runs.write_run(results, model=model, skill=skill) for model, skill in (("vgg", 1), ("resnet18", 3))]
    one, other = (path / "predictions" / "fer2013-validation.npz" for path in paths)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    page = opened("overview", results)
    first, second = rows(page)
    assert (first["Model"], second["Model"]) == ("vgg", "resnet18")
    assert first["Measured, %"] < second["Measured, %"]
    assert first["Validation, %"] > second["Validation, %"]
    traces = [
        trace["y"] for each in figures(page) for trace in each["data"] if "Measured here" in str(trace.get("name"))
    ]
    assert [[row.partition(" ")[0] for row in drawn] for drawn in traces][1:] == [["vgg", "resnet18"]]


def test_a_link_to_what_is_not_there_says_so_and_shows_the_rest(results: Path):
    fake_runs.write_run(results)
    page = opened("overview", results, model="vgg19", split="holdout", on="fer2013")
    said = words(page)
    assert "“vgg19”" in said
    assert "“holdout”" in said
    assert len(rows(page)) == 1


def test_validation_has_no_claim_beside_it(results: Path):
    fake_runs.write_run(results)
    (row,) = rows(opened("overview", results, split="validation"))
    assert row["Split"] == "validation"
    assert not {"Claim", "Gap", "Claimed, %", "Users report, %"} & set(row)


def test_the_table_can_be_taken_away(results: Path):
    comparing.many(results)
    page = opened("overview", results)
    assert not page.download_button
    page.session_state["copy-overview"] = True
    again(page)
    csv_text, latex = (code.value for code in page.code[:2])
    lines = list(csv.DictReader(io.StringIO(csv_text)))
    assert [float(row["Measured, %"]) for row in lines] == pytest.approx([row["Measured, %"] for row in rows(page)])
    assert latex.startswith(r"\begin{table}")
    assert latex.count(r"\\") == 1 + len(lines)
    assert r"resemotenet\_c2" in latex


def test_a_papers_table_has_what_a_paper_needs_and_more_if_wanted(results: Path):
    fake_runs.write_run(results)
    page = opened("overview", results)
    page.session_state["copy-overview"] = True
    again(page)
    usual = ["Name", "Setting", "Scored on", "Measured, %", "95% interval", "n", "Protocol"]
    assert page.code[0].value.splitlines()[0] == 'Name,Setting,Scored on,"Measured, %",95% interval,n,Protocol'
    page.multiselect(key="columns-overview").set_value([*usual[:1], "Macro F1, %"])
    again(page)
    assert page.code[0].value.splitlines()[0] == 'Name,"Macro F1, %"'
    assert page.code[1].value.count("&") == 2


def test_the_copy_has_two_decimals_where_the_page_has_one(results: Path):
    fake_runs.write_run(results)
    page = opened("overview", results)
    assert len(rows(page)[0]["95% interval"]) == len("[55.1, 68.4]")
    page.session_state["copy-overview"] = True
    again(page)
    (line,) = csv.DictReader(io.StringIO(page.code[0].value))
    assert len(line["95% interval"]) == len("[55.12, 68.43]")


def test_what_tells_most_comes_first_and_empty_columns_are_left_out(results: Path):
    fake_runs.write_run(results)
    (row,) = rows(opened("overview", results))
    first = ["Name", "Measured, %", "95% interval", "n", "Claimed, %", "Gap"]
    assert list(row)[: len(first)] == first
    assert "±" not in row  # a single seed has none
    assert row["Seeds"] == "1 (0)"
    assert row["Protocol"] == "validation-chosen; test scored once"


def test_the_gap_is_told_of_runs_taught_the_labels_of_the_claim_alone(results: Path):
    fake_runs.write_run(results, labels="fer2013")
    fake_runs.write_run(results, labels="ferplus")
    table = {row["Taught"]: row for row in rows(opened("overview", results, on="fer2013"))}
    own = table["fer2013"]
    assert own["Gap"] == pytest.approx(own["Measured, %"] - 79.79)
    assert np.isnan(table["ferplus"]["Gap"])
    assert table["ferplus"]["Claimed, %"] == pytest.approx(79.79)


def test_runs_that_stopped_at_validation_are_counted_beside_test(results: Path):
    fake_runs.write_run(results, seed=0)
    for seed in (1, 2):
        fake_runs.write_run(results, seed=seed, test=False)
    page = opened("overview", results)
    shown = page.segmented_control(key="split").options
    assert shown == ["Test (1)", "Validation (3)"]


def test_every_commit_and_device_of_merged_seeds_is_listed(results: Path):
    for seed, commit, device in ((0, "a" * 40, "cpu"), (1, "b" * 40, "gpu")):
        path = fake_runs.write_run(results, seed=seed)
        told = read_json(path / "environment.json") | {"commit": commit, "device": device, "dirty": seed == 0}
        write_json(path / "environment.json", told)
    page = opened("overview", results)
    (row,) = rows(page)
    assert row["Seeds"] == "2 (0, 1)"
    assert set(row["Commit"].split(", ")) == {"aaaaaaaa+", "bbbbbbbb"}
    assert set(row["Device"].split(", ")) == {"cpu", "gpu"}
    assert "1 of the rows bring together seeds of several commits" in words(page)


def test_seeds_of_one_commit_need_no_such_word(results: Path):
    for seed in (0, 1):
        fake_runs.write_run(results, seed=seed)
    assert "several commits" not in words(opened("overview", results))


def test_seeds_in_two_layouts_have_no_size_or_time_in_common(results: Path):
    for seed, compact in ((0, True), (1, False)):
        path = fake_runs.time_run(fake_runs.write_run(results, seed=seed), 30)
        config, result = (read_json(path / f"{name}.json") for name in ("config", "result"))
        write_json(path / "config.json", config | {"network": config["network"] | {"compact": compact}})
        if not compact:
            cost = result["cost"] | {"parameters": 5_021_927, "macs": 15_217_600}
            write_json(path / "result.json", result | {"cost": cost})
    costs = {"Parameters, M", "Multiply-adds, M", "ms a face"}
    for cost in ("macs", "latency", "parameters"):
        page = opened("overview", results, cost=cost)
        (row,) = rows(page)
        assert row["Seeds"] == "2 (0, 1)"
        assert not costs & set(row)
        assert "or seeds in a row have both layouts" in words(page)
        assert "1 of the rows bring together seeds of several commits or devices" in words(page)
    page.segmented_control(key="rows").set_value("runs")
    page = again(page)
    assert [row["Parameters, M"] for row in rows(page)] == pytest.approx([5.021927, 2.269415])
    assert "both layouts" not in words(page)


def test_a_missing_cost_says_so(results: Path):
    fake_runs.write_older(results)
    assert "None of these runs says its parameters" in words(opened("overview", results, cost="parameters"))
