"""Who may come in: how many requests, bodies and waiting pictures an address may have, and for how long they may take.

Gradio takes every call into memory at once, and keeps it until it has been answered and the answer was fetched.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from . import gate, guard
from .shares import Shares, address_of

if TYPE_CHECKING:
    from gradio.queueing import Queue
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Of all addresses together; one alone gets half (see Shares).
PLACES = 128  # pictures that wait, are read, or whose answers wait
_FRAMES = 64  # frames of cameras, and faces to be explained
_TOOLS = 32  # calls of tools
_MEMORY = 300_000_000  # bytes of calls
_REQUESTS = 800  # open at once; every one is a connection, and systems allow 1024 files
# Seconds for which a request waits for room. Clients in Python give up after five.
_PATIENCE = 3.0
# And after which it looks first, then half as long again, and so on: a flood of those that wait is to cost little.
_LOOK_AGAIN = 0.02
# Seconds for which an answer waits that nobody comes for.
_UNCLAIMED = 60.0
# A body may take so many seconds, and one more for so many bytes: a slow telephone is served, a trickle is not.
_GRACE, _PACE = 20.0, 50_000

_COME_AGAIN = 0.5  # seconds, for scripts that find no room
BUSY = "Too much is asked at the moment: please try again in a while."


async def room_for(take: Callable[[], bool]) -> bool:
    """Whether ``take`` succeeds, now or soon."""
    deadline, pause = time.monotonic() + _PATIENCE, _LOOK_AGAIN
    while not take():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause)
        pause *= 1.5
    return True


def in_time(receive: "Receive", length: int) -> "Receive":
    """A body of so many bytes that raises ``HTTPException`` where it takes too long to arrive."""
    deadline = time.monotonic() + _GRACE + length / _PACE
    arrived = False

    async def timed() -> "Message":
        nonlocal arrived
        if arrived:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), deadline - time.monotonic())
        except TimeoutError:
            raise HTTPException(408, "This request took too long to arrive.") from None
        arrived = not message.get("more_body", False)
        return message

    return timed


async def refuse(error: HTTPException, scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Answers with the error's sentence."""
    await JSONResponse({"detail": error.detail}, error.status_code)(scope, receive, send)


class Admission:
    """ASGI middleware that lets requests in as there is room for their address; until then no body is read."""

    def __init__(self, app: "ASGIApp", queue: Callable[[], "Queue"]) -> None:
        self.app = app
        self._requests = Shares(_REQUESTS)
        memory = Shares(_MEMORY)
        self._frames, self._joined = _Calls(_FRAMES, memory), _Joined(queue, _Calls(PLACES, memory))
        self._tools = _Calls(_TOOLS, memory)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        address = address_of(scope["client"])
        if not self._requests.take(address):
            await refuse(HTTPException(429, BUSY), scope, receive, send)
            return
        try:
            if not gate.is_call(scope):
                await self.app(scope, receive, send)
            elif "/component_server" in scope["path"]:
                await self._answer(address, scope, receive, send)
            elif scope["path"].startswith(gate.TOOLS):
                await self._use(address, scope, receive, send)
            else:
                await self._join(address, scope, receive, send)
        finally:
            self._requests.give_back(address)

    async def _answer(self, address: str, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """A call of the page's scripts: answered at once, or asked to come again."""
        length = guard.body_length(scope)
        if not await room_for(lambda: self._frames.take(address, length)):
            await JSONResponse({"busy": True, "wait": _COME_AGAIN})(scope, receive, send)
            return
        try:
            await self.app(scope, in_time(receive, length), send)
        finally:
            self._frames.give_back(address, length)

    async def _use(self, address: str, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """A call of a tool, which is answered once all is read."""
        length = guard.body_length(scope)
        if not await room_for(lambda: self._tools.take(address, length)):
            await refuse(HTTPException(503, BUSY), scope, receive, send)
            return
        try:
            await self.app(scope, in_time(receive, length), send)
        finally:
            self._tools.give_back(address, length)

    async def _join(self, address: str, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """A picture: Gradio keeps it, says a number, and with that its answer is fetched."""
        length, event = guard.body_length(scope), None
        if not await room_for(lambda: self._joined.take(address, length)):
            await refuse(HTTPException(503, BUSY), scope, receive, send)
            return

        async def watched(message: "Message") -> None:
            nonlocal event
            if message["type"] == "http.response.body" and event is None and (event := _event(message)):
                self._joined.keep(event, address, length)
            await send(message)

        try:
            await self.app(scope, in_time(receive, length), watched)
        finally:
            if event is None:
                self._joined.give_back(address, length)


def _event(message: "Message") -> str | None:
    """The number that Gradio gave to a call, from its answer to it."""
    body = message.get("body", b"")
    if not body.startswith(b'{"event_id"'):
        return None
    event = json.loads(body)["event_id"]
    return event if isinstance(event, str) else None


class _Calls:
    """Calls that were let in: each has a place, and the memory of its body."""

    def __init__(self, places: int, memory: Shares) -> None:
        self._places, self._memory = Shares(places), memory

    def take(self, address: str, length: int) -> bool:
        if not self._places.take(address):
            return False
        if self._memory.take(address, length):
            return True
        self._places.give_back(address)
        return False

    def give_back(self, address: str, length: int) -> None:
        self._places.give_back(address)
        self._memory.give_back(address, length)


@dataclass
class _Call:
    """A call that Gradio has taken.

    Attributes:
        answered: when it was seen to be answered; None before.
    """

    address: str
    length: int
    session: str
    answered: float | None = None


class _Joined:
    """The calls that are in Gradio's queue, or whose answers wait there to be fetched."""

    def __init__(self, queue: Callable[[], "Queue"], inside: _Calls) -> None:
        self._queue = queue
        self._inside = inside
        self._calls: dict[str, _Call] = {}
        self._is_timed = False

    def take(self, address: str, length: int) -> bool:
        self._sweep()
        return self._inside.take(address, length)

    def give_back(self, address: str, length: int) -> None:
        self._inside.give_back(address, length)

    def keep(self, event: str, address: str, length: int) -> None:
        """Until Gradio has done with this event."""
        known = self._queue().event_ids_to_events.get(event)
        self._calls[event] = _Call(address, length, event if known is None else known.session_hash)
        self._sweep()

    def _sweep(self) -> None:
        queue, now = self._queue(), time.monotonic()
        for event, call in list(self._calls.items()):
            if event in queue.event_ids_to_events:
                continue
            call.answered = call.answered or now
            unclaimed = queue.pending_event_ids_session.get(call.session, set())
            if event in unclaimed and now - call.answered < _UNCLAIMED:
                continue
            unclaimed.discard(event)
            if not unclaimed:
                queue.pending_messages_per_session.pop(call.session, None)
                queue.pending_event_ids_session.pop(call.session, None)
            del self._calls[event]
            self.give_back(call.address, call.length)
        if self._calls and not self._is_timed:
            self._is_timed = True
            asyncio.get_running_loop().call_later(_UNCLAIMED / 2, self._look_again)

    def _look_again(self) -> None:
        self._is_timed = False
        self._sweep()
