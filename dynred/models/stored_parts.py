"""The parts of a model file: what is said of each, and modules built anew from it and filled with their weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from dynred.annotations import fitting_arguments
from dynred.checks import refuse
from dynred.dynamics.base import DynamicsSpec, LatentDynamics, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.records import plain
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.solvers.adams import Adams
from dynred.solvers.base import Solver
from dynred.solvers.explicit import Explicit
from dynred.training.minimise import History
from dynred.training.nets import check_weights

Built = TypeVar("Built", bound=nn.Module)


@dataclass(frozen=True)
class StoredReducer:
    """What a file says of a reducer beside its tensors.

    Attributes:
        spec: its settings.
        sizes: see `Reducer.sizes`.
        histories: the course of its training.
    """

    spec: ReducerSpec
    sizes: Mapping[str, Any]
    histories: list[History] = field(default_factory=list)

    def build(self) -> Reducer:
        """The module, with arbitrary weights."""
        return self.spec.build(**fitting_arguments("sizes of the reducer", self.sizes, self.spec.build))


@dataclass(frozen=True)
class StoredDynamics:
    """What a file says of latent dynamics beside their tensors; its attributes are those of `StoredReducer`, and

    Attributes:
        solver: the solver of rollouts; files of before there was a choice have none.
    """

    spec: DynamicsSpec
    sizes: Mapping[str, Any]
    histories: list[History] = field(default_factory=list)
    solver: Solver | None = None

    def build(self, space: LatentSpace) -> LatentDynamics:
        """The module on a latent space, with arbitrary weights."""
        sizes = fitting_arguments("sizes of the dynamics", self.sizes, self.spec.build, ["latent_space"])
        dynamics = self.spec.build(space, **sizes)
        if isinstance(dynamics, VectorFieldDynamics) and isinstance(dynamics.solver, Adams | Explicit):
            dynamics.solver = self.solver or _earlier(dynamics.solver)
        return dynamics


def _earlier(solver: Solver) -> Solver:
    # What version 0.1 took where Adams is taken now, so that its models predict what they predicted.
    return Explicit(rtol=10 * solver.rtol, atol=10 * (solver.atol or 0.0)) if isinstance(solver, Adams) else solver


def described(part: Reducer | LatentDynamics) -> dict[str, Any]:
    """A part as `StoredReducer` or `StoredDynamics` reads it, but for its histories."""
    parts = {"spec": part.spec.to_dict(), "sizes": dict(part.sizes())}
    solver = getattr(part, "solver", None)
    if isinstance(part, VectorFieldDynamics) and isinstance(solver, Adams | Explicit):  # others come with their class
        parts["solver"] = solver.to_dict()
    return parts


def histories(part: Reducer | LatentDynamics) -> list[Any]:
    """The histories of a part as plain JSON data."""
    return plain(list(part.histories))


def filled(
    build: Callable[[], Built], tensors: Mapping[str, Shaped[Tensor, "..."]], prefix: str, infinite: Sequence[str] = ()
) -> Built:
    """The module that `build` makes, with the tensors named `prefix.something` as its state, without gradients.

    The module is built without memory first (on torch's meta device) and checked against the tensors, so that sizes for
    which there are no weights cost nothing.

    Args:
        build: makes the module, always the same.
        tensors: all tensors of a file.
        prefix: prefix of the names of those that are meant.
        infinite: names, after the prefix, of tensors that may be infinite.

    Raises:
        InputError: tensors are missing, of another shape or dtype, not finite, or too many.
    """
    given = {k.removeprefix(f"{prefix}."): v for k, v in tensors.items() if k.startswith(f"{prefix}.")}
    check_weights(_without_memory(build).state_dict(), given, f"{prefix}.")
    for name, tensor in given.items():
        bad = tensor.isnan() if name in infinite else ~tensor.isfinite()
        if bad.any():
            raise refuse(f"tensor {prefix}.{name}", "finite everywhere", "numbers that are not")
    module = build()
    for name, tensor in module.state_dict().items():
        # Integers that building computes, such as which monomials there are, are no weights: a file only repeats them.
        if not tensor.is_floating_point() and tensor.any() and not torch.equal(tensor, given[name]):
            raise refuse(f"tensor {prefix}.{name}", "as the settings have it", "another")
    module.load_state_dict(given)
    return module.requires_grad_(False)


def _without_memory(build: Callable[[], Built]) -> Built:
    try:
        with torch.device("meta"):
            return build()
    except (NotImplementedError, RuntimeError) as error:
        if "meta" not in str(error).lower():
            raise
        return build()  # a user's own module, which looks at values while it is made
