"""Rows in batches: large enough to cost no time, small enough to bound memory."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.checks import kind_of, refuse


def pieces(rows: Float[Tensor, "M R"], width: int = 1) -> tuple[Float[Tensor, "_ R"], ...]:
    """`rows` cut along the first axis: pieces small enough to bound memory, large enough to cost no time.

    `width` is the number of values that are made of each row, where that is more than the row itself has.
    """
    return rows.split(max(16, min(1024, 2**20 // max(rows.shape[1], width, 1))))


def as_index(index: object) -> Int[Tensor, "..."] | Bool[Tensor, "..."]:
    """An index of rows as a tensor: an integer, a list of integers, or a mask.

    Raises:
        InputError: something else.
    """
    try:
        found = torch.as_tensor(index)
    except (TypeError, ValueError, RuntimeError) as error:
        raise refuse("index", "an integer, a slice, a list of integers or a mask", kind_of(index)) from error
    if found.numel() and (found.is_floating_point() or found.is_complex()):
        raise refuse("index", "of integers or a mask", f"{found.dtype}")
    return found if found.numel() else found.long()


def ranges(starts: Int[Tensor, " N"], lengths: Int[Tensor, " N"]) -> Int[Tensor, " M"]:
    """Rows starts[i], starts[i] + 1, ..., lengths[i] of them, one range after the other."""
    if len(starts) == 0:
        return torch.zeros(0, dtype=torch.long)
    offsets = torch.cumsum(lengths, 0) - lengths
    return torch.repeat_interleave(starts - offsets, lengths) + torch.arange(int(lengths.sum()))
