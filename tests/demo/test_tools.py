"""The page's tools, called by a client of the Model Context Protocol as a model's program would."""

import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")
pytest.importorskip("mcp", reason="tools need mcp: pip install -r requirements.txt")

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from demo import gate, handlers, tools
from resemotenet.checkpoints.pretrained import bundled_folder
from tests import films
from tests.demo.server import PATIENCE, ROOT, Demo, running, wait_until
from tests.demo.test_shares import apart
from tests.documents import Document

ASTRONAUT, CAT = (handlers.EXAMPLES_FOLDER / f"{name}.jpg" for name in ("astronaut", "chelsea"))
README = Document(ROOT / "demo" / "README.md")

Use = Callable[[ClientSession], Awaitable[Any]]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(bundled_folder(), tmp_path_factory.mktemp("demo")) as it:
        yield it


def visit(demo: Demo, use: Use) -> Any:
    """What ``use`` gives of a session with the server's tools."""

    async def connected() -> Any:
        async with (
            streamable_http_client(f"{demo.address}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await use(session)

    return apart(connected())


def call(demo: Demo, name: str, **arguments: Any) -> Any:
    """The answer of a tool; where it is an error, its text."""
    result = visit(demo, lambda session: session.call_tool(name, arguments))
    [content] = result.content
    return content.text if result.isError else json.loads(content.text)


def uri(path: Path, kind: str = "image/jpeg") -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scenes = (films.scene((films.heads()[0], 200 + step, 90)) for step in range(50))
    return films.write(tmp_path_factory.mktemp("clips") / "clip.mp4", scenes)


def test_the_tools_are_the_named_endpoints_and_each_says_what_it_takes(demo: Demo):
    listed = visit(demo, lambda session: session.list_tools()).tools
    assert [each.name for each in listed] == ["predict", "predict_many", "video"]
    for each in listed:
        [(name, schema)] = each.inputSchema["properties"].items()
        assert each.inputSchema["required"] == [name]
        assert "/gradio_api/upload" in json.dumps(schema)
        assert "not fetched" in json.dumps(schema)
        assert "upload_file_to_gradio" not in each.description
        assert len(each.description) > 100
    # Gradio's panel about the API asks for the same, and says that there are no tools where it gets no answer.
    shown = httpx.get(f"{demo.address}gradio_api/mcp/schema", timeout=PATIENCE).json()
    assert [(each["name"], each["inputSchema"]) for each in shown] == [(each.name, each.inputSchema) for each in listed]
    assert not any(each["meta"]["file_data_present"] for each in shown)


def test_a_conversation_is_that_of_the_readme(demo: Demo, clip: Path):
    [written] = README.blocks("text")
    listed = visit(demo, lambda session: session.list_tools()).tools
    told = ["-> tools/list", f"<- {', '.join(each.name for each in listed)}"]
    picture = call(demo, "predict", image=uri(ASTRONAUT))
    [face] = picture["faces"]
    shown = {
        "label": face["label"],
        "confidence": round(face["confidence"], 1),
        "box": [round(at, -1) for at in face["box"]],
    }
    told += ['-> tools/call predict {"image": "data:image/jpeg;base64,..."}', f'<- "faces": [{json.dumps(shown)}]']
    [_, cat] = call(demo, "predict_many", images=[uri(ASTRONAUT), uri(CAT)])
    told += [
        '-> tools/call predict_many {"images": ["data:image/jpeg;base64,...", "data:image/jpeg;base64,..."]}',
        f'<- [..., {{"name": {json.dumps(cat["name"])}, "faces": {json.dumps(cat["faces"])}}}]',
    ]
    [person] = call(demo, "video", video=uri(clip, "video/mp4"))["people"]
    shown = {"person": person["person"], "seconds": person["seconds"], "course": person["course"]}
    told += ['-> tools/call video {"video": "data:video/mp4;base64,..."}', f'<- "people": [{json.dumps(shown)}]']
    refused = call(demo, "predict", image="not a file")
    told += ['-> tools/call predict {"image": "not a file"}', f"<- error: {refused}"]
    assert written == "\n".join([*told, ""])


def test_what_was_uploaded_is_named_by_its_path_and_goes(demo: Demo, clip: Path):
    answer = httpx.post(f"{demo.address}gradio_api/upload", files={"files": clip.read_bytes()}, timeout=PATIENCE)
    report = call(demo, "video", video=answer.json()[0])
    assert report["problem"] is None
    assert "moments" not in report
    assert len(json.dumps(report)) < 5000
    wait_until(lambda: demo.files() == [])


def test_nothing_is_left_of_a_call(demo: Demo):
    for given in (uri(ASTRONAUT), "data:image/jpeg;base64,AAAA", "data:,", "/etc/passwd", str(ASTRONAUT)):
        call(demo, "predict", image=given)
    assert demo.files() == []
    assert ASTRONAUT.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image": "data:image/jpeg;base64,AAAA"}, "not a picture"),
        ({"image": "/etc/passwd"}, "Nothing was uploaded under this path"),
        ({"image": 5}, "is not of type 'string'"),
        ({}, "'image' is a required property"),
    ],
)
def test_a_call_that_cannot_be_answered_says_why(demo: Demo, arguments: dict[str, Any], words: str):
    assert words in call(demo, "predict", **arguments)


HEADERS = {"Accept": "application/json, text/event-stream"}


def ask(demo: Demo, arguments: dict[str, Any], **headers: str) -> httpx.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "predict", "arguments": arguments}}
    return httpx.post(f"{demo.address}gradio_api/mcp/", json=message, headers={**HEADERS, **headers}, timeout=PATIENCE)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/a.jpg", "https://example.org/a.jpg", "file:///etc/passwd"])
def test_an_address_is_refused_before_gradio_sees_it(demo: Demo, address: str):
    answer = ask(demo, {"image": address})
    assert (answer.status_code, answer.json()) == (400, {"detail": gate.NO_ADDRESS})


def test_other_sites_and_names_may_not_call(demo: Demo):
    arguments = {"image": uri(ASTRONAUT)}
    assert ask(demo, arguments).status_code == 200
    assert ask(demo, arguments, Origin="https://example.org").status_code == 403
    assert ask(demo, arguments, Host="example.org").status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "mcp/", 405),
        ("DELETE", "mcp", 405),
        ("GET", "mcp/sse", 404),
        ("POST", "mcp/messages/", 404),
        ("POST", "mcp/http", 404),
    ],
)
def test_of_gradios_other_routes_for_tools_none_is_open(demo: Demo, method: str, path: str, status: int):
    answer = httpx.request(method, f"{demo.address}gradio_api/{path}", headers=HEADERS, timeout=PATIENCE)
    assert answer.status_code == status


def test_the_course_of_a_person_is_told_in_stretches():
    probabilities = {"happy": [0.9, 0.8, 0.1, 0.6], "sad": [0.1, 0.2, 0.9, 0.4]}
    person = {"person": 1, "times": [0, 0.2, 0.4, 0.6], "probabilities": probabilities}
    assert tools.course(person) == [
        {"from": 0, "to": 0.2, "label": "happy"},
        {"from": 0.4, "to": 0.4, "label": "sad"},
        {"from": 0.6, "to": 0.6, "label": "happy"},
    ]
