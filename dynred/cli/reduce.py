"""`dynred reduce`: from an equation or data to a scored reduced model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from dynred.cli._experiment import (
    Angles,
    Charts,
    Dynamics,
    Force,
    LatentDim,
    Reducer,
    Source,
    Split,
    Test,
    TestFraction,
    TestTrajectories,
    data_changes,
)
from dynred.cli._options import (
    LATENT,
    OUTPUT,
    TRAINING,
    Arguments,
    AsJson,
    Device,
    Out,
    Overwrite,
    Settings,
    Whole,
    flag,
    option,
)
from dynred.cli._own_data import OwnData
from dynred.cli._process import going_on
from dynred.cli._transform_options import Transforms
from dynred.cli.base import pairs, show_evaluation, stderr, working
from dynred.errors import InputError

if TYPE_CHECKING:
    from dynred.experiments.spec import ExperimentSpec

EXAMPLES = """
dynred reduce kuramoto_sivashinsky --latent-dim 8 --out runs/ks
dynred reduce my_system.py --latent-dim 3        # your own equation
dynred reduce my_system.py --latent-dim 3 --minutes 0.5   # a quick look
dynred reduce measurements.csv --group run --latent-dim 2 # data, no equation
dynred reduce train.npz --test test.npz --latent-dim 2
dynred reduce signal.csv --delays auto --latent-dim 2     # one signal alone
dynred reduce torus_flow --latent auto           # what `dynred inspect` says
dynred reduce lorenz63 --latent-dim 3 --set reducer.training.steps=2000
"""

Latent = Annotated[
    Literal["auto"] | None, option(LATENT, "auto takes the latent space that `dynred inspect` recommends.")
]
Minutes = Annotated[
    float | None,
    option(
        TRAINING,
        "Choose trajectories and training (of data, training alone) so that the answer comes within so many minutes, "
        ".5 for a quick look; default: 3 for a system of your own that names no times, else the default settings.",
    ),
]
SecondOrder = Annotated[
    bool,
    flag(
        TRAINING,
        "States are (q, q'): the reducer is that of q, the dynamics give q'', and q' is the velocity of q exactly.",
    ),
]
Folder = Annotated[
    Out | None,
    option(
        OUTPUT,
        "Folder for the model, its scores and the report; default: runs/ and a name made of the source and the "
        "settings.",
    ),
]


def reduce(
    source: Source,
    *,
    latent_dim: LatentDim = None,
    angles: Angles = 0,
    latent: Latent = None,
    charts: Charts = 1,
    test: Test = None,
    test_trajectories: TestTrajectories = None,
    test_fraction: TestFraction = None,
    split: Split = None,
    force: Force = False,
    reading: OwnData = None,
    transforms: Transforms = None,
    with_: Arguments = None,
    reducer: Reducer = None,
    dynamics: Dynamics = None,
    second_order: SecondOrder = False,
    set_: Settings = None,
    minutes: Minutes = None,
    seed: Annotated[Whole, option(TRAINING, "Decides every random draw.")] = 0,
    resume: Annotated[
        bool, flag(TRAINING, "Go on with an interrupted run of the same settings, to the same result.")
    ] = False,
    device: Device = "auto",
    out: Folder = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Reduce a system or data: simulate, learn coordinates and their dynamics, score, report."""
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
    chosen = data_changes(test, test_trajectories, test_fraction, split, force, reading, transforms)
    words |= {"arguments": pairs(with_ or []), "changes": {**chosen, **pairs(set_ or [])}}
    if latent == "auto" and (latent_dim is not None or angles or charts > 1 or second_order):
        others = "--latent-dim, --angles, --charts or --second-order"
        raise InputError(f"--latent auto must be alone, got {others} beside it.")
    given = 1 if latent == "auto" else latent_dim
    spec = choose_experiment(source, given, angles=angles, charts=charts, second_order=second_order, **words)
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
    with working(device, announced=limit is None and not resume) as runtime:
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
