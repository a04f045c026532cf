"""How the server starts and ends: in time, and with one line where it cannot."""

import base64
import os
import re
import resource
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

from demo import __main__ as page
from demo import handlers
from tests.demo.server import PATIENCE, free_port, running
from tests.demo.test_app import demo_that_ends

ASTRONAUT = (handlers.EXAMPLES_FOLDER / "astronaut.jpg").read_bytes()


def test_sigterm_ends_a_busy_server_within_five_seconds(model_folder: Path, tmp_path: Path):
    """Pictures wait and are read, visitors are connected, an upload is arriving."""
    uri = "data:image/jpeg;base64," + base64.b64encode(ASTRONAUT).decode()

    def ask(number: int) -> None:
        url = f"{demo.address}gradio_api/"
        try:
            if number % 2:
                httpx.post(f"{url}call/predict", json={"data": [{"url": uri}]}, timeout=PATIENCE)
            httpx.get(f"{url}heartbeat/visitor{number}", timeout=PATIENCE)
        except httpx.HTTPError:
            pass  # the server has gone

    with running(model_folder, tmp_path) as demo, ThreadPoolExecutor(24) as pool:
        httpx.get(demo.address, timeout=PATIENCE).raise_for_status()
        for number in range(24):
            pool.submit(ask, number)
        host, port = demo.address.removeprefix("http://").rstrip("/").split(":")
        with socket.create_connection((host, int(port))) as slow:
            head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: 200000\r\n"
            slow.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")
            time.sleep(2)
            begun = time.monotonic()
            demo.process.send_signal(signal.SIGTERM)
            demo.process.wait(PATIENCE)
        assert time.monotonic() - begun < 5
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGHUP, signal.SIGTERM)])
def test_a_second_signal_or_a_terminal_that_is_closed(
    model_folder: Path, tmp_path: Path, numbers: tuple[signal.Signals, ...]
):
    with running(model_folder, tmp_path) as demo:
        httpx.get(demo.address, timeout=PATIENCE).raise_for_status()
        for number in numbers:
            demo.process.send_signal(number)
            time.sleep(0.1)
        demo.process.wait(PATIENCE)
    assert not list(tmp_path.rglob("resemotenet-page-*"))
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def test_a_port_that_is_taken_is_an_error_however_it_was_named(model_folder: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for arguments, settings in ([], {"GRADIO_SERVER_PORT": port}), (["--port", port], {}):
            done = demo_that_ends(arguments, settings | {"RESEMOTENET_MODEL": str(model_folder)})
            assert done.returncode == 1
            assert re.fullmatch(rf"error: .*{port}.*in use.*--port.*\n", done.stderr)


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999999999999999999", "http", "7860.5", "²"])
def test_what_is_no_port_is_one_line(model_folder: Path, port: str):
    done = demo_that_ends([], {"GRADIO_SERVER_PORT": port, "RESEMOTENET_MODEL": str(model_folder)})
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*from 1 to 65535.*\n", done.stderr)


def test_an_address_that_is_not_this_machines_is_one_line(model_folder: Path):
    settings = {"GRADIO_SERVER_PORT": str(free_port()), "GRADIO_SERVER_NAME": "192.0.2.1"}
    done = demo_that_ends([], settings | {"RESEMOTENET_MODEL": str(model_folder)})
    assert done.returncode == 1
    assert re.fullmatch(r"error: cannot listen on .*\n", done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process can be set on Linux only")
def test_an_upload_without_room_on_disk_gets_a_sentence(model_folder: Path, tmp_path: Path):
    with running(model_folder, tmp_path) as demo:
        httpx.get(demo.address, timeout=PATIENCE).raise_for_status()
        # No file may grow beyond this: to whoever writes it is as if the disk were full.
        resource.prlimit(demo.process.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        files = {"files": ("large.jpg", os.urandom(3_000_000))}
        answer = httpx.post(f"{demo.address}gradio_api/upload", files=files, timeout=PATIENCE)
        assert answer.status_code == 507
        assert "no room" in answer.json()["detail"]
        assert httpx.get(demo.address, timeout=PATIENCE).status_code == 200
        assert demo.files() == []
    log = (tmp_path / "log.txt").read_text()
    assert "Traceback" not in log


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be held there")
def test_what_a_killed_server_left_goes_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    killed, young, other = (tmp_path / name for name in ("resemotenet-page-a", "resemotenet-page-b", "resemotenet-c"))
    for folder in (killed, young, other):
        folder.mkdir()
        (folder / "upload").write_bytes(b"a picture")
    for folder in (killed, other):
        os.utime(folder, (0, 0))
    with page._own_folder() as running_one:
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
        os.utime(running_one, (0, 0))  # has run for long
        with page._own_folder():
            assert running_one.exists()
        assert not killed.exists()
        assert young.exists()
        assert other.exists()
    assert not running_one.exists()
