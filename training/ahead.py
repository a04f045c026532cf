"""Reading ahead: what comes next is read while the device is busy with what is there."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def ahead(
    read: Callable[[_Key], _Value], keys: Iterable[_Key], *, depth: int = 4, pool: Executor | None = None
) -> Generator[tuple[_Key, _Value], None, None]:
    """Each key with what was read of it, in the order of the keys, whatever was read first.

    Args:
        read: must give the same whenever it is called; an error comes when it is the key's turn.
        depth: so many are read before they are asked for.
        pool: what reads, and is shut down at the end; two threads unless given.
    """
    pool = pool or ThreadPoolExecutor(2)
    waiting: deque[tuple[_Key, Future[_Value]]] = deque()
    try:
        for key in keys:
            waiting.append((key, pool.submit(read, key)))
            if len(waiting) > depth:
                first, value = waiting.popleft()
                yield first, value.result()
        while waiting:
            first, value = waiting.popleft()
            yield first, value.result()
    finally:
        pool.shutdown(cancel_futures=True)
