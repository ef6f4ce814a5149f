"""What is reduced or inspected, from whatever the user has of it: a system, a function, a name, or data."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dynred.checks import integer, kind_of, refuse
from dynred.data.angles import with_angles
from dynred.data.grid import remembered_grid
from dynred.data.readers.base import is_data, suffixes
from dynred.data.reading import ReadingSpec
from dynred.data.storage import load_trajectories
from dynred.data.symmetries import parsed
from dynred.data.symmetry_group import Group
from dynred.data.take import KINDS, may_hold_trajectories
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.plugins import code_of


def subject_of(
    x: object,
    arguments: Mapping[str, Any] | None = None,
    *,
    t: object = None,
    dt: float | None = None,
    dim: int | None = None,
    reading: ReadingSpec | None = None,
) -> System | Trajectories:
    """The system or the trajectories that an object stands for.

    Args:
        x: a System; a function f(t, x), with `dim`; the name or file of a system; a data file; or what
            `Trajectories.of` takes.
        arguments: structural choices of a system that is named.
        t: times of arrays.
        dt: time between snapshots of data that hold no times.
        dim: dimension of the state of a function.
        reading: what cannot be guessed of data.

    Raises:
        InputError: x is of another kind, is unusable, or too little is said of it.
        FileFormatError, MissingExtraError: see `load_trajectories`.
    """
    reading = reading or ReadingSpec()
    reading = reading if dt is None else replace(reading, dt=dt)
    if isinstance(x, str | os.PathLike) and not is_data(os.fspath(x), reading):
        return _system_named(os.fspath(x), arguments or {})
    if arguments:
        raise InputError(f"arguments (--with) must be none for data, got {', '.join(arguments)} for {x}.")
    if isinstance(x, System):
        return x
    if isinstance(x, Trajectories):
        return declared(x, reading)
    if isinstance(x, str | os.PathLike):
        data = declared(load_trajectories(x, reading), reading)  # type: ignore[arg-type] # a path of text
        return replace(data, attributes={**data.attributes, "system": data.attributes.get("system", Path(x).stem)})
    if callable(x):
        advice = "A function f(t, x) needs it, e.g. dim=3."
        name = getattr(x, "__name__", "")
        return System(name if name.isidentifier() else "system", integer("dim", dim, 1, advice=advice), x)
    if not may_hold_trajectories(x):
        kinds = "a system, its name or file, a function f(t, x), a data file, or trajectories or points as"
        raise refuse("source", f"{kinds} {KINDS}", kind_of(x))
    given = {"t": t, "dt": reading.dt, "states": reading.states, "time": reading.time}
    return declared(Trajectories.of(x, **given, group=reading.group, dims=reading.dims), reading)  # type: ignore[arg-type] # each is checked there


def declared(data: Trajectories, reading: ReadingSpec) -> Trajectories:
    """The data with what is said of their variables: symmetries and angles.

    Raises:
        InputError: it does not fit them.
    """
    return with_symmetries(with_angles(data, reading.angles, reading.angle_unit), reading)


def with_symmetries(data: Trajectories, reading: ReadingSpec) -> Trajectories:
    """The data with the symmetries that are said of them, in place of those that their file knows.

    Raises:
        InputError: a symmetry does not fit the grid.
    """
    if not reading.symmetries:
        return data
    symmetries = [parsed(text) for text in reading.symmetries]
    Group.of(symmetries, remembered_grid(data.attributes, data.dim), data.dim)
    known = {name: value for name, value in data.attributes.items() if name != "symmetry_violations"}
    return replace(data, attributes={**known, "symmetries": [symmetry.to_dict() for symmetry in symmetries]})


def no_reading(reading: ReadingSpec | None, system: System) -> None:
    """Refuses what is said of data where a system is given, and no data are the test."""
    if reading is not None and reading != ReadingSpec():
        what = "reading (--states, --time, --dt, --group, --dims, --reader, --symmetry, --angle, --gaps, --smooth ...)"
        raise refuse(what, "left out where there are no data", f"some for the system {system.name}")


def _system_named(name: str, arguments: Mapping[str, Any]) -> System:
    is_module = "." in name and not name.partition(":")[0].endswith(".py")
    if is_module and ":" not in name and code_of(name).digest is None:
        kinds = f"the name of a system, a .py file, or data in a file ending in one of {', '.join(suffixes())}"
        raise refuse("source", kinds, repr(name), "A reader of your own reads others (--reader path/to/mine.py).")
    system = find_system(name, **arguments)
    _ = system.right_hand_side  # an unusable one is refused here, before anything is written
    return system
