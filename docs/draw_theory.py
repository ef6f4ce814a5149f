"""Draws what an encoder into one coordinate makes of two linked circles: python docs/draw_theory.py [--steps 6000].

The networks are those of the paper's own figure: three hidden layers of 128 ReLU on each side.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import dynred

HERE = Path(__file__).parent / "_static"


def circles(n: int) -> torch.Tensor:
    """Two linked unit circles in three dimensions [2, n, 3]."""
    a = torch.linspace(0, 2 * np.pi, n, dtype=torch.float64)
    c, s, o = a.cos(), a.sin(), torch.zeros_like(a)
    return torch.stack([torch.stack([c, s, o], -1), torch.stack([1 + c, o, s], -1)])


def main(steps: int = 6000, path: Path = HERE / "linked_circles.png") -> float:
    """Trains one autoencoder, draws it, and returns the largest error on either circle, the smaller of the two."""
    angles = torch.rand(2, 500, generator=dynred.generator(0), dtype=torch.float64)
    points = circles(4001)[torch.arange(2)[:, None], (4000 * angles).long()].reshape(-1, 3)
    data = dynred.Trajectories(points, torch.arange(len(points)).double(), torch.tensor([len(points)]))
    training = dynred.TrainingSpec(steps=steps)
    spec = dynred.AutoencoderSpec(1, width=128, depth=3, training=training)
    reducer = spec.fit(data, data, rng=dynred.generator(0))
    x = circles(4001)
    with torch.no_grad():
        y = reducer.reconstruct(x)
    error = (y - x).norm(dim=-1)
    draw(x.numpy(), y.numpy(), error.numpy(), path)
    return float(error.amax(1).min())


def draw(x: np.ndarray, y: np.ndarray, error: np.ndarray, path: Path) -> None:
    """K, what comes back of it, and the error along each circle."""
    figure = plt.figure(figsize=(10, 3.2), layout="constrained")
    for i, (sets, title) in enumerate([(x, "K"), (y, "decoded from one coordinate")]):
        ax = figure.add_subplot(1, 3, i + 1, projection="3d")
        for points, color in zip(sets, ("C0", "C1"), strict=True):
            ax.plot(*points[::4].T, ".", color=color, ms=1.5)
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
        ax.set_aspect("equal")
    ax = figure.add_subplot(1, 3, 3)
    for values, color in zip(error, ("C0", "C1"), strict=True):
        ax.semilogy(np.linspace(0, 360, len(values)), values, color=color, lw=1.2)
    ax.axhline(1, color="grey", ls="--", lw=1)
    ax.annotate("no encoder stays below 1 everywhere", (5, 1.15), fontsize=8, color="grey")
    ax.set_xlabel("angle on the circle, degrees")
    ax.set_title("error", fontsize=10)
    ax.set_ylim(top=6)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6000)
    print(f"The largest error on either circle is {main(parser.parse_args().steps):.2f} at least.")
