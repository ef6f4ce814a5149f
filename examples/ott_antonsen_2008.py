"""A thousand phase oscillators, and one complex number that obeys an equation
===========================================================================

    python examples/ott_antonsen_2008.py --out runs/ott-antonsen

E. Ott, T. M. Antonsen, Chaos 18, 037113 (2008): in Kuramoto's network of infinitely many phase oscillators, whose
frequencies have a Lorentz density of half width g, the order parameter Z = mean exp(i theta) obeys ::

    Z' = (K / 2 - g) Z - (K / 2) |Z|^2 Z,

and all further moments are its powers, mean exp(i n theta) = Z^n. So `r = |Z|` has a closed form. Here a network of
1,000 oscillators (K = 4, g = 1/2, phases drawn at random) is seen through its first four moments, eight numbers,
without anything of this theory; a reducer finds two coordinates for them, polynomial dynamics are fitted, and what the
model says of r(t) is compared with the closed form from the same Z(0).

What two coordinates cannot do: give the phases back. The oscillators that do not lock go on at their own rates, so that
phases are no function of Z; moments are. And a network of 1,000 follows the closed form itself only to the
fluctuations of 1,000 random phases; the table has their size beside the error of the model, which averages over many.

Two choices matter. The frame is arbitrary, so every trajectory is used in eight frames turned against one another;
otherwise leading modes of a few trajectories mix Z with its square. And velocities are estimated from samples: the
exact velocity of Z is known, but the fastest oscillators, in the tail of the Lorentz density, shake it by as much as it
is.
"""

import math
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Complex, Float
from matplotlib.figure import Figure
from paper_results import COLOURS, Row, Watch, arguments, blank, check_results, write_results
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.models.reduced import ReducedModel, on_reducer
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.ode.observe import observe
from dynred.ode.system import System
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.etdrk4 import ETDRK4

MOMENTS = 4
FRAMES = 2 * MOMENTS  # turned evenly, they cancel all correlations between different moments
COUPLING, SPREAD = 4.0, 0.5
SOLVER = ETDRK4(step=0.005)


def moments(x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch O"]:
    """Real and imaginary parts of mean exp(i n theta), n = 1 .. 4, of states (cos theta, sin theta)."""
    z = torch.complex(*x.chunk(2, -1))
    means = torch.stack([(z**n).mean(-1) for n in range(1, MOMENTS + 1)], -1)
    return torch.view_as_real(means).flatten(-2)


def complex_moments(y: Float[Tensor, "*batch O"]) -> Complex[Tensor, "*batch moments"]:
    """The moments as complex numbers."""
    return torch.view_as_complex(y.unflatten(-1, (MOMENTS, 2)).contiguous())


def closed_form(r0: Float[Tensor, " N"], t: Float[Tensor, " T"]) -> Float[Tensor, "N T"]:
    """r(t) by Ott and Antonsen: r^2 is logistic."""
    growth, limit = COUPLING / 2 - SPREAD, 1 - 2 * SPREAD / COUPLING
    return (limit / (1 + (limit / r0[:, None] ** 2 - 1) * torch.exp(-2 * growth * t))).sqrt()


def turned(trajectories: Trajectories) -> Trajectories:
    """The trajectories in `FRAMES` frames, with velocities estimated from the samples."""
    samples = estimate_velocities(replace(trajectories, velocities=None))
    assert samples.velocities is not None
    copies = []
    for frame in range(FRAMES):
        angle = 2j * math.pi * frame / FRAMES * torch.arange(1, MOMENTS + 1, dtype=torch.float64)
        parts = [
            torch.view_as_real(complex_moments(part) * torch.exp(angle)).flatten(-2)
            for part in (samples.states, samples.velocities)
        ]
        copies.append(replace(samples, states=parts[0], velocities=parts[1]))
    return Trajectories.concatenate(copies)


def fitted(system: System, known: Trajectories, held: Trajectories) -> ReducedModel:
    """Two coordinates of the moments, and a cubic field."""
    train, validation = turned(known), turned(held)
    reducer = PolynomialManifoldSpec(2, PolynomialSpec(degree=MOMENTS)).fit(train, validation, rng=generator(0))
    field = PolynomialODESpec(PolynomialSpec(degree=3))
    return on_reducer(reducer, field, train, validation, rng=generator(0), about={"system": system.name})


def coefficients(model: ReducedModel) -> tuple[complex, complex]:
    """a and b of Z' = a Z - b |Z|^2 Z as the model has them, by least squares over the disc |Z| <= .9."""
    radius, angle = torch.cartesian_prod(
        torch.linspace(0.1, 0.9, 9), torch.linspace(0, 2 * math.pi, 25)[:-1]
    ).T.double()
    z = torch.polar(radius, angle)
    states = torch.view_as_real(torch.stack([z**n for n in range(1, MOMENTS + 1)], -1)).flatten(-2)
    latents = model.encode(states).double()
    velocity = model.dynamics.at()(torch.zeros((), dtype=torch.float64), latents)
    seen = torch.func.jvp(model.decode, (latents,), (velocity,))[1]
    terms = torch.stack([z, -(z.abs() ** 2) * z], -1)
    a, b = torch.linalg.lstsq(terms, complex_moments(seen)[:, :1]).solution[:, 0].tolist()
    return a, b


def off_powers(seen: Complex[Tensor, "*batch moments"]) -> float:
    """Root mean square distance of the second and higher moments from powers of the first."""
    powers = seen[..., :1] ** torch.arange(2, MOMENTS + 1)
    return float((seen[..., 1:] - powers).abs().pow(2).mean().sqrt())


def figure_of(
    t: Tensor, truth: Tensor, predicted: Tensor, exact: Tensor, moments_seen: Tensor, errors: Tensor
) -> Figure:
    """r(t) of network, model and closed form; higher moments over Z; errors over time."""
    figure = blank(10.0, 3.2)
    left, middle, right = figure.subplots(1, 3)
    for i in range(min(6, len(truth))):
        left.plot(t, truth[i], color="#AAAAAA", linewidth=0.8, label=None if i else "1,000 oscillators")
        left.plot(t, exact[i], color=COLOURS[0], linewidth=2.5, alpha=0.4, label=None if i else "closed form")
        left.plot(t, predicted[i], "--", color=COLOURS[3], label=None if i else "two coordinates")
    left.set(xlabel="t", ylabel="r = |Z|", ylim=(0, 1.05))
    left.legend(loc="lower right")
    z = moments_seen[..., 0].abs().flatten()
    grid = torch.linspace(0, 1, 101)
    for n, colour in zip(range(2, MOMENTS + 1), COLOURS, strict=False):
        middle.plot(z, moments_seen[..., n - 1].abs().flatten(), ".", color=colour, markersize=2, alpha=0.4)
        middle.plot(grid, grid**n, color=colour, label=f"$|Z|^{n}$")
    middle.set(xlabel="|Z|", ylabel="|mean exp(i n theta)|", ylim=(0, 1))
    middle.legend(loc="upper left")
    right.semilogy(t, errors[0], color="#888888", label="1,000 oscillators")
    right.semilogy(t, errors[1], color=COLOURS[3], label="two coordinates")
    right.axhline(0.02, color="black", linestyle=":", linewidth=0.8)
    right.set(xlabel="t", ylabel="largest relative error of r", ylim=(1e-5, 1))
    right.legend(loc="lower right")
    return figure


def main(out: Path = Path("runs/ott-antonsen"), small: bool = False) -> list[Row]:
    """Simulates, fits and compares into `out`; with `small`, few trajectories of 200 oscillators."""
    check_results(out)
    watch = Watch()
    network = find_system("kuramoto_network", oscillators=200 if small else 1000, coupling=COUPLING, spread=SPREAD)
    seen = observe(network, moments, name="moments")
    t = torch.linspace(0, 4, 81, dtype=torch.float64)
    # The states that are drawn have the densities of Ott and Antonsen's manifold; the transient would end in one state.
    known, held, test = (
        simulate(seen, n, t, rng=generator(0, part), solver=SOLVER, transient=0.0)
        for part, n in (
            ("train", 12 if small else 256),
            ("validation", 4 if small else 32),
            ("test", 4 if small else 32),
        )
    )
    model = fitted(seen, known, held)
    truth = complex_moments(test.stacked())
    predicted = complex_moments(model.predict(test.initial, t).stacked())[..., 0].abs()
    exact = closed_form(truth[:, 0, 0].abs(), t)
    errors = torch.stack([((r - exact).abs() / exact) for r in (truth[..., 0].abs(), predicted)])
    a, b = coefficients(model)
    decoded = complex_moments(model.reconstruct(test.states))
    against, minutes = "largest error of r against the closed form, %", watch.minutes
    rows = [
        Row(f"reduced model: {against}", "0 (exact)", 100 * float(errors[1].max()), minutes),
        Row(f"the network itself: {against}", None, 100 * float(errors[0].max()), minutes),
        Row("coefficient of Z", f"{COUPLING / 2 - SPREAD:g}", f"{a.real:.4f} {a.imag:+.4f}i", minutes),
        Row("coefficient of -|Z|^2 Z", f"{COUPLING / 2:g}", f"{b.real:.4f} {b.imag:+.4f}i", minutes),
        Row("reduced model: moments 2 to 4, distance from powers of Z", "0 (exact)", off_powers(decoded), minutes),
        Row("the network itself: moments 2 to 4, distance from powers of Z", None, off_powers(truth), minutes),
    ]
    figure = figure_of(t, truth[..., 0].abs(), predicted, exact, truth, errors.amax(1))
    write_results(out, f"{network.dim // 2:,} phase oscillators -> 2", rows, {"ott_antonsen_2008": figure})
    return rows


if __name__ == "__main__":
    main(**vars(arguments(__doc__, "runs/ott-antonsen").parse_args()))
