"""What every reducer offers: an encoder onto latent coordinates and a decoder back.

Where K depends on parameters of the system, a `ParametricReducer` may see them beside the state: x = decode(z; p). It
then takes fewer coordinates, because the sets K at all parameters together are larger than each of them: limit cycles
of radius r(p) fill an annulus, but one angle carries each.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynred.arguments import public
from dynred.checks import count, generator_given, refuse
from dynred.data.parameters import stacked
from dynred.data.parts import check_parts
from dynred.data.trajectories import Trajectories
from dynred.numerics.latent_space import MOST, LatentSpace
from dynred.numerics.modes import Modes
from dynred.runtime import Runtime
from dynred.spec import Spec
from dynred.training.minimise import History


class Coder(Protocol):
    """An encoder and a decoder, with parameters filled in if there are any."""

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """Latent coordinates of states."""
        ...

    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """States of latent coordinates."""
        ...

    def reconstruct(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """decode(encode(x))."""
        return self.decode(self.encode(x))


class Reducer(nn.Module, ABC):
    """A fitted encoder and decoder, between states [..., D] and latents [..., R].

    Inputs may come in any real dtype. Latents have the dtype of the reducer's networks, decoded states float64.

    Attributes:
        spec: the settings it was fitted with.
        state_dim: D.
        latent_space: what the R latent coordinates are.
        histories: the course of its training, if any.
        is_continuous: whether `encode` is continuous.
    """

    spec: "ReducerSpec"
    state_dim: int
    is_continuous = True
    latent_space: LatentSpace
    histories: tuple[History, ...] = ()

    @abstractmethod
    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """Latent coordinates of states."""

    @abstractmethod
    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """States of latent coordinates."""

    def take_loops(self) -> None:
        """Has compiled loops decode from now on, where the `fast` extra is installed; most reducers have none."""

    @abstractmethod
    def sizes(self) -> Mapping[str, Any]:
        """What `ReducerSpec.build` needs beside the settings to make the same module, weights apart: plain JSON."""

    def points_of(self, state_dim: int) -> tuple[int, ...] | None:
        """The numbers of points, for `sized`, of fields whose states have so many values; None where the reducer holds
        for fields of one size.

        Raises:
            InputError: no size that fits has so many values.
        """
        return None

    def sized(self, points: Sequence[int]) -> "Reducer":
        """The same reducer for fields with other numbers of points along their axes, as far apart.

        Raises:
            InputError: the reducer holds for fields of one size, or the numbers do not fit.
        """
        raise refuse("reducer", "one of fields of any size, as `local` is", type(self).__name__)

    def notes(self) -> list[str]:
        """What a user should know of the fitted reducer, line by line, such as for which fields it holds."""
        return []

    def at(self, parameters: Mapping[str, Float[Tensor, "*#batch"]]) -> Coder:
        """The encoder and decoder with parameters filled in; the reducer itself, where it sees none.

        Args:
            parameters: by name, a number or values that fit the batch shape of what is encoded and decoded. Names that
                the reducer does not know are ignored: trajectories carry every parameter of their system.
        """
        return self

    def latents(self, trajectories: Trajectories) -> Trajectories:
        """Encodes trajectories, each at its own parameters, and pushes velocities forward. Where the reducer sees no
        parameters this is `trajectories.map(reducer.encode)`."""
        return trajectories.map_with_parameters(lambda x, parameters: self.at(parameters).encode(x))

    def reconstruct(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """decode(encode(x))."""
        return self.decode(self.encode(x))

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """The same as `reconstruct`, so that the module can be called."""
        return self.reconstruct(x)


class SeenParameters(nn.Module):
    """The parameters that a reducer sees, standardised.

    Attributes:
        names: names of the P parameters, in order.
        shift: mean of each over the training snapshots [P].
        spread: standard deviation of each over the training snapshots [P].
    """

    shift: Float[Tensor, " P"]
    spread: Float[Tensor, " P"]

    def __init__(self, names: Sequence[str], shift: Float[Tensor, " P"], spread: Float[Tensor, " P"]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.register_buffer("shift", shift)
        self.register_buffer("spread", spread)

    @classmethod
    def of(cls, train: Trajectories, *, wanted: bool) -> "SeenParameters":
        """The parameters that differ between trajectories, or none where they are not `wanted`."""
        names = [name for name, value in train.parameters.items() if wanted and (value != value[0]).any()]
        values = stacked(train.row_parameters, names, [len(train.states)])
        shift = values.mean(0)
        return cls(names, shift, (values - shift).pow(2).mean(0).sqrt())

    @classmethod
    def empty(cls, names: Sequence[str]) -> "SeenParameters":
        """Parameters with arbitrary shift and spread, to be filled from a file."""
        return cls(names, *torch.ones(2, len(names), dtype=torch.float64).unbind())

    def forward(
        self, parameters: Mapping[str, Float[Tensor, "..."]] | None, batch: Sequence[int]
    ) -> Float[Tensor, "*batch P"]:
        """Standardised values for every row of a batch.

        Raises:
            InputError: a parameter is missing, or does not fit the batch.
        """
        return (stacked(parameters, self.names, batch).to(self.shift.device) - self.shift) / self.spread


class ParametricReducer(Reducer):
    """A reducer that may see parameters. Its methods take standardised values [..., P]; P = 0 where it sees none.

    Attributes:
        seen: the parameters that it sees.
    """

    seen: SeenParameters

    @abstractmethod
    def encode_at(self, x: Float[Tensor, "*batch D"], p: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch R"]:
        """Latent coordinates of states at parameters p."""

    @abstractmethod
    def decode_at(self, z: Float[Tensor, "*batch R"], p: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        """States of latent coordinates at parameters p."""

    def at(self, parameters: Mapping[str, Float[Tensor, "*#batch"]]) -> Coder:
        """See `Reducer.at`.

        Raises:
            InputError: when the coder is used, where a parameter is missing or does not fit.
        """
        return _CoderAtParameters(self, parameters)

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """See `Reducer.encode`; only for a reducer that sees no parameters. `at` fills them in."""
        return self.at({}).encode(x)

    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """See `Reducer.decode`; only for a reducer that sees no parameters. `at` fills them in."""
        return self.at({}).decode(z)


class _CoderAtParameters(Coder):
    def __init__(self, reducer: ParametricReducer, parameters: Mapping[str, Tensor]):
        self.reducer, self.parameters = reducer, parameters

    def encode(self, x: Tensor) -> Tensor:
        return self.reducer.encode_at(x, self.reducer.seen(self.parameters, x.shape[:-1]))

    def decode(self, z: Tensor) -> Tensor:
        return self.reducer.decode_at(z, self.reducer.seen(self.parameters, z.shape[:-1]))


@dataclass(frozen=True)
class ReducerSpec(Spec, ABC):
    """Settings of a reducer.

    Attributes:
        latent_dim: number R of latent coordinates, 1 <= R < D.
    """

    latent_dim: int = 2

    def __post_init__(self):
        count("latent_dim", self.latent_dim, 1, MOST)

    @property
    def latent_space(self) -> LatentSpace:
        """What the latent coordinates are: lines, where a reducer does not say otherwise."""
        return LatentSpace(lines=self.latent_dim)

    def for_states(self, dim: int) -> "ReducerSpec":
        """The settings for states of so many dimensions, where the kind of reducer depends on that."""
        return self

    @property
    def tries_symmetry(self) -> bool:
        """Whether the fitted reducer may respect a declared symmetry, so that dynamics which do are tried in it."""
        return False

    def without_symmetry(self) -> Self:
        """The same settings, which leave symmetries alone."""
        return self

    @final
    @public
    def fit(
        self,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
    ) -> Reducer:
        """The reducer fitted to the snapshots of `train`; `validation` chooses between weights.

        Args:
            train: states; velocities where a reducer can use them.
            validation: states of other trajectories.
            rng: stream of initial weights and batches.
            runtime: device, progress, checkpoints.

        Returns:
            The reducer, on the CPU, without gradients.

        Raises:
            InputError: arguments of another class, values that are not finite, parts of different dimension, or
                settings that do not fit the data.
        """
        check_parts("train", train, validation)
        generator_given(rng)
        self.check_data(train)
        return self._fit(train, validation, rng=rng, runtime=runtime or Runtime()).cpu().requires_grad_(False)

    @abstractmethod
    def _fit(self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime) -> Reducer:
        """What `fit` returns, on any device; `fit` has checked the arguments."""

    @abstractmethod
    def build(self, **sizes: Any) -> Reducer:
        """A module with the right shapes and arbitrary weights, for loading.

        Sizes from a file are checked against the annotations of this method first. Loading may build the module without
        memory (on torch's meta device), to see whether the file has tensors of these shapes.
        """

    def memory(self, state_dim: int, train: int, validation: int) -> int:
        """About how many bytes `fit` takes beside its data: not fewer than it does, nor more than a few times as many.

        What would not fit into memory is refused before anything is computed. The default is right for a reducer that
        starts from POD modes; one that needs more overrides it.

        Args:
            state_dim: D.
            train: number of training snapshots.
            validation: number of validation snapshots.
        """
        return Modes.memory(state_dim, train)

    def check_data(self, train: Trajectories) -> None:
        """Refuses data that no reducer can be fitted to: R >= D, fewer snapshots than coordinates, a single state."""
        if self.latent_dim >= train.dim:
            raise refuse("latent_dim", f"less than the state dimension {train.dim}", self.latent_dim)
        if len(train.states) <= self.latent_dim:
            raise refuse("train", f"more than {self.latent_dim} snapshots", len(train.states), "Simulate more.")
        if not (train.states != train.states[0]).any():
            raise refuse("train", "snapshots that differ", "one and the same state everywhere", "K is a point.")
