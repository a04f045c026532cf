"""A crash at any step of saving leaves the old model or the new one, and the next save clears up."""

import shutil
from pathlib import Path

import pytest

from resemotenet.checkpoints import checkpoint
from resemotenet.checkpoints.checkpoint import save_model
from tests.resemotenet.checkpoints.conftest import INFO, assert_holds, network


def interrupted(*_arguments: object, **_options: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", [0, 1])
def test_at_a_rename(folder: Path, step: int) -> None:
    real, calls = Path.rename, 0

    def failing(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == step + 1:
            raise KeyboardInterrupt
        return real(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        with pytest.raises(KeyboardInterrupt):
            save_model(folder, network(seed=1), INFO)
    assert_holds(folder, network())
    assert_holds(save_model(folder, network(seed=2), INFO), network(seed=2))
    assert [item.name for item in folder.parent.iterdir()] == ["model"]


def test_while_the_old_one_is_removed(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save_model(folder, network(seed=1), INFO)
    assert_holds(folder, network(seed=1))
    assert_holds(save_model(folder, network(seed=2), INFO), network(seed=2))
    assert [item.name for item in folder.parent.iterdir()] == ["model"]


def test_while_writing(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save_model(folder, network(seed=1), INFO)
    assert_holds(folder, network())
    assert [item.name for item in folder.parent.iterdir()] == ["model"]


def test_that_could_not_clear_up(folder: Path) -> None:
    leftover = folder.parent / ".model.new"
    leftover.mkdir()
    (leftover / "model.safetensors").write_bytes(b"half")
    assert_holds(folder, network())
    assert_holds(save_model(folder, network(seed=1), INFO), network(seed=1))
    assert not leftover.exists()
