"""What latent dynamics are fitted to."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.data.velocities import with_velocities
from dynred.dynamics._rollouts import Rolling, rollout_score
from dynred.dynamics._units import Standardisation
from dynred.numerics.latent_space import LatentSpace
from dynred.runtime import Runtime

Regression = tuple[Float[Tensor, "M F"], Float[Tensor, "M R"]]  # what a field learns: features, and velocities there


@dataclass(frozen=True, eq=False)
class LatentData:
    """What latent dynamics are fitted to; `DynamicsSpec.fit` makes it of its arguments.

    Attributes:
        latents: latent trajectories.
        validation: other latent trajectories, which choose between weights.
        latent_space: what the R latent coordinates are.
        rng: stream of initial weights and batches.
        runtime: device, progress, checkpoints.
        is_flow: whether the trajectories follow the velocities, so that short rollouts can be trained on; not those of
            maps, nor of latents and inputs together.
    """

    is_flow: ClassVar[bool] = True
    latents: Trajectories
    validation: Trajectories
    latent_space: LatentSpace
    rng: torch.Generator
    runtime: Runtime

    def units(self, *, centred: bool = True) -> Standardisation:
        """Standard units of the latents, a new module for the dynamics to keep; see `Standardisation.of`.

        Raises:
            InputError: the latents have no velocities.
        """
        return Standardisation.of(with_velocities("latents", self.latents), self.latent_space, centred=centred)

    @cached_property
    def regression(self) -> Regression:
        """Features of the latents in standard units, and velocities in units of their `rate`; float64.

        Raises:
            InputError: the latents have no velocities.
        """
        return self._regression("latents", self.latents)

    @cached_property
    def validation_regression(self) -> Regression:
        """Features and velocities of the validation trajectories, in the units of the latents.

        Raises:
            InputError: the latents or the validation trajectories have no velocities.
        """
        return self._regression("validation", self.validation)

    def _regression(self, name: str, part: Trajectories) -> Regression:
        units, known = self.units(), with_velocities(name, part)
        assert known.velocities is not None
        features = self.latent_space.features(units.standard(known.states.double()))
        return features, known.velocities.double() / units.rate

    @property
    def velocity_error(self) -> float:
        """What velocities that were estimated from samples are wrong by, as a part of their root mean square; 0 where
        they are exact, or were changed."""
        error = self.latents.attributes.get("velocity_error")
        return float(error) if error is not None and self.is_flow else 0.0

    def score(self, model: Rolling) -> float:
        """How wrong rollouts of the validation trajectories are; see `rollout_score`."""
        return rollout_score(model, self.validation)

    def changed(self, change: Callable[[Trajectories], Trajectories], latent_space: LatentSpace | None = None) -> Self:
        """The same data with both parts changed, for dynamics that are made of others. Velocities then are no longer
        those of the samples.

        Args:
            change: gives the new trajectories of old ones, which have velocities.
            latent_space: the space of the new ones; default: the same.

        Raises:
            InputError: a part has no velocities.
        """
        parts = {name: with_velocities(name, getattr(self, name)) for name in ("latents", "validation")}
        changes: dict[str, Any] = {name: _without_error(change(part)) for name, part in parts.items()}
        return replace(self, latent_space=latent_space or self.latent_space, **changes)


def _without_error(part: Trajectories) -> Trajectories:
    return replace(part, attributes={**part.attributes, "velocity_error": None})
