"""Slow manifolds that are known exactly
=====================================

    python examples/slow_manifolds.py --out runs/slow-manifolds

Two models of chemistry whose trajectories fall onto a curve and then creep along it: M. J. Davis, R. T. Skodje,
J. Chem. Phys. 111, 859 (1999), where the curve is y2 = y1 / (1 + y1); and Michaelis and Menten's enzyme in the scaling
of F. G. Heineken, H. M. Tsuchiya, R. Aris, Math. Biosci. 1, 95 (1967), where it is known as a series in epsilon
(S. J. Fraser, J. Chem. Phys. 88, 4732 (1988)) and here, to round-off, as a trajectory that starts far away: whatever
it starts with is forgotten long before it gets here.

A polynomial manifold of one coordinate learns the curve from trajectories alone. The script gives its largest distance
from the exact one, over all of the states that the training trajectories reach; the rate at which the reduced model
returns to equilibrium, of which the exact value is an eigenvalue; and the same for Davis and Skodje's model hidden in
50 dimensions. The right picture: a series in epsilon is an approximation for small epsilon, the learned curve is not.
"""

from pathlib import Path

import numpy as np
import torch
from dynred.systems.michaelis_menten import slow_manifold
from jaxtyping import Float
from matplotlib.figure import Figure
from paper_results import COLOURS, Row, Watch, arguments, blank, check_results, write_results
from scipy.integrate import solve_ivp
from torch import Tensor

from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.models.reduced import ReducedModel, on_reducer
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.explicit import Explicit

SOLVER = Explicit("dopri8", rtol=1e-10, atol=1e-12)  # in one batch; none of these is very stiff
CURVE = PolynomialSpec(degree=18)
EPSILONS = (0.02, 0.05, 0.1, 0.2, 0.5)
DENSE = 2000  # points at which curves are compared


def exact_manifold(
    system: System, s: Float[Tensor, " M"], start: float = 4.0, bound: float = 0.5
) -> Float[Tensor, " M"]:
    """c on Michaelis and Menten's slow manifold at 0 < s < 3: a trajectory that starts far away, at (start, bound)."""
    field, zero = system.at(), torch.zeros((), dtype=torch.float64)

    def slope(minus_log: float, c: np.ndarray) -> np.ndarray:
        substrate = np.exp(-minus_log)
        velocity = field(zero, torch.tensor([substrate, c[0]], dtype=torch.float64))
        return np.array([float(-velocity[1] / velocity[0]) * substrate])

    # Over log s the trajectory is smooth down to the equilibrium; s must fall for the excess to die out.
    order = torch.argsort(s, descending=True)
    at = -np.log(s[order].numpy())
    solution = solve_ivp(slope, (-np.log(start), at[-1]), [bound], "DOP853", at, rtol=1e-12, atol=1e-14)
    c = torch.empty_like(s)
    c[order] = torch.from_numpy(solution.y[0])
    return c


def fitted(system: System, trajectories: int) -> tuple[ReducedModel, float, float]:
    """The model of one coordinate, and the least and largest first component of its training states."""
    known, held = (
        simulate(system, n, rng=generator(0, part), solver=SOLVER)
        for part, n in (("train", trajectories), ("validation", max(2, trajectories // 4)))
    )
    reducer = PolynomialManifoldSpec(1, CURVE, tolerance=1e-14).fit(known, held, rng=generator(0))
    model = on_reducer(reducer, PolynomialODESpec(CURVE), known, held, rng=generator(0), about={"system": system.name})
    return model, float(known.states[:, 0].min()), float(known.states[:, 0].max())


def slow_rate(model: ReducedModel, equilibrium: Float[Tensor, " D"]) -> float:
    """The derivative of the latent velocity at the equilibrium, per time unit."""
    z = model.encode(equilibrium)
    field, zero = model.dynamics.at(), torch.zeros((), dtype=torch.float64)
    return float(torch.func.jacrev(lambda at: field(zero, at))(z.double()))


def davis_skodje(trajectories: int) -> tuple[Tensor, list[Row]]:
    """The decoded states along the exact curve with their distances from it along y2 [M, 3], and the rows."""
    watch = Watch()
    model, low, high = fitted(find_system("davis_skodje"), trajectories)
    y = torch.linspace(low, high, DENSE, dtype=torch.float64)
    decoded = model.reconstruct(torch.stack([y, y / (1 + y)], -1))
    error = decoded[:, 1] - decoded[:, 0] / (1 + decoded[:, 0])
    rate = slow_rate(model, torch.zeros(2, dtype=torch.float64))
    return torch.cat([decoded, error[:, None]], -1), [
        Row("Davis-Skodje, gamma = 10: largest error of y2", "0 (exact)", float(error.abs().max()), watch.minutes),
        Row("Davis-Skodje, gamma = 10: slow rate", "-1 (exact)", f"{rate:.6f}", watch.minutes),
    ]


def hidden(trajectories: int, dim: int = 50) -> Row:
    """Davis and Skodje's model lifted into more dimensions, along a graph that bends in all of them."""
    watch, system = Watch(), find_system("graph_lift", base="davis_skodje", dim=dim)
    model, *_ = fitted(system, trajectories)
    assert system.known.distance is not None
    states = simulate(system, trajectories, rng=generator(0, "test"), solver=SOLVER).states
    largest = float(system.known.distance(model.reconstruct(states)).max())
    case = f"Davis-Skodje in {dim} dimensions: largest distance of decoded states from the manifold"
    return Row(case, "0 (exact)", largest, watch.minutes)


def michaelis_menten(epsilon: float, trajectories: int) -> tuple[Tensor, dict[str, float], list[Row]]:
    """(s, c, error of c) along the curve [M, 3], the largest errors of it and of the series, and the rows."""
    watch, system = Watch(), find_system("michaelis_menten", epsilon=epsilon)
    model, low, high = fitted(system, trajectories)
    s = torch.linspace(low, high, DENSE, dtype=torch.float64)
    exact = exact_manifold(system, s)
    decoded = model.reconstruct(torch.stack([s, exact], -1))
    error = decoded[:, 1] - exact_manifold(system, decoded[:, 0])
    largest = {"learned": float(error.abs().max())}
    for order in range(3):
        expansion = slow_manifold(s, **system.parameters, order=order)  # type: ignore[arg-type] # numbers, no tensors
        largest[f"series, order {order}"] = float((expansion - exact).abs().max())
    rate, expected = slow_rate(model, torch.zeros(2, dtype=torch.float64)), system.known.constants["slow_rate"]
    name = f"Michaelis-Menten, epsilon = {epsilon:g}"
    return (
        torch.cat([decoded, error[:, None]], -1),
        largest,
        [
            Row(f"{name}: largest error of c", "0 (exact)", largest["learned"], watch.minutes),
            Row(f"{name}: slow rate", f"{expected:.6f} (exact)", f"{rate:.6f}", watch.minutes),
        ],
    )


def figure_of(curve: Tensor, curves: dict[float, Tensor], errors: dict[float, dict[str, float]]) -> Figure:
    """Trajectories falling onto the learned curve, its error along it, and the errors over epsilon."""
    figure = blank(10.0, 3.2)
    plane, along, over = figure.subplots(1, 3)
    system = find_system("davis_skodje")
    initial = torch.cartesian_prod(torch.linspace(0.6, 2.9, 5), torch.tensor([0.0, 1.3])).double()
    falling = simulate(system, initial=initial, times=torch.linspace(0, 2, 201), rng=generator(0)).stacked()
    for i, path in enumerate(falling):
        plane.plot(*path.T.numpy(), color="#BBBBBB", linewidth=0.8, label=None if i else "trajectories, gamma = 10")
    plane.plot(curve[:, 0], curve[:, 0] / (1 + curve[:, 0]), color=COLOURS[0], linewidth=3, alpha=0.4, label="exact")
    plane.plot(curve[:, 0], curve[:, 1], "--", color=COLOURS[3], label="decoder, one coordinate")
    plane.set(xlabel="$y_1$", ylabel="$y_2$", ylim=(-0.05, 2.1), title="Davis-Skodje")
    plane.legend(loc="upper left")
    along.semilogy(curve[:, 0], curve[:, 2].abs(), color=COLOURS[0], label="Davis-Skodje, $y_2$ over $y_1$")
    epsilon = min(curves, key=lambda value: abs(value - 0.1))
    learned = curves[epsilon]
    along.semilogy(learned[:, 0], learned[:, 2].abs(), color=COLOURS[1], label="Michaelis-Menten, $c$ over $s$")
    along.axhline(1e-4, color="black", linestyle=":", linewidth=0.8)
    along.set(xlabel="slow variable", ylabel="distance from the exact manifold", ylim=(1e-14, 1e-1))
    along.legend(loc="upper right")
    for name, colour, marker in zip(errors[epsilon], (COLOURS[3], *COLOURS[:3]), "osD^", strict=True):
        values = [errors[value][name] for value in sorted(errors)]
        over.loglog(sorted(errors), values, color=colour, marker=marker, markersize=4, label=name)
    over.set(xlabel=r"$\epsilon$", ylabel="largest error of $c$", title="Michaelis-Menten", ylim=(1e-11, 1e3))
    over.set_xticks(sorted(errors), [f"{value:g}" for value in sorted(errors)])
    over.minorticks_off()
    over.legend(loc="upper left", ncols=2)
    return figure


def main(out: Path = Path("runs/slow-manifolds"), small: bool = False) -> list[Row]:
    """Fits and measures all of it into `out`; with `small`, fewer trajectories and values of epsilon."""
    check_results(out)
    trajectories, epsilons = (6, (0.1, 0.5)) if small else (32, EPSILONS)
    curve, rows = davis_skodje(trajectories)
    rows.append(hidden(trajectories, 10 if small else 50))
    curves, errors = {}, {}
    for epsilon in epsilons:
        curves[epsilon], errors[epsilon], measured = michaelis_menten(epsilon, trajectories)
        rows += measured
    write_results(out, "Slow manifolds", rows, {"slow_manifolds": figure_of(curve, curves, errors)})
    return rows


if __name__ == "__main__":
    main(**vars(arguments(__doc__, "runs/slow-manifolds").parse_args()))
