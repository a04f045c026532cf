"""Training that goes on from the weights of another model."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from resemotenet import load_model
from resemotenet.errors import TrainingError
from resemotenet.results import ResultsFolder
from tests.training.conftest import assert_same_run
from training.config import RunConfig
from training.loop import resume, train
from training.recorder import Recorder


@pytest.mark.parametrize("inside", ["", "model"])
def test_it_goes_on_from_there(config: RunConfig, finished: ResultsFolder, inside: str):
    start = finished.path / inside
    network = replace(config.network, start=start, head_dropout=0.4)
    # A rate of nearly nothing leaves the weights where they started.
    optimization = replace(config.optimization, epochs=1, learning_rate=1e-12, ema_decay=None)
    folder = train(replace(config, network=network, optimization=optimization))
    given, model = load_model(finished.model), load_model(folder.model)
    for ours, theirs in zip(model.module.parameters(), given.module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert model.info.training["start"] == start.name
    assert model.info.license["text"].endswith("Of the weights that training started from, theirs holds too.")


def test_going_on_after_a_stop_needs_it_no_more(
    config: RunConfig, finished: ResultsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    start = Path(shutil.copytree(finished.model, tmp_path / "start"))
    optimization = replace(config.optimization, epochs=2)
    config = replace(config, network=replace(config.network, start=start), optimization=optimization)
    whole = train(replace(config, results=tmp_path / "whole"))

    def power_cut(self: Recorder, state: dict[str, Any]) -> None:
        save(self, state)
        raise InterruptedError

    save = Recorder.save_state
    monkeypatch.setattr(Recorder, "save_state", power_cut)
    with pytest.raises(InterruptedError):
        train(config)
    monkeypatch.undo()
    shutil.rmtree(start)
    (path,) = config.results.iterdir()
    assert_same_run(resume(config, path), whole)


def test_what_is_different_about_another_network_is_told(config: RunConfig, finished: ResultsFolder):
    network = replace(config.network, start=finished.path, width=0.25, channels=3)
    with pytest.raises(TrainingError, match=r"its input .*channels=1.*channels=3.*; its width 0\.125, here 0\.25"):
        train(replace(config, network=network))
    assert not config.results.exists()


def test_one_start_only(config: RunConfig):
    with pytest.raises(TrainingError, match="from a backbone or from a model"):
        replace(config, network=replace(config.network, start=Path("a"), backbone=Path("b.pth")))
