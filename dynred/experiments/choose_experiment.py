"""The settings of an experiment from few words: names of plug-ins, and how many angles and charts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dynred.checks import refuse
from dynred.dynamics.base import DynamicsSpec
from dynred.experiments.recommend import with_latents, with_recommended_latents
from dynred.experiments.spec import ExperimentSpec, of_second_order
from dynred.geometry.verdict import Verdict
from dynred.models.partition import PartitionSpec
from dynred.plugins import load_class
from dynred.reducers.base import ReducerSpec
from dynred.runtime import Runtime


def choose_experiment(
    source: str,
    latent_dim: int | None = None,
    *,
    angles: int = 0,
    charts: int = 1,
    reducer: str | None = None,
    dynamics: str | None = None,
    second_order: bool = False,
    seed: int = 0,
    arguments: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> ExperimentSpec:
    """The settings of an experiment, with defaults for what is left out.

    Args:
        source: name or file of a system, or a data file.
        latent_dim: number R of latent coordinates; default: the number of angles.
        angles: how many of them are angles.
        charts: number of charts; with more than one, the model is an atlas.
        reducer: name of a reducer, or a file with one; default: what the data choose (`AutoReducerSpec`), or an
            autoencoder where `changes` name settings of the reducer or ask for joint refinement.
        dynamics: name of latent dynamics, or a file with some; default: a Fourier series where all coordinates are
            angles, else a neural ODE; with neither reducer nor dynamics named, equivariant ones where a continuous
            symmetry is declared and they predict validation trajectories better.
        second_order: whether states are (q, q'): the reducer then is that of q, the dynamics give the acceleration.
        seed: decides every draw.
        arguments: structural choices of the system.
        changes: further settings by their dotted paths, e.g. {"reducer.training.steps": 8000}.

    Raises:
        InputError: a name or setting is unknown, a value is out of range, or neither `latent_dim` nor `angles` is
            given.
    """
    if latent_dim is None and angles < 1:
        advice = "Or let the verdict on K choose it: --latent auto."
        raise refuse("latent_dim (--latent-dim)", "a number of coordinates", "none", advice)
    latent_dim = max(1, angles) if latent_dim is None else latent_dim
    spec = ExperimentSpec(
        source=source,
        latent_dim=latent_dim,
        seed=seed,
        arguments=arguments or {},
        reducer=_reducer(reducer, latent_dim, dynamics, changes or {}),
        dynamics=load_class("dynred.dynamics", "neural_ode" if dynamics is None else dynamics, DynamicsSpec)(),
        partition=PartitionSpec(charts),
    )
    if second_order:
        assert spec.reducer is not None
        halves, acceleration = of_second_order(spec.reducer, spec.dynamics)
        spec = replace(spec, reducer=halves, dynamics=acceleration)
    if angles:
        spec = with_latents(spec, angles, latent_dim - angles, charts, keep_dynamics=dynamics is not None)
    for path, value in (changes or {}).items():
        spec = spec.updated(path, value)
    return spec


def _reducer(name: str | None, latent_dim: int, dynamics: str | None, changes: Mapping[str, Any]) -> ReducerSpec:
    trained = any(path.startswith(("reducer.", "joint")) for path in changes)
    name = ("autoencoder" if trained else "auto") if name is None else name
    spec = load_class("dynred.reducers", name, ReducerSpec)(latent_dim=latent_dim)
    named = dynamics is not None or any(path.startswith("dynamics") for path in changes)
    return spec.without_symmetry() if named else spec


def choose_recommended(
    source: str,
    *,
    reducer: str | None = None,
    dynamics: str | None = None,
    seed: int = 0,
    arguments: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
    runtime: Runtime | None = None,
) -> tuple[ExperimentSpec, Verdict]:
    """The settings with the latent space that the verdict on K recommends, and the verdict.

    The arguments are those of `choose_experiment`; `runtime` reports progress.

    Raises:
        InputError: as `choose_experiment`, or no reduction is found; the message says why, and what to do.
        MissingExtraError: without `pip install 'dynred[geometry]'`.
    """
    spec = choose_experiment(
        source, 1, reducer=reducer, dynamics=dynamics, seed=seed, arguments=arguments, changes=changes
    )
    return with_recommended_latents(spec, keep_dynamics=dynamics is not None, runtime=runtime)
