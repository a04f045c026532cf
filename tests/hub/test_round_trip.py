"""Out and in again: push and pull through the real client, against the Hub on loopback."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from resemotenet import EmotionPredictor, load_model
from resemotenet.checkpoints import hub
from resemotenet.checkpoints.convert import convert_upstream
from resemotenet.checkpoints.hub import upload
from resemotenet.checkpoints.pretrained import pull, resolve
from resemotenet.cli import main
from resemotenet.errors import (
    HubAccessError,
    HubConnectionError,
    HubError,
    HubIntegrityError,
    HubNotFoundError,
)
from tests.finished_run import make_run
from tests.hub.server import LoopbackHub

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path, model_folder: Path) -> Path:
    return make_run(tmp_path / "run", model_folder)


@pytest.fixture
def push(hub: LoopbackHub, capsys: pytest.CaptureFixture[str]):
    """The command push; the token must be in nothing that it prints."""

    def push(*arguments: str | Path) -> tuple[int, str, str]:
        code = main(["push", *map(str, arguments)])
        captured = capsys.readouterr()
        assert hub.token not in captured.out + captured.err
        return code, captured.out, captured.err

    return push


def faces() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (5, 60, 50), np.uint8))


# What another process answers for the same faces: the bytes of the probabilities.
ANSWER = """
import sys, numpy as np
from resemotenet import EmotionPredictor
predictor = EmotionPredictor.from_pretrained("owner/name", revision=sys.argv[1], device="cpu")
faces = list(np.random.default_rng(0).integers(0, 256, (5, 60, 50), np.uint8))
print(predictor.source.revision, predictor.classify(faces).tobytes().hex())
"""


def test_the_same_answers_bit_for_bit_with_the_hub_gone(hub: LoopbackHub, push, run: Path) -> None:
    code, out, _ = push(run, "owner/name")
    assert code == 0
    revision = hub.repositories["owner/name"].sha()
    assert out.splitlines()[-1] == f'EmotionPredictor.from_pretrained("owner/name", revision="{revision}")'
    resolve("owner/name", revision)
    hub.stop()
    done = subprocess.run(
        [sys.executable, "-c", ANSWER, revision], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    own = EmotionPredictor.from_pretrained(run / "model", device="cpu")
    assert done.stdout.split() == [revision, own.classify(faces()).tobytes().hex()]
    assert done.stderr == "", "a commit that is in the cache is nothing to warn about"


def test_what_is_uploaded_is_what_a_dry_run_shows(hub: LoopbackHub, push, run: Path, tmp_path: Path) -> None:
    code, card, listing = push(run, "owner/name", "--dry-run")
    assert code == 0
    assert hub.requests == [], "the network is not used"
    push(run, "owner/name")
    files = hub.repositories["owner/name"].files()
    assert files["README.md"].content.decode() == card.removesuffix("\n")
    shown = dict(reversed(line.split()) for line in listing.splitlines() if line.startswith("  "))
    assert shown == {name: f"{len(file.content):,}" for name, file in files.items() if name != ".gitattributes"}
    assert not any("resume" in name or "predictions" in name or name.endswith(".npz") for name in files)
    assert len(hub.repositories["owner/name"].commits) == 2, "the one that the Hub makes, and one of ours"


def test_private_and_tagged(hub: LoopbackHub, push, run: Path) -> None:
    assert push(run, "owner/name", "--private", "--tag", "v1")[0] == 0
    repository = hub.repositories["owner/name"]
    assert repository.private
    assert repository.sha("v1") == repository.sha()
    assert 'revision="v1"' in repository.files("v1")["README.md"].content.decode()
    assert resolve("owner/name", "v1").revision == repository.sha()
    # A tag does not move, and nothing else happens where it was to.
    before = repository.sha()
    shutil.rmtree(run / "resume")
    (run / "audit.json").write_text('{"images": {}}')
    code, out, err = push(run, "owner/name", "--tag", "v1")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("resemotenet: owner/name has a tag 'v1' already")
    assert repository.sha() == before


def test_what_is_public_is_not_taken_for_private(hub: LoopbackHub, push, model_folder: Path) -> None:
    hub.create("owner/name", {"notes.txt": b"by hand"})
    before = hub.repositories["owner/name"].sha()
    code, _, err = push(model_folder, "owner/name", "--private")
    assert code == 1
    assert "owner/name exists already and is public" in err
    assert hub.repositories["owner/name"].sha() == before


def test_a_pull_request_leaves_main_alone(hub: LoopbackHub, push, run: Path, model_folder: Path) -> None:
    push(model_folder, "owner/name")
    before = hub.repositories["owner/name"].sha()
    code, out, _ = push(run, "owner/name", "--pr")
    assert code == 0
    assert out.strip() == f"{hub.url}/owner/name/discussions/1"
    assert hub.repositories["owner/name"].sha() == before
    assert "result.json" in hub.repositories["owner/name"].files("refs/pr/1")
    assert resolve("owner/name", "refs/pr/1").revision == hub.repositories["owner/name"].sha("refs/pr/1")


def test_a_second_push_changes_what_changed(hub: LoopbackHub, push, run: Path, model_folder: Path) -> None:
    push(run, "owner/name")
    repository = hub.repositories["owner/name"]
    first = repository.sha()
    push(run, "owner/name")
    assert repository.sha() == first, "nothing changed, so there is no commit"
    repository.commit({"notes.txt": b"by hand"})
    push(model_folder, "owner/name")
    # The figures of the run are not those of the model that took its place; what is not ours stays.
    assert set(repository.files()) == {".gitattributes", "README.md", "config.json", "model.safetensors", "notes.txt"}


def test_a_run_that_is_refused_is_not_uploaded(hub: LoopbackHub, push, run: Path) -> None:
    (run / "result.json").unlink()
    code, out, err = push(run, "owner/name")
    assert (code, out) == (1, "")
    assert "The run is not finished" in err
    assert hub.requests == []
    assert push(run, "owner/name", "--force")[0] == 0
    assert "it was forced" in hub.repositories["owner/name"].files()["README.md"].content.decode()


def test_pull(hub: LoopbackHub, push, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(run, "owner/name")
    repository = hub.repositories["owner/name"]
    assert main(["pull", "owner/name", str(tmp_path / "deep" / "out")]) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == str(tmp_path / "deep" / "out")
    assert captured.err.strip().endswith(f"owner/name at {repository.sha()}")
    out = tmp_path / "deep" / "out"
    got = {path.name: path.read_bytes() for path in out.iterdir()}
    assert got == {name: repository.files()[name].content for name in ("README.md", "config.json", "model.safetensors")}
    assert not any(path.is_symlink() for path in out.iterdir())
    assert load_model(out).info.measured[0]["dataset"] == "fer2013"


def test_pull_again_takes_the_newer_one(hub: LoopbackHub, push, run: Path, model_folder: Path, tmp_path: Path) -> None:
    push(run, "owner/name")
    first = pull("owner/name", tmp_path / "out")
    push(model_folder, "owner/name")
    second = pull("owner/name", tmp_path / "out")
    assert first.revision != second.revision == hub.repositories["owner/name"].sha()
    assert json.loads((tmp_path / "out" / "config.json").read_text())["measured"] == []
    third = pull("owner/name", tmp_path / "out", first.revision)
    assert third.revision == first.revision
    assert json.loads((tmp_path / "out" / "config.json").read_text())["measured"] != []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_only_files_of_known_names_are_fetched(hub: LoopbackHub, model_folder: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in model_folder.iterdir()}
    hub.create("owner/name", files | {"pytorch_model.bin": b"pickle", "handler.py": b"import os", "README.md": b"# hi"})
    assert resolve("owner/name").folder.is_dir()
    assert {path.name for path in resolve("owner/name").folder.iterdir()} == {"config.json", "model.safetensors"}
    pull("owner/name", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"config.json", "model.safetensors", "README.md"}
    fetched = {request.line.split("?")[0].rsplit("/", 1)[-1] for request in hub.requests if "resolve" in request.line}
    assert fetched == {"config.json", "model.safetensors", "README.md"}


def test_a_commit_in_the_cache_asks_nobody(hub: LoopbackHub, model_folder: Path) -> None:
    hub.create("owner/name", {path.name: path.read_bytes() for path in model_folder.iterdir()})
    revision = resolve("owner/name").revision
    hub.requests.clear()
    assert resolve("owner/name", revision).revision == revision
    assert hub.requests == []
    # A name may have moved, so it is looked up, once, and nothing is fetched again.
    assert resolve("owner/name", "main").revision == revision
    assert len(hub.requests) == 1


@pytest.mark.parametrize("revision", [None, "main", "v1"])
def test_a_hub_that_is_gone(
    hub: LoopbackHub, model_folder: Path, caplog: pytest.LogCaptureFixture, revision: str | None
) -> None:
    repository = hub.create("owner/name", {path.name: path.read_bytes() for path in model_folder.iterdir()})
    repository.refs["refs/tags/v1"] = repository.sha()
    found = resolve("owner/name", revision)
    assert caplog.records == []
    hub.stop()
    assert resolve("owner/name", revision) == found
    (warning,) = (record.getMessage() for record in caplog.records if record.name == "resemotenet.checkpoints.hub")
    assert f"using commit {found.revision} of owner/name from the cache" in warning


def test_a_file_of_the_cache_that_was_changed(
    hub: LoopbackHub, model_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub.create("owner/name", {path.name: path.read_bytes() for path in model_folder.iterdir()})
    found = resolve("owner/name")
    weights = found.folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert resolve("owner/name", found.revision) == found
    assert weights.read_bytes() == content
    (warning,) = (record.getMessage() for record in caplog.records if record.name == "resemotenet.checkpoints.hub")
    assert warning == "model.safetensors of owner/name in the cache is damaged; downloading it again"
    weights.write_bytes(content[:-1])
    hub.stop()
    with pytest.raises(HubConnectionError, match=f"nothing whole of owner/name at {found.revision} is in the cache"):
        resolve("owner/name", found.revision)


def test_a_commit_that_the_hub_takes_for_another(hub: LoopbackHub, model_folder: Path) -> None:
    repository = hub.create("owner/name", {path.name: path.read_bytes() for path in model_folder.iterdir()})
    asked = "0123456789" * 4
    repository.refs[f"refs/heads/{asked}"] = repository.sha()
    with pytest.raises(
        HubIntegrityError, match=f"the Hub gave '{repository.sha()}' as the commit of owner/name at {asked}"
    ):
        resolve("owner/name", asked)


def test_neither_a_folder_nor_on_the_hub(hub: LoopbackHub) -> None:
    with pytest.raises(HubNotFoundError, match="there is no folder results/run; and on the Hub, there is no res"):
        resolve("results/run")


def test_predict_with_a_model_of_the_hub(
    hub: LoopbackHub, model_folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    repository = hub.create("owner/name", {path.name: path.read_bytes() for path in model_folder.iterdir()})
    photo = ROOT / "demo" / "examples" / "astronaut.jpg"
    assert main(["predict", str(photo), "--json", "--model", "owner/name", "--revision", "main"]) == 0
    model = json.loads(capsys.readouterr().out)["model"]
    assert (model["source"], model["revision"]) == ("owner/name", repository.sha())
    with pytest.raises(SystemExit):
        main(["predict", str(photo), "--model", str(model_folder), "--revision", "main"])
    assert "is no Hub repository and has none" in capsys.readouterr().err


def test_a_converted_checkpoint_names_its_base(hub: LoopbackHub, push, tmp_path: Path) -> None:
    import torch

    from resemotenet import create_model

    torch.save(create_model("resemotenet").state_dict(), tmp_path / "best_model.pth")
    folder = convert_upstream(tmp_path / "best_model.pth", tmp_path / "model", compact=True, base_model="some/one")
    assert push(folder, "owner/name")[0] == 0
    card = hub.repositories["owner/name"].files()["README.md"].content.decode()
    assert "base_model: some/one\n" in card
    assert "Converted, not trained here: from `best_model.pth`" in card


def test_who_may_not_write(hub: LoopbackHub, push, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = push(run, "somebody/else")
    assert (code, out) == (1, "")
    assert "resemotenet: no access to somebody/else: your token lacks the right (You don't have the rights" in err
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    code, _, err = push(run, "owner/name")
    assert code == 1
    assert "your token is not accepted" in err
    assert "hf_wrong" not in err
    monkeypatch.delenv("HF_TOKEN")
    code, _, err = push(run, "owner/name")
    assert code == 1
    assert "uploading needs a token: run `hf auth login`" in err
    assert hub.repositories == {}


def test_the_token_is_in_no_address(hub: LoopbackHub, push, run: Path, tmp_path: Path) -> None:
    push(run, "owner/name", "--private", "--tag", "v1")
    pull("owner/name", tmp_path / "out")
    assert len(hub.requests) > 10
    assert not any(hub.token in request.line for request in hub.requests)
    written = (path for path in (*tmp_path.rglob("*"), *Path(os.environ["HF_HOME"]).rglob("*")) if path.is_file())
    assert not any(hub.token.encode() in path.read_bytes() for path in written)


def test_a_space_is_what_the_folder_is(hub: LoopbackHub, tmp_path: Path) -> None:
    from resemotenet.checkpoints.hub import upload_space

    folder = tmp_path / "space"
    (folder / "demo").mkdir(parents=True)
    (folder / "README.md").write_text("---\nsdk: gradio\n---\n")
    (folder / "demo" / "app.py").write_text("old")
    (folder / ".env").write_text("SECRET=1")
    first = upload_space(folder, "owner/space")
    repository = hub.repositories["spaces/owner/space"]
    assert set(repository.files()) == {".gitattributes", "README.md", "demo/app.py"}
    assert first.revision == repository.sha()
    (folder / "demo" / "app.py").rename(folder / "app.py")
    upload_space(folder, "owner/space")
    assert set(repository.files()) == {".gitattributes", "README.md", "app.py"}


def test_a_space_is_made_with_the_sdk_that_its_card_names(hub: LoopbackHub, tmp_path: Path) -> None:
    from resemotenet.checkpoints.hub import upload_space

    card = tmp_path / "README.md"
    for sdk in ("gradio", "static"):
        card.write_text(f"---\nsdk: {sdk}\n---\n")
        upload_space(tmp_path, f"owner/{sdk}")
        assert hub.repositories[f"spaces/owner/{sdk}"].sdk == sdk
    card.write_text("Only words.\n")
    with pytest.raises(HubError, match="names no sdk"):
        upload_space(tmp_path, "owner/words")
    assert "spaces/owner/words" not in hub.repositories


@pytest.mark.parametrize("tag", ["a b", "../x", "-v", ""])
def test_what_can_be_no_tag_is_found_before_anything_is_done(hub: LoopbackHub, tag: str) -> None:
    with pytest.raises(HubError, match="cannot be a tag"):
        _upload(tag=tag)
    assert hub.requests == []


def test_an_upload_without_a_token(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubAccessError, match="needs a token"):
        _upload()
    assert hub.requests == []


def _upload(**options) -> None:
    hub.upload({"a": b"b"}, "owner/name", message="m", **options)


def test_credentials_in_the_address_of_the_hub_are_told_nowhere(
    hub: LoopbackHub, push, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", hub.url.replace("://", "://me:pass@"))
    code, card, listing = push(run, "owner/name", "--dry-run")
    assert code == 0
    assert f"{hub.url}/owner/name/commits/main" in card
    assert "me:pass" not in card + listing
    hub.stop()
    with pytest.raises(HubConnectionError) as caught:
        resolve("owner/name")
    assert "pass" not in str(caught.value)


def test_a_token_that_the_hub_repeats_is_not_printed(hub: LoopbackHub, push, run: Path) -> None:
    hub.fail("whoami", times=9, status=403, message=f"the token {hub.token} may not")
    code, _, err = push(run, "owner/name")  # which looks for the token in all that is printed
    assert code == 1
    assert "the token hf_... may not" in err


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x9b"])
def test_a_revision_with_a_control_character_is_none(hub: LoopbackHub, character: str) -> None:
    for revision in (f"v1{character}", f"{character}v1", f"v{character}1"):
        with pytest.raises(HubNotFoundError, match="cannot be a branch, tag or commit"):
            resolve("owner/name", revision)
        with pytest.raises(HubError, match="cannot be a tag"):
            upload({}, "owner/name", message="m", tag=revision)
    assert hub.requests == []
