"""The options by which a user says what cannot be guessed of data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dynred.cli._options import CLEANING, OWN, Whole, flag, option

if TYPE_CHECKING:
    from dynred.data.cleaning.base import CleaningSpec
    from dynred.data.reading import ReadingSpec


STEPS = ("gaps", "longest_gap", "resample", "smooth")  # options of cleaning, which are settings of several steps


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
    angle: Annotated[
        str | None, option(OWN, "Variables that are angles, wrapped or not, e.g. theta,phi; they enter as cos and sin.")
    ] = None
    angle_unit: Annotated[Literal["radians", "degrees"] | None, option(OWN, "Default: radians.")] = None
    duplicates: Annotated[
        Literal["refuse", "average"] | None,
        option(CLEANING, "Rows of equal times in one trajectory; default: refuse."),
    ] = None
    gaps: Annotated[
        Literal["interpolate", "split"] | None,
        option(CLEANING, "Missing values: interpolate fills gaps, split ends trajectories at them."),
    ] = None
    longest_gap: Annotated[
        Whole | None,
        option(CLEANING, "Most samples in a row that are interpolated; longer gaps split. Default: 10."),
    ] = None
    resample: Annotated[
        float | None, option(CLEANING, "Time between samples at even distances, where those of the data are not.")
    ] = None
    smooth: Annotated[
        bool, flag(CLEANING, "Take the noise out of the states that left-out samples show; velocities need no such.")
    ] = False

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
        said = {name: value for name, value in vars(self).items() if value is not None and name not in STEPS}
        if steps := self._steps():
            said["cleaning"] = steps
        if self.symmetry is not None:
            said["symmetries"] = said.pop("symmetry")
        named = {
            "angle": "angles",
            "dims": "dims",
            "inputs": "inputs",
        }  # lists in one word; dynred.data imports torch
        for name in set(named) & set(said):
            said[named[name]] = tuple(each.strip() for each in said.pop(name).split(","))
        return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}

    def _steps(self) -> "tuple[CleaningSpec, ...]":
        """The steps of cleaning, in order."""
        if not any(getattr(self, name) for name in STEPS):  # nothing of dynred.data, which imports torch
            return ()
        from dynred.checks import refuse
        from dynred.data.cleaning.gaps import GapsSpec
        from dynred.data.cleaning.resampling import ResamplingSpec
        from dynred.data.cleaning.smoothing import SmoothingSpec

        limit: dict[str, Any] = {} if self.longest_gap is None else {"longest": self.longest_gap}
        if limit and self.gaps != "interpolate" and self.resample is None:
            raise refuse("longest_gap (--longest-gap)", "left out where nothing is interpolated", self.longest_gap)
        steps: list[CleaningSpec] = [] if self.gaps is None else [GapsSpec(self.gaps, **limit)]
        # Smoothing comes before new samples are made, whose noise would be correlated.
        steps += [SmoothingSpec()] if self.smooth else []
        return (*steps, *([] if self.resample is None else [ResamplingSpec(self.resample, **limit)]))


OwnData = Annotated[DataOptions | None, Parameter(name="*", group=OWN, help="What cannot be guessed of a data file.")]
