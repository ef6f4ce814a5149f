"""Members of latent dynamics that are made of others: they are fitted and built here."""

from collections.abc import Mapping
from typing import Any

from dynred import plugins
from dynred.annotations import fitting_arguments
from dynred.checks import refuse
from dynred.dynamics.base import DynamicsSpec, LatentData, LatentDynamics, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace


def default_member() -> DynamicsSpec:
    """What dynamics that are made of others are made of by default: the neural ODE, found by name like any plug-in."""
    return plugins.load_class("dynred.dynamics", "neural_ode", DynamicsSpec)()


def fit_field(spec: DynamicsSpec, data: LatentData) -> VectorFieldDynamics:
    """Fits dynamics by `spec.fitted`, and refuses those that are no vector field."""
    return as_field(spec.fitted(data))


def build_field(spec: DynamicsSpec, latent_space: LatentSpace, sizes: Mapping[str, Any]) -> VectorFieldDynamics:
    """Builds a member by `spec.build`, with the sizes that the dynamics made of it store; refuses sizes that are not
    the member's, and dynamics that are no vector field."""
    dynamics = spec.build(latent_space, **fitting_arguments("member", sizes, spec.build, ["latent_space"]))
    return as_field(dynamics)


def as_field(dynamics: LatentDynamics) -> VectorFieldDynamics:
    """The dynamics themselves; refuses those that are no vector field."""
    if not isinstance(dynamics, VectorFieldDynamics):
        raise refuse("member", "dynamics given by a vector field", type(dynamics).__name__)
    return dynamics
