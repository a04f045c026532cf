"""Training that goes on from the weights of another model."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from resemotenet import load_model
from resemotenet.checkpoints.checkpoint import save_model
from resemotenet.errors import TrainingError
from resemotenet.runs.results import ResultsFolder, read_json
from resemotenet.runs.schema import Result, RunConfig, read
from tests.training.conftest import PowerCut, assert_same_run, stop_after_one_epoch
from training.loading import load_data
from training.loop import resume, train
from training.recorder import Recorder
from training.release import release


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
    assert model.info.license["text"].endswith(
        "The licence of the weights that training started or learned from holds too."
    )


def test_going_on_after_a_stop_needs_it_no_more(
    config: RunConfig, finished: ResultsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    start = Path(shutil.copytree(finished.model, tmp_path / "start"))
    optimization = replace(config.optimization, epochs=2)
    config = replace(config, network=replace(config.network, start=start), optimization=optimization)
    whole = train(replace(config, results=tmp_path / "whole"))

    path = stop_after_one_epoch(config, monkeypatch)
    shutil.rmtree(start)
    assert_same_run(folder := resume(config, path), whole)
    assert [each["run"] for each in load_model(folder.model).info.training["chain"]] == [finished.path.name]


def test_the_runs_before_go_with_the_weights(config: RunConfig, finished: ResultsFolder, tmp_path: Path):
    """With their epochs and looks at test, also where a release went between them."""
    optimization = replace(config.optimization, epochs=1)

    def go_on(start: Path) -> ResultsFolder:
        return train(replace(config, network=replace(config.network, start=start), optimization=optimization))

    second = go_on(finished.path)
    release(second, tmp_path / "out", load_data(config))
    third = go_on(tmp_path / "out")
    first = load_model(finished.model).info.training
    chain = load_model(third.model).info.training["chain"]
    assert chain == read_json(third.audit)["earlier"]["chain"]
    touched = read(Result, finished.result).touched
    assert chain == [
        {"run": finished.path.name, "epochs": 4, "chosen_epoch": first["chosen_epoch"], "test_touched": touched},
        {"run": second.path.name, "epochs": 1, "chosen_epoch": 0, "test_touched": 1},
    ]


def test_beginning_again_from_another_start_is_refused(
    config: RunConfig, finished: ResultsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Stopped in its first epoch, a run starts from its start again; what it noted of that must stay true."""
    start = Path(shutil.copytree(finished.model, tmp_path / "start"))
    config = replace(config, network=replace(config.network, start=start))

    def power_cut(self: Recorder, line: dict[str, Any]) -> None:
        raise PowerCut

    monkeypatch.setattr(Recorder, "epoch", power_cut)
    with pytest.raises(PowerCut):
        train(config)
    monkeypatch.undo()
    given = load_model(start)
    next(given.module.parameters()).data += 1
    shutil.rmtree(start)
    save_model(start, given.module, given.info)
    (path,) = config.results.iterdir()
    with pytest.raises(TrainingError, match="did not begin with what is now the start"):
        resume(config, path)


def test_what_is_different_about_another_network_is_told(config: RunConfig, finished: ResultsFolder):
    network = replace(config.network, start=finished.path, width=0.25, channels=3)
    with pytest.raises(TrainingError, match=r"its input .*channels=1.*channels=3.*; its width 0\.125, here 0\.25"):
        train(replace(config, network=network))
    assert not config.results.exists()


def test_one_start_only(config: RunConfig):
    with pytest.raises(TrainingError, match="from a backbone or from a model"):
        replace(config, network=replace(config.network, start=Path("a"), backbone=Path("b.pth")))


class TestMixingTheStartIn:
    @pytest.fixture
    def tuned(self, config: RunConfig, finished: ResultsFolder) -> ResultsFolder:
        optimization = replace(config.optimization, epochs=1)
        return train(replace(config, network=replace(config.network, start=finished.path), optimization=optimization))

    def test_the_weights_lie_on_the_line_and_say_so(
        self, config: RunConfig, finished: ResultsFolder, tuned: ResultsFolder, tmp_path: Path
    ):
        start, end = (load_model(folder.model).module.state_dict() for folder in (finished, tuned))
        release(tuned, tmp_path / "out", load_data(config), half=False, start_share=0.25)
        model = load_model(tmp_path / "out")
        for name, value in model.module.state_dict().items():
            if value.is_floating_point():
                torch.testing.assert_close(value, 0.25 * start[name] + 0.75 * end[name], msg=name)
        told = model.info.training["mixed"]
        digest = load_model(finished.model).sha256()
        assert told == {"start_share": 0.25, "start_sha256": digest, "test_seen": False}

        assert read_json(tuned.result)["released"]["mixed"] == told

        with pytest.raises(TrainingError, match="is in these weights already"):
            release(tuned, tmp_path / "out", load_data(config), start_share=0.25)
        release(tuned, tmp_path / "out", load_data(config), half=False)  # chosen anew, the weights stay
        assert load_model(tmp_path / "out").info.training["mixed"] == told

    def test_what_was_decided_when_test_had_been_scored_says_so(
        self, config: RunConfig, tuned: ResultsFolder, tmp_path: Path
    ):
        release(tuned, tmp_path / "out", load_data(config))
        release(tuned, tmp_path / "out", load_data(config), start_share=0.25)
        assert load_model(tmp_path / "out").info.training["mixed"]["test_seen"] is True

    def test_without_a_start_or_with_an_odd_share(
        self, config: RunConfig, finished: ResultsFolder, tuned: ResultsFolder, tmp_path: Path
    ):
        with pytest.raises(TrainingError, match="started from random weights"):
            release(finished, tmp_path / "out", load_data(config), start_share=0.5)
        with pytest.raises(TrainingError, match=r"start_share is 1\.5"):
            release(tuned, tmp_path / "out", load_data(config), start_share=1.5)
        assert not (tmp_path / "out").exists()

    def test_a_start_that_is_no_longer_what_it_was(
        self, config: RunConfig, finished: ResultsFolder, tuned: ResultsFolder, tmp_path: Path
    ):
        assert read_json(tuned.audit)["earlier"]["start"] == load_model(finished.model).sha256()
        shutil.rmtree(finished.model)
        shutil.copytree(tuned.model, finished.model)
        with pytest.raises(TrainingError, match=r"holds other weights than when .* started from it"):
            release(tuned, tmp_path / "out", load_data(config), start_share=0.5)
        assert not (tmp_path / "out").exists()
