"""Runs on the CPU, a few seconds each: what they leave behind."""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import save_file

from resemotenet import create_model, load_model
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import (
    CheckpointFormatError,
    CheckpointNotFoundError,
    CompactLayoutError,
    DatasetNotFoundError,
    DeviceError,
    TrainingError,
)
from resemotenet.runs.results import Predictions, ResultsFolder, read_json
from resemotenet.runs.schema import Audit, Network, Optimization, RunConfig
from tests.training.conftest import accuracies, assert_same_run, epochs_of
from training.cost import count_macs
from training.description import describe
from training.evaluation import predict
from training.loading import load_data
from training.loop import _keep, train
from training.progress import Progress
from training.recorder import Recorder
from training.step import LossWatch, Objective


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
            "resume/lock",
            "resume/state.pt",
        ]

    def test_it_learned_something(self, finished: ResultsFolder):
        # A guess is right on one face of seven, the most frequent answer on 5 of 34.
        assert max(accuracies(finished)) > 0.3
        losses = [line["loss"] for line in epochs_of(finished)]
        assert losses[-1] < losses[0]

    def test_test_was_not_touched(self, finished: ResultsFolder):
        text = json.dumps({key: value for key, value in read_json(finished.result).items() if key != "protocol"})
        assert '"test"' not in text
        assert list(read_json(finished.result)["splits"]) == ["validation"]
        assert all(list(line["validation"]) == ["ferplus-strict", "ferplus-usual", "fer2013"] and "test" not in line
                   for line in epochs_of(finished))  # fmt: skip

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
        line = epochs_of(finished)[result["chosen"]["epoch"]]["validation"]["ferplus-strict"]
        assert result["splits"]["validation"]["nll"] == pytest.approx(line["nll"])
        assert model.info.training["run"] == finished.path.name
        assert model.info.training["chosen_epoch"] == result["chosen"]["epoch"]

    def test_figures_are_those_of_the_predictions(self, finished: ResultsFolder):
        entry = read_json(finished.result)["splits"]["validation"]
        written = Predictions.load(finished.predictions("ferplus-strict", "validation"))
        hits = written.probabilities.argmax(axis=1) == written.targets
        assert (entry["n"], entry["accuracy"]) == (34, hits.mean())
        assert entry["without_leaks"] == {"n": 33, "accuracy": hits[written.ids != "00084"].mean()}

    def test_every_epoch_has_its_time_and_memory(self, finished: ResultsFolder):
        lines, cost = epochs_of(finished), read_json(finished.result)["cost"]
        for line in lines:
            assert line["seconds"] > 0
            assert line["images_per_second"] >= 9 * 8 / line["seconds"] * 0.99  # seconds count validation too
            assert 2**26 < line["peak_memory_bytes"] <= cost["peak_memory_bytes"]
        seconds = [line["seconds"] for line in lines]
        assert cost["seconds_per_epoch"] == {
            "median": np.median(seconds), "least": min(seconds), "most": max(seconds)
        }  # fmt: skip
        savings = [line["saving_seconds_before"] for line in lines]
        assert savings[0] == 0
        assert min(savings[1:]) > 0
        # The last epoch's saving is in no line.
        assert cost["wall_seconds"] > sum(seconds) + sum(savings) - 0.05
        assert cost["wall_seconds"] < sum(seconds) + sum(savings) + 10 * max(savings) + 0.1
        assert cost["images_per_second"] == np.median([line["images_per_second"] for line in lines])

    def test_cost(self, finished: ResultsFolder):
        cost = read_json(finished.result)["cost"]
        module = create_model("resemotenet", width=0.125, in_channels=1, compact=True)
        assert cost["parameters"] == sum(parameter.numel() for parameter in module.parameters())
        assert cost["macs"] == count_macs(module, (1, 1, 48, 48))
        assert cost["epochs"] == 4
        assert cost["seconds"] == pytest.approx(sum(line["seconds"] for line in epochs_of(finished)), abs=0.1)
        assert cost["device"].startswith("cpu")
        assert cost["processes"] == 1
        assert cost["peak_memory_bytes"] > 2**20

    def test_what_was_audited(self, finished: ResultsFolder):
        audited = read_json(finished.audit)
        assert audited["images"] == {"train": 84, "validation": 35, "test": 35}
        assert audited["leaks"]["train images with a copy elsewhere"] == 3

    def test_what_was_learned_from_is_counted(self, finished: ResultsFolder, config: RunConfig):
        train_set = load_data(config).train
        counts = np.bincount(train_set.targets, minlength=7).tolist()
        assert read_json(finished.audit)["learned"] == {
            "labels": "ferplus-soft",
            "faces": dict(zip(EMOTIONS, counts, strict=True)),
        }
        assert 0 < sum(counts) < 84  # without copies, and without those that have too few votes

    def test_epochs_are_counted_from_zero_with_the_last_rate_of_each(self, finished: ResultsFolder):
        lines = epochs_of(finished)
        assert [line["epoch"] for line in lines] == [0, 1, 2, 3]
        assert lines[0]["learning_rate"] == pytest.approx(0.1 * 9 / 10)  # nine steps of warm-up
        rates = [line["learning_rate"] for line in lines]
        assert rates[1:] == sorted(rates[1:], reverse=True)

    def test_the_same_config_gives_the_same_run(self, finished: ResultsFolder, config: RunConfig):
        torch.manual_seed(12345)  # what was drawn before must not matter
        assert_same_run(train(config), finished)

    def test_another_seed_gives_another_run(self, finished: ResultsFolder, config: RunConfig):
        other = train(replace(config, seed=1, optimization=replace(config.optimization, epochs=1)))
        assert epochs_of(other)[0]["loss"] != epochs_of(finished)[0]["loss"]
        assert "-s1-" in other.path.name

    def test_every_epoch_of_every_seed_draws_its_own_chances(self, config: RunConfig, monkeypatch: pytest.MonkeyPatch):
        given, backward = [], Objective.backward

        def noting(self: Objective, *arguments: Any) -> torch.Tensor:
            given.append(torch.initial_seed())
            return backward(self, *arguments)

        monkeypatch.setattr(Objective, "backward", noting)
        short = replace(config.optimization, epochs=3)
        for seed in (0, 1):
            train(replace(config, seed=seed, optimization=short, dataset=replace(config.dataset, limit=16)))
        assert len(set(given)) == 6


class TestKeep:
    def test_the_best_so_far_stays_and_the_earlier_of_two_equals(self, config: RunConfig):
        accelerator = Accelerator(cpu=True)
        info = describe(config)
        recorder = Recorder.start(config, "cpu", Audit())
        progress = Progress.begin(config, info, accelerator)
        kept = []
        for epoch, accuracy in enumerate([0.3, 0.5, 0.4, 0.5, 0.6, 0.1]):
            with torch.no_grad():
                progress.judged.get_parameter("fc4.bias").fill_(epoch)
            progress.epoch = epoch + 1
            progress.values.append(accuracy)
            _keep(recorder, progress, info, "ferplus-strict")
            assert progress.chosen is not None
            model = load_model(recorder.folder.model)
            kept.append(int(model.module.get_parameter("fc4.bias")[0]))
            assert progress.chosen["epoch"] == model.info.training["chosen_epoch"] == kept[-1]
        assert kept == [0, 1, 1, 1, 4, 4]

    def test_the_moving_average_is_what_is_kept(self, config: RunConfig):
        info = describe(config)
        recorder = Recorder.start(config, "cpu", Audit())
        progress = Progress.begin(config, info, Accelerator(cpu=True))
        assert progress.average is not None
        with torch.no_grad():
            progress.average.module.get_parameter("fc4.bias").fill_(7)
        progress.values.append(0.5)
        _keep(recorder, progress, info, "fer2013")
        assert (load_model(recorder.folder.model).module.get_parameter("fc4.bias") == 7).all()


IDS = np.array([f"face-{row}" for row in range(50)])


class TestLoss:
    def test_one_that_is_not_finite_stops_the_run_and_names_its_faces(self):
        watch = LossWatch(3, IDS)
        watch.add(torch.tensor(0.5), torch.tensor([1, 2]))
        watch.add(torch.tensor(float("nan")), torch.tensor([30, 40]))
        watch.add(torch.tensor(0.5), torch.tensor([5, 6]))
        with pytest.raises(TrainingError, match=r"became nan in epoch 3, on the training faces face-30, face-40; the"):
            watch.mean()

    def test_it_is_looked_at_during_the_epoch(self):
        watch = LossWatch(0, IDS)

        def add_many() -> None:
            for _ in range(100):
                watch.add(torch.tensor(float("inf")), torch.tensor([0]))

        with pytest.raises(TrainingError, match="the loss became inf"):
            add_many()

    def test_mean(self):
        watch = LossWatch(0, IDS)
        losses = np.random.default_rng(0).random(47)
        for loss in losses:
            watch.add(torch.tensor(loss), torch.tensor([0]))
        assert watch.mean() == pytest.approx(losses.mean())

    def test_an_absurd_learning_rate(self, config: RunConfig):
        absurd = replace(config, optimization=replace(config.optimization, learning_rate=1e30, clip_norm=None))
        with pytest.raises(TrainingError) as caught:
            train(absurd)
        found = re.search(
            r"the loss became (?:nan|inf) in epoch 0, on the training faces (.*); the last .* lower", str(caught.value)
        )
        assert found is not None
        faces = found[1].split(", ")
        assert len(set(faces)) == 8
        assert set(faces) <= set(load_data(absurd).train.ids)
        (path,) = config.results.iterdir()
        assert not ResultsFolder(path).is_finished
        assert epochs_of(ResultsFolder(path)) == []
        assert not ResultsFolder(path).model.exists()

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"learning_rate": 1e30}, "answers to the validation faces"),
            ({"learning_rate": 1e38, "weight_decay": 1e3}, "weights"),
        ],
    )
    def test_divergence_in_the_last_step_of_an_epoch(self, config: RunConfig, change: dict[str, Any], what: str):
        """Its loss was looked at before the update, so nothing but what it left behind can tell."""
        changes: dict[str, Any] = {"clip_norm": None, "batch_size": 40, "warmup_epochs": 0, **change}
        one_step = replace(config, optimization=replace(config.optimization, **changes))
        with pytest.raises(TrainingError) as caught:
            train(one_step)
        found = re.search(
            rf"the {what} were not finite after epoch 0, .* training faces (.*); the last .* lower", str(caught.value)
        )
        assert found is not None, str(caught.value)
        faces = found[1].split(", ")
        assert len(set(faces)) == 40
        assert set(faces) <= set(load_data(config).train.ids)
        (path,) = config.results.iterdir()
        assert epochs_of(ResultsFolder(path)) == []
        assert not ResultsFolder(path).model.exists()


BACKBONE = Network(
    name="resnet18", compact=False, conv_dropout=None, head_dropout=None, backbone=Path("gone.safetensors")
)


class TestBeforeTheStart:
    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"network": Network(size=96)}, CompactLayoutError),
            ({"data": Path("gone.csv")}, DatasetNotFoundError),
            ({"precision": "fp16"}, DeviceError),  # not on a CPU
            ({"optimization": Optimization(batch_size=8, accumulate=3)}, TrainingError),
            ({"network": BACKBONE}, CheckpointNotFoundError),
            ({"network": replace(BACKBONE, name="resnet18", backbone=Path(__file__))}, CheckpointFormatError),
            ({"network": Network(backbone=Path("x.pth"))}, TrainingError),
            ({"network": Network(start=Path("gone"))}, CheckpointNotFoundError),
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

    @pytest.mark.parametrize("ema_decay", [None, 0.5])
    def test_bfloat16_is_judged_in_full_precision(self, config: RunConfig, ema_decay: float | None):
        optimization = replace(config.optimization, epochs=2, ema_decay=ema_decay)
        folder = train(replace(config, precision="bf16", optimization=optimization))
        result = read_json(folder.result)
        line = epochs_of(folder)[result["chosen"]["epoch"]]["validation"]["ferplus-strict"]
        assert np.isfinite(epochs_of(folder)[0]["loss"])
        assert line["nll"] == pytest.approx(result["splits"]["validation"]["nll"], rel=1e-4)

    def test_compiled_it_is_the_same_run(
        self, config: RunConfig, finished: ResultsFolder, monkeypatch: pytest.MonkeyPatch
    ):
        # The backend that needs no compiler: what is traced is run by the usual kernels.
        monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
        assert_same_run(train(replace(config, compile=True)), finished)

    def test_another_network(self, config: RunConfig):
        network = Network(name="resnet18", compact=False, conv_dropout=None, head_dropout=None, size=48, channels=1)
        folder = train(replace(config, network=network, optimization=replace(config.optimization, epochs=1)))
        model = load_model(folder.model)
        assert model.info.architecture == "resnet18"
        assert read_json(folder.result)["splits"]["validation"]["n"] == 34

    def test_from_a_backbone(self, config: RunConfig, tmp_path: Path):
        given = create_model("resnet18", num_classes=1000).state_dict()
        save_file({name: value.clone() for name, value in given.items()}, tmp_path / "imagenet.safetensors")
        network = Network(
            name="resnet18", compact=False, conv_dropout=None, head_dropout=None, size=48,
            backbone=tmp_path / "imagenet.safetensors",
        )  # fmt: skip
        # A rate of nearly nothing leaves the weights where they started.
        optimization = replace(config.optimization, epochs=1, learning_rate=1e-12, ema_decay=None)
        folder = train(replace(config, network=network, optimization=optimization))
        model = load_model(folder.model)
        for name in ("conv1.weight", "layer4.1.conv2.weight"):
            torch.testing.assert_close(model.module.get_parameter(name).detach(), given[name])
        assert model.info.training["backbone"] == "imagenet.safetensors"
