"""Systems that are seen through a map: sensors, images, lifted coordinates."""

import dataclasses
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import refuse
from dynred.data.grid import Grid
from dynred.errors import InputError
from dynred.numerics.size import size_of
from dynred.ode.known_set import KnownSet
from dynred.ode.system import Observation, System
from dynred.rng import generator
from dynred.user_code import guarded

PROBES = 4  # states on which a map is tried
SLOPE = 1e-4  # how far the derivative of a map may be from finite differences, relative to its largest entry


@public
def observe(
    system: System,
    map: Callable[[Float[Tensor, "*batch D"]], Float[Tensor, "*batch O"]],
    *,
    name: str | None = None,
    grid: Grid | None = None,
    known: KnownSet | None = None,
    embeds: bool = False,
    reference: str | None = None,
) -> System:
    """The same ODE, its states seen through a smooth map y = map(x).

    `simulate` integrates x and returns trajectories of y with their exact velocities map'(x) f(x), by Jacobian-vector
    product; models, metrics and reports then know of y alone. Initial states, parameters, time scales and Lyapunov
    exponents remain those of the ODE.

    Args:
        system: the ODE; a system that is itself observed is then seen through both maps.
        map: from states [..., D] to what is seen [..., O], in torch, each state alone. O is found by calling the map.
        name: name of the observed system; default: `observed_` and the system's name.
        grid: how y is laid out in space, e.g. as an image.
        known: what is known of map(K); default: what follows from the system's own K.
        embeds: whether the map is one-to-one on K, and its derivative along K too: then dimension, number of components
            and Betti numbers of K are those of map(K).
        reference: where the map comes from; default: the system's own reference.

    Raises:
        InputError: the map fails, gives a wrong shape or dtype or NaN, changes its input, depends on neighbours in the
            batch, or cannot be differentiated by torch.
    """
    inner = system.underlying
    map = guarded("map", map)
    if system.observation is not None:
        map = _composed(system.observation.map, map)
    width = _checked_map(map, inner.initial(PROBES, generator(0, "observe")))
    return dataclasses.replace(
        system,
        name=name or f"observed_{system.name}",
        dim=width,
        rhs=None,
        sample_initial=None,
        tangent_projection=None,
        semilinear=None,
        jacobian_sparsity=None,
        grid=grid,
        symmetries=(),  # those of the ODE move its own states
        known=known or _pushed_forward(inner.known, map, embeds),
        observation=Observation(inner, map),
        reference=reference or system.reference,
    )


def _composed(first: Callable[[Tensor], Tensor], second: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: second(first(x))


def _pushed_forward(known: KnownSet, map: Callable[[Tensor], Tensor], embeds: bool) -> KnownSet:
    # Reach and distance of map(K) do not follow from those of K; invariants of the motion, such as exponents, do.
    inner = known.sample
    sample = None if inner is None else lambda n, rng: map(inner(n, rng))
    if not embeds:
        return KnownSet(sample=sample, constants=known.constants)
    return dataclasses.replace(known, sample=sample, distance=None, reach=None)


def _checked_map(map: Callable[[Tensor], Tensor], x: Float[Tensor, "n D"]) -> int:
    """The dimension O of what is seen; raises InputError where the map breaks its contract at the states x."""
    given = x.clone()
    try:
        y = map(given)
        alone = map(given[0])
    except InputError as error:
        raise InputError(f"{error} Write it in torch, acting along the last axis of states {list(x.shape)}.") from error
    if not torch.equal(given, x):
        raise refuse("map", "a function that leaves its input alone", "one that changes it", "Work on a copy.")
    if (
        not (isinstance(y, Tensor) and isinstance(alone, Tensor))
        or y.ndim != 2
        or len(y) != len(x)
        or alone.shape != y.shape[1:]
    ):
        shape = f"shape {list(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise refuse("map", f"a function from states [..., {x.shape[1]}] to tensors [..., O]", shape)
    if y.dtype != x.dtype or not torch.isfinite(y).all():
        actual = f"{y.dtype}" if y.dtype != x.dtype else "a value that is not finite"
        raise refuse("map(x)", f"finite and of dtype {x.dtype}, like x", actual)
    if not _close(alone, y[0], 1e-9):
        raise refuse("map", "the same for a state alone as among others", "two different answers")
    if not _differentiates(map, x):
        actual = "one whose derivative fails or disagrees with finite differences"
        raise refuse("map", "differentiable by torch", actual, "Write all of it in torch.")
    return y.shape[1]


def _differentiates(map: Callable[[Tensor], Tensor], x: Float[Tensor, "n D"]) -> bool:
    direction = torch.linspace(0.5, 1, x.shape[1], dtype=x.dtype).expand_as(x)
    try:
        exact = torch.func.jvp(map, (x,), (direction,))[1]
    except Exception:
        return False

    def agrees(h: Float[Tensor, "n 1"]) -> bool:
        slope = (map(x + h * direction) - map(x - h * direction)) / (2 * h)
        # A map that is not smooth everywhere may have its kink near one probe; one that hides its derivative fails at
        # all.
        rows = zip(exact, slope, strict=True)
        return sum(_close(a, b, SLOPE) for a, b in rows) >= len(x) - 1

    # States may be of the size of their units, or small beside them; a derivative that is wrong is so at both steps.
    return agrees(1e-6 * size_of(x)) or agrees(1e-6 * (1 + size_of(x)))


def _close(a: Tensor, b: Tensor, tolerance: float) -> bool:
    return bool(((a - b).abs() <= tolerance * b.abs().max().clamp_min(1e-300)).all())
