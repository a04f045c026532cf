"""The Space: the files that would be uploaded, and what they do where a Space runs."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

from gradio_client import Client, handle_file

from demo import handlers
from demo.browser import runtime
from demo.space import __main__ as command
from demo.space.assemble import MARK, Pinned, app_file, assemble, front_matter, pin
from resemotenet import EmotionPredictor
from resemotenet.checkpoints.pretrained import Source
from resemotenet.errors import ResEmoteNetError
from tests.demo.server import ROOT, Demo, started
from tests.demo.space_host import HOST, DeviceApi, can_be_zero_gpu
from tests.hub.server import File, LoopbackHub

PINNED = Pinned("someone/faces", "0123456789abcdef0123456789abcdef01234567")
TWO_FACES, CAT = (handlers.EXAMPLES_FOLDER / name for name in ("two_faces.jpg", "chelsea.jpg"))
VISITOR, LATE = "e30.e30.1", "e30.e30.2"  # what the host adds to visitors' requests: tokens with nothing in them
# All that a card's front matter may hold here, of https://huggingface.co/docs/hub/spaces-config-reference.
FIELDS = {
    *("title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "models"),
    *("short_description", "suggested_hardware", "preload_from_hub", "license"),
    *("license_name", "tags"),
}


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An assembled Space with the bundled weights."""
    out = tmp_path_factory.mktemp("space") / "out"
    assert command.main([str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def plain() -> EmotionPredictor:
    """What the Space's pictures would be read with here."""
    return EmotionPredictor.from_pretrained(device="cpu")


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_space_holds_what_it_runs_and_nothing_else(space: Path):
    copied = [
        *(ROOT / "demo").glob("*.py"),
        *(ROOT / "demo" / "web").iterdir(),
        *(ROOT / "demo" / "browser").glob("*.py"),
        *(ROOT / "demo" / "browser").glob("*.js"),
        ROOT / "demo" / "browser" / "package.json",
        *(ROOT / "demo" / "examples" / name for name in ("README.md", *(each.file for each in handlers.EXAMPLES))),
    ]
    copied += (ROOT / "resemotenet").rglob("*.py")
    copied += (ROOT / "resemotenet" / "weights" / name for name in ("config.json", "model.safetensors"))
    copied += [] if runtime.missing() else runtime.FILES
    expected = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in [*copied, ROOT / "LICENSE"]}
    found = content(space)
    made = {name: found.pop(name) for name in ("README.md", "app.py", "requirements.txt")}
    assert found == expected
    assert made["app.py"] == (ROOT / "demo" / "space" / "app.py").read_bytes()


def test_the_same_call_gives_the_same_bytes(space: Path, tmp_path: Path):
    assert content(assemble(tmp_path / "again")) == content(space)


def test_with_a_model_of_the_hub_no_weights_travel(space: Path, tmp_path: Path):
    without = content(assemble(tmp_path / "out", PINNED))
    whole = content(space)
    assert set(whole) - set(without) == {f"resemotenet/weights/{name}" for name in ("config.json", "model.safetensors")}
    assert {name for name in without if without[name] != whole[name]} == {"README.md", "app.py"}


def test_the_app_reads_what_was_pinned():
    values = {
        node.target.id: ast.literal_eval(node.value)
        for node in ast.parse(app_file(PINNED)).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
    }
    assert values == {"MODEL": PINNED.name, "REVISION": PINNED.revision}


@pytest.mark.parametrize("model", [None, PINNED], ids=["bundled", "pinned"])
def test_the_front_matter_is_what_spaces_understand(tmp_path: Path, model: Pinned | None):
    text = (assemble(tmp_path / "out", model) / "README.md").read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    fields = yaml.safe_load(head)
    assert fields == front_matter(model)
    assert set(fields) <= FIELDS
    assert len(fields["short_description"]) <= 60  # more is refused
    assert fields["sdk"] == "gradio"
    assert all(isinstance(fields[key], str) for key in ("sdk_version", "python_version"))
    assert fields["suggested_hardware"] in {hardware.value for hardware in huggingface_hub.SpaceHardware}
    assert (tmp_path / "out" / fields["app_file"]).is_file()
    assert "Not for decisions about people" in body
    assert fields["license"] == "other", "whatever the weights, the code's licence does not cover them"
    if model is None:
        assert not {"models", "preload_from_hub"} & set(fields)
        assert fields["license_name"] == "non-commercial-research"
    else:
        assert fields["models"] == [model.name]
        assert fields["preload_from_hub"] == [f"{model.name} config.json,model.safetensors {model.revision}"]
        assert model.revision in body


def test_versions_fit_the_requirements(space: Path):
    fields = front_matter()
    lines = (space / "requirements.txt").read_text(encoding="utf-8").splitlines()
    ours = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert [line.replace(",<2.12", "") if line.startswith("torch>") else line for line in lines] == ours
    allowed = {requirement.name: requirement.specifier for requirement in map(Requirement, lines)}
    assert fields["sdk_version"] in allowed["gradio"]
    assert fields["python_version"] in SpecifierSet(">=3.11")  # ZeroGPU's other one, 3.10, is too old
    assert [release in allowed["torch"] for release in ("2.8.0", "2.11.0", "2.12.0")] == [True, True, False]


def test_a_folder_with_other_things_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "thesis.tex").write_text("mine")
    assert command.main([str(tmp_path)]) == 1
    assert content(tmp_path) == {"README.md": b"mine", "thesis.tex": b"mine"}
    assert capsys.readouterr().err.startswith(f"error: {tmp_path} holds things that no earlier call wrote")


def test_somebodys_own_gradio_app_is_not_touched(space: Path, tmp_path: Path):
    """The same names as those of a Space; only the mark tells whose it is."""
    card = (space / "README.md").read_text(encoding="utf-8")
    assert MARK in card.splitlines()
    files = {"README.md": card.replace(MARK, ""), "app.py": "mine", "requirements.txt": "gradio", "demo/x": "mine"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    before = content(tmp_path)
    assert command.main([str(tmp_path)]) == 1
    assert content(tmp_path) == before


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of its own to put a Space together from."""
    root = tmp_path / "clone"
    without = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for package in ("demo", "resemotenet"):
        shutil.copytree(ROOT / package, root / package, ignore=without)
    for name in ("LICENSE", "requirements.txt"):
        shutil.copyfile(ROOT / name, root / name)
    if not runtime.missing():
        shutil.copytree(runtime.FOLDER, root / runtime.FOLDER.relative_to(ROOT))
    monkeypatch.setattr("demo.space.assemble.ROOT", root)
    return root


def test_what_else_lies_in_the_clone_stays_there(tree: Path, tmp_path: Path):
    expected = content(assemble(tmp_path / "expected", PINNED))
    for name in ("demo/examples/me.jpg", "demo/web/.secret.js", "demo/web/notes.txt", "resemotenet/.cache/key.py"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text("private")
    (tree / "resemotenet" / "token.txt").write_text("private")
    assert content(assemble(tmp_path / "out", PINNED)) == expected


@pytest.mark.parametrize("name", ["demo/web/diary.js", "resemotenet/diary.py"])
def test_links_are_not_followed(tree: Path, tmp_path: Path, name: str):
    (tmp_path / "diary").write_text("private")
    (tree / name).symlink_to(tmp_path / "diary")
    with pytest.raises(ResEmoteNetError, match=f"{name} is a symbolic link"):
        assemble(tmp_path / "out", PINNED)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("cc-by-nc-4.0", "cc-by-nc-4.0"), ("two\nlines: x", None), (3, None), ("", None)],
)
def test_the_weights_licence_is_named_where_a_card_can_hold_it(
    model_folder: Path, tmp_path: Path, stated: object, expected: str | None, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(model_folder, tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"license": {"name": stated}}))
    source = Source(tmp_path / "model", PINNED.name, PINNED.revision)
    monkeypatch.setattr("resemotenet.checkpoints.pretrained.resolve", lambda *_: source)
    fields = front_matter(pin(PINNED.name))
    assert (fields["license"], fields.get("license_name")) == ("other", expected)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_it_loads(number: signal.Signals):
    code = (
        "import os, signal, sys, time; from demo.__main__ import start; "
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"def load(): os.kill(os.getpid(), {int(number)}); time.sleep(60)\n"
        "sys.exit(start(load))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_earlier_space_is_replaced(tmp_path: Path):
    out = assemble(tmp_path / "out")
    (out / "demo" / "old.py").write_text("gone")
    (out / "app.py").write_text("changed")
    assert content(assemble(out, PINNED)) == content(assemble(tmp_path / "other", PINNED))


def test_a_folder_of_this_machine_cannot_be_pinned(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command.main([str(tmp_path / "out"), "--model", str(ROOT / "resemotenet" / "weights")]) == 1
    assert "is a folder here; a Space takes weights from the Hub, as owner/name" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


class TestRunning:
    """The assembled Space in a process of its own, in its own folder, without this checkout in sight."""

    def answers_like(self, plain: EmotionPredictor, demo: Demo, **headers: str) -> None:
        client = Client(demo.address, verbose=False, headers=headers)
        for picture in (TWO_FACES, CAT):
            answer = client.predict(handle_file(picture), api_name="/predict")
            expected = [face.to_dict() for face in plain(picture)]
            assert [face["label"] for face in answer["faces"]] == [face["label"] for face in expected]
            for face, same in zip(answer["faces"], expected, strict=True):
                # Another process may use another number of threads, which changes the last digit.
                assert face["probabilities"] == pytest.approx(same["probabilities"], abs=1e-5)
                assert face["box"] == pytest.approx(same["box"], abs=0.1)
            assert answer["model"]["source"] == "bundled"

    @pytest.mark.parametrize("options", [[], ["--without-spaces"]], ids=["spaces", "no spaces"])
    def test_without_a_gpu_nothing_changes(
        self, space: Path, plain: EmotionPredictor, tmp_path: Path, options: list[str]
    ):
        with started([HOST, space / "app.py", *options], space, tmp_path) as demo:
            self.answers_like(plain, demo)
            assert demo.files() == []

    def test_on_zerogpu_pictures_are_read_on_the_visitors_account(
        self, space: Path, plain: EmotionPredictor, tmp_path: Path
    ):
        can_be_zero_gpu(tmp_path)
        with (
            DeviceApi() as api,
            started([HOST, space / "app.py", "--zero-gpu"], space, tmp_path, api.settings(tmp_path / "host")) as demo,
        ):
            self.answers_like(plain, demo, **{"X-IP-Token": VISITOR})
            # One call: nobody pays for a picture without a face.
            assert [(call["durationSeconds"], call["token"]) for call in api.scheduled()] == [("10", VISITOR)]
            assert [path for path, _ in api.calls] == ["/startup-report", "/schedule", "/allow", "/release"]
            api.late.add(LATE)
            with ThreadPoolExecutor() as pool:
                late = pool.submit(self.answers_like, plain, demo, **{"X-IP-Token": LATE})
                self.answers_like(plain, demo, **{"X-IP-Token": VISITOR})  # is not held up
                assert not late.done()
                api.free.set()
                late.result()
            before = len(api.calls)
            api.seconds_left = 3
            self.answers_like(plain, demo, **{"X-IP-Token": VISITOR})
            assert [path for path, _ in api.calls[before:]] == ["/schedule"]
            assert demo.files() == []


class TestWithAHub:
    """``python -m demo.space`` in a process of its own, against a Hub on loopback."""

    @pytest.fixture
    def hub(self, model_folder: Path) -> Iterator[LoopbackHub]:
        with LoopbackHub() as hub:
            files = {
                path.name: File(path.read_bytes(), path.suffix == ".safetensors") for path in model_folder.iterdir()
            }
            hub.create("owner/faces", files)
            yield hub

    @pytest.fixture
    def run(self, hub: LoopbackHub, tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
        settings = hub_settings(hub, tmp_path / "hf")

        def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
            line = [sys.executable, "-m", "demo.space", *map(str, arguments)]
            return subprocess.run(line, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True)

        return run

    def test_a_branch_is_pinned_to_its_commit(self, hub: LoopbackHub, run: Any, tmp_path: Path):
        done = run(tmp_path / "out", "--model", "owner/faces", "--revision", "main")
        assert done.returncode == 0, done.stderr
        pinned = Pinned("owner/faces", hub.repositories["owner/faces"].sha())
        assert content(tmp_path / "out") == content(assemble(tmp_path / "expected", pinned))

    def test_a_pinned_space_starts_from_the_cache_alone(self, hub: LoopbackHub, run: Any, tmp_path: Path):
        """As on the host, which fetches what is listed in preload_from_hub when it builds."""
        out, sha = tmp_path / "out", hub.repositories["owner/faces"].sha()
        done = run(out, "--model", "owner/faces")
        assert done.returncode == 0, done.stderr
        hub.stop()
        settings = hub_settings(hub, tmp_path / "hf")
        with started([HOST, out / "app.py"], out, tmp_path / "running", settings) as demo:
            answer = Client(demo.address, verbose=False).predict(handle_file(CAT), api_name="/predict")
        assert (answer["model"]["source"], answer["model"]["revision"]) == ("owner/faces", sha)

    def test_a_space_is_pushed_in_one_commit_and_stale_files_go(self, hub: LoopbackHub, run: Any, tmp_path: Path):
        for number, folder in enumerate(("one", "two"), start=1):
            done = run(tmp_path / folder, "--model", "owner/faces", "--push", "owner/page")
            assert done.returncode == 0, done.stderr
            space = hub.repositories["spaces/owner/page"]
            files = {name: file.content for name, file in space.files().items() if name != ".gitattributes"}
            assert files == content(tmp_path / folder)
            assert done.stdout.splitlines()[-1] == f"{hub.url}/spaces/owner/page"
            shown = dict(reversed(line.split()) for line in done.stderr.splitlines() if line.startswith("  "))
            assert shown == {name: f"{len(each):,}" for name, each in files.items()}
            if number == 1:
                assert len(space.commits) == 2  # the one that made it, and ours
                space.commit({**space.files(), "demo/stale.py": b"old"})
        assert hub.token not in done.stdout + done.stderr

    def test_somebodys_own_space_is_not_replaced(self, hub: LoopbackHub, run: Any, tmp_path: Path):
        space = hub.create("spaces/owner/page", {"README.md": b"---\nsdk: gradio\n---\n", "app.py": b"mine"})
        before = space.sha()
        arguments = (tmp_path / "out", "--model", "owner/faces", "--push", "owner/page")
        done = run(*arguments)
        assert done.returncode == 1
        assert "error: the Space owner/page holds" in done.stderr
        assert space.sha() == before
        done = run(*arguments, "--force")
        assert done.returncode == 0, done.stderr
        assert space.files()["app.py"].content == (tmp_path / "out" / "app.py").read_bytes()

    def test_what_cannot_be_pinned_is_one_plain_line(self, run: Any, tmp_path: Path):
        done = run(tmp_path / "out", "--model", "owner/faces", "--revision", "v9")
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert "v9" in done.stderr
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()


def hub_settings(hub: LoopbackHub, home: Path) -> dict[str, str]:
    """Environment variables that point huggingface_hub at a Hub on loopback."""
    settings = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(home), "NO_PROXY": "*"}
    return settings | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
