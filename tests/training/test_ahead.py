import threading
import time

import pytest

from training.ahead import ahead


def test_comes_in_the_order_of_the_keys_whatever_is_ready_first():
    def read(key: int) -> int:
        time.sleep(0.002 * (key % 3 == 0))
        return key * key

    assert list(ahead(read, range(30))) == [(key, key * key) for key in range(30)]


def test_reads_while_the_other_side_is_busy_but_not_more_than_asked_for():
    read: list[int] = []
    pairs = ahead(lambda key: read.append(key), range(50), depth=3)
    next(pairs)
    until = time.monotonic() + 10
    while len(read) < 4:
        assert time.monotonic() < until
        time.sleep(0.001)
    time.sleep(0.01)
    assert sorted(read) == [0, 1, 2, 3]
    pairs.close()


def test_an_error_comes_when_it_is_its_turn():
    def read(key: int) -> int:
        return 10 // (3 - key)

    pairs = ahead(read, range(6))
    assert [next(pairs) for _ in range(3)] == [(0, 3), (1, 5), (2, 10)]
    with pytest.raises(ZeroDivisionError):
        next(pairs)


def test_who_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    pairs = ahead(lambda key: key, range(1000))
    next(pairs)
    pairs.close()
    assert threading.active_count() == before


def test_nothing_to_read():
    assert list(ahead(lambda key: key, [])) == []
