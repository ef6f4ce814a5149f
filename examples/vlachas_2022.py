"""FitzHugh-Nagumo, from transients to the limit cycle
===================================================

    python examples/vlachas_2022.py --out runs/fitzhugh-nagumo

P. R. Vlachas, G. Arampatzis, C. Uhler, P. Koumoutsakos, Nat. Mach. Intell. 4, 359 (2022): "learning the effective
dynamics" of FitzHugh-Nagumo's equations on 101 points, by an autoencoder of two coordinates and a recurrent network.
Their errors are in figures; the abstract says that the effort falls by up to two orders of magnitude, against a lattice
Boltzmann scheme. Here fronts start anywhere in the middle of the domain, the first 50 time units are left out, and
three leading POD coordinates carry the rest of the way to the limit cycle, in a polynomial manifold; over two leading
modes the manifold folds. The error is theirs, the mean absolute difference in units of each variable's range.

The speed-up is over the spectral scheme of this library, run by run on the same core. That scheme is cheap, one step is
two cosine transforms, so it says less of the model than of what it is compared with.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from paper_results import COLOURS, Row, Watch, arguments, blank, check_results, write_results
from torch import Tensor

from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.models.reduced import on_reducer
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

LATENT_DIM = 3
TRANSIENT, DURATION = 50.0, 450.0


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """The median processor time of a call."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return sorted(times)[repeats // 2]


def figure_of(t: Tensor, error: Float[Tensor, "N T"], truth: Tensor, predicted: Tensor) -> Figure:
    """u in the middle of the domain, and the error over time of every test trajectory."""
    figure = blank(8.0, 3.0)
    left, right = figure.subplots(1, 2)
    middle = truth.shape[-1] // 4
    worst = int(error.mean(1).argmax())
    for i, colour in ((int(error.mean(1).argsort()[len(error) // 2]), COLOURS[0]), (worst, COLOURS[1])):
        name = "worst" if i == worst else "median"
        left.plot(t, truth[i, :, middle], color=colour, alpha=0.4, linewidth=2.5, label=f"{name}, full model")
        left.plot(t, predicted[i, :, middle], "--", color=colour, label=f"{name}, {LATENT_DIM} coordinates")
    left.set(xlabel="t", ylabel="u in the middle", ylim=(None, 2.6))
    left.legend(loc="upper left", ncols=2)
    right.semilogy(t, 100 * error.T, color="#BBBBBB", linewidth=0.6)
    right.semilogy(t, 100 * error.median(0).values, color=COLOURS[3], label="median of the test")
    right.set(xlabel="t", ylabel="mean absolute difference / range, %", ylim=(1e-4, 100))
    right.legend(loc="upper left")
    return figure


def main(out: Path = Path("runs/fitzhugh-nagumo"), small: bool = False) -> list[Row]:
    """Fits, scores and times the model into `out`; with `small`, on few and short trajectories."""
    check_results(out)
    watch, system = Watch(), find_system("fitzhugh_nagumo", points=33 if small else 101)
    t = torch.arange(0, (50 if small else DURATION) + 1, 1.0, dtype=torch.float64)
    known, held, test = (
        simulate(system, n, t, rng=generator(0, part), transient=TRANSIENT)
        for part, n in (("train", 8 if small else 64), ("validation", 2 if small else 8), ("test", 3 if small else 16))
    )
    polynomial = PolynomialSpec(degree=4 if small else 8)
    reducer = PolynomialManifoldSpec(LATENT_DIM, polynomial).fit(known, held, rng=generator(0))
    model = on_reducer(reducer, PolynomialODESpec(polynomial), known, held, rng=generator(0))
    truth, predicted = test.stacked(), model.predict(test.initial, t).stacked()
    span = test.states.unflatten(-1, (2, -1)).amax((0, 2)) - test.states.unflatten(-1, (2, -1)).amin((0, 2))
    difference = (predicted - truth).abs().unflatten(-1, (2, -1)) / span[:, None]
    error = difference.mean((-1, -2)).nan_to_num(nan=1.0)  # a diverged prediction is as wrong as the range is wide
    centred = test.states - known.states.mean(0)
    left = float((reducer.reconstruct(test.states) - test.states).pow(2).sum() / centred.pow(2).sum())
    by_trajectory = 100 * error.mean(1)
    full = seconds(lambda: simulate(system, initial=test.initial[:1], times=t, rng=generator(0), transient=0.0))
    ratio = full / seconds(lambda: model.predict(test.initial[:1], t))
    name, minutes = "mean absolute difference over the test, % of the range", watch.minutes
    rows = [
        Row(f"{name}, median trajectory", None, float(by_trajectory.median()), minutes),
        Row(f"{name}, worst trajectory", None, float(by_trajectory.max()), minutes),
        Row("part of the variance that three coordinates leave", None, left, minutes),
        Row("speed-up, one run", "up to 100, over lattice Boltzmann", ratio, minutes),
    ]
    write_results(out, "FitzHugh-Nagumo", rows, {"vlachas_2022": figure_of(t, error, truth, predicted)})
    return rows


if __name__ == "__main__":
    main(**vars(arguments(__doc__, "runs/fitzhugh-nagumo").parse_args()))
