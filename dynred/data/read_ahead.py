"""Reading the next part of something while the one before is worked on."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """The items, in order, each made in a thread of its own while the caller has the one before.

    Two of them are in memory at a time, beside what the caller keeps. What making one raises is raised here.
    """
    source, end = iter(items), object()
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, source, end)
        while (item := following.result()) is not end:
            following = reader.submit(next, source, end)
            yield item  # type: ignore[misc] # it is not the end
