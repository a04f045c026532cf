"""The page as a server: its API, its limits, and what it leaves behind."""

import base64
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from demo import gate, guard, handlers
from resemotenet import EmotionPredictor
from resemotenet.checkpoints.pretrained import bundled_folder
from tests.demo.server import PATIENCE, ROOT, Demo, running, started, wait_until
from tests.demo.test_space import hub_settings
from tests.hub.server import LoopbackHub

ASTRONAUT = handlers.EXAMPLES_FOLDER / "astronaut.jpg"


@pytest.fixture(scope="module")
def demo(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(model_folder, tmp_path_factory.mktemp("demo")) as it:
        yield it


@pytest.fixture(scope="module")
def client(demo: Demo) -> Client:
    return Client(demo.address, verbose=False)


def call(demo: Demo, picture: Any) -> httpx.Response:
    """Call /predict without gradio_client: start it, then wait for the stream of its result."""
    started = httpx.post(f"{demo.address}gradio_api/call/predict", json={"data": [picture]}, timeout=PATIENCE)
    started.raise_for_status()
    return httpx.get(f"{demo.address}gradio_api/call/predict/{started.json()['event_id']}", timeout=PATIENCE)


def test_predict_gives_the_one_json(client: Client, predictor: EmotionPredictor):
    answer = client.predict(handle_file(ASTRONAUT), api_name="/predict")
    expected = predictor.read(ASTRONAUT.read_bytes()).to_dict()
    [face], [expected_face] = answer.pop("faces"), expected.pop("faces")
    assert answer == expected
    assert list(face) == list(expected_face)
    # Another process may use another number of threads, which changes the last digit.
    assert face["probabilities"] == pytest.approx(expected_face["probabilities"], abs=1e-5)
    assert face["box"] == pytest.approx(expected_face["box"], abs=0.1)


def test_callers_with_the_same_picture_at_once_are_all_served(client: Client, demo: Demo):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.predict(handle_file(ASTRONAUT), api_name="/predict"), range(6)))
    assert [len(answer["faces"]) for answer in answers] == [1] * 6
    assert demo.files() == []


def test_a_text_file_named_jpg_gets_our_sentence_and_goes_too(client: Client, demo: Demo, tmp_path: Path):
    fake = tmp_path / "fake.jpg"
    fake.write_text("just some text")
    with pytest.raises(AppError, match="This file cannot be read: not a picture"):
        client.predict(handle_file(fake), api_name="/predict")
    assert demo.files() == []


def test_predict_takes_a_data_uri(demo: Demo):
    uri = "data:image/jpeg;base64," + base64.b64encode(ASTRONAUT.read_bytes()).decode()
    answer = call(demo, {"url": uri})
    assert answer.text.startswith("event: complete")
    assert '"detection_score"' in answer.text


@pytest.mark.parametrize(
    "picture",
    [
        {"path": str(ASTRONAUT)},  # a file of the server
        {"path": None},
        "text",
        None,
    ],
)
def test_predict_reads_nothing_but_what_was_sent(demo: Demo, picture: Any):
    answer = call(demo, picture)
    assert answer.text.startswith("event: error")
    assert ASTRONAUT.exists()


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine: its address, and the requests that it got."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_CONNECT = do_GET

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/a.jpg", asked
        server.shutdown()


def test_a_call_that_names_an_address_is_refused_and_nothing_is_fetched(demo: Demo, elsewhere: tuple[str, list[str]]):
    address, asked = elsewhere
    meta = {"meta": {"_type": "gradio.FileData"}}
    api = f"{demo.address}gradio_api/"
    for picture in ({"path": address, **meta}, {"path": address}, {"url": address}, [{"path": address, **meta}]):
        joined = {"data": [picture], "fn_index": 2, "session_hash": "a"}
        for answer in (
            httpx.post(f"{api}call/predict", json={"data": [picture]}, timeout=PATIENCE),
            httpx.post(f"{api}call/v2/predict", json={"image": picture}, timeout=PATIENCE),
            httpx.post(f"{api}queue/join", json=joined, timeout=PATIENCE),
        ):
            assert (answer.status_code, answer.json()) == (400, {"detail": gate.NO_ADDRESS})
    assert httpx.get(f"{api}file={address}", timeout=PATIENCE).status_code == 404
    assert asked == []


def test_it_starts_where_a_proxy_is_set(model_folder: Path, tmp_path: Path, elsewhere: tuple[str, list[str]]):
    proxy, asked = elsewhere
    names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY")
    settings = dict.fromkeys(names, proxy.removesuffix("/a.jpg")) | {"RESEMOTENET_MODEL": str(model_folder)}
    with started(["-m", "demo"], ROOT, tmp_path, settings) as demo, httpx.Client(trust_env=False) as visitor:
        wait_until(lambda: "Running on local URL" in (tmp_path / "log.txt").read_text())
        assert visitor.get(demo.address, timeout=PATIENCE).status_code == 200
    assert asked == []
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def test_a_request_beyond_all_limits_is_refused(demo: Demo):
    body = b'{"data": ["' + bytes(guard.MAX_BODY_BYTES) + b'"]}'
    assert httpx.post(f"{demo.address}gradio_api/queue/join", content=body, timeout=PATIENCE).status_code == 413


def test_nothing_is_left_of_an_upload_that_is_too_large(demo: Demo):
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'
    pieces = (part, *[bytes(1_000_000)] * (guard.MAX_UPLOAD_BYTES // 1_000_000 + 1))
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = httpx.post(f"{demo.address}gradio_api/upload", content=iter(pieces), headers=headers, timeout=PATIENCE)
    assert answer.status_code == 413
    assert demo.files() == []


def test_an_uploaded_picture_that_is_too_large_gets_our_sentence_and_goes(client: Client, demo: Demo, tmp_path: Path):
    (tmp_path / "large.jpg").write_bytes(bytes(guard.MAX_BYTES + 1_000_000))
    with pytest.raises(AppError, match="16 MB, and at most 15 MB"):
        client.predict(handle_file(tmp_path / "large.jpg"), api_name="/predict")
    assert demo.files() == []


def test_nothing_is_left_of_an_upload_that_is_broken_off(demo: Demo):
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n' + bytes(100_000)
    head = "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200000\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    host, port = demo.address.removeprefix("http://").rstrip("/").split(":")
    log = demo.temporary.parent / "log.txt"
    before = log.read_text()
    slow = socket.create_connection((host, int(port)))  # still arrives when the other has broken off
    with slow, socket.create_connection((host, int(port))) as connection:
        slow.sendall(head.encode() + part)
        connection.sendall(head.encode() + part)
        time.sleep(1)
        connection.close()
        wait_until(lambda: demo.files() == [])
        assert httpx.get(demo.address, timeout=PATIENCE).status_code == 200
    wait_until(lambda: demo.files() == [])
    assert log.read_text() == before


def test_the_page_calls_no_other_host(demo: Demo):
    """What the server sends names no host to load from; the browser test sees what is really asked for."""
    config = httpx.get(f"{demo.address}config", timeout=PATIENCE).json()
    assert config["analytics_enabled"] is False
    assert config["run_history"] is False
    assert not [sheet for sheet in config["stylesheets"] if "//" in sheet]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "owner/nobody"], "owner/nobody"),
        (["--model", str(bundled_folder()), "--revision", "v1"], "v1"),
    ],
)
def test_weights_that_cannot_be_had_are_one_plain_line(tmp_path: Path, arguments: list[str], words: str):
    with LoopbackHub() as hub:
        done = demo_that_ends(arguments, hub_settings(hub, tmp_path))
    assert done.returncode == 1
    assert re.fullmatch(f"error: .*{words}.*\n", done.stderr)


def test_without_a_network_it_says_so_in_one_line(tmp_path: Path):
    with LoopbackHub() as hub:
        settings = hub_settings(hub, tmp_path)
    done = demo_that_ends(["--model", "owner/faces"], settings)
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*owner/faces.*\n", done.stderr)


def demo_that_ends(arguments: list[str], settings: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "demo", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, timeout=PATIENCE
    )


def test_main_turns_telemetry_off_before_the_libraries_are_loaded():
    """In a fresh interpreter, since the libraries read the environment when they are imported."""
    code = (
        "import demo.__main__ as main, os, sys\n"
        "assert 'gradio' not in sys.modules and 'torch' not in sys.modules, 'work at import time'\n"
        "print(main.main(['--model', 'no/such-folder-anywhere']))\n"
        "import huggingface_hub.constants as hub\n"
        "print(hub.HF_HUB_DISABLE_TELEMETRY, os.environ['GRADIO_ANALYTICS_ENABLED'])\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("GRADIO", "HF_", "RESEMO"))}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1", "True", "False"]
    assert ran.stderr.startswith("error: ")
    assert "Traceback" not in ran.stderr
