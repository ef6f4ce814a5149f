"""Trajectories: snapshots of many runs, of any lengths and sampling times, in one flat array."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from dynred.arguments import public
from dynred.checks import generator_given, instance_of, integer, real, refuse
from dynred.data.courses import joined_inputs, signals_of, with_courses
from dynred.data.mapped import pushed_forward, runs, sizes_of
from dynred.data.parameters import cut
from dynred.data.reading import ReadingSpec, listed_names
from dynred.data.signals import Signal
from dynred.data.trajectory_checks import (
    check_finite,
    check_inputs,
    check_parameters,
    check_shapes,
    check_times,
    plain_arrays,
)
from dynred.numerics.batches import as_index, ranges
from dynred.numerics.digest import content_digest
from dynred.numerics.time_grids import shared
from dynred.views import Plotted, Tabled, by_name


@dataclass(frozen=True, eq=False)
class Trajectories(Plotted, Tabled):
    """N trajectories, M snapshots in all, of states of dimension D; immutable.

    Snapshots lie one trajectory after the other ("contiguous ragged"): trajectory i owns `lengths[i]` rows.

    Attributes:
        states: [M, D].
        t: times [M], increasing within each trajectory, in the system's time units.
        lengths: snapshots per trajectory [N], each >= 1.
        velocities: [M, D], dx/dt at every snapshot; None where unknown.
        parameters: by name, one value per trajectory [N].
        inputs: values [M, U] of the inputs u(t) that drive the motion, at every snapshot; None where there are none.
        input_names: names of the U inputs; `attributes["inputs"]` says what each is between snapshots, held or linear.
        attributes: where the data come from, plain JSON values by name (e.g. `system`, `seed`, `solver`).

    Raises:
        InputError: shapes that do not fit together, values that are not finite, times that do not increase.
    """

    tables = "dynred.data.tables"
    states: Float[Tensor, "M D"]
    t: Float[Tensor, " M"]
    lengths: Int[Tensor, " N"]
    velocities: Float[Tensor, "M D"] | None = None
    parameters: Mapping[str, Float[Tensor, " N"]] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    inputs: Float[Tensor, "M U"] | None = None
    input_names: tuple[str, ...] = ()

    def __post_init__(self):
        for name, value in plain_arrays(vars(self)).items():
            object.__setattr__(self, name, value)
        check_shapes(self.states, self.t, self.lengths, self.velocities)
        check_parameters(self.parameters, self.lengths)
        check_inputs(self.inputs, self.input_names, len(self.states), self.parameters)
        if self.inputs is not None:
            object.__setattr__(self, "attributes", with_courses(self.row_inputs, self.attributes))
        check_times(self.t, self.lengths)

    # -- making ------------------------------------------------------------------------------------------------------

    @classmethod
    def of(
        cls,
        x: Any,
        *,
        t: Any = None,
        dt: float | None = None,
        states: str | Sequence[str] = (),
        time: str | None = None,
        group: str | None = None,
        dims: str | Sequence[str] = (),
    ) -> "Trajectories":
        """Trajectories from whatever holds them; `attributes["reading"]` says in a sentence what was guessed.

        Args:
            x: an array [T], [T, D] or [N, T, D], NumPy's or torch's; a list of such arrays of different lengths; arrays
                by name; a pandas DataFrame; an xarray DataArray or Dataset; a path, see `load_trajectories`.
            t: times of arrays: [T], [N, T], or a list of them beside a list.
            dt: time between snapshots, where there are no times.
            states: names of the columns or variables that are the state.
            time: name of the column or coordinate of times.
            group: name of the column or dimension that tells trajectories apart.
            dims: names of the axes of the states, e.g. ("time", "y", "x").

        Raises:
            InputError: x is of another kind, its parts do not fit, or too little is known of them.
            FileFormatError, MissingExtraError: see `load_trajectories`.
        """
        if isinstance(x, Trajectories):
            return x
        reading = ReadingSpec(listed_names("states", states), time, dt, group, listed_names("dims", dims))
        return cls(**by_name("dynred.data.take", "take", x, t, reading).arguments())

    @classmethod
    def from_stacked(
        cls,
        states: Float[Tensor, "N T D"],
        t: Float[Tensor, " T"],
        velocities: Float[Tensor, "N T D"] | None = None,
        **others: Any,
    ) -> "Trajectories":
        """Trajectories on a shared time grid; `others` are further arguments of the class."""
        states, t = real("states", states), real("t", t)
        velocities = None if velocities is None else real("velocities", velocities)
        if states.ndim != 3:
            raise refuse("states", "of shape [N, T, D]", f"{list(states.shape)}")
        n, steps, d = states.shape
        if t.shape != (steps,):
            raise refuse("t", f"the {steps} shared times [T]", f"shape {list(t.shape)}")
        if velocities is not None and velocities.shape != states.shape:
            raise refuse("velocities", f"of shape {list(states.shape)}", f"{list(velocities.shape)}")
        flat = None if velocities is None else velocities.reshape(-1, d)
        return cls(states.reshape(-1, d), t.repeat(n), torch.full((n,), steps), flat, **others)

    @classmethod
    def concatenate(cls, parts: Sequence["Trajectories"]) -> "Trajectories":
        """All trajectories of `parts`, in order; velocities, parameters and inputs where every part has them.

        Attributes are those of the first part.
        """
        if not parts:
            raise refuse("parts", "at least one Trajectories", "none")
        for part in parts:
            if instance_of("parts", part, Trajectories).dim != parts[0].dim:
                raise refuse("parts", f"of one dimension, {parts[0].dim}", part.dim)
        have_velocities = all(p.velocities is not None for p in parts)
        common = [k for k in parts[0].parameters if all(k in p.parameters for p in parts)]
        return cls(
            torch.cat([p.states for p in parts]),
            torch.cat([p.t for p in parts]),
            torch.cat([p.lengths for p in parts]),
            torch.cat([p.velocities for p in parts]) if have_velocities else None,  # type: ignore[misc]
            {k: torch.cat([p.parameters[k] for p in parts]) for k in common},
            parts[0].attributes,
            *joined_inputs([(p.inputs, p.input_names) for p in parts]),
        )

    # -- looking -----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Number of trajectories N."""
        return len(self.lengths)

    def digest(self) -> str:
        """SHA-256 of all that files hold but the attributes, as hexadecimal digits."""
        return content_digest(self.arrays())

    def arrays(self) -> dict[str, Shaped[Tensor, "..."]]:
        """The arrays by the names that files give them; see `dynred.data.storage`."""
        known = {name: getattr(self, name) for name in ("states", "t", "lengths", "velocities")}
        arrays = {name: value for name, value in known.items() if value is not None}
        arrays |= {f"parameter_{name}": value for name, value in self.parameters.items()}
        return arrays | {f"input_{name}": value for name, value in self.row_inputs.items()}

    def __repr__(self) -> str:
        moving = "with" if self.velocities is not None else "without"
        shape = f"{len(self)} of {len(self.states)} snapshots in {self.dim} dimensions"
        return f"Trajectories({shape}, {moving} velocities)"

    @property
    def dim(self) -> int:
        """Dimension D of the states."""
        return self.states.shape[1]

    @property
    def starts(self) -> Int[Tensor, " N"]:
        """Row of the first snapshot of every trajectory."""
        return torch.cumsum(self.lengths, 0) - self.lengths

    @property
    def initial(self) -> Float[Tensor, "N D"]:
        """First state of every trajectory."""
        return self.states[self.starts]

    @property
    def owner(self) -> Int[Tensor, " M"]:
        """Index of the trajectory to which each snapshot belongs."""
        return torch.repeat_interleave(torch.arange(len(self)), self.lengths)

    @property
    def row_parameters(self) -> dict[str, Float[Tensor, " M"]]:
        """Parameters of the trajectory to which each snapshot belongs, by name."""
        return cut(self.parameters, self.owner)

    @property
    def row_inputs(self) -> dict[str, Float[Tensor, " M"]]:
        """The inputs at every snapshot, by name."""
        return {} if self.inputs is None else dict(zip(self.input_names, self.inputs.unbind(1), strict=True))

    @property
    def given(self) -> dict[str, Float[Tensor, " N"] | Signal]:
        """What a prediction of each trajectory needs beside its first state, by name: a number for each parameter, and
        for each input a signal of the time since the first snapshot."""
        signals = signals_of(self.row_inputs, self.grids, self.attributes) if self.input_names else {}
        return {**self.parameters, **signals}

    def times(self, i: int) -> Float[Tensor, " T"]:
        """Times of trajectory i."""
        start = int(self.starts[i])
        return self.t[start : start + int(self.lengths[i])]

    @property
    def grids(self) -> tuple[Float[Tensor, " _"], ...]:
        """Times of every trajectory."""
        return self.t.split(self.lengths.tolist())

    def __getitem__(
        self, index: int | slice | Sequence[int] | Int[Tensor, "..."] | Bool[Tensor, " N"]
    ) -> "Trajectories":
        """The trajectories that an integer (then N = 1), a slice, a list of indices or a mask chooses."""
        if not isinstance(index, slice):
            index = as_index(index)
            if index.ndim == 0 and not -len(self) <= int(index) < len(self):
                raise IndexError(f"trajectory {int(index)} of {len(self)}")  # ends iteration, too
        chosen = torch.arange(len(self))[index].reshape(-1)
        starts, lengths = self.starts[chosen], self.lengths[chosen]
        return self._rows(ranges(starts, lengths), chosen, lengths)

    def __iter__(self) -> Iterator["Trajectories"]:
        return (self[i] for i in range(len(self)))

    def _rows(self, rows: Tensor, owners: Tensor, lengths: Tensor) -> "Trajectories":
        return replace(
            self,
            states=self.states[rows],
            t=self.t[rows],
            lengths=lengths,
            velocities=None if self.velocities is None else self.velocities[rows],
            parameters={k: v[owners] for k, v in self.parameters.items()},
            inputs=None if self.inputs is None else self.inputs[rows],
        )

    def stacked(self) -> Float[Tensor, "N T D"]:
        """States [N, T, D] where all trajectories share one time grid.

        Raises:
            InputError: they share none.
        """
        if len(self.shared_grids()) != 1:
            raise refuse(
                "trajectories", "on one shared time grid to be stacked", "different times", "Index them singly."
            )
        return self.states.reshape(len(self), -1, self.dim)

    def shared_grids(self) -> list[tuple[Float[Tensor, " _T"], Int[Tensor, " _n"]]]:
        """The distinct time grids, counted from each trajectory's first time, with the trajectories on each.

        Grids that differ by the round-off of the stored times are one.
        """
        return [(t, torch.tensor(members)) for t, members in shared(self.grids)]

    # -- cutting -----------------------------------------------------------------------------------------------------

    @public
    def split(self, *fractions: float, rng: torch.Generator) -> tuple["Trajectories", ...]:
        """Random disjoint parts, by trajectory, never by snapshot.

        Args:
            fractions: sizes as parts of 1, summing to at most 1; every part gets at least one trajectory.
            rng: decides which trajectory goes where.

        Raises:
            InputError: fractions out of range, or fewer trajectories than parts.
        """
        generator_given(rng)
        sizes = sizes_of(fractions, len(self))
        order = torch.randperm(len(self), generator=rng)
        return tuple(self[torch.sort(part).values] for part in torch.split(order[: sum(sizes)], sizes))

    @public
    def windows(self, length: int, stride: int | None = None) -> "Trajectories":
        """All pieces of `length` consecutive snapshots that start every `stride` (default: `length`) snapshots.

        A trajectory shorter than `length` gives no piece.

        Raises:
            InputError: no trajectory is long enough.
        """
        integer("length", length, 1)
        stride = integer("stride", stride, 1) if stride is not None else length
        counts = torch.clamp((self.lengths - length) // stride + 1, min=0)
        if counts.sum() == 0:
            raise refuse("length", f"at most {int(self.lengths.max())}, the longest trajectory", length)
        owners = torch.repeat_interleave(torch.arange(len(self)), counts)
        starts = torch.cat([s + stride * torch.arange(c) for s, c in zip(self.starts, counts, strict=True)])
        lengths = torch.full((len(owners),), length)
        return self._rows(ranges(starts, lengths), owners, lengths)

    def where(self, chosen: Bool[Tensor, " M"]) -> "Trajectories":
        """The chosen snapshots: every run of consecutive ones becomes a trajectory.

        Raises:
            InputError: no snapshot is chosen.
        """
        if chosen.dtype != torch.bool or chosen.shape != self.t.shape:
            raise refuse("chosen", f"a mask [{len(self.t)}]", f"{chosen.dtype} {list(chosen.shape)}")
        if not chosen.any():
            raise refuse("chosen", "at least one snapshot", "none")
        rows, starts, lengths = runs(chosen, self.owner)
        return self._rows(rows, self.owner[rows[starts]], lengths)

    # -- changing ----------------------------------------------------------------------------------------------------

    @public
    def map(self, fn: Callable[[Float[Tensor, "m D"]], Float[Tensor, "m R"]]) -> "Trajectories":
        """The trajectories of fn(x): states mapped, velocities pushed forward by the same call.

        Args:
            fn: acts on each row alone, [m, D] -> [m, R], in torch (so that velocities can be pushed forward).

        Returns:
            Trajectories in R dimensions, with velocities fn'(x) dx/dt by Jacobian-vector product if there were any.
        """
        return self.map_with_parameters(lambda x, parameters: fn(x))

    def map_with_parameters(
        self, fn: Callable[[Float[Tensor, "m D"], Mapping[str, Float[Tensor, " m"]]], Float[Tensor, "m R"]]
    ) -> "Trajectories":
        """Like `map`, for a function of states and parameters by name; it is given one value of each per row."""
        mapped = pushed_forward(fn, self.states, self.velocities, self.parameters, self.owner)
        return replace(self, states=mapped[0], velocities=mapped[1])

    def to(self, target: torch.dtype | torch.device | str) -> "Trajectories":
        """States and velocities in another dtype or on another device; times stay as they are."""
        moved = None if self.velocities is None else self.velocities.to(target)
        return replace(self, states=self.states.to(target), velocities=moved)

    def checked_finite(self, name: str = "states") -> "Trajectories":
        """These trajectories, if every state and velocity is finite.

        Raises:
            InputError: a value is not finite; the message names its trajectory, time and component.
        """
        check_finite(name, self.states, self.t, self.owner)
        if self.velocities is not None:
            check_finite("velocities", self.velocities, self.t, self.owner)
        return self
