from pathlib import Path

import pytest
import torch

from resemotenet import load_model, pretrained
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import CheckpointNotFoundError
from resemotenet.pretrained import bundled_folder, resolve


def test_a_folder_given_as_text_or_path(model_folder: Path) -> None:
    assert resolve(model_folder) == resolve(str(model_folder)) == model_folder.resolve()


def test_a_folder_comes_before_a_hub_name(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert resolve("owner/name") == (tmp_path / "owner" / "name").resolve()


@pytest.mark.parametrize("revision", [None, "v1.0"])
def test_the_hub_is_for_later(revision: str | None) -> None:
    with pytest.raises(CheckpointNotFoundError, match=r"from the Hub: that arrives with hub\.py") as caught:
        resolve("owner/name-1.0", revision)
    assert revision is None or f"at revision {revision!r}" in str(caught.value)


@pytest.mark.parametrize("source", ["nowhere", "/no/such/place", Path("owner/name"), "a/b/c", "../name", "./name"])
def test_what_is_neither_folder_nor_hub_name(source: str | Path) -> None:
    with pytest.raises(CheckpointNotFoundError, match="does not exist"):
        resolve(source)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "best_model.pth").touch()
    with pytest.raises(CheckpointNotFoundError, match=r"best_model\.pth is a file"):
        resolve(tmp_path / "best_model.pth")


def test_a_revision_belongs_to_the_hub(model_folder: Path) -> None:
    with pytest.raises(ValueError, match="is no Hub repository and has none"):
        resolve(model_folder, "main")


def test_an_installation_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "bundled_folder", lambda: tmp_path / "weights")
    with pytest.raises(CheckpointNotFoundError, match="weights does not exist"):
        resolve()


def test_bundled_weights_are_whole_and_small() -> None:
    folder = bundled_folder()
    assert resolve() == folder
    assert sum(item.stat().st_size for item in folder.iterdir()) <= 20_000_000
    model = load_model(folder)
    assert sorted(model.labels) == sorted(EMOTIONS)
    assert "non-commercial" in model.info.license["name"]
    assert {"dataset", "labels", "split", "n", "accuracy"} <= model.info.measured[0].keys()
    blank = model.preprocess.batch(torch.zeros(1, 1, 48, 48))
    torch.testing.assert_close(model.probabilities(blank).sum(1), torch.ones(1))
