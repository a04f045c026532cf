"""What browsers load the reader from: which files, how they are kept, and what stands where there are none."""

import gzip
import hashlib
import json
import shutil
from concurrent.futures import Future
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from demo import gate
from demo.browser import assemble, device_files, runtime
from resemotenet import load_model
from resemotenet.checkpoints.pretrained import Source, resolve

FILES = {"worker.js": b"let reader;", "reader.json": b"{}", "network.onnx.gz": b"packed"}


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime of the right release, with files that only stand there."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    files = {name: folder / name.lower() for name in ("STATED", "SCRIPT", "BINARY")}
    wanted = json.loads((assemble.HERE / "package.json").read_text())["dependencies"]["onnxruntime-web"]
    for name, path in files.items():
        path.write_text(json.dumps({"version": wanted}) if name == "STATED" else name)
        monkeypatch.setattr(runtime, name, path)
    monkeypatch.setattr(runtime, "FILES", tuple(files.values()))
    return folder


@pytest.fixture
def client() -> TestClient:
    files: device_files.Pending = Future()
    files.set_result(FILES)

    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse("the page")

    middleware = [Middleware(gate.Gate), Middleware(device_files.DeviceFiles, files=files)]
    return TestClient(Starlette(routes=[Route("/", page)], middleware=middleware))


def test_files_are_answered_and_the_page_as_before(client: TestClient):
    assert client.get("/").text == "the page"
    script = client.get("/device/worker.js")
    assert script.content == FILES["worker.js"]
    assert script.headers["content-type"].startswith("text/javascript")
    assert "wasm-unsafe-eval" in script.headers["content-security-policy"]
    assert "'unsafe-eval'" not in script.headers["content-security-policy"]
    assert client.get("/device/reader.json").json() == {}


@pytest.mark.parametrize("path", ["/device/", "/device/other.js", "/device/../assemble.py", "/device/Worker.js"])
def test_nothing_else_is(client: TestClient, path: str):
    assert client.get(path).status_code == 404


def test_what_is_named_by_its_digest_is_kept_and_the_rest_asked_for_again(client: TestClient):
    assert "immutable" in client.get("/device/network.onnx.gz?123").headers["cache-control"]
    first = client.get("/device/reader.json")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/device/reader.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_downloads_are_listed_with_their_size_and_digest(fetched: Path, tmp_path: Path):
    source = resolve()
    folder = assemble.assemble(load_model(source.folder), source, tmp_path / "device")
    listed = json.loads((folder / "reader.json").read_text())["downloads"]
    packed = {path.name.removesuffix(".gz"): path.read_bytes() for path in folder.glob("*.gz")}
    assert {name: (each["bytes"], each["sha256"]) for name, each in listed.items()} == {
        name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in packed.items()
    }
    assert gzip.decompress(packed["ort.wasm"]) == b"BINARY"
    assert {path.name for path in assemble.HERE.glob("*.js")} <= {path.name for path in folder.iterdir()}
    assert all(gate.answers("GET", f"/device/{path.name}") for path in folder.iterdir())


def test_another_release_of_the_runtime_is_not_taken(fetched: Path):
    assert runtime.missing() is None
    (fetched / "stated").write_text('{"version": "1.0.0"}')
    assert "is 1.0.0, expected" in str(runtime.missing())
    shutil.rmtree(fetched)
    assert "'make runtime' fetches it" in str(runtime.missing())


def test_where_something_is_missing_the_server_says_so_and_reads(
    fetched: Path, model_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    source = resolve()
    bundled = load_model(source.folder)
    assert device_files.offered(load_model(model_folder), Source(model_folder, "mine")) is None
    assert "no ranges for 8 bits" in capsys.readouterr().err
    monkeypatch.setenv("RESEMOTENET_DEVICE", "off")
    assert device_files.offered(bundled, source) is None
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("RESEMOTENET_DEVICE")
    shutil.rmtree(fetched)
    assert device_files.offered(bundled, source) is None
    assert "ONNX Runtime Web is not there" in capsys.readouterr().err
