"""What is written into the document that Gradio sends."""

import gzip

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from demo.opening import Opening

DOCUMENT = """<!doctype html><html><head>
<meta property="og:title" content="Gradio" />
<meta name="twitter:creator" content="@Gradio" />
<meta name="viewport" content="width=device-width" />
</head>
<body style="margin: 0"><gradio-app></gradio-app></body></html>"""


def page(request: object) -> HTMLResponse:
    return HTMLResponse(DOCUMENT)


@pytest.fixture
def client() -> TestClient:
    routes = [
        Route("/", page),
        Route("/config", lambda request: JSONResponse({"body": "<body>"})),
    ]
    app = Opening(Starlette(routes=routes), title="A & B", description="<what>", styles="p {}", masthead="<h1>T</h1>")
    return TestClient(app)


def test_title_styles_and_masthead_stand_in_the_document(client: TestClient):
    text = client.get("/").text
    head, body = text.split("</head>")
    assert "<title>A &amp; B</title>" in head
    assert 'content="&lt;what&gt;"' in head
    assert "<style>p {}</style>" in head
    assert "viewport" in head
    assert "Gradio" not in head
    assert body.index('<body style="margin: 0">') < body.index("<h1>T</h1>") < body.index("<gradio-app>")


def test_it_is_packed_for_those_who_unpack(client: TestClient):
    plain = client.get("/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(packed)
    assert gzip.decompress(packed) == plain.content


def test_nothing_else_is_touched(client: TestClient):
    assert client.get("/config").json() == {"body": "<body>"}
    assert client.head("/").status_code == 200
