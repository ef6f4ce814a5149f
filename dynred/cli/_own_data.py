"""The options by which a user says what cannot be guessed of data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from dynred.data.reading import ReadingSpec

DATA = Group("Own data", help="What cannot be guessed of a data file; what was guessed is printed in a line.")


@dataclass(frozen=True)
class DataOptions:
    """What cannot be guessed of a data file.

    Attributes:
        states: Columns, variables or arrays that are the state, e.g. u v.
        time: Column, coordinate or array of times.
        dt: Time between snapshots, where there are no times.
        group: Column or dimension that tells trajectories apart.
        dims: Axes of the states in their order, e.g. time,y,x; time, trajectory, component; others are space.
        reader: csv, mat ..., or a file with a reader of your own, for files whose suffix does not name one.
    """

    states: Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)] = None
    time: str | None = None
    dt: float | None = None
    group: str | None = None
    dims: str | None = None
    reader: str | None = None

    def changes(self) -> dict[str, Any]:
        """What is said, as settings of an experiment by their dotted paths."""
        return {f"reading.{name}": value for name, value in self._said().items()}

    def spec(self) -> "ReadingSpec":
        """What is said, as settings."""
        from dynred.data.reading import ReadingSpec

        return ReadingSpec(**self._said())

    def _said(self) -> dict[str, Any]:
        said = {name: value for name, value in vars(self).items() if value is not None}
        if self.dims is not None:
            said["dims"] = tuple(name.strip() for name in self.dims.split(","))  # dynred.data would import torch
        return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


OwnData = Annotated[DataOptions | None, Parameter(name="*", group=DATA, help="What cannot be guessed of a data file.")]
