"""A tiny FER2013, a config that trains on it within seconds, and one finished run that tests copy."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState, PartialState

from resemotenet.runs.results import ResultsFolder, read_json
from resemotenet.runs.schema import Augmentation, Dataset, Network, Optimization, RunConfig
from tests.fake_fer2013 import Fake, draw, write_parquet
from training.recorder import Recorder

# Nothing drawn at random.
STILL = Augmentation(flip=False, rotation=0, scale=0, shift=0, brightness=0, contrast=0, erase=0)
# Makes any recipe short on the command line.
TINY = (
    "--network.width", "0.0625", "--optimization.batch-size", "16", "--optimization.epochs", "1", "--device", "cpu"
)  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh_accelerator() -> Iterator[None]:
    """accelerate keeps device and precision for the whole process; each test starts as a process would."""
    yield
    if PartialState._shared_state:
        AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def fake() -> Fake:
    return draw()


@pytest.fixture(scope="session")
def data_path(fake: Fake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parquet(fake, tmp_path_factory.mktemp("fer2013") / "fer2013.parquet")


@pytest.fixture
def config(data_path: Path, tmp_path: Path) -> RunConfig:
    return tiny_config(data_path, tmp_path / "results")


def tiny_config(data: Path, results: Path) -> RunConfig:
    """Four epochs of nine steps, enough to learn something of the drawn faces (about half are read right).

    Dropout, augmentation and the moving average are on, all of them gently: going on after a stop must keep them.
    """
    return RunConfig(
        recipe="tiny",
        data=data,
        results=results,
        network=Network(width=0.125, size=48, channels=1, conv_dropout=0.05, head_dropout=0.05),
        dataset=Dataset(labels="ferplus"),
        augmentation=Augmentation(rotation=3, scale=0.02, shift=0.02, brightness=0.05, contrast=0.05, erase=0.1),
        optimization=Optimization(epochs=4, batch_size=8, learning_rate=0.1, warmup_epochs=1, ema_decay=0.5),
        device="cpu",
    )


@pytest.fixture(scope="session")
def _finished(data_path: Path, tmp_path_factory: pytest.TempPathFactory) -> ResultsFolder:
    from training.loop import train

    with torch.random.fork_rng(devices=[]):
        return train(tiny_config(data_path, tmp_path_factory.mktemp("runs")))


@pytest.fixture
def finished(_finished: ResultsFolder, tmp_path: Path) -> ResultsFolder:
    """A copy of one finished run."""
    return ResultsFolder(Path(shutil.copytree(_finished.path, tmp_path / "finished" / _finished.path.name)))


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that was printed to stderr."""
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    return lines[0]


def epochs_of(folder: ResultsFolder) -> list[dict[str, Any]]:
    """The lines of epochs.jsonl."""
    return [line.to_dict() for line in folder.read_epochs()]


def accuracies(folder: ResultsFolder) -> list[float]:
    """On validation, epoch by epoch."""
    return [line.validation["ferplus-strict"].accuracy for line in folder.read_epochs()]


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
    timed = dict.fromkeys(("seconds", "saving_seconds_before", "images_per_second", "peak_memory_bytes"))
    lines = [[{**line, **timed} for line in epochs_of(folder)] for folder in (one, other)]
    assert lines[0] == lines[1]
    for name in ("model/model.safetensors", "predictions/ferplus-strict-validation.npz"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes()
    results = [read_json(folder.result) for folder in (one, other)]
    for name in ("chosen", "splits", "also"):
        assert results[0][name] == results[1][name]


class PowerCut(Exception):
    """Nothing that the trainer expects."""


def stop_after_one_epoch(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results folder of a run whose power was cut right after its first epoch was saved."""
    from training.loop import train

    def power_cut(self: Recorder, state: dict[str, Any]) -> None:
        save(self, state)
        if state["epoch"]:
            raise PowerCut

    save = Recorder.save_state
    monkeypatch.setattr(Recorder, "save_state", power_cut)
    with pytest.raises(PowerCut):
        train(config)
    monkeypatch.undo()
    (path,) = config.results.iterdir()
    return path
