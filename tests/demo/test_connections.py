"""Connections that ask for nothing: against a real server with a small house, and against the page."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from demo import connections
from tests.demo.server import PATIENCE, Demo, free_port, running

LOOK = 0.3
ASK = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Room for 20; whoever asks for /slow waits for longer than a connection may be silent."""
    monkeypatch.setattr(connections, "CONNECTIONS", 20)
    monkeypatch.setattr(connections, "_LOOK", LOOK)
    port = free_port()

    async def answer(request: Request) -> PlainTextResponse:
        await asyncio.sleep(5 * LOOK if request.url.path == "/slow" else 0)
        return PlainTextResponse("here")

    app = Starlette(routes=[Route("/", answer), Route("/slow", answer)])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    connections.bound(server)
    yield port
    server.should_exit = True
    thread.join()


def connected(port: int, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE, source_address=(address, 0))


def answer(one: socket.socket, request: bytes) -> bytes:
    one.sendall(request)
    told = b""
    while not told.endswith(b"here"):
        part = one.recv(10_000)
        assert part, "it was closed"
        told += part
    return told


def is_closed(one: socket.socket, seconds: float) -> bool:
    one.settimeout(seconds)
    try:
        return one.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_an_address_may_hold_half_and_others_come_in(port: int):
    with ExitStack() as stack:
        held = [stack.enter_context(connected(port, "127.0.0.2")) for _ in range(15)]
        assert sum(is_closed(one, 0.01) for one in held) == 5
        assert httpx.get(f"http://127.0.0.1:{port}/").text == "here"


def test_places_come_back_with_their_connections(port: int):
    for _ in range(5):
        with ExitStack() as stack:
            for _ in range(10):
                stack.enter_context(connected(port)).sendall(ASK)
        time.sleep(0.05)
    assert httpx.get(f"http://127.0.0.1:{port}/").text == "here"


@pytest.mark.parametrize("sent", [b"", ASK[:20]])
def test_one_that_asks_for_nothing_is_closed(port: int, sent: bytes):
    with connected(port) as one:
        one.sendall(sent)
        assert is_closed(one, PATIENCE)


def test_one_whose_next_request_trickles_in_is_closed(port: int):
    with connected(port) as one:
        answer(one, ASK)
        with suppress(ConnectionError):
            for letter in ASK[:-1]:
                one.sendall(bytes([letter]))
                if is_closed(one, LOOK / 3):
                    return
            pytest.fail("it was open to the end")


def test_who_asks_again_and_again_keeps_a_connection_and_who_waits_for_an_answer_too(port: int):
    with connected(port) as one:
        for _ in range(8):
            assert answer(one, ASK).startswith(b"HTTP/1.1 200")
            time.sleep(LOOK / 2)
        assert answer(one, ASK.replace(b"/", b"/slow", 1)).startswith(b"HTTP/1.1 200")


@pytest.fixture(scope="module")
def demo(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(model_folder, tmp_path_factory.mktemp("demo")) as demo:
        yield demo


def test_the_page_is_there_for_a_visitor_beside_hundreds_that_ask_for_nothing(demo: Demo):
    port = int(demo.address.rstrip("/").rpartition(":")[2])
    with ExitStack() as stack:
        held = [stack.enter_context(connected(port)) for _ in range(20)]  # while it starts
        httpx.get(demo.address, timeout=PATIENCE, trust_env=False).raise_for_status()
        held += [stack.enter_context(connected(port, f"127.0.0.{2 + number % 3}")) for number in range(1200)]
        assert "<html" in httpx.get(demo.address, timeout=PATIENCE, trust_env=False).text
        assert all(is_closed(one, PATIENCE) for one in held)
