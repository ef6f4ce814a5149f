"""Coordinates of states (q, q'): any reducer takes q to z, and its derivative takes q' to z'.

z' = E'(q) q', so that the second half of the latents is the velocity of the first, exactly, as it is of the states; and
back q' = D'(z) z'. With `AccelerationSpec` the model keeps that in time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.annotations import fitting_arguments
from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import with_velocities
from dynred.numerics.latent_space import LatentSpace
from dynred.plugins import load_class
from dynred.reducers.base import Coder, Reducer, ReducerSpec
from dynred.runtime import Runtime

APART = 0.05  # of the size of q': how far velocities of q may be from it; estimated ones are seldom better


def default_part() -> ReducerSpec:
    """The reducer of q by default: a polynomial manifold, found by name like any plug-in."""
    return load_class("dynred.reducers", "polynomial", ReducerSpec)(latent_dim=1)


class SecondOrder(Reducer):
    """(q, q') to (z, z') and back.

    Attributes:
        member: the reducer of q.
    """

    def __init__(self, spec: "SecondOrderSpec", member: Reducer) -> None:
        super().__init__()
        self.spec, self.member, self.histories = spec, member, member.histories
        self.state_dim = 2 * member.state_dim
        self.latent_space = LatentSpace(lines=spec.latent_dim)

    def at(self, parameters: Mapping[str, Float[Tensor, "*#batch"]]) -> Coder:
        """See `Reducer.at`."""
        return _Moving(self.member.at(parameters))

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """See `Reducer.encode`."""
        return _Moving(self.member).encode(x)

    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """See `Reducer.decode`."""
        return _Moving(self.member).decode(z)

    def sizes(self) -> Mapping[str, Any]:
        """See `Reducer.sizes`."""
        return {"member": self.member.sizes()}


class _Moving(Coder):
    """A coder of q, and its derivative for q'."""

    def __init__(self, inner: Coder):
        self.inner = inner

    def encode(self, x: Tensor) -> Tensor:
        return _pushed(self.inner.encode, x)

    def decode(self, z: Tensor) -> Tensor:
        return _pushed(self.inner.decode, z)


def _pushed(fn: Callable[[Tensor], Tensor], x: Float[Tensor, "*batch A"]) -> Float[Tensor, "*batch B"]:
    place, speed = (half.clone(memory_format=torch.contiguous_format) for half in x.double().chunk(2, -1))
    value, pushed, *_ = torch.func.jvp(fn, (place,), (speed,))
    return torch.cat([value, pushed], -1)


@dataclass(frozen=True)
class SecondOrderSpec(ReducerSpec):
    """Settings of coordinates of states (q, q'); `latent_dim` is even.

    Attributes:
        member: the reducer of q, to half as many coordinates, which are lines.
    """

    member: ReducerSpec = field(default_factory=default_part)

    def __post_init__(self):
        super().__post_init__()
        if self.latent_dim % 2:
            raise refuse("latent_dim", "even, half of it for q and half for q'", self.latent_dim)
        if self.member.latent_dim != self.latent_dim // 2:
            object.__setattr__(self, "member", self.member.updated("latent_dim", self.latent_dim // 2))
        if self.member.latent_space.angles:
            raise refuse("member", "a reducer to lines", f"one with {self.member.latent_space.angles} angles")

    def _fit(
        self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime
    ) -> SecondOrder:
        """The member fitted to q; see `ReducerSpec._fit`."""
        member = self.member.fit(_places(train), _places(validation), rng=rng, runtime=runtime)
        return SecondOrder(replace(self, member=member.spec), member)

    def check_data(self, train: Trajectories) -> None:
        """Refuses, beside what no reducer can be fitted to, states whose first half does not move by the second."""
        super().check_data(train)
        if train.dim % 2:
            raise refuse("states (q, q')", "of even dimension", train.dim)
        known = with_velocities("train", train).velocities
        assert known is not None
        velocity, second = known.double()[:, : train.dim // 2], train.states.double()[:, train.dim // 2 :]
        apart = float((velocity - second).pow(2).sum() / second.pow(2).sum().clamp_min(1e-300)) ** 0.5
        if not apart <= APART:
            actual = f"velocities of the first half that differ from the second by {apart:.0%} of its size"
            raise refuse("second order", "of states (q, q'), in this order and in the same units", actual)
        self.member.check_data(_places(train))

    def build(self, member: Mapping[str, Any]) -> SecondOrder:  # type: ignore[override] # its sizes by name
        """See `ReducerSpec.build`."""
        return SecondOrder(self, self.member.build(**fitting_arguments("member", member, self.member.build)))


def _places(part: Trajectories) -> Trajectories:
    half = part.dim // 2
    velocities = None if part.velocities is None else part.velocities[:, :half]
    return replace(part, states=part.states[:, :half], velocities=velocities)
