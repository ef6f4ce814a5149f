"""The options by which a user says what cannot be guessed of data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dynred.cli._options import OWN, option

if TYPE_CHECKING:
    from dynred.data.reading import ReadingSpec


@dataclass(frozen=True)
class DataOptions:
    """What cannot be guessed of a data file."""

    states: Annotated[
        list[str] | None,
        option(OWN, "Columns, variables or arrays that are the state, e.g. u v.", consume_multiple=True),
    ] = None
    time: Annotated[str | None, option(OWN, "Column, coordinate or array of times.")] = None
    dt: Annotated[float | None, option(OWN, "Time between snapshots, where there are no times.")] = None
    group: Annotated[str | None, option(OWN, "Column or dimension that tells trajectories apart.")] = None
    dims: Annotated[
        str | None,
        option(
            OWN,
            "Axes of the states in their order, e.g. time,y,x; time, trajectory, component; others are space.",
        ),
    ] = None
    reader: Annotated[
        str | None,
        option(OWN, "csv, mat ..., or a file with a reader of your own, for files whose suffix does not name one."),
    ] = None
    symmetry: Annotated[
        list[str] | None,
        option(
            OWN,
            "Symmetries of the motion: translation:x, reflection:x:-1 (and change of sign), shift:x (by whole points), "
            "phase:u:v, sign; for --reducer equivariant.",
            consume_multiple=True,
        ),
    ] = None

    inputs: Annotated[
        str | None, option(OWN, "Columns or arrays that are inputs u(t) rather than states, e.g. force,heat.")
    ] = None

    def changes(self) -> dict[str, Any]:
        """What is said, as settings of an experiment by their dotted paths."""
        return {f"reading.{name}": value for name, value in self._said().items()}

    def spec(self) -> "ReadingSpec":
        """What is said, as settings."""
        from dynred.data.reading import ReadingSpec

        return ReadingSpec(**self._said())

    def _said(self) -> dict[str, Any]:
        said = {name: value for name, value in vars(self).items() if value is not None}
        if self.symmetry is not None:
            said["symmetries"] = said.pop("symmetry")
        for name in {"dims", "inputs"} & set(said):  # dynred.data would import torch
            said[name] = tuple(each.strip() for each in said[name].split(","))
        return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


OwnData = Annotated[DataOptions | None, Parameter(name="*", group=OWN, help="What cannot be guessed of a data file.")]
