"""A web server on loopback that fails as it is told to: what is answered is the business of who derives from it."""

import json
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


@dataclass
class Failure:
    """What goes wrong with the next ``times`` requests whose "METHOD /path?query" the expression ``where`` finds.

    Attributes:
        status: answered, with ``message``, ``code`` and ``headers``, and nothing is done.
        headers: without a status, they stand in for those of the right answer; None leaves one out.
        edit: makes another body of the right one.
        done: with a status, everything is done and then it is answered: a gateway that lost patience.
        cut: the connection ends after so many bytes of the answer.
        short: the answer lacks so many bytes, and its length agrees.
        wrong: the answer has its length, and other bytes.
        pause: after so many bytes of the request's body or, of a GET, the answer, the server sets ``paused`` and waits
            for ``going``, both threading.Event: the moment to kill a client.
        hold: the same when all is done and the answer not yet sent.
        drip: seconds after each byte of the body; with ``drip_headers`` of the headers too.
        endless: the body is sent again and again, for as long as somebody takes it.
    """

    where: str
    times: float = 1
    status: int | None = None
    message: str = "ordered by the test"
    code: str | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    edit: Callable[[Any], Any] | None = None
    done: bool = False
    cut: int | None = None
    short: int = 0
    wrong: bool = False
    pause: int | None = None
    hold: bool = False
    drip: float = 0
    drip_headers: bool = False
    endless: bool = False

    def answer(self) -> "Answer":
        return refusal(self.status or 500, self.message, self.code, **self.headers)

    def bend(self, answer: "Answer") -> None:
        """Change the right answer."""
        if self.edit is not None:
            answer.body, answer.length = self.edit(answer.body), None
        answer.headers |= self.headers


class Request(NamedTuple):
    """What came; ``line`` is "METHOD /path?query"."""

    line: str
    host: str
    authorization: str | None
    encoding: str | None


@dataclass
class Answer(Exception):
    """Is returned or, where it is an error, raised. ``body``: bytes, or what JSON is made of."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict)
    length: int | None = None


def refusal(status: int, message: str, code: str | None = None, **headers: str | None) -> Answer:
    """An error as the Hub sends it; ``code`` is what its client tells errors apart by."""
    headers |= {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return Answer({"error": message, "errors": [{"message": message}]}, status, headers)


class MisbehavingServer(ThreadingHTTPServer):
    """Answers from the moment it is made until ``stop()`` or the end of a ``with`` block.

    Attributes:
        url: where.
        requests: all that came.
        sent: bytes of all answers.
        paused, going: see Failure.
    """

    def __init__(self, port: int, handler: type["MisbehavingHandler"]) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[Request] = []
        self.sent = 0
        self.failures: list[Failure] = []
        self.paused, self.going, self.lock = threading.Event(), threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def fail(self, where: str, **how: Any) -> None:
        """Order a Failure; of several that fit, the first that has times left happens."""
        self.paused.clear()
        self.going.clear()
        self.failures.append(Failure(where, **how))

    def next_failure(self, line: str) -> Failure:
        with self.lock:
            for failure in self.failures:
                if failure.times > 0 and re.search(failure.where, line):
                    failure.times -= 1
                    return failure
        return Failure("")

    def pause(self) -> None:
        self.paused.set()
        self.going.wait(120)

    def asked(self, where: str) -> int:
        """How many requests the expression finds."""
        return sum(re.search(where, request.line) is not None for request in self.requests)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that was killed, or has seen enough
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        self.going.set()
        self.shutdown()
        super().server_close()

    def stop(self) -> None:
        """From now on connections are refused. May be called twice."""
        self.server_close()


class Dripping:
    """A connection that may take its time over every byte, and counts them."""

    def __init__(self, connection: Any, server: MisbehavingServer, seconds: float) -> None:
        self.connection, self.server, self.seconds = connection, server, seconds

    def write(self, content: bytes) -> None:
        for start in range(0, len(content), size := 1 if self.seconds else 2**20):
            self.server.sent += self.connection.write(part := content[start : start + size])
            if self.server.going.wait(self.seconds if part else 0):  # the test is over
                self.seconds = 0

    def flush(self) -> None:
        self.connection.flush()

    @property
    def closed(self) -> bool:
        return bool(self.connection.closed)

    def close(self) -> None:
        self.connection.close()


class MisbehavingHandler(BaseHTTPRequestHandler):
    """One request a connection (HTTP/1.0), so that a server that was stopped is gone at once."""

    server: Any

    def respond(self, body: bytes) -> Answer:
        """The right answer; called with the server's lock held."""
        raise NotImplementedError

    def serve(self) -> None:
        line = f"{self.command} {self.path}"
        named = (self.headers[name] for name in ("Host", "Authorization", "Accept-Encoding"))
        self.server.requests.append(Request(line, *named))
        failure = self.server.next_failure(line)
        body = self.read(failure.pause)
        try:
            if failure.status and not failure.done:
                raise failure.answer()
            with self.server.lock:
                answer = self.respond(body)
            if failure.status:
                raise failure.answer()
            failure.bend(answer)
        except Answer as refused:
            answer = refused
        if failure.hold:
            self.server.pause()
        self.send(answer, failure)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

    def read(self, pause: int | None) -> bytes:
        """The request's body. Who goes away before its end has asked for nothing."""
        length = int(self.headers["Content-Length"] or 0)
        body = self.rfile.read(length if pause is None else min(pause, length))
        if len(body) < length:
            self.server.pause()
            body += self.rfile.read(length - len(body))
        if len(body) < length:
            raise ConnectionError("the request broke off")
        return body

    def send(self, answer: Answer, failure: Failure) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        length = (len(body) if answer.length is None else answer.length) - failure.short
        body = body[: len(body) - failure.short]
        if failure.wrong:
            body = body.translate(bytes(reversed(range(256))))
        connection: Any = Dripping(self.wfile, self.server, failure.drip if failure.drip_headers else 0)
        self.wfile = connection
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(length)} | answer.headers).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        connection.seconds = failure.drip
        body = body[: 0 if self.command == "HEAD" else failure.cut]
        first = failure.pause if self.command == "GET" and failure.pause is not None else len(body)
        self.wfile.write(body[:first])
        if first < len(body):
            self.server.pause()
            self.wfile.write(body[first:])
        while failure.endless and body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""
