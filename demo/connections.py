"""How many connections an address may hold, and for how long one that asks for nothing stays open.

A connection costs a file, of which systems allow a server 1024, and uvicorn waits for the first request of one, or for
the rest of a request's head, for ever.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from .shares import Shares, address_of

if TYPE_CHECKING:
    from uvicorn import Server

# Of all addresses together; one alone gets half (see Shares). More than the requests of admission.py.
CONNECTIONS = 850
# Every so many seconds a connection is looked at. One that has brought no request since is closed; uvicorn itself
# closes those that are silent for five seconds after an answer.
_LOOK = 10.0


def bound(server: "Server") -> None:
    """From now on the connections of a running server are those that ``bounded`` makes; silent ones before them go."""
    kind: Any = server.config.http_protocol_class
    server.config.http_protocol_class = bounded(kind, Shares(CONNECTIONS))

    def close_early() -> None:
        for each in list[Any](server.server_state.connections):
            if type(each) is kind and (each.cycle is None or each.cycle.response_complete):
                each.transport.abort()

    loop = server.servers[0].get_loop()
    loop.call_soon_threadsafe(loop.call_later, _LOOK, close_early)


def bounded(protocol: type[asyncio.Protocol], places: Shares) -> type[asyncio.Protocol]:
    """uvicorn's protocol, whichever it took, for connections that have a place each."""

    class Bounded(protocol):  # type: ignore[misc, valid-type]
        _address: str | None = None  # whose place it has
        _seen: Any = None  # the request that it had when it was looked at last

        def connection_made(self, transport: asyncio.Transport) -> None:
            peer = transport.get_extra_info("peername")
            address = address_of(peer if isinstance(peer, tuple) else None)
            super().connection_made(transport)
            if places.take(address):
                self._address = address
                self._look_again()
            else:
                transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._address is not None:
                self._later.cancel()
                places.give_back(self._address)
                self._address = None

        def _look_again(self) -> None:
            self._later = asyncio.get_running_loop().call_later(_LOOK, self._look)

        def _look(self) -> None:
            request = self.cycle
            if self._address is None or (request is self._seen and (request is None or request.response_complete)):
                self.transport.abort()
                return
            self._seen = request
            self._look_again()

    return Bounded
