"""Serves the reader's files to browsers, from memory: the page's server keeps nothing on disk."""

import asyncio
import hashlib
import mimetypes
import os
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import Response

from resemotenet import LoadedModel, load_model
from resemotenet.checkpoints.pretrained import Source
from resemotenet.errors import ResEmoteNetError

from .assemble import assemble
from .runtime import missing

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/device/"

# A worker has a policy of its own: it runs what comes from here, and asks here only.
_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
# What its name says in the query never changes; the rest is asked for again, and answered in a line if it is the same.
_KEPT, _ASKED = "public, max-age=31536000, immutable", "no-cache"

# Name -> content.
Files = dict[str, bytes]
Pending = Future[Files]


class DeviceFiles:
    """ASGI middleware that answers requests for the reader's files.

    Args:
        files: as soon as they are there; see ``offered``.
    """

    def __init__(self, app: "ASGIApp", files: Pending) -> None:
        self.app = app
        self.files = files

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self.app(scope, receive, send)
            return
        files = await asyncio.wrap_future(self.files)
        name = scope["path"].removeprefix(PATH)
        await _answer(name, files.get(name), scope)(scope, receive, send)


def offered(model: LoadedModel, source: Source) -> Pending | None:
    """The files for browsers, as soon as they are made, which takes seconds.

    None where this server reads for everybody: RESEMOTENET_DEVICE=off asks for it, or one line says what is missing.
    """
    if os.environ.get("RESEMOTENET_DEVICE") == "off":
        return None
    if why := _not_here(model):
        print(f"Pictures and frames are read by this server, and not by visitors' browsers: {why}.", file=sys.stderr)
        return None
    threads = ThreadPoolExecutor(1, "packing")
    files = threads.submit(_pack, model, source)
    threads.shutdown(wait=False)
    return files


def _not_here(model: LoadedModel) -> str | None:
    if model.info.int8 is None:
        how = "python -m resemotenet calibrate FOLDER --data PATH"
        return f"the model has no ranges for 8 bits; {how!r} reads them off faces"
    return missing()


def _pack(model: LoadedModel, source: Source) -> Files:
    try:
        with tempfile.TemporaryDirectory() as name:
            # Read anew: the one that answers may be on a GPU.
            folder = assemble(load_model(model.folder), source, Path(name))
            return {path.name: path.read_bytes() for path in folder.iterdir()}
    except (ResEmoteNetError, ImportError, OSError) as error:
        print(f"Visitors' browsers cannot read, so this server does: {error}", file=sys.stderr)
        return {}


def _answer(name: str, content: bytes | None, scope: "Scope") -> Response:
    if content is None:
        return Response("Not Found", 404)
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": _KEPT if scope["query_string"] else _ASKED}
    if Headers(scope=scope).get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    kind = mimetypes.guess_type(name)[0] if not name.endswith(".gz") else None
    kind = "text/javascript" if name.endswith(".js") else kind or "application/octet-stream"
    return Response(content, headers={**headers, "Content-Security-Policy": _POLICY}, media_type=kind)
