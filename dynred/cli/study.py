"""`dynred study`: many experiments, made, resumed and shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dynred.cli._completion import completed, sources
from dynred.cli._experiment import Base, BaseOptions
from dynred.cli._options import OUTPUT, SOURCE, TRAINING, AsJson, Device, Out, option
from dynred.cli._own_data import OwnData
from dynred.cli._process import going_on
from dynred.cli._studies import Dask, Report, WorkerCount, executor_at, show_study, tell_report, values_of
from dynred.cli._transform_options import Transforms
from dynred.cli.base import bar

if TYPE_CHECKING:
    from dynred.studies.study import Study

EXAMPLES = """
dynred study lorenz63 --vary latent_dim=1,2 --vary seed=0:4 --out studies/a
dynred study mine.py --latent-dim 2 --vary parameters.mu=.5,1 --out studies/b
dynred study studies/a                           # status, table, what failed
dynred study studies/a --report                  # the page
"""

Source = Annotated[
    str,
    option(
        SOURCE,
        "Name of a system, a .py file that defines one, a data file; or the folder of a study, to show.",
        **completed(sources),
    ),
]
Vary = Annotated[
    list[str] | None,
    option(
        TRAINING,
        "A setting by its dotted path and its values: latent_dim=4:12, seed=0:4, data.train=64,256, "
        "parameters.mu=0.5,1, arguments.length=22,44; repeatable. Every combination is a run.",
        "--vary",
    ),
]
Folder = Annotated[
    Out | None,
    option(OUTPUT, "The folder of the study. The same command goes on with what it holds; more values may be added."),
]


def study(
    source: Source,
    *,
    vary: Vary = None,
    base: Base = None,
    reading: OwnData = None,
    transforms: Transforms = None,
    workers: WorkerCount = 1,
    dask: Dask = None,
    device: Device = "auto",
    out: Folder = None,
    report: Report = False,
    as_json: AsJson = False,
) -> None:
    """Make a run for every combination of some settings; or show the study in a folder.

    What runs have in common is computed once. A run that fails is a row with its error. The same command again makes
    what is missing or failed.
    """
    from dynred.errors import InputError
    from dynred.studies.study import Study
    from dynred.studies.study_folder import StudyFolder

    if StudyFolder(source).holds_study:
        if vary or out:
            raise InputError(f"SOURCE must be a system or data beside --vary and --out, got the study {source}.")
        shown = Study(source)
    elif vary is None or out is None:
        raise InputError("--vary and --out must say what varies and where runs are kept, got neither or one of them.")
    else:
        shown = _made(source, vary, base or BaseOptions(), reading, transforms, workers, dask, device, out)
    show_study(shown, as_json)
    tell_report(shown, report)


def _made(
    source: str,
    vary: list[str],
    base: BaseOptions,
    reading: OwnData,
    transforms: Transforms,
    workers: int,
    dask: str | None,
    device: str,
    out: Path,
) -> "Study":
    from dynred.studies.grid import grid
    from dynred.studies.run_study import run_study

    axes = values_of(vary)
    design = grid(
        base.experiment(source, reading, transforms, {path: values[0] for path, values in axes.items()}), axes
    )
    going_on(f"What was computed is in {out}: the same command goes on from there.")
    with executor_at(dask) as executor, bar() as progress:
        return run_study(design, out, workers=workers, executor=executor, device=device, progress=progress)
