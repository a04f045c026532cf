"""The best run is the one that validation chose, and what is said of the paper is what is known."""

from pathlib import Path

import pytest

from dashboard import data
from dashboard.analysis.answers import about_photographs, about_the_paper, answers
from dashboard.analysis.groups import grouped
from dashboard.analysis.names import is_bundled
from dashboard.analysis.verdicts import verdicts
from resemotenet.runs.results import ResultsFolder, read_json, write_json
from tests.dashboard.fake_runs import draw_predictions, measure_on_photographs, write_run


def test_validation_chooses_and_test_has_no_say(results: Path):
    best = write_run(results, seed=0, skill=1.4)
    lucky = write_run(results, seed=1, skill=0.8)
    draw_predictions("fer2013", "test", skill=3).save(ResultsFolder(lucky).predictions("fer2013", "test"))
    (answer,) = answers(data.scan([results]))
    assert answer.best.run.id == best.name
    assert [score.run.id for score in answer.others] == [lucky.name]
    assert answer.others[0].accuracy > answer.best.accuracy


def test_every_label_definition_has_its_answer(results: Path):
    write_run(results, labels="fer2013", skill=1.4)
    write_run(results, labels="ferplus", skill=1.0)
    each = answers(data.scan([results]))
    assert [answer.labels for answer in each] == ["fer2013", "ferplus-strict", "ferplus-usual"]
    assert [answer.best.run.taught for answer in each] == ["fer2013", "ferplus", "ferplus"]


def test_a_rehearsal_and_a_run_without_test_are_no_answer(results: Path):
    write_run(results, seed=1, test=False)
    limited = write_run(results, seed=0)
    config = read_json(limited / "config.json")
    config["dataset"]["limit"] = 100
    write_json(limited / "config.json", config)
    assert answers(data.scan([results])) == []


@pytest.mark.parametrize("runs", [0, 1])
def test_of_the_paper_it_says_what_is_known(results: Path, runs: int):
    for _ in range(runs):
        write_run(results)
    said = about_the_paper(verdicts(grouped(data.scan([results]))))
    assert said.startswith("The paper claims **79.79%** on FER2013's own labels: not yet re-run here")
    assert ("largest run: 0.25 of 1 wide" in said) == bool(runs)
    assert "Users of its code report 58-60, 66, 65.9-71.6, 62 and 90-92%" in said


def test_photographs_are_spoken_of_where_the_bundled_run_was_measured_on_them(results: Path):
    (bundled,) = [run for run in data.scan([data.PUBLISHED]) if is_bundled(run)]
    path = write_run(results).rename(results / bundled.id)
    measure_on_photographs(path, right=75, n=100)
    (run,) = data.scan([results])
    assert run.photographs is not None
    assert about_photographs([run]) == (
        "On photographs, found by the detector, the bundled weights read **75.0% (65.7 to 82.5)** of 100 right."
    )
    assert about_photographs([]) == ""
