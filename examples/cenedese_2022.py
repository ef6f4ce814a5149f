"""Decaying and growing oscillations on slow manifolds: a wake, a tank, a beam
===========================================================================

    python examples/cenedese_2022.py --out runs/cenedese

M. Cenedese, J. Axas, B. Baeuerlein, K. Avila, G. Haller, Nat. Commun. 13, 872 (2022), fit spectral submanifolds of
dimension two, with their code SSMLearn, to the wake of a cylinder at Re = 70 (20 POD coefficients; error 5.41 %), to
the measured sloshing of a tank (1.71 %), and to a simulated von Karman beam (2.55 %), the last two seen through one
signal and four delays of it. The error (NMTE) is the mean distance of a predicted trajectory from the true one, in
units of its largest state. The published numbers are those of the authors' notebooks; trajectories kept apart, parts of
the beginning left out, and numbers of delays are theirs.

Their data belong to them: the script downloads the three files from the authors' repository, or takes copies, .mat as
there or .npz with states, t and lengths (`--vortex`, `--sloshing`, `--beam`; several files are joined). Without them,
and beside them, it runs what can be simulated here: the mean-field model of a wake, seen through twenty harmonics, and
their chain of five oscillators, seen through the last one (their error, from the full state: 2.65 %). Models see
samples alone, velocities are estimated.
"""

import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from paper_results import COLOURS, Row, Watch, arguments, blank, check_results, write_results
from rich.console import Console
from scipy.io import loadmat
from torch import Tensor

from dynred.data.storage import load_trajectories
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.delays import DelaysSpec
from dynred.data.velocities import estimate_velocities
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.errors import InputError
from dynred.files import moved_into_place
from dynred.metrics.nmte import NMTE
from dynred.models.forecast import Forecast, forecast
from dynred.models.reduced import on_reducer
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.ode.observe import observe
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

ADDRESS = "https://raw.githubusercontent.com/haller-group/SSMLearn/main/examples"
PATIENCE = 20  # seconds without an answer


@dataclass(frozen=True)
class Case:
    """One data set, and how the authors use it.

    Attributes:
        title: what it is.
        published: their NMTE, in percent.
        test: number of the trajectory that is kept apart.
        delays: numbers in a state beside the present one; 0 where the state is measured.
        skip: time that is left out at the beginning, where faster modes still ring.
        manifold: highest degree of the manifold that is tried.
        field: highest degree of the field that is tried.
        file: where the authors' repository has the data; empty for what is simulated here.
    """

    title: str
    published: float | None
    test: int
    delays: int = 0
    skip: float = 0.0
    manifold: int = 3
    field: int = 7
    file: str = ""


CASES = {
    "vortex": Case("cylinder wake, Re = 70", 5.41, 8, manifold=18, field=15, file="vortexshedding/data.mat"),
    "sloshing": Case("sloshing tank, measured", 1.71, 1, 4, skip=1.0, file="sloshing/data/xData.mat"),
    "beam": Case("von Karman beam", 2.55, 0, 4, skip=0.0382, file="vonkarmanbeam/dataVKDecay.mat"),
    "wake": Case("mean-field wake, 20 harmonics", None, 8, manifold=10, field=7),
    "chain": Case("chain of five oscillators, one signal", 2.65, 0, 4, skip=90.0),
}


def downloaded(name: str, folder: Path) -> Path | None:
    """The authors' file, from where it was put by an earlier run or from their repository; None without a network."""
    case = CASES[name]
    path = folder / f"{name}.mat"
    if path.exists():
        return path
    try:
        with urllib.request.urlopen(f"{ADDRESS}/{case.file}", timeout=PATIENCE) as answer:
            content = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        Console().print(
            f"{case.title}: left out, because its data could not be downloaded ({reason}). Give --{name} PATH, "
            f"the file examples/{case.file} of github.com/haller-group/SSMLearn.",
            highlight=False,
        )
        return None
    with moved_into_place(path) as temporary:
        temporary.write_bytes(content)
    return path


def read(paths: Sequence[Path]) -> Trajectories:
    """The trajectories of all files, one file after the other.

    Raises:
        InputError: a .mat file has no table of times and states.
    """
    parts: list[Trajectories] = []
    for path in paths:
        if path.suffix != ".mat":
            parts.append(load_trajectories(path))
            continue
        arrays = [value for value in loadmat(path).values() if isinstance(value, np.ndarray)]
        tables = [table for table in arrays if table.dtype.kind == "O" and table.ndim == 2 and table.shape[1] == 2]
        if len(tables) != 1:
            raise InputError(f"{path} must hold one cell array of times and states, got {len(tables)}.")
        times, states = ([np.atleast_2d(cell).astype(float) for cell in column] for column in tables[0].T)
        parts.append(Trajectories.of([x.T for x in states], t=[t[0] for t in times]))
    return Trajectories.concatenate(parts)


def simulated(name: str, small: bool) -> Trajectories:
    """What can be simulated here, as samples."""
    if name == "wake":
        seen = observe(find_system("mean_field_wake"), harmonics, name="harmonics")
        angle = torch.arange(9, dtype=torch.float64) * 0.7
        z = torch.polar(torch.full_like(angle, 0.05), angle)
        initial = torch.stack([z.real, z.imag, z.abs() ** 2], -1)
        times = torch.arange(0, 80 if small else 120, 0.1, dtype=torch.float64)
    else:
        chain = find_system("oscillator_chain", modes=1)
        seen = observe(chain, lambda x: x[..., 4:5], name="last_mass")
        directions = chain.initial(2, generator(0, "chain"))
        initial = directions / directions.norm(dim=-1, keepdim=True) * torch.tensor([[0.25], [0.3]])
        times = torch.arange(0, 400 if small else 1500, 0.5, dtype=torch.float64)
    return simulate(seen, initial=initial.double(), times=times, rng=generator(0), transient=0.0)


def harmonics(x: Tensor) -> Tensor:
    """A flow of twenty coefficients: the mean-field mode, nine harmonics that weaken, and a constant share of both."""
    z, shift = torch.complex(x[..., 0], x[..., 1]), x[..., 2]
    waves = torch.stack([z**n / 2 ** (n - 1) for n in range(1, 10)], -1)
    return torch.cat([torch.view_as_real(waves).flatten(-2), torch.stack([shift, shift**2 / 4], -1)], -1)


def prepared(case: Case, samples: Trajectories) -> tuple[Trajectories, Trajectories, Trajectories]:
    """Training, validation and test: without the beginning, with delays, and with estimated velocities."""
    late = replace(samples, velocities=None)
    late = late.where(late.t - late.t[late.starts][late.owner] >= case.skip) if case.skip else late
    if case.delays:
        late = DelaysSpec(case.delays + 1).fit(late).transformed(late)
    others = [i for i in range(len(late)) if i != case.test]
    # With fewer than three, all are needed for training: the degree is then chosen by how they themselves are followed.
    held = others[-1:] if len(others) > 2 else others
    known = [i for i in others if i not in held or len(others) <= 2]
    train, validation = (estimate_velocities(late[part]) for part in (known, held))
    return train, validation, late[[case.test]]


def scored(case: Case, samples: Trajectories, small: bool) -> tuple[float, Forecast]:
    """The NMTE of two coordinates on the trajectory that is kept apart, in percent, and the forecast."""
    train, validation, test = prepared(case, samples)
    manifold, field = (
        PolynomialSpec(degree=min(degree, 5) if small else degree) for degree in (case.manifold, case.field)
    )
    reducer = PolynomialManifoldSpec(2, manifold).fit(train, validation, rng=generator(0))
    model = on_reducer(reducer, PolynomialODESpec(field), train, validation, rng=generator(0))
    prediction = forecast(model, test)
    return 100 * float(NMTE()(prediction).mean()), prediction


def figure_of(forecasts: dict[str, tuple[float, Forecast]]) -> Figure:
    """The last component of every test trajectory and of its prediction."""
    figure = blank(8.0, 1.6 * len(forecasts) + 0.4)
    axes = figure.subplots(len(forecasts), 1, squeeze=False)[:, 0]
    for ax, (name, (error, made)) in zip(axes, forecasts.items(), strict=True):
        component = 0 if CASES[name].delays == 0 else -1
        ax.plot(made.truth.t, made.truth.states[:, component], color=COLOURS[0], label="kept apart")
        ax.plot(
            made.truth.t, made.predicted.states[:, component], "--", color=COLOURS[3], linewidth=0.8, label="predicted"
        )
        ax.set(title=f"{CASES[name].title}: NMTE {error:.2g} %", xlabel="t")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def main(
    out: Path = Path("runs/cenedese"),
    small: bool = False,
    vortex: Sequence[Path] = (),
    sloshing: Sequence[Path] = (),
    beam: Sequence[Path] = (),
) -> list[Row]:
    """Scores every data set that there is into `out`; with `small`, nothing is downloaded and runs are short."""
    check_results(out)
    given = {"vortex": vortex, "sloshing": sloshing, "beam": beam}
    rows, forecasts = [], {}
    for name, case in CASES.items():
        watch = Watch()
        if case.file:
            paths = given[name] or [path for path in [None if small else downloaded(name, out / "data")] if path]
            if not paths:
                continue
            samples = read(paths)
        else:
            samples = simulated(name, small)
        forecasts[name] = scored(case, samples, small)
        published = None if case.published is None else f"{case.published:g}"
        rows.append(Row(f"{case.title}: NMTE, %", published, forecasts[name][0], watch.minutes))
    write_results(out, "Slow manifolds of dimension two", rows, {"cenedese_2022": figure_of(forecasts)})
    return rows


if __name__ == "__main__":
    parser = arguments(__doc__, "runs/cenedese")
    for name in ("vortex", "sloshing", "beam"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", default=(), help=f"data of the {CASES[name].title}")
    given = vars(parser.parse_args())
    for path in (*given["vortex"], *given["sloshing"], *given["beam"]):
        if not path.is_file():
            parser.error(f"there is no file {path}")
    main(**given)
