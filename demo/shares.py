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

    Its methods run on one event loop, so nothing is locked. The threads are its own: each has a heap and buffers, and
    two pictures of 25 megapixels took 180 MB more in whatever threads were free.

    Args:
        workers: how many are served at once.
        name: of the threads.
        prepare: is called in each of them as it starts.
    """

    def __init__(self, workers: int, name: str, prepare: Callable[[], None] | None = None) -> None:
        self._threads = ThreadPoolExecutor(workers, name, prepare)
        self._free = workers
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def run(self, address: str, work: Callable[[], _Result]) -> _Result:
        """What ``work`` gives when its turn has come; it sees the context variables of the caller."""
        if self._free:
            self._free -= 1
        else:
            await self._turn(address)
        try:
            context = contextvars.copy_context()
            return await asyncio.get_running_loop().run_in_executor(self._threads, context.run, work)
        finally:
            self._pass_on()

    async def _turn(self, address: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """To the address that has waited longest for its next turn; there, to the call that came first."""
        while self._waiting:
            address, calls = self._waiting.popitem(last=False)
            turn = calls.popleft()
            if calls:
                self._waiting[address] = calls
            if not turn.done():  # else the caller has gone
                turn.set_result(None)
                return
        self._free += 1
