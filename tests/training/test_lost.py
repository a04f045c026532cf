"""Going on where a file that it needs is gone, damaged or of another run: one sentence, and nothing is touched."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from resemotenet.errors import ResEmoteNetError
from resemotenet.runs.results import ResultsFolder, read_json, write_json
from resemotenet.runs.schema import RunConfig
from tests.training.conftest import assert_same_run, stop_after_one_epoch
from training.cli import main
from training.loop import resume


@pytest.fixture
def stopped(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> ResultsFolder:
    return ResultsFolder(stop_after_one_epoch(config, monkeypatch))


def state(run: ResultsFolder) -> Path:
    return run.resume / "state.pt"


def contents(run: ResultsFolder) -> dict[str, str]:
    return {
        str(path.relative_to(run.path)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in run.path.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def refused(run: ResultsFolder, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says; the run's files are as they were."""
    before = contents(run)
    capsys.readouterr()
    assert main(["resume", str(run.path)]) == 1
    assert contents(run) == before
    (said,) = capsys.readouterr().err.splitlines()
    return said


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class TestState:
    def test_gone_after_an_epoch(self, stopped: ResultsFolder, capsys: pytest.CaptureFixture[str]):
        state(stopped).unlink()
        said = refused(stopped, capsys)
        assert f"{state(stopped)} is missing" in said
        assert "its epochs.jsonl and model are there; put that file back, or start a new run" in said

    def test_gone_with_its_folder(self, stopped: ResultsFolder, capsys: pytest.CaptureFixture[str]):
        """As where a run was copied without what is local."""
        shutil.rmtree(stopped.resume)
        assert "state.pt is missing" in refused(stopped, capsys)

    @pytest.mark.parametrize("left", ["epochs.jsonl", "model"])
    def test_gone_where_one_of_the_others_is_left(
        self, stopped: ResultsFolder, left: str, capsys: pytest.CaptureFixture[str]
    ):
        state(stopped).unlink()
        if left == "model":
            stopped.epochs.unlink()
        else:
            shutil.rmtree(stopped.model)
        assert f"though its {left} are there" in refused(stopped, capsys)

    @pytest.mark.parametrize(
        "damage",
        [
            halve,
            lambda path: path.write_bytes(b""),
            lambda path: path.write_bytes(b"\x80\x02garbage" * 99),
            lambda path: path.write_text("no state at all"),
            lambda path: torch.save([1, 2], path),
            lambda path: torch.save({"model": {}}, path),
        ],
        ids=["cut short", "empty", "garbage", "text", "a list", "no epoch"],
    )
    def test_damaged(
        self, stopped: ResultsFolder, damage: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
    ):
        damage(state(stopped))
        assert f"{state(stopped)} is damaged (" in refused(stopped, capsys)

    def test_of_another_network(self, stopped: ResultsFolder, capsys: pytest.CaptureFixture[str]):
        """Whoever changes config.json in between asks for another run."""
        settings = read_json(stopped.config)
        settings["network"]["width"] = 0.25
        write_json(stopped.config, settings)
        assert "does not fit the network or the optimizer of its config.json" in refused(stopped, capsys)

    def test_without_a_part(self, stopped: ResultsFolder, capsys: pytest.CaptureFixture[str]):
        whole = torch.load(state(stopped), weights_only=True)
        torch.save({name: part for name, part in whole.items() if name != "optimizer"}, state(stopped))
        assert "does not fit the network or the optimizer" in refused(stopped, capsys)

    def test_put_back_it_goes_on(self, stopped: ResultsFolder, finished: ResultsFolder, config: RunConfig):
        kept = state(stopped).read_bytes()
        state(stopped).unlink()
        with pytest.raises(ResEmoteNetError):
            resume(config, stopped.path)
        state(stopped).write_bytes(kept)
        resume(config, stopped.path)
        assert_same_run(stopped, finished)


class TestEpochsAndWeights:
    def test_epochs_gone(self, stopped: ResultsFolder, capsys: pytest.CaptureFixture[str]):
        stopped.epochs.unlink()
        assert "epochs.jsonl has the epochs [], expected 0 to 0" in refused(stopped, capsys)

    def test_an_epoch_gone(self, stopped: ResultsFolder, capsys: pytest.CaptureFixture[str]):
        line = json.loads(stopped.epochs.read_text())
        stopped.epochs.write_text(json.dumps({**line, "epoch": 1}) + "\n")
        assert "has the epochs [1], expected 0 to 0" in refused(stopped, capsys)

    @pytest.mark.parametrize("damage", [b"\xff\xfe\x00\n", b"{no JSON}\n"])
    def test_epochs_damaged(self, stopped: ResultsFolder, damage: bytes, capsys: pytest.CaptureFixture[str]):
        stopped.epochs.write_bytes(damage + stopped.epochs.read_bytes())
        assert f"{stopped.epochs}, line 1, is damaged" in refused(stopped, capsys)

    def test_weights_gone(self, stopped: ResultsFolder, capsys: pytest.CaptureFixture[str]):
        shutil.rmtree(stopped.model)
        assert str(stopped.model) in refused(stopped, capsys)

    def test_weights_damaged(self, stopped: ResultsFolder, capsys: pytest.CaptureFixture[str]):
        halve(stopped.model / "model.safetensors")
        assert "model.safetensors is damaged" in refused(stopped, capsys)


@pytest.mark.parametrize("name", ["config.json", "audit.json", "environment.json"])
def test_another_file_gone(stopped: ResultsFolder, name: str, capsys: pytest.CaptureFixture[str]):
    (stopped.path / name).unlink()
    assert name in refused(stopped, capsys)
