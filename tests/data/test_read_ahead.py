"""Reading ahead: the same items, one made early, errors where they were raised."""

import threading

import pytest

from dynred.data.read_ahead import read_ahead


def test_items_come_in_order_and_the_next_is_made_while_one_is_worked_on():
    made = [threading.Event() for _ in range(4)]

    def items():
        for i in range(4):
            made[i].set()
            yield i

    seen = []
    for i in read_ahead(items()):
        assert i == 3 or made[i + 1].wait(10)
        seen.append(i)
    assert seen == [0, 1, 2, 3]
    assert list(read_ahead([])) == []


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise KeyError("torn")

    seen = []
    with pytest.raises(KeyError, match="torn"):
        seen.extend(read_ahead(items()))
    ahead = read_ahead(items())
    assert next(ahead) == 1
    ahead.close()  # waits for the thread, and forgets what it raised
