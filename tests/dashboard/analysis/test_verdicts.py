"""A claim is held against runs of the paper's size alone."""

from pathlib import Path

import numpy as np
import pytest

from dashboard import data
from dashboard.analysis import verdicts
from dashboard.analysis.groups import Group, grouped
from resemotenet.runs.claims import CLAIMS
from resemotenet.runs.results import Predictions, read_json, write_json
from tests.dashboard import fake_runs
from tests.dashboard.comparing import opened, rows

(OURS,) = [claim for claim in CLAIMS if (claim.method, claim.dataset) == ("ResEmoteNet", "fer2013")]
# As the paper has it, apart from what a case says.
PAPER: dict[str, dict[str, object]] = {"network": {"width": 1.0, "size": 64}, "optimization": {"epochs": 80}}


def rerun(results: Path, **changed: object) -> Group:
    path = fake_runs.write_run(results)
    config = read_json(path / "config.json")
    config["recipe"] = changed.pop("recipe", "paper")
    for part, values in PAPER.items():
        config[part] |= values
    for name, value in changed.items():
        part, _, setting = name.partition("__")
        config[part][setting] = value
    write_json(path / "config.json", config)
    (group,) = [group for group in grouped(data.scan([results])) if group.split == "test"]
    return group


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"network__width": 0.5}, "0.5 of 1 wide"),
        ({"network__size": 48}, "48 of 64 px"),
        ({"optimization__epochs": 79}, "79 of 80 epochs"),
        ({"dataset__limit": 1000}, "only part of the data"),
        ({"dataset__labels": "ferplus"}, "taught FER+ votes"),
        ({"network__width": None}, "unknown of 1 wide"),
        ({"recipe": "strong"}, "not the paper's recipe"),
    ],
)
def test_a_run_below_the_papers_is_no_rerun(results: Path, changed: dict[str, object], why: str):
    group = rerun(results, **changed)
    assert why in verdicts.compared(OURS, group)
    (ours, *_) = verdicts.verdicts([group])
    assert ours.measured == ""
    assert ours.text.startswith("not yet re-run here")


@pytest.mark.parametrize(
    ("right", "verdict"), [(100, "does not hold"), (150, "holds within the interval"), (190, "exceeded")]
)
def test_a_rerun_is_held_against_the_claim(results: Path, right: int, verdict: str):
    path = rerun(results).run.path / "predictions" / "fer2013-test.npz"
    targets = Predictions.load(path).targets
    answers = np.where(np.arange(200) < right, targets, (targets + 1) % 7)
    Predictions(np.eye(7, dtype=np.float32)[answers], targets, Predictions.load(path).ids).save(path)
    (group,) = [group for group in grouped(data.scan([results])) if group.split == "test"]
    (ours, *_) = verdicts.verdicts([group])
    assert ours.claim == OURS
    assert f"{right / 2:.1f}% (" in ours.measured
    assert ours.text.startswith(verdict)
    (row,) = rows(opened("overview", results))
    assert row["Claim"].startswith(verdict)
    assert row["Gap"] == pytest.approx(right / 2 - 79.79)


def test_a_claim_that_names_no_labels_cannot_be_tested(results: Path):
    found = {
        each.claim.dataset: each.text
        for each in verdicts.verdicts([rerun(results)])
        if each.claim.method == OURS.method
    }
    assert found["ferplus"].startswith("cannot be tested")
    assert found["raf-db"] == verdicts.NOT_YET
    assert verdicts.claim_for("resemotenet", "ferplus") is None
    assert verdicts.claim_for("resemotenet_c2", "fer2013") is None
