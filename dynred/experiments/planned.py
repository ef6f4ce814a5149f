"""The plan of a run: made where it is asked for, or where nobody chose; found again on resuming."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from dynred.data.readers.base import is_data
from dynred.experiments.costs import training_paths
from dynred.experiments.folder import RunFolder
from dynred.experiments.plan import MINUTES, is_bare
from dynred.experiments.plan_source import plan_of
from dynred.experiments.run import stored_spec
from dynred.experiments.spec import ExperimentSpec
from dynred.plugins import is_foreign

TIMES = ("train", "validation", "test", "transient", "duration", "sampling", "horizon")


def minutes_of(spec: ExperimentSpec, minutes: float | None, chosen: Collection[str]) -> float | None:
    """For how many minutes an experiment is planned; None leaves its settings as they are.

    Where nobody says it, a system of the user's own that names no times is planned, unless trajectories or training
    were chosen. Systems of the catalogue, and those whose author chose their times, keep the default settings: the same
    command gives the same numbers on every machine.

    Args:
        spec: the settings.
        minutes: the time that was asked for.
        chosen: dotted paths of the settings that the user chose.
    """
    if minutes is not None or is_data(spec.source, spec.reading) or not is_foreign(spec.source):
        return minutes
    if any(path.startswith("data.") or "training" in path for path in chosen):
        return None
    system = spec.open_source().system
    return MINUTES if system is not None and is_bare(system) else None


def planned(
    spec: ExperimentSpec, minutes: float, chosen: Collection[str], resumed: Path | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The settings that a plan chooses, by their dotted paths, and what is to be said of them.

    Args:
        spec: the settings without a plan.
        minutes: the time.
        chosen: dotted paths of the settings that the user chose, which stay.
        resumed: a run folder that is gone on with: where it holds a run, the settings are those of its plan.

    Raises:
        InputError: the source or a setting is unusable.
        DivergenceError: a trajectory diverged.
    """
    if resumed is not None and RunFolder(resumed).holds_run:
        return _planned_before(spec, stored_spec(resumed), chosen), []
    plan = plan_of(spec, spec.open(), minutes, fixed=chosen)
    return dict(plan.settings), plan.words()


def _planned_before(spec: ExperimentSpec, stored: ExperimentSpec, chosen: Collection[str]) -> dict[str, Any]:
    paths = [f"data.{name}" for name in TIMES]
    both = set(training_paths(spec)) & set(training_paths(stored))
    paths += [f"{path}.{name}" for path in sorted(both) for name in ("steps", "patience")]
    return {path: stored.setting(path) for path in paths if path not in chosen}
