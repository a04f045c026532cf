"""Stopping a run anywhere and going on with it changes nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from resemotenet.runs.results import ResultsFolder, read_json
from resemotenet.runs.schema import RunConfig
from tests.training.conftest import accuracies, assert_same_run, epochs_of
from training.loop import resume, train
from training.recorder import Recorder


class Stop(Exception):
    """Stands for the power cut."""


class TestStopping:
    @staticmethod
    def before(method: Callable[..., None], when: Callable[[Any], bool]) -> Callable[..., None]:
        def stopping(self: Recorder, given: dict[str, Any]) -> None:
            if when(given):
                raise Stop
            method(self, given)

        return stopping

    @staticmethod
    def after(method: Callable[..., None], when: Callable[[Any], bool]) -> Callable[..., None]:
        def stopping(self: Recorder, given: dict[str, Any]) -> None:
            method(self, given)
            if when(given):
                raise Stop

        return stopping

    @pytest.mark.parametrize(
        ("moment", "left"),
        [
            ("after the first epoch", 1),
            ("after the last epoch", 4),
            ("before the first epoch was kept", 0),
            ("between the model and the line", 1),
            ("between the line and the state", 2),
        ],
    )
    def test_going_on_gives_the_run_that_was_never_stopped(
        self, finished: ResultsFolder, config: RunConfig, monkeypatch: pytest.MonkeyPatch, moment: str, left: int
    ):
        line, state = Recorder.epoch, Recorder.save_state
        name, method = {
            "after the first epoch": ("save_state", self.after(state, lambda given: given["epoch"] == 1)),
            "after the last epoch": ("save_state", self.after(state, lambda given: given["epoch"] == 4)),
            "before the first epoch was kept": ("epoch", self.before(line, lambda given: given.epoch == 0)),
            "between the model and the line": ("epoch", self.before(line, lambda given: given.epoch == 1)),
            "between the line and the state": ("save_state", self.before(state, lambda given: given["epoch"] == 2)),
        }[moment]
        monkeypatch.setattr(Recorder, name, method)
        with pytest.raises(Stop):
            train(config)
        monkeypatch.undo()
        (path,) = config.results.iterdir()
        stopped = ResultsFolder(path)
        assert not stopped.is_finished
        assert len(epochs_of(stopped)) == left
        torch.manual_seed(99)
        resume(config, path)
        assert_same_run(stopped, finished)


class TestStoppingWithAMemory:
    """What looks at the epochs so far must see the same ones after a stop."""

    @staticmethod
    def stopped_after(config: RunConfig, epoch: int, monkeypatch: pytest.MonkeyPatch) -> Path:
        method = TestStopping.after(Recorder.save_state, lambda given: given["epoch"] == epoch)
        monkeypatch.setattr(Recorder, "save_state", method)
        with pytest.raises(Stop):
            train(replace(config, results=config.results / "stopped"))
        monkeypatch.undo()
        (path,) = (config.results / "stopped").iterdir()
        return path

    @pytest.fixture
    def plateau(self, config: RunConfig) -> RunConfig:
        """AdamW, accumulation and class weights, and a rate that is cut after every epoch that is no better."""
        changes: dict[str, Any] = {
            "schedule": "plateau", "plateau_patience": 0, "learning_rate": 0.01, "warmup_epochs": 0.5, "epochs": 5,
            "optimizer": "adamw", "accumulate": 2, "class_weights": "balanced",
        }  # fmt: skip
        return replace(config, optimization=replace(config.optimization, **changes))

    def test_plateaus(self, plateau: RunConfig, monkeypatch: pytest.MonkeyPatch):
        whole = train(plateau)
        rates = [line["learning_rate"] for line in epochs_of(whole)]
        assert min(rates) < max(rates)
        path = self.stopped_after(plateau, 3, monkeypatch)
        resume(replace(plateau, results=path.parent), path)
        lines = [[(each["loss"], each["learning_rate"], each["validation"]) for each in epochs_of(folder)]
                 for folder in (whole, ResultsFolder(path))]  # fmt: skip
        assert lines[0] == lines[1]

    def test_a_state_of_the_version_before(self, plateau: RunConfig, monkeypatch: pytest.MonkeyPatch):
        path = self.stopped_after(plateau, 3, monkeypatch)
        state = Recorder(path).load_state()
        assert state is not None
        values = state.pop("values")
        assert values == accuracies(ResultsFolder(path))
        Recorder(path).save_state(state)
        resume(replace(plateau, results=path.parent), path)
        after = Recorder(path).load_state()
        assert after is not None
        assert after["values"] == accuracies(ResultsFolder(path))
        assert after["values"][:3] == values

    def test_early_stop(self, config: RunConfig, monkeypatch: pytest.MonkeyPatch):
        # A rate of nearly nothing: no epoch is better than the first.
        still = replace(config.optimization, learning_rate=1e-12, patience=2, epochs=9, ema_decay=None)
        config = replace(config, optimization=still, network=replace(config.network, conv_dropout=0, head_dropout=0))
        whole = train(config)
        assert len(epochs_of(whole)) == read_json(whole.result)["cost"]["epochs"] < 9
        values = accuracies(whole)
        assert max(values[-2:]) <= max(values[:-2])
        path = self.stopped_after(config, len(values), monkeypatch)
        resume(replace(config, results=path.parent), path)
        assert accuracies(ResultsFolder(path)) == values
