"""The contract of latent dynamics, as a check."""

import torch
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.dynamics.base import DynamicsSpec, LatentDynamics, VectorFieldDynamics
from dynred.errors import InputError
from dynred.numerics.latent_space import LatentSpace
from dynred.rng import generator
from dynred.testing.claims import (
    ROUND_OFF,
    SINGLE,
    Claim,
    check_settings,
    claims,
    close,
    refilled,
    twice,
)
from dynred.testing.samples import spirals


def check_dynamics(
    spec: DynamicsSpec, latents: Trajectories | None = None, latent_space: LatentSpace | None = None
) -> None:
    """Checks latent dynamics by fitting them twice.

    Args:
        spec: settings, with few training steps.
        latents: at least four latent trajectories with velocities, evenly spaced for a map; default: spirals.
        latent_space: which of their coordinates are angles; default: none.

    Raises:
        AssertionError: the broken contract.
    """
    claim, data = claims(type(spec).__name__), latents or spirals()
    half, size = len(data) // 2, float(data.states.double().std(0).norm())
    parts = data[:half], data[half:]
    dynamics, again = twice(claim, lambda: spec.fit(*parts, rng=generator(0, "check"), latent_space=latent_space))
    check_settings(claim, spec, DynamicsSpec, dynamics.spec)
    z0, t = data.initial.double(), data.times(0)[:9].double()
    z = dynamics.rollout(z0, t)
    claim(z.shape == (len(z0), len(t), data.dim), "rollout must return latents [N, T, R].")
    claim(dynamics.latent_space.dim == data.dim, "the latent space must have the coordinates of the latents.")
    claim(z.dtype == torch.float64, "rollout must return float64.")
    claim(dynamics.rollout(z0.float(), t).dtype == torch.float64, "rollout must take float32 and return float64.")
    claim(not z.requires_grad, "fitted dynamics must not ask for gradients.")
    claim(close(z[:, 0], z0, ROUND_OFF), "a rollout must start with z0.")
    alone = torch.cat([dynamics.rollout(row[None], t) for row in z0])
    claim(close(z, alone, SINGLE * size), "a rollout must not depend on the other rows of the batch.")
    _check_lost_rows(claim, dynamics, z0, t, SINGLE * size)
    if isinstance(dynamics, VectorFieldDynamics):
        _check_flow(claim, dynamics, z0, t, SINGLE * size)
    if dynamics.time_step is not None:
        _check_steps(claim, dynamics, z0, data)
    claim(torch.equal(z, again.rollout(z0, t)), "two fits with the same stream must agree bit for bit.")
    built = refilled(claim, dynamics.spec.build(dynamics.latent_space, **dynamics.sizes()), dynamics)
    claim(torch.equal(built.rollout(z0, t), z), "build and load_state_dict must give the same rollout, bit for bit.")


def _check_lost_rows(claim: Claim, dynamics: LatentDynamics, z0: Tensor, t: Tensor, tolerance: float) -> None:
    far = z0.clone()
    far[0], far[1] = 1e12, torch.nan
    z, alone = dynamics.rollout(far, t), dynamics.rollout(z0[2:], t)
    lost = ~z.isfinite().all(-1)
    claim(close(z[2:], alone, tolerance), "a row that diverges must not touch the others.")
    claim(lost[1].all(), "a rollout from NaN must be NaN.")
    claim(not z.isinf().any(), "a diverged rollout must be NaN, not infinite.")
    claim(torch.equal(lost, lost.cummax(1).values), "a diverged rollout must stay NaN.")


def _check_flow(claim: Claim, dynamics: VectorFieldDynamics, z0: Tensor, t: Tensor, tolerance: float) -> None:
    z, half = dynamics.rollout(z0, t), len(t) // 2
    parts = dynamics.rollout(z[:, half], t[half:])
    claim(close(z[:, half:], parts, tolerance), "a rollout to t2 must be one to t1, and on from there.")
    h = 1e-2 * float(t[1] - t[0])
    steps = dynamics.rollout(z0, t[0] + h * torch.arange(3, dtype=torch.float64))
    slope, exact = (steps[:, 2] - steps[:, 0]) / (2 * h), dynamics.field(t[0] + h, steps[:, 1])
    claim(close(exact, slope, 1e-2), "field must be the derivative of the rollout.")


def _check_steps(claim: Claim, dynamics: LatentDynamics, z0: Tensor, data: Trajectories) -> None:
    step = dynamics.time_step
    assert step is not None
    claim(close(torch.tensor(step), data.t.diff()[0].double(), 1e-3), "time_step must be the time between snapshots.")
    times = step * torch.arange(5, dtype=torch.float64)
    z, alone = dynamics.rollout(z0, times), [z0]
    claim(close(dynamics.rollout(z0, times[::2]), z[:, ::2], ROUND_OFF), "every other step must be as with all asked.")
    for _ in times[1:]:
        alone.append(dynamics.evolution()(torch.zeros((), dtype=torch.float64), alone[-1]))
    claim(close(torch.stack(alone, 1), z, ROUND_OFF), "a rollout must be the map, applied again and again.")
    try:
        dynamics.rollout(z0, times + step / 2 * (times > 0))
    except InputError:
        return
    claim(False, "times between steps must be refused.")
