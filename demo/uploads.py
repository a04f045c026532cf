"""Files that are uploaded before a call names them: pictures, deleted the moment they are read, and videos.

Gradio's own route writes into its folder what arrives, and forgets what broke off or nobody asks for. So uploads are
taken here: nothing has a name on disk before it has arrived whole, and all of them together have a bound.
"""

import asyncio
import io
import secrets
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from resemotenet.errors import ImageError

from . import guard
from .admission import BUSY, in_time, refuse, room_for
from .shares import Shares, address_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

# Bytes on disk, of all addresses together, arriving or waiting; one alone gets half.
_DISK = 1_200_000_000
# Seconds after which an upload goes that no call asked for.
_ABANDONED = 600.0
# Files that one request may bring.
_MAX_FILES = 10
_UNKNOWN = "Nothing was uploaded under this path: send the file itself."
_NO_ROOM = "The server has no room for this upload now: please try again later."


@dataclass(frozen=True)
class Upload:
    """A file that has arrived, in a folder of its own; whose share of the disk it has, and how many bytes of it."""

    path: Path
    address: str
    length: int


class Uploads:
    """The files that were uploaded and not read yet. Thread-safe.

    Args:
        folder: Gradio's temporary folder (GRADIO_TEMP_DIR), used by this server alone; each upload gets a folder of its
            own in it.

    Attributes:
        shares: of the disk; what is kept has a part of it that goes back when the file goes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shares = Shares(_DISK)
        self._kept: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def keep(self, content: IO[bytes], address: str, length: int) -> str:
        """Writes an upload that has arrived; gives the path by which it is asked for.

        Raises:
            OSError: there is no room.
        """
        path = self.folder / secrets.token_hex(16) / "picture"
        path.parent.mkdir(parents=True)
        try:
            with path.open("xb") as file:
                shutil.copyfileobj(content, file)
        except OSError:
            shutil.rmtree(path.parent)
            raise
        with self._lock:
            self._kept[str(path)] = Upload(path, address, length)
        return str(path)

    def bring(self, content: bytes, address: str) -> str:
        """The same for what came inside a call; where that does not ask for it, it goes by itself.

        Raises:
            ImageError: there is no room.
        """
        if not self.shares.take(address, len(content)):
            raise ImageError(BUSY)
        try:
            path = self.keep(io.BytesIO(content), address, len(content))
        except BaseException:
            self.shares.give_back(address, len(content))
            raise
        asyncio.get_running_loop().call_later(_ABANDONED, self.drop, path)
        return path

    def take(self, path: str) -> bytes:
        """The content of an uploaded file, which goes.

        Raises:
            ImageError: nobody uploaded such a file, or it is gone, or larger than a picture may be.
        """
        upload = self.claim(path)
        try:
            guard.check_bytes(upload.length)
            return upload.path.read_bytes()
        except FileNotFoundError:
            raise ImageError("The picture is no longer there: please send it again.") from None
        finally:
            self.let_go(upload)

    def claim(self, path: str) -> Upload:
        """An uploaded file, which is the caller's from now on, until he lets it go.

        Only what was uploaded and not claimed yet is given out: callers name paths, and could name any.

        Raises:
            ImageError: nobody uploaded such a file.
        """
        with self._lock:
            upload = self._kept.pop(path, None)
        if upload is None:
            raise ImageError(_UNKNOWN)
        return upload

    def check(self, path: str) -> None:
        """Raises ``ImageError`` where nobody uploaded such a file, or it is claimed."""
        with self._lock:
            if path not in self._kept:
                raise ImageError(_UNKNOWN)

    def drop(self, path: str) -> None:
        """An upload that nobody waits for any more goes; nothing happens if it has gone."""
        with self._lock:
            upload = self._kept.pop(path, None)
        if upload is not None:
            self.let_go(upload)

    def let_go(self, upload: Upload) -> None:
        """Deletes a file that was claimed, and what lies beside it."""
        shutil.rmtree(upload.path.parent)
        self.shares.give_back(upload.address, upload.length)


class UploadRoute:
    """ASGI middleware that answers ``POST /gradio_api/upload`` in Gradio's place: with a JSON list of paths."""

    def __init__(self, app: "ASGIApp", uploads: Uploads) -> None:
        self.app = app
        self.uploads = uploads

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != "/gradio_api/upload":
            await self.app(scope, receive, send)
            return
        try:
            paths = await self._received(scope, receive)
        except ClientDisconnect:
            return  # nobody is there to be told
        except HTTPException as error:
            await refuse(error, scope, receive, send)
        except OSError as error:
            print(f"error: an upload could not be written: {error}", file=sys.stderr)
            await refuse(HTTPException(507, _NO_ROOM), scope, receive, send)
        else:
            await JSONResponse(paths)(scope, receive, send)

    async def _received(self, scope: "Scope", receive: "Receive") -> list[str]:
        """The paths of the files in a request, each of which has its part of the request's share of the disk."""
        address, room = address_of(scope["client"]), guard.body_length(scope)
        shares, paths = self.uploads.shares, list[str]()
        if not await room_for(lambda: shares.take(address, room)):
            raise HTTPException(507, BUSY)
        try:
            request = Request(scope, in_time(receive, room))
            async with request.form(max_files=_MAX_FILES, max_fields=_MAX_FILES) as form:
                files = [each for _, each in form.multi_items() if isinstance(each, UploadFile)]
                for file in files:
                    length = file.size or 0
                    paths.append(await run_in_threadpool(self.uploads.keep, file.file, address, length))
                    room -= length
        except BaseException:
            for path in paths:
                self.uploads.drop(path)
            raise
        finally:
            shares.give_back(address, room)
        for path in paths:
            asyncio.get_running_loop().call_later(_ABANDONED, self.uploads.drop, path)
        return paths
