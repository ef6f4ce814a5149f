"""The latent space that the verdict on K recommends, as settings of an experiment."""

from dynred.dynamics.fourier import FourierSpec
from dynred.errors import InputError
from dynred.experiments.spec import ExperimentSpec
from dynred.experiments.transform_parts import fit_chain
from dynred.geometry.inspection import inspect
from dynred.geometry.verdict import Verdict
from dynred.rng import generator
from dynred.runtime import Runtime


def with_recommended_latents(
    spec: ExperimentSpec, *, keep_dynamics: bool = False, runtime: Runtime | None = None
) -> tuple[ExperimentSpec, Verdict]:
    """The settings with the latent space that works with fewest coordinates, and the verdict that says so.

    Args:
        spec: the settings; the result has another `latent_dim`, `reducer.angles` and `partition.charts`. The verdict is
            on the training trajectories that the settings name.
        keep_dynamics: leave the dynamics as they are; otherwise latent spaces of angles alone get a Fourier series.
        runtime: reports progress.

    Raises:
        InputError: no reduction is found, or none that the reducer can fit; the message says why, and what to do.
        MissingExtraError: without `pip install 'dynred[geometry]'`.
    """
    runtime = runtime or Runtime()
    source, transforms = spec.open_source().compressing(spec.transforms)
    parts = source.parts(spec.data, spec.seed, runtime)
    train, chain = parts.train, fit_chain(transforms, parts.train, parts.compression)
    train = train if chain is None else chain.transformed(train)
    verdict = inspect(train, rng=generator(spec.seed, "inspect"), progress=runtime.progress)
    if verdict.recommended is None or verdict.two_valued.verdict:
        raise InputError(verdict.advice())
    refusals = []
    for space in verdict.options:
        try:
            best = with_latents(spec, space.angles, space.lines, space.charts, keep_dynamics=keep_dynamics)
            assert best.reducer is not None
            best.reducer.check_data(train)
        except InputError as refusal:
            refusals.append(f"{space}: {refusal}")
        else:
            return best, verdict
    raise InputError(f"No reduction found that these settings can fit. {' '.join(refusals)}")


def with_latents(
    spec: ExperimentSpec, angles: int, lines: int, charts: int = 1, *, keep_dynamics: bool = False
) -> ExperimentSpec:
    """The settings with a latent space of `angles` angles and `lines` lines in each of `charts` charts.

    `keep_dynamics` is that of `with_recommended_latents`.
    """
    spec = spec.updated("latent_dim", angles + lines).updated("partition.charts", charts)
    if angles:
        spec = spec.updated("reducer.angles", angles)
    if angles and not lines and not keep_dynamics:
        spec = spec.updated("dynamics", FourierSpec())
    return spec
