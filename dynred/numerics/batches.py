"""Cuts rows into batches: small enough to bound memory, large enough to cost no time."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.checks import kind_of, refuse


def pieces(rows: Float[Tensor, "M R"], width: int = 1) -> tuple[Float[Tensor, "_ R"], ...]:
    """Cuts `rows` along the first axis into pieces: small enough to bound memory, large enough to cost no time.

    `width` is the number of values that are computed from each row, where that is more than the row itself has.
    """
    return rows.split(max(16, min(1024, 2**20 // max(rows.shape[1], width, 1))))


_whole: ContextVar[int] = ContextVar("rows of which pieces are taken", default=0)


@contextmanager
def taken_in_pieces(rows: int) -> Iterator[None]:
    """Tells what is called meanwhile that its rows are pieces of so many: what is worth some preparation for all of
    them may not be for one piece."""
    token = _whole.set(rows)
    try:
        yield
    finally:
        _whole.reset(token)


def rows_in_all(rows: int) -> int:
    """How many rows there are, of which these are a piece; see `taken_in_pieces`."""
    return max(rows, _whole.get())


def as_index(index: object) -> Int[Tensor, "..."] | Bool[Tensor, "..."]:
    """An index of rows as a tensor: an integer, a list of integers, or a mask.

    Raises:
        InputError: `index` is none of these.
    """
    try:
        rows = torch.as_tensor(index)
    except (TypeError, ValueError, RuntimeError) as error:
        raise refuse("index", "an integer, a slice, a list of integers or a mask", kind_of(index)) from error
    if rows.numel() and (rows.is_floating_point() or rows.is_complex()):
        raise refuse("index", "of integers or a mask", f"{rows.dtype}")
    return rows if rows.numel() else rows.long()


def ranges(starts: Int[Tensor, " N"], lengths: Int[Tensor, " N"]) -> Int[Tensor, " M"]:
    """The rows of N ranges, one range after the other: range i has `lengths[i]` rows from `starts[i]` on."""
    if len(starts) == 0:
        return torch.zeros(0, dtype=torch.long, device=starts.device)
    offsets = torch.cumsum(lengths, 0) - lengths
    return torch.repeat_interleave(starts - offsets, lengths) + torch.arange(int(lengths.sum()), device=starts.device)
