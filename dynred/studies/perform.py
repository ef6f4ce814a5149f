"""What a worker does: one run of a study, into its folder, and a word on what became of it."""

import os
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynred.errors import BusyError, ChangedError, DynredError
from dynred.experiments.run import run
from dynred.experiments.spec import ExperimentSpec
from dynred.plugins import code_in, code_of, load_code
from dynred.runtime import Progress, Runtime, silent
from dynred.studies.study_folder import Failure, StudyFolder
from dynred.user_code import place_and_reason

# Threads of one process make runs one after the other: torch counts the levels of its forward derivatives, by which
# velocities are pushed through the encoder, for the whole process. Processes make them side by side.
_ALONE = threading.Lock()


class PrunedError(DynredError):
    """Raised by a `Progress` to end a run that a search gives up."""


@dataclass(frozen=True)
class Task:
    """A run to make, as it is sent to a worker: plain data, which need no class of the user's own to be received.

    Attributes:
        folder: that of the study.
        digest: names the run.
        settings: those of the experiment, as plain JSON.
        code: names of the files and modules that define classes in the settings.
        place: the folder to which relative paths in the settings refer.
        device: that of `Runtime`.
        attempt: the attempt at which the run failed before this study began; empty where it did not.
        watch: makes what receives reports of the run, and may end it by a `PrunedError`.
    """

    folder: Path
    digest: str
    settings: Mapping[str, Any]
    code: tuple[str, ...]
    place: Path
    device: str = "auto"
    attempt: str = ""
    watch: Callable[[], Progress] | None = None

    @classmethod
    def of(cls, spec: ExperimentSpec, folder: StudyFolder, device: str, watch: Any = None) -> "Task":
        """The task of an experiment."""
        settings, before = spec.to_dict(), folder.failure(spec.digest())
        code = tuple(code.name for code in code_in(settings))
        attempt = "" if before is None else before.attempt
        return cls(folder.path.resolve(), spec.digest(), settings, code, Path.cwd(), device, attempt, watch)


def ready() -> None:
    """Does nothing: a worker that has done it has loaded what runs need."""


def perform(task: Task) -> str:
    """Makes the run of a task, or goes on with it.

    Returns:
        What became of it: `done`, `failed`, `pruned`, or `busy` where another process works on it, or on a stage of it,
        just now.
    """
    folder = StudyFolder(task.folder)
    if task.place != Path.cwd():  # a worker that was started elsewhere
        os.chdir(task.place)
    before = folder.failure(task.digest)
    if before is not None and before.attempt != task.attempt:
        return before.kind  # another process tried it while this study was running
    with _ALONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what misleads stands in the report of the run
        try:
            _run(task, folder)
        except BusyError:
            return "busy"
        except PrunedError as error:
            folder.fail(task.digest, Failure(str(error), "pruned"))
            folder.run(task.digest).clear()
            return "pruned"
        except Exception as error:
            folder.fail(task.digest, Failure(str(error) if isinstance(error, DynredError) else place_and_reason(error)))
            return "failed"
    folder.forgive(task.digest)
    return "done"


def _run(task: Task, folder: StudyFolder) -> None:
    for name in task.code:
        load_code(code_of(name))
    spec = ExperimentSpec.from_dict(task.settings)
    out = folder.run(task.digest).path
    runtime = Runtime(device=task.device, progress=silent if task.watch is None else task.watch())
    try:
        run(spec, out, resume=True, runtime=runtime, shared=folder.stages, wait=False)
    except ChangedError:
        run(spec, out, overwrite=True, runtime=runtime, shared=folder.stages, wait=False)
