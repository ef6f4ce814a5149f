"""How well rollouts follow trajectories: the score by which settings are chosen."""

from collections.abc import Iterator, Sequence
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
FOLLOWED = 8  # trajectories of a set that are followed over their whole length


def rollout_score(model: Rolling, validation: Trajectories, horizon: int = 100) -> float:
    """How wrong rollouts of the validation trajectories are: the mean over time of the relative error, each at most 1.

    Errors are divided by the root mean square distance from the mean; `horizon` is in snapshots.
    """
    total, count = 0.0, 0
    for error in _errors(model, validation, horizon):
        total += float(error.clamp_max(1).sum())
        count += error.numel()
    return total / count


def step_score(model: Rolling, validation: Trajectories, horizon: int = HORIZON) -> float:
    """The same for maps: of rollouts from many snapshots, and a rollout whose error was larger stays as wrong.

    After a hundred steps of a chaotic map every rollout is lost, and the mean is the best that remains: on a section of
    Roessler's band, whole rollouts preferred a linear map to one of degree 12, whose changes are 4,000 times as exact.
    """
    windows = validation.windows(max(2, min(horizon + 1, int(validation.lengths.median()))))
    errors = [error.clamp_max(1).cummax(1).values for error in _errors(model, windows, horizon)]
    return sum(float(error.sum()) for error in errors) / sum(error.numel() for error in errors)


def whole_score(model: Rolling, parts: Sequence[Trajectories], most: int = FOLLOWED) -> tuple[float, bool]:
    """How wrong rollouts over the whole length of trajectories are, and whether any of them breaks off.

    Args:
        model: the dynamics.
        parts: sets of trajectories, such as those of training and of validation.
        most: how many of each set are followed; those that start first.

    Returns:
        The error as in `rollout_score`, and whether a rollout stops being finite.
    """
    total, count, broken = 0.0, 0, False
    for part in parts:
        for error in _errors(model, part[:most], int(part.lengths.max())):
            total, count = total + float(error.clamp_max(1).sum()), count + error.numel()
            broken |= bool(error.isinf().any())
    return total / count, broken


def _errors(model: Rolling, validation: Trajectories, horizon: int) -> Iterator[Float[Tensor, "n T"]]:
    """The relative errors of rollouts, on one time grid after the other; infinite where a rollout is not finite."""
    device = model.units.shift.device
    size = model.units.spread.pow(2).sum().sqrt()
    for grid, members in validation.shared_grids():
        part = validation[members]
        truth = part.stacked()[:, : horizon + 1].to(device)
        with torch.no_grad():
            prediction = model.rollout(truth[:, 0], grid[: horizon + 1].to(device), part.given)
        error = model.latent_space.difference(prediction, truth).norm(dim=-1) / size
        yield torch.where(error.isnan(), torch.inf, error)
