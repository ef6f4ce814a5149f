"""A forecast: what was, what the encoder and decoder make of it, and what the reduced model predicted."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.models.base import Model
from dynred.views import Plotted


@dataclass(frozen=True, eq=False)
class Forecast(Plotted):
    """Three sets of trajectories with the same times, so that a report can tell the encoder's error from the dynamics'.

    Attributes:
        truth: trajectories of the full system.
        reconstructed: decode(encode(x)) of every state of `truth`.
        predicted: rollouts from the first state of every trajectory; NaN from divergence on.
        largest: for every trajectory, the largest |x| of the whole trajectory that it is a part of; empty where all are
            whole.
        encoded: the same of the states that the model encodes, where these are others; see `core`.
    """

    truth: Trajectories
    reconstructed: Trajectories
    predicted: Trajectories
    largest: tuple[float, ...] = ()
    encoded: "Forecast | None" = None

    @property
    def core(self) -> "Forecast":
        """The same of the states that the model encodes."""
        return self.encoded or self

    def __post_init__(self):
        for name in ("reconstructed", "predicted"):
            other = getattr(self, name)
            if other.states.shape != self.truth.states.shape or not torch.equal(other.lengths, self.truth.lengths):
                raise refuse(name, f"like truth, {self.truth}", repr(other))
        if self.largest and len(self.largest) != len(self.truth):
            raise refuse("largest", f"one number for each of {len(self.truth)} trajectories", len(self.largest))

    def moved(self, move: Callable[[Trajectories], Trajectories]) -> "Forecast":
        """The forecast with each of its sets mapped alike."""
        return Forecast(move(self.truth), move(self.reconstructed), move(self.predicted), self.largest)

    @property
    def largest_states(self) -> Float[Tensor, " N"]:
        """The largest |x| of every trajectory, of the whole one where a part of it is predicted."""
        if self.largest:
            return torch.tensor(self.largest, dtype=torch.float64)
        sizes = self.truth.states.double().norm(dim=1)
        return torch.zeros(len(self.truth), dtype=sizes.dtype).scatter_reduce(0, self.truth.owner, sizes, "amax")

    @property
    def variance(self) -> Float[Tensor, ""]:
        """mean |x - mean x|^2 over all true snapshots."""
        x = self.truth.states.double()
        return (x - x.mean(0)).pow(2).sum(1).mean()

    @property
    def elapsed(self) -> Float[Tensor, " M"]:
        """Time since the start of its trajectory, of every snapshot."""
        return self.truth.t - self.truth.t[self.truth.starts][self.truth.owner]

    def reconstruction_error(self) -> Float[Tensor, " M"]:
        """|decode(encode(x)) - x| / sqrt(variance) of every snapshot."""
        return self._error(self.reconstructed, self.truth)

    def rollout_error(self) -> Float[Tensor, " M"]:
        """|predicted - x| / sqrt(variance) of every snapshot; infinite where the prediction diverged."""
        return self._error(self.predicted, self.truth)

    def dynamics_error(self) -> Float[Tensor, " M"]:
        """|predicted - decode(encode(x))| / sqrt(variance) of every snapshot: what the latent dynamics add to the error
        of encoder and decoder; infinite where the prediction diverged."""
        return self._error(self.predicted, self.reconstructed)

    def distance(self, a: Trajectories, b: Trajectories) -> Float[Tensor, " M"]:
        """|a - b| of every snapshot of two of the three sets, infinite where it is not finite."""
        distance = (a.states.double() - b.states.double()).norm(dim=1)
        return torch.where(torch.isfinite(distance), distance, torch.inf)

    def _error(self, a: Trajectories, b: Trajectories) -> Tensor:
        error = self.distance(a, b) / self.variance.sqrt()
        return torch.where(torch.isfinite(error), error, torch.inf)


def restored(predictions: Forecast, model: Model) -> Forecast:
    """A forecast that was scored in the variables of the data; the same where states are not transformed."""
    return replace(predictions.core.moved(model.restored), largest=()) if model.transforms else predictions


def forecast_to_score(model: Model, truth: Trajectories, largest: tuple[float, ...] = ()) -> Forecast:
    """The forecast of a test that is prepared for the model: of the present states, transformed otherwise, so that all
    variables count alike; `largest` is of these."""
    encoded = forecast(model.core, truth)
    if model.past == 1:
        return replace(encoded, largest=largest)
    return replace(encoded.moved(model.present), largest=largest, encoded=encoded)


def forecast(model: Model, truth: Trajectories, largest: tuple[float, ...] = ()) -> Forecast:
    """Reconstruction and rollout of every trajectory of `truth`, each at its own times, from its first state, or the
    first that has a past; `largest` as in `Forecast`."""
    if model.transforms:
        return replace(forecast(model.core, model.prepared(truth)).moved(model.restored), largest=largest)
    states = model.at(truth.row_parameters).reconstruct(truth.states).double()
    reconstructed = Trajectories(states, truth.t, truth.lengths)
    parts, order = [], []
    for grid, members in truth.shared_grids():
        chosen = truth[members]
        parts.append(model.at(chosen.given).predict(chosen.initial, grid))
        order.append(members)
    predicted = Trajectories.concatenate(parts)[torch.argsort(torch.cat(order))]
    return Forecast(truth, reconstructed, Trajectories(predicted.states, truth.t, truth.lengths), largest)
