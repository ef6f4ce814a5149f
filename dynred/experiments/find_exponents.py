"""The Lyapunov exponents of a system by its name, or of the model in a run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dynred.errors import InputError
from dynred.evaluation.lyapunov import LyapunovSpectrum, lyapunov_spectrum
from dynred.experiments.stored_run import StoredRun, opened
from dynred.models.base import Model
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.ode.vector_field import Parameters
from dynred.rng import generator
from dynred.runtime import Progress, Runtime, silent


def find_exponents(
    name: str,
    k: int | None = None,
    *,
    n: int = 8,
    duration: float | None = None,
    interval: float | None = None,
    solver: str = "auto",
    seed: int = 0,
    time_limit: float | None = None,
    arguments: Mapping[str, Any] | None = None,
    parameters: Parameters | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
    progress: Progress = silent,
) -> tuple[str, LyapunovSpectrum]:
    """What a name means, in words, and its Lyapunov exponents.

    Args:
        name: the name of a system or its file, or a run folder, whose model is followed from states on K.
        k: number of exponents; see `lyapunov_spectrum`.
        n: number of trajectories.
        duration: averaging time of each; see `lyapunov_spectrum`.
        interval: time between orthogonalisations; see `lyapunov_spectrum`.
        solver: `auto` or a solver's name; see `lyapunov_spectrum`.
        seed: decides initial states and tangents.
        time_limit: seconds after which the work stops; see `lyapunov_spectrum`.
        arguments: structural choices of the system; none for a run, which knows them.
        parameters: values of the equation's parameters that replace its defaults.
        plugins: files whose code may run; see `dynred.experiments.stored_run.opened`.
        trust: whether all code that the run names may run; see `dynred.experiments.stored_run.opened`.
        progress: receives reports.

    Raises:
        InputError: the system or run is unknown or unusable; or as for `lyapunov_spectrum`.
        FileFormatError: the folder holds no run.
    """
    rng, parameters = generator(seed, "lyapunov"), parameters or {}
    followed: System | Model
    if Path(name).is_dir():
        if arguments:
            raise InputError("arguments (--with) must be left out for a run, which knows its system, got some.")
        with opened(name, plugins=plugins, trust=trust) as run:
            words, followed, initial = _of_run(run, n, rng, parameters)
        parameters = {}  # the model already holds them
    else:
        followed, initial = find_system(name, **(arguments or {})), None
        words = followed.name
    return words, lyapunov_spectrum(
        *(followed, k),
        rng=rng,
        n=n,
        initial=initial,
        duration=duration,
        interval=interval,
        parameters=parameters,
        solver=solver,
        time_limit=time_limit,
        progress=progress,
    )


def _of_run(run: StoredRun, n: int, rng: torch.Generator, parameters: Parameters) -> tuple[str, Model, Tensor]:
    """The model of a run in words, the model at the parameters, and `n` states [n, D] on K to follow it from."""
    model = run.model.at(parameters)
    words = f"{model.about.get('system', run.folder.path.name)}, reduced to {model.latent_space.dim}"
    if model.past > 1:  # states with their past are those of training
        train = model.prepared(run.parts(Runtime()).train)
        return words, model.core, train.states[torch.randint(len(train.states), (n,), generator=rng)]
    return words, model.core, model.start(run.source.states(n, rng=rng, parameters=parameters))
