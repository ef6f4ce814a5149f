"""`dynred search`: the settings that make a score as good as it can be."""

from typing import Annotated, Literal

from dynred.cli._experiment import Base, BaseOptions, Source
from dynred.cli._options import COMPUTATION, OUTPUT, TRAINING, AsJson, Device, Out, Whole, option
from dynred.cli._own_data import OwnData
from dynred.cli._process import going_on, stderr
from dynred.cli._studies import Dask, Report, WorkerCount, executor_at, ranges_of, show_study, tell_report
from dynred.cli._transform_options import Transforms
from dynred.cli.base import bar

EXAMPLES = """
dynred search lorenz63 --over latent_dim=1:2 --metric nmse --out studies/c
dynred search lorenz63 --latent-dim 2 --over seed=0:9 --metric nmse --out d
"""

Over = Annotated[
    list[str],
    option(
        TRAINING,
        "A setting by its dotted path and its range: reducer.width=32:512:log, seed=0:9, dynamics=linear,polynomial;"
        " repeatable.",
        "--over",
    ),
]
Metric = Annotated[
    str, option(TRAINING, "The score, by its name in the table of a study: nmse, valid_time.median, nmte.median ...")
]
Mode = Annotated[
    Literal["min", "max"] | None, option(TRAINING, "Whether it should be small or large; default: max for times.")
]
Trials = Annotated[Whole, option(TRAINING, "Number of trials in all, those of earlier calls included.")]
Storage = Annotated[
    str | None,
    option(COMPUTATION, "URL of a storage of Optuna's, for several machines; default: a SQLite file in the folder."),
]


def search(
    source: Source,
    *,
    over: Over,
    metric: Metric,
    out: Annotated[Out, option(OUTPUT, "The folder of the search; the same command goes on with what it holds.")],
    mode: Mode = None,
    trials: Trials = 40,
    base: Base = None,
    reading: OwnData = None,
    transforms: Transforms = None,
    storage: Storage = None,
    workers: WorkerCount = 1,
    dask: Dask = None,
    device: Device = "auto",
    report: Report = False,
    as_json: AsJson = False,
) -> None:
    """Search the settings that make a score as good as it can be, with Optuna; the result is a study.

    Trials that fall behind while their dynamics are trained are given up.
    """
    from dynred.studies.interval import Interval
    from dynred.studies.search import search as searched

    ranges = ranges_of(over)
    first = {path: Interval.of(path, given).at(0.0) for path, given in ranges.items()}
    spec = (base or BaseOptions()).experiment(source, reading, transforms, first)
    going_on(f"What was computed is in {out}: the same command goes on from there.")
    with executor_at(dask) as executor, bar() as progress:
        study = searched(
            *(spec, ranges, out),
            metric=metric,
            mode=mode,
            trials=trials,
            seed=spec.seed,
            storage=storage,
            workers=workers,
            executor=executor,
            device=device,
            progress=progress,
        )
    show_study(study, as_json)
    best = study.best(metric, study.goal.mode) if study.goal and metric in study.table() else None
    if best is not None:
        stderr.print(f"The best is {best.folder}", markup=False, highlight=False, soft_wrap=True)
    tell_report(study, report)
