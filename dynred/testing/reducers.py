"""The contract of a reducer, as a check."""

import torch

from dynred.data.trajectories import Trajectories
from dynred.reducers.base import Coder, ReducerSpec
from dynred.rng import generator
from dynred.testing.claims import (
    Claim,
    check_rows,
    check_settings,
    claims,
    close,
    refilled,
    slope,
    twice,
)
from dynred.testing.samples import curves


def check_reducer(spec: ReducerSpec, trajectories: Trajectories | None = None) -> None:
    """Checks a reducer by fitting it twice.

    Args:
        spec: settings, with few training steps.
        trajectories: at least four, with velocities, in more dimensions than `latent_dim`; default: pieces of a curve,
            with a parameter. The reducer is checked at the parameters of the first.

    Raises:
        AssertionError: the broken contract.
    """
    claim, data = claims(type(spec).__name__), trajectories or curves(max(6, 2 * spec.latent_dim))
    half, r = len(data) // 2, spec.latent_dim
    reducer, again = twice(claim, lambda: spec.fit(data[:half], data[half:], rng=generator(0, "check")))
    check_settings(claim, spec, ReducerSpec, reducer.spec)
    at = {name: value[0] for name, value in data.parameters.items()}
    coder, x = reducer.at(at), data.states[:24].double()
    given = x.clone()
    z = coder.encode(x)
    back = coder.decode(z)
    claim(z.shape == (len(x), r), "encode must return latents [..., R] with R = latent_dim.")
    claim(reducer.latent_space.dim == r, "the latent space must have latent_dim coordinates.")
    claim(reducer.state_dim == data.dim, "state_dim must be the dimension of the training states.")
    claim(coder.encode(x.float()).dtype == z.dtype, "latents must have one dtype, whatever that of the states.")
    claim(back.shape == x.shape and back.dtype == torch.float64, "decode must return float64 states [..., D].")
    claim(torch.equal(x, given), "encode must leave its input alone.")
    claim(not (z.requires_grad or back.requires_grad), "a fitted reducer must not ask for gradients.")
    check_rows(claim, "encode", coder.encode, x)
    check_rows(claim, "decode", coder.decode, z)
    _check_pushforward(claim, coder, data)
    claim(torch.equal(z, again.at(at).encode(x)), "two fits with the same stream must agree bit for bit.")
    other = {**at, "a parameter of no system": torch.tensor(1.0)}
    claim(torch.equal(z, reducer.at(other).encode(x)), "parameters unknown to the reducer must be left aside.")
    built = refilled(claim, reducer.spec.build(**reducer.sizes()), reducer).at(at)
    same = torch.equal(built.encode(x), z) and torch.equal(built.decode(z), back)
    claim(same, "build and load_state_dict must give the same reducer, bit for bit.")


def _check_pushforward(claim: Claim, coder: Coder, data: Trajectories) -> None:
    assert data.velocities is not None
    x, v = data.states[:24].double(), data.velocities[:24].double()
    exact = torch.func.jvp(coder.encode, (x,), (v,))[1]
    difference = slope(coder.encode, x, v, 1e-3 * float(x.norm(dim=-1).mean() / v.norm(dim=-1).mean()))
    claim(close(exact, difference, 1e-2), "encode's Jacobian-vector product must agree with finite differences.")
