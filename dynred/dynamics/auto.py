"""The dynamics that the data choose: equivariant polynomials in coordinates that symmetries turn, else any other.

Equivariant polynomials and the complete ones from which a neural ODE starts are both least squares. Both are fitted,
and the other dynamics are fitted where rollouts of the validation trajectories are not better with the former.
"""

from dataclasses import dataclass, field
from typing import Any

from dynred.checks import refuse
from dynred.dynamics._members import default_member
from dynred.dynamics._rollouts import rollout_score
from dynred.dynamics.base import DynamicsSpec, LatentData, LatentDynamics, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.plugins import load_class


@dataclass(frozen=True)
class AutoDynamicsSpec(DynamicsSpec):
    """Settings of the choice between equivariant polynomials, with their default settings, and other dynamics.

    Attributes:
        member: the other dynamics; default: a neural ODE.
    """

    member: DynamicsSpec = field(default_factory=default_member)

    def _fit(self, data: LatentData) -> LatentDynamics:
        """See `DynamicsSpec._fit`. The result is of the class that was chosen, with the settings of that."""
        representation = data.latent_space.representation
        if representation is None or 0 not in representation.orders:
            return self.member._fit(data)
        symmetric, complete = (_named(name)._fit(data) for name in ("equivariant", "polynomial"))
        scores = []
        for model in (symmetric, complete):
            assert isinstance(model, VectorFieldDynamics)
            scores.append(rollout_score(model, data.validation))
        own, other = (f"{score:.2g}" for score in scores)
        if scores[0] <= scores[1]:
            symmetric.choice = (
                "The declared symmetries are used: equivariant polynomials predict validation trajectories with a mean "
                f"error of {own}, complete ones with {other}; no network was trained."
            )
            return symmetric
        model = self.member._fit(data)
        model.choice = (
            f"Equivariant polynomials predict validation trajectories with a mean error of {own}, complete ones with "
            f"{other}: so symmetries are used in the coordinates only."
        )
        return model

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`."""
        return self.member.memory(latent_space, train, validation)

    def build(self, latent_space: LatentSpace, **sizes: Any) -> LatentDynamics:
        """Refused: what was fitted has the settings of the class that was chosen."""
        raise refuse("the settings of stored dynamics", "those of the class that was chosen", "auto")


def _named(name: str) -> DynamicsSpec:
    return load_class("dynred.dynamics", name, DynamicsSpec)()
