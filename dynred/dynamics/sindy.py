"""Sparse polynomial latent dynamics (SINDy): few terms, fitted to exact velocities, that can be read as equations.

S. L. Brunton, J. L. Proctor, J. N. Kutz, PNAS 113, 3932 (2016), by PySINDy's sequentially thresholded least squares (B.
de Silva et al., J. Open Source Softw. 5, 2104 (2020)). PySINDy (extra `baselines`) is needed to fit, not to predict.
"""

import importlib
import math
import warnings
from dataclasses import dataclass
from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, positive, refuse
from dynred.data.trajectories import Trajectories
from dynred.dynamics._polynomials import PolynomialDynamics
from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData
from dynred.errors import MissingExtraError
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.polynomials import HIGHEST, exponents, factors
from dynred.solvers.adams import Adams


class Sindy(PolynomialDynamics):
    """A sparse polynomial field.

    Attributes:
        threshold: the threshold that was chosen.
    """

    threshold: Float[Tensor, ""]
    solver = Adams(rtol=1e-8, atol=1e-8)  # few terms are cheap, and may be exact

    def __init__(self, spec: "SindySpec", space: LatentSpace, units: Standardisation):
        super().__init__(spec, space, units, factors(space.feature_dim, spec.degree))
        self.register_buffer("threshold", torch.zeros((), dtype=torch.float64))

    def notes(self) -> list[str]:
        """The equations; see `LatentDynamics.notes`."""
        return self.equations()


@dataclass(frozen=True)
class SindySpec(DynamicsSpec):
    """Settings of SINDy.

    Attributes:
        degree: of the polynomials, >= 1.
        thresholds: smaller coefficients are dropped, in units in which latents and velocities are of order one, each >
            0. Each is tried; of those whose validation rollouts are about as good as the best, the largest is taken.
        slack: scores that are worse than the best by at most this fraction are about as good, > 0.
        ridge: weight of the squared coefficients in the least squares, > 0.
    """

    degree: int = 3
    thresholds: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
    slack: float = 0.1
    ridge: float = 1e-9

    def __post_init__(self):
        count("degree", self.degree, 1, HIGHEST)
        if not self.thresholds:
            raise refuse("thresholds", "one or more numbers > 0", self.thresholds)
        for threshold in self.thresholds:
            positive("thresholds", threshold)
        positive("slack", self.slack)
        positive("ridge", self.ridge)

    def _fit(self, data: LatentData) -> Sindy:
        """The sparse fit; see `DynamicsSpec._fit`. Draws nothing from `rng`.

        Raises:
            MissingExtraError: PySINDy is not installed.
        """
        pysindy = _pysindy()
        model, tried = Sindy(self, data.latent_space, data.units(centred=False)), []
        for threshold in sorted(self.thresholds):
            model.coefficients = _sparse(pysindy, model, data.latents, threshold, self)
            tried.append((data.score(model), threshold, model.coefficients))
        best = min(score for score, _, _ in tried)
        enough = best * (1 + self.slack) + ROUNDING
        _, threshold, model.coefficients = max(
            (trial for trial in tried if trial[0] <= enough), key=lambda trial: trial[1]
        )
        model.threshold = torch.tensor(threshold, dtype=torch.float64)
        return model

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: the latents, and PySINDy's monomials of all snapshots at once."""
        terms = math.comb(latent_space.feature_dim + self.degree, self.degree)
        return super().memory(latent_space, train, validation) + 8 * terms * (4 * train + 5 * terms)

    def build(self, latent_space: LatentSpace) -> Sindy:  # type: ignore[override] # its sizes by name
        """See `DynamicsSpec.build`."""
        return Sindy(self, latent_space, Standardisation.empty(latent_space.dim))


ROUNDING = 1e-5  # the tolerance of rollouts: smaller differences of scores do not tell models apart


def _sparse(pysindy: ModuleType, model: Sindy, latents: Trajectories, threshold: float, spec: SindySpec) -> Tensor:
    """The thresholded coefficients [K, R], fitted to all trajectories with their velocities."""
    features, times, velocities = [], [], []
    for trajectory in latents:
        assert trajectory.velocities is not None
        y = model.latent_space.features(model.units.standard(trajectory.states.double()))
        features.append(y.numpy())
        times.append(trajectory.t.double().numpy())
        velocities.append((trajectory.velocities.double() / model.units.rate).numpy())
    library = pysindy.PolynomialLibrary(degree=spec.degree)
    fit = pysindy.SINDy(optimizer=pysindy.STLSQ(threshold=threshold, alpha=spec.ridge), feature_library=library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PySINDy warns of thresholds that leave nothing: rollouts judge them
        fit.fit(features, t=times, x_dot=velocities)
    theirs = {tuple(powers): row for row, powers in enumerate(library.powers_.tolist())}
    ours = exponents(model.factors, model.latent_space.feature_dim).tolist()
    coefficients = torch.as_tensor(fit.coefficients().T, dtype=torch.float64)
    return coefficients[[theirs[tuple(powers)] for powers in ours]].contiguous()


def _pysindy() -> ModuleType:
    try:
        return importlib.import_module("pysindy")
    except ImportError as error:
        raise MissingExtraError(
            "SINDy needs an extra that is not installed: pip install 'dynred[baselines]'."
        ) from error
