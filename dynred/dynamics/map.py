"""Latent maps z_{k+1} = z_k + g(z_k), fitted to pairs of snapshots in a row: no velocities are needed.

For what has no velocity, or whose snapshots are too far apart for one: Poincare sections, maps such as Henon's,
stroboscopic samples. The change in one step takes the place of the velocity, so that any dynamics given by a vector
field, polynomials or networks, can be g. Angles change by at most half a turn in a step.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred import plugins
from dynred.checks import positive, refuse
from dynred.data.trajectories import Trajectories
from dynred.dynamics._members import as_field, build_field
from dynred.dynamics._rollouts import Rolling, step_score
from dynred.dynamics._units import Report, Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, LatentDynamics, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.time_grids import common_step, whole_steps
from dynred.ode.vector_field import Parameters, VectorField, WrappedField
from dynred.runtime import Progress, silent


def default_change() -> DynamicsSpec:
    """What gives the change in one step by default: polynomials, found by name like any plug-in."""
    return plugins.load_class("dynred.dynamics", "polynomial", DynamicsSpec)()


class LatentMap(LatentDynamics):
    """A map of latent states; predictions count its steps.

    Attributes:
        member: dynamics whose velocity is the change in one step.
        time_step: the time of one step, in time units.
    """

    def __init__(self, spec: DynamicsSpec, member: VectorFieldDynamics, time_step: float) -> None:
        super().__init__()
        self.spec, self.latent_space, self.member, self.time_step = spec, member.latent_space, member, time_step
        self.histories = member.histories

    @property
    def units(self) -> Standardisation:
        """The standard units: those of the member."""
        return self.member.units

    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        parameters: Parameters | None = None,
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """See `LatentDynamics.rollout`.

        Raises:
            InputError: a time is no whole number of steps after t[0].
        """
        assert self.time_step is not None
        steps = whole_steps(t, self.time_step).tolist()
        deadline = time.monotonic() + min(self.member.time_limit, math.inf if time_limit is None else time_limit)
        report, step = Report(progress, 0.0, float(steps[-1])), self.evolution(parameters)
        z, first, done = z0.double(), t[0].double(), 0
        states = z.new_full((len(z), len(steps), z.shape[1]), torch.nan)
        for i, wanted in enumerate(steps):
            while done < wanted and time.monotonic() < deadline:
                z = self._inside(step(first + done * self.time_step, z))
                done += 1
                report(done)
            if done < wanted:
                break
            states[:, i] = z
        return states

    def _inside(self, z: Float[Tensor, "N R"]) -> Float[Tensor, "N R"]:
        # Rows that left for good, as in other rollouts, are NaN from then on.
        if self.latent_space.angles:
            return torch.where(z.isfinite().all(-1, keepdim=True), z, torch.nan)
        inside = (self.units.standard(z).abs() <= self.member.limit).all(-1, keepdim=True)
        return torch.where(inside, z, torch.nan)

    def at(self, parameters: Parameters | None = None) -> NoReturn:
        """See `LatentDynamics.at`.

        Raises:
            InputError: always, as there is no vector field.
        """
        raise refuse("dynamics", "given by a vector field", "a map, which has steps and no velocity")

    def evolution(self, parameters: Parameters | None = None) -> VectorField:
        """See `LatentDynamics.evolution`: the map."""
        assert self.time_step is not None
        return _Next(self.member.at(parameters), self.time_step)

    def sizes(self) -> Mapping[str, Any]:
        """See `LatentDynamics.sizes`."""
        return {"time_step": self.time_step, "member": self.member.sizes()}

    def notes(self) -> list[str]:
        """See `LatentDynamics.notes`: those of the member, which speak of the change in one step."""
        notes = self.member.notes()
        return [f"z' is the change of z in one step of {self.time_step:g}.", *notes] if notes else []


@dataclass(frozen=True, eq=False)
class _Next(WrappedField):
    """The map itself: its value is the state one step later."""

    time_step: float

    def __call__(self, t: Float[Tensor, "*#batch"], x: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        return x + self.field(t, x)


@dataclass(frozen=True)
class MapSpec(DynamicsSpec):
    """Settings of a map; it needs trajectories that are evenly spaced in time, and no velocities.

    Attributes:
        member: dynamics given by a vector field, which give the change in one step; their settings are chosen by
            validation rollouts of the map. Polynomials by default; `neural_ode` adds a network to these.
    """

    needs_velocities = False
    member: DynamicsSpec = field(default_factory=default_change)

    def check(self, trajectories: Trajectories) -> None:
        """See `DynamicsSpec.check`: a map takes equal steps, and no inputs."""
        _check_no_inputs(trajectories)
        common_step("the trajectories", trajectories.grids)

    def _fit(self, data: LatentData) -> LatentMap:
        """The member fitted to the changes in one step; see `DynamicsSpec._fit`.

        Raises:
            InputError: times are not evenly spaced, the steps of validation differ from those of the latents, or there
                are inputs.
        """
        _check_no_inputs(data.latents)
        step = common_step("the latents", data.latents.grids)
        held = common_step("validation", data.validation.grids)
        if abs(held - step) > 1e-3 * step:
            raise refuse("validation", f"in steps of {step:g}, like the latents", f"steps of {held:g}")
        whole = [_with_changes(part, data.latent_space) for part in (data.latents, data.validation)]
        latents, validation = (part.where(_followed(part)) for part in whole)
        parts = (latents, validation, data.latent_space, data.rng, data.runtime)
        return LatentMap(self, as_field(self.member.fitted(_Steps(*parts, whole[1], self, step))), step)

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: a copy of the latents, and what the member takes."""
        return super().memory(latent_space, train, validation) + self.member.memory(latent_space, train, validation)

    def build(self, latent_space: LatentSpace, time_step: float, member: Mapping[str, Any]) -> LatentMap:  # type: ignore[override] # its sizes by name
        """See `DynamicsSpec.build`."""
        return LatentMap(self, build_field(self.member, latent_space, member), positive("time_step", time_step))


@dataclass(frozen=True, eq=False)
class _Steps(LatentData):
    """Latents with their change in one step in the place of velocities; what is chosen is chosen by steps.

    Attributes:
        whole: the validation trajectories with their last snapshots, which have no change.
        spec: the settings of the map.
        step: the time of one step.
    """

    is_flow = False
    whole: Trajectories
    spec: MapSpec
    step: float

    def score(self, model: Rolling) -> float:
        """See `LatentData.score`: of rollouts of the map."""
        assert isinstance(model, VectorFieldDynamics)
        return step_score(LatentMap(self.spec, model, self.step), self.whole)

    def changed(self, change: Callable[[Trajectories], Trajectories], latent_space: LatentSpace | None = None) -> Self:
        """See `LatentData.changed`."""
        return replace(super().changed(change, latent_space), whole=change(self.whole))


def _check_no_inputs(trajectories: Trajectories) -> None:
    if trajectories.inputs is not None:
        advice = "A vector field sees them (--dynamics polynomial); or leave them out."
        raise refuse("trajectories for a map", "without inputs", ", ".join(trajectories.input_names), advice)


def _with_changes(part: Trajectories, space: LatentSpace) -> Trajectories:
    """The trajectories with the change until the next snapshot as velocities; that of a last snapshot is 0."""
    states = part.states.double()
    changes = torch.zeros_like(states)
    followed = _followed(part)
    rows: Int[Tensor, " m"] = torch.nonzero(followed)[:, 0]
    changes[rows] = space.difference(states[rows + 1], states[rows])
    return replace(part, velocities=changes.to(part.states))


def _followed(part: Trajectories) -> Tensor:
    """Whether a snapshot [M] has a next one."""
    followed = torch.zeros(len(part.t), dtype=torch.bool)
    followed[:-1] = part.owner[1:] == part.owner[:-1]
    return followed
