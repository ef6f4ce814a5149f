"""What is known exactly of the set on which the long-time states lie."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class KnownSet:
    """What is known exactly of the set K on which the long-time states lie. None stands for unknown.

    Attributes:
        dimension: dimension of K (box dimension for a strange attractor).
        components: number of connected components.
        betti: Betti numbers (b0, b1, ...).
        reach: reach of K in state units.
        closed: whether K is a compact manifold without boundary.
        sample: `(n, rng) -> [n, D]` points of K, spread over all of it.
        distance: `x [..., D] -> [...]`, in state units: zero on K and only there; near K, within a constant factor
            of the distance. Where K moves with a parameter, `sample` and `distance` may take it by keyword: as one
            value or one per state, with the system's default.
        constants: other exactly or well known numbers by name, e.g. `lyapunov_1`.
    """

    dimension: float | None = None
    components: int | None = None
    betti: tuple[int, ...] | None = None
    reach: float | None = None
    closed: bool | None = None
    sample: Callable[..., Float[Tensor, "n D"]] | None = None
    distance: Callable[..., Float[Tensor, "*batch"]] | None = None
    constants: Mapping[str, float] = field(default_factory=dict)
