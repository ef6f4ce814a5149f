"""What a transform is: a map between the states of the data and those that a model is fitted to, learned from training
data, undone in every prediction, and stored with the model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynred.arguments import public
from dynred.checks import instance_of, refuse
from dynred.data.trajectories import Trajectories
from dynred.data.variables import KEY, Variables, named_variables, variables_attribute
from dynred.spec import Spec

PACKAGE = "dynred.data.transforms"
PERIODS = "periods"  # of the attributes of states that were restored: as `Transform.periods`
OF_THE_STATE = (KEY, "grid", "angles")  # attributes of trajectories that say what the components of a state are


class Transform(nn.Module, ABC):
    """A fitted transform, from states [..., D] to states [..., E]; complete when it exists, and immutable.

    A transform without memory acts on every state alone. One with memory takes the present state and the `past` - 1
    snapshots before it, which lie evenly in time. Its numbers are float64 buffers.

    Attributes:
        spec: the settings that it was fitted with.
        state_dim: D.
        dim: E.
        past: number of consecutive snapshots that make one transformed state, >= 1.
        changes: whether it does anything; one that does nothing is left out of a model.
    """

    spec: "TransformSpec"
    state_dim: int
    dim: int
    past: int = 1
    changes: bool = True

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch T D"]) -> Float[Tensor, "*batch S E"]:
        """The transformed states of T consecutive snapshots, float64: S = T - past + 1 of them, the first of which
        belongs to snapshot `past` - 1. Differentiable, so that velocities are pushed forward exactly."""

    @abstractmethod
    def undo(self, y: Float[Tensor, "*batch E"]) -> Float[Tensor, "*batch D"]:
        """The present state, float64, in the variables of the data; of transformed states whatever they are."""

    @abstractmethod
    def sizes(self) -> Mapping[str, Any]:
        """What `TransformSpec.build` needs beside the settings to make the same module, numbers apart: plain JSON."""

    def check(self, trajectories: Trajectories) -> None:
        """Refuses trajectories that cannot be transformed, for more reasons than their width.

        Raises:
            InputError: they are sampled otherwise than those that the transform was fitted to.
        """

    def notes(self) -> list[str]:
        """What a user should know of it, in sentences."""
        return []

    def made(self, trajectories: Trajectories) -> bool:
        """Whether trajectories are what it gives already, because the data do not fit into memory before it."""
        return False

    @property
    def periods(self) -> Sequence[float]:
        """The period of every component of the given states [D], 0 of those that have none; empty where none has."""
        return ()

    def named(self, variables: Variables) -> Variables:
        """The variables of transformed states, from those of the given ones; none where they have another width and
        nobody knows what they are."""
        return variables if self.dim == self.state_dim else ()

    @final
    def transformed(self, trajectories: Trajectories) -> Trajectories:
        """The transformed trajectories, velocities pushed forward; parameters stay, and so do the times of the
        snapshots that have a past.

        Raises:
            InputError: states of another width, a trajectory shorter than the past, or as for `check`.
        """
        if trajectories.dim != self.state_dim:
            raise refuse("trajectories", f"of {self.state_dim} dimensions, like the transform", trajectories.dim)
        check_past(trajectories, self.past)
        self.check(trajectories)
        moved = trajectories.map(self.forward) if self.past == 1 else self._along(trajectories)
        if self.dim == self.state_dim:
            return moved
        others = {k: v for k, v in moved.attributes.items() if k not in OF_THE_STATE}
        named = self.named(named_variables(trajectories.attributes, self.state_dim))
        return replace(moved, attributes={**others, **(variables_attribute(named) if named else {})})

    def _along(self, trajectories: Trajectories) -> Trajectories:
        lengths = trajectories.lengths.tolist()
        states = trajectories.states.split(lengths)
        with torch.no_grad():
            if trajectories.velocities is None:
                moved, velocities = [self.forward(x) for x in states], None
            else:
                pairs = zip(states, trajectories.velocities.split(lengths), strict=True)
                pushed = [torch.func.jvp(self.forward, (x,), (v,))[:2] for x, v in pairs]
                moved, velocities = [x for x, _ in pushed], torch.cat([v for _, v in pushed])
        t, inputs = torch.cat([grid[self.past - 1 :] for grid in trajectories.grids]), trajectories.inputs
        if inputs is not None:  # those of the present
            inputs = torch.cat([u[self.past - 1 :] for u in inputs.split(lengths)])
        shorter = trajectories.lengths - self.past + 1
        changed: dict[str, Any] = {"states": torch.cat(moved), "velocities": velocities, "inputs": inputs}
        return replace(trajectories, t=t, lengths=shorter, **changed)


@dataclass(frozen=True)
class TransformSpec(Spec, ABC):
    """Settings of a transform. A transform is a file in dynred/data/transforms, or anywhere; no list names it."""

    @final
    @public
    def fit(self, train: Trajectories) -> Transform:
        """The transform of training trajectories, which alone decide its numbers.

        Raises:
            InputError: the settings do not fit the trajectories, or a value is not finite.
        """
        return self._fit(instance_of("train", train, Trajectories).checked_finite("train"))

    @abstractmethod
    def _fit(self, train: Trajectories) -> Transform:
        """See `fit`, which has checked the argument."""

    @abstractmethod
    def build(self, *sizes: Any, **named: Any) -> Transform:
        """The module with arbitrary numbers, for the sizes that `Transform.sizes` gives by name."""


class Chain(nn.Module):
    """Transforms one after the other.

    Attributes:
        parts: the transforms, the first of which takes the states of the data.
        variables: the variables of these states; empty where nothing names them.
    """

    parts: Sequence[Transform]

    def __init__(self, parts: Sequence[Transform], variables: Variables = ()) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)  # type: ignore[assignment] # a sequence of them
        self.variables = variables

    @property
    def state_dim(self) -> int:
        """Width of the states of the data."""
        return self.parts[0].state_dim

    @property
    def dim(self) -> int:
        """Width of the transformed states."""
        return self.parts[-1].dim

    @property
    def past(self) -> int:
        """Number of consecutive snapshots that make one transformed state."""
        return 1 + sum(part.past - 1 for part in self.parts)

    def forward(self, x: Float[Tensor, "*batch T D"]) -> Float[Tensor, "*batch S E"]:
        """See `Transform.forward`."""
        for part in self.parts:
            x = part(x)
        return x

    def undo(self, y: Float[Tensor, "*batch E"]) -> Float[Tensor, "*batch D"]:
        """See `Transform.undo`."""
        for part in reversed(list(self.parts)):
            y = part.undo(y)
        return y

    def present(self, y: Float[Tensor, "*batch E"]) -> Float[Tensor, "*batch F"]:
        """The present state in the variables in which states are before the first transform with memory."""
        memory = [i for i, part in enumerate(self.parts) if part.past > 1]
        for part in reversed(list(self.parts)[memory[0] :] if memory else []):
            y = part.undo(y)
        return y

    def transformed(self, trajectories: Trajectories) -> Trajectories:
        """See `Transform.transformed`."""
        check_past(trajectories, self.past)
        for part in self.parts:
            trajectories = trajectories if part.made(trajectories) else part.transformed(trajectories)
        return trajectories

    def restored(self, trajectories: Trajectories) -> Trajectories:
        """Transformed trajectories in the variables of the data: the present state of each; times stay."""
        back = trajectories.map(self.undo)
        attributes = {k: v for k, v in back.attributes.items() if k not in OF_THE_STATE}
        named = variables_attribute(self.variables) if self.variables else {}
        periods = {PERIODS: list(self.parts[0].periods)} if self.parts[0].periods else {}
        return replace(back, attributes={**attributes, **named, **periods})

    def notes(self) -> list[str]:
        """See `Transform.notes`."""
        return [line for part in self.parts for line in part.notes()]


def check_past(trajectories: Trajectories, past: int) -> None:
    """Refuses trajectories that are shorter than the past that a transform needs.

    Raises:
        InputError: one of them is.
    """
    shortest = int(trajectories.lengths.min()) if len(trajectories) else past
    if shortest < past:
        i = int(trajectories.lengths.argmin())
        advice = "Take fewer delays or a smaller lag, or longer trajectories."
        expected = f"of at least {past} snapshots, which one state with its past takes"
        raise refuse("trajectories", expected, f"{shortest} in trajectory {i}", advice)
