"""Latent dynamics with inputs: the field of any other dynamics sees the inputs u(t) beside the latents.

Inputs are taken for latent coordinates whose course is known: (z, u)' = (g(z, u), .), of which the first part is
fitted to the velocities of z; so every vector field takes inputs, as `dynred.dynamics.parametric` gives parameters.
The best known case is linear g, dynamic mode decomposition with control (J. L. Proctor, S. L. Brunton, J. N. Kutz, SIAM
J. Appl. Dyn. Syst. 15, 142 (2016)). Rollouts go from one jump of an input to the next.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.checks import refuse
from dynred.data.courses import courses_of
from dynred.data.parameters import as_tensors
from dynred.data.signals import Clock, Course, Signal, joined_jumps
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import with_velocities
from dynred.dynamics._compiled import CompiledRollouts
from dynred.dynamics._rollouts import Rolling, rollout_score
from dynred.dynamics._units import LimitedField, Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, VectorFieldDynamics
from dynred.errors import InputError
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.vector_field import Parameters, VectorField, WrappedField
from dynred.runtime import Progress, silent
from dynred.simulation.pieces import solve_between_jumps
from dynred.solvers.explicit import Explicit

# The solver of rollouts whose inputs have corners: it needs no earlier steps, which those of `Adams` forget there.
RESTARTING = Explicit(rtol=1e-6, atol=1e-6)


class Driven(VectorFieldDynamics):
    """Dynamics with inputs.

    Attributes:
        member: dynamics of latents and inputs together: angles, then inputs, then lines.
        courses: what each input is between its samples, by name, in the order in which the member has them.
    """

    def __init__(
        self, spec: DynamicsSpec, space: LatentSpace, member: VectorFieldDynamics, courses: Mapping[str, Course]
    ) -> None:
        super().__init__()
        self.spec, self.latent_space, self.member, self.courses = spec, space, member, dict(courses)
        self.histories, self.solver = member.histories, member.solver
        inner, own = member.units, own_columns(space, len(self.courses))
        self.units = Standardisation(inner.shift[own].clone(), inner.spread[own].clone(), inner.rate[own].clone())

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`; only for inputs that are functions of time alone. `at` fills in others."""
        return self.at()(t, z)

    def at(self, parameters: Parameters | None = None) -> "DrivenField":
        """See `VectorFieldDynamics.at`; an input is a signal, or a number.

        Raises:
            InputError: an input is missing.
        """
        known = as_tensors(parameters)
        told = {
            name: Clock(course, torch.zeros((), dtype=torch.float64))
            for name, course in self.courses.items()
            if "clock" in course
        }
        missing = [name for name in self.courses if name not in {**told, **known}]
        if missing:
            advice = "`predict(x0, t, inputs=...)` takes them; trajectories carry them."
            raise refuse("inputs", f"given for {', '.join(self.courses)}", f"none for {', '.join(missing)}", advice)
        values = tuple({**told, **known}[name] for name in self.courses)
        return DrivenField(self.member.at(parameters), tuple(self.courses), values, self.latent_space.angles)

    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        parameters: Mapping[str, Any] | None = None,
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """See `LatentDynamics.rollout`.

        Raises:
            InputError: an input is missing, or ends before the rollout does.
        """
        for name, value in (parameters or {}).items():
            if name in self.courses and isinstance(value, Signal):
                value.check(name, float(t[0]), float(t[-1]))
        return super().rollout(z0, t, parameters, time_limit=time_limit, progress=progress)

    def _solved(self, field: VectorField, y0: Float[Tensor, "N R"], t: Float[Tensor, " T"]) -> Float[Tensor, "N T R"]:
        assert isinstance(field, LimitedField)
        between = _Between(field)
        corners = len(t) > 1 and len(between.jumps(float(t[0]), float(t[-1])))
        return solve_between_jumps(RESTARTING if corners else self.solver, between, y0, t, self._limit)

    def compiled(self, parameters: Parameters | None = None) -> CompiledRollouts:
        """See `VectorFieldDynamics.compiled`.

        Raises:
            InputError: always: what is compiled sees no time.
        """
        if not self.courses:
            return super().compiled(parameters)
        raise InputError(f"What is compiled must be dynamics without inputs, got inputs {', '.join(self.courses)}.")

    def averaged(self) -> Sequence["VectorFieldDynamics"]:
        """See `LatentDynamics.averaged`."""
        members = self.member.averaged()
        if len(members) == 1:
            return (self,)
        return [Driven(self.spec, self.latent_space, part, self.courses) for part in members]  # type: ignore[arg-type]

    def notes(self) -> list[str]:
        """See `LatentDynamics.notes`: the member's, with the names of the inputs."""
        first, names = self.latent_space.angles, list(self.courses)

        def named(match: re.Match[str]) -> str:
            i = int(match[1]) - 1 - first
            return match[0] if i < 0 else names[i] if i < len(names) else f"z{i + 1 + first - len(names)}"

        lines = [re.sub(r"\bz(\d+)\b", named, line) for line in self.member.notes()]
        return [line for line in lines if not any(line.startswith(f"{name}' =") for name in names)]

    def sizes(self) -> Mapping[str, Any]:
        """See `LatentDynamics.sizes`."""
        return {"courses": {name: dict(course) for name, course in self.courses.items()}, "member": self.member.sizes()}


@dataclass(frozen=True, eq=False)
class DrivenField(WrappedField):
    """The field of latents and inputs together, with the inputs filled in."""

    names: tuple[str, ...]
    values: tuple[Any, ...]
    angles: int

    @property
    def dim(self) -> int:
        return self.field.dim - len(self.values)

    def __call__(self, t: Float[Tensor, "*#batch"], x: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        if not self.values:
            return self.field(t, x)
        moment = torch.as_tensor(t).cpu()
        inputs = [value.value(moment) if isinstance(value, Signal) else value for value in self.values]
        held = torch.stack([value.to(x).expand(x.shape[:-1]) for value in inputs], -1)
        joint = torch.cat([x[..., : self.angles], held, x[..., self.angles :]], -1)
        velocity = self.field(t, joint)
        return torch.cat([velocity[..., : self.angles], velocity[..., self.angles + len(self.values) :]], -1)

    def rows(self, index: Int[Tensor, " n"] | slice) -> Self:
        values = tuple(value[index] if value.ndim else value for value in self.values)
        return replace(super().rows(index), values=values)

    @property
    def signals(self) -> list[Signal]:
        """The inputs that are functions of time."""
        return [value for value in self.values if isinstance(value, Signal)]

    def on(self, start: float, end: float) -> Self:
        """The field from `start` to `end`, with its inputs continued smoothly beyond."""
        values = tuple(value.on(start, end) if isinstance(value, Signal) else value for value in self.values)
        return replace(self, values=values)


@dataclass(frozen=True, eq=False)
class _Between:
    """A limited field that says where its inputs jump; see `dynred.simulation.pieces.Jumping`."""

    field: LimitedField

    def jumps(self, start: float, end: float) -> Float[Tensor, " J"]:
        assert isinstance(self.field.field, DrivenField)
        return joined_jumps(self.field.field.signals, start, end)

    def on(self, start: float, end: float) -> VectorField:
        assert isinstance(self.field.field, DrivenField)
        return replace(self.field, field=self.field.field.on(start, end))


def own_columns(space: LatentSpace, inputs: int) -> list[int]:
    """The columns of latents among those of latents and inputs together."""
    return [*range(space.angles), *range(space.angles + inputs, space.dim + inputs)]


def joint_space(space: LatentSpace, inputs: int) -> LatentSpace:
    """The space of latents and inputs together; symmetries of the latents do not hold in it."""
    return space if inputs == 0 else LatentSpace(angles=space.angles, lines=space.lines + inputs)


def joined(latents: Trajectories, names: Sequence[str], angles: int) -> Trajectories:
    """Latents and inputs together, angles first; inputs do not move, which nobody looks at.

    Raises:
        InputError: an input is missing, or velocities are.
    """
    known, given = with_velocities("latents", latents), latents.row_inputs
    assert known.velocities is not None
    lacking = [name for name in names if name not in given]
    if lacking:
        raise refuse("validation", f"trajectories with the inputs {', '.join(names)}", f"none of {', '.join(lacking)}")
    if not names:
        return latents
    values = torch.stack([given[name] for name in names], -1).to(latents.states)
    parts = ((known.states, values), (known.velocities, torch.zeros_like(values)))
    states, velocities = (torch.cat([x[:, :angles], u, x[:, angles:]], -1) for x, u in parts)
    inputs = values.to(torch.float64)
    return replace(latents, states=states, velocities=velocities, inputs=inputs, input_names=tuple(names))


@dataclass(frozen=True, eq=False)
class JointLatents(LatentData):
    """Latents and inputs together; what is chosen is chosen by rollouts with the inputs, whose course is known."""

    is_flow = False

    def score(self, model: Rolling) -> float:
        """See `LatentData.score`: of rollouts of the latents alone."""
        assert isinstance(model, VectorFieldDynamics)
        return rollout_score(*freed(model, self.validation))


def freed(member: VectorFieldDynamics, joint: Trajectories) -> tuple[Driven, Trajectories]:
    """The dynamics of latents alone that a member makes, and the latents alone, of which `joined` made `joint`."""
    space, count = member.latent_space, len(joint.input_names)
    own = LatentSpace(angles=space.angles, lines=space.lines - count)
    states = joint.states[:, own_columns(own, count)]
    courses = courses_of(joint.row_inputs, joint.attributes)
    return Driven(member.spec, own, member, courses), replace(joint, states=states, velocities=None)
