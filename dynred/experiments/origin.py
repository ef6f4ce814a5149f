"""Where a run comes from: what experiment.json says of the run, and what its user should know."""

import importlib.metadata
import platform
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dynred.checks import refuse
from dynred.data.readers.base import is_data
from dynred.errors import ChangedError, DynredWarning, InputError
from dynred.experiments.earlier import todays
from dynred.experiments.fingerprint import differences
from dynred.experiments.folder import RunFolder
from dynred.experiments.source import Source
from dynred.experiments.spec import ExperimentSpec
from dynred.files import checksum
from dynred.ode.autonomy import time_words
from dynred.plugins import code_in, code_of, foreign_place
from dynred.runtime import threads

PACKAGES = ("dynred", "torch", "torchdiffeq", "numpy", "scipy")


def origin(spec: ExperimentSpec, source: Source, asked: Sequence[str], folder: RunFolder) -> dict[str, Any]:
    """What experiment.json says of a run: its settings, and the source, code and versions that made it.

    Args:
        spec: the settings.
        source: the source that they name.
        asked: names of code outside dynred that was loaded for the source.
        folder: the run folder.
    """
    settings = spec.to_dict()
    solver = foreign_place("dynred.solvers", spec.data.solver)
    names = asked if solver is None else [*asked, solver]
    codes = {code.name: code for code in (*map(code_of, names), *code_in(settings))}
    path = str(Path(spec.source).resolve()) if is_data(spec.source, spec.reading) else None
    return {
        "digest": spec.digest(),
        "seed": spec.seed,
        "threads": threads(),
        "versions": versions(),
        "folder": str(folder.path.resolve()),
        "source": {"path": path, **source.fingerprint()},
        "code": [code.to_dict() for code in codes.values()],
        "spec": settings,
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide results."""
    return {name: importlib.metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()}


def identity_of(stored: Mapping[str, Any]) -> str:
    """The digest by which a checkpoint or a model says to which run it belongs."""
    digests = sorted(str(code["digest"]) for code in stored.get("code", []))
    return checksum({"spec": stored["spec"], "source": stored.get("source"), "code": digests})


def basis_of(begun: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the results of all stages of a run beside the settings of each: source, code, versions, threads."""
    spec, source = begun["spec"], begun["source"]
    named = {name: spec.get(name) for name in ("source", "arguments", "parameters", "test", "reading")}
    if source["path"] is not None:  # wherever the data lie
        named |= {"source": None}
    facts = {name: value for name, value in source.items() if name != "path"}
    digests = sorted(str(code["digest"]) for code in begun["code"])
    return {**named, "facts": facts, "code": digests, "versions": begun["versions"], "threads": begun["threads"]}


def check_same(begun: Mapping[str, Any], stored: Mapping[str, Any], folder: RunFolder) -> None:
    """Refuses to resume a run of other settings or of a source that was changed.

    Args:
        begun: what experiment.json would say now.
        stored: what it says.
        folder: the run folder.

    Raises:
        InputError: the settings differ; the message names the differences.
        ChangedError: the source does.

    Warns:
        DynredWarning: the number of threads differs.
    """
    spec, before = begun["spec"], todays(stored["spec"])
    differing = [key for key, value in spec.items() if before.get(key) != value]
    if differing:
        advice = f"They differ in: {', '.join(differing)}. Use another folder, or --overwrite."
        raise InputError(f"--resume must be given the settings of the run in {folder.path}, got others. {advice}")
    if "source" not in stored and not folder.finished:
        raise refuse(
            "--resume", "given a run of this version of dynred", "one of an earlier version", "Use --overwrite."
        )
    digests = {code["name"]: code["digest"] for code in stored.get("code", [])}
    changed = [code["name"] for code in begun["code"] if digests.get(code["name"], code["digest"]) != code["digest"]]
    changed += [f"its {name}" for name in differences(stored.get("source") or {}, begun["source"]) if name != "path"]
    if changed:
        advice = f"Changed: {', '.join(changed)}. Restore it, use another folder, or --overwrite."
        raise ChangedError(
            f"--resume must be given the source of the run in {folder.path}, got a changed one. {advice}"
        )
    if stored.get("threads", begun["threads"]) != begun["threads"]:
        threads = f"{begun['threads']} threads instead of {stored['threads']}"
        warnings.warn(f"Resumed with {threads}: the result may differ in its last digits.", DynredWarning, stacklevel=3)


def data_notes(about: Mapping[str, Any]) -> list[str]:
    """Sentences on how the data came about: which solver was chosen and why, or how velocities were estimated.

    Args:
        about: what a model remembers of its source, see `Source.about`.
    """
    lines = [str(step["says"]) for step in about.get("cleaning", ())]
    if "solver" in about:
        lines.append(f"Solver: {about['solver']['kind'].rpartition(':')[2]} ({about['solver_reason']}).")
    if words := time_words(about):
        lines.append(f"{words[0].upper()}{words[1:]}.")
    if "velocities" in about:
        error = about["velocity_error"]
        size = "of unknown error (trajectories too short)" if error is None else f"error about {100 * error:.2g} %"
        lines.append(f"Velocities estimated by {about['velocities']}, {size} of their root mean square.")
    return lines
