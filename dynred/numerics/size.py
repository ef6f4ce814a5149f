"""The size of states, in whose units steps and tolerances are."""

import torch
from jaxtyping import Float
from torch import Tensor


def size_of(x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch 1"]:
    """The largest absolute component of every state; 1 for a state of zeros, which says nothing of its units."""
    largest = x.detach().abs().amax(-1, keepdim=True)
    return torch.where(largest > 0, largest, 1.0)
