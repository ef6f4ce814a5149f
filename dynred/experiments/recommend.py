"""The latent space that the verdict on K recommends, as settings of an experiment."""

from dynred.dynamics.fourier import FourierSpec
from dynred.experiments.spec import ExperimentSpec
from dynred.geometry.inspection import inspect
from dynred.geometry.verdict import Verdict
from dynred.rng import generator
from dynred.runtime import Runtime


def with_recommended_latents(
    spec: ExperimentSpec, *, keep_dynamics: bool = False, runtime: Runtime | None = None
) -> tuple[ExperimentSpec, Verdict]:
    """The settings with the latent space that works with fewest coordinates, and the verdict that says so.

    Args:
        spec: the settings; their `latent_dim`, `reducer.angles` and `partition.charts` are replaced. The verdict is on
            the training trajectories that they name.
        keep_dynamics: leave the dynamics as they are; otherwise latent spaces of angles alone get a Fourier series.
        runtime: progress.

    Raises:
        InputError: the reducer has no angles where they are recommended.
        MissingExtraError: without `pip install 'dynred[geometry]'`.
    """
    runtime, source = runtime or Runtime(), spec.open()
    train, _, _ = source.parts(spec.data, spec.seed, runtime)
    verdict = inspect(train, rng=generator(spec.seed, "inspect"), progress=runtime.progress)
    wanted = verdict.recommended
    return with_latents(spec, wanted.angles, wanted.lines, wanted.charts, keep_dynamics=keep_dynamics), verdict


def with_latents(
    spec: ExperimentSpec, angles: int, lines: int, charts: int = 1, *, keep_dynamics: bool = False
) -> ExperimentSpec:
    """The settings with a latent space of so many angles and lines, in so many charts; see
    `with_recommended_latents`."""
    spec = spec.updated("latent_dim", angles + lines).updated("partition.charts", charts)
    if angles:
        spec = spec.updated("reducer.angles", angles)
    if angles and not lines and not keep_dynamics:
        spec = spec.updated("dynamics", FourierSpec())
    return spec
