"""How well rollouts follow trajectories: the score by which settings are chosen."""

import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics._driven import freed
from dynred.dynamics.base import VectorFieldDynamics


def rollout_score(model: VectorFieldDynamics, validation: Trajectories, horizon: int = 100) -> float:
    """How wrong rollouts of the validation trajectories are: the mean over time of the relative error, each at most 1.

    Errors are divided by the root mean square distance from the mean; `horizon` is in snapshots.
    """
    if validation.inputs is not None:  # among the coordinates of the model: their course is known
        model, validation = freed(model, validation)
    device = model.units.shift.device
    total, count = 0.0, 0
    size = model.units.spread.pow(2).sum().sqrt()
    for grid, members in validation.shared_grids():
        part = validation[members]
        truth = part.stacked()[:, : horizon + 1].to(device)
        with torch.no_grad():
            prediction = model.rollout(truth[:, 0], grid[: horizon + 1].to(device), part.given)
        error = model.latent_space.difference(prediction, truth).norm(dim=-1) / size
        total += float(torch.where(error <= 1, error, 1.0).sum())  # NaN counts as 1
        count += error.numel()
    return total / count
