"""How far a run is that still trains, from what its trainer wrote last."""

import json
from pathlib import Path

import pytest

from dashboard import data
from dashboard.analysis.live import going
from resemotenet.runs.schema import Step
from tests.dashboard.fake_runs import write_running
from training.recorder import Recorder


def running(results: Path, **arguments: int) -> tuple[Path, data.Run]:
    path = write_running(results, **arguments)
    (run,) = data.scan([results])
    return path, run


def test_before_the_first_epoch_nothing_is_known_but_the_plan(results: Path):
    _, run = running(results, epochs=0, planned=10)
    state = going(run)
    assert (state.epoch, state.share, state.text) == (1, 0.0, "epoch 1 of 10")


def test_whole_epochs_tell_the_time_left_and_how_it_does(results: Path):
    _, run = running(results, epochs=4, planned=10)  # of a minute each
    state = going(run)
    last = run.epochs[-1].validation["fer2013"]
    assert state.share == pytest.approx(0.4)
    assert state.seconds_left == pytest.approx(6 * 60)
    assert (state.accuracy, state.loss) == (last.accuracy, last.nll)
    assert state.text == f"epoch 5 of 10; about 6 min left; validation {100 * last.accuracy:.1f}%, loss {last.nll:.2f}"


def test_what_the_trainer_notes_tells_the_progress_within_an_epoch(results: Path):
    path, run = running(results, epochs=4, planned=10)
    Recorder(path).step(4, 45, 90)
    state = going(run)
    assert state.within == 0.5
    assert state.share == pytest.approx(0.45)
    assert state.seconds_left == pytest.approx(5.5 * 60)
    assert "epoch 5 of 10, 50% of it" in state.text


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({"epoch": 3, "batch": 45, "batches": 90}),  # of the epoch before
        json.dumps({"epoch": 4, "batch": 91, "batches": 90}),
        json.dumps({"epoch": 4, "batch": 1, "batches": 0}),
    ],
)
def test_a_note_that_is_damaged_or_old_says_nothing(results: Path, text: str):
    path, run = running(results, epochs=4, planned=10)
    (path / "step.json").write_text(text)
    assert going(run).within is None


def test_the_trainer_notes_it_every_few_seconds_only_and_takes_it_away(results: Path):
    path, _ = running(results, epochs=1)
    recorder = Recorder(path)
    for batch in range(1, 50):
        recorder.step(1, batch, 50)
    assert json.loads((path / "step.json").read_text()) == Step(epoch=1, batch=1, batches=50).to_dict()
    recorder.no_step()
    assert not (path / "step.json").exists()
