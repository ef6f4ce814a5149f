"""Draws the picture of README and site: Kuramoto-Sivashinsky, the equation, the model, and their difference.

    python docs/draw_front.py [--steps 8000]

Of the test trajectories it shows the one whose valid time is nearest to the median.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import dynred
from dynred.metrics.valid_time import ValidTime

HERE = Path(__file__).parent / "_static"
STYLES = {
    "light": {},
    "dark": {**plt.style.library["dark_background"], "figure.facecolor": "#14181e", "axes.facecolor": "#14181e"},
}


def main(steps: int = 8000, folder: Path = HERE, **data: int) -> None:
    """Reduces the system to eight coordinates and draws one prediction."""
    spec = dynred.NeuralODESpec(training=dynred.TrainingSpec(steps=steps))
    result = dynred.reduce("kuramoto_sivashinsky", 8, dynamics=spec, data=dynred.DataSpec(**data))
    valid = ValidTime(0.5)(result.forecast)
    chosen = int((valid - valid.median()).abs().argmin())
    truth, predicted = result.forecast.truth, result.forecast.predicted
    rows = slice(int(truth.starts[chosen]), int(truth.starts[chosen] + truth.lengths[chosen]))
    x, y = truth.states[rows], predicted.states[rows].nan_to_num()
    for name, style in STYLES.items():
        with plt.style.context(style, after_reset=True):
            draw(truth.t[rows] - truth.t[rows][0], x, y, float(valid[chosen]), folder / f"front-{name}.png")


def draw(t: torch.Tensor, x: torch.Tensor, y: torch.Tensor, valid: float, path: Path) -> None:
    """Three panels over time and space."""
    panels = {"equation, 64 dimensions": x, "model, 8 dimensions": y, "difference": x - y}
    figure, axes = plt.subplots(3, 1, figsize=(9, 4.8), sharex=True, sharey=True, layout="constrained")
    size = float(x.abs().max())
    for ax, (title, field) in zip(axes, panels.items(), strict=True):
        image = ax.pcolormesh(t, torch.arange(64) * 22 / 64, field.T, cmap="RdBu_r", vmin=-size, vmax=size)
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_ylabel("x")
        ax.axvline(valid, color="black", lw=1, ls="--")
    axes[-1].annotate(f" valid time {valid:.0f}", (valid, 20), va="top", fontsize=9, color="black")
    axes[-1].set_xlabel("t, time units (a Lyapunov time is 22)")
    figure.colorbar(image, ax=axes, label="u", aspect=40)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8000)
    main(parser.parse_args().steps)
