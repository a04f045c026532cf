"""What an address gets of what there is little of, and in which order callers are served."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

import pytest

from demo.shares import Shares, Turns, address_of

T = TypeVar("T")


def apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run in a thread of its own: in this one a browser's event loop may be running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("::1", "::"),
        ("a name that a proxy made up", "a name that a proxy made up"),
        ("x" * 100_000, "x" * 64),
    ],
)
def test_an_address_is_a_computer_or_its_network(host: str, address: str):
    assert address_of((host, 12345)) == address


def test_a_request_from_nowhere_has_a_share_too():
    assert address_of(None) == ""


def taken(shares: Shares, address: str) -> int:
    """How much an address gets that takes all it can."""
    count = 0
    while shares.take(address):
        count += 1
    return count


def test_one_address_gets_half_and_each_of_two_a_third():
    alone = Shares(60)
    assert taken(alone, "a") == 30
    both = Shares(60)
    while both.take("a") | both.take("b"):
        pass
    left = [taken(both, newcomer) for newcomer in "cd"]
    assert left == [10, 5]


def test_what_is_given_back_can_be_had_again():
    shares = Shares(100)
    assert shares.take("a", 50)
    assert not shares.take("a", 1)
    assert shares.take("b", 25)
    shares.give_back("a", 50)
    assert shares.take("b", 10)


def test_nothing_is_remembered_of_addresses_that_have_nothing():
    """A server runs for months, and anybody may have a million addresses."""
    shares = Shares(4)
    for number in range(1000):
        assert shares.take(str(number))
        shares.give_back(str(number))
        assert not shares.take(str(number), 5)
    assert not shares._taken


class Party:
    """Calls that come when a test says so, and end when it says so.

    Attributes:
        begun: what was begun, in order; "a1" is of the address "a".
    """

    def __init__(self, turns: Turns) -> None:
        self.begun: list[str] = []
        self._turns = turns
        self._doors: dict[str, threading.Event] = {}
        self._calls: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        for name in names:
            self._doors[name] = threading.Event()
            self._calls[name] = asyncio.create_task(self._turns.run(name[0], partial(self._work, name)))
        await asyncio.sleep(0)

    async def end(self, name: str, *then: str) -> None:
        """A call ends; calls that come as soon as it has been answered."""
        self._doors[name].set()
        await self._calls[name]
        await self.come(*then)

    async def begins(self, *names: str) -> None:
        """These calls were begun, in any order, and no other besides those before."""
        deadline = time.monotonic() + 60
        while len(self.begun) < len(set(self.begun) | set(names)):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.001)
        assert set(self.begun[-len(names) :]) == set(names), self.begun

    async def leave(self) -> None:
        for door in self._doors.values():
            door.set()
        await asyncio.gather(*self._calls.values(), return_exceptions=True)

    def break_up(self) -> None:
        """Nobody waits any more, whatever the turns wait for."""
        for name, call in self._calls.items():
            call.cancel()
            self._doors[name].set()

    def _work(self, name: str) -> None:
        self.begun.append(name)
        self._doors[name].wait(60)


def served(workers: int, guests: list[str]) -> list[str]:
    """In which order guests are served who all come before the first of them is done."""

    async def party() -> list[str]:
        party = Party(Turns(workers, "test"))
        await party.come(*guests)
        await party.leave()
        return party.begun

    return apart(party())


def test_addresses_take_turns():
    crowd = [f"a{number}" for number in range(5)]
    assert served(1, [*crowd, "b0", "b1", "c0"]) == ["a0", "b0", "c0", "a1", "b1", "a2", "a3", "a4"]


def test_calls_of_one_address_are_served_in_the_order_they_came():
    calls = [f"a{number}" for number in range(6)]
    assert served(1, calls) == calls


FLOOD = [f"f{number}" for number in range(9)]


def test_who_comes_while_another_is_served_is_the_next():
    """Also where that other came first with more: else a visitor waits for two of a flood each time."""

    async def party() -> list[str]:
        party = Party(Turns(1, "test", patience=0))
        await party.come(*FLOOD)
        for number in range(3):
            await party.begins(f"f{number}")
            await party.come(f"v{number}")
            await party.end(f"f{number}")
            await party.begins(f"v{number}")
            await party.end(f"v{number}")
        await party.leave()
        return party.begun

    assert apart(party())[:6] == ["f0", "v0", "f1", "v1", "f2", "v2"]


def test_who_asks_again_at_once_has_two_turns_for_one_of_a_flood():
    async def party() -> list[str]:
        party = Party(Turns(1, "test", patience=60))
        await party.come(*FLOOD, "v0")
        await party.end("f0")
        for number in range(0, 6, 2):
            await party.begins(f"v{number}")
            await party.end(f"v{number}")
            await asyncio.sleep(0.01)  # nobody is served meanwhile
            assert party.begun[-1] == f"v{number}"
            await party.come(f"v{number + 1}")
            await party.begins(f"v{number + 1}")
            await party.end(f"v{number + 1}", f"v{number + 2}")
            await party.begins(flooded := f"f{number // 2 + 1}")
            await party.end(flooded)
        party.break_up()
        return party.begun

    assert apart(party())[:10] == ["f0", "v0", "v1", "f1", "v2", "v3", "f2", "v4", "v5", "f3"]


def test_who_does_not_come_again_is_waited_for_a_moment_only():
    async def party() -> list[str]:
        party = Party(Turns(1, "test", patience=0.01))
        await party.come(*FLOOD, "v0")
        await party.end("f0")
        await party.begins("v0")
        await party.end("v0")
        await party.begins("f1")
        await party.leave()
        return party.begun

    assert apart(party()) == ["f0", "v0", *FLOOD[1:]]


def test_another_visitor_need_not_wait_for_the_one_before():
    async def party() -> list[str]:
        party = Party(Turns(1, "test", patience=60))
        await party.come(*FLOOD, "v0")
        await party.end("f0")
        await party.begins("v0")
        await party.end("v0", "f9", "w0")
        await party.begins("w0")
        party.break_up()
        return party.begun

    assert apart(party())[:3] == ["f0", "v0", "w0"]


@pytest.mark.parametrize("workers", [2, 8])
def test_of_several_threads_one_is_kept_from_each_address(workers: int):
    async def party() -> None:
        party = Party(Turns(workers, "test"))
        await party.come(*FLOOD)
        await party.begins(*FLOOD[: workers - 1])
        for number in range(3):
            await party.come(f"v{number}")
            await party.begins(f"v{number}")  # at once
            await party.end(f"v{number}")
        assert sorted(party.begun) == sorted([*FLOOD[: workers - 1], "v0", "v1", "v2"])
        await party.leave()
        assert len(party.begun) == len(FLOOD) + 3

    apart(party())


def test_one_address_has_them_all_where_work_takes_minutes():
    async def party() -> None:
        party = Party(Turns(2, "test", kept=False))
        await party.come("a0", "a1", "a2")
        await party.begins("a0", "a1")
        await party.leave()

    apart(party())


def test_work_gives_its_result_or_its_error_and_the_next_is_served():
    async def party() -> int:
        turns = Turns(1, "test")
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await turns.run("a", lambda: 1 // 0)
        return await turns.run("b", lambda: 7)

    assert apart(party()) == 7


def test_whoever_goes_leaves_the_turn_to_the_next():
    async def party() -> list[str]:
        turns, door, order = Turns(1, "test"), threading.Event(), list[str]()
        first = asyncio.create_task(turns.run("a", lambda: door.wait(60)))
        waiting = [asyncio.create_task(turns.run(name, partial(order.append, name))) for name in "bcd"]
        await asyncio.sleep(0)
        waiting[0].cancel()
        door.set()
        await asyncio.gather(first, *waiting, return_exceptions=True)
        await turns.run("e", lambda: order.append("e"))
        return order

    assert apart(party()) == ["c", "d", "e"]


def test_work_sees_whose_call_it_is():
    """A GPU is lent on that visitor's account."""
    visitor: ContextVar[str] = ContextVar("visitor")

    async def party() -> str:
        visitor.set("somebody")
        return await Turns(1, "test").run("a", visitor.get)

    assert apart(party()) == "somebody"
