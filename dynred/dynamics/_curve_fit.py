"""Polynomial fields fitted to sampled states instead of estimated velocities; see `dynred.numerics.shooting_fit`.

It begins from the fit to velocities, on short windows, which become longer as curves follow the samples further.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.dynamics._latent_data import LatentData
from dynred.dynamics._units import Standardisation
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.polynomials import PolynomialMap
from dynred.numerics.shooting_fit import Fit, PolynomialField, Shooting

UNCERTAIN = 0.003  # of velocities: samples tell more of the field than velocities that are estimated so badly
SHORTEST, LONGEST = 16, 128  # samples of the windows
MOST_SAMPLES = 30_000  # in windows, evenly spread
MOST_UNKNOWNS = 400  # coefficients: equations take their square
FINE, COARSE = 0.03, 0.25  # change per sample in which averages are taken of several, per step that is small enough
MOST_STEPS = 32  # from one sample to the next; a field that needs more is stiff
DEGREES = 2  # in a row that are not better end the search: an odd field gains nothing from even degrees
FOLLOWED = 2.0  # times the mean square of shorter windows: curves that miss more do not follow the samples
SPREAD = 1e-4  # of standard units: what curves may miss samples by without noise


@dataclass(frozen=True, eq=False)
class SampledLatents:
    """Latents in standard units, with the units."""

    latents: Trajectories
    units: Standardisation
    space: LatentSpace

    @classmethod
    def of(cls, part: Trajectories, units: Standardisation, space: LatentSpace, stride: int) -> "SampledLatents":
        """The latents, or averages of so many in a row: where sampling is fine, an average lies on the curve."""
        y = replace(part, states=units.standard(part.states.double()), t=part.t.double(), velocities=None)
        if stride > 1:
            whole = y.windows(stride)
            blocks = whole.states.view(len(whole), stride, -1)
            first = blocks[:, :1]
            mean = (first + space.difference(blocks, first)).mean(1) if space.angles else blocks.mean(1)
            y = replace(
                y,
                states=mean,
                t=whole.t.view(-1, stride).mean(1),
                lengths=(y.lengths // stride)[y.lengths >= stride],
                parameters={},
                inputs=None,
                input_names=(),
            )
        return cls(y, units, space)

    def windows(self, length: int, field: PolynomialField, substeps: int) -> Shooting | None:
        """All windows of so many samples, or some, evenly spread; None where trajectories are shorter."""
        if int(self.latents.lengths.max()) < length:
            return None
        whole = self.latents.windows(length)
        chosen = whole[:: max(1, -(-len(whole.states) // MOST_SAMPLES))]
        y = chosen.states.view(len(chosen), length, -1)
        return Shooting(field, y, chosen.t.view(len(chosen), length), substeps)


@dataclass(frozen=True, eq=False)
class CurveFit:
    """A field that was fitted to samples.

    Attributes:
        fitted: the polynomial map, from features to velocities in standard units.
        window: samples in the longest windows whose curves it follows.
        noise: what curves miss samples by, root mean square in standard units.
    """

    fitted: PolynomialMap
    window: int
    noise: float

    def told(self, error: float) -> str:
        """Why it was taken, in a sentence, where velocities were wrong by a part `error`."""
        return (
            f"Velocities from these samples are wrong by about {100 * error:.2g} %, so a polynomial of degree "
            f"{self.fitted.degree} was fitted to the samples themselves: its curves pass {self.window} samples in a "
            f"row at a distance of {100 * self.noise:.2g} % of the deviation, noise included."
        )


def fit_to_samples(data: LatentData, fits: Sequence[tuple[float, PolynomialMap]]) -> CurveFit | None:
    """The best of polynomials that are fitted to samples, each beginning from a fit to velocities.

    Windows of validation trajectories choose the degree, and whether the result is better than fits to velocities.

    Args:
        data: latents with velocities.
        fits: fits to velocities with their errors, by rising degree; see `PolynomialSpec.fits`.

    Returns:
        None where velocities are better than `UNCERTAIN`, or nothing better was found: too few samples, a stiff
        field, or curves that follow no further.
    """
    if data.velocity_error <= UNCERTAIN:
        return None
    best: CurveFit | None = None
    misses = 0
    for _, begun in fits:
        if begun.coefficients.numel() > MOST_UNKNOWNS or misses == DEGREES:
            break
        search = _ShootingSearch.of(data, begun)
        found = None if search is None else search.fit(begun, best)
        if search is None or found is None:
            continue
        if best is None or search.gains(found, best.fitted) > 1:
            best, misses = found, 0
        else:
            misses += 1
    if best is None:
        return None
    rivals = [min(fits, key=lambda fit: fit[0])[1], *(fit for _, fit in fits if fit.degree == best.fitted.degree)]
    searches = [(_ShootingSearch.of(data, rival), rival) for rival in rivals]
    better = all(search is not None and search.gains(best, rival) > 0 for search, rival in searches)
    return best if better else None


@dataclass(frozen=True, eq=False)
class _ShootingSearch:
    """The fit of one degree."""

    train: SampledLatents
    held: SampledLatents
    substeps: int

    @classmethod
    def of(cls, data: LatentData, begun: PolynomialMap) -> "_ShootingSearch | None":
        units, space = data.units(), data.latent_space
        field = PolynomialField(space, begun.degree, units.rate / units.spread)
        y = units.standard(data.latents.states.double())[:: max(1, len(data.latents.states) // 1000)]
        slope = field.jacobian(y, field.monomials(y), field.derivatives(begun.coefficients))
        sizes = torch.linalg.matrix_norm(slope, 2)
        gap = float(torch.cat([grid.diff() for grid in data.latents.grids]).double().median())
        usual, largest = (float(sizes.quantile(q)) * gap for q in (0.5, 0.99))
        stride = max(1, int(FINE / max(usual, 1e-6)))
        stride = min(stride, max(1, int(data.latents.lengths.max()) // (2 * SHORTEST)))
        substeps = -int(-largest * stride // COARSE)
        if not 0 < substeps <= MOST_STEPS:
            return None
        train, held = (SampledLatents.of(part, units, space, stride) for part in (data.latents, data.validation))
        return cls(train, held, substeps)

    def fit(self, begun: PolynomialMap, lower: CurveFit | None) -> CurveFit | None:
        """The coefficients of the longest windows that curves follow, and those of a lower degree do."""
        field = self._field(begun)
        coefficients, length, reached, noise = begun.coefficients, SHORTEST, 0, torch.inf
        if lower is not None and lower.window > SHORTEST:  # monomials are ordered by degree
            coefficients = torch.zeros_like(coefficients)
            coefficients[: len(lower.fitted.coefficients)] = lower.fitted.coefficients
            length = lower.window
        variance = torch.full_like(field.ratio, 1e-2)
        while length <= LONGEST and (windows := self.train.windows(length, field, self.substeps)) is not None:
            if len(windows.y) * windows.y[0].numel() < 4 * coefficients.numel() + windows.y[:, 0].numel():
                break
            fit = windows.fit(windows.y[:, 0], coefficients, variance)
            variance, off = _variance(fit, length)
            if reached and off > FOLLOWED * max(noise, SPREAD**2):
                break
            coefficients, reached, noise = fit.coefficients, length, off
            length *= 2
        if not reached:
            return None
        fitted = PolynomialMap(self.train.space.feature_dim, self.train.space.dim, begun.degree)
        fitted.coefficients = coefficients
        return CurveFit(fitted, reached, noise**0.5)

    def gains(self, new: CurveFit, old: PolynomialMap) -> float:
        """By how many standard errors curves of the new field pass nearer to the validation samples."""
        length = min(new.window, int(self.held.latents.lengths.max()))
        variance = torch.full_like(self.train.units.spread, max(new.noise, SPREAD) ** 2)
        costs = []
        for fitted in (new.fitted, old):
            windows = self.held.windows(length, self._field(fitted), self.substeps)
            assert windows is not None
            curves = windows.laid(windows.y[:, 0], fitted.coefficients, variance)
            costs.append((curves.squares / variance).sum(1).clamp_max(100.0 * windows.y[0].numel()))
        gain = costs[1] - costs[0]
        error = float(gain.std()) / len(gain) ** 0.5 if len(gain) > 1 else 0.0
        return float(gain.mean()) / max(error, 1e-300)

    def _field(self, fitted: PolynomialMap) -> PolynomialField:
        units = self.train.units
        return PolynomialField(self.train.space, fitted.degree, units.rate / units.spread)


def _variance(fit: Fit, length: int) -> tuple[Float[Tensor, " R"], float]:
    """The mean square by coordinate of what curves miss samples by, with a floor, and its mean over coordinates."""
    followed = fit.squares.isfinite().all(1)
    mean = (fit.squares[followed] / length).median(0).values if followed.any() else torch.ones_like(fit.start[0])
    return mean.clamp_min(SPREAD**2), float(mean.mean()) if followed.any() else torch.inf
