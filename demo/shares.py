"""A share for each address of whatever the server has little of: places, memory, disk, and turns to be read.

An address is one computer, or one home network. Behind a proxy all visitors have the proxy's, unless whoever runs the
page names the proxy in FORWARDED_ALLOW_IPS: the server then takes the address that this proxy forwards.
"""

import asyncio
import contextvars
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv6Address, ip_address
from typing import TypeVar

_Result = TypeVar("_Result")


def address_of(client: tuple[str, int] | None) -> str:
    """Whose share a request is counted to, from where it comes: (host, port), or None where that is not known.

    Of IPv6 the first half: who has one such address has all of that network.
    """
    host = "" if client is None else client[0][:64]
    try:
        number = ip_address(host)
    except ValueError:
        return host
    if isinstance(number, IPv6Address):
        return str(number.ipv4_mapped or IPv6Address(int(number) >> 64 << 64))
    return host


class Shares:
    """So much of something, given to addresses so that each newcomer finds some left. Thread-safe.

    An address may have as much as it leaves: alone one half; two that take all they can get have a third each, and a
    third is left (dynamic thresholds, Choudhury and Hahne, 1998).

    Args:
        whole: how much there is.
    """

    def __init__(self, whole: int) -> None:
        self.whole = whole
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, address: str, amount: int = 1) -> bool:
        """Whether this address got so much more; it is to give it back."""
        with self._lock:
            if self._taken[address] + amount > self.whole - self._taken.total():
                self._taken += Counter()  # drops what is at zero
                return False
            self._taken[address] += amount
            return True

    def give_back(self, address: str, amount: int = 1) -> None:
        with self._lock:
            self._taken[address] -= amount
            self._taken += Counter()


class Turns:
    """Work of many callers, done in a few threads: addresses take turns, however much each of them has waiting.

    A visitor who asks one at a time is to have half of what he has alone beside an address that asks without end. So of
    several threads one is kept from each address; a single one waits a moment for him who has just been answered.

    Its methods run on one event loop, so nothing is locked. The threads are its own: each has a heap and buffers, and
    two pictures of 25 megapixels took 180 MB more in whatever threads were free.

    Args:
        workers: how many are served at once.
        name: of the threads.
        prepare: is called in each of them as it starts.
        kept: whether a thread is kept, or waits; not where work takes minutes.
        patience: for how many seconds a single one waits.
    """

    def __init__(
        self,
        workers: int,
        name: str,
        prepare: Callable[[], None] | None = None,
        *,
        kept: bool = True,
        patience: float = 0.1,
    ) -> None:
        self._threads = ThreadPoolExecutor(workers, name, prepare)
        self._free = workers
        self._most = workers - 1 if kept and workers > 1 else workers  # of one address
        self._patience = patience if kept and workers == 1 else 0.0
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._served = Counter[str]()
        self._last, self._running = "", 0  # who had the last turn, and how many one after the other
        self._held: asyncio.TimerHandle | None = None  # for the one who had the last turn

    async def run(self, address: str, work: Callable[[], _Result]) -> _Result:
        """What ``work`` gives when its turn has come; it sees the context variables of the caller."""
        await self._turn(address)
        try:
            context = contextvars.copy_context()
            return await asyncio.get_running_loop().run_in_executor(self._threads, context.run, work)
        finally:
            self._end(address)

    async def _turn(self, address: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        if self._held is not None and address not in self._waiting:
            self._waiting[address] = deque()
            self._waiting.move_to_end(address, last=False)
            self._let_go()
        self._waiting.setdefault(address, deque()).append(turn)
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._end(address)
            raise

    def _end(self, address: str) -> None:
        self._served[address] -= 1
        self._served += Counter()
        self._free += 1
        if address in self._waiting:
            self._waiting.move_to_end(address)  # behind those who came meanwhile
        elif self._is_awaited(address):
            self._held = asyncio.get_running_loop().call_later(self._patience, self._give_up)
        self._hand_out()

    def _is_awaited(self, address: str) -> bool:
        """Whether an address that asks one at a time goes before those who wait: one turn more, if they have many."""
        many = all(len(calls) > 1 for calls in self._waiting.values())
        return bool(self._patience and self._waiting and many and self._running == 1)

    def _let_go(self) -> None:
        assert self._held is not None
        self._held.cancel()
        self._held = None

    def _give_up(self) -> None:
        self._let_go()
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free and self._held is None and (address := self._next()) is not None:
            calls = self._waiting.pop(address)
            turn = calls.popleft()
            if calls:
                self._waiting[address] = calls
            if turn.done():  # the caller has gone
                continue
            self._running = self._running + 1 if address == self._last else 1
            self._last = address
            self._served[address] += 1
            self._free -= 1
            turn.set_result(None)

    def _next(self) -> str | None:
        """The address that has waited longest since its last turn, of those that may have one more."""
        return next((each for each in self._waiting if self._served[each] < self._most), None)
