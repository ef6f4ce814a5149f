"""What a user says of data that cannot be guessed from names and shapes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from dynred.checks import kind_of, positive, refuse
from dynred.data.cleaning.base import CleaningSpec
from dynred.data.symmetries import parsed
from dynred.spec import ADDED, Spec


def listed_names(what: str, names: str | Sequence[str]) -> tuple[str, ...]:
    """Names in a list, or in a text that separates them by commas; `what` says in messages what they name."""
    if not isinstance(names, str | Sequence):
        raise refuse(what, "a list of names", kind_of(names))
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)


@dataclass(frozen=True)
class ReadingSpec(Spec):
    """How data are read; what is left out is guessed from names and shapes.

    Attributes:
        states: names of the columns, variables or arrays that are the state, in this order.
        time: name of the column, coordinate or array of times.
        dt: time between snapshots, where the data hold no times.
        group: name of the column or dimension that tells trajectories apart.
        dims: names of the axes of the states, e.g. ("time", "y", "x"): time, trajectory, component; all others are
            space.
        reader: name or file of a reader, for files whose suffix does not name one.
        inputs: names of the columns, variables or arrays that are inputs u(t) rather than states.
        symmetries: the symmetries of the motion of which the data are a sample, e.g. ("translation:x",
            "reflection:x:-1"); see `dynred.data.symmetries.parsed`.
        duplicates: whether rows of equal times in a trajectory are refused, or each set of them becomes their average.
        angles: names of the variables that are angles, wrapped or not.
        angle_unit: their unit.
        cleaning: what is mended in the samples before velocities are estimated, in order: gaps, uneven times, noise.
    """

    states: tuple[str, ...] = ()
    time: str | None = None
    dt: float | None = None
    group: str | None = None
    dims: tuple[str, ...] = ()
    reader: str | None = None
    symmetries: tuple[str, ...] = field(default=(), metadata=ADDED)
    duplicates: Literal["refuse", "average"] = field(default="refuse", metadata=ADDED)
    angles: tuple[str, ...] = field(default=(), metadata=ADDED)
    angle_unit: Literal["radians", "degrees"] = field(default="radians", metadata=ADDED)
    cleaning: tuple[CleaningSpec, ...] = field(default=(), metadata=ADDED)
    inputs: tuple[str, ...] = field(default=(), metadata=ADDED)

    def __post_init__(self):
        if self.dt is not None:
            positive("dt", self.dt)
            if self.time is not None:
                raise refuse("the times", "given in one way", "time beside dt")
        if len(set(self.dims)) < len(self.dims) or "" in self.dims:
            raise refuse("dims", "different names of axes, e.g. time,y,x", ",".join(self.dims))
        if len(set(self.states)) < len(self.states):
            raise refuse("states", "different names", ", ".join(self.states))
        if len(set(self.inputs)) < len(self.inputs) or set(self.inputs) & set(self.states):
            raise refuse("inputs", "different names, none of them a state", ", ".join(self.inputs))
        for text in self.symmetries:
            parsed(text)

    @property
    def is_empty(self) -> bool:
        """Whether everything about the content is guessed."""
        known = (self.states, self.time, self.dt, self.group, self.dims, self.inputs)
        return not any(known) and self.duplicates == "refuse"

    @property
    def takes_gaps(self) -> bool:
        """Whether values may be missing: a step of the cleaning takes gaps."""
        return any(step.takes_gaps for step in self.cleaning)
