"""What reaches Gradio, and what is answered before it does."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from demo import gate

CALL = "/gradio_api/call/predict"
JOIN = "/gradio_api/queue/join"


def test_these_routes_of_gradio_remain():
    """Whatever the next Gradio adds is not answered until somebody adds it here."""
    # In a process of its own: Gradio leaves event loops behind.
    script = (
        "import gradio, json\n"
        "def walk(routes):\n"
        "    for route in routes:\n"
        "        inner = getattr(route, 'original_router', None)\n"  # newer versions of FastAPI keep these apart
        "        if inner is not None: yield from walk(inner.routes)\n"
        "        elif getattr(route, 'methods', None): yield route.path, sorted(route.methods)\n"
        "print(json.dumps(list(walk(gradio.routes.App.create_app(gradio.Blocks()).routes))))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    offered = [(method, path) for path, methods in json.loads(ran.stdout) for method in methods]
    assert len(offered) > 60, "the routes of Gradio were not found"
    remaining = set()
    for method, path in offered:
        named = re.sub(r"\{(\w+)(:\w+)?\}", lambda name: "predict" if name[1] == "api_name" else "x", path)
        remaining |= {f"{method} {path}"} if gate.answers(method, named) else set()
    assert remaining == {
        "HEAD /",
        "GET /",
        "GET /config",
        "GET /theme.css",
        "GET /favicon.ico",
        "GET /manifest.json",
        "GET /assets/{path:path}",
        "GET /static/{path:path}",
        "GET /svelte/{path:path}",
        "GET /gradio_api/startup-events",
        "GET /gradio_api/info",
        "GET /gradio_api/heartbeat/{session_hash}",
        "GET /gradio_api/queue/data",
        "POST /gradio_api/queue/join",
        "POST /gradio_api/component_server",
        "POST /gradio_api/component_server/",
        "POST /gradio_api/upload",
        "POST /gradio_api/call/{api_name}",
        "GET /gradio_api/call/{api_name}/{event_id}",
        "POST /gradio_api/call/v2/{api_name}",
        "GET /gradio_api/call/v2/{api_name}/{event_id}",
    }


@pytest.fixture
def gated() -> TestClient:
    """Says what arrives behind the gate."""

    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await request.body())

    routes = [Route("/{path:path}", echo, methods=["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE"])]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(gate.Gate)]), base_url="http://127.0.0.1:7860")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/process_recording"),
        ("GET", "/gradio_api/file=http://127.0.0.1/a.jpg"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1/"),
        ("GET", "/gradio_api/file/etc/passwd"),
        ("GET", "/gradio_api/deep_link?session_hash=a"),
        ("POST", "/gradio_api/run/predict"),
        ("POST", "/gradio_api/api/predict"),
        ("POST", "/gradio_api/call/answer"),
        ("POST", "/gradio_api/call/predict_many/x/y"),
        ("GET", "/gradio_api/film/../etc"),
        ("GET", "/gradio_api/film/" + "a" * 31),
        ("PUT", "/gradio_api/film/" + "a" * 32),
        ("POST", "/gradio_api/vibe-code"),
        ("GET", "/gradio_api/upload_progress?upload_id=a"),
        ("GET", "/gradio_api/stream/a/b/c/playlist.m3u8"),
        ("GET", "/gradio_api/heartbeat/%ed%a0%80"),
        ("GET", "/gradio_api/heartbeat/" + "a" * 65),
        ("POST", "/gradio_api/queue/join/../reset"),
        ("POST", "/GRADIO_API/QUEUE/JOIN"),
        ("PUT", "/gradio_api/upload"),
        ("DELETE", "/"),
        ("GET", "/docs"),
        ("GET", "/assets/" + "a" * 300),
    ],
)
def test_all_else_is_not_found(gated: TestClient, method: str, path: str):
    answer = gated.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_a_call_arrives_as_it_was_sent(gated: TestClient):
    body = json.dumps({"data": [{"path": "/tmp/a.jpg", "url": "http://127.0.0.1:7860/file=/tmp/a.jpg"}], "é": "😀"})
    assert gated.post(CALL, content=body, headers={"Content-Type": "application/json"}).text == body
    assert gated.post(CALL, json={"data": [{"path": None, "url": "data:image/png;base64,AA"}]}).status_code == 200
    assert gated.post(CALL, json={"data": [{"path": "C:\\photo.jpg"}]}).status_code == 200


@pytest.mark.parametrize(
    "address", ["http://a/b", "HTTPS://a/b", " http://a/b", "ftp://a/b", "file:///etc/passwd", "//a/b", "\\\\a\\b"]
)
@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: [[{"image": it}]], lambda it: {"value": {"video": it}}])
def test_an_address_is_refused_wherever_it_stands(gated: TestClient, address: str, wrap: Any):
    for named in (
        {"path": address},
        {"url": address},
        {"path": address, "url": "data:,"},
        {"path": None, "url": address},
    ):
        for path in (CALL, JOIN):
            answer = gated.post(path, json={"data": [wrap(named)]})
            assert (answer.status_code, answer.json()["detail"]) == (400, gate.NO_ADDRESS)


@pytest.mark.parametrize(
    "body",
    [
        '{"data": [], "session_hash": "\\ud800"}',
        '{"data": ["\\ud800"]}',
        '{"\\udfff": 1}',
        '{"data": [], "session_hash": "' + "a" * 65 + '"}',
        '{"data": [], "session_hash": ""}',
        '{"data": [], "session_hash": 5}',
        '{"data": [], "session_hash": ["a"]}',
        "[]",
        "null",
        "",
        "{",
        "\xff",
        "[" * 100_000,
    ],
)
def test_what_is_no_call_is_refused_in_one_sentence(gated: TestClient, body: str):
    for path in (CALL, JOIN, "/gradio_api/component_server"):
        content = body.encode("latin-1")
        answer = gated.post(path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["detail"].endswith(".")


def test_both_halves_of_a_character_pass(gated: TestClient):
    body = '{"data": ["\\ud83d\\ude00"]}'
    assert gated.post(CALL, content=body, headers={"Content-Type": "application/json"}).text == body


@pytest.mark.parametrize(
    "content_type", ["text/plain", "multipart/form-data; boundary=x", "", "application/x-www-form-urlencoded"]
)
def test_a_call_is_json_or_nothing(gated: TestClient, content_type: str):
    """Forms of other sites can send these without asking first; files in them would be written to disk."""
    answer = gated.post("/gradio_api/component_server/", content=b"{}", headers={"Content-Type": content_type})
    assert answer.status_code == 400


def test_a_session_in_the_query_is_one_word(gated: TestClient):
    path = "/gradio_api/queue/data"
    assert gated.get(f"{path}?session_hash=abc-12").status_code == 200
    for query in ("", "?session_hash=", "?session_hash=%ed%a0%80", "?session_hash=a&session_hash=b"):
        assert gated.get(path + query).status_code == 400


def tool(arguments: Any, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"arguments": arguments, **params}}


def test_a_tool_is_given_no_address(gated: TestClient):
    """A file is named by a text alone there, which Gradio would fetch."""
    for path in (gate.TOOLS, f"{gate.TOOLS}/"):
        for arguments in ({"image": "http://a/b"}, {"images": ["data:,", " HTTPS://a/b"]}, {"video": "//a/b"}):
            answer = gated.post(path, json=tool(arguments))
            assert (answer.status_code, answer.json()["detail"]) == (400, gate.NO_ADDRESS)
        for call in (
            tool({"image": "data:image/png;base64,AA"}),
            tool({}, clientInfo={"site": "https://a"}),
            tool(None),
        ):
            assert gated.post(path, json=call).status_code == 200
        assert gated.post(path, json=[]).status_code == 400


def test_tools_are_called_by_post_alone(gated: TestClient):
    for method in ("GET", "DELETE", "PUT"):
        assert gated.request(method, f"{gate.TOOLS}/").status_code == 405
    for path in ("/sse", "/schema", "/messages/", "/http"):
        assert gated.post(f"{gate.TOOLS}{path}").status_code == 404


def test_what_gradio_does_not_expect_is_one_sentence_and_one_line_of_log(caplog: pytest.LogCaptureFixture):
    async def surprised(request: Request) -> PlainTextResponse:
        raise KeyError("no such function" * 1000)

    routes = [Route("/{path:path}", surprised, methods=["GET", "POST"])]
    client = TestClient(Starlette(routes=routes, middleware=[Middleware(gate.Gate)]))
    for answer in (client.get("/assets/a.js"), client.post(CALL, json={"fn_index": -1})):
        assert (answer.status_code, answer.json()) == (500, {"detail": "This request could not be answered."})
    lines = [record.getMessage() for record in caplog.records if record.name == "demo.gate"]
    assert len(lines) == 2
    assert all(len(line) < 400 and "\n" not in line and "test_gate.py:" in line for line in lines)
