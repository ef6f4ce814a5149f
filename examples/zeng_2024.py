"""How many coordinates does Kuramoto-Sivashinsky need?
====================================================

    python examples/zeng_2024.py --out runs/zeng

K. Zeng, C. E. Perez De Jesus, A. J. Fox, M. D. Graham, "Autoencoders for discovering manifold dimension and coordinates
in data from complex dynamical systems", Machine Learning: Science and Technology 5, 025053 (2024): an autoencoder with
a few square linear layers before its latent space, trained with weight decay, leaves the latents in a subspace that is
as small as it can be. On Kuramoto-Sivashinsky in a domain of length 22, the published singular values of the latents'
covariance fall by a factor of about 100 after the eighth. This script trains `IRMAESpec` on trajectories of that
equation and looks where the values fall, and by how much; the same values of the states themselves (POD) show no gap.

The smallest directions are learnt last, so that the count depends on the seed: of the two here one finds 8, with a gap
of 10,000, and one stops at 7, with its eighth value on the way up between gaps of 145 and 40.
"""

from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from paper_results import COLOURS, Row, Watch, arguments, blank, check_results, write_results
from torch import Tensor

from dynred.ode.find import find_system
from dynred.reducers.irmae import IRMAE, IRMAESpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

# s / s_1, read from the authors' repository; the ninth is the first of those below the gap.
PUBLISHED = (1, 0.874, 0.815, 0.711, 0.428, 0.366, 0.260, 0.217, 2.2e-3)
SMALLEST = 1e-9  # of the picture: what is below is round-off


def figure_of(spectra: list[Float[Tensor, " W"]], pod: Float[Tensor, " W"], rank: int) -> Figure:
    """The singular values of every seed, the published ones, and those of POD."""
    figure = blank(5.0, 3.4)
    ax = figure.subplots()
    for i, values in enumerate(spectra):
        ax.semilogy(
            range(1, len(values) + 1),
            values.clamp_min(SMALLEST),
            "o-",
            color=COLOURS[0],
            alpha=0.7,
            markersize=3,
            label=None if i else "here, each seed",
        )
    ax.semilogy(range(1, len(PUBLISHED) + 1), PUBLISHED, "s", color=COLOURS[3], mfc="none", label="published")
    ax.semilogy(range(1, len(pod) + 1), pod, "--", color="#888888", label="states (POD)")
    ax.axvline(rank + 0.5, color="black", linestyle=":", linewidth=0.8)
    ax.set(xlabel="number", ylabel="singular value of the covariance / first", ylim=(SMALLEST / 2, 3))
    ax.set_xticks(range(2, len(pod) + 1, 2))
    ax.legend(loc="upper right")
    return figure


def main(out: Path = Path("runs/zeng"), small: bool = False, seeds: int = 2) -> list[Row]:
    """Trains an autoencoder for each seed, and counts into `out`; with `small`, one that is hardly trained."""
    check_results(out)
    system = find_system("kuramoto_sivashinsky")
    trajectories, seeds = (8, 1) if small else (64, seeds)
    times = torch.arange(0, 50 if small else 400, 1.0, dtype=torch.float64)
    train, held = (
        simulate(system, n, times, rng=generator(0, part))
        for part, n in (("train", trajectories), ("validation", max(2, trajectories // 8)))
    )
    spec = IRMAESpec(8)
    if small:
        spec = replace(spec, width=32, training=replace(spec.training, steps=60))
    rows, spectra = [], []
    for seed in range(seeds):
        watch = Watch()
        reducer = spec.fit(train, held, rng=generator(seed))
        assert isinstance(reducer, IRMAE)
        rank, gap = reducer.count()
        spectra.append(reducer.spectrum)
        name = f"Kuramoto-Sivashinsky, L = 22, seed {seed}"
        rows.append(Row(f"{name}: coordinates", "8", str(rank), watch.minutes))
        published = f"{PUBLISHED[7] / PUBLISHED[8]:.0f}"
        rows.append(Row(f"{name}: gap of the singular values", published, gap, watch.minutes))
        loss = float(((reducer.reconstruct(held.states) - held.states) ** 2).sum() / (held.states**2).sum())
        rows.append(Row(f"{name}: mean squared error of eight coordinates / mean square", None, loss, watch.minutes))
    centred = train.states - train.states.mean(0)
    pod = torch.linalg.svdvals(centred)[: spec.bottleneck] ** 2
    write_results(out, "IRMAE-WD", rows, {"zeng_2024": figure_of(spectra, pod / pod[0], int(rows[0].ours))})
    return rows


if __name__ == "__main__":
    parser = arguments(__doc__, "runs/zeng")
    parser.add_argument("--seeds", type=int, default=2, help="how many autoencoders are trained")
    main(**vars(parser.parse_args()))
