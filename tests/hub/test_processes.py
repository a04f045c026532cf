"""Commands in processes of their own: killed at one moment, or started when the Hub is gone."""

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from resemotenet import load_model
from resemotenet.cli import main
from tests.finished_run import make_run
from tests.hub.conftest import CARD, PATIENCE, Command
from tests.hub.server import LoopbackHub

NAME = "owner/name"
Start = Callable[..., Command]

# Moment -> at which request, where in it, and whether the commit is made by then.
PUSH: dict[str, tuple[str, dict[str, Any], bool]] = {
    "in the middle of the weights": ("PUT /cdn", {"pause": 100_000}, False),
    "when the weights have arrived": ("PUT /cdn", {"hold": True}, False),
    "in the middle of the commit": ("POST .*/commit/", {"pause": 200}, False),
    "when the commit is made": ("POST .*/commit/", {"hold": True}, True),
}


@pytest.mark.parametrize(("where", "order", "made"), PUSH.values(), ids=PUSH.keys())
def test_a_push_that_is_killed(
    where: str, order: dict[str, Any], made: bool, hub: LoopbackHub, command: Start, model_folder: Path
) -> None:
    """The repository has the whole commit, or it is as it was; a retry ends in the same."""
    repository = hub.create(NAME, {"README.md": b"old"})
    before, files = repository.sha(), {".gitattributes", "README.md", "config.json", "model.safetensors"}
    hub.fail(where, **order)
    started = command("push", model_folder, NAME)
    assert hub.paused.wait(PATIENCE)
    started.kill()
    killed = repository.sha()
    assert (killed != before) == made
    assert set(repository.files()) == (files if made else {".gitattributes", "README.md"})
    hub.going.set()
    assert main(["push", str(model_folder), NAME]) == 0
    assert (repository.sha() == killed) == made, "what was made is not made again"
    assert set(repository.files()) == files
    assert repository.files()["model.safetensors"].content == (model_folder / "model.safetensors").read_bytes()
    assert len(repository.commits) == 3


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("where", "order"),
    [("GET /cdn", {"pause": 300_000}), ("HEAD .*safetensors", {"hold": True})],
    ids=["in the middle of the weights", "before the weights"],
)
def test_a_pull_that_is_killed(
    where: str, order: dict[str, Any], hub: LoopbackHub, model: dict[str, bytes], command: Start, tmp_path: Path
) -> None:
    """There is no folder, and the cache says of no half file that it is the file."""
    hub.fail(where, **order)
    started = command("pull", NAME, tmp_path / "out")
    assert hub.paused.wait(PATIENCE)
    started.kill()
    assert {path.name for path in tmp_path.iterdir()} == {"hf-home"}
    true = {file.etag: file.content for file in hub.repositories[NAME].files().values()}
    for blob in Path(constants.HF_HUB_CACHE).rglob("blobs/*"):
        assert blob.suffix == ".incomplete" or blob.read_bytes() == true[blob.name]
    hub.going.set()
    assert main(["pull", NAME, str(tmp_path / "out")]) == 0
    assert contents(tmp_path / "out") == model


# A pull that kills itself at the moment in its first argument.
KILLED = """
import os, signal, sys
from pathlib import Path
from resemotenet import cli
from resemotenet.checkpoints import pretrained

moment, die = sys.argv.pop(1), lambda: os.kill(os.getpid(), signal.SIGKILL)

def copy(source, target):
    target.write_bytes(source.read_bytes()[:200])
    die()

def rename(self, target, original=Path.rename):
    if self.name == ".out.new":
        die()
    return original(self, target)

if moment == "in the middle of a copy":
    pretrained._copy = copy
else:
    Path.rename = rename
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("moment", ["in the middle of a copy", "between the renames"])
def test_a_pull_that_is_killed_where_it_writes(
    moment: str, hub: LoopbackHub, model: dict[str, bytes], command: Start, tmp_path: Path
) -> None:
    """An earlier pull is there as it was, or a newer one, whole."""
    out = tmp_path / "out"
    main(["pull", NAME, str(out)])
    newer = model | {"README.md": CARD + b"Newer.\n"}
    hub.repositories[NAME].commit(newer)
    started = command(moment, "pull", NAME, out, script=KILLED)
    printed, _ = started.process.communicate(timeout=PATIENCE)
    assert started.process.returncode == -signal.SIGKILL, printed
    folder = load_model(out).folder
    assert contents(folder) == model, "an earlier one, aside if need be"
    assert main(["pull", NAME, str(out)]) == 0
    assert contents(out) == newer
    assert {path.name for path in tmp_path.iterdir()} == {"hf-home", "out"}


ANSWERS = """
import sys
import numpy as np
from resemotenet import EmotionPredictor

faces = list(np.random.default_rng(0).integers(0, 256, (5, 60, 50, 3), np.uint8))
for source, revision in zip(sys.argv[1::2], sys.argv[2::2]):
    predictor = EmotionPredictor.from_pretrained(source, revision=revision or None, device="cpu")
    print(predictor.classify(faces).tobytes().hex())
"""


def test_a_run_is_the_same_everywhere(
    hub: LoopbackHub, model_folder: Path, command: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pushed, pulled by its commit in another process, and read in a third when the Hub is gone: bit for bit."""
    run, out = make_run(tmp_path / "run", model_folder), tmp_path / "out"
    assert main(["push", str(run), NAME]) == 0
    pushed = re.search(r'revision="([0-9a-f]{40})"', capsys.readouterr().out)
    assert pushed
    sha = pushed[1]
    printed = command("-v", "pull", NAME, out, "--revision", sha, HF_DEBUG="1").finish()
    hub.stop()
    answers = command(NAME, sha, out, "", run / "model", "", script=ANSWERS).finish().splitlines()
    assert len(answers) == 3
    assert len(set(answers)) == 1
    assert "resolve/" in printed, "HF_DEBUG shows every request"
    assert hub.token not in printed
    assert all(request.authorization is None for request in hub.requests if request.host.startswith("localhost"))
    offline = command("pull", NAME, tmp_path / "again", "--revision", sha, HF_HUB_OFFLINE="1").finish()
    assert str(tmp_path / "again") in offline
    assert contents(tmp_path / "again") == contents(out)
