"""Latent dynamics that are made of others."""

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
    """`spec.fit`, refused where what it gives is no vector field."""
    return _as_field(
        spec.fit(data.latents, data.validation, rng=data.rng, latent_space=data.latent_space, runtime=data.runtime)
    )


def build_field(spec: DynamicsSpec, latent_space: LatentSpace, sizes: Mapping[str, Any]) -> VectorFieldDynamics:
    """`spec.build` with sizes as they are stored within those of another, refused where they are not its own, or where
    what it gives is no vector field."""
    found = spec.build(latent_space, **fitting_arguments("member", sizes, spec.build, ["latent_space"]))
    return _as_field(found)


def _as_field(found: LatentDynamics) -> VectorFieldDynamics:
    if not isinstance(found, VectorFieldDynamics):
        raise refuse("member", "dynamics given by a vector field", type(found).__name__)
    return found
