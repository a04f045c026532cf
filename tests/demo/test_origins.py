"""Other web sites: which may ask, under which names the page is reached, and who may show it in a frame."""

import socket

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from demo.origins import OriginCheck, Origins

SPACE = {"SPACE_ID": "owner/faces", "SPACE_HOST": "owner-faces.hf.space", "GRADIO_SERVER_NAME": "0.0.0.0"}
PROXY = {"RESEMOTENET_HOSTS": "Faces.example.org, lab.example.org"}
FRAMED = {"RESEMOTENET_EMBED_IN": "https://lab.example.org http://localhost:3000"}


def visit(settings: dict[str, str], host: str, origin: str | None = None, method: str = "POST", **headers: str) -> int:
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse("answered")

    routes = [Route("/{path:path}", answer, methods=["GET", "POST"])]
    server = Starlette(routes=routes, middleware=[Middleware(OriginCheck, origins=Origins.of(settings))])
    sent = {"host": host, **({"origin": origin} if origin else {}), **headers}
    return TestClient(server).request(method, "/gradio_api/queue/join", headers=sent).status_code


@pytest.mark.parametrize(
    "host",
    [
        "localhost:7860",
        "LOCALHOST:7860",
        "faces.localhost:7860",
        "127.0.0.1:7860",
        "127.0.0.1",
        "[::1]:7860",
        "192.168.1.20:7860",
        f"{socket.gethostname()}:7860",
    ],
)
def test_this_machine_is_known_by_its_names_and_numbers(host: str):
    assert visit({}, host) == 200
    assert visit({}, host, f"http://{host}") == 200
    assert visit({"GRADIO_SERVER_NAME": "0.0.0.0"}, host, f"http://{host}") == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.test:7860",
        "evil.test",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "xlocalhost",
        "",
        "evil.test:localhost",
    ],
)
def test_a_foreign_name_is_refused_whoever_asks(host: str):
    """DNS rebinding: the name points here, and the origin is the name itself."""
    for settings in ({}, {"GRADIO_SERVER_NAME": "0.0.0.0"}, FRAMED):
        assert visit(settings, host) == 403
        assert visit(settings, host, f"http://{host}") == 403
        assert visit(settings, host, method="GET") == 403


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.test",
        "http://evil.test:7860",
        "null",
        "http://localhost:3000",
        "http://127.0.0.1:7860",
        "http://localhost:7860.evil.test",
        "http://localhost:7860@evil.test",
        "file://",
        "chrome-extension://localhost:7860",
    ],
)
def test_another_site_may_not_ask(origin: str):
    for method in ("POST", "GET"):
        assert visit({}, "localhost:7860", origin, method) == 403


def test_a_page_elsewhere_may_not_load_anything_but_lead_here():
    assert visit({}, "localhost:7860", method="GET", **{"sec-fetch-site": "cross-site"}) == 403
    assert visit({}, "localhost:7860", method="GET", **{"sec-fetch-site": "same-origin"}) == 200
    assert visit({}, "localhost:7860", method="GET", **{"sec-fetch-site": "none"}) == 200


def test_behind_a_proxy_the_name_is_given():
    assert visit(PROXY, "faces.example.org", "https://faces.example.org") == 200
    assert visit(PROXY, "127.0.0.1:7860", "https://faces.example.org") == 200  # the proxy names us by its own
    assert visit(PROXY, "faces.example.org:443", "https://faces.example.org") == 200
    assert visit(PROXY, "faces.example.org", "https://evil.test") == 403
    assert visit({"GRADIO_ROOT_PATH": "https://x.example.org/faces"}, "127.0.0.1", "https://x.example.org") == 200


def test_a_space_answers_under_any_name_but_no_other_site():
    """Its proxies have names of their own."""
    for host in ("owner-faces.hf.space", "10.1.2.3:7860", "some.proxy.internal:7860"):
        assert visit(SPACE, host, "https://owner-faces.hf.space") == 200
        assert visit(SPACE, host, "https://evil.test") == 403


def test_sites_that_were_named_may_ask():
    assert visit(FRAMED, "localhost:7860", "https://lab.example.org") == 200
    assert visit(FRAMED, "localhost:7860", "http://localhost:3000") == 200
    assert visit(FRAMED, "localhost:7860", "https://other.example.org") == 403
    assert visit({"RESEMOTENET_EMBED_IN": "*"}, "localhost:7860", "https://other.example.org") == 200


@pytest.mark.parametrize("site", ["example.org", "https://example.org/path", "https://a; script-src *", "javascript:"])
def test_what_is_no_site_is_said_at_the_start(site: str):
    with pytest.raises(ValueError, match="RESEMOTENET_EMBED_IN takes sites"):
        Origins.of({"RESEMOTENET_EMBED_IN": site})


def test_who_may_frame_the_page():
    alone, framed, space = (Origins.of(settings).headers() for settings in ({}, FRAMED, SPACE))
    assert alone["Content-Security-Policy"].endswith("frame-ancestors 'self'")
    assert alone["X-Frame-Options"] == "SAMEORIGIN"
    assert framed["Content-Security-Policy"].endswith(
        "frame-ancestors 'self' https://lab.example.org http://localhost:3000"
    )
    assert space["Content-Security-Policy"].endswith("frame-ancestors 'self' https://huggingface.co")
    assert "X-Frame-Options" not in framed
    assert "X-Frame-Options" not in space
