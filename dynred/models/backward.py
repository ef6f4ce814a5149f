"""Predictions back in time, and how fast their errors grow."""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import increasing, instance_of, real
from dynred.data.trajectories import Trajectories
from dynred.dynamics.base import VectorFieldDynamics
from dynred.errors import DynredWarning
from dynred.models.base import Model
from dynred.ode.vector_field import WrappedField

TOLD = 10.0  # growth of errors from which there is a warning


@public
def predict_backward(
    model: Model, x0: Float[Tensor, "N D"] | Float[Tensor, " D"], t: Float[Tensor, " T"]
) -> Trajectories:
    """Where states came from: the latent dynamics followed back in time.

    What attracts forward repels backward: errors across the attracting set grow, and predictions soon leave it. How
    much the errors of each grow is computed with it, and told where it is ten times or more.

    Args:
        model: a model whose dynamics are one vector field.
        x0: states at t[0]; one [D] or many [N, D], torch or NumPy.
        t: decreasing times, in the system's time units.

    Returns:
        N trajectories of T states, forward in time: the last state is the reconstruction of x0. NaN before the time at
        which a prediction diverged. The attribute `growth` has the factor of each, from t[0] to the last of t.

    Raises:
        InputError: times that do not decrease, states of a wrong width, or dynamics that are no single vector field.

    Warns:
        DynredWarning: errors grow ten times or more.
    """
    instance_of("model", model, Model)
    times = -increasing("-t, the times back from t[0],", -real("t", t).double())
    inner, start = model.core, model.start(x0)
    velocity = inner.vector_field()  # refuses maps, and several charts
    dynamics = next(part for part in inner.modules if isinstance(part, VectorFieldDynamics))
    with torch.no_grad():
        z0, span = inner.encode(start).double(), float(times[0] - times[-1])
        field = _Reversed(velocity, dynamics, float(times[0]))
        y0 = dynamics.units.standard(z0)
        y = dynamics.solver.solve(field, y0, times[0] - times, dynamics.limit)
        growth = _growth(field, dynamics, y0, span) if len(times) > 1 else torch.ones(len(y0), dtype=torch.float64)
        z = dynamics.units.latent(y)
        states = inner.along_time().decode(z)
        states = torch.where(z.isfinite().all(-1, keepdim=True), states, torch.nan)
    largest = float(growth.max()) if len(growth) else 1.0
    if largest >= TOLD:
        message = f"Back over {span:g} time units errors grow up to {largest:.2g} times: what attracts forward repels."
        warnings.warn(message, DynredWarning, stacklevel=3)
    attributes = {**{name: value for name, value in model.about.items() if name != "domain"}, "growth": growth.tolist()}
    return model.restored(Trajectories.from_stacked(states.flip(1), times.flip(0), attributes=attributes))


def _growth(
    field: "_Reversed", dynamics: VectorFieldDynamics, y0: Float[Tensor, "N R"], span: float
) -> Float[Tensor, " N"]:
    """By how much a small difference of latents grows at most, in standard units; infinite where one diverges."""
    basis = torch.eye(y0.shape[1], dtype=torch.float64).expand(len(y0), -1, -1)
    _, pushed = dynamics.solver.flow_with_tangents(field, y0, basis, span)
    sound = pushed.isfinite().all(-1).all(-1)
    factors = torch.linalg.matrix_norm(torch.where(sound[:, None, None], pushed, 0.0), ord=2)
    return torch.where(sound, factors, torch.inf)


@dataclass(frozen=True, eq=False)
class _Reversed(WrappedField):
    """A latent field in standard units, in the time that runs back from `start`."""

    dynamics: VectorFieldDynamics
    start: float

    def __call__(self, t: Float[Tensor, "*#batch"], x: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        units = self.dynamics.units
        return -self.field(self.start - t, units.latent(x)) / units.spread
