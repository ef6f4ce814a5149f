"""Lyapunov exponents and the Kaplan-Yorke dimension of any vector field or map, full or reduced.

Tangent vectors are carried along by exact derivatives and orthogonalised by QR (G. Benettin, L. Galgani, A. Giorgilli,
J.-M. Strelcyn, Meccanica 15, 9 (1980)). Many trajectories are followed at once; their spread gives the error.

An exponent is the slope of a straight line through the logarithms of the growth, by least squares over all intervals.
The growth along a direction whose exponent is zero, that of the flow or of a symmetry, stays bounded, so the slope of
its line falls as T^-3/2 with the averaging time T, where growth over time falls as 1 / T. Of growth that wanders like a
sum of independent steps the slope has a standard error that is 10 % larger.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import generator_given, integer, kind_of, positive, refuse
from dynred.errors import DivergenceError, InputError
from dynred.models.base import Model
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.ode.vector_field import Parameters, VectorField, time_step
from dynred.plugins import only
from dynred.runtime import Progress, silent
from dynred.simulation.choose_solver import choose_solver
from dynred.simulation.simulate import simulate
from dynred.solvers.base import Deadline, Solver

Projection = Callable[[Float[Tensor, "*batch D"]], Float[Tensor, "*batch D"]]


@dataclass(frozen=True, eq=False)
class LyapunovSpectrum:
    """The leading Lyapunov exponents.

    Attributes:
        exponents: [k], per time unit, decreasing.
        error: standard error of each [k], from the spread between trajectories; NaN for a single trajectory.
        kaplan_yorke_dimension: j + (sum of the first j) / |next|, with j the largest number of leading exponents of sum
            >= 0; None where all k together still have a sum >= 0, so that more exponents are needed.
        time: averaging time of all trajectories together, in time units.
    """

    exponents: Float[Tensor, " k"]
    error: Float[Tensor, " k"]
    kaplan_yorke_dimension: float | None
    time: float


@dataclass(frozen=True, eq=False)
class _Request:
    """Arguments of `lyapunov_spectrum`; the source chooses what is None."""

    n: int
    duration: float | None
    interval: float | None
    initial: Float[Tensor, "n D"] | None
    parameters: Parameters | None
    solver: str | Solver
    project: Projection | None

    def __post_init__(self):
        for name, value in (("duration", self.duration), ("interval", self.interval)):
            if value is not None:
                positive(name, value)


@dataclass(frozen=True, eq=False)
class _Run:
    """What is followed: a field from states [n, D], for a duration, with tangents made orthonormal every interval."""

    field: VectorField
    states: Float[Tensor, "n D"]
    interval: float
    duration: float
    solver: str | Solver
    project: Projection

    def __post_init__(self):
        if self.interval > self.duration:
            raise refuse("interval", f"at most the duration, {self.duration:g}", self.interval)


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
    project: Projection | None = None,
    time_limit: float | None = None,
    progress: Progress = silent,
) -> LyapunovSpectrum:
    """The k leading Lyapunov exponents.

    Args:
        source: a system; a reduced model, whose latent dynamics are followed; or any vector field, which needs
            `initial`, `interval` and `duration`.
        k: number of exponents, 1 <= k <= D; default: all, at most 16.
        rng: draws initial states and tangent vectors.
        n: number of trajectories, each started on K by its own transient.
        duration: averaging time of each, in time units; default: 200 time scales of the system, also of a model's.
        interval: time between two orthogonalisations; default: a tenth of the system's time scale, one step of a map.
            Tangents must not align within it: at most about 10 / (first minus k-th exponent).
        initial: states on K, instead of n fresh ones; of a model latents [n, R] or full states [n, D]. Without them a
            model's system must be in the catalogue.
        parameters: of a system, they replace its defaults; a model has its own (`model.at`).
        solver: as for `simulate`; `auto` takes the solver of a model's rollouts where its field has one.
        project: projection of tangents [..., D] onto directions that count; default: the system's `tangent_projection`.
            Without it round-off re-seeds directions along a conserved quantity, as a spurious zero exponent.
        time_limit: seconds after which the work stops. The result averages what was done until then; its `time` says
            how long that is.
        progress: receives reports.

    Raises:
        InputError: arguments are out of range, torch cannot differentiate the field, or the time limit was reached
            before there was anything to average.
        DivergenceError: a trajectory diverged.
    """
    generator_given(rng)
    request = _Request(n, duration, interval, initial, parameters, solver, project)
    deadline = Deadline(None if time_limit is None else positive("time_limit", time_limit))
    run = _prepared(source, request, rng, deadline)
    k = integer("k", min(run.field.dim, 16) if k is None else k, 1, run.field.dim)
    if not run.field.differentiable:
        raise refuse("the right-hand side", "differentiable by torch", "one in NumPy", "Write it in torch.")
    slopes, intervals = _slopes(run, k, rng, deadline, time_limit, progress)
    return _spectrum(slopes / run.interval, intervals * run.interval)


def _slopes(
    run: _Run, k: int, rng: torch.Generator, deadline: Deadline, time_limit: float | None, progress: Progress
) -> tuple[Float[Tensor, "n k"], int]:
    """How fast the logarithms of k tangents grow along each trajectory, per interval, and over how many intervals."""
    field, x, step = run.field, run.states, run.interval
    method = _solver(field, x, step, run.solver)
    tangents = torch.randn(len(x), k, field.dim, generator=rng, dtype=torch.float64)
    frame = _orthonormal(run.project(tangents))[0]
    # The first tenth is not counted: the frame turns into the Lyapunov directions.
    steps = max(10, round(run.duration / step))
    skip = max(1, steps // 10)
    growth, counted = torch.zeros(len(x), k, dtype=torch.float64), 0
    sums, moments = (
        torch.zeros_like(growth),
        torch.zeros_like(growth),
    )  # over intervals, of growth and of i times growth
    turning, marks = torch.zeros_like(growth), {}  # growth while the frame turns; counts where a deadline ends the work
    for i in range(steps + skip):
        if deadline.passed():
            break
        x, pushed = method.flow_with_tangents(field, x, frame, step)
        if not torch.isfinite(x).all():
            row = int(torch.nonzero(~torch.isfinite(x).all(-1))[0])
            raise DivergenceError(f"Trajectory {row} diverged after t = {i * step:g}.", row, i * step)
        frame, logs = _orthonormal(run.project(pushed))
        if i >= skip:
            growth, counted = growth + logs, counted + 1
            sums, moments = sums + growth, moments + counted * growth
        else:
            turning = turning + logs
            marks[(i + 1).bit_length()] = i + 1, turning  # the last mark below each power of two stays
        progress("lyapunov", i + 1, steps + skip)
    if not counted:
        return _after_a_tenth(marks, time_limit)
    return 12 * (moments - counted / 2 * sums) / (counted * (counted + 1) * (counted + 2)), counted


def _after_a_tenth(marks: Mapping[int, tuple[int, Tensor]], time_limit: float | None) -> tuple[Tensor, int]:
    """Growth per interval after about the first tenth of those that were done, and over how many intervals."""
    if len(marks) < 2:
        raise refuse("time_limit", "long enough for two intervals between orthogonalisations", f"{time_limit:g} s")
    done, growth = marks[max(marks)]
    first, before = max((mark for mark in marks.values() if mark[0] <= max(1, done // 10)), key=lambda mark: mark[0])
    return (growth - before) / (done - first), done - first


def _spectrum(rates: Float[Tensor, "n k"], time: float) -> LyapunovSpectrum:
    """The spectrum of n trajectories whose tangents grew at rates [n, k], per time unit, for a time."""
    n = len(rates)
    # Means are put in order, not the rates of each trajectory: of two equal exponents, the larger of two noisy numbers
    # is too large in the mean, and the smaller too small.
    mean, order = torch.sort(rates.mean(0), descending=True)
    error = (rates.std(0) / n**0.5)[order] if n > 1 else torch.full_like(mean, torch.nan)
    return LyapunovSpectrum(mean, error, kaplan_yorke_dimension(mean), time * n)


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


def _prepared(
    source: System | Model | VectorField, request: _Request, rng: torch.Generator, deadline: Deadline
) -> _Run:
    if isinstance(source, System):
        return _system_run(source, request, rng, deadline)
    if isinstance(source, Model):
        return _field_run(*_latent(source, request, rng))
    return _field_run(source, request)


def _latent(model: Model, request: _Request, rng: torch.Generator) -> tuple[VectorField, _Request]:
    """The latent field of a model, and the request with latents on K and times in its system's time scale."""
    if request.parameters:
        raise refuse("parameters", "those of a system", "some for a model", "Give a model its own by `model.at`.")
    field, initial = model.evolution(), request.initial
    if initial is None:
        initial = _states(model, rng, request.n)
    if initial.shape[-1] == model.state_dim:
        initial = model.encode(initial)
    elif initial.shape[-1] != field.dim:
        width = f"latents of {field.dim} or states of {model.state_dim} values"
        raise refuse("initial", width, f"shape {list(initial.shape)}")
    scale = float(model.about.get("time_scale", 1.0))
    duration, interval = request.duration or 200 * scale, request.interval or _interval(field, scale)
    # A field made of others has no solver of its own.
    solver = getattr(field, "solver", request.solver) if request.solver == "auto" else request.solver
    return field, replace(request, initial=initial, duration=duration, interval=interval, solver=solver)


def _states(model: Model, rng: torch.Generator, n: int) -> Float[Tensor, "n D"]:
    try:
        with only(()):  # the name comes from a file, so it must not load code
            system = find_system(str(model.about.get("system", "")), **model.about.get("arguments", {}))
    except InputError as error:
        advice = f"The catalogue has no system of that name: {error}"
        raise refuse("initial", "states on K", "None", advice) from error
    return simulate(system, n, torch.zeros(1, dtype=torch.float64), rng=rng, parameters=model.given).states


def _system_run(system: System, request: _Request, rng: torch.Generator, deadline: Deadline) -> _Run:
    parameters = {**system.parameters, **(request.parameters or {})}
    system, initial = system.underlying, request.initial
    field = system.at(parameters)
    interval = _interval(field, system.time_scale) if request.interval is None else request.interval
    duration = positive("duration", 200 * system.time_scale if request.duration is None else request.duration)
    if initial is None:
        start = torch.zeros(1, dtype=torch.float64)
        left = deadline.left()
        limit = None if left is None else max(1e-3, left)
        initial = simulate(system, request.n, start, rng=rng, parameters=parameters, time_limit=limit).states
    if initial.ndim != 2 or initial.shape[1] != system.dim:
        raise refuse("initial", f"states [n, {system.dim}]", f"shape {list(initial.shape)}")
    project = request.project or system.tangent_projection or _identity
    return _Run(field, initial.double(), positive("interval", interval), duration, request.solver, project)


def _interval(field: VectorField, scale: float) -> float:
    """A tenth of the time scale; one step of a map."""
    return time_step(field) or 0.1 * scale


def _field_run(field: VectorField, request: _Request) -> _Run:
    initial, interval, duration = request.initial, request.interval, request.duration
    if not callable(field):
        raise refuse("source", "a System, a Model or a vector field", kind_of(field))
    if initial is None or interval is None or duration is None:
        missing = [name for name in ("initial", "interval", "duration") if getattr(request, name) is None]
        raise refuse("a vector field that is no System", "given with initial, interval and duration", f"no {missing}")
    interval, duration = positive("interval", interval), positive("duration", duration)
    return _Run(field, initial.double(), interval, duration, request.solver, request.project or _identity)


def _solver(field: VectorField, x: Tensor, step: float, solver: str | Solver) -> Solver:
    times = torch.tensor([0.0, step], dtype=torch.float64)
    return choose_solver(field, x, times, solver)[0]


def _identity(v: Tensor) -> Tensor:
    return v


def _orthonormal(v: Float[Tensor, "n k D"]) -> tuple[Float[Tensor, "n k D"], Float[Tensor, "n k"]]:
    """Rows made orthonormal, and the logarithms of their lengths before."""
    q, r = torch.linalg.qr(v.transpose(-1, -2))
    return q.transpose(-1, -2), torch.diagonal(r, dim1=-2, dim2=-1).abs().log()
