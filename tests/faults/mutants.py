"""Files with damage: bytes changed as disks and editors change them, JSON changed as hands do."""

import copy
import random
from collections.abc import Iterator
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, 10**30, -(10**30), 1e308, "", "x", "../x", "x" * 5000, "\x00"),
    *([], {}, [[]], [None], [1, "a"], {"kind": "x"}, {"kind": None}, {"": {}}, [[[[[[1]]]]]]),
)


def damaged(content: bytes, draw: random.Random) -> bytes:
    """The content after one of eight kinds of damage, which changed something."""
    for _ in range(20):
        found = draw.choice(DAMAGE)(bytearray(content), draw)
        if found != content:
            return bytes(found)
    return content + b"\x00"


def _place(content: bytearray, draw: random.Random) -> tuple[int, int]:
    """A range of at most a twentieth of the content; headers and ends are hit as often as all the rest."""
    size = len(content)
    start = draw.choice(
        [draw.randrange(size), draw.randrange(min(size, 400)), size - 1 - draw.randrange(min(size, 400))]
    )
    return start, min(size, start + 1 + draw.randrange(max(1, size // 20)))


def _flip(content: bytearray, draw: random.Random) -> bytearray:
    content[_place(content, draw)[0]] ^= 1 << draw.randrange(8)
    return content


def _replace(content: bytearray, draw: random.Random) -> bytearray:
    start, end = _place(content, draw)
    content[start:end] = draw.randbytes(end - start)
    return content


def _zero(content: bytearray, draw: random.Random) -> bytearray:
    start, end = _place(content, draw)
    content[start:end] = bytes(end - start)
    return content


def _cut(content: bytearray, draw: random.Random) -> bytearray:
    return content[: _place(content, draw)[0]]


def _lose(content: bytearray, draw: random.Random) -> bytearray:
    start, end = _place(content, draw)
    return content[:start] + content[end:]


def _repeat(content: bytearray, draw: random.Random) -> bytearray:
    start, end = _place(content, draw)
    return content[:end] + content[start:]


def _insert(content: bytearray, draw: random.Random) -> bytearray:
    start, _ = _place(content, draw)
    return content[:start] + draw.randbytes(1 + draw.randrange(64)) + content[start:]


def _digit(content: bytearray, draw: random.Random) -> bytearray:
    """Another digit, letter or sign in what may be text."""
    content[_place(content, draw)[0]] = draw.choice(b'0123456789-.eE"{}[],:nNaIt ')
    return content


DAMAGE = (_flip, _replace, _zero, _cut, _lose, _repeat, _insert, _digit)


def edited(data: Any, draw: random.Random) -> Any:
    """JSON data with one entry replaced, lost, renamed or added."""
    data = copy.deepcopy(data)
    holder, key = draw.choice(list(_entries(data)))
    change = draw.choice(["value", "value", "value", "lose", "rename", "add"])
    if change == "value":
        holder[key] = copy.deepcopy(draw.choice(VALUES))
    elif change == "lose":
        del holder[key]
    elif isinstance(holder, dict):
        holder[draw.choice(["x", "kind", "", f"{key}2"])] = (
            holder.pop(key) if change == "rename" else draw.choice(VALUES)
        )
    else:
        holder.append(copy.deepcopy(draw.choice(VALUES)))
    return data


def _entries(data: Any) -> Iterator[tuple[Any, Any]]:
    for key in data if isinstance(data, dict) else range(len(data)):
        yield data, key
        if isinstance(data[key], dict | list):
            yield from _entries(data[key])
