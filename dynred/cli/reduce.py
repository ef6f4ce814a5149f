"""`dynred reduce`: from an equation or data to a scored reduced model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dynred.cli._process import going_on
from dynred.cli.base import Arguments, AsJson, Out, Settings, Whole, pairs, show_evaluation, stderr, working
from dynred.errors import InputError

if TYPE_CHECKING:
    from dynred.experiments.spec import ExperimentSpec


def reduce(
    source: str,
    *,
    latent_dim: Whole | None = None,
    angles: Whole = 0,
    latent: Literal["auto"] | None = None,
    out: Out | None = None,
    seed: Whole = 0,
    reducer: str = "autoencoder",
    dynamics: str | None = None,
    charts: Whole = 1,
    set_: Settings = None,
    with_: Arguments = None,
    device: str = "auto",
    resume: Annotated[bool, Parameter(negative="")] = False,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Reduce a system or data: simulate, learn coordinates and their dynamics, score, report.

    Parameters
    ----------
    source: Name of a system (see `dynred systems`), a .py file that defines one, or a data file (.npz, .zarr, .nc).
    latent_dim: Number of latent coordinates; default: that of the angles.
    angles: How many of them are angles: one for a closed curve, two for a torus.
    latent: auto takes the latent space that `dynred inspect` recommends.
    out: Folder for the model, its scores and the report; default: runs/ and a name made of the source and the settings.
    seed: Decides every random draw.
    reducer: autoencoder, polynomial, pod, irmae, or a file with a reducer of your own.
    dynamics: neural_ode, sindy, quadratic, parametric, stabilised, ensemble, polynomial, linear, fourier, or a file
        with latent dynamics of your own; default: fourier where all coordinates are angles, else neural_ode.
    charts: More than one cut K into overlapping charts, each with coordinates and dynamics of its own.
    device: auto, cpu or cuda.
    resume: Go on with an interrupted run of the same settings, to the same result.
    overwrite: Replace a run that is in the folder.
    """
    from dynred.experiments.folder import RunFolder
    from dynred.experiments.run import run
    from dynred.models.load import load_model

    if out is not None:  # before anything is computed
        RunFolder(out).check_free(resume=resume, overwrite=overwrite)
    wanted = _latent_dim(latent_dim, angles, latent, charts)
    spec = _experiment(source, wanted, angles, seed, reducer, dynamics, charts, set_ or [], with_ or [])
    if latent == "auto":
        spec = _recommended(spec, dynamics is not None)
    out = out or Path("runs") / f"{Path(source).stem}-{spec.digest()}"
    going_on(f"What was computed is in {out}: the same command with --resume goes on from there.")
    with working(device) as runtime:
        found = run(spec, out, resume=resume, overwrite=overwrite, runtime=runtime)
    show_evaluation(found, as_json)
    model = load_model(out)
    for line in [*notes(model.about), *model.notes()]:
        stderr.print(line, markup=False, highlight=False, soft_wrap=True)
    stderr.print(f"The report is {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


def _latent_dim(latent_dim: int | None, angles: int, latent: str | None, charts: int) -> int:
    if latent == "auto" and (latent_dim is not None or angles or charts > 1):
        raise InputError("--latent auto must be alone, got --latent-dim, --angles or --charts beside it.")
    if latent_dim is None and latent is None and angles < 1:
        raise InputError("--latent-dim must be a number of coordinates, got none. Or try --latent auto.")
    return max(1, angles) if latent_dim is None else latent_dim


def _recommended(spec: "ExperimentSpec", keep_dynamics: bool) -> "ExperimentSpec":
    from dynred.experiments.recommend import with_recommended_latents

    with working() as runtime:
        spec, verdict = with_recommended_latents(spec, keep_dynamics=keep_dynamics, runtime=runtime)
    stderr.print(str(verdict), markup=False, highlight=False, soft_wrap=True)
    return spec


def _experiment(
    source: str,
    latent_dim: int,
    angles: int,
    seed: int,
    reducer: str,
    dynamics: str | None,
    charts: int,
    changes: list[str],
    arguments: list[str],
) -> "ExperimentSpec":
    from dynred.dynamics.base import DynamicsSpec
    from dynred.experiments.recommend import with_latents
    from dynred.experiments.spec import ExperimentSpec
    from dynred.models.partition import PartitionSpec
    from dynred.plugins import load_class
    from dynred.reducers.base import ReducerSpec

    spec = ExperimentSpec(
        source=source,
        latent_dim=latent_dim,
        seed=seed,
        arguments=pairs(arguments),
        reducer=load_class("dynred.reducers", reducer, ReducerSpec)(latent_dim=latent_dim),
        dynamics=load_class("dynred.dynamics", "neural_ode" if dynamics is None else dynamics, DynamicsSpec)(),
        partition=PartitionSpec(charts),
    )
    if angles:
        spec = with_latents(spec, angles, latent_dim - angles, charts, keep_dynamics=dynamics is not None)
    for path, value in pairs(changes).items():
        spec = spec.updated(path, value)
    return spec


def notes(about: Mapping[str, Any]) -> list[str]:
    """What a user should know of how the data came about: the solver and why, or how velocities were estimated."""
    lines = []
    if "solver" in about:
        lines.append(f"Solver: {about['solver']['kind'].rpartition(':')[2]} ({about['solver_reason']}).")
    if "velocities" in about:
        error = about["velocity_error"]
        size = "of unknown error (trajectories too short)" if error is None else f"error about {100 * error:.2g} %"
        lines.append(f"Velocities estimated by {about['velocities']}, {size} of their root mean square.")
    return lines
