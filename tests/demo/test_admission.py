"""Who is let in, and what is held back from one who takes too much: against a real server with a small house."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

import uvicorn
from gradio.queueing import Queue as GradioQueue
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from demo import admission
from tests.demo.server import PATIENCE, free_port
from tests.demo.test_shares import apart

JOIN, FRAME, TOOL = "/gradio_api/call/predict", "/gradio_api/component_server", "/gradio_api/mcp/"
JSON = {"Content-Type": "application/json"}


@dataclass
class Event:
    session_hash: str


@dataclass
class Queue:
    """What ``Admission`` looks at in Gradio's queue."""

    event_ids_to_events: dict[str, Event] = field(default_factory=dict)
    pending_event_ids_session: dict[str, set[str]] = field(default_factory=dict)
    pending_messages_per_session: dict[str, object] = field(default_factory=dict)

    def join(self) -> str:
        number = str(len(self.event_ids_to_events) + 1000)
        self.event_ids_to_events[number] = Event(number)
        self.pending_event_ids_session[number] = {number}
        self.pending_messages_per_session[number] = object()
        return number


@dataclass
class House:
    address: str
    queue: Queue
    door: threading.Event
    read: list[int]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Eight places; frames are answered when the door opens."""
    for name, value in {
        "PLACES": 8,
        "_FRAMES": 8,
        "_TOOLS": 8,
        "_REQUESTS": 40,
        "_MEMORY": 1_000_000,
        "_PATIENCE": 0.5,
    }.items():
        monkeypatch.setattr(admission, name, value)
    port = free_port()
    it = House(f"http://127.0.0.1:{port}", Queue(), threading.Event(), [])

    async def join(request: Request) -> JSONResponse:
        it.read.append(len(await request.body()))
        return JSONResponse({"event_id": it.queue.join()})

    async def frame(request: Request) -> JSONResponse:
        it.read.append(len(await request.body()))
        while not it.door.is_set():
            await asyncio.sleep(0.01)
        return JSONResponse({"faces": []})

    app = Starlette(
        routes=[
            Route(JOIN, join, methods=["POST"]),
            *(Route(path, frame, methods=["POST"]) for path in (FRAME, TOOL)),
            Route("/", frame),
        ],
        middleware=[Middleware(admission.Admission, queue=lambda: cast(GradioQueue, it.queue))],
    )
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield it
    it.door.set()
    server.should_exit = True
    thread.join()


def visitor(address: str = "127.0.0.1") -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(local_address=address, verify=False), timeout=60, trust_env=False)


def post(house: House, path: str, address: str = "127.0.0.1", body: bytes = b"{}") -> httpx.Response:
    with visitor(address) as client:
        return client.post(house.address + path, content=body, headers=JSON)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def at_once(house: House, path: str, count: int, address: str = "127.0.0.1") -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: post(house, path, address).json(), range(count)))


def test_pictures_of_one_address_leave_places_for_others(house: House):
    answers = [post(house, JOIN) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [503]
    assert answers[4].json() == {"detail": admission.BUSY}
    assert post(house, JOIN, "127.0.0.2").status_code == 200


def test_a_place_is_free_again_when_the_answer_has_been_fetched(house: House):
    events = [post(house, JOIN).json()["event_id"] for _ in range(4)]
    house.queue.event_ids_to_events.clear()  # answered
    assert post(house, JOIN).status_code == 503
    for event in events:
        house.queue.pending_event_ids_session[event].clear()  # fetched
    assert post(house, JOIN).status_code == 200
    assert len(house.queue.pending_messages_per_session) == 1
    assert len(house.queue.pending_event_ids_session) == 1


def test_an_answer_that_nobody_fetches_goes(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admission, "_UNCLAIMED", 0.4)
    post(house, JOIN)
    house.queue.event_ids_to_events.clear()
    wait_until(lambda: not house.queue.pending_messages_per_session)
    assert not house.queue.pending_event_ids_session


def test_frames_beyond_an_addresss_places_are_not_read_and_asked_to_come_again(house: House):
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(at_once, house, FRAME, 6)
        wait_until(lambda: len(house.read) == 4)
        time.sleep(1)
        assert len(house.read) == 4
        beside = pool.submit(post, house, FRAME, "127.0.0.2")
        house.door.set()
        answers = flood.result()
        assert beside.result().json() == {"faces": []}
    assert sorted(answers, key=lambda answer: "busy" in answer) == (
        [{"faces": []}] * 4 + [{"busy": True, "wait": admission._COME_AGAIN}] * 2
    )
    assert at_once(house, FRAME, 4) == [{"faces": []}] * 4


def test_tools_beyond_an_addresss_places_are_refused_and_leave_some_for_others(house: House):
    with ThreadPoolExecutor(6) as pool:
        held = [pool.submit(post, house, TOOL) for _ in range(4)]
        wait_until(lambda: len(house.read) == 4)
        refused = post(house, TOOL)
        assert (refused.status_code, refused.json()) == (503, {"detail": admission.BUSY})
        other = pool.submit(post, house, TOOL, "127.0.0.2")
        wait_until(lambda: len(house.read) == 5)
        house.door.set()
        assert [each.result().status_code for each in [*held, other]] == [200] * 5
    assert post(house, TOOL).status_code == 200


def test_who_waits_is_let_in_as_soon_as_there_is_room(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admission, "_PATIENCE", 60)
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(at_once, house, FRAME, 12)
        time.sleep(0.5)
        house.door.set()
        assert flood.result() == [{"faces": []}] * 12


def test_bodies_have_a_bound_before_they_have_arrived(house: House):
    """One address may have half a megabyte on its way; what it says it will send counts."""
    host, port = house.address.removeprefix("http://").split(":")

    async def unfinished(amount: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {JOIN} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {amount}\r\n"
        writer.write(head.encode() + b"\r\n{")
        return reader, writer

    async def attack() -> bytes:
        slow = [await unfinished(250_000) for _ in range(3)]
        lines = [asyncio.create_task(reader.readline()) for reader, _ in slow]
        done, _ = await asyncio.wait(lines, return_when=asyncio.FIRST_COMPLETED)
        honest = await asyncio.to_thread(post, house, JOIN, "127.0.0.2", json.dumps(["x" * 100_000]).encode())
        assert honest.status_code == 200
        for _, writer in slow:
            writer.close()
        await asyncio.gather(*lines)
        return done.pop().result()

    assert apart(attack()).startswith(b"HTTP/1.1 503")
    wait_until(lambda: post(house, JOIN, body=b"[" + b" " * 250_000 + b"]").status_code == 200)


def test_a_body_that_trickles_is_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admission, "_GRACE", 0.3)

    async def never() -> Any:
        await asyncio.sleep(60)

    async def attack() -> None:
        with pytest.raises(HTTPException, match="too long to arrive"):
            await admission.in_time(never, 1000)()

    begun = time.monotonic()
    apart(attack())
    assert time.monotonic() - begun < 30


def test_requests_of_one_address_leave_connections_for_others(house: House):
    with ThreadPoolExecutor(24) as pool:
        clients = [visitor() for _ in range(24)]
        answers = [pool.submit(client.get, house.address + "/") for client in clients]
        time.sleep(1)
        with ThreadPoolExecutor(1) as other, visitor("127.0.0.2") as second:
            beside = other.submit(second.get, house.address + "/")
            time.sleep(0.3)
            house.door.set()
            assert beside.result().status_code == 200
        statuses = sorted(answer.result().status_code for answer in answers)
        for client in clients:
            client.close()
    assert statuses == [200] * 20 + [429] * 4
