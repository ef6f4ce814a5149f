"""`dynred reduce`: from an equation or data to a scored reduced model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dynred.cli._own_data import OwnData
from dynred.cli._process import going_on
from dynred.cli.base import Arguments, AsJson, Out, Settings, Whole, listed, pairs, show_evaluation, stderr, working
from dynred.errors import InputError

if TYPE_CHECKING:
    from dynred.experiments.spec import ExperimentSpec

Reducer = Annotated[str, Parameter(help=f"{listed('dynred.reducers')}, or a file with a reducer of your own.")]
Dynamics = Annotated[
    str | None,
    Parameter(
        help=f"{listed('dynred.dynamics')}, or a file with latent dynamics of your own; default: a Fourier series "
        "where all coordinates are angles, else a neural ODE."
    ),
]


def reduce(
    source: str,
    *,
    latent_dim: Whole | None = None,
    angles: Whole = 0,
    latent: Literal["auto"] | None = None,
    out: Out | None = None,
    seed: Whole = 0,
    test: Out | None = None,
    test_trajectories: Annotated[list[Whole] | None, Parameter(negative="", consume_multiple=True)] = None,
    test_fraction: float | None = None,
    split: Literal["auto", "trajectories", "time"] | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    reducer: Reducer = "autoencoder",
    dynamics: Dynamics = None,
    charts: Whole = 1,
    reading: OwnData = None,
    set_: Settings = None,
    with_: Arguments = None,
    minutes: float | None = None,
    device: str = "auto",
    resume: Annotated[bool, Parameter(negative="")] = False,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Reduce a system or data: simulate, learn coordinates and their dynamics, score, report.

    Args:
        source: Name of a system (see `dynred systems`), a .py file that defines one, or a data file (.csv, .npy,
            .npz, .mat, .h5, .nc, .zarr, .parquet).
        latent_dim: Number of latent coordinates; default: that of the angles.
        angles: How many of them are angles: one for a closed curve, two for a torus.
        latent: auto takes the latent space that `dynred inspect` recommends.
        out: Folder for the model, its scores and the report; default: runs/ and a name made of the source and the
            settings.
        seed: Decides every random draw.
        test: A data file whose trajectories are the test; default: the test is taken from the source.
        test_trajectories: Which trajectories of the data are the test, counted from 0, e.g. 8 9.
        test_fraction: Part of the trajectories of the data, or of each of them in time, that is the test; default: 0.1.
        split: How data are divided: trajectories keeps each whole, time tests on the last part of each; auto keeps them
            whole where there are at least three.
        force: Fit dynamics even to velocities whose estimated error is above 30 %.
        charts: More than one cut K into overlapping charts, each with coordinates and dynamics of its own.
        minutes: Choose trajectories and training of a system so that the answer comes within so many minutes, .5 for a
            quick look; default: 3 for a system of your own that names no times, else the default settings.
        device: auto, cpu or cuda.
        resume: Go on with an interrupted run of the same settings, to the same result.
        overwrite: Replace a run that is in the folder.
    """
    from dynred.experiments.choose_experiment import choose_experiment
    from dynred.experiments.folder import RunFolder
    from dynred.experiments.origin import data_notes
    from dynred.experiments.plan import updated
    from dynred.experiments.planned import minutes_of, planned
    from dynred.experiments.run import run
    from dynred.models.load import load_model

    if out is not None:  # refused before anything is computed
        RunFolder(out).check_free(resume=resume, overwrite=overwrite)
    words: dict[str, Any] = {"reducer": reducer, "dynamics": dynamics, "seed": seed}
    tested = {"test_trajectories": test_trajectories, "test_fraction": test_fraction, "split": split}
    chosen: dict[str, Any] = {f"data.{name}": value for name, value in tested.items() if value is not None}
    chosen |= {"test": str(test)} if test is not None else {}
    chosen |= {"data.force": True} if force else {}
    chosen |= reading.changes() if reading is not None else {}
    words |= {"arguments": pairs(with_ or []), "changes": {**chosen, **pairs(set_ or [])}}
    if latent == "auto" and (latent_dim is not None or angles or charts > 1):
        raise InputError("--latent auto must be alone, got --latent-dim, --angles or --charts beside it.")
    given = 1 if latent == "auto" else latent_dim
    spec = choose_experiment(source, given, angles=angles, charts=charts, **words)
    if (limit := minutes_of(spec, minutes, words["changes"])) is not None:
        out = out or Path(f"{spec.default_out}-{limit:g}-minutes")
        settings, lines = planned(spec, limit, words["changes"], out if resume else None)
        spec, words["changes"] = updated(spec, settings), {**settings, **words["changes"]}
        for line in lines:
            stderr.print(line, markup=False, highlight=False, soft_wrap=True)
    if latent == "auto":
        spec = _recommended(source, words)
    out = out or spec.default_out
    going_on(f"What was computed is in {out}: the same command with --resume goes on from there.")
    with working(device) as runtime:
        evaluation = run(spec, out, resume=resume, overwrite=overwrite, runtime=runtime)
    show_evaluation(evaluation, as_json)
    model = load_model(out)
    for line in [*data_notes(model.about), *model.notes()]:
        stderr.print(line, markup=False, highlight=False, soft_wrap=True)
    stderr.print(f"The report is {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


def _recommended(source: str, words: dict[str, Any]) -> "ExperimentSpec":
    from dynred.experiments.choose_experiment import choose_recommended

    with working() as runtime:
        spec, verdict = choose_recommended(source, **words, runtime=runtime)
    stderr.print(str(verdict), markup=False, highlight=False, soft_wrap=True)
    return spec
