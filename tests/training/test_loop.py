"""Runs on the CPU, a few seconds each: what they leave behind, and that stopping one anywhere changes nothing."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from resemotenet import create_model, load_model
from resemotenet.errors import CompactLayoutError, DatasetNotFoundError, DeviceError, TrainingError
from resemotenet.results import Predictions, ResultsFolder, read_json
from training.config import Network, RunConfig
from training.cost import count_macs
from training.description import describe
from training.evaluation import predict
from training.loading import load_data
from training.loop import _begin, _keep, _LossWatch, resume, train
from training.recorder import Recorder


def accuracies(folder: ResultsFolder) -> list[float]:
    return [line["validation"]["ferplus-strict"]["accuracy"] for line in folder.read_epochs()]


def weights(folder: ResultsFolder) -> dict[str, torch.Tensor]:
    """Everything that training changes, as it stood after the last epoch."""
    state = Recorder(folder.path).load_state()
    assert state is not None
    momentum = {f"momentum.{i}": each["momentum_buffer"] for i, each in state["optimizer"]["state"].items()}
    return {**{f"model.{k}": v for k, v in state["model"].items()},
            **{f"average.{k}": v for k, v in state["average"].items()}, **momentum}  # fmt: skip


def assert_same_run(one: ResultsFolder, other: ResultsFolder) -> None:
    """Bit for bit, but for names and times."""
    first, second = weights(one), weights(other)
    assert list(first) == list(second)
    different = [name for name, value in first.items() if not torch.equal(value, second[name])]
    assert different == []
    lines = [[{**line, "seconds": 0} for line in folder.read_epochs()] for folder in (one, other)]
    assert lines[0] == lines[1]
    for name in ("model/model.safetensors", "predictions/ferplus-strict-validation.npz"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes()
    results = [read_json(folder.result) for folder in (one, other)]
    for name in ("chosen", "splits", "also"):
        assert results[0][name] == results[1][name]


class TestAFinishedRun:
    def test_files(self, finished: ResultsFolder):
        written = sorted(
            path.relative_to(finished.path).as_posix() for path in finished.path.rglob("*") if path.is_file()
        )
        assert written == [
            "audit.json",
            "config.json",
            "environment.json",
            "epochs.jsonl",
            "model/config.json",
            "model/model.safetensors",
            "predictions/fer2013-validation.npz",
            "predictions/ferplus-strict-validation.npz",
            "predictions/ferplus-usual-validation.npz",
            "result.json",
            "resume/state.pt",
        ]

    def test_it_learned_something(self, finished: ResultsFolder):
        # A guess is right on one face of seven, the most frequent answer on 5 of 34.
        assert max(accuracies(finished)) > 0.3
        losses = [line["loss"] for line in finished.read_epochs()]
        assert losses[-1] < losses[0]

    def test_test_was_not_touched(self, finished: ResultsFolder):
        text = json.dumps({key: value for key, value in read_json(finished.result).items() if key != "protocol"})
        assert '"test"' not in text
        assert list(read_json(finished.result)["splits"]) == ["validation"]
        assert all(list(line["validation"]) == ["ferplus-strict", "ferplus-usual", "fer2013"] and "test" not in line
                   for line in finished.read_epochs())  # fmt: skip

    def test_the_chosen_epoch_is_the_first_of_the_best(self, finished: ResultsFolder):
        chosen = read_json(finished.result)["chosen"]
        values = accuracies(finished)
        assert chosen == {
            "epoch": values.index(max(values)),
            "by": "validation accuracy, ferplus-strict",
            "value": max(values),
        }

    def test_the_model_is_that_of_the_chosen_epoch(self, finished: ResultsFolder, config: RunConfig):
        result = read_json(finished.result)
        model = load_model(finished.model)
        again = predict(model, load_data(config).scored["validation"]["ferplus-strict"])
        assert (again.probabilities.argmax(axis=1) == again.targets).mean() == result["chosen"]["value"]
        assert result["splits"]["validation"]["accuracy"] == result["chosen"]["value"]
        line = finished.read_epochs()[result["chosen"]["epoch"]]["validation"]["ferplus-strict"]
        assert result["splits"]["validation"]["nll"] == pytest.approx(line["nll"])
        assert model.info.training["run"] == finished.path.name
        assert model.info.training["chosen_epoch"] == result["chosen"]["epoch"]

    def test_figures_are_those_of_the_predictions(self, finished: ResultsFolder):
        entry = read_json(finished.result)["splits"]["validation"]
        written = Predictions.load(finished.predictions("ferplus-strict", "validation"))
        hits = written.probabilities.argmax(axis=1) == written.targets
        assert (entry["n"], entry["accuracy"]) == (34, hits.mean())
        assert entry["without_leaks"] == {"n": 33, "accuracy": hits[written.ids != "00084"].mean()}

    def test_cost(self, finished: ResultsFolder):
        cost = read_json(finished.result)["cost"]
        module = create_model("resemotenet", width=0.125, in_channels=1, compact=True)
        assert cost["parameters"] == sum(parameter.numel() for parameter in module.parameters())
        assert cost["macs"] == count_macs(module, (1, 1, 48, 48))
        assert cost["epochs"] == 4
        assert cost["seconds"] == pytest.approx(sum(line["seconds"] for line in finished.read_epochs()), abs=0.1)
        assert cost["device"].startswith("cpu")
        assert cost["processes"] == 1
        assert cost["peak_memory_bytes"] > 2**20

    def test_what_was_audited(self, finished: ResultsFolder):
        audited = read_json(finished.audit)
        assert audited["images"] == {"train": 84, "validation": 35, "test": 35}
        assert audited["leaks"]["train images with a copy elsewhere"] == 3

    def test_epochs_are_counted_from_zero_with_the_last_rate_of_each(self, finished: ResultsFolder):
        lines = finished.read_epochs()
        assert [line["epoch"] for line in lines] == [0, 1, 2, 3]
        assert lines[0]["learning_rate"] == pytest.approx(0.1 * 9 / 10)  # nine steps of warm-up
        rates = [line["learning_rate"] for line in lines]
        assert rates[1:] == sorted(rates[1:], reverse=True)

    def test_the_same_config_gives_the_same_run(self, finished: ResultsFolder, config: RunConfig):
        torch.manual_seed(12345)  # what was drawn before must not matter
        assert_same_run(train(config), finished)

    def test_another_seed_gives_another_run(self, finished: ResultsFolder, config: RunConfig):
        other = train(replace(config, seed=1, optimization=replace(config.optimization, epochs=1)))
        assert other.read_epochs()[0]["loss"] != finished.read_epochs()[0]["loss"]
        assert "-s1-" in other.path.name


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
            "before the first epoch was kept": ("epoch", self.before(line, lambda given: given["epoch"] == 0)),
            "between the model and the line": ("epoch", self.before(line, lambda given: given["epoch"] == 1)),
            "between the line and the state": ("save_state", self.before(state, lambda given: given["epoch"] == 2)),
        }[moment]
        monkeypatch.setattr(Recorder, name, method)
        with pytest.raises(Stop):
            train(config)
        monkeypatch.undo()
        (path,) = config.results.iterdir()
        stopped = ResultsFolder(path)
        assert not stopped.is_finished
        assert len(stopped.read_epochs()) == left
        torch.manual_seed(99)
        resume(config, path)
        assert_same_run(stopped, finished)


class TestKeep:
    def test_the_best_so_far_stays_and_the_earlier_of_two_equals(self, config: RunConfig):
        accelerator = Accelerator(cpu=True)
        info = describe(config)
        recorder = Recorder.start(config, "cpu", {})
        progress = _begin(config, info, accelerator)
        kept = []
        for epoch, accuracy in enumerate([0.3, 0.5, 0.4, 0.5, 0.6, 0.1]):
            with torch.no_grad():
                progress.judged.get_parameter("fc4.bias").fill_(epoch)
            progress.epoch = epoch + 1
            _keep(recorder, progress, info, "ferplus-strict", {"ferplus-strict": {"accuracy": accuracy}})
            assert progress.chosen is not None
            model = load_model(recorder.folder.model)
            kept.append(int(model.module.get_parameter("fc4.bias")[0]))
            assert progress.chosen["epoch"] == model.info.training["chosen_epoch"] == kept[-1]
        assert kept == [0, 1, 1, 1, 4, 4]

    def test_the_moving_average_is_what_is_kept(self, config: RunConfig):
        info = describe(config)
        recorder = Recorder.start(config, "cpu", {})
        progress = _begin(config, info, Accelerator(cpu=True))
        assert progress.average is not None
        with torch.no_grad():
            progress.average.module.get_parameter("fc4.bias").fill_(7)
        _keep(recorder, progress, info, "fer2013", {"fer2013": {"accuracy": 0.5}})
        assert (load_model(recorder.folder.model).module.get_parameter("fc4.bias") == 7).all()


class TestLoss:
    def test_one_that_is_not_finite_stops_the_run_and_names_its_faces(self):
        watch = _LossWatch(epoch=3)
        watch.add(torch.tensor(0.5), torch.tensor([1, 2]))
        watch.add(torch.tensor(float("nan")), torch.tensor([30, 40]))
        watch.add(torch.tensor(0.5), torch.tensor([5, 6]))
        with pytest.raises(TrainingError, match=r"the loss became nan in epoch 3, on the training rows \[30, 40\]"):
            watch.mean()

    def test_it_is_looked_at_during_the_epoch(self):
        watch = _LossWatch(epoch=0)

        def add_many() -> None:
            for _ in range(100):
                watch.add(torch.tensor(float("inf")), torch.tensor([0]))

        with pytest.raises(TrainingError, match="the loss became inf"):
            add_many()

    def test_mean(self):
        watch = _LossWatch(epoch=0)
        losses = np.random.default_rng(0).random(47)
        for loss in losses:
            watch.add(torch.tensor(loss), torch.tensor([0]))
        assert watch.mean() == pytest.approx(losses.mean())

    def test_an_absurd_learning_rate(self, config: RunConfig):
        absurd = replace(config, optimization=replace(config.optimization, learning_rate=1e30, clip_norm=None))
        with pytest.raises(TrainingError) as caught:
            train(absurd)
        found = re.search(
            r"the loss became (?:nan|inf) in epoch 0, on the training rows \[(.*)\]; .* lower the", str(caught.value)
        )
        assert found is not None
        rows = [int(row) for row in found[1].split(", ")]
        assert len(set(rows)) == 8
        assert set(rows) <= set(range(len(load_data(absurd).train)))
        (path,) = config.results.iterdir()
        assert not ResultsFolder(path).is_finished
        assert ResultsFolder(path).read_epochs() == []
        assert not ResultsFolder(path).model.exists()


class TestBeforeTheStart:
    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"network": Network(size=96)}, CompactLayoutError),
            ({"data": Path("gone.csv")}, DatasetNotFoundError),
            ({"precision": "fp16"}, DeviceError),  # not on a CPU
        ],
    )
    def test_what_cannot_be_trained_leaves_no_folder(self, config: RunConfig, change: Any, error: type[Exception]):
        with pytest.raises(error):
            train(replace(config, **change))
        assert not config.results.exists()


class TestVariants:
    def test_without_moving_average_and_clipping(self, config: RunConfig):
        optimization = replace(config.optimization, epochs=1, ema_decay=None, clip_norm=None)
        folder = train(replace(config, optimization=optimization))
        state = Recorder(folder.path).load_state()
        assert state is not None
        assert "average" not in state
        kept = load_model(folder.model).module.state_dict()
        assert all(torch.equal(kept[name], value) for name, value in state["model"].items())

    def test_larger_input_than_the_faces(self, config: RunConfig):
        network = Network(width=0.0625, size=64, channels=3)
        folder = train(replace(config, network=network, optimization=replace(config.optimization, epochs=1)))
        assert load_model(folder.model).preprocess.size == 64
        assert read_json(folder.result)["splits"]["validation"]["n"] == 34

    def test_bfloat16(self, config: RunConfig):
        folder = train(replace(config, precision="bf16", optimization=replace(config.optimization, epochs=1)))
        assert folder.is_finished
        assert np.isfinite(folder.read_epochs()[0]["loss"])
