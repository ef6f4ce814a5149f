"""What mapping and cutting trajectories compute: states and velocities of a function, sizes of parts, runs of rows."""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.checks import is_number, kind_of, refuse
from dynred.data.parameters import cut
from dynred.numerics.batches import pieces


def pushed_forward(
    fn: Callable[[Float[Tensor, "m D"], Mapping[str, Float[Tensor, " m"]]], Float[Tensor, "m R"]],
    states: Float[Tensor, "M D"],
    velocities: Float[Tensor, "M D"] | None,
    parameters: Mapping[str, Float[Tensor, " N"]],
    owner: Int[Tensor, " M"],
) -> tuple[Float[Tensor, "M R"], Float[Tensor, "M R"] | None]:
    """fn of every state, and where there are velocities, fn'(x) times each, by Jacobian-vector product.

    Args:
        fn: acts on each row alone, in torch; it is given one value of each parameter per row.
        states: the rows.
        velocities: of the rows.
        parameters: of the trajectories, by name.
        owner: the trajectory of each row.

    Raises:
        InputError: fn returns something else than a row for each row.
    """
    parts, out, pushed = pieces(states), [], []
    given = [cut(parameters, owners) for owners in owner.split(len(parts[0]))]
    with torch.no_grad():
        tried = fn(parts[0][:1], cut(given[0], slice(0, 1))) if len(states) else None
        if tried is not None and not (isinstance(tried, Tensor) and tried.ndim == 2 and len(tried) == 1):
            raise refuse("fn", "a function [m, D] -> [m, R] in torch", f"one that returns {kind_of(tried)}")
        if velocities is None:
            out = [fn(x, values) for x, values in zip(parts, given, strict=True)]
        else:
            for x, v, values in zip(parts, pieces(velocities), given, strict=True):
                value, tangent, *_ = torch.func.jvp(lambda x, values=values: fn(x, values), (x,), (v,))
                out.append(value)
                pushed.append(tangent)
    return torch.cat(out), torch.cat(pushed) if pushed else None


def sizes_of(fractions: Sequence[float], n: int) -> list[int]:
    """How many of n trajectories each part has, at least one.

    Raises:
        InputError: fractions out of range, or fewer trajectories than parts.
    """
    if not fractions or not all(is_number(f) and 0 < f <= 1 for f in fractions) or sum(fractions) > 1 + 1e-9:
        raise refuse("fractions", "positive and of sum at most 1", list(fractions))
    if n < len(fractions):
        advice = "Cut long trajectories into pieces with `windows`."
        raise refuse("trajectories", f"at least {len(fractions)} to be split", n, advice)
    sizes = [max(1, round(f * n)) for f in fractions]
    total = max(len(sizes), round(sum(fractions) * n))
    while sum(sizes) != total:  # by rounding
        sizes[sizes.index(max(sizes))] += 1 if sum(sizes) < total else -1
    return sizes


def runs(
    chosen: Bool[Tensor, " M"], owner: Int[Tensor, " M"]
) -> tuple[Int[Tensor, " m"], Int[Tensor, " n"], Int[Tensor, " n"]]:
    """The chosen rows; where among them each run of consecutive ones of one owner starts; and how long it is."""
    first = chosen.clone()
    first[1:] &= ~(chosen[:-1] & (owner[1:] == owner[:-1]))
    rows, starts = torch.nonzero(chosen)[:, 0], torch.nonzero(first[chosen])[:, 0]
    return rows, starts, torch.diff(torch.cat([starts, torch.tensor([len(rows)])]))
