"""From a system to trajectories on its attracting set, with exact velocities."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynred import plugins
from dynred.checks import finite, increasing, integer, refuse
from dynred.errors import DivergenceError
from dynred.optimise import Progress, silent
from dynred.solvers.base import Solver
from dynred.solvers.etdrk4 import ETDRK4
from dynred.solvers.explicit import Explicit
from dynred.solvers.stiff import Stiff
from dynred.system import Parameters, System, SystemField, VectorField
from dynred.trajectories import Trajectories

STIFF = 200.0  # fastest decay times the time between snapshots from which an explicit solver loses to an implicit one
GROWTH = 1e8  # a state so many times larger than the initial ones (or than 1) has diverged
DENSE = 1000  # largest dimension whose Jacobian is looked at to decide on stiffness


def simulate(
    system: System,
    n: int | None = None,
    times: Float[Tensor, " T"] | Sequence[Float[Tensor, " T"]] | None = None,
    *,
    rng: torch.Generator,
    initial: Float[Tensor, "N D"] | None = None,
    parameters: Parameters | None = None,
    solver: str | Solver = "auto",
    transient: float | None = None,
    progress: Progress = silent,
) -> Trajectories:
    """Trajectories of a system, with their exact velocities, in float64.

    Args:
        system: the ODE.
        n: number of trajectories, >= 1; may be left out where `initial` or several `times` say it.
        times: when to keep a snapshot, increasing [T], or one such vector per trajectory. Default: the system's
            `duration` in steps of its `sampling`.
        rng: draws the initial states.
        initial: states [N, D] of the ODE from which to start instead; then no transient is dropped unless asked for.
        parameters: replaces defaults; a number, or one value per trajectory [N]. Those left out are drawn where the
            system draws them and `initial` is not given.
        solver: `auto`, `explicit`, `stiff`, `etdrk4` or another solver's name, or a Solver with settings.
        transient: time simulated and dropped before times[0]; default: the system's.
        progress: receives reports.

    Returns:
        Trajectories whose attributes name the system, its arguments and the solver, with the reason for it. Where the
        system is seen through an observation, their states and velocities are those that are seen.

    Raises:
        InputError: a wrong width of `initial`, times that do not increase, unknown parameters, a bad right-hand side.
        DivergenceError: a trajectory left every bound; names it, its time, and what to try.
    """
    grids = _grids(system, times)
    count = _count(n, initial, times, grids)
    given: Parameters = _per_trajectory(parameters, count)
    if initial is None:
        given = system.draw_parameters(count, rng, given)
        x0 = system.initial(count, rng, given)
    else:
        x0 = finite("initial", torch.as_tensor(initial, dtype=torch.float64))
        width = system.underlying.dim
        if x0.shape != (count, width):
            advice = "Start from states of the ODE, not from what is seen of them." if system.observation else ""
            raise refuse("initial", f"of shape [{count}, {width}]", f"{list(x0.shape)}", advice)
    dropped = transient if transient is not None else (system.transient if initial is None else 0.0)
    if not dropped >= 0:
        raise refuse("transient", ">= 0", dropped)
    field = system.bind(given)
    method, reason = choose_solver(field, x0, grids[0], solver)
    members = [torch.arange(count)] if len(grids) == 1 else [torch.tensor([i]) for i in range(count)]
    if len(grids) > 1:
        grids, members = _merge_equal(grids)
    parts = []
    for done, (grid, rows) in enumerate(zip(grids, members, strict=True)):
        progress("simulate", done, len(grids))
        parts.append(_seen(system, _solve(field.rows(rows), x0[rows], grid, dropped, method, rows)))
    progress("simulate", len(grids), len(grids))
    order = torch.argsort(torch.cat(members))
    found = Trajectories.concatenate(parts)[order]
    values = {name: value.expand(count).clone() for name, value in field.parameters.items()}
    attributes = {
        "system": system.name,
        "arguments": dict(system.arguments),
        "solver": method.to_dict(),
        "solver_reason": reason,
        "transient": float(dropped),
    }
    return replace(found, parameters=values, attributes=attributes)


def choose_solver(
    field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], solver: str | Solver = "auto"
) -> tuple[Solver, str]:
    """The solver that a name means, and in words why; `auto` looks at the system.

    A system that names a solver takes that, a semilinear split ETDRK4. Else the system is stiff if it says so, or if
    its Jacobian at an initial state has an eigenvalue whose decay is `STIFF` times faster than the snapshots; stiff
    systems take BDF, others dopri5.
    """
    if isinstance(solver, Solver):
        return solver, "asked for"
    if solver != "auto":
        return plugins.load_class("dynred.solvers", solver, Solver)(), "asked for"
    if not isinstance(field, SystemField):
        return Explicit(), "the field is no System"
    system = field.system
    if system.solver is not None:
        return plugins.load_class("dynred.solvers", system.solver, Solver)(), "the system names it"
    if system.semilinear is not None:
        return ETDRK4(), "the system has a semilinear split"
    if system.stiff is not None:
        return (Stiff(), "the system is declared stiff") if system.stiff else (Explicit(), "declared not stiff")
    if system.dim > DENSE:
        return Explicit(), f"more than {DENSE} dimensions and not declared stiff"
    gap = float(torch.diff(times).median()) if len(times) > 1 else system.time_scale
    rate = fastest_decay(field.rows(slice(0, 1)), x0[:1], times[0])
    words = f"its fastest decay is {rate * gap:.3g} per sampling time at an initial state"
    return (Stiff(), f"stiff: {words}") if rate * gap > STIFF else (Explicit(), f"not stiff: {words}")


def fastest_decay(field: SystemField, x: Float[Tensor, "1 D"], t: Tensor) -> float:
    """The largest -Re(eigenvalue) of the Jacobian at a state, per time unit; 0 where nothing decays."""
    if field.differentiable:
        jacobian = torch.func.jacfwd(lambda y: field(t, y[None])[0])(x[0])
    else:
        h = 1e-6 * x.abs().max().clamp_min(1e-3)
        shifted = x + h * torch.eye(field.dim, dtype=x.dtype)
        jacobian = torch.stack([field(t, row[None])[0] - field(t, x)[0] for row in shifted], 1) / h
    values = torch.linalg.eigvals(jacobian.detach())
    return max(0.0, -float(values.real.min()))


def _solve(field: SystemField, x0: Tensor, grid: Tensor, dropped: float, method: Solver, rows: Tensor) -> Trajectories:
    start = torch.cat([grid[:1] - dropped, grid]) if dropped > 0 else grid
    states = method.solve(field, x0, start, GROWTH * max(1.0, float(x0.abs().max())))
    gone = ~torch.isfinite(states).all(-1)
    if gone.any():
        _raise_divergence(gone, start, rows, method)
    states = states[:, 1:] if dropped > 0 else states
    t = grid.expand(len(x0), -1)
    wide = {name: value[:, None].expand(t.shape) if value.ndim else value for name, value in field.parameters.items()}
    velocities = replace(field, parameters=wide)(t, states)
    if not torch.isfinite(velocities).all():
        _raise_divergence(~torch.isfinite(velocities).all(-1), grid, rows, method)
    return Trajectories.from_stacked(states, grid, velocities)


def _seen(system: System, solved: Trajectories) -> Trajectories:
    return solved if system.observation is None else solved.map(system.observation.map)


def _raise_divergence(gone: Tensor, times: Tensor, rows: Tensor, method: Solver) -> None:
    first = torch.where(gone.any(1), gone.int().argmax(1), gone.shape[1])
    row = int(first.argmin())
    last = float(times[max(int(first[row]) - 1, 0)])
    trajectory = int(rows[row])
    name = type(method).__name__
    advice = "a smaller `step`" if hasattr(method, "step") and not hasattr(method, "rtol") else "a smaller `rtol`"
    raise DivergenceError(
        f"Trajectory {trajectory} diverged after t = {last:g} ({int(gone.any(1).sum())} of {len(gone)} did). "
        f"Try {advice} of {name}, another solver (`stiff` for stiff systems), or other initial states and parameters.",
        trajectory,
        last,
    )


def _grids(system: System, times: object) -> list[Tensor]:
    if times is None:
        steps = max(1, round(system.duration / system.sampling))
        return [torch.arange(steps + 1, dtype=torch.float64) * system.sampling]
    if isinstance(times, Sequence) and _one_each(times):
        return [increasing(f"times[{i}]", torch.as_tensor(t, dtype=torch.float64)) for i, t in enumerate(times)]
    return [increasing("times", torch.as_tensor(times, dtype=torch.float64))]


def _one_each(times: object) -> bool:
    return isinstance(times, Sequence) and not all(isinstance(t, int | float) for t in times)


def _count(n: int | None, initial: Tensor | None, times: object, grids: list[Tensor]) -> int:
    several = len(grids) if _one_each(times) else None
    said = {"n": n, "initial": None if initial is None else len(initial), "times": several}
    values = {name: value for name, value in said.items() if value is not None}
    if not values:
        raise refuse("n", "the number of trajectories", "None", "Give `n`, `initial`, or one vector of times for each.")
    if len(set(values.values())) > 1:
        raise refuse("the number of trajectories", "the same in n, initial and times", values)
    return integer("n", next(iter(values.values())), 1)


def _per_trajectory(parameters: Parameters | None, count: int) -> dict[str, Tensor]:
    values = {k: torch.as_tensor(v, dtype=torch.float64) for k, v in (parameters or {}).items()}
    for name, value in values.items():
        finite(f"parameter {name}", value)
        if value.ndim and value.shape != (count,):
            raise refuse(f"parameter {name}", f"a number or one value per trajectory [{count}]", list(value.shape))
    return values


def _merge_equal(grids: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    groups: dict[bytes, tuple[Tensor, list[int]]] = {}
    for i, grid in enumerate(grids):
        groups.setdefault(grid.numpy().tobytes(), (grid, []))[1].append(i)
    return [grid for grid, _ in groups.values()], [torch.tensor(rows) for _, rows in groups.values()]
