"""Trajectories for the checks of reducers, dynamics and metrics."""

import torch

from dynred.data.trajectories import Trajectories


def curves(dim: int) -> Trajectories:
    """Eight pieces of one closed curve that bends in all of its `dim` directions; `dim` is even.

    The parameter `number` counts the pieces.
    """
    k = torch.arange(1, dim // 2 + 1, dtype=torch.float64)
    t = torch.linspace(0, 1.5, 16, dtype=torch.float64)
    angle = k * (t[:, None] + 0.8 * torch.arange(8)[:, None, None])
    states = torch.cat([torch.cos(angle) / k, torch.sin(angle) / k], -1)
    number = {"number": torch.arange(8, dtype=torch.float64)}
    return Trajectories.from_stacked(states, t, torch.cat([-torch.sin(angle), torch.cos(angle)], -1), parameters=number)


def spirals() -> Trajectories:
    """Motions r' = r - r^3, angle' = 1, from eight radii."""
    t = torch.linspace(0, 3, 31, dtype=torch.float64)
    r0 = torch.linspace(0.4, 1.6, 8, dtype=torch.float64)[:, None]
    r = (1 + (r0**-2 - 1) * torch.exp(-2 * t)).rsqrt()[..., None]
    out = torch.stack([torch.cos(t + r0), torch.sin(t + r0)], -1)
    across = torch.stack([-out[..., 1], out[..., 0]], -1)
    return Trajectories.from_stacked(r * out, t, (r - r**3) * out + r * across)
