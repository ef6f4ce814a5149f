"""The verdict on the set K of a system or a data file, which a name stands for."""

from collections.abc import Mapping
from typing import Any

from dynred.data.points import load_data
from dynred.data.readers.base import is_data
from dynred.data.reading import ReadingSpec
from dynred.errors import InputError
from dynred.geometry.inspection import inspect
from dynred.geometry.verdict import Verdict
from dynred.ode.subject import no_reading, subject_of
from dynred.ode.system import System
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
    reading: ReadingSpec | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Which latent spaces can carry the set of long-time states of a system, or of data.

    Args:
        name: the name of a system or its file, or a data file; one without times holds points.
        latent_dim: a number of latent coordinates for which the verdict answers in any case.
        n: number of trajectories to simulate.
        seed: decides initial states and sub-samples.
        arguments: structural choices of the system.
        parameters: values of the equation's parameters that replace its defaults.
        reading: what cannot be guessed of data.
        progress: receives reports.

    Raises:
        InputError: the source is unknown or unusable, data are given arguments or parameters, or there are too few
            points.
        MissingExtraError: without `pip install 'dynred[geometry]'`.
    """
    rng = generator(seed, "inspect")
    if is_data(name, reading):
        if arguments or parameters:
            raise InputError(f"arguments and parameters (--with, --set) must be left out for data, got {name}.")
        return inspect(load_data(name, reading), rng=rng, latent_dim=latent_dim, progress=progress)
    system = subject_of(name, arguments)
    assert isinstance(system, System)
    no_reading(reading, system)
    data = simulate(system, n, rng=generator(seed, "train"), parameters=parameters or {}, progress=progress)
    return inspect(data, rng=rng, latent_dim=latent_dim, progress=progress)
