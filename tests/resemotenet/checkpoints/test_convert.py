"""Upstream checkpoints: the published network in both of upstream's wrappings, and everything that must be refused."""

import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from resemotenet import load_model
from resemotenet.checkpoints.convert import convert_upstream
from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.errors import (
    CheckpointError,
    CheckpointFormatError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
    UnsafeCheckpointError,
)
from resemotenet.models import create_model

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A place for the published network's 320 MB that is emptied afterwards, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir=tmp_path_factory.mktemp("convert")) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def published(randomize: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """The published network with random weights and random normalisation."""
    return randomize(create_model("resemotenet")).eval()


@pytest.fixture
def hollow() -> State:
    """Upstream's keys and shapes; every tensor is one zero in memory and on disk, repeated."""
    with torch.device("meta"):
        state = create_model("resemotenet").state_dict()
    return {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in state.items()}


def refused(content: Any, tmp_path: Path, error: type[CheckpointError], message: str) -> None:
    """``content`` in a .pth is refused by an error that names the file, and nothing is written."""
    pth, out = tmp_path / "best_model.pth", tmp_path / "out"
    if isinstance(content, bytes):
        pth.write_bytes(content)
    else:
        torch.save(content, pth)
    with pytest.raises(error, match=message) as caught:
        convert_upstream(pth, out)
    assert str(pth) in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize("compact", [False, True])
def test_an_upstream_checkpoint_answers_as_before(published: nn.Module, big: Path, compact: bool) -> None:
    state, pth = published.state_dict(), big / "best_model.pth"
    optimizer = torch.optim.SGD(published.parameters(), lr=0.001, momentum=0.9)
    torch.save(
        {"model_state_dict": state, "epoch": 12, "best": 0.7, "optimizer_state_dict": optimizer.state_dict()}
        if compact
        else state,
        pth,
    )
    asked: dict[str, Any] = {"compact": True, "base_model": "some/one"} if compact else {}
    folder = convert_upstream(pth, big / "model", **asked)
    model = load_model(folder)
    crops = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        expected = torch.softmax(published(crops), 1)
    torch.testing.assert_close(model.probabilities(crops), expected, rtol=0, atol=1e-5)
    assert expected.std(0).max() > 0.01, "crops that are all answered alike prove nothing"
    count = sum(parameter.numel() for parameter in model.module.parameters())
    assert count == (36_198_407 if compact else 80_238_599)

    assert model.labels == ("happy", "surprise", "sad", "angry", "disgust", "fear", "neutral")
    assert model.preprocess == Preprocess(64, 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (model.info.temperature, model.info.logit_bias, model.info.views) == (1.0, None, "none")
    origin = model.info.training["converted_from"]
    assert origin["file"] == "best_model.pth"
    assert origin.get("base_model") == ("some/one" if compact else None)
    assert origin["sha256"] == hashlib.sha256(pth.read_bytes()).hexdigest()
    assert model.info.license["name"] == "non-commercial-research"
    assert model.info.measured == ()


class Harmful:
    """Creates a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path, ...]]:
        return Path.touch, (self.trace,)


class TestPickles:
    @pytest.mark.parametrize("beside", [False, True])
    @pytest.mark.parametrize("zipped", [True, False])
    def test_that_would_run_code_do_not(self, hollow: State, tmp_path: Path, zipped: bool, beside: bool) -> None:
        trace, pth = tmp_path / "trace", tmp_path / "evil.pth"
        harmful: dict[str, Any] = {"note": Harmful(trace)}
        content = {"model_state_dict": hollow, **harmful} if beside else {**hollow, **harmful}
        torch.save(content, pth, _use_new_zipfile_serialization=zipped)
        with pytest.raises(UnsafeCheckpointError, match=r"evil\.pth is a pickle that holds more than tensors"):
            convert_upstream(pth, tmp_path / "out")
        assert not trace.exists()
        torch.load(pth, weights_only=False)
        assert trace.exists(), "the pickle was harmless, so refusing it proved nothing"

    def test_that_torch_did_not_write(self, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        refused(pickle.dumps(Harmful(trace)), tmp_path, UnsafeCheckpointError, "more than tensors")
        assert not trace.exists()

    def test_that_hold_a_whole_network(self, tmp_path: Path) -> None:
        refused(nn.Linear(2, 2), tmp_path, UnsafeCheckpointError, r"it asks for torch\.nn\.modules\.linear\.Linear")

    def test_that_hold_numpy_values_beside_the_weights(self, hollow: State, tmp_path: Path) -> None:
        content = {"model_state_dict": hollow, "best": np.float64(0.7)}
        refused(content, tmp_path, UnsafeCheckpointError, r"it asks for numpy\.\S*scalar")


class TestContent:
    @pytest.mark.parametrize("wrapped", [False, True])
    def test_a_missing_key(self, hollow: State, tmp_path: Path, wrapped: bool) -> None:
        del hollow["se.fc.2.weight"]
        content = {"model_state_dict": hollow} if wrapped else hollow
        refused(content, tmp_path, CheckpointMismatchError, r"missing keys: se\.fc\.2\.weight$")

    def test_a_surplus_key(self, hollow: State, tmp_path: Path) -> None:
        hollow["fc5.weight"] = torch.zeros(7, 7)
        refused(hollow, tmp_path, CheckpointMismatchError, r"surplus keys: fc5\.weight$")

    def test_names_in_wrappings_that_nobody_knows(self, hollow: State, tmp_path: Path) -> None:
        content = {f"face.{key}": value for key, value in hollow.items()}
        message = r"missing keys: bn1\.bias, .* more; surplus keys: face\.bn1\.bias, .* more$"
        refused(content, tmp_path, CheckpointMismatchError, message)

    def test_what_was_stripped_is_named(self, hollow: State, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        wrapped = {f"module.model.{key}": value for key, value in hollow.items()}
        torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "best.ckpt")
        info = load_model(convert_upstream(tmp_path / "best.ckpt", tmp_path / "out", compact=True)).info
        (warning,) = (record.getMessage() for record in caplog.records)
        assert warning == f"{tmp_path / 'best.ckpt'}: stripped state_dict, module., model."
        assert info.training["converted_from"]["stripped"] == "state_dict, module., model."

    def test_upstreams_own_wrapping_is_nothing_to_warn_about(
        self, hollow: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        torch.save({"model_state_dict": hollow}, tmp_path / "best_model.pth")
        convert_upstream(tmp_path / "best_model.pth", tmp_path / "out", compact=True)
        assert caplog.records == []

    def test_a_wrong_shape(self, hollow: State, tmp_path: Path) -> None:
        hollow["fc4.weight"] = torch.zeros(8, 256)
        message = r"fc4\.weight has the shape \(8, 256\), expected \(7, 256\)$"
        refused(hollow, tmp_path, CheckpointMismatchError, message)

    @pytest.mark.parametrize("arguments", [{"width": 0.25}, {"in_channels": 1}])
    def test_another_width_or_input(self, tmp_path: Path, arguments: dict[str, Any]) -> None:
        state = create_model("resemotenet", **{"width": 0.0625, **arguments}).state_dict()
        message = r"conv1\.weight has the shape \(\d+, \d, 3, 3\), expected \(64, 3, 3, 3\); only the published network"
        refused(state, tmp_path, CheckpointMismatchError, message)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ([torch.zeros(1)], "holds a list, expected a state_dict"),
            ({}, "it is empty"),
            ({"model_state_dict": 3}, "these entries are not tensors: model_state_dict"),
            ({0: torch.zeros(1), 1: torch.zeros(1)}, "the names of tensors are text, .* type int$"),
            ({"model": {0: torch.zeros(1), "a": torch.zeros(1)}}, "the names of tensors are text, .* type int$"),
            ({(1, 2): torch.zeros(1), None: 3, b"x": 4}, "type NoneType, bytes, tuple$"),
            ({"state": {"conv1.weight": 1}, "epoch": 3}, "these entries are not tensors: epoch, state"),
            ({"conv1.weight": torch.zeros(1), "x" * 10**6: 1}, r"not tensors: x+ \[\.\.\. \d,\d+,\d+ characters"),
            ({"conv1.weight": torch.zeros(64, 3, 3, 3).to_sparse()}, r"not tensors: conv1\.weight"),
        ],
    )
    def test_what_is_no_state_dict(self, tmp_path: Path, content: Any, message: str) -> None:
        refused(content, tmp_path, CheckpointFormatError, message)

    def test_a_weight_that_is_not_finite(self, hollow: State, tmp_path: Path) -> None:
        hollow["conv1.bias"] = torch.full((64,), float("nan"))
        torch.save(hollow, tmp_path / "diverged.pth")
        with pytest.raises(CheckpointError, match=r"values that are not finite in conv1\.bias;"):
            convert_upstream(tmp_path / "diverged.pth", tmp_path / "out")
        assert not (tmp_path / "out").exists()


class TestPlaces:
    """Where the model cannot be written, one sentence says so, and nothing half-done is left."""

    @pytest.fixture
    def pth(self, hollow: State, tmp_path: Path) -> Path:
        torch.save(hollow, tmp_path / "best_model.pth")
        return tmp_path / "best_model.pth"

    @pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
    @pytest.mark.parametrize("room", [100, 2**20], ids=["config.json", "model.safetensors"])
    def test_that_are_full(self, pth: Path, tmp_path: Path, room: int) -> None:
        """No file may have more than so many bytes, which is what a full disk looks like to whoever writes."""
        import resource

        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            with pytest.raises(CheckpointError, match=r"out cannot be written: .*; free some space, or name a place"):
                convert_upstream(pth, tmp_path / "out", compact=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert [path.name for path in tmp_path.iterdir()] == ["best_model.pth"]

    def test_that_are_no_folders(self, pth: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(CheckpointError, match=r"cannot be written: .*Not a directory"):
            convert_upstream(pth, tmp_path / "file" / "out", compact=True)

    def test_whose_names_are_too_long(self, pth: Path, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match=r"cannot be written: .*too long"):
            convert_upstream(pth, tmp_path / ("x" * 300), compact=True)

    def test_that_may_only_be_read(self, pth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_arguments: Any, **_options: Any) -> None:  # whoever is root may write anywhere
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(Path, "mkdir", refuse)
        with pytest.raises(CheckpointError, match=r"cannot be written: \[Errno 30\] Read-only file system; free some"):
            convert_upstream(pth, tmp_path / "out", compact=True)


class TestFiles:
    def test_that_are_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointNotFoundError, match=r"nowhere\.pth does not exist"):
            convert_upstream(tmp_path / "nowhere.pth", tmp_path / "out")
        with pytest.raises(CheckpointNotFoundError, match="is not a file"):
            convert_upstream(tmp_path, tmp_path / "out")

    @pytest.mark.parametrize(
        "content", [b"", b"<!DOCTYPE html><html></html>", b"version https://git-lfs.github.com/spec/v1\n", b"\0" * 99]
    )
    def test_that_torch_never_wrote(self, tmp_path: Path, content: bytes) -> None:
        refused(content, tmp_path, CheckpointFormatError, "is not a checkpoint that torch.save wrote")

    @pytest.mark.parametrize("zipped", [True, False])
    @pytest.mark.parametrize("part", [0.3, 0.9])
    def test_that_were_cut_short(self, hollow: State, tmp_path: Path, zipped: bool, part: float) -> None:
        whole = tmp_path / "whole.pth"
        torch.save(hollow, whole, _use_new_zipfile_serialization=zipped)
        content = whole.read_bytes()
        refused(content[: int(part * len(content))], tmp_path, CheckpointFormatError, "is damaged, cut short or of")
