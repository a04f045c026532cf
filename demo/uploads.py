"""Pictures that callers of the API upload: deleted the moment they are read.

Gradio writes an upload into its temporary folder, answers with the path, and the caller names that path in the call
itself. The path is made from the content, so callers who send the same picture at once share one file: it may go only
when the last of them has been served. So uploads are counted as they arrive. One that is broken off leaves a part of
the picture behind, which Gradio forgets; that goes as well.
"""

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from resemotenet.errors import ImageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Uploads:
    """The files that were uploaded and not read yet. Thread-safe.

    Args:
        folder: Gradio's temporary folder (GRADIO_TEMP_DIR), used by this server alone. Uploads that have arrived lie in
            folders of their own in it; those that are arriving lie in it directly.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._expected: Counter[str] = Counter()
        self._arriving = 0
        self._lock = threading.Lock()

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """While an upload comes in. When none does any more, parts of broken uploads are deleted."""
        with self._lock:
            self._arriving += 1
        try:
            yield
        finally:
            with self._lock:
                self._arriving -= 1
                if not self._arriving and self.folder.exists():
                    for path in self.folder.iterdir():
                        if path.is_file():
                            path.unlink()

    def expect(self, path: str) -> None:
        """A caller has uploaded this file and will ask for it."""
        with self._lock:
            self._expected[path] += 1

    def take(self, path: str) -> bytes:
        """The content of an uploaded file; the file is deleted unless another caller still waits for it.

        Only what was uploaded and not read yet is given out: callers name paths, and could name any.

        Raises:
            ImageError: nobody uploaded such a file, or it is gone.
        """
        with self._lock:
            if self._expected[path] <= 0:
                raise ImageError("Nothing was uploaded under this path: send the picture itself.")
            self._expected[path] -= 1
            try:
                data = Path(path).read_bytes()
                if not self._expected[path]:
                    Path(path).unlink()
            except FileNotFoundError:
                raise ImageError("The picture is no longer there: please send it again.") from None
            finally:
                self._expected += Counter()  # drops what is at zero
        return data


class UploadWatch:
    """ASGI middleware that tells ``uploads`` of every request to Gradio's upload route, and of the files it made."""

    def __init__(self, app: "ASGIApp", uploads: Uploads) -> None:
        self.app = app
        self.uploads = uploads

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/upload"):
            await self.app(scope, receive, send)
            return
        status, body = 0, bytearray()

        async def watched(message: "Message") -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if status == 200 and not message.get("more_body", False):
                    for path in json.loads(body):
                        self.uploads.expect(path)
            await send(message)

        with self.uploads.arriving():
            try:
                await self.app(scope, receive, watched)
            except ClientDisconnect:
                pass  # nobody is there to be told
            except OSError as error:
                if status:
                    raise
                print(f"error: an upload could not be written: {error}", file=sys.stderr)
                why = "The server has no room for this upload now: please try again later."
                await JSONResponse({"detail": why}, 507)(scope, receive, send)
