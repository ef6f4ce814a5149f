"""What every solver of initial value problems offers."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import at_least, refuse
from dynred.numerics.size import size_of
from dynred.ode.vector_field import VectorField, WrappedField
from dynred.spec import Spec

LIMIT = 1e15  # a state beyond this has left every bound; far from overflow in float64, beyond any sensible unit


@dataclass(frozen=True)
class Solver(Spec, ABC):
    """The settings of a method and the method itself: solvers have no state.

    A solver never raises for a trajectory that diverges: its states are NaN from then on. Rows of a batch do not
    influence each other beyond the solver's tolerance.

    Attributes:
        time_limit: seconds after which `solve` stops; None for no limit. States not reached by then are infinite,
            except those of trajectories that had diverged before. With a limit, a result depends on the speed of the
            machine.
    """

    time_limit: float | None = field(default=None, kw_only=True)

    def __post_init__(self):
        if self.time_limit is not None:
            at_least("time_limit", self.time_limit, 0)

    @abstractmethod
    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """States at `times`; the first is x0 itself.

        Args:
            field: the velocity.
            x0: states at times[0].
            times: increasing, in the field's time units.
            limit: largest absolute value of a component that does not count as diverged.
        """

    def solve_with_velocities(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> tuple[Float[Tensor, "N T D"], Float[Tensor, "N T D"] | None]:
        """States as `solve` gives them, and their velocities where the method has them anyway, else None."""
        return self.solve(field, x0, times, limit), None

    @property
    def adaptive(self) -> bool:
        """Whether steps follow from an estimate of their error; else somebody chose them."""
        return True

    def refined(self, factor: float, field: VectorField, times: Float[Tensor, " T"]) -> "Solver | None":
        """The same method with another accuracy: tolerances or steps a `factor` smaller, or larger where it is below 1.

        Two solvers whose accuracy differs tell until when their results can be trusted. A solver of your own that does
        not say how it is refined gives None: nothing is known of its error.

        Args:
            factor: how many times smaller, > 0.
            field: the velocity that is to be solved, because a step may be its own.
            times: the times that are to be reached, because a step may be the time between them.
        """
        return None

    def processes(self, field: VectorField) -> int:
        """How many processes share the trajectories of a long solution; 1 where all are solved at once."""
        return 1

    def flow_with_tangents(
        self, field: VectorField, x: Float[Tensor, "N D"], tangents: Float[Tensor, "N k D"], duration: float
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N k D"]]:
        """States a time `duration` later, and tangent vectors carried along by the derivative of the flow.

        State and tangents form one larger ODE, (x, v)' = (f(x), f'(x) v), which the same solver solves. The field must
        be differentiable by torch.

        Raises:
            InputError: the field is not differentiable.
        """
        if not field.differentiable:
            raise refuse("the right-hand side", "differentiable by torch", "one that is not", "Write it in torch.")
        n, k, d = tangents.shape
        # Tangents of the state's size share its tolerance; a power of two changes none of their digits.
        unit = torch.exp2(torch.log2(size_of(x) / size_of(tangents.flatten(1))).round())[..., None]
        start = torch.cat([x[:, None], unit * tangents], 1).reshape(n, (k + 1) * d)
        times = torch.tensor([0.0, duration], dtype=torch.float64)
        limit = LIMIT * max(1.0, float(x.abs().max())) if n else LIMIT
        end = self.solve(_WithTangents(field, k), start, times, limit)[:, -1].reshape(n, k + 1, d)
        return end[:, 0], end[:, 1:] / unit


@runtime_checkable
class PushesTangents(Protocol):
    """A field that knows a quicker way than torch's to push tangents forward."""

    def push(
        self, t: Float[Tensor, "*#N"], x: Float[Tensor, "N D"], tangents: Float[Tensor, "N k D"]
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N k D"]]:
        """The velocity, and what its derivative makes of tangents."""
        ...


@dataclass(frozen=True, eq=False)
class _WithTangents(WrappedField):
    """The field of a state and k tangent vectors, [N, (k + 1) D]."""

    k: int

    @property
    def dim(self) -> int:
        return self.field.dim * (self.k + 1)

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        parts = x.reshape(*x.shape[:-1], self.k + 1, self.field.dim)
        state, tangents = parts[..., 0, :], parts[..., 1:, :]
        if isinstance(self.field, PushesTangents) and state.ndim == 2:
            velocity, pushed = self.field.push(t, state, tangents)
            return torch.cat([velocity[:, None], pushed], 1).reshape(x.shape)

        def push(v: Tensor) -> tuple[Tensor, Tensor]:
            value, pushed, *_ = torch.func.jvp(lambda y: self.field(t, y), (state,), (v,))
            return value, pushed

        velocity, pushed = torch.func.vmap(push, in_dims=-2, out_dims=(None, -2))(tangents)  # type: ignore[arg-type]
        return torch.cat([velocity[..., None, :], pushed], -2).reshape(x.shape)


class Deadline:
    """The moment at which a solver must stop: `seconds` after this object is made; never if `seconds` is None."""

    def __init__(self, seconds: float | None):
        self._end = None if seconds is None else time.monotonic() + seconds

    def passed(self) -> bool:
        """Whether the moment has passed."""
        return self._end is not None and time.monotonic() >= self._end

    def left(self) -> float | None:
        """Seconds until the moment, >= 0; None if it never comes."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())


def longest_step(times: Float[Tensor, " T"], step: float | None) -> float | None:
    """The longest step that divides each time between outputs evenly and is at most `step`; None without outputs."""
    gaps = torch.diff(times.double())
    if len(gaps) == 0:
        return step
    return float(gaps.min() if step is None else (gaps / torch.ceil(gaps / step - 1e-9).clamp_min(1)).max())


def unreached(states: Float[Tensor, "N T D"], times: Float[Tensor, " T"], stopped: float) -> Float[Tensor, "N T D"]:
    """`states`, set to infinity after the time `stopped` of a deadline, except in trajectories that diverged."""
    late = times.to(states.device) > stopped
    diverged = states[:, ~late].isnan().any(-1).any(-1)
    return torch.where(late[:, None] & ~diverged[:, None, None], torch.inf, states)


def end_at_blow_up(states: Float[Tensor, "N T D"], limit: float) -> Float[Tensor, "N T D"]:
    """`states`, set to NaN from the first time at which a component is not finite or beyond `limit`."""
    inside = (states.amax(-1) <= limit) & (states.amin(-1) >= -limit)  # false for NaN; makes no copy of large states
    if inside.all():
        return states
    gone = torch.cumsum(~inside, 1) > 0
    return torch.where(gone[..., None], torch.nan, states)
