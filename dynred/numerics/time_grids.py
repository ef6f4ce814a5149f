"""Grids of times, refined and cut."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def refined(t: Float[Tensor, " T"], step: float) -> tuple[Float[Tensor, " S"], Int[Tensor, " T"]]:
    """The times t with every gap cut evenly into pieces of at most `step`, and the places of t among them."""
    gaps = torch.diff(t)
    counts = torch.ceil(gaps / step - 1e-9).clamp_min(1).long()
    ends = torch.cumsum(counts, 0)
    owner = torch.repeat_interleave(torch.arange(len(gaps)), counts)
    fraction = (torch.arange(len(owner)) - (ends - counts)[owner]) / counts[owner]
    return torch.cat([t[owner] + gaps[owner] * fraction, t[-1:]]), torch.cat([ends.new_zeros(1), ends])


def cuts(times: Float[Tensor, " S"], length: float) -> list[int]:
    """The places in `times` at which pieces of about `length` begin, and the last place."""
    piece = torch.floor((times[:-1] - times[0]) / length)
    first = torch.cat([torch.ones(1, dtype=torch.bool), torch.diff(piece) > 0])[: len(piece)]
    return [*torch.nonzero(first)[:, 0].tolist(), len(times) - 1]
