"""Latent dynamics that are made of others."""

from collections.abc import Mapping
from typing import Any

import torch

from dynred import plugins
from dynred.annotations import fitting_arguments
from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.dynamics.base import DynamicsSpec, LatentDynamics, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.runtime import Runtime


def default_member() -> DynamicsSpec:
    """What dynamics that are made of others are made of by default: the neural ODE, found by name like any plug-in."""
    return plugins.load_class("dynred.dynamics", "neural_ode", DynamicsSpec)()


def fit_field(
    spec: DynamicsSpec,
    latents: Trajectories,
    validation: Trajectories,
    *,
    rng: torch.Generator,
    latent_space: LatentSpace,
    runtime: Runtime | None,
) -> VectorFieldDynamics:
    """`spec.fit`, refused where what it gives is no vector field."""
    return _as_field(spec.fit(latents, validation, rng=rng, latent_space=latent_space, runtime=runtime))


def build_field(spec: DynamicsSpec, latent_space: LatentSpace, sizes: Mapping[str, Any]) -> VectorFieldDynamics:
    """`spec.build` with sizes as they are stored within those of another, refused where they are not its own, or where
    what it gives is no vector field."""
    found = spec.build(latent_space, **fitting_arguments("member", sizes, spec.build, ["latent_space"]))
    return _as_field(found)


def _as_field(found: LatentDynamics) -> VectorFieldDynamics:
    if not isinstance(found, VectorFieldDynamics):
        raise refuse("member", "dynamics given by a vector field", type(found).__name__)
    return found
