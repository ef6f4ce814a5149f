"""The contract of a system with solvers, reducers and reports, as a check."""

from collections.abc import Callable

import torch
from torch import Tensor

from dynred.ode.symmetries import HOLDS, symmetry_violations
from dynred.ode.system import System
from dynred.ode.system_field import keywords
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.testing.claims import (
    ROUND_OFF,
    Claim,
    check_rows,
    claims,
    close,
    slope,
)


def check_system(system: System) -> None:
    """Checks everything that `System` promises to solvers, reducers and reports, at default parameters.

    For a system that is seen through an observation, the underlying system and the map are checked. The check runs no
    transient. It follows states that start on a known K for a quarter of `time_scale`.

    Raises:
        AssertionError: the broken contract.
        InputError: the right-hand side cannot be used at all.
    """
    claim = claims(system.name)
    if system.observation is not None:
        check_system(system.underlying)
        _check_observation(claim, system, system.observation.map)
        return
    _check_initial(claim, system)
    x, t = system.initial(6, generator(0, "states")), torch.tensor(0.3, dtype=torch.float64)
    _check_velocity(claim, system, t, x)
    _check_parameters(claim, system, t, x)
    _check_draws(claim, system)
    _check_jacobian(claim, system, t, x)
    _check_split(claim, system, t, x)
    _check_symmetries(claim, system)
    _check_known(claim, system)


def _check_symmetries(claim: Claim, system: System) -> None:
    for symmetry, wrong in zip(system.symmetries, symmetry_violations(system), strict=True):
        claim(wrong <= HOLDS, f"f(t, g x) must be g f(t, x) for {symmetry}; they differ by {wrong:.2g} of its size.")


def _check_initial(claim: Claim, system: System) -> None:
    first, again, other = (system.initial(5, generator(seed, "initial")) for seed in (0, 0, 1))
    claim(torch.equal(first, again), "sample_initial must give the same states from the same stream.")
    claim(not torch.equal(first, other), "sample_initial must give other states from another stream.")
    if system.sample_initial is not None:
        given = keywords(system.sample_initial, system.parameters)
        values = {name: torch.full((1,), system.parameters[name], dtype=torch.float64) for name in given}
        raw = torch.as_tensor(system.sample_initial(1, generator(0), **values))
        claim(raw.dtype == torch.float64, "sample_initial must return float64.")


def _check_velocity(claim: Claim, system: System, t: Tensor, x: Tensor) -> None:
    field, given = system.at(), x.clone()
    v = field(t, x)
    if system.second_order:  # initial states may rest
        moving, half = x + 0.1 * torch.randn(x.shape, generator=generator(0, "moving"), dtype=x.dtype), system.dim // 2
        exact = system.dim % 2 == 0 and torch.equal(field(t, moving)[:, :half], moving[:, half:])
        claim(exact, "the first half of the velocity must be the second half of the state, of second order.")
    claim(v.shape == x.shape, "the velocity must have the shape of the state.")
    claim(v.dtype == torch.float64, "the velocity of a float64 state must be float64.")
    claim(torch.equal(x, given), "the right-hand side must leave its input alone.")
    check_rows(claim, "the right-hand side", lambda y: field(t, y), x)
    times = t + torch.arange(len(x), dtype=torch.float64)
    singly = torch.stack([field(s, row) for s, row in zip(times, x, strict=True)])
    claim(close(field(times, x), singly, ROUND_OFF), "one time per state must be as state by state.")


def _check_parameters(claim: Claim, system: System, t: Tensor, x: Tensor) -> None:
    for name, default in system.parameters.items():
        values = default + 0.01 * (abs(default) or 1.0) * torch.arange(len(x), dtype=torch.float64)
        together = system.at({name: values})(t, x)
        singly = torch.stack([system.at({name: value})(t, row) for value, row in zip(values, x, strict=True)])
        claim(close(together, singly, ROUND_OFF), f"a value of {name} per trajectory must be as one by one.")


def _check_draws(claim: Claim, system: System) -> None:
    if system.sample_parameters is None:
        return
    drawn, again = (system.sample_parameters(5, generator(0, "draws")) for _ in range(2))
    claim(set(drawn) <= set(system.parameters), "sample_parameters must draw parameters that the system has.")
    for name, values in drawn.items():
        claim(values.shape == (5,) and values.dtype == torch.float64, f"{name} must be drawn as float64 of shape [n].")
        claim(torch.equal(values, again[name]), f"{name} must be drawn the same from the same stream.")


def _check_jacobian(claim: Claim, system: System, t: Tensor, x: Tensor) -> None:
    field = system.at()
    if field.differentiable:
        direction = torch.randn(x.shape, generator=generator(0, "direction"), dtype=torch.float64)
        exact = torch.func.jvp(lambda y: field(t, y), (x,), (direction,))[1]
        difference = slope(lambda y: field(t, y), x, direction, 1e-5)
        claim(close(exact, difference, 1e-5), "torch's derivative must agree with finite differences.")
    if system.jacobian_sparsity is not None:
        pattern, direction = system.jacobian_pattern, torch.randn(system.dim, generator=generator(0), dtype=x.dtype)
        assert pattern is not None
        values = pattern.values(lambda y: field(t, y), x[:1], field.differentiable)[0]
        product = torch.from_numpy(pattern.matrix(values) @ direction.numpy())
        difference = slope(lambda y: field(t, y), x[0], direction, 1e-6)
        claim(
            close(product, difference, 1e-4),
            "jacobian_sparsity must hold every entry of the Jacobian that is not zero.",
        )


def _check_split(claim: Claim, system: System, t: Tensor, x: Tensor) -> None:
    if (split := system.semilinear) is None:
        return
    exact = system.at()(t, x)
    claim(close(split.from_modes(split.to_modes(x)), x, ROUND_OFF), "from_modes must be the inverse of to_modes.")
    for shape in ((), (len(x),)):
        values = {name: torch.full(shape, value, dtype=torch.float64) for name, value in system.parameters.items()}
        parted = split.rhs(t, x, **values)
        claim(close(parted, exact, ROUND_OFF), "the semilinear split must give the right-hand side.")


def _check_known(claim: Claim, system: System) -> None:
    known = system.known
    if known.betti is not None and known.components is not None:
        claim(known.betti[0] == known.components, "betti[0] must be the number of components.")
    if known.sample is None:
        return
    x, again = (known.sample(16, generator(0, "K")) for _ in range(2))
    claim(x.shape == (16, system.dim) and x.dtype == torch.float64, "samples of K must be float64 of shape [n, D].")
    claim(torch.equal(x, again), "samples of K must be the same from the same stream.")
    if known.distance is not None:
        size = float(x.norm(dim=-1).max())
        claim(known.distance(x.reshape(4, 4, -1)).shape == (4, 4), "the distance from K must be [..., D] -> [...].")
        claim((known.distance(x).abs() <= 1e-8 * size).all(), "samples of K must be on K.")
        part = system.sampling if system.discrete else system.time_scale / 16
        times = part * torch.arange(5, dtype=torch.float64)
        later = known.distance(simulate(system, times=times, initial=x, rng=generator(0)).states)
        claim((later <= 1e-5 * size).all(), "states that start on K must stay on K.")


def _check_observation(claim: Claim, system: System, observe: Callable[[Tensor], Tensor]) -> None:
    x = system.initial(6, generator(0, "states"))
    given, y = x.clone(), observe(x)
    claim(y.shape == (len(x), system.dim) and y.dtype == torch.float64, "the map must give float64 states [..., O].")
    claim(torch.equal(x, given), "the map must leave its input alone.")
    check_rows(claim, "the map", observe, x)
    direction = torch.randn(x.shape, generator=generator(0, "direction"), dtype=torch.float64)
    exact = torch.func.jvp(observe, (x,), (direction,))[1]
    claim(close(exact, slope(observe, x, direction, 1e-5), 1e-5), "the map's derivative must agree with differences.")
    if system.known.sample is not None:
        observed = system.known.sample(16, generator(0, "K"))
        claim(observed.shape == (16, system.dim), "samples of what is seen of K must be of shape [n, O].")
        if system.known.distance is not None:
            size = float(observed.norm(dim=-1).max())
            claim((system.known.distance(observed).abs() <= 1e-8 * size).all(), "samples of K must be on K.")
