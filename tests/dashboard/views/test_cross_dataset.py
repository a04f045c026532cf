"""Train on one kind of label, test on another: cells are joined by face, never guessed."""

from pathlib import Path

import numpy as np
import pytest

from dashboard import data
from dashboard.analysis.crossing import crossings
from resemotenet.runs.results import Predictions, read_json, write_json
from tests.dashboard import comparing, fake_runs
from tests.dashboard.comparing import again, opened, rows, words
from tests.dashboard.pages import html


@pytest.mark.parametrize("state", comparing.STATES)
def test_the_page_opens_whatever_the_folder_holds(results: Path, state: str):
    comparing.STATES[state](results)
    assert "Cross data set" in words(opened("cross_dataset", results))


def test_without_runs_it_says_which_two_to_train(results: Path):
    said = words(opened("cross_dataset", results))
    assert "train strong" in said
    assert "train bundled" in said


def same_faces(results: Path) -> tuple[Path, Path]:
    """A run taught FER2013's labels and scored by them alone, and one taught FER+, on the same 200 faces."""
    plain = fake_runs.write_run(results, labels="fer2013", skill=0.9)
    crowd = fake_runs.write_run(results, labels="ferplus", skill=1.5)
    for split in ("validation", "test"):
        reference = Predictions.load(crowd / "predictions" / f"fer2013-{split}.npz")
        strict = Predictions(reference.probabilities[::2], (reference.targets[::2] + 1) % 7, reference.ids[::2])
        strict.save(crowd / "predictions" / f"ferplus-strict-{split}.npz")
    return plain, crowd


def test_a_run_is_scored_by_labels_that_another_run_lends(results: Path):
    plain, crowd = same_faces(results)
    runs = {run.id: run for run in data.scan([results])}
    (found,) = [
        each for each in crossings([runs[plain.name]], list(runs.values()), "test") if each.labels == "ferplus-strict"
    ]
    said = Predictions.load(plain / "predictions" / "fer2013-test.npz")
    lent = Predictions.load(crowd / "predictions" / "ferplus-strict-test.npz")
    answer = dict(zip(said.ids.tolist(), said.probabilities.argmax(axis=1).tolist(), strict=True))
    right = [answer[name] == target for name, target in zip(lent.ids.tolist(), lent.targets.tolist(), strict=True)]
    assert found.n == 100
    assert found.accuracy == pytest.approx(np.mean(right))
    assert found.lender == runs[crowd.name]


def test_other_faces_lend_nothing(results: Path):
    plain, _ = same_faces(results)
    # The same ids, and yet another data set: its labels for the common definition differ.
    path = plain / "predictions" / "fer2013-test.npz"
    said = Predictions.load(path)
    Predictions(said.probabilities, np.roll(said.targets, 1), said.ids).save(path)
    runs = {run.id: run for run in data.scan([results])}
    assert [each.labels for each in crossings([runs[plain.name]], list(runs.values()), "test")] == ["fer2013"]


def test_who_cannot_lend_keeps_nobody_else_from_it(results: Path):
    plain, crowd = same_faces(results)
    # Scored on other faces: the same ids with other labels.
    other = fake_runs.write_run(results, labels="ferplus", seed=9)
    for labels in ("fer2013", "ferplus-strict"):
        path = other / "predictions" / f"{labels}-test.npz"
        said = Predictions.load(path)
        Predictions(said.probabilities, (said.targets + 1) % 7, said.ids).save(path)
    runs = {run.id: run for run in data.scan([results])}
    for lenders in ([crowd, other], [other, crowd]):
        table = crossings([runs[plain.name]], [runs[path.name] for path in lenders], "test")
        found = {each.labels: each.lender for each in table}
        assert found["ferplus-strict"] == runs[crowd.name]


def test_rows_and_columns_are_what_was_taught_and_what_scores_it(results: Path):
    same_faces(results)
    page = opened("cross_dataset", results)
    table = {(row["Trained on"], row["Tested on"]): row for row in rows(page)}
    assert len(table) == 6
    home = {names for names, row in table.items() if row["Same kind"] == "yes"}
    assert home == {
        ("FER2013's own labels", "FER2013's own labels"),
        ("FER+ votes", "FER+ strict"),
        ("FER+ votes", "FER+ usual"),
    }
    assert html(page).count('class="home"') == 3
    said = words(page)
    assert "72.2%" in said
    assert "taken from a run that was" in said


def test_the_two_are_compared_face_by_face(results: Path):
    same_faces(results)
    page = opened("cross_dataset", results)
    table = {(row["Trained on"], row["Tested on"]): row for row in rows(page)}
    lesson = next(row for row in rows(page, 1) if row["Tested on"] == "FER2013's own labels")
    crowd, plain = (
        table[taught, "FER2013's own labels"]["Accuracy, %"] for taught in ("FER+ votes", "FER2013's own labels")
    )
    assert lesson["Points"] == pytest.approx(crowd - plain)
    assert lesson["n"] == 200
    assert "speak of these two networks on these faces, not of the labels" in words(page)


def test_runs_that_differ_in_more_than_the_labels_are_told_apart_before_their_points(results: Path):
    same_faces(results)
    page = opened("cross_dataset", results)
    assert not page.warning
    assert "Note" not in rows(page, 1)[0]
    (plain,) = [run.path for run in data.scan([results]) if run.taught == "fer2013"]
    config = read_json(plain / "config.json")
    config["network"]["width"], config["optimization"]["epochs"] = 0.5, 15
    write_json(plain / "config.json", config)
    page = opened("cross_dataset", results)
    assert "differ in more than the labels" in page.warning[0].value
    lesson = rows(page, 1)[0]
    assert list(lesson)[1] == "Note"
    assert lesson["Note"] == "differ in width, epochs"
    assert "resemotenet x0.5, FER2013" in html(page)
    assert "resemotenet x0.25, FER+" in html(page)


def test_rows_name_their_seed_only_where_they_would_be_alike(results: Path):
    plain, crowd = same_faces(results)
    assert "seed" not in html(opened("cross_dataset", results))
    other = fake_runs.write_run(results, labels="fer2013", seed=1)
    body = html(opened("cross_dataset", results, runs=[plain.name, crowd.name, other.name]))
    assert (body.count("seed 0"), body.count("seed 1")) == (1, 1)


def test_with_one_kind_of_label_it_says_what_to_train(results: Path):
    fake_runs.write_run(results)
    assert "Train one on other labels" in words(opened("cross_dataset", results))


def test_unless_chosen_validation_decides_which_run_speaks(results: Path):
    fake_runs.write_run(results, skill=2.5, seed=1, stamp="20260101T120000Z")
    fake_runs.write_run(results, skill=0.5, seed=2, stamp="20260102T120000Z")
    (row,) = rows(opened("cross_dataset", results))
    assert "-s1-" in row["Run"]


def test_another_split_brings_the_runs_that_speak_for_it_unless_others_were_chosen(results: Path):
    tested = fake_runs.write_run(results, skill=0.5, seed=1, stamp="20260101T120000Z")
    better = fake_runs.write_run(results, skill=2.5, seed=2, stamp="20260102T120000Z", test=False)
    page = opened("cross_dataset", results)
    assert [row["Run"] for row in rows(page)] == [tested.name]
    page.segmented_control(key="split").set_value("validation")
    assert [row["Run"] for row in rows(again(page))] == [better.name]
    page.multiselect(key="runs").set_value([tested.name])
    assert [row["Run"] for row in rows(again(page))] == [tested.name]
    page.segmented_control(key="split").set_value("test")
    assert [row["Run"] for row in rows(again(page))] == [tested.name]


def test_a_link_chooses_runs_and_says_which_are_gone(results: Path):
    a, b = (fake_runs.write_run(results, seed=seed) for seed in (0, 1))
    page = opened("cross_dataset", results, runs=[b.name, a.name, "gone"], split="validation")
    assert [row["Run"] for row in rows(page)] == [b.name, a.name]
    assert {row["Split"] for row in rows(page)} == {"validation"}
    assert "“gone”" in words(page)


def test_the_published_run_is_there():
    table = {row["Tested on"]: row for row in rows(opened("cross_dataset", data.PUBLISHED))}
    assert table["FER2013's own labels"]["Same kind"] == "no"
    assert table["FER+ strict"]["n"] == 2720
