"""The verdict on the set K of a system or a data file, which a name stands for."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dynred.data.points import load_data
from dynred.data.screening import is_data
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.geometry.inspection import inspect
from dynred.geometry.verdict import Verdict
from dynred.ode.find import find_system
from dynred.ode.vector_field import Parameters
from dynred.rng import generator
from dynred.runtime import Progress, silent
from dynred.simulation.simulate import simulate


def inspect_source(
    name: str,
    *,
    latent_dim: int | None = None,
    n: int = 64,
    seed: int = 0,
    arguments: Mapping[str, Any] | None = None,
    parameters: Parameters | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Which latent spaces can carry the set of long-time states of a system, or of data.

    Args:
        name: the name of a system or its file, or a data file (.npz, .zarr, .nc; an .npz of points holds `states`
            alone).
        latent_dim: a number of latent coordinates for which the verdict answers in any case.
        n: number of trajectories to simulate.
        seed: decides initial states and sub-samples.
        arguments: structural choices of the system.
        parameters: values of the equation's parameters that replace its defaults.
        progress: receives reports.

    Raises:
        InputError: the source is unknown or unusable, data are given arguments or parameters, or there are too few
            points.
        MissingExtraError: without `pip install 'dynred[geometry]'`.
    """
    data = _data(name, n, seed, arguments or {}, parameters or {}, progress)
    return inspect(data, rng=generator(seed, "inspect"), latent_dim=latent_dim, progress=progress)


def _data(
    name: str, n: int, seed: int, arguments: Mapping[str, Any], parameters: Parameters, progress: Progress
) -> Trajectories | Tensor:
    if is_data(name):
        if arguments or parameters:
            raise InputError(f"arguments and parameters (--with, --set) must be left out for data, got {name}.")
        return load_data(name)
    system = find_system(name, **arguments)
    return simulate(system, n, rng=generator(seed, "train"), parameters=parameters, progress=progress)
