"""The source that a name, a system, trajectories or other data stand for."""

from collections.abc import Mapping
from typing import Any

from dynred.arguments import public
from dynred.data.large import large_store
from dynred.data.reading import ReadingSpec
from dynred.data.trajectories import Trajectories
from dynred.experiments.data_source import DataSource
from dynred.experiments.other_test import OtherTest
from dynred.experiments.source import Source
from dynred.experiments.store_source import StoreSource
from dynred.experiments.system_source import SystemSource
from dynred.ode.subject import no_reading, subject_of
from dynred.ode.system import System


@public
def source_of(
    given: Any,
    test: Any = None,
    *,
    t: Any = None,
    dt: float | None = None,
    dim: int | None = None,
    reading: ReadingSpec | None = None,
) -> Source:
    """The source that something stands for (see `dynred.ode.subject.subject_of`); a source is its own.

    Args:
        given: a system, a function, a name, a file, or data of any kind.
        test: data that are the test, or a file of them; None leaves the test to the source.
        t: times of arrays.
        dt: time between snapshots of data that hold no times, the test too.
        dim: dimension of the state of a function.
        reading: what cannot be guessed of data, the test too.

    Raises:
        InputError: nothing has that name, or what is given is unusable or of another class.
    """
    source: Source
    if isinstance(given, Source):
        source = given
    elif (store := large_store(given, reading)) is not None:
        source = StoreSource(store)
    else:
        subject = subject_of(given, t=t, dt=dt, dim=dim, reading=reading)
        source = _source(subject, reading)
        if isinstance(subject, System) and test is None:
            no_reading(ReadingSpec(dt=dt) if reading is None else reading, subject)
    return source if test is None else source.tested_on(OtherTest.of(test, reading, dt))


def open_source(name: str, arguments: Mapping[str, Any], reading: ReadingSpec | None = None) -> Source:
    """The system, checked, or the data that a name stands for.

    Args:
        name: the name of a system or its file, or a data file.
        arguments: structural choices of the system.
        reading: what cannot be guessed of data.

    Raises:
        InputError: the name is unknown, or the source unusable.
    """
    if (store := large_store(name, reading)) is not None:
        return StoreSource(store)
    subject = subject_of(name, arguments, reading=reading)
    return _source(subject, reading)


def _source(subject: System | Trajectories, reading: ReadingSpec | None) -> Source:
    if isinstance(subject, System):
        return SystemSource(subject)
    return DataSource(subject, cleaning=() if reading is None else reading.cleaning)
