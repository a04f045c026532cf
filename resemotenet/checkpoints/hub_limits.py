"""Limits for what a Hub may do to us: bytes, time, and the headers that huggingface_hub makes paths of.

huggingface_hub reads answers whole, waits as long as a server tells it to, and names the files of its cache after what
headers say. Its HTTP client shows every request and answer of an exchange to the two hooks here; and an exchange runs
in a thread that is waited for only so long, for below the client there are names to look up, handshakes and headers,
each of which a server may stretch, a byte at a time.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, TypeVar

from ..errors import HubConnectionError, HubIntegrityError

# Seconds until the first byte must have come; then so many bytes a second are enough.
PATIENCE = 120.0
SLOWEST = 10_000
# What the Hub says of a repository with 20,000 files, and of any refusal.
LARGEST_ANSWER = 8 * 2**20

# Seconds: "Retry-After: 7", or "RateLimit: "api";r=0;t=55".
_WAIT = re.compile(r"^\s*(\d{1,20})\s|;\s*t\s*=\s*(\d{1,20})", re.ASCII)

_T = TypeVar("_T")


@dataclass
class Exchange:
    """One thing asked of the Hub, in one or several requests.

    Attributes:
        about: what it is about, for messages.
        commit, digest: what headers must say of the file that is asked for, if one is: it will be named after them.
        size: bytes of that file. An answer that is no file has at most ``LARGEST_ANSWER``.
        sent: bytes that go to the Hub.
        received: bytes that came.
        ended: nobody waits any more, so that what still comes is refused.
    """

    about: str
    commit: str | None = None
    digest: str | None = None
    size: int = 0
    sent: int = 0
    received: int = 0
    ended: bool = False
    started: float = field(default_factory=time.monotonic)

    def seconds_left(self) -> float:
        """How much longer it is waited for; every byte adds to it."""
        return self.started + PATIENCE + (self.sent + self.received) / SLOWEST - time.monotonic()

    def run(self, call: Callable[[], _T]) -> _T:
        """What ``call`` gives, its requests within the limits.

        Raises:
            HubConnectionError: it was not done in time.
            HubIntegrityError: an answer is larger than it may be, packed, or of another file.
            BaseException: whatever ``call`` raises.
        """
        outcome: Future[_T] = Future()
        context = copy_context()
        context.run(_current.set, self)

        def work() -> None:
            try:
                outcome.set_result(context.run(call))
            except BaseException as error:  # for whoever waits, whatever it is
                outcome.set_exception(error)

        worker = Thread(target=work, daemon=True)
        worker.start()
        try:
            # Short, for a wait may not be interruptible; and bytes that come meanwhile add to the time.
            while worker.is_alive():
                if self.seconds_left() <= 0:
                    raise HubConnectionError(
                        f"{self.about}: not done in {time.monotonic() - self.started:.0f} seconds, in which "
                        f"{self.received:,} bytes came; the Hub is too slow; try again later"
                    )
                worker.join(min(1, max(0, self.seconds_left())))
        except BaseException:
            self.ended = True
            worker.join(1)  # at the next byte it throws away what it has
            raise
        return outcome.result()

    def ask(self, request: Any) -> None:
        """A request before it goes out: answers come as they are, for a small packed one could fill the memory."""
        self.check_waited_for()
        request.headers["Accept-Encoding"] = "identity"

    def look(self, response: Any) -> None:
        """An answer whose headers have come; its body will be counted."""
        headers, is_file = response.headers, response.status_code < 400
        self.check_waited_for()
        asked = _WAIT.search(f"{headers.get('Retry-After', '')} {headers.get('RateLimit', '')}")
        # huggingface_hub would wait as long, with the file's place in the cache locked.
        if not is_file and asked and float(seconds := asked[1] or asked[2]) > self.seconds_left():
            raise HubConnectionError(f"{self.about}: the Hub is too busy, and says to come back in {seconds} seconds")
        if headers.get("Content-Encoding", "identity") != "identity":
            raise HubIntegrityError(
                f"{self.about}: the answer is packed ({headers['Content-Encoding']!r}), though that was not asked for; "
                "not unpacked"
            )
        if self.digest is not None:
            self._check_names(headers, must=is_file and response.request.method == "HEAD")
            # Xet's own client would fetch the content past these limits; plain HTTP gives the same bytes.
            for name in [name for name in headers if name.lower().startswith("x-xet-")]:
                del headers[name]
        most = self.size if self.digest is not None and is_file and not response.has_redirect_location else None
        _count(response, self, LARGEST_ANSWER if most is None else most)

    def check_waited_for(self) -> None:
        """huggingface_hub would go on trying, and with the client that it has for all."""
        if self.ended:
            raise HubConnectionError(f"{self.about}: cancelled, for nobody waits for it")

    def _check_names(self, headers: Any, *, must: bool) -> None:
        commit = headers.get("X-Repo-Commit")
        tag = headers.get("X-Linked-ETag") or headers.get("ETag")
        # As huggingface_hub takes the tag apart.
        digest = None if tag is None else tag.lstrip("W/").strip('"')
        if commit not in (None, self.commit) or (must and digest not in (None, self.digest)):
            raise HubIntegrityError(
                f"{self.about}: the Hub has {self.digest} at commit {self.commit} on record, but offers {digest!r} at "
                f"{commit!r}; not taken"
            )


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def on_request(request: Any) -> None:
    """Hook of the HTTP client. It sees everybody's requests, and touches ours."""
    if (exchange := _current.get()) is not None:
        exchange.ask(request)


def on_response(response: Any) -> None:
    """Hook of the HTTP client. It sees everybody's answers, and looks at ours."""
    if (exchange := _current.get()) is not None:
        exchange.look(response)


def _count(response: Any, exchange: Exchange, most: int) -> None:
    """Let the body of an answer have at most so many bytes."""
    body = response.stream

    # Of httpx or httpx2, whichever huggingface_hub uses: each takes bodies of its own class only.
    class Counted(sys.modules[type(response).__module__].SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            came = 0
            for part in body:
                came += len(part)
                exchange.received += len(part)
                if came > most:
                    raise HubIntegrityError(f"{exchange.about}: the Hub sends more than {most:,} bytes; not taken")
                exchange.check_waited_for()
                yield part

        def close(self) -> None:
            body.close()

    response.stream = Counted()
