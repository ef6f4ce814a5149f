"""The source that a name, a system or trajectories stand for."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dynred.arguments import public
from dynred.data.screening import is_data
from dynred.data.storage import load_trajectories
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.experiments.data_source import DataSource
from dynred.experiments.other_test import OtherTest
from dynred.experiments.source import Source
from dynred.experiments.system_source import SystemSource
from dynred.ode.find import find_system
from dynred.ode.system import System


@public
def source_of(given: Source | System | Trajectories | str, test: Trajectories | str | None = None) -> Source:
    """The source that a system, trajectories or a name (see `open_source`) stand for; a source is its own.

    Args:
        given: the source.
        test: trajectories that are the test, or a file of them; None leaves the test to the source.

    Raises:
        InputError: nothing has that name, or what is given is unusable or of another class.
    """
    if isinstance(given, System):
        source: Source = SystemSource(given)
    elif isinstance(given, Trajectories):
        source = DataSource(given)
    else:
        source = given if isinstance(given, Source) else open_source(given, {})
    return source if test is None else source.tested_on(OtherTest.of(test))


def open_source(name: str, arguments: Mapping[str, Any]) -> Source:
    """The system, checked, or the data that a name stands for.

    Args:
        name: the name of a system or its file, or a data file (.npz, .zarr, .nc).
        arguments: structural choices of the system.

    Raises:
        InputError: the name is unknown, or the source unusable.
    """
    if is_data(name):
        if arguments:
            raise InputError(f"arguments (--with) must be none for data, got {', '.join(arguments)} for {name}.")
        trajectories = load_trajectories(name)
        title = str(trajectories.attributes.get("system", Path(name).stem))
        return DataSource(replace(trajectories, attributes={**trajectories.attributes, "system": title}))
    system = find_system(name, **arguments)
    _ = system.right_hand_side  # an unusable one is refused here, before anything is written
    return SystemSource(system)
