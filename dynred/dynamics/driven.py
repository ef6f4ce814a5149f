"""Latent dynamics with inputs, made of any others; `DynamicsSpec.fit` makes them where trajectories have inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dynred.data.courses import courses_of
from dynred.dynamics._driven import Driven, JointLatents, joined, joint_space
from dynred.dynamics._members import build_field, default_member, fit_field
from dynred.dynamics.base import DynamicsSpec, LatentData
from dynred.numerics.latent_space import LatentSpace


@dataclass(frozen=True)
class DrivenSpec(DynamicsSpec):
    """Settings of dynamics with inputs.

    Attributes:
        member: the dynamics that see latents and inputs, given by a vector field.
    """

    takes_inputs = True
    member: DynamicsSpec = field(default_factory=default_member)

    def _fit(self, data: LatentData) -> Driven:
        """The member fitted to latents and inputs; see `DynamicsSpec._fit`. Without inputs it sees latents alone."""
        names, space = data.latents.input_names, data.latent_space
        joint = data.changed(lambda part: joined(part, names, space.angles), joint_space(space, len(names)))
        joint = JointLatents(joint.latents, joint.validation, joint.latent_space, joint.rng, joint.runtime)
        courses = courses_of(data.latents.row_inputs, data.latents.attributes)
        member = fit_field(self.member, joint)
        # Where the member was a choice between several, what is stored are the settings of the one that was chosen.
        return Driven(replace(self, member=member.spec), space, member, courses)

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: a copy of the latents, and what the member takes."""
        return super().memory(latent_space, train, validation) + self.member.memory(latent_space, train, validation)

    def build(  # type: ignore[override] # its sizes by name
        self, latent_space: LatentSpace, courses: Mapping[str, Any], member: Mapping[str, Any]
    ) -> Driven:
        """See `DynamicsSpec.build`."""
        inner = build_field(self.member, joint_space(latent_space, len(courses)), member)
        return Driven(self, latent_space, inner, courses)
