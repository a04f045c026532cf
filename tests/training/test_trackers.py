"""Trackers are other people's packages: what is sent is looked at where one is installed."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from resemotenet.errors import TrainingError
from resemotenet.runs.results import ResultsFolder
from resemotenet.runs.schema import RunConfig
from tests.training.conftest import epochs_of
from training.loop import resume, train
from training.trackers import check_tracker

TRACKERS = ("tensorboard", "trackio", "wandb")


@pytest.mark.parametrize("name", TRACKERS)
def test_a_package_that_is_not_there_is_named_before_the_run(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setitem(sys.modules, name, None)  # every import of it fails
    with pytest.raises(TrainingError, match=rf"track '{name}' needs the package {name}, .* pip install {name}"):
        train(replace(config, track=name))  # type: ignore[arg-type]
    assert not config.results.exists()


class SignedOut(ModuleType):
    """What wandb does where nobody is signed in and nobody can be asked."""

    def login(self) -> None:
        raise RuntimeError("No API key configured. Use `wandb login` to log in.")


def test_who_is_not_signed_in_is_told_before_the_run(config: RunConfig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "wandb", SignedOut("wandb"))
    with pytest.raises(
        TrainingError, match=r"track 'wandb' needs you to be signed in \(No API key .* WANDB_MODE=offline"
    ):
        train(replace(config, track="wandb"))
    assert not config.results.exists()


def test_a_tracker_that_does_not_start_leaves_a_run_to_go_on_with(config: RunConfig, monkeypatch: pytest.MonkeyPatch):
    class Unreachable(ModuleType):
        def login(self) -> bool:
            return True

        def init(self, **_: object) -> None:
            raise ConnectionError("no route to host")

    config = replace(config, optimization=replace(config.optimization, epochs=1))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "wandb", Unreachable("wandb"))
        patch.setattr("accelerate.accelerator.filter_trackers", lambda *_: ["wandb"])
        with pytest.raises(
            TrainingError, match=r"the tracker wandb does not start: .*; mend that, and 'python -m training"
        ):
            train(replace(config, track="wandb"))
    (path,) = config.results.iterdir()
    assert resume(config, path).is_finished


def test_off_needs_nothing(monkeypatch: pytest.MonkeyPatch):
    for name in TRACKERS:
        monkeypatch.setitem(sys.modules, name, None)
    check_tracker("none")


def test_tensorboard_gets_every_epoch(config: RunConfig):
    events_of = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator").EventAccumulator
    folder = train(replace(config, track="tensorboard", optimization=replace(config.optimization, epochs=2)))
    events = events_of(str(folder.path / "tensorboard"))
    events.Reload()
    for name, value in (("loss", "loss"), ("validation/ferplus-strict/accuracy", "accuracy")):
        found = [event.value for event in events.Scalars(name)]
        lines = epochs_of(folder)
        expected = [line["loss"] if value == "loss" else line["validation"]["ferplus-strict"][value] for line in lines]
        assert found == pytest.approx(expected, rel=1e-6)
    assert [event.step for event in events.Scalars("loss")] == [0, 1]


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_the_others_take_what_is_sent(config: RunConfig, tmp_path: Path, name: str):
    """In a process of its own, offline, with its files in a folder of the test."""
    pytest.importorskip(name)
    done = subprocess.run(
        [sys.executable, "-m", "training", "train", "bundled", "--data", str(config.data), "--track", name,
         "--results", str(config.results), "--network.width", "0.0625", "--optimization.batch-size", "16",
         "--optimization.epochs", "1", "--device", "cpu"],
        env={**os.environ, "WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "HF_HOME": str(tmp_path),
             "TRACKIO_DIR": str(tmp_path / "trackio")},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = config.results.iterdir()
    assert ResultsFolder(path).is_finished
