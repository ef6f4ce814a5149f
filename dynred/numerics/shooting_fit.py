"""Polynomial vector fields fitted to samples of states: multiple shooting, with the states where curves begin unknown.

Least squares on velocities take the states for exact, and only velocities for uncertain. Where states are measured,
noise is in both: the fit is biased, and an estimated velocity has far more noise than the states that it comes from.
Here curves of the field must pass near the samples, so that neither velocities nor states count as true: the estimate
of maximum likelihood within windows, where noise is white. Windows follow without conditions of continuity.

H. G. Bock, K. J. Plitt, IFAC Proc. 17, 1603 (1984).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.monomials import all_monomials
from dynred.numerics.polynomials import exponents, factors

ITERATIONS = 12  # most Gauss-Newton steps
FIRST, LAYING = 16, 3  # samples to which curves are laid at first, and steps for them, and for each twice as many
DAMPINGS = (1e-8, 1e-4, 1e-2, 1.0)  # tried in order, until a step is better
SETTLED = 1e-6  # relative fall of the sum of squares below which steps end: it is some 1e5 standard errors squared
LOST = 1e3  # standard units: a curve that went further is lost
RIDGE = 1e-10  # in units of the diagonal: monomials may be dependent on the data


@dataclass(frozen=True, eq=False)
class PolynomialField:
    """The field y' = ratio * monomials(features(y)) coefficients in standard units, with its derivatives.

    Attributes:
        space: what the R coordinates are.
        degree: of the complete polynomials.
        ratio: the unit of velocities over that of states [R].
    """

    space: LatentSpace
    degree: int
    ratio: Float[Tensor, " R"]

    def monomials(self, y: Float[Tensor, "n R"]) -> Float[Tensor, "n K"]:
        """Their values at y."""
        return all_monomials(self.space.features(y), self.degree)

    def derivatives(self, coefficients: Float[Tensor, "K R"]) -> Float[Tensor, "F K R"]:
        """The coefficients of the derivatives by each feature."""
        powers = exponents(factors(self.space.feature_dim, self.degree), self.space.feature_dim).tolist()
        place = {tuple(row): k for k, row in enumerate(powers)}
        lower = coefficients.new_zeros((self.space.feature_dim, *coefficients.shape))
        for k, row in enumerate(powers):
            for i, power in enumerate(row):
                if power:
                    lower[i, place[(*row[:i], power - 1, *row[i + 1 :])]] += power * coefficients[k]
        return lower

    def jacobian(
        self, y: Float[Tensor, "n R"], basis: Float[Tensor, "n K"], lower: Float[Tensor, "F K R"]
    ) -> Float[Tensor, "n R R"]:
        """The derivative of the field by y, from the monomials at y and what `derivatives` gives."""
        a = self.space.angles
        by_feature = torch.einsum("nk,fkr->nrf", basis, lower) * self.ratio[:, None]
        by_cos, by_sin, by_line = by_feature.split([a, a, self.space.lines], -1)
        turns = y[:, None, :a]
        return torch.cat([by_sin * turns.cos() - by_cos * turns.sin(), by_line], -1)


@dataclass(frozen=True, eq=False)
class Normal:
    """Normal equations of where n curves begin (z) and of the P coefficients (c)."""

    zz: Float[Tensor, "n R R"]
    zc: Float[Tensor, "n R P"]
    z: Float[Tensor, "n R"]
    cc: Float[Tensor, "P P"]
    c: Float[Tensor, " P"]

    def add(self, off: Float[Tensor, "n R"], moved: Float[Tensor, "n R U"], weight: Float[Tensor, " R"]) -> None:
        """Adds samples that curves miss by `off`; `moved` is how the curves move with the U = R + P unknowns."""
        known = off.isfinite().all(1) & moved.isfinite().flatten(1).all(1)
        off, moved = torch.where(known[:, None], off, 0.0), torch.where(known[:, None, None], moved, 0.0)
        own, shared = moved.split([off.shape[1], moved.shape[2] - off.shape[1]], 2)
        turned = (own * weight[:, None]).transpose(1, 2)
        self.zz.add_(turned @ own)
        self.z.add_((turned @ off[..., None])[..., 0])
        if len(self.c):
            self.zc.add_(turned @ shared)
            weighted = (shared * weight[:, None]).flatten(0, 1)
            self.cc.add_(weighted.T @ shared.flatten(0, 1))
            self.c.add_(weighted.T @ off.flatten())

    def step(self, damping: float | Float[Tensor, " n"]) -> tuple[Float[Tensor, "n R"], Float[Tensor, " P"]]:
        """The damped Gauss-Newton step. Where curves begin is eliminated: each depends on the coefficients alone."""
        size = self.zz.diagonal(dim1=1, dim2=2)
        each = torch.as_tensor(damping).to(size).expand(len(size))[:, None]
        held = torch.diag_embed(each * size + RIDGE * size.sum(1, keepdim=True) + 1e-300)
        own = torch.linalg.solve(self.zz + held, torch.cat([self.zc, self.z[..., None]], 2))
        if not len(self.c):
            return own[..., -1], self.c
        share = torch.einsum("nrp,nrq->pq", self.zc, own)
        unit = self.cc.diagonal().sqrt().clamp_min(1e-300)
        values, vectors = torch.linalg.eigh((self.cc - share[:, :-1]) / unit[:, None] / unit)
        inverse = 1 / (values.clamp_min(0) + damping + RIDGE)
        change = vectors @ (inverse * (vectors.T @ ((self.c - share[:, -1]) / unit))) / unit
        return own[..., -1] - own[..., :-1] @ change, change


@dataclass(frozen=True, eq=False)
class Fit:
    """Curves of a field, one in every window.

    Attributes:
        coefficients: of the field.
        start: where curves begin.
        squares: sums over samples of squared distances, by coordinate; infinite where a curve is lost.
    """

    coefficients: Float[Tensor, "K R"]
    start: Float[Tensor, "n R"]
    squares: Float[Tensor, "n R"]


@dataclass(frozen=True, eq=False)
class Shooting:
    """Windows of samples, through which curves of a field are laid by classical Runge-Kutta steps.

    Attributes:
        field: the field.
        y: samples in standard units.
        t: their times, increasing along each window.
        substeps: steps from one sample to the next, >= 1.
    """

    field: PolynomialField
    y: Float[Tensor, "n L R"]
    t: Float[Tensor, "n L"]
    substeps: int

    def fit(
        self, start: Float[Tensor, "n R"], coefficients: Float[Tensor, "K R"], variance: Float[Tensor, " R"]
    ) -> Fit:
        """The coefficients, and where curves begin, of the least squares over the variance of each coordinate."""
        now = self.laid(start, coefficients, variance)
        for _ in range(ITERATIONS):
            normal, before = self._normal(now, 1 / variance), self._cost(now, variance)
            for damping in DAMPINGS:
                shift, change = normal.step(damping)
                tried = self._passed(now.start + shift, now.coefficients + change.view_as(coefficients))
                after = self._cost(tried, variance)
                if after < before:
                    break
            else:
                return now
            now = tried
            if after > (1 - SETTLED) * before:
                return now
        return now

    def laid(
        self, start: Float[Tensor, "n R"], coefficients: Float[Tensor, "K R"], variance: Float[Tensor, " R"]
    ) -> Fit:
        """Curves of a given field that pass as near to the samples as they can: each begins where that is best.

        It is found for the first samples, then for twice as many: chaos leaves no other way into the right minimum.
        """
        length = self.y.shape[1]
        counts = [length]
        while counts[-1] > FIRST:
            counts.append(-(-counts[-1] // 2))
        for count in reversed(counts):
            part = replace(self, y=self.y[:, :count], t=self.t[:, :count])
            start = part._laid(start, coefficients, variance).start
        return self._passed(start, coefficients)

    def _laid(
        self, start: Float[Tensor, "n R"], coefficients: Float[Tensor, "K R"], variance: Float[Tensor, " R"]
    ) -> Fit:
        now = self._passed(start, coefficients)
        damping = torch.full_like(start[:, 0], DAMPINGS[0])
        for _ in range(LAYING):
            shift, _ = self._normal(now, 1 / variance, free=False).step(damping)
            tried = self._passed(now.start + shift, coefficients)
            better = (tried.squares / variance).sum(1) < (now.squares / variance).sum(1)
            damping = torch.where(better, damping / 10, (damping * 1e3).clamp(DAMPINGS[1], 1e3))
            start = torch.where(better[:, None], tried.start, now.start)
            squares = torch.where(better[:, None], tried.squares, now.squares)
            now = Fit(coefficients, start, squares)
        return now

    def _cost(self, fit: Fit, variance: Float[Tensor, " R"]) -> float:
        # A curve counts as lost by ten deviations: a few of them must not decide.
        most = 100.0 * self.y.shape[1] * self.y.shape[2]
        return float((fit.squares / variance).sum(1).clamp_max(most).sum())

    def _passed(self, start: Float[Tensor, "n R"], coefficients: Float[Tensor, "K R"]) -> Fit:
        squares = torch.zeros_like(start)

        still = start[..., None][..., :0]
        self._follow(still, start, coefficients, lambda off, _: squares.add_(off**2))
        return Fit(coefficients, start, torch.nan_to_num(squares, nan=torch.inf))

    def _normal(self, fit: Fit, weight: Float[Tensor, " R"], *, free: bool = True) -> Normal:
        """The equations of the next step; `free` says whether coefficients are among the unknowns."""
        n, dim = fit.start.shape
        count = fit.coefficients.numel() if free else 0
        shapes = ((n, dim, dim), (n, dim, count), (n, dim), (count, count), (count,))
        normal = Normal(*(fit.start.new_zeros(shape) for shape in shapes))
        moved = fit.start.new_zeros((n, dim, dim + count))
        moved[:, :, :dim] = torch.eye(dim).to(moved)
        self._follow(moved, fit.start, fit.coefficients, lambda off, moved: normal.add(off, moved, weight))
        return normal

    def _follow(
        self,
        moved: Float[Tensor, "n R U"],
        y: Float[Tensor, "n R"],
        coefficients: Float[Tensor, "K R"],
        look: Callable[[Tensor, Tensor], object],
    ) -> None:
        """Follows curves from y and how they move with U unknowns, and shows at every sample what they miss it by."""
        lower = self.field.derivatives(coefficients) if moved.shape[2] else coefficients[None][:0]
        for j in range(self.y.shape[1]):
            if j:
                h = (self.t[:, j] - self.t[:, j - 1])[:, None] / self.substeps
                for _ in range(self.substeps):
                    y, moved = self._step(y, moved, coefficients, lower, h)
                y = torch.where(y.abs() < LOST, y, torch.nan)
            look(self.field.space.difference(self.y[:, j], y), moved)

    def _step(
        self,
        y: Float[Tensor, "n R"],
        moved: Float[Tensor, "n R U"],
        coefficients: Float[Tensor, "K R"],
        lower: Float[Tensor, "F K R"],
        h: Float[Tensor, "n 1"],
    ) -> tuple[Float[Tensor, "n R"], Float[Tensor, "n R U"]]:
        dim, wide = y.shape[1], h[..., None]

        def rate(y: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
            basis = self.field.monomials(y)
            velocity = self.field.ratio * (basis @ coefficients)
            if not moved.shape[2]:
                return velocity, moved
            change = self.field.jacobian(y, basis, lower) @ moved
            if moved.shape[2] > dim:  # coefficient (k, r) moves component r, by the k-th monomial
                own = change[:, :, dim:].unflatten(2, (-1, dim))
                own.diagonal(dim1=1, dim2=3).add_(basis[:, :, None] * self.field.ratio)
            return velocity, change

        k1, m1 = rate(y, moved)
        k2, m2 = rate(y + h / 2 * k1, moved + wide / 2 * m1)
        k3, m3 = rate(y + h / 2 * k2, moved + wide / 2 * m2)
        k4, m4 = rate(y + h * k3, moved + wide * m3)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), moved + wide / 6 * (m1 + 2 * m2 + 2 * m3 + m4)
