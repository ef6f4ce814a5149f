"""
A normal form, found again in twelve dimensions
===============================================

The Stuart-Landau equation, hidden in many dimensions and found again as an equation, by SINDy on latents. ::

    python examples/lifted_stuart_landau.py --out runs/stuart-landau

The normal form ::

    z' = (mu + i omega) z - (1 + i shear) |z|^2 z

is lifted into 12 dimensions, where its plane is bent; two POD coordinates and a sparse polynomial field are fitted to
trajectories with their exact velocities (S. L. Brunton, J. L. Proctor, J. N. Kutz, PNAS 113, 3932 (2016)).

Latents are a bent picture of z, so the latent equations have other coefficients. Quantities that do not depend on
coordinates give all coefficients of the normal form: mu + i omega is the eigenvalue at the fixed point; states pass the
limit cycle at the rate omega - shear mu; the cycle attracts at the rate 2 mu, which is twice mu times the coefficient
of `|z|^2 z` where the cycle has radius sqrt(mu). Trajectories start off the cycle: on it `|z|^2` is constant, and no
data could distinguish cubic terms from linear ones.
"""

import argparse
import math
import time
from pathlib import Path

import torch
from matplotlib.figure import Figure
from paper_results import write_rows
from rich.console import Console
from rich.table import Table

from dynred.dynamics.sindy import Sindy, SindySpec
from dynred.files import write_json
from dynred.models.reduced import on_reducer
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

MU, OMEGA, SHEAR = 1.0, 1.5, 0.4
NOW = torch.zeros((), dtype=torch.float64)


def eigenvalue(dynamics: Sindy) -> complex:
    """The eigenvalue of positive imaginary part at the fixed point near the origin, which Newton's method finds."""
    z = torch.zeros(2, dtype=torch.float64)
    for _ in range(30):
        z = z - torch.linalg.solve(torch.func.jacfwd(lambda y: dynamics.field(NOW, y))(z), dynamics.field(NOW, z))
    values = torch.linalg.eigvals(torch.func.jacfwd(lambda y: dynamics.field(NOW, y))(z))
    return complex(values[values.imag.argmax()])


def cycle(dynamics: Sindy, z0: torch.Tensor) -> tuple[float, float]:
    """Angular frequency of the limit cycle, and the rate at which it attracts: minus the mean divergence along it."""
    turns = torch.linspace(0, 6 * 2 * math.pi / (OMEGA - SHEAR * MU), 1201, dtype=torch.float64)
    z = dynamics.rollout(z0[None], torch.cat([torch.zeros(1, dtype=torch.float64), 10 + turns]))[0, 1:]
    centred = z - z.mean(0)
    turn = torch.diff(torch.atan2(centred[:, 1], centred[:, 0]))
    turn = torch.remainder(turn + math.pi, 2 * math.pi) - math.pi
    divergence = torch.func.vmap(lambda y: torch.func.jacfwd(lambda q: dynamics.field(NOW, q))(y).trace())(z)
    return float(turn.sum().abs() / turns[-1]), -float(divergence.mean())


def main(out: Path = Path("runs/stuart-landau"), trajectories: int = 64) -> dict[str, float]:
    """Fits a model, prints its latent equations and the coefficients of the normal form, and returns the latter."""
    start = time.process_time()
    system = find_system("graph_lift", base=find_system("stuart_landau", mu=MU, omega=OMEGA), dim=12, rate=50.0)
    times = torch.linspace(0, 6, 121, dtype=torch.float64)
    known = {"shear": SHEAR}
    truth = simulate(system, trajectories, times, rng=generator(0, "lifted"), transient=0.3, parameters=known)
    train, validation = truth[: 3 * trajectories // 4], truth[3 * trajectories // 4 :]
    reducer = PODSpec(2).fit(train, validation, rng=generator(0))
    spec = SindySpec(degree=5, thresholds=(1e-3, 3e-3))  # the bent plane turns cubic terms into quintic ones
    model = on_reducer(reducer, spec, train, validation, rng=generator(0), about={"system": system.name})
    assert isinstance(model.dynamics, Sindy)
    fixed = eigenvalue(model.dynamics)
    frequency, attraction = cycle(model.dynamics, model.encode(train.initial[0]).double())
    recovered = {
        "mu": fixed.real,
        "omega": fixed.imag,
        "shear": (fixed.imag - frequency) / fixed.real,
        "coefficient of |z|^2 z": attraction / (2 * fixed.real),
    }
    exact = {"mu": MU, "omega": OMEGA, "shear": SHEAR, "coefficient of |z|^2 z": 1.0}
    minutes = (time.process_time() - start) / 60
    model.save(out / "model.safetensors")
    ax = Figure(figsize=(4, 3.6), layout="constrained").subplots()
    for latents in truth.map(model.encode).stacked()[:, :, :2]:
        ax.plot(*latents.T.numpy(), color="#0072B2", linewidth=0.5)
    ax.set(xlabel="$z_1$", ylabel="$z_2$", title="latent trajectories", aspect="equal")
    ax.figure.savefig(out / "latents.png", dpi=120)
    table = Table("", "exact", "found", "error, %", title="Stuart-Landau in 12 dimensions, from two latents")
    rows = []
    for name, value in recovered.items():
        table.add_row(name, f"{exact[name]:g}", f"{value:.5g}", f"{100 * abs(value / exact[name] - 1):.2g}")
        rows.append({"case": name, "published": f"{exact[name]:g} (exact)", "ours": value, "minutes": minutes})
    write_rows(out, rows)
    write_json(out / "coefficients.json", {"exact": exact, "found": recovered})
    console = Console()
    for line in model.notes():
        console.print(line, markup=False, highlight=False)
    console.print(table)
    return recovered


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/stuart-landau"))
    parser.add_argument("--small", action="store_true", help="fewer trajectories")
    given = parser.parse_args()
    main(given.out, **({"trajectories": 32} if given.small else {}))
