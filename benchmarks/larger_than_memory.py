"""States that do not fit into memory: a store of a rotating field, reduced by the command line.

    python benchmarks/larger_than_memory.py [--dim 1000000] [--snapshots 2000] [--folder FOLDER]

makes the store (16 GB by default), reads it once, finds its POD modes and coefficients, and reduces it to two
coordinates in a process of its own, whose peak memory it prints.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import zarr

from dynred.data.store import StoredTrajectories
from dynred.data.store_layout import create_array
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.open_source import open_source
from dynred.runtime import Runtime

TRAJECTORIES, STEP = 10, 0.1
BLOCK = 2**28  # bytes that are read at once


def make(path: Path, dim: int, snapshots: int) -> None:
    """Spirals onto a limit cycle of period 2 pi in forty modes, the k-th of size 2^-k, without velocities."""
    rng = np.random.default_rng(0)
    modes, length = rng.standard_normal((40, dim)), snapshots // TRAJECTORIES
    group, t = zarr.create_group(path), STEP * np.arange(length)
    states = create_array(group, "states", (TRAJECTORIES * length, dim), "float64")
    create_array(group, "t", (TRAJECTORIES * length,), "float64")[:] = np.tile(t, TRAJECTORIES)
    create_array(group, "lengths", (TRAJECTORIES,), "int64")[:] = length
    for i in range(TRAJECTORIES):
        z = (1 + (0.1 * i - 0.5) * np.exp(-0.2 * t)) * np.exp(1j * (t + 0.6 * i))
        powers = np.stack([part for k in range(1, 21) for part in ((z**k).real / 4**k, (z**k).imag / 4**k)], 1)
        for start in range(0, length, 16):
            end = min(start + 16, length)
            states[i * length + start : i * length + end] = 1 + powers[start:end] @ modes


def reading(path: Path) -> float:
    """Seconds to read all states once."""
    start = time.perf_counter()
    for _ in StoredTrajectories(path).blocks("states", BLOCK):
        pass
    return time.perf_counter() - start


def passes(path: Path) -> float:
    """Seconds to find the POD modes and the coefficients of all states."""
    start = time.perf_counter()
    open_source(str(path), {}).parts(DataSpec(), 0, Runtime())
    return time.perf_counter() - start


def main() -> None:
    """Makes, reads, compresses and reduces; see the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dim", type=int, default=1_000_000)
    parser.add_argument("--snapshots", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=Path("runs/larger_than_memory"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path, out = options.folder / "spirals.zarr", options.folder / "run"
    if not path.exists():
        make(path, options.dim, options.snapshots)
    size = 8e-9 * options.dim * options.snapshots
    once = reading(path)
    print(f"{size:.1f} GB: read once in {once:.0f} s", flush=True)
    compressed = passes(path)
    print(f"POD modes and coefficients: {compressed:.0f} s, {compressed / once:.1f} times as long", flush=True)
    command = ["reduce", str(path), "--latent-dim", "2", "--reducer", "polynomial", "--dynamics", "polynomial"]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "dynred", *command, "--out", str(out), "--overwrite"], check=True)
    cost = json.loads((out / "evaluation.json").read_text())["cost"]
    taken = time.perf_counter() - start
    print(f"dynred {' '.join(command)}: {taken:.0f} s, {cost['peak_memory_mb']:.0f} MB at most")


if __name__ == "__main__":
    main()
