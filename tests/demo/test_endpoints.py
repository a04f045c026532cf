"""The named endpoints, as programs call them: by Gradio's client, by curl, and as the README says."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from demo import endpoints, handlers
from resemotenet import EmotionPredictor
from tests import films
from tests.demo.server import PATIENCE, ROOT, Demo, running, wait_until
from tests.documents import Document

PICTURES = {"photo": "two_faces", "a": "astronaut", "b": "chelsea"}
README = Document(ROOT / "demo" / "README.md")
FILE = {"_type": "gradio.FileData"}
WRITTEN = "http://127.0.0.1:7860"  # in the README


@pytest.fixture(scope="module")
def demo(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(model_folder, tmp_path_factory.mktemp("demo")) as it:
        yield it


@pytest.fixture(scope="module")
def client(demo: Demo) -> Client:
    return Client(demo.address, verbose=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files that the README names."""
    for name, example in PICTURES.items():
        shutil.copy(handlers.EXAMPLES_FOLDER / f"{example}.jpg", tmp_path / f"{name}.jpg")
    films.write(tmp_path / "film.mp4", [films.scene((films.heads()[0], 200 + 2 * step, 90)) for step in range(30)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_these_are_the_endpoints_and_each_says_how_it_is_called(client: Client, demo: Demo):
    described = client.view_api(return_format="dict", print_info=False)
    assert isinstance(described, dict)
    assert list(described["named_endpoints"]) == ["/predict", "/predict_many", "/video"]
    assert not described["unnamed_endpoints"]
    info = httpx.get(f"{demo.address}gradio_api/info", timeout=PATIENCE).json()["named_endpoints"]
    for name, endpoint in info.items():
        [parameter] = endpoint["parameters"]
        assert "filepath" in parameter["python_type"]["type"] or name == "/predict"
        assert "://" not in json.dumps(parameter["example_input"])
        assert parameter["python_type"]["description"] == "Sent, not named by an address."
        assert "gradio_api/upload" in endpoint["description"]


def test_many_pictures_with_a_broken_one(client: Client, demo: Demo, here: Path, predictor: EmotionPredictor):
    (here / "broken.jpg").write_text("just some text")
    names = ["photo.jpg", "broken.jpg", "b.jpg", "a.jpg"]
    told = client.predict([handle_file(here / name) for name in names], api_name="/predict_many")
    assert [each["name"] for each in told] == names
    assert "not a picture" in told[1]["problem"]
    assert list(told[1]) == ["name", "problem"]
    assert [len(each["faces"]) for each in told if "faces" in each] == [2, 0, 1]
    expected = predictor.read((here / "a.jpg").read_bytes()).to_dict()
    assert {name: told[3][name] for name in ("schema", "model", "image")} == {
        name: expected[name] for name in ("schema", "model", "image")
    }
    assert demo.files() == []


@pytest.mark.parametrize("given", [None, "text", [], [None], [{"path": "/etc/passwd", "meta": FILE}]])
def test_what_is_no_list_of_uploads_reads_nothing(demo: Demo, given: Any):
    assert called(demo, "predict_many", given).startswith("event: error")


def called(demo: Demo, name: str, given: Any) -> str:
    started = httpx.post(f"{demo.address}gradio_api/call/{name}", json={"data": [given]}, timeout=PATIENCE)
    started.raise_for_status()
    address = f"{demo.address}gradio_api/call/{name}/{started.json()['event_id']}"
    return httpx.get(address, timeout=PATIENCE).text


def test_too_many_pictures_are_refused(here: Path, client: Client, demo: Demo):
    paths = httpx.post(f"{demo.address}gradio_api/upload", files={"files": b"x"}, timeout=PATIENCE).json()
    answer = called(demo, "predict_many", [{"path": paths[0], "meta": FILE}] * (endpoints.MOST + 1))
    assert answer.startswith("event: error")
    assert "up to 100 pictures" in answer
    assert demo.files() == []


def test_a_video_is_told_moment_by_moment_and_summed_up(client: Client, demo: Demo, here: Path):
    told = client.predict(handle_file(here / "film.mp4"), api_name="/video")
    assert [moment["time"] for moment in told["moments"]] == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert all([face["person"] for face in moment["faces"]] == [1] for moment in told["moments"])
    [person] = told["timeline"]["people"]
    assert person["times"] == [moment["time"] for moment in told["moments"]]
    assert sum(person["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert told["image"] == {"width": 640, "height": 360}
    assert told["problem"] is None
    wait_until(lambda: demo.files() == [])


def test_a_video_that_cannot_be_read_is_one_sentence(client: Client, demo: Demo, here: Path):
    (here / "fake.mp4").write_text("just some text")
    with pytest.raises(AppError, match=r"^This video cannot be read: not a video") as caught:
        client.predict(handle_file(here / "fake.mp4"), api_name="/video")
    assert str(demo.temporary) not in str(caught.value)
    wait_until(lambda: demo.files() == [])


def test_the_python_of_the_readme_runs(demo: Demo, here: Path):
    [block] = README.blocks("py")
    assert WRITTEN in block
    names: dict[str, Any] = {}
    exec(compile(block.replace(WRITTEN, demo.address.rstrip("/")), "README", "exec"), names)
    assert len(names["report"]["faces"]) == 2
    assert [each["name"] for each in names["reports"]] == ["a.jpg", "b.jpg"]
    assert names["film"]["timeline"]["people"][0]["person"] == 1


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="no curl")
def test_the_lines_with_curl_of_the_readme_run(demo: Demo, here: Path):
    [block] = README.blocks("bash")
    assert WRITTEN in block
    script = block.replace(WRITTEN, demo.address.rstrip("/"))
    ran = subprocess.run(["bash", "-ec", script], cwd=here, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 0, ran.stderr
    event, data = ran.stdout.strip().split("\n")
    assert event == "event: complete"
    [told] = json.loads(data.removeprefix("data: "))
    assert len(told["moments"]) == 6
    wait_until(lambda: demo.files() == [])
