"""Simulates trajectories into a file: at once, or block after block where they are many, so that work can go on."""

import contextlib
import functools
import math
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dynred.checks import integer, path_given, positive, refuse
from dynred.data.screening import need_netcdf
from dynred.data.storage import check_path, is_ours, save_trajectories
from dynred.data.store import StoredTrajectories
from dynred.data.store_writer import is_unfinished, set_aside
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.files import check_target
from dynred.memory import check_memory
from dynred.ode.system import System
from dynred.ode.vector_field import Parameters
from dynred.rng import generator
from dynred.runtime import Progress, silent
from dynred.simulation.simulate import simulate, simulate_to

LARGE = 2**29  # bytes of states and velocities from which a .zarr file is written block after block


@dataclass(frozen=True, eq=False)
class Written:
    """Trajectories that are in a file.

    Attributes:
        trajectories: all of them; of a store that was written block after block, a view.
        seconds: time that the simulation took.
    """

    trajectories: Trajectories | StoredTrajectories
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether no trajectory was stopped before its end."""
        attributes = self.trajectories.attributes
        status = attributes.get("status", [])
        stopped = len(self.trajectories) - status.count("finished") if status else 0
        return bool(getattr(self.trajectories, "complete", not (stopped or "not_started" in attributes)))

    def to_dict(self) -> dict[str, Any]:
        """How many there are and how they came about, as plain JSON data."""
        about = self.trajectories.attributes
        return {
            "trajectories": len(self.trajectories),
            "snapshots": int(self.trajectories.lengths.sum()),
            "state_dim": self.trajectories.dim,
            "complete": self.complete,
            "solver": about["solver"]["kind"].rpartition(":")[2],
            "solver_reason": about["solver_reason"],
            "simulate_s": round(self.seconds, 3),
        }


class FileSimulation:
    """A simulation into a file; whatever can be refused is refused when this object is made.

    Args:
        system: the ODE.
        out: path of the file: .zarr, .npz or .nc.
        n: number of trajectories, >= 1.
        duration: duration of each trajectory, in time units; default: the system's.
        sampling: time between snapshots, in time units; default: the system's.
        transient: time dropped at the start; default: the system's.
        solver: `auto` or a solver's name.
        seed: decides the initial states.
        parameters: replaces defaults, as for `simulate`.
        time_limit: seconds after which the work stops and what was computed is kept.
        overwrite: whether a data file there that dynred wrote is replaced; if not, an unfinished store is continued.

    Attributes:
        streams: whether the file is written block after block; after an interruption the same simulation then goes on.

    Raises:
        InputError: a number is out of range, nothing may be written to the path, or memory or the disk is too small.
        MissingExtraError: .nc without the `netcdf` extra.
    """

    def __init__(
        self,
        system: System,
        out: str | Path,
        n: int = 256,
        *,
        duration: float | None = None,
        sampling: float | None = None,
        transient: float | None = None,
        solver: str = "auto",
        seed: int = 0,
        parameters: Parameters | None = None,
        time_limit: float | None = None,
        overwrite: bool = False,
    ):
        self.system, self.out = system, path_given("out", out)
        unfinished = _check_out(self.out, overwrite)
        self.n, self.seed = integer("n", n, 1), integer("seed", seed, 0)
        for name, value in (("duration", duration), ("sampling", sampling), ("time_limit", time_limit)):
            if value is not None:
                positive(name, value)
        if transient is not None and not 0 <= transient < math.inf:
            raise refuse("transient", "a finite number >= 0", transient)
        self.parameters, self.solver, self.transient = parameters, solver, transient
        self.time_limit, self.overwrite = time_limit, overwrite
        self.step = system.sampling if sampling is None else sampling
        self.steps = _steps(self.step, system.duration if duration is None else duration)
        size = 16 * self.n * (self.steps + 1) * system.dim
        self.streams = self.out.suffix == ".zarr" and (unfinished or size > LARGE)
        if not self.streams:
            _check_disk(self.out, size)

    def run(self, progress: Progress = silent) -> Written:
        """Simulates, and writes the file.

        Args:
            progress: receives reports.

        Raises:
            InputError, DivergenceError, FileFormatError: see `simulate` and `save_trajectories`.
        """
        start = time.perf_counter()
        with set_aside(self.out) if self.overwrite and self.streams else contextlib.nullcontext():
            work = functools.partial(simulate_to, self.out) if self.streams else simulate
            trajectories = work(
                self.system,
                self.n,
                torch.arange(self.steps + 1, dtype=torch.float64) * self.step,
                rng=generator(self.seed, "train"),
                parameters=self.parameters,
                solver=self.solver,
                transient=self.transient,
                time_limit=self.time_limit,
                progress=progress,
            )
        seconds = time.perf_counter() - start
        if isinstance(trajectories, Trajectories):
            save_trajectories(trajectories, self.out)
        return Written(trajectories, seconds)


def _check_out(out: Path, overwrite: bool) -> bool:
    """Whether an unfinished store is there; raises InputError where nothing may be written."""
    if check_path(out) == ".nc":
        need_netcdf()
    unfinished = out.suffix == ".zarr" and is_unfinished(out)
    if os.path.lexists(out) and not overwrite and not unfinished and is_ours(out):
        raise InputError(f"out must be a new file, got {out}. Use --overwrite.")
    check_target("out", out, is_ours if overwrite or unfinished else None)
    return unfinished


def _steps(step: float, length: float) -> int:
    if length < step:
        raise InputError(f"sampling must be in (0, duration], got {step:g} with duration {length:g}.")
    ratio = length / step
    check_memory(f"{ratio:.3g} snapshots of a trajectory", int(16 * min(ratio, 1e18)))
    return round(ratio)


def _check_disk(out: Path, size: int) -> None:
    parent = next(folder for folder in out.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(parent).free
    if size > free:
        raise InputError(f"out must be on a disk with {size} bytes for states and velocities, got {free} in {parent}.")
