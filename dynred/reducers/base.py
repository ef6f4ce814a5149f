"""What every reducer offers: an encoder onto latent coordinates and a decoder back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynred.checks import integer, refuse
from dynred.latent_space import LatentSpace
from dynred.optimise import History, Runtime
from dynred.spec import Spec
from dynred.trajectories import Trajectories


class Reducer(nn.Module, ABC):
    """A fitted encoder and decoder, between states [..., D] and latents [..., R].

    Inputs may come in any real dtype. Latents have the dtype of the reducer's networks, decoded states float64.

    Attributes:
        spec: the settings it was fitted with.
        state_dim: D.
        latent_space: what the R latent coordinates are.
        histories: the course of its training, if any.
    """

    spec: "ReducerSpec"
    state_dim: int
    latent_space: LatentSpace
    histories: tuple[History, ...] = ()

    @abstractmethod
    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """Latent coordinates of states."""

    @abstractmethod
    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """States of latent coordinates."""

    @abstractmethod
    def sizes(self) -> Mapping[str, int]:
        """The numbers beside the settings from which `ReducerSpec.build` makes the same module, weights apart."""

    def reconstruct(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """decode(encode(x))."""
        return self.decode(self.encode(x))

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """The same as `reconstruct`, so that the module can be called."""
        return self.reconstruct(x)


@dataclass(frozen=True)
class ReducerSpec(Spec, ABC):
    """Settings of a reducer.

    Attributes:
        latent_dim: number R of latent coordinates, 1 <= R < D.
    """

    latent_dim: int = 2

    def __post_init__(self):
        integer("latent_dim", self.latent_dim, 1)

    @property
    def latent_space(self) -> LatentSpace:
        """What the latent coordinates are: lines, where a reducer does not say otherwise."""
        return LatentSpace(lines=self.latent_dim)

    @abstractmethod
    def fit(
        self,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
    ) -> Reducer:
        """The reducer fitted to the snapshots of `train`; `validation` chooses between weights.

        Raises:
            InputError: the settings do not fit the data.
        """

    @abstractmethod
    def build(self, **sizes: int) -> Reducer:
        """A module with the right shapes and arbitrary weights, for loading."""

    def check_data(self, train: Trajectories) -> None:
        """Refuses data that no reducer can be fitted to: R >= D, fewer snapshots than coordinates, a single state."""
        if self.latent_dim >= train.dim:
            raise refuse("latent_dim", f"less than the state dimension {train.dim}", self.latent_dim)
        if len(train.states) <= self.latent_dim:
            raise refuse("train", f"more than {self.latent_dim} snapshots", len(train.states), "Simulate more.")
        if not (train.states != train.states[0]).any():
            raise refuse("train", "snapshots that differ", "one and the same state everywhere", "K is a point.")
