"""The ablations: each network beside C1 on the same faces, claims in columns of their own, and what differs."""

from pathlib import Path

import numpy as np
import pytest

from dashboard import data
from dashboard.analysis.ablations import CONFIGURATIONS, against_c1, over_seeds, series_of
from resemotenet.runs.claims import ABLATIONS
from resemotenet.runs.metrics import mcnemar
from resemotenet.runs.results import Predictions, read_json, write_json
from tests.dashboard import comparing, fake_runs
from tests.dashboard.comparing import opened, rows, words
from tests.dashboard.pages import figures

C1, C2, C3 = "resemotenet", "resemotenet_c2", "resemotenet_c3"


@pytest.mark.parametrize("state", comparing.STATES)
def test_the_page_opens_whatever_the_folder_holds(results: Path, state: str):
    comparing.STATES[state](results)
    assert "Ablations" in words(opened("ablation", results))


def test_without_runs_the_papers_table_stands_as_claims_beside_the_command(results: Path):
    page = opened("ablation", results)
    said = words(page)
    assert "for name in resemotenet resemotenet_c2" in said
    assert "--network.name $name" in said
    assert "claims, on RAF-DB" in said
    (table,) = page.table
    assert list(table.value["Claimed on RAF-DB, %"]) == [f"{100 * each.accuracy:.2f}" for each in ABLATIONS]
    assert not page.dataframe
    (figure,) = figures(page)
    assert [trace["name"] for trace in figure["data"]] == ["Claimed"]


def test_the_configurations_are_those_of_the_paper():
    pooled = {f"{each.name} pooled": each.pooled for each in ABLATIONS if each.pooled}
    assert {each.name: each.model for each in ABLATIONS} | pooled == CONFIGURATIONS
    assert list(pooled) == ["C3 pooled", "C4 pooled", "C5 pooled", "C6 pooled"]


def test_each_is_compared_with_c1_on_the_same_faces(results: Path):
    folders = {model: fake_runs.write_run(results, model=model, skill=skill) for model, skill in ((C1, 1.1), (C2, 0.9))}
    first, second = (Predictions.load(folders[model] / "predictions" / "fer2013-test.npz") for model in (C1, C2))
    right = [said.probabilities.argmax(axis=1) == said.targets for said in (first, second)]
    only_c1, only_c2 = int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum())

    table = {row["Configuration"]: row for row in rows(opened("ablation", results))}
    assert table["C1"]["Measured, %"] == pytest.approx(100 * right[0].mean())
    assert table["C2"]["Measured, %"] == pytest.approx(100 * right[1].mean())
    assert table["C2"]["Points"] == pytest.approx(100 * (only_c2 - only_c1) / 200)
    assert table["C2"]["p"] == f"{mcnemar(only_c1, only_c2):.2g}"
    low, high = (float(end) for end in table["C2"]["Paired 95%"].strip("[]").split(","))
    assert low < table["C2"]["Points"] < high
    assert table["C2"]["Claimed, %"] == pytest.approx(94.18)
    assert table["C2"]["Claimed points"] == pytest.approx(-0.58)
    assert table["C2"]["Parameters, M"] == pytest.approx(2.269415)
    assert table["C3"]["95% interval"] == "not run"
    assert table["C3"]["Claimed, %"] == pytest.approx(83.51)


def test_the_figure_has_measurements_and_claims_side_by_side(results: Path):
    for model, skill in ((C1, 1.4), (C2, 0.9)):
        fake_runs.write_run(results, model=model, skill=skill)
    page = opened("ablation", results)
    (figure,) = figures(page)
    measured, claimed = figure["data"]
    assert (measured["name"], measured["xaxis"], measured["y"]) == ("Measured", "x", ["C2: without SE (256)"])
    assert (claimed["name"], claimed["xaxis"], len(claimed["y"])) == ("Claimed", "x2", 5)
    assert figure["layout"]["annotations"][0]["text"] == "Measured, seed 0"
    assert "RAF-DB" in figure["layout"]["annotations"][1]["text"]


def test_a_run_with_other_settings_is_no_member_of_a_series(results: Path):
    fake_runs.write_run(results, model=C1)
    fake_runs.write_run(results, model=C2)
    fake_runs.write_run(results, model=C3, width=0.5)
    first, second = series_of(data.scan([results]))
    assert first.configurations == ["C1", "C2"]
    assert second.configurations == ["C3"]
    assert "0.5 wide" in second.name
    table = {row["Configuration"]: row for row in rows(opened("ablation", results, series=second.key))}
    assert table["C3"]["Paired 95%"] == "there is no C1 of this seed to compare with"


def test_runs_on_other_data_are_no_members_of_a_series(results: Path):
    """Rehearsed on one copy, then run on another, into the same folder."""
    for stamp, data_hash in (("20260101T120000Z", "a"), ("20260102T120000Z", "b")):
        for model in (C1, C2):
            path = fake_runs.write_run(results, model=model, stamp=stamp)
            write_json(path / "audit.json", {**read_json(path / "audit.json"), "sha256": data_hash})
    for series in series_of(data.scan([results])):
        assert series.configurations == ["C1", "C2"]
        assert len({run.data_hash for run in series.runs.values()}) == 1


def test_a_configuration_that_has_no_compact_layout_is_in_the_series(results: Path):
    fake_runs.write_run(results, model=C1)
    path = fake_runs.write_run(results, model="resemotenet_c6")
    config = read_json(path / "config.json")
    config["network"]["compact"] = False
    write_json(path / "config.json", config)
    (series,) = series_of(data.scan([results]))
    assert series.configurations == ["C1", "C6"]


def test_seeds_are_compared_with_their_own_c1_and_shown_as_mean_and_deviation(results: Path):
    for seed in (0, 1):
        for model, skill in ((C1, 1.4), (C2, 0.9)):
            fake_runs.write_run(results, model=model, skill=skill, seed=seed)
    page = opened("ablation", results, seed="1")
    (series,) = series_of(data.scan([results]))
    found = against_c1(series, 1, "fer2013", "test")
    assert [found[name].run.seed for name in ("C1", "C2")] == [1, 1]
    table = {row["Configuration"]: row for row in rows(page)}
    pair = found["C2"].pair
    assert pair is not None
    assert table["C2"]["Points"] == pytest.approx(100 * pair.difference)
    assert table["C2"]["Over seeds"].endswith("(2)")
    assert table["C3"]["Over seeds"] == ""
    means = {
        name: np.mean([score.accuracy for score in over_seeds(series, name, "fer2013", "test")])
        for name in ("C1", "C2")
    }
    assert table["C2"]["Points, means"] == pytest.approx(100 * (means["C2"] - means["C1"]))
    said = words(page)
    assert "not of the two designs" in said
    assert "C1 alone has" in said
    assert "orders can be compared" not in said


def test_with_one_seed_of_c1_there_is_no_difference_of_means(results: Path):
    for model in (C1, C2):
        fake_runs.write_run(results, model=model)
    page = opened("ablation", results)
    assert "Points, means" not in rows(page)[0]
    assert "C1 alone has" not in words(page)


def test_the_layout_of_a_network_stands_beside_its_cost(results: Path):
    fake_runs.write_run(results, model=C1)
    path = fake_runs.write_run(results, model="resemotenet_c6")
    config = read_json(path / "config.json")
    write_json(path / "config.json", config | {"network": config["network"] | {"compact": False}})
    page = opened("ablation", results)
    table = {row["Configuration"]: row for row in rows(page)}
    assert (table["C1"]["Layout"], table["C6"]["Layout"], table["C2"]["Layout"]) == ("compact", "published", "")
    assert "In the published layout C1 has 5.02 M parameters and 15.2 M multiply-adds." in words(page)


def test_what_is_missing_can_be_run_with_the_same_command(results: Path):
    path = fake_runs.write_run(results, model=C1)
    environment = read_json(path / "environment.json")
    start = ["python", "-m", "training", "train", "strong", "--data", "a.csv", "--network.width=0.25"]
    environment["command"] = [*start, "--network.name", C1, "--results", "elsewhere"]
    write_json(path / "environment.json", environment)
    code = opened("ablation", results).code[-1].value
    assert code.startswith("for name in resemotenet_c2 resemotenet_c3")
    assert "train strong --network.width=0.25 --data PATH --network.name $name" in code


def test_a_damaged_prediction_leaves_one_row_empty(results: Path):
    fake_runs.write_run(results, model=C1)
    path = fake_runs.write_run(results, model=C2)
    (path / "predictions" / "fer2013-test.npz").write_bytes(b"PK no archive")
    table = {row["Configuration"]: row for row in rows(opened("ablation", results, scored="fer2013-test"))}
    assert table["C1"]["n"] == 200
    assert table["C2"]["n"] != table["C2"]["n"]


def test_other_faces_are_not_compared(results: Path):
    fake_runs.write_run(results, model=C1)
    path = fake_runs.write_run(results, model=C2) / "predictions" / "fer2013-test.npz"
    said = Predictions.load(path)
    Predictions(said.probabilities, (said.targets + 1) % 7, said.ids).save(path)
    table = {row["Configuration"]: row for row in rows(opened("ablation", results))}
    assert "disagree on what is right" in table["C2"]["Paired 95%"]
    assert table["C2"]["Points"] is None or table["C2"]["Points"] != table["C2"]["Points"]


def test_every_commit_and_device_of_a_series_is_listed(results: Path):
    for model, commit in ((C1, "a" * 40), (C2, "b" * 40)):
        path = fake_runs.write_run(results, model=model)
        write_json(path / "environment.json", read_json(path / "environment.json") | {"commit": commit})
    page = opened("ablation", results)
    assert "commit aaaaaaaa, bbbbbbbb. Protocol: validation-chosen; test scored once." in words(page)
    table = {row["Configuration"]: row for row in rows(page)}
    assert (table["C1"]["Commit"], table["C2"]["Commit"]) == ("aaaaaaaa", "bbbbbbbb")


def test_test_that_was_not_scored_is_not_said_to_be(results: Path):
    fake_runs.write_run(results, model=C1, test=False)
    said = words(opened("ablation", results))
    assert "validation-chosen; test not scored" in said
    assert "test scored once" not in said


def test_runs_of_an_older_wording_of_the_protocol_are_in_the_series(results: Path):
    fake_runs.write_run(results, model=C1)
    path = fake_runs.write_run(results, model=C2)
    write_json(path / "result.json", read_json(path / "result.json") | {"protocol": "validation-chosen"})
    (series,) = series_of(data.scan([results]))
    assert series.configurations == ["C1", "C2"]


def test_the_address_names_series_labels_and_seed_though_there_is_one_of_each(results: Path):
    fake_runs.write_run(results, model=C1, seed=3)
    page = opened("ablation", results)
    (series,) = series_of(data.scan([results]))
    assert page.query_params == {"series": series.key, "scored": "fer2013-test", "seed": "3"}
    # A later seed and a larger series would be the defaults now; the link holds.
    fake_runs.write_run(results, model=C1, seed=0)
    for model in (C1, C2):
        fake_runs.write_run(results, model=model, width=0.5, stamp="20260102T120000Z")
    assert opened("ablation", results).query_params["series"] != series.key
    again_shown = opened("ablation", results, **page.query_params)
    assert again_shown.query_params == page.query_params
    assert "seed 3," in words(again_shown)


def test_a_link_to_a_series_that_is_gone_says_so(results: Path):
    fake_runs.write_run(results, model=C1)
    page = opened("ablation", results, series="00000000")
    assert "series of runs that is not here" in words(page)
    assert rows(page)[0]["n"] == 200
