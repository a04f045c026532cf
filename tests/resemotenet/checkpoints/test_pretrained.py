import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from resemotenet import load_model
from resemotenet.checkpoints import pretrained
from resemotenet.checkpoints.pretrained import Source, bundled_folder, pull, resolve
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import CheckpointError, CheckpointNotFoundError, HubNotFoundError


def test_a_folder_given_as_text_or_path(model_folder: Path) -> None:
    assert resolve(model_folder) == resolve(str(model_folder)) == Source(model_folder.resolve(), str(model_folder))
    assert resolve(model_folder).short_name == "random", "says nothing of the machine"


def test_a_folder_comes_before_a_hub_name(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert resolve("owner/name") == Source((tmp_path / "owner" / "name").resolve(), "owner/name")
    assert resolve("owner/name").short_name == "name"


@pytest.mark.parametrize(
    "revision", ["../main", "/main", "a//b", "main/", "-x", "a b", "", "a\\b", "a/.b", "refs/../x"]
)
def test_what_can_be_no_revision(revision: str) -> None:
    with pytest.raises(HubNotFoundError, match="cannot be a branch, tag or commit of owner/name"):
        resolve("owner/name", revision)


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
    assert resolve() == Source(folder, "bundled")
    assert resolve().short_name == "bundled"
    assert sum(item.stat().st_size for item in folder.iterdir()) <= 20_000_000
    model = load_model(folder)
    assert sorted(model.labels) == sorted(EMOTIONS)
    assert "non-commercial" in model.info.license["name"]
    assert {"dataset", "labels", "split", "n", "accuracy"} <= model.info.measured[0].keys()
    blank = model.preprocess.batch(torch.zeros(1, 1, 48, 48))
    torch.testing.assert_close(model.probabilities(blank).sum(1), torch.ones(1))


def test_bundled_weights_need_no_hub() -> None:
    code = (
        "import sys; from resemotenet import EmotionPredictor; EmotionPredictor.from_pretrained();"
        "print('huggingface_hub' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["name", "a/b/c", "../name", "owner/"])
def test_pull_takes_names_of_repositories_only(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a repository as owner/name"):
        pull(name, tmp_path / "out")


def test_pull_does_not_write_over_what_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"holds other things than a model \(thesis\.tex\)"):
        pull("owner/name", tmp_path)
    with pytest.raises(CheckpointError, match=r"thesis\.tex is a file"):
        pull("owner/name", tmp_path / "thesis.tex")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


CARD = '---\nlibrary_name: "resemotenet"\n---\n# A model\n'


@pytest.mark.parametrize(
    ("card", "model"),
    [
        ("my project", False),
        (CARD, False),
        (None, True),
        ("my project", True),
        (f"# Notes\n{CARD}", True),
        ("---\nlibrary_name: transformers\n---\n", True),
        ("---\nlibrary_name: resemotenet-of-mine\n---\n", True),
    ],
    ids=["README", "card", "trained here", "with notes", "not at the top", "another library", "a longer name"],
)
def test_pull_takes_nobodys_model_or_notes_for_an_earlier_pull(
    card: str | None, model: bool, model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    if model:
        shutil.copytree(model_folder, out)
    out.mkdir(exist_ok=True)
    if card is not None:
        (out / "README.md").write_text(card)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(CheckpointError, match="nothing tells that an earlier pull wrote it"):
        pull("owner/name", out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
