"""Lyapunov exponents and the Kaplan-Yorke dimension of any vector field, full or reduced.

Tangent vectors are carried along by exact derivatives and orthogonalised by QR (G. Benettin, L. Galgani, A. Giorgilli,
J.-M. Strelcyn, Meccanica 15, 9 (1980)); many trajectories are followed at once, which also gives the error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import generator_given, integer, kind_of, positive, refuse
from dynred.errors import DivergenceError, InputError
from dynred.models.base import Model
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.ode.vector_field import Parameters, VectorField
from dynred.plugins import only
from dynred.runtime import Progress, silent
from dynred.simulation.choose_solver import choose_solver
from dynred.simulation.simulate import simulate
from dynred.solvers.base import Deadline, Solver


@dataclass(frozen=True, eq=False)
class LyapunovSpectrum:
    """The leading Lyapunov exponents.

    Attributes:
        exponents: [k], per time unit, decreasing.
        error: standard error of each [k], from the spread between trajectories; NaN for a single trajectory.
        kaplan_yorke_dimension: j + (sum of the first j) / |next|, with j the largest number of leading exponents of sum
            >= 0; None where all k together still have a sum >= 0, so that more exponents are needed.
        time: time over which was averaged, of all trajectories together, in time units.
    """

    exponents: Float[Tensor, " k"]
    error: Float[Tensor, " k"]
    kaplan_yorke_dimension: float | None
    time: float


@public
def lyapunov_spectrum(
    source: System | Model | VectorField,
    k: int | None = None,
    *,
    rng: torch.Generator,
    n: int = 8,
    duration: float | None = None,
    interval: float | None = None,
    initial: Float[Tensor, "n D"] | None = None,
    parameters: Parameters | None = None,
    solver: str | Solver = "auto",
    project: Callable[[Float[Tensor, "*batch D"]], Float[Tensor, "*batch D"]] | None = None,
    time_limit: float | None = None,
    progress: Progress = silent,
) -> LyapunovSpectrum:
    """The k leading Lyapunov exponents.

    Args:
        source: a system; a reduced model, whose latent dynamics are followed; or any vector field, which needs
            `initial`, `interval` and `duration`.
        k: how many, 1 <= k <= D; default: all, at most 16.
        rng: draws initial states and tangent vectors.
        n: number of trajectories, each started on K by its own transient.
        duration: averaging time of each, in time units; default: 200 time scales of the system, also of a model's.
        interval: time between two orthogonalisations; default: a tenth of its time scale. Tangents must not align
            within it: at most about 10 / (first minus k-th exponent).
        initial: states on K, instead of n fresh ones; of a model latents [n, R] or full states [n, D]. Without them a
            model's system must be in the catalogue.
        parameters: of a system, replaces defaults; those of a model are the ones that it was given (`model.at`).
        solver: as for `simulate`; `auto` takes the solver of a model's rollouts where its field has one.
        project: projection of tangents [..., D] onto directions that count; default: the system's `tangent_projection`.
            Without it round-off keeps re-seeding directions along a conserved quantity, as a spurious zero exponent.
        time_limit: seconds after which the work stops: what was averaged until then counts, and the result's `time`
            says over how long that was.
        progress: receives reports.

    Raises:
        InputError: arguments out of range, a field that torch cannot differentiate, or a time limit that was reached
            before there was anything to average.
        DivergenceError: a trajectory diverged.
    """
    generator_given(rng)
    for name, value in (("duration", duration), ("interval", interval)):
        if value is not None:
            positive(name, value)
    deadline = Deadline(None if time_limit is None else positive("time_limit", time_limit))
    if isinstance(source, Model):
        if parameters:
            raise refuse("parameters", "those of a system", "some for a model", "Give a model its own by `model.at`.")
        source, initial, scale = _latent(source, rng, n, initial)
        solver = getattr(source, "solver", solver) if solver == "auto" else solver  # fields made of others have none
        duration, interval = duration or 200 * scale, interval or 0.1 * scale
    field, x, step, total, projection = _prepared(source, rng, n, duration, interval, initial, parameters, deadline)
    if step > total:
        raise refuse("interval", f"at most the duration, {total:g}", step)
    projection = project or projection
    k = integer("k", min(field.dim, 16) if k is None else k, 1, field.dim)
    if not field.differentiable:
        raise refuse("the right-hand side", "differentiable by torch", "one in NumPy", "Write it in torch.")
    method = _solver(source, field, x, step, solver)
    frame = _orthonormal(projection(torch.randn(len(x), k, field.dim, generator=rng, dtype=torch.float64)))[0]
    # The first tenth is not counted: the frame turns into the Lyapunov directions.
    steps = max(10, round(total / step))
    skip = max(1, steps // 10)
    growth, counted = torch.zeros(len(x), k, dtype=torch.float64), 0
    turning, marks = torch.zeros_like(growth), {}  # growth while it turns, for work that a deadline ends meanwhile
    for i in range(steps + skip):
        if deadline.passed():
            break
        x, pushed = method.flow_with_tangents(field, x, frame, step)
        if not torch.isfinite(x).all():
            row = int(torch.nonzero(~torch.isfinite(x).all(-1))[0])
            raise DivergenceError(f"Trajectory {row} diverged after t = {i * step:g}.", row, i * step)
        frame, logs = _orthonormal(projection(pushed))
        if i >= skip:
            growth, counted = growth + logs, counted + 1
        else:
            turning = turning + logs
            marks[(i + 1).bit_length()] = i + 1, turning  # the last of those below each power of two
        progress("lyapunov", i + 1, steps + skip)
    if counted == 0:
        growth, counted = _after_a_tenth(marks, time_limit)
    rates = torch.sort(growth / (counted * step), dim=1, descending=True).values
    mean = rates.mean(0)
    error = rates.std(0) / len(x) ** 0.5 if len(x) > 1 else torch.full_like(mean, torch.nan)
    return LyapunovSpectrum(mean, error, kaplan_yorke_dimension(mean), counted * step * len(x))


def _after_a_tenth(marks: Mapping[int, tuple[int, Tensor]], time_limit: float | None) -> tuple[Tensor, int]:
    """Growth, and over how many intervals, after about the first tenth of those that were done."""
    if len(marks) < 2:
        raise refuse("time_limit", "long enough for two intervals between orthogonalisations", f"{time_limit:g} s")
    done, growth = marks[max(marks)]
    first, before = max((mark for mark in marks.values() if mark[0] <= max(1, done // 10)), key=lambda mark: mark[0])
    return growth - before, done - first


def kaplan_yorke_dimension(exponents: Float[Tensor, " k"]) -> float | None:
    """j + (sum of the first j exponents) / |exponent j + 1|; None where the sum of all is still >= 0.

    Source: J. L. Kaplan, J. A. Yorke, Lect. Notes Math. 730, 204 (1979).
    """
    sums = torch.cumsum(exponents, 0)
    j = int((torch.cummin(sums, 0).values >= 0).sum())
    if j == len(exponents):
        return None
    before = float(sums[j - 1]) if j else 0.0
    return j + before / abs(float(exponents[j])) if j else 0.0


def _latent(
    model: Model, rng: torch.Generator, n: int, initial: Tensor | None
) -> tuple[VectorField, Float[Tensor, "n R"], float]:
    """The latent field of a model, latents on K, and its system's time scale."""
    field = model.vector_field()
    if initial is None:
        initial = _states(model, rng, n)
    if initial.shape[-1] == model.state_dim:
        initial = model.encode(initial)
    elif initial.shape[-1] != field.dim:
        width = f"latents of {field.dim} or states of {model.state_dim} values"
        raise refuse("initial", width, f"shape {list(initial.shape)}")
    return field, initial.double(), float(model.about.get("time_scale", 1.0))


def _states(model: Model, rng: torch.Generator, n: int) -> Float[Tensor, "n D"]:
    try:
        with only(()):  # the name is a file's
            system = find_system(str(model.about.get("system", "")), **model.about.get("arguments", {}))
    except InputError as error:
        advice = f"The catalogue has no system of that name: {error}"
        raise refuse("initial", "states on K", "None", advice) from error
    return simulate(system, n, torch.zeros(1, dtype=torch.float64), rng=rng, parameters=model.given).states


def _prepared(
    source: System | VectorField,
    rng: torch.Generator,
    n: int,
    duration: float | None,
    interval: float | None,
    initial: Tensor | None,
    parameters: Parameters | None,
    deadline: Deadline,
) -> tuple[VectorField, Tensor, float, float, Callable[[Tensor], Tensor]]:
    if isinstance(source, System):
        parameters = {**source.parameters, **(parameters or {})}
        source = source.underlying
        step = positive("interval", interval if interval is not None else 0.1 * source.time_scale)
        total = positive("duration", duration if duration is not None else 200 * source.time_scale)
        if initial is None:
            start = torch.zeros(1, dtype=torch.float64)
            left = deadline.left()
            limit = None if left is None else max(1e-3, left)
            initial = simulate(source, n, start, rng=rng, parameters=parameters, time_limit=limit).states
        if initial.ndim != 2 or initial.shape[1] != source.dim:
            raise refuse("initial", f"states [n, {source.dim}]", f"shape {list(initial.shape)}")
        return source.bind(parameters), initial.double(), step, total, source.tangent_projection or _identity
    if not callable(source):
        raise refuse("source", "a System, a Model or a vector field", kind_of(source))
    if initial is None or interval is None or duration is None:
        missing = [k for k, v in (("initial", initial), ("interval", interval), ("duration", duration)) if v is None]
        raise refuse("a vector field that is no System", "given with initial, interval and duration", f"no {missing}")
    return source, initial.double(), positive("interval", interval), positive("duration", duration), _identity


def _solver(source: object, field: VectorField, x: Tensor, step: float, solver: str | Solver) -> Solver:
    times = torch.tensor([0.0, step], dtype=torch.float64)
    return choose_solver(field, x, times, solver)[0]


def _identity(v: Tensor) -> Tensor:
    return v


def _orthonormal(v: Float[Tensor, "n k D"]) -> tuple[Float[Tensor, "n k D"], Float[Tensor, "n k"]]:
    """Rows made orthonormal, and the logarithms of their lengths before."""
    q, r = torch.linalg.qr(v.transpose(-1, -2))
    return q.transpose(-1, -2), torch.diagonal(r, dim1=-2, dim2=-1).abs().log()
