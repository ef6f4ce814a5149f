"""How well rollouts follow trajectories: the score by which settings are chosen."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.dynamics._units import Standardisation
from dynred.numerics.latent_space import LatentSpace


class Rolling(Protocol):
    """Latent dynamics with standard units, as far as a score looks at them."""

    latent_space: LatentSpace

    @property
    def units(self) -> Standardisation:
        """The standard units."""
        ...

    def rollout(self, z0: Float[Tensor, "N R"], t: Float[Tensor, " T"], parameters: Any) -> Float[Tensor, "N T R"]:
        """See `LatentDynamics.rollout`."""
        ...


HORIZON = 20  # steps over which maps are compared


def rollout_score(model: Rolling, validation: Trajectories, horizon: int = 100) -> float:
    """How wrong rollouts of the validation trajectories are: the mean over time of the relative error, each at most 1.

    Errors are divided by the root mean square distance from the mean; `horizon` is in snapshots.
    """
    total, count = 0.0, 0
    for error in _errors(model, validation, horizon):
        total += float(error.sum())
        count += error.numel()
    return total / count


def step_score(model: Rolling, validation: Trajectories, horizon: int = HORIZON) -> float:
    """The same for maps: of rollouts from many snapshots, and a rollout whose error was larger stays as wrong.

    After a hundred steps of a chaotic map every rollout is lost, and the mean is the best that remains: on a section of
    Roessler's band, whole rollouts preferred a linear map to one of degree 12, whose changes are 4,000 times as exact.
    """
    windows = validation.windows(max(2, min(horizon + 1, int(validation.lengths.median()))))
    errors = [error.cummax(1).values for error in _errors(model, windows, horizon)]
    return sum(float(error.sum()) for error in errors) / sum(error.numel() for error in errors)


def _errors(model: Rolling, validation: Trajectories, horizon: int) -> Iterator[Float[Tensor, "n T"]]:
    """The relative errors of rollouts, at most 1, of trajectories on one time grid after the other."""
    device = model.units.shift.device
    size = model.units.spread.pow(2).sum().sqrt()
    for grid, members in validation.shared_grids():
        part = validation[members]
        truth = part.stacked()[:, : horizon + 1].to(device)
        with torch.no_grad():
            prediction = model.rollout(truth[:, 0], grid[: horizon + 1].to(device), part.given)
        error = model.latent_space.difference(prediction, truth).norm(dim=-1) / size
        yield torch.where(error <= 1, error, 1.0)  # NaN counts as 1
