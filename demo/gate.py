"""What may reach Gradio at all: checked before it sees a request, since it offers far more than the page uses.

From the outside in: the route, and what a call holds. Every refusal is one sentence.
"""

import json
import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

# Whose session it is: a word of the caller's own making. Half a character of UTF-16 in it broke every later answer.
_SESSION = r"[A-Za-z0-9_-]{1,64}"

_NAMED = "(predict|predict_many|video)"  # endpoints.py
FILM = "/gradio_api/film/([0-9a-f]{32})"  # films.py answers

TOOLS = "/gradio_api/mcp"  # the named endpoints for models; tools.py

# All that is answered. The page loads its parts and asks by queue and component_server; callers of the API go by queue
# (the clients of Gradio) or by call/NAME (curl).
ROUTES = (
    ("HEAD", "/"),  # launch looks whether the page is there
    ("GET", "/"),
    ("GET", "/config"),
    ("GET", "/theme.css"),
    ("GET", "/favicon.ico"),
    ("GET", "/manifest.json"),
    ("GET", "/assets/.+"),
    ("GET", "/static/.+"),
    ("GET", "/svelte/.+"),
    ("GET", "/device/[a-z.]+"),  # the reader for browsers; browser/device_files.py answers
    ("GET", "/gradio_api/startup-events"),  # launch asks for it
    ("GET", "/gradio_api/info"),
    ("GET", f"/gradio_api/heartbeat/{_SESSION}"),
    ("GET", "/gradio_api/queue/data"),
    ("POST", "/gradio_api/queue/join"),
    ("POST", "/gradio_api/component_server/?"),
    ("POST", "/gradio_api/upload"),
    ("POST", f"/gradio_api/call/(v2/)?{_NAMED}"),
    ("GET", f"/gradio_api/call/(v2/)?{_NAMED}/{_SESSION}"),
    ("GET", FILM),
    ("POST", FILM),
    ("POST", f"{TOOLS}/?"),
    ("GET", f"{TOOLS}/schema"),  # Gradio's panel about the API lists the tools
)
_ROUTES = [(method, re.compile(path)) for method, path in ROUTES]
_LONGEST = 300  # characters; no file has a longer path here
_CALLS = re.compile(f"/gradio_api/(queue/join|call/(v2/)?{_NAMED}|component_server/?)|{TOOLS}/?")

# An escaped half of a UTF-16 pair. Whether the other half is there is looked at only where one is.
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")

NO_ADDRESS = "Addresses are not fetched: send the file itself."


class Gate:
    """ASGI middleware: what the page and the documented API need passes, all else is answered here."""

    def __init__(self, app: "ASGIApp") -> None:
        self.app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"].rstrip("/") == TOOLS and scope["method"] != "POST":
            await _refuse(405, "Tools are called by POST.", scope, receive, send)  # as the protocol wants it
            return
        if scope["type"] != "http" or not answers(scope["method"], scope["path"]):
            await _refuse(404, "Not Found", scope, receive, send)
            return
        if scope["path"] == "/gradio_api/queue/data":
            sessions = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [])
            if len(sessions) != 1 or not re.fullmatch(_SESSION, sessions[0]):
                await _refuse(400, "The session_hash must be one word of letters and digits.", scope, receive, send)
                return
        if is_call(scope):
            try:
                body = await _body(receive)
            except HTTPException as error:  # too long
                await _refuse(error.status_code, error.detail, scope, receive, send)
                return
            if body is None:  # the caller has gone
                return
            is_tool = scope["path"].startswith(TOOLS)
            if problem := _problem(Headers(scope=scope).get("content-type", ""), body, is_tool):
                await _refuse(400, problem, scope, receive, send)
                return
            receive = _again(body, receive)
        await self._ask(scope, receive, send)

    async def _ask(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Gradio's answer. What surprises it, as a function that is not there, is one sentence and one line of log."""
        begun = False

        async def noted(message: "Message") -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except HTTPException:
            raise
        except Exception as error:
            if begun:
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error(
                "%s %r: %.200r at %s:%s", scope["method"], scope["path"], error, Path(place.filename).name, place.lineno
            )
            await _refuse(500, "This request could not be answered.", scope, receive, send)


def answers(method: str, path: str) -> bool:
    """Whether a request to this path gets further than here."""
    return len(path) <= _LONGEST and any(method == each and pattern.fullmatch(path) for each, pattern in _ROUTES)


def is_call(scope: "Scope") -> bool:
    """Whether a request brings a call, which Gradio takes into memory."""
    return scope["method"] == "POST" and _CALLS.fullmatch(scope["path"]) is not None


async def _refuse(status: int, why: str, scope: "Scope", receive: "Receive", send: "Send") -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await JSONResponse({"detail": why}, status)(scope, receive, send)


async def _body(receive: "Receive") -> bytes | None:
    """The whole body of a request, None where the caller left before its end."""
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(parts)


def _again(body: bytes, receive: "Receive") -> "Receive":
    """A body that was read, for those who read it next."""
    given = False

    async def replay() -> "Message":
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _problem(content_type: str, body: bytes, is_tool: bool) -> str | None:
    """What is wrong with a call, in one sentence; None where Gradio may see it."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return "A call must be JSON, with the header Content-Type: application/json."
    try:
        call = json.loads(body)
        if _HALF.search(body):
            json.dumps(call, ensure_ascii=False).encode()
        if not isinstance(call, dict):
            return "A call must be a JSON object."
        session = call.get("session_hash")
        if session is not None and not (isinstance(session, str) and re.fullmatch(_SESSION, session)):
            return "The session_hash must be one word of letters and digits."
        if any(_names_address(each) for each in _objects(call)) or (is_tool and _asks_for_address(call)):
            return NO_ADDRESS
    except (ValueError, RecursionError):  # no JSON, no UTF-8, half characters, or nested without end
        return "This call is not JSON that can be read."
    return None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value, however deep."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
        if isinstance(value, (dict, list)):
            waiting.extend(value.values() if isinstance(value, dict) else value)


def _names_address(value: Mapping[str, Any]) -> bool:
    """Whether Gradio might fetch what an object names. Its own clients add the url of a file that they uploaded."""
    path, url = value.get("path"), value.get("url")
    return _is_address(path) or (_is_address(url) and not isinstance(path, str))


def _asks_for_address(call: dict[str, Any]) -> bool:
    """Whether an argument of a tool is one: files are named by a text alone there."""
    params = call.get("params")
    arguments = params.get("arguments") if isinstance(params, dict) else None
    given = list(arguments.values()) if isinstance(arguments, dict) else []
    return any(_is_address(each) for value in given for each in (value if isinstance(value, list) else [value]))


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"\s*(?!data:)([a-z][a-z0-9+.-]+:|[/\\]{2})", value, re.I) is not None
