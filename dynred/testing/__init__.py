"""The contracts of plug-ins, as checks that can be run on any system, solver, reducer, latent dynamics or metric.

    from dynred.testing import check_system
    check_system(my_system)

A check returns nothing, or raises an AssertionError whose message is the broken contract in one sentence. It takes a
fraction of a second, but for what a spec trains: give reducers and dynamics settings with few steps.
"""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.annotations import hints
from dynred.data.trajectories import Trajectories
from dynred.dynamics.base import DynamicsSpec, LatentDynamics, VectorFieldDynamics
from dynred.errors import InputError
from dynred.metrics.base import Metric, Reference, Statistic
from dynred.models.forecast import Forecast
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.system import Axis, Grid, Semilinear, System, keywords
from dynred.reducers.base import Coder, Reducer, ReducerSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.base import Solver
from dynred.spec import Spec

ROUND_OFF = 1e-9  # what float64 may lose where two routes do the same sums
SINGLE = 1e-4  # the same for networks in float32

Claim = Callable[[bool | Tensor, str], None]
Fitted = TypeVar("Fitted", Reducer, LatentDynamics)


def check_system(system: System) -> None:
    """Checks everything that `System` promises to solvers, reducers and reports, at default parameters.

    Of one that is seen through an observation, the underlying system and the map are checked. No transient is run;
    states that start on a known K are followed for a quarter of `time_scale`.

    Raises:
        AssertionError: the broken contract.
        InputError: the right-hand side cannot be used at all.
    """
    claim = _claims(system.name)
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
    _check_known(claim, system)


def check_solver(solver: Solver, accuracy: float = 1e-4) -> None:
    """Checks a solver on x' = -a x + x^2 per component, whose solution is known and leaves every bound for x0 > a.

    Args:
        solver: with settings under which it is accurate to `accuracy`, and to ten times that shortly before a blow-up.
        accuracy: largest error of solutions of size 1 over a time of 1; methods of low order need a larger one.

    Raises:
        AssertionError: the broken contract.
    """
    claim = _claims(type(solver).__name__)
    x0 = torch.tensor([[0.5, -1.0], [0.9, 0.3], [2.0, 0.1]], dtype=torch.float64)
    a = torch.tensor([1.0, 1.5, 1.0], dtype=torch.float64)
    field, times = _logistic().bind({"a": a}), torch.linspace(0, 1, 5, dtype=torch.float64)
    states, exact = solver.solve(field, x0, times), _logistic_solution(x0, a, times)
    claim(states.shape == exact.shape, "solve must return states [N, T, D].")
    claim(states.dtype == x0.dtype, "solve must keep the dtype of x0.")
    claim(torch.equal(states[:, 0], x0), "the first state must be x0 itself.")
    right = f"x' = -a x + x^2 must be right to {accuracy:g}, with a value of a for each row."
    claim(_close(states[:2], exact[:2], accuracy), right)
    claim(_close(states[2, :3], exact[2, :3], 10 * accuracy), "a row must be right as long as it is bounded.")
    claim(states[2, 3:].isnan().all(), "a row must be NaN from the time on at which it diverges.")
    alone = torch.cat([solver.solve(field.rows(slice(i, i + 1)), x0[i : i + 1], times) for i in range(2)])
    claim(_close(states[:2], alone, accuracy), "a row must not depend on the other rows of the batch.")
    unfit = solver.solve(field, torch.where(x0 == 2.0, torch.nan, x0), times)
    claim(_close(unfit[:2], alone, accuracy), "a row that starts with NaN must not touch the others.")
    claim(torch.equal(solver.solve(field, x0, times[:1]), x0[:, None]), "one time must give x0.")
    _check_settings(claim, solver, Solver, solver)


def check_reducer(spec: ReducerSpec, trajectories: Trajectories | None = None) -> None:
    """Checks a reducer by fitting it twice.

    Args:
        spec: settings, with few training steps.
        trajectories: at least four, with velocities, in more dimensions than `latent_dim`; default: pieces of a curve,
            with a parameter. The reducer is checked at the parameters of the first.

    Raises:
        AssertionError: the broken contract.
    """
    claim, data = _claims(type(spec).__name__), trajectories or _curves(max(6, 2 * spec.latent_dim))
    half, r = len(data) // 2, spec.latent_dim
    reducer, again = _twice(claim, lambda: spec.fit(data[:half], data[half:], rng=generator(0, "check")))
    _check_settings(claim, spec, ReducerSpec, reducer.spec)
    at = {name: value[0] for name, value in data.parameters.items()}
    coder, x = reducer.bind(at), data.states[:24].double()
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
    _check_rows(claim, "encode", coder.encode, x)
    _check_rows(claim, "decode", coder.decode, z)
    _check_pushforward(claim, coder, data)
    claim(torch.equal(z, again.bind(at).encode(x)), "two fits with the same stream must agree bit for bit.")
    other = {**at, "a parameter of no system": torch.tensor(1.0)}
    claim(torch.equal(z, reducer.bind(other).encode(x)), "parameters unknown to the reducer must be left aside.")
    built = _refilled(claim, spec.build(**reducer.sizes()), reducer).bind(at)
    same = torch.equal(built.encode(x), z) and torch.equal(built.decode(z), back)
    claim(same, "build and load_state_dict must give the same reducer, bit for bit.")


def check_dynamics(
    spec: DynamicsSpec, latents: Trajectories | None = None, latent_space: LatentSpace | None = None
) -> None:
    """Checks latent dynamics by fitting them twice.

    Args:
        spec: settings, with few training steps.
        latents: at least four latent trajectories with velocities; default: spirals onto a circle.
        latent_space: which of their coordinates are angles; default: none.

    Raises:
        AssertionError: the broken contract.
    """
    claim, data = _claims(type(spec).__name__), latents or _spirals()
    half, size = len(data) // 2, float(data.states.double().std(0).norm())
    parts = data[:half], data[half:]
    dynamics, again = _twice(claim, lambda: spec.fit(*parts, rng=generator(0, "check"), latent_space=latent_space))
    _check_settings(claim, spec, DynamicsSpec, dynamics.spec)
    z0, t = data.initial.double(), data.times(0)[:9].double()
    z = dynamics.rollout(z0, t)
    claim(z.shape == (len(z0), len(t), data.dim), "rollout must return latents [N, T, R].")
    claim(dynamics.latent_space.dim == data.dim, "the latent space must have the coordinates of the latents.")
    claim(z.dtype == torch.float64, "rollout must return float64.")
    claim(dynamics.rollout(z0.float(), t).dtype == torch.float64, "rollout must take float32 and return float64.")
    claim(not z.requires_grad, "fitted dynamics must not ask for gradients.")
    claim(_close(z[:, 0], z0, ROUND_OFF), "a rollout must start with z0.")
    alone = torch.cat([dynamics.rollout(row[None], t) for row in z0])
    claim(_close(z, alone, SINGLE * size), "a rollout must not depend on the other rows of the batch.")
    _check_lost_rows(claim, dynamics, z0, t, SINGLE * size)
    if isinstance(dynamics, VectorFieldDynamics):
        _check_flow(claim, dynamics, z0, t, SINGLE * size)
    claim(torch.equal(z, again.rollout(z0, t)), "two fits with the same stream must agree bit for bit.")
    built = _refilled(claim, spec.build(dynamics.latent_space, **dynamics.sizes()), dynamics)
    claim(torch.equal(built.rollout(z0, t), z), "build and load_state_dict must give the same rollout, bit for bit.")


def check_metric(metric: Metric) -> None:
    """Checks a metric on forecasts that are perfect, wrong, and diverged.

    Raises:
        AssertionError: the broken contract.
    """
    claim = _claims(type(metric).__name__)
    curves = _curves(4)
    truth = Trajectories.concatenate([curves[:3], curves.windows(7)[:2]])  # of two lengths
    noise = 0.3 * torch.randn(truth.states.shape, generator=generator(0, "noise"), dtype=torch.float64)
    wrong = replace(truth, states=truth.states + noise)
    lost = replace(truth, states=torch.where(truth.t[:, None] > 0.2, torch.nan, wrong.states))
    perfect, off, gone = (metric(Forecast(truth, *parts)) for parts in ((truth, truth), (wrong, wrong), (wrong, lost)))
    claim(isinstance(metric.higher_is_better, bool), "higher_is_better must be True or False.")
    for value in (perfect, off, gone):
        claim(value.shape == (len(truth),), "a metric must give one number per trajectory [N].")
        claim(value.isfinite().all(), "a metric must be finite, also where a prediction diverged.")
    gain = torch.stack([perfect - off, perfect - gone])
    claim(((gain if metric.higher_is_better else -gain) >= 0).all(), "a perfect forecast must have the best value.")
    order = torch.randperm(len(truth), generator=generator(0, "order"))
    permuted = metric(Forecast(truth[order], wrong[order], lost[order]))
    claim(_close(permuted, gone[order], ROUND_OFF), "permuted trajectories must permute the values.")
    _check_settings(claim, metric, Metric, metric)


def check_statistic(statistic: Statistic) -> None:
    """Checks a long-time statistic on trajectories of a periodic field at even times, which every one must take.

    Raises:
        AssertionError: the broken contract.
    """
    claim = _claims(type(statistic).__name__)
    truth = _curves(16)
    axis = Axis("x", torch.arange(16, dtype=torch.float64), period=16.0)
    reference = Reference(truth, Grid((axis,)))
    claim(statistic.applies(reference), "it must apply to a field that is periodic and evenly sampled.")
    noise = torch.randn(truth.states.shape, generator=generator(0, "noise"), dtype=torch.float64)
    wrong = replace(truth, states=truth.states + noise, velocities=None)
    lost = replace(truth, states=torch.where(truth.t[:, None] > 0.2, torch.nan, truth.states), velocities=None)
    gauge = statistic.gauge(reference)
    own, off, gone = (gauge.measure(trajectories) for trajectories in (truth, wrong, lost))
    for values in (own, off, gone):
        claim(values.shape == own.shape and len(values) == len(truth), "it must contribute [N, ...], always alike.")
        claim(bool(np.isfinite(values).all()), "contributions must be finite, also where a prediction diverged.")
    claim(len(gauge.axes) == len(gauge.labels), "every axis must have a label.")
    order = torch.randperm(len(truth), generator=generator(0, "order"))
    permuted = gauge.measure(truth[order])
    claim(np.allclose(permuted, own[order.numpy()]), "permuted trajectories must permute the contributions.")
    means = np.stack([own.mean(0), off.mean(0), gone.mean(0)])
    far = gauge.distance(np.stack([means[0]] * 3), means)
    claim(far.shape == (3,), "distance must take a batch of means.")
    claim(bool(far[0] == 0 and (far[1:] > 0).all()), "distance must be 0 from itself, and positive from another.")
    singly = [float(gauge.distance(means[0], other)) for other in means]
    claim(np.allclose(far, singly), "distance must give each pair the same alone as in a batch.")
    _check_settings(claim, statistic, Statistic, statistic)


# -- systems ---------------------------------------------------------------------------------------------------------


def _check_initial(claim: Claim, system: System) -> None:
    one, same, other = (system.initial(5, generator(seed, "initial")) for seed in (0, 0, 1))
    claim(torch.equal(one, same), "sample_initial must give the same states from the same stream.")
    claim(not torch.equal(one, other), "sample_initial must give other states from another stream.")
    if system.sample_initial is not None:
        given = keywords(system.sample_initial, system.parameters)
        values = {name: torch.full((1,), system.parameters[name], dtype=torch.float64) for name in given}
        raw = torch.as_tensor(system.sample_initial(1, generator(0), **values))
        claim(raw.dtype == torch.float64, "sample_initial must return float64.")


def _check_velocity(claim: Claim, system: System, t: Tensor, x: Tensor) -> None:
    field, given = system.bind(), x.clone()
    v = field(t, x)
    claim(v.shape == x.shape, "the velocity must have the shape of the state.")
    claim(v.dtype == torch.float64, "the velocity of a float64 state must be float64.")
    claim(torch.equal(x, given), "the right-hand side must leave its input alone.")
    _check_rows(claim, "the right-hand side", lambda y: field(t, y), x)
    times = t + torch.arange(len(x), dtype=torch.float64)
    singly = torch.stack([field(s, row) for s, row in zip(times, x, strict=True)])
    claim(_close(field(times, x), singly, ROUND_OFF), "one time per state must be as state by state.")


def _check_parameters(claim: Claim, system: System, t: Tensor, x: Tensor) -> None:
    for name, default in system.parameters.items():
        values = default + 0.01 * (abs(default) or 1.0) * torch.arange(len(x), dtype=torch.float64)
        together = system.bind({name: values})(t, x)
        singly = torch.stack([system.bind({name: value})(t, row) for value, row in zip(values, x, strict=True)])
        claim(_close(together, singly, ROUND_OFF), f"a value of {name} per trajectory must be as one by one.")


def _check_draws(claim: Claim, system: System) -> None:
    if system.sample_parameters is None:
        return
    drawn, again = (system.sample_parameters(5, generator(0, "draws")) for _ in range(2))
    claim(set(drawn) <= set(system.parameters), "sample_parameters must draw parameters that the system has.")
    for name, values in drawn.items():
        claim(values.shape == (5,) and values.dtype == torch.float64, f"{name} must be drawn as float64 of shape [n].")
        claim(torch.equal(values, again[name]), f"{name} must be drawn the same from the same stream.")


def _check_jacobian(claim: Claim, system: System, t: Tensor, x: Tensor) -> None:
    field = system.bind()
    if field.differentiable:
        direction = torch.randn(x.shape, generator=generator(0, "direction"), dtype=torch.float64)
        exact = torch.func.jvp(lambda y: field(t, y), (x,), (direction,))[1]
        slope = _slope(lambda y: field(t, y), x, direction, 1e-5)
        claim(_close(exact, slope, 1e-5), "torch's derivative must agree with finite differences.")
    if system.jacobian_sparsity is not None:
        pattern, direction = system.jacobian_pattern, torch.randn(system.dim, generator=generator(0), dtype=x.dtype)
        assert pattern is not None
        values = pattern.values(lambda y: field(t, y), x[:1], field.differentiable)[0]
        product = torch.from_numpy(pattern.matrix(values) @ direction.numpy())
        slope = _slope(lambda y: field(t, y), x[0], direction, 1e-6)
        claim(_close(product, slope, 1e-4), "jacobian_sparsity must hold every entry of the Jacobian that is not zero.")


def _check_split(claim: Claim, system: System, t: Tensor, x: Tensor) -> None:
    if (split := system.semilinear) is None:
        return
    exact = system.bind()(t, x)
    claim(_close(split.from_modes(split.to_modes(x)), x, ROUND_OFF), "from_modes must be the inverse of to_modes.")
    for shape in ((), (len(x),)):
        values = {name: torch.full(shape, value, dtype=torch.float64) for name, value in system.parameters.items()}
        parted = split.rhs(t, x, **values)
        claim(_close(parted, exact, ROUND_OFF), "the semilinear split must give the right-hand side.")


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
        times = torch.linspace(0, system.time_scale / 4, 5, dtype=torch.float64)
        later = known.distance(simulate(system, times=times, initial=x, rng=generator(0)).states)
        claim((later <= 1e-5 * size).all(), "states that start on K must stay on K.")


def _check_observation(claim: Claim, system: System, map: Callable[[Tensor], Tensor]) -> None:
    x = system.initial(6, generator(0, "states"))
    given, y = x.clone(), map(x)
    claim(y.shape == (len(x), system.dim) and y.dtype == torch.float64, "the map must give float64 states [..., O].")
    claim(torch.equal(x, given), "the map must leave its input alone.")
    _check_rows(claim, "the map", map, x)
    direction = torch.randn(x.shape, generator=generator(0, "direction"), dtype=torch.float64)
    exact = torch.func.jvp(map, (x,), (direction,))[1]
    claim(_close(exact, _slope(map, x, direction, 1e-5), 1e-5), "the map's derivative must agree with differences.")
    if system.known.sample is not None:
        seen = system.known.sample(16, generator(0, "K"))
        claim(seen.shape == (16, system.dim), "samples of what is seen of K must be of shape [n, O].")
        if system.known.distance is not None:
            size = float(seen.norm(dim=-1).max())
            claim((system.known.distance(seen).abs() <= 1e-8 * size).all(), "samples of K must be on K.")


# -- reducers and dynamics -------------------------------------------------------------------------------------------


def _twice(claim: Claim, fit: Callable[[], Fitted]) -> tuple[Fitted, Fitted]:
    before = torch.get_rng_state()
    fitted = fit(), fit()
    claim(torch.equal(torch.get_rng_state(), before), "fit must not touch torch's global random state.")
    return fitted


def _check_settings(claim: Claim, spec: Spec, base: type[Spec], stored: Spec) -> None:
    for one in fields(spec):
        known = hints(type(spec)).get(one.name, object)  # `object` where the annotation cannot be read
        wrong = 1.5 if known is int else object()
        claim(known is object or _is_refused(spec, one.name, wrong), f"{one.name} must be held against its annotation.")
    claim(base.from_dict(json.loads(spec.to_json())) == spec, "the settings must survive JSON.")
    claim(stored == spec, "what was fitted must keep the settings it was fitted with.")


def _is_refused(spec: Spec, name: str, value: object) -> bool:
    try:
        replace(spec, **{name: value})
    except InputError:
        return True
    return False


def _check_pushforward(claim: Claim, coder: Coder, data: Trajectories) -> None:
    assert data.velocities is not None
    x, v = data.states[:24].double(), data.velocities[:24].double()
    exact = torch.func.jvp(coder.encode, (x,), (v,))[1]
    slope = _slope(coder.encode, x, v, 1e-3 * float(x.norm(dim=-1).mean() / v.norm(dim=-1).mean()))
    claim(_close(exact, slope, 1e-2), "encode's Jacobian-vector product must agree with finite differences.")


def _check_lost_rows(claim: Claim, dynamics: LatentDynamics, z0: Tensor, t: Tensor, tolerance: float) -> None:
    far = z0.clone()
    far[0], far[1] = 1e12, torch.nan
    z, alone = dynamics.rollout(far, t), dynamics.rollout(z0[2:], t)
    lost = ~z.isfinite().all(-1)
    claim(_close(z[2:], alone, tolerance), "a row that diverges must not touch the others.")
    claim(lost[1].all(), "a rollout from NaN must be NaN.")
    claim(not z.isinf().any(), "a diverged rollout must be NaN, not infinite.")
    claim(torch.equal(lost, lost.cummax(1).values), "a diverged rollout must stay NaN.")


def _check_flow(claim: Claim, dynamics: VectorFieldDynamics, z0: Tensor, t: Tensor, tolerance: float) -> None:
    z, half = dynamics.rollout(z0, t), len(t) // 2
    parts = dynamics.rollout(z[:, half], t[half:])
    claim(_close(z[:, half:], parts, tolerance), "a rollout to t2 must be one to t1, and on from there.")
    h = 1e-2 * float(t[1] - t[0])
    steps = dynamics.rollout(z0, t[0] + h * torch.arange(3, dtype=torch.float64))
    slope, exact = (steps[:, 2] - steps[:, 0]) / (2 * h), dynamics.field(t[0] + h, steps[:, 1])
    claim(_close(exact, slope, 1e-2), "field must be the derivative of the rollout.")


def _refilled(claim: Claim, built: Fitted, fitted: Fitted) -> Fitted:
    shapes, expected = ({k: (v.shape, v.dtype) for k, v in m.state_dict().items()} for m in (built, fitted))
    claim(
        shapes == expected,
        "build(**sizes) must have tensors of the names and shapes of the fitted, and of their dtypes.",
    )
    built.load_state_dict(fitted.state_dict())
    return built


# -- the means -------------------------------------------------------------------------------------------------------


def _claims(name: str) -> Claim:
    def claim(holds: bool | Tensor, contract: str) -> None:
        if not holds:
            raise AssertionError(f"{name}: {contract}")

    return claim


def _close(a: Tensor, b: Tensor, tolerance: float) -> bool:
    # To a fraction of the largest entry, or of 1 if that is smaller; NaN is close to nothing.
    scale = b.abs().max().clamp_min(1.0)
    return a.shape == b.shape and bool(((a - b).abs() <= tolerance * scale).all())


def _check_rows(claim: Claim, what: str, fn: Callable[[Tensor], Tensor], x: Float[Tensor, "M D"]) -> None:
    y = fn(x)
    tolerance = ROUND_OFF if x.dtype == y.dtype == torch.float64 else SINGLE
    claim(_close(fn(x[0]), y[0], tolerance), f"{what} must take a single state.")
    alone = torch.cat([fn(row[None]) for row in x])
    claim(_close(y, alone, tolerance), f"{what} must give each row the same alone as among others.")
    wide = fn(x.reshape(2, len(x) // 2, 1, -1))
    claim(_close(wide, y.reshape(2, len(x) // 2, 1, -1), tolerance), f"{what} must take any leading axes.")


def _slope(fn: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor, step: float) -> Tensor:
    return (fn(x + step * direction) - fn(x - step * direction)) / (2 * step)


def _logistic() -> System:
    split = Semilinear(
        to_modes=lambda x: x,
        from_modes=lambda v: v,
        linear=lambda a: -a[..., None].expand(*a.shape, 2),
        nonlinear=lambda t, v, a: v * v,
        step=0.002,
    )
    return System("logistic", 2, rhs=lambda t, x, a: x * x - a[..., None] * x, parameters={"a": 1.0}, semilinear=split)


def _logistic_solution(x0: Float[Tensor, "N D"], a: Float[Tensor, " N"], t: Float[Tensor, " T"]) -> Tensor:
    a = a[:, None, None]
    return a / (1 + (a / x0[:, None] - 1) * torch.exp(a * t[:, None]))


def _curves(dim: int) -> Trajectories:
    # Eight pieces of one closed curve that bends in every one of `dim` (an even number of) directions, numbered by a
    # parameter.
    k = torch.arange(1, dim // 2 + 1, dtype=torch.float64)
    t = torch.linspace(0, 1.5, 16, dtype=torch.float64)
    angle = k * (t[:, None] + 0.8 * torch.arange(8)[:, None, None])
    states = torch.cat([torch.cos(angle) / k, torch.sin(angle) / k], -1)
    number = {"number": torch.arange(8, dtype=torch.float64)}
    return Trajectories.from_stacked(states, t, torch.cat([-torch.sin(angle), torch.cos(angle)], -1), parameters=number)


def _spirals() -> Trajectories:
    # r' = r - r^3, angle' = 1, from eight radii.
    t = torch.linspace(0, 3, 31, dtype=torch.float64)
    r0 = torch.linspace(0.4, 1.6, 8, dtype=torch.float64)[:, None]
    r = (1 + (r0**-2 - 1) * torch.exp(-2 * t)).rsqrt()[..., None]
    out = torch.stack([torch.cos(t + r0), torch.sin(t + r0)], -1)
    across = torch.stack([-out[..., 1], out[..., 0]], -1)
    return Trajectories.from_stacked(r * out, t, (r - r**3) * out + r * across)
