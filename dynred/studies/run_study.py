"""Studies run: every experiment in a folder of its own, several at a time, what they share once."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from dynred.arguments import public
from dynred.checks import count
from dynred.errors import InputError
from dynred.experiments.fingerprint import differences
from dynred.experiments.source import Source
from dynred.experiments.spec import ExperimentSpec, check_latent_dim
from dynred.plugins import code_in
from dynred.processes import cores
from dynred.runtime import Progress, silent
from dynred.studies.design import Design
from dynred.studies.perform import Task
from dynred.studies.schedule import Schedule
from dynred.studies.study import Study
from dynred.studies.study_folder import Manifest, StudyFolder
from dynred.studies.workers import Here, Workers
from dynred.views import progress_bar

MOST = 1024  # workers


@public
def run_study(
    specs: Iterable[ExperimentSpec],
    folder: str | Path,
    *,
    workers: int = 1,
    executor: Executor | None = None,
    device: str = "auto",
    progress: bool | Progress = False,
) -> Study:
    """Makes the runs of a study that its folder does not hold yet; those that failed or whose source changed, again.

    Runs are ordinary run folders, `folder/runs/DIGEST`. What they have in common is computed once: simulations and
    fitted reducers, found again by the digest of the settings, source, code, versions and number of threads that they
    depend on. A run that fails is a row with its error. Interrupted, even killed, the same call goes on; several
    processes may make it at a time.

    Args:
        specs: the experiments, from `grid`, `sample`, or any.
        folder: a new folder, or that of this study; further values of the same axes may be added to it.
        workers: processes of this machine that make runs, each in its share of the cores; with 1, this process does.
        executor: makes the runs instead, e.g. `dask.distributed.Client(...).get_executor()`. Its workers must see the
            folder under the same path.
        device: `auto`, `cpu` or `cuda`.
        progress: whether to show a bar, on standard error or in a notebook: runs finished, running, failed, seconds
            left; or what receives these reports.

    Raises:
        InputError: an experiment's source or settings are unusable (the message names the row), or the folder holds
            something else. Nothing has been run then.
    """
    count("workers", workers, 1, MOST)
    design = Design.of(specs)
    sources = opened(design.specs)
    study = StudyFolder(folder)
    study.begin(Manifest.of(design))
    waiting = [spec for spec, source in zip(design.specs, sources, strict=True) if not _has(study, spec, source)]
    width = workers if executor is None else max(1, len(waiting))
    with shown(progress) as told, chosen(executor, min(workers, max(1, len(waiting)))) as pool:
        schedule = Schedule(study, pool, width, len(design), told)
        schedule.outcomes["before"] = len(design) - len(waiting)
        schedule.make(Task.of(spec, study, device) for spec in spread(waiting))
    return Study(folder)


@contextmanager
def chosen(executor: Executor | None, workers: int) -> Iterator[Executor]:
    """The executor of the caller, which stays; else processes of this machine for the block, or this process."""
    if executor is not None:
        yield executor
    elif workers == 1:
        yield Here()
    else:
        with Workers(workers, max(1, min(torch.get_num_threads(), cores()) // workers)) as pool:
            yield pool


@contextmanager
def shown(progress: bool | Progress) -> Iterator[Progress]:
    """What receives reports: a bar where `progress` is true, nothing where it is false, else `progress` itself."""
    if callable(progress):
        yield progress
        return
    with progress_bar() if progress else nullcontext(silent) as told:
        yield told


def opened(specs: Sequence[ExperimentSpec]) -> list[Source]:
    """The source of each experiment, opened once for all that have the same.

    Raises:
        InputError: a source is unusable, or has too few dimensions; the message names the row.
    """
    sources: dict[str, Source] = {}
    opened = []
    for i, spec in enumerate(specs):
        key = repr((spec.source, spec.arguments, spec.parameters, spec.test, spec.reading.to_json()))
        try:
            if key not in sources:
                sources[key] = spec.open_source()
            if not spec.transforms:  # they may change the dimension
                check_latent_dim(spec.latent_dim, sources[key].dim, spec.dynamics)
            if sources[key].simulated:
                sources[key].sizes(spec.data)
        except InputError as error:
            raise InputError(f"row {i + 1} of the study: {error}") from error
        opened.append(sources[key])
    return opened


def spread(specs: Sequence[ExperimentSpec]) -> list[ExperimentSpec]:
    """The experiments in such an order that neighbours share no reducer: workers would wait for each other."""
    groups: dict[str, int] = {}
    places = []
    for i, spec in enumerate(specs):
        settings = {name: value for name, value in spec.to_dict().items() if name not in ("dynamics", "joint")}
        key = repr(settings)
        groups[key] = groups.get(key, 0) + 1
        places.append((groups[key], i))
    return [specs[i] for _, i in sorted(places)]


def _has(study: StudyFolder, spec: ExperimentSpec, source: Source) -> bool:
    """Whether the folder holds the finished run of an experiment, of the same source and code as today's."""
    run = study.run(spec.digest())
    if not run.finished:
        return False
    stored = run.manifest()
    if differences({k: v for k, v in (stored.get("source") or {}).items() if k != "path"}, source.fingerprint()):
        return False
    today = {code.name: code.digest for code in code_in(spec.to_dict())}
    return all(today.get(code["name"], code["digest"]) == code["digest"] for code in stored.get("code", []))
