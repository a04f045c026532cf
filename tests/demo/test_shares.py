"""What an address gets of what there is little of, and in which order callers are served."""

import asyncio
import threading
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


def served(workers: int, guests: list[str]) -> list[str]:
    """In which order guests are served who all come before the first of them is done."""

    async def party() -> list[str]:
        turns, door, order = Turns(workers, "test"), threading.Event(), list[str]()

        def read(guest: str) -> None:
            door.wait(60)
            order.append(guest)

        waiting = [asyncio.create_task(turns.run(guest[0], partial(read, guest))) for guest in guests]
        await asyncio.sleep(0)
        door.set()
        await asyncio.gather(*waiting)
        return order

    return apart(party())


def test_addresses_take_turns():
    crowd = [f"a{number}" for number in range(5)]
    assert served(1, [*crowd, "b0", "b1", "c0"]) == ["a0", "a1", "b0", "c0", "a2", "b1", "a3", "a4"]


def test_calls_of_one_address_are_served_in_the_order_they_came():
    calls = [f"a{number}" for number in range(6)]
    assert served(1, calls) == calls


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
