"""Parts 3 and 5 of `why_autoencoders_work.py`: what latent dynamics do over a thousand turns, and CANDyMan's sets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from autoencoders_on_sets import Findings, nearer_circle
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.dynamics.fourier import FourierSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.models.atlas import AtlasModel, AtlasSpec
from dynred.models.base import Model
from dynred.models.reduced import ReducedModel, on_reducer
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.ode.observe import observe
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

TURN = 2 * math.pi
STEPS = 24  # snapshots in a turn


# -- part 3 ------------------------------------------------------------------------------------------------------------


def turns(full: bool) -> Findings:
    """The linked circles in 50 dimensions, followed on a line, on an angle for each circle, on an atlas."""
    system, steps, count = find_system("linked_circles", dim=50), 2000 if full else 150, 1000
    assert system.known.sample is not None
    known, x = (system.known.sample(n, generator(0, part)) for part, n in (("known", 16), ("starts", 4)))
    times = torch.linspace(0, 7, 71, dtype=torch.float64)
    data = simulate(system, times=times, initial=known, rng=generator(0))
    # On K, trajectories are periodic: one turn of the truth determines all others.
    truth = simulate(system, times=TURN / STEPS * torch.arange(STEPS + 1.0).double(), initial=x, rng=generator(0))
    # Integrating one chart after the other takes a second for a few turns; a single call integrates an angle.
    few = count if full else 10
    line = on_a_line(data, steps)
    rows = [
        stepwise(line, truth, 20 if full else 2),
        once("one line, encoded once", (line,), truth, few),
        once("one angle for each circle, encoded once", on_angles(data, steps), truth, count),
        once("atlas of 8 charts, one line each", (on_an_atlas(data, 8, 1, 9),), truth, few),
    ]
    failed, _, angle, atlas = rows
    claims = {
        "one line, encoded every step, fails every turn": failed["turns with an error above 0.5, %"] == 100,
        f"one angle is in phase after {count} turns": float(angle["largest error, last turn"]) < 0.1,
        f"the atlas is on K, on the right circle, after {few} turns": float(atlas["distance from K, last turn"]) < 0.1
        and atlas["on the right circle, %"] == 100,
    }
    return Findings(rows, claims)


def _training(steps: int) -> TrainingSpec:
    return TrainingSpec(steps=steps, batch_size=256, validations=5)


def on_a_line(data: Trajectories, steps: int) -> ReducedModel:
    """One Euclidean coordinate for both circles."""
    spec = AutoencoderSpec(1, width=64, residual=False, trials=1, training=_training(3 * steps))
    reducer = spec.fit(data[:-4], data[-4:], rng=generator(0, "line"))
    dynamics = NeuralODESpec(width=32, depth=2, training=_training(steps))
    return on_reducer(reducer, dynamics, data[:-4], data[-4:], rng=generator(0, "field"))


def on_angles(data: Trajectories, steps: int) -> tuple[ReducedModel, ReducedModel]:
    """A model for each circle, of one angle and a field that is a Fourier series in it."""
    circle, models = circles(data.initial), []
    for i in range(2):
        own = data[torch.nonzero(circle == i)[:, 0]]
        reducer = AutoencoderSpec(1, angles=1, width=32, training=_training(steps)).fit(
            own[:-2], own[-2:], rng=generator(i, "angle")
        )
        models.append(on_reducer(reducer, FourierSpec(), own[:-2], own[-2:], rng=generator(i)))
    return models[0], models[1]


def on_an_atlas(data: Trajectories, charts: int, latent_dim: int, degree: int) -> AtlasModel:
    """An atlas: in every chart K is a polynomial graph over `latent_dim` coordinates, and the field is a polynomial in
    them. Least squares fit both, without training."""
    polynomial = PolynomialSpec(degree=degree, ridge=(1e-10,))
    reducer = PolynomialManifoldSpec(latent_dim, polynomial)
    spec = AtlasSpec(charts, reducer=reducer, dynamics=PolynomialODESpec(polynomial))
    return spec.fit(data[:-4], data[-4:], rng=generator(1, "atlas"))


def circles(x: Float[Tensor, "M 50"]) -> Int[Tensor, " M"]:
    """The circle on which states of the lifted system are, 0 or 1.

    The lift is an isometry, and equal draws give the same points before and after it, so least squares find it exactly.
    """
    flat, lifted = (find_system("linked_circles", dim=dim).known.sample for dim in (3, x.shape[1]))
    assert flat is not None
    assert lifted is not None
    frame = torch.linalg.lstsq(flat(100, generator(0)), lifted(100, generator(0))).solution
    return nearer_circle(x @ frame.T)


def stepwise(model: ReducedModel, truth: Trajectories, count: int) -> dict[str, float | str]:
    """The errors of a model that decodes and encodes again at every snapshot, STEPS times a turn."""
    exact, t = truth.stacked(), truth.t[:2] - truth.t[0]
    states = [exact[:, 0]]
    for _ in range(count * STEPS):
        states.append(model.predict(states[-1], t).stacked()[:, 1])
    at = torch.arange(count * STEPS + 1)
    return _row("one line, encoded every step", torch.stack(states, 1), exact[:, at % STEPS], at // STEPS)


def once(name: str, models: tuple[Model, ...], truth: Trajectories, count: int) -> dict[str, float | str]:
    """The errors of a model, or of one for each circle, that encodes once and is followed for `count` turns.

    They are computed at one time in each of at most 50 turns, and at STEPS + 1 times in the last.
    """
    exact, circle = truth.stacked(), circles(truth.initial)
    shown = torch.linspace(0, count - 2, min(count - 1, 50)).long()
    at = torch.cat([STEPS * shown + torch.arange(len(shown)) % STEPS, STEPS * (count - 1) + torch.arange(STEPS + 1)])
    predicted = torch.empty(len(exact), len(at), exact.shape[-1], dtype=torch.float64)
    for i, model in enumerate(models):
        own = (circle == i) | (len(models) == 1)
        predicted[own] = model.predict(exact[own, 0], TURN / STEPS * at.double()).stacked()
    return _row(name, predicted, exact[:, at % STEPS], at // STEPS)


def _row(
    name: str, predicted: Float[Tensor, "N T D"], exact: Float[Tensor, "N T D"], turn: Int[Tensor, " T"]
) -> dict[str, float | str]:
    """Errors by turn; the last time belongs to the last turn. A prediction that diverged is infinitely wrong."""
    count = int(turn.max())
    turn = turn.clamp_max(count - 1)
    error = torch.nan_to_num((predicted - exact).norm(dim=-1), nan=torch.inf)
    largest = torch.stack([error[:, turn == k].max(1).values for k in turn.unique()], 1)
    last = predicted[:, turn == count - 1]
    distance = find_system("linked_circles", dim=exact.shape[-1]).known.distance
    assert distance is not None
    right = (circles(last[:, -1]) == circles(exact[:, 0])).double().mean()
    return {
        "model": name,
        "turns": count,
        "turns with an error above 0.5, %": float(100 * (largest > 0.5).double().mean()),
        "median error, last turn": float(largest[:, -1].median()),
        "largest error, last turn": float(largest[:, -1].max()),
        "distance from K, last turn": float(torch.nan_to_num(distance(last), nan=torch.inf).max()),
        "on the right circle, %": float(100 * right),
    }


# -- part 5 ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One of CANDyMan's sets, how it is sampled, and the latent space that carries it here.

    Attributes:
        system, arguments, parameters: see `find_system` and `simulate`.
        space: the kind of model; see `modelled`.
        latent_dim, charts: number of coordinates, and of charts in an atlas; angles need one chart.
        published: coordinates and charts in the publication.
        sampling, duration, transient: times of every trajectory, in the system's time units.
        spread: trajectories start at states of one long run, so many time units apart; 0: at the system's own initial
            states.
        off: further trajectories start so far off K, as a fraction of the distance between two of its states; fields
            learn from them what brings states back. 0: there are none.
        aligned: whether the position of the pattern on a periodic domain is removed from the states.
    """

    system: str
    space: str
    latent_dim: int
    charts: int
    published: str
    sampling: float
    duration: float
    transient: float
    spread: float = 0.0
    off: float = 0.0
    aligned: bool = False
    arguments: Mapping[str, float | str] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)


def _waves(viscosity: float) -> dict[str, float]:
    return {"length": TURN, "viscosity": viscosity}


CASES = {
    "circle": Case("stuart_landau", "polynomials", 1, 6, "1, 3 charts", 0.1, 7.0, 15.0),
    "periodic torus": Case(
        "torus_flow",
        "polynomials",
        1,
        8,
        "1, 3 charts",
        0.1,
        7.0,
        30.0,
        spread=0.77,
        parameters={"omega_1": 1.0, "omega_2": 2.0},
    ),
    "quasi-periodic torus": Case("torus_flow", "angles", 2, 1, "2, 6 charts", 0.1, 30.0, 30.0),
    "beating": Case(
        "kuramoto_sivashinsky",
        "polynomials",
        1,
        12,
        "1, 3 charts",
        0.01,
        0.5,
        60.0,
        spread=0.37,
        arguments=_waves(16 / 337),
    ),
    "travelling": Case(
        "kuramoto_sivashinsky",
        "polynomials",
        1,
        12,
        "1 and a phase, 3 charts",
        0.01,
        1.0,
        60.0,
        spread=0.37,
        aligned=True,
        arguments=_waves(4 / 87),
    ),
    "bursting": Case(
        "kuramoto_sivashinsky",
        "networks",
        3,
        6,
        "3, 6 charts",
        0.02,
        44.0,
        200.0,
        spread=2.0,
        off=0.05,
        arguments=_waves(16 / 71),
    ),
    "spiral": Case(
        "lambda_omega",
        "polynomials",
        1,
        6,
        "1, 3 charts",
        0.1,
        7.0,
        80.0,
        arguments={"boundary": "neumann", "points": 51},
    ),
}


def candyman(name: str, full: bool) -> Findings:
    """The scores of a model of one of the sets, followed for ten times as long as its training trajectories."""
    case = CASES[name]
    data = recorded(case, 48 if full else 24)
    train, test = data[:-4], data[-4:]
    model = modelled(case, train, test, full)
    scale = float((data.states - data.states.mean(0)).pow(2).sum(1).mean().sqrt())
    static = (model.reconstruct(test.states) - test.states).norm(dim=1).max() / scale
    t = test.t[: int(test.lengths[0])] - test.t[0]
    error = (model.predict(test.initial, t).stacked() - test.stacked()).norm(dim=-1).nan_to_num(torch.inf) / scale
    long = model.predict(test.initial, torch.linspace(0, 10 * float(t[-1]), 200, dtype=torch.float64)).stacked()
    off = _off(long.flatten(0, 1), data.states) / scale
    row: dict[str, float | str] = {
        "case": name,
        "coordinates": f"{case.latent_dim}, {case.charts} charts" if case.charts > 1 else f"{case.latent_dim} angles",
        "published": case.published,
        "largest reconstruction error": float(static),
        "steps": len(t) - 1,
        "median rollout error": float(error[:, -1].median()),
        "largest rollout error": float(error[:, -1].max()),
        "off K after 10 x": off,
    }
    claims = {
        "the latent space carries the set": float(static) < 0.1,
        "ten times the data is followed on it": off < 0.2,
    }
    return Findings([row], claims)


def modelled(case: Case, train: Trajectories, validation: Trajectories, full: bool) -> Model:
    """The model of a case: `polynomials` or `networks` in the charts of an atlas, or `angles` without any chart."""
    if case.space == "polynomials":
        return on_an_atlas(train, case.charts, case.latent_dim, 9)
    if case.space == "angles":
        spec = AutoencoderSpec(case.latent_dim, angles=case.latent_dim, width=64, training=_training(2000))
        reducer = spec.fit(train, validation, rng=generator(1, "angles"))
        return on_reducer(reducer, FourierSpec(), train, validation, rng=generator(1))
    training = TrainingSpec(steps=3000 if full else 1500, batch_size=512, validations=5)
    reducer = AutoencoderSpec(case.latent_dim, width=64, training=training)
    # A polynomial start would leave K in the directions in which there are few data.
    dynamics = NeuralODESpec(width=64, depth=2, start=None, training=training)
    off = off_the_set(case, train)
    parts = (Trajectories.concatenate(pair) for pair in ((train[:-4], off[:-4]), (train[-4:], off[-4:])))
    return AtlasSpec(case.charts, reducer=reducer, dynamics=dynamics).fit(*parts, rng=generator(2, "atlas"))


def recorded(case: Case, count: int) -> Trajectories:
    """Trajectories of a case, all on its attracting set, with velocities."""
    system = find_system(case.system, **case.arguments)
    times = case.sampling * torch.arange(round(case.duration / case.sampling) + 1, dtype=torch.float64)
    rng, parameters = generator(0, case.system), case.parameters
    if not case.spread:
        return simulate(system, count, times, rng=rng, transient=case.transient, parameters=parameters)
    apart = case.spread * torch.arange(count, dtype=torch.float64)
    run = simulate(system, 1, apart, rng=rng, transient=case.transient, parameters=parameters)
    observed = observe(system, aligned) if case.aligned else system
    return simulate(observed, times=times, initial=run.states, rng=rng, parameters=parameters)


def off_the_set(case: Case, train: Trajectories) -> Trajectories:
    """Trajectories a quarter as long that start near K, displaced along the difference of two of its states."""
    a, b, c = train.states[torch.randint(len(train.states), (3, 30), generator=generator(5, "off"))]
    times = case.sampling * torch.arange(round(case.duration / case.sampling / 4), dtype=torch.float64)
    system = find_system(case.system, **case.arguments)
    return simulate(system, times=times, initial=a + case.off * (b - c), rng=generator(1), parameters=case.parameters)


def aligned(u: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
    """A periodic field moved so that its fundamental wave has phase 0, which removes the field's position."""
    v = torch.fft.rfft(u)
    k = torch.arange(v.shape[-1], dtype=u.dtype)
    return torch.fft.irfft(v * torch.exp(-1j * k * torch.angle(v[..., 1:2])), n=u.shape[-1])


def _off(x: Float[Tensor, "M D"], states: Float[Tensor, "S D"]) -> float:
    """The largest distance of a point of x from its nearest state; infinite where predictions diverged."""
    if not torch.isfinite(x).all():
        return math.inf
    return float(torch.as_tensor(KDTree(states.numpy()).query(x.numpy())[0]).max())
