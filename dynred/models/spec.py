"""Settings of a model: coordinates are fitted first, then dynamics in them, and, where asked for, both together."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from dynred.checks import generator_given
from dynred.data.trajectories import Trajectories
from dynred.rng import spawn
from dynred.runtime import Runtime
from dynred.spec import Spec

if TYPE_CHECKING:
    from dynred.models.base import Model


@dataclass(frozen=True)
class ModelSpec(Spec, ABC):
    """What kind of model is fitted, and how.

    Every step takes `train`, states with velocities on the attracting set; `validation`, the same of other
    trajectories, which chooses between weights; `rng`, the stream of initial weights and batches; `runtime`, device,
    progress and checkpoints. A step raises an InputError where its settings do not fit the data.

    Attributes:
        stream: names the random stream of the coordinates.
    """

    stream: ClassVar[str] = "coordinates"

    @abstractmethod
    def fit_coordinates(
        self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime | None = None
    ) -> nn.Module:
        """The coordinates, between states and latents."""

    def coordinate_settings(self) -> dict[str, Any] | None:
        """The settings, as plain JSON data, that decide the coordinates where these are one reducer, which runs can
        share; None where they are not."""
        return None

    @abstractmethod
    def fit_dynamics(
        self,
        coordinates: Any,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> "Model":
        """The model of such coordinates, with dynamics fitted to the velocities of the trajectories in them; `about`
        says where it comes from."""

    def refine(
        self,
        model: Any,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
    ) -> "Model":
        """The model with coordinates and dynamics trained further, together, where these settings ask for it."""
        return model

    def fit(
        self,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> "Model":
        """All steps, one after the other."""
        generator_given(rng)
        coordinates = self.fit_coordinates(train, validation, rng=spawn(rng, self.stream), runtime=runtime)
        streams = spawn(rng, "dynamics")
        model = self.fit_dynamics(coordinates, train, validation, rng=streams, runtime=runtime, about=about or {})
        return self.refine(model, train, validation, rng=spawn(rng, "joint"), runtime=runtime)


@dataclass(frozen=True)
class JointRefinement(Spec, ABC):
    """Settings of a training of coordinates and dynamics together."""

    @abstractmethod
    def check(self, coordinates: nn.Module) -> None:
        """Refuses coordinates that cannot be refined, before dynamics are fitted for nothing.

        Raises:
            InputError: they have no weights to train.
        """

    @abstractmethod
    def refine(
        self,
        model: Any,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
    ) -> Any:
        """The refined model, or the one that was given where that is not worse."""
