"""Coordinates within the representations from which equivariant polynomials recover all others, by variable projection.

A set K may be a graph over some linear coordinates without being one over its leading modes. Modes of one charge and
parity may be mixed without that symmetries notice; which mixtures are taken as coordinates is what is searched for. For
a choice the best polynomials are a least squares problem, and the error that they leave is a smooth function of the
choice alone (G. H. Golub, V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973)), which L-BFGS minimises. Orthonormal
mixtures are modes like any others, so that nothing else changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.numerics.block_sums import Target
from dynred.numerics.equivariant import Products, Terms, product_values, term_values
from dynred.numerics.equivariant_map import targets_of
from dynred.numerics.representation import Representation

SNAPSHOTS = 2000  # most snapshots that are looked at, evenly spread
ITERATIONS = 60  # of L-BFGS at each degree, at most
MODES = 48  # leading modes that are mixed, and whose errors are looked at
DRAWS, STARTS = 60, 2  # random mixtures, and the best of them from which is searched, too: there are local minima
RIDGE = 1e-11  # weight of squared coefficients, in units in which every term has mean square 1


@dataclass(frozen=True, eq=False)
class _MixtureSearch:
    """What is searched: a mixture [S, n, parts] of the S modes of every sector of which n are coordinates.

    Attributes:
        targets: the sectors.
        counts: n of every sector.
        a: coefficients of snapshots in the modes.
        units: root mean square of the modes of every sector, by which mixtures count: [S, 1, 1] each.
        latents: how the group acts on the coordinates, sector by sector, complex ones first.
    """

    targets: Sequence[Target]
    counts: Sequence[int]
    a: Float[Tensor, "m Q"]
    units: Sequence[Tensor]
    latents: Representation

    def coordinates(self, mixtures: Sequence[Tensor]) -> Float[Tensor, "m R"]:
        """The coordinates, of mean square 1 in every sector."""
        pairs: list[Tensor] = []
        reals: list[Tensor] = []
        for target, mixture, unit in zip(self.targets, mixtures, self.units, strict=True):
            y = target.of(self.a) / unit
            z = torch.einsum("sn,spm->npm", mixture[..., 0], y)
            if mixture.shape[-1] == 2:
                z = z + torch.einsum("sn,spm->npm", mixture[..., 1], torch.stack([-y[:, 1], y[:, 0]], 1))
            z = z / z.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-300)
            (reals if target.sector.real else pairs).append(z.flatten(0, 1))
        return torch.cat([*pairs, *reals]).T

    def error(self, mixtures: Sequence[Tensor], products: Products, terms: Sequence[Terms]) -> Float[Tensor, ""]:
        """The part of the energy that the best polynomials leave."""
        values = product_values(self.latents, products, self.coordinates(mixtures))
        left = self.a.new_zeros(())
        for target, own in zip(self.targets, terms, strict=True):
            y = target.of(self.a).flatten(1)
            if len(own):
                f = term_values(target.sector, own, values).flatten(1)
                f = f / f.square().mean(1, keepdim=True).sqrt().clamp_min(1e-300)
                gram = f @ f.T / f.shape[1]
                factor = torch.linalg.cholesky(gram + RIDGE * torch.eye(len(gram)).to(gram))
                y = y - torch.cholesky_solve(f @ y.T / f.shape[1], factor).T @ f
            left = left + y.square().sum()
        return left / self.a.square().sum()

    def best(self, degrees: Sequence[int], rng: torch.Generator, *, complex_too: bool) -> list[Tensor]:
        """The mixtures with the least error at the last degree that are found from the leading modes, or at random."""
        shapes = [
            (len(t.columns[0]), n, 1 + (complex_too and len(t.columns) == 2))
            for t, n in zip(self.targets, self.counts, strict=True)
        ]
        leading = [torch.eye(s, n, dtype=torch.float64)[..., None] * torch.eye(1, p).double() for s, n, p in shapes]
        draws = [[torch.randn(x, generator=rng, dtype=torch.float64) for x in shapes] for _ in range(DRAWS)]
        found, polynomials = [leading], self._polynomials(degrees[-1])

        def left(mixtures: Sequence[Tensor]) -> float:
            return float(self.error(mixtures, *polynomials))

        for degree in degrees:
            found.append(self.improved(found[-1], degree))
        found += [self.improved(mixtures, degrees[-1]) for mixtures in sorted(draws, key=left)[:STARTS]]
        return min(found, key=left)

    def _polynomials(self, degree: int) -> tuple[Products, list[Terms]]:
        products = Products.of(self.latents, degree)
        return products, [Terms.of(self.latents, products, target.sector, degree) for target in self.targets]

    def improved(self, mixtures: Sequence[Tensor], degree: int) -> list[Tensor]:
        """The mixtures with the least error that are found from a start."""
        moving = [m.clone(memory_format=torch.contiguous_format).requires_grad_() for m in mixtures]
        products, terms = self._polynomials(degree)
        search = torch.optim.LBFGS(
            [m for m in moving if m.numel()], max_iter=ITERATIONS, history_size=20, line_search_fn="strong_wolfe",
            tolerance_grad=0, tolerance_change=0,
        )  # fmt: skip

        def closure() -> float:
            search.zero_grad()
            with torch.enable_grad():
                error = self.error(moving, products, terms)
            error.backward()
            return float(error.detach())

        try:
            search.step(closure)
        except torch.linalg.LinAlgError:  # the search ran into a mixture that loses a dimension
            return list(mixtures)
        return [m.detach() for m in moving]


def turned_modes(
    basis: Float[Tensor, "D Q"],
    space: Representation,
    a: Float[Tensor, "M Q"],
    pairs: int,
    reals: int,
    degrees: Sequence[int],
    rng: torch.Generator,
) -> Float[Tensor, "D Q"]:
    """Modes mixed within sectors, such that polynomials of the leading ones recover most.

    Args:
        basis: the modes by kind (complex, real) and energy.
        space: how the group acts on them.
        a: coefficients of snapshots in them.
        pairs: how many of the complex modes are coordinates: the first ones.
        reals: how many of the real ones.
        degrees: degrees of the polynomials, one after the other: low ones find what is simple.
        rng: draws mixtures to start from.
    """
    coordinates = {*range(2 * pairs), *range(2 * space.complex_count, 2 * space.complex_count + reals)}
    looked = coordinates | set(a.square().mean(0).argsort(descending=True)[:MODES].tolist())
    looked |= {i ^ 1 for i in looked if i < 2 * space.complex_count}  # both numbers of a complex mode
    targets = [_among(target, looked) for target in targets_of(space)]
    targets = [target for target in targets if target.columns[0]]
    counts = [sum(column in coordinates for column in target.columns[0]) for target in targets]
    rows = a[torch.linspace(0, len(a) - 1, min(SNAPSHOTS, len(a))).long()]
    units = [target.of(rows).square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-300) for target in targets]
    search = _MixtureSearch(targets, counts, rows, units, _latents(space, targets, counts))
    mixtures = search.best(degrees, rng, complex_too=not space.mirrored)
    turned = basis.clone()
    for target, mixture, unit in zip(targets, mixtures, units, strict=True):
        if 0 < mixture.shape[1] < mixture.shape[0]:
            _turn(turned, basis, target, mixture / unit)
    return turned


def _among(target: Target, wanted: set[int]) -> Target:
    kept = [i for i, column in enumerate(target.columns[0]) if column in wanted]
    return Target(target.sector, tuple(tuple(columns[i] for i in kept) for columns in target.columns))


def _latents(space: Representation, targets: Sequence[Target], counts: Sequence[int]) -> Representation:
    every = [(target.sector, n) for target, n in zip(targets, counts, strict=True)]
    pairs = [sector.charge for sector, n in every if not sector.real for _ in range(n)]
    reals = [sector for sector, n in every if sector.real for _ in range(n)]
    parities = tuple(sector.parity for sector in reals) if space.mirrored else ()
    return Representation(
        tuple(pairs), tuple(sector.charge for sector in reals), space.orders, space.mirrored, parities
    )


def _turn(turned: Tensor, basis: Tensor, target: Target, mixture: Float[Tensor, "S n parts"]) -> None:
    """Writes the mixtures of the modes of a sector, and what is orthogonal to them, in place of the modes."""
    matrix = torch.view_as_complex(mixture.contiguous()) if mixture.shape[-1] == 2 else mixture[..., 0]
    # z = W^T c for amplitudes c: the first columns of an orthonormal basis that span those of W.
    unitary = torch.linalg.qr(matrix, mode="complete")[0]
    first = basis[:, list(target.columns[0])]
    if len(target.columns) == 1:
        turned[:, list(target.columns[0])] = first @ unitary
        return
    second = basis[:, list(target.columns[1])]
    re = unitary.real if unitary.is_complex() else unitary
    im = unitary.imag if unitary.is_complex() else torch.zeros_like(unitary)
    turned[:, list(target.columns[0])] = first @ re - second @ im
    turned[:, list(target.columns[1])] = first @ im + second @ re
