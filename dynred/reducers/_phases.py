"""Simple functions of a state whose phases turn around K: where the training of angles starts.

Whether an encoder into a circle goes around K once, or not at all, is decided by where its training starts: gradient
steps are continuous and the degree is an integer. So a few starts are made, each a map of the coefficients into pairs
of numbers (a cosine, a sine), linear in the coefficients and in products of two; the most promising are tried.

Pairs come from three sources. Where velocities are known, the linear field closest to them has complex eigenfunctions
w^T a, (w^T a)' = lambda w^T a, whose phases turn at the frequencies of the motion (they are the Koopman eigenfunctions
among the linear functions; I. Mezic, Nonlinear Dynamics 41, 309 (2005)). The leading coefficients themselves, two by
two, are the second source. The third pairs the squared radius of two of them with another coefficient, because no
linear function turns around a tube that is bent to a ring.
"""

from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.numerics.latent_space import LatentSpace

ROWS = 4000  # most snapshots that are looked at
LEADING = 24  # coefficients that may enter an eigenfunction
TAIL = 1e-5  # fraction of the energy that those may leave out
ROUND = 0.3  # fraction of its root mean square that the modulus of a pair should nowhere be below
PAIRS = 8  # pairs of each source that are combined where there are two angles; half as many for more
MULTIPLIED = 4  # leading coefficients whose products are looked at
Maps = tuple[Float[Tensor, "L F"], Float[Tensor, "F Q"]]  # from lifted coefficients to features, and to coefficients


def lifted(a: Float[Tensor, "*batch Q"]) -> Float[Tensor, "*batch L"]:
    """Coefficients, the products of two of the four leading ones, and the number 1."""
    leading = min(MULTIPLIED, a.shape[-1])
    products = [a[..., i : i + 1] * a[..., i:leading] for i in range(leading)]
    return torch.cat([a, *products, torch.ones_like(a[..., :1])], -1)


def lifted_width(coefficients: int) -> int:
    """L, the number of values that `lifted` gives for Q coefficients."""
    leading = min(MULTIPLIED, coefficients)
    return coefficients + leading * (leading + 1) // 2 + 1


def starts(
    a: Float[Tensor, "M Q"], velocities: Float[Tensor, "M Q"] | None, space: LatentSpace, count: int
) -> list[Maps]:
    """Maps from lifted coefficients to features of `space` and back, the most promising first, at most `count`; without
    angles from the coefficients themselves.

    The promise of a map is the energy of the coefficients that its features explain linearly, the angles as unit
    cosines and sines, times the roundness of its pairs: a pair that comes near 0, where it has no phase, goes around K
    by chance.

    Args:
        a: coefficients, centred, by decreasing energy.
        velocities: their time derivatives; None where unknown.
        space: the latent space; with no angles there is one start, the leading coefficients.
        count: how many maps at most.
    """
    if space.angles == 0:
        unit = torch.eye(a.shape[1], space.lines, dtype=a.dtype)
        return [(unit, unit.T.contiguous())]
    rows = torch.linspace(0, len(a) - 1, min(ROWS, len(a))).long()
    a, v = a[rows], None if velocities is None else velocities[rows]
    single = LatentSpace(angles=1, lines=space.lines)
    per_source, pairs = max(space.angles, PAIRS if space.angles <= 2 else PAIRS // 2), []
    # A tube of small radius explains little by itself: the best of every source are kept, not the best of all.
    for source in (_eigenfunctions(a, v), _coordinate_pairs(a), _tube_pairs(a)):
        pairs += sorted(source, key=lambda pair: -_promise(a, _with_lines(a, [pair], single), single))[:per_source]
    groups = combinations(pairs, space.angles)
    candidates = [_with_lines(a, list(group), space) for group in groups]
    return sorted(candidates, key=lambda maps: -_promise(a, maps, space))[:count]


def _eigenfunctions(a: Float[Tensor, "M Q"], v: Float[Tensor, "M Q"] | None) -> list[Float[Tensor, "L 2"]]:
    if v is None:
        return []
    left_out = 1 - torch.cumsum(a.pow(2).mean(0), 0) / a.pow(2).mean(0).sum()
    q = min(LEADING, a.shape[1], int((left_out > TAIL).sum()) + 1)
    linear = torch.linalg.lstsq(a[:, :q], v[:, :q], driver="gelsd").solution
    value, vector = torch.linalg.eig(linear)
    turning = vector.T[value.imag > 1e-6 * value.abs().max()]
    padded = torch.nn.functional.pad(torch.view_as_real(turning), (0, 0, 0, lifted_width(a.shape[1]) - q))
    return [_of_unit_size(a, pair) for pair in padded]


def _coordinate_pairs(a: Float[Tensor, "M Q"]) -> list[Float[Tensor, "L 2"]]:
    unit = _units(a)
    return [_of_unit_size(a, unit[:, list(pair)]) for pair in combinations(range(_leading(a)), 2)]


def _tube_pairs(a: Float[Tensor, "M Q"]) -> list[Float[Tensor, "L 2"]]:
    # Pairs (a_i^2 + a_j^2 - its mean, a_k), both of unit size: on a torus around the axis of a_k they turn with the
    # tube.
    unit, pairs = _units(a), []
    leading = min(MULTIPLIED, a.shape[1])
    place = {tuple(pair): a.shape[1] + n for n, pair in enumerate(torch.triu_indices(leading, leading).T.tolist())}
    for i, j in combinations(range(_leading(a)), 2):
        square = torch.zeros_like(unit[:, 0])
        square[place[i, i]] = square[place[j, j]] = 1.0
        radius = lifted(a) @ square
        square[-1] = -radius.mean()
        square /= radius.std().clamp_min(torch.finfo(a.dtype).tiny)
        others = [k for k in range(_leading(a)) if k not in (i, j)]
        pairs += [_of_unit_size(a, torch.stack([square, unit[:, k]], 1)) for k in others]
    return pairs


def _leading(a: Float[Tensor, "M Q"]) -> int:
    return min(MULTIPLIED, int((a.pow(2).mean(0) > 0).sum()))


def _units(a: Float[Tensor, "M Q"]) -> Float[Tensor, "L Q"]:
    # Column k gives coefficient k, scaled to unit size.
    size = a.pow(2).mean(0).sqrt().clamp_min(torch.finfo(a.dtype).tiny)
    return torch.nn.functional.pad(torch.diag(1 / size), (0, 0, 0, lifted_width(a.shape[1]) - a.shape[1]))


def _of_unit_size(a: Tensor, pair: Float[Tensor, "L 2"]) -> Float[Tensor, "L 2"]:
    return pair / (lifted(a) @ pair).pow(2).sum(1).mean().sqrt()


def _promise(a: Float[Tensor, "M Q"], maps: Maps, space: LatentSpace) -> float:
    start, back = maps
    y = lifted(a) @ start
    explained = 1 - float((a - space.features(space.coordinates(y)) @ back).pow(2).sum() / a.pow(2).sum())
    least = float(space.moduli(y).quantile(0.02, dim=0).min())
    return explained * min(1.0, least / ROUND)


def _with_lines(a: Tensor, pairs: list[Tensor], space: LatentSpace) -> Maps:
    # Lines start as the leading directions of what the angles leave unexplained.
    columns = torch.cat([torch.stack(pairs, -1)[:, i] for i in (0, 1)], 1)
    features = space.features(space.coordinates(torch.cat([lifted(a) @ columns, a[:, : space.lines]], 1)))
    features = features[:, : 2 * space.angles]
    unexplained = a - features @ _least_squares(features, a)
    lines = torch.linalg.eigh(unexplained.T @ unexplained)[1].flip(1)[:, : space.lines]
    lines = torch.nn.functional.pad(lines, (0, 0, 0, len(columns) - len(lines)))
    start = torch.cat([columns, lines], 1)
    return start, _least_squares(space.features(space.coordinates(lifted(a) @ start)), a)


def _least_squares(features: Float[Tensor, "M F"], a: Float[Tensor, "M Q"]) -> Float[Tensor, "F Q"]:
    return torch.linalg.lstsq(features, a, driver="gelsd").solution
