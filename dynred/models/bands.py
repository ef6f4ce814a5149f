"""Predictions with spread: bands in which the truth lies as often as they say, calibrated on validation trajectories.

A band is centre +- factor(lead time, level) * scale. The scale is how far the decoded rollouts of an ensemble's members
are from the centre, so that bands are narrow where members agree; of a single model it is the same everywhere. Members
that share data and an encoder are too sure of themselves, and five of them have no 5 % quantile: so the factor is not
taken from theory but is the quantile of |truth - centre| / scale over starts in validation trajectories (split
conformal prediction: J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani, L. Wasserman, J. Am. Stat. Assoc. 113, 1094
(2018)).

What holds: at each lead time, over starts like those of the validation trajectories and over the components of the
state together, a band of level p contains p of the values. It says nothing of all components or all times at once.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import integer, is_number, refuse, rows_of
from dynred.data.trajectories import Trajectories
from dynred.models.base import Model
from dynred.spec import Spec

LEVELS = (0.5, 0.8, 0.9, 0.95)
STARTS = 200  # in validation trajectories, where these are long enough: the band then holds to about two percent
FAR = 1e300  # stands for infinite: so many predictions diverged that no band can hold


@dataclass(frozen=True)
class Calibration(Spec):
    """What bands need beside the model; plain numbers, so that `to_json` keeps it.

    Attributes:
        lead: lead times, counted from the start [J], from 0.
        levels: levels of the bands, increasing, in (0, 1) [Q].
        factors: factor of each level at each lead time [Q, J].
        floor: smallest scale of each component [D]: the root mean square reconstruction error.
    """

    lead: tuple[float, ...]
    levels: tuple[float, ...]
    factors: tuple[tuple[float, ...], ...]
    floor: tuple[float, ...]

    def __post_init__(self):
        if not self.lead or any(b <= a for a, b in pairwise(self.lead)):
            raise refuse("lead", "one or more increasing times", self.lead)
        if not self.levels or not all(0 < q < 1 for q in self.levels):
            raise refuse("levels", "one or more numbers in (0, 1)", self.levels)
        if [len(row) for row in self.factors] != [len(self.lead)] * len(self.levels):
            raise refuse("factors", f"{len(self.lead)} for each of {len(self.levels)} levels", self.factors)
        for name, values in (("factors", sum(self.factors, ())), ("floor", self.floor)):
            if not values or min(values) < 0:
                raise refuse(name, "one or more numbers >= 0", values)

    def factor(self, level: float, t: Float[Tensor, " T"]) -> Float[Tensor, " T"]:
        """The factor at times since the start: linear in between, that of the longest lead beyond it.

        Raises:
            InputError: a level that was not calibrated.
        """
        if level not in self.levels:
            raise refuse("level", f"one of {', '.join(f'{q:g}' for q in self.levels)}", level)
        table = self.factors[self.levels.index(level)]
        return torch.from_numpy(np.interp(t.double().numpy(), self.lead, table))


@dataclass(frozen=True, eq=False)
class Band:
    """Predictions with a band around them, all of N trajectories at the same times.

    Attributes:
        centre: the model's prediction.
        lower: the lower end of the band of every component, NaN where the prediction is.
        upper: the upper end of the band of every component, NaN where the prediction is.
        level: how often the truth should be in the band.
    """

    centre: Trajectories
    lower: Trajectories
    upper: Trajectories
    level: float

    def holds(self, truth: Trajectories) -> Float[Tensor, " M"]:
        """The fraction of components of each true snapshot that are in the band; NaN counts as outside."""
        x = truth.states.double()
        return ((self.lower.states <= x) & (x <= self.upper.states)).double().mean(-1)


@public
def calibrate(
    model: Model, validation: Trajectories, horizon: int | None = None, levels: tuple[float, ...] = LEVELS
) -> Calibration:
    """Factors for bands of a model's predictions.

    Args:
        model: the model; its dynamics may be an ensemble or not.
        validation: trajectories that it was not trained on, sampled alike; cut into pieces of `horizon` steps, each of
            which is one start.
        horizon: snapshots ahead, >= 1; default: the most, up to half a trajectory, that leave 200 starts; 1 where
            none do.
        levels: levels of the bands, in (0, 1).

    Raises:
        InputError: trajectories of different sampling, or shorter than the horizon; too few starts for the levels.
    """
    rows_of("validation", validation.states, model.state_dim)
    validation, model = model.prepared(validation), model.core
    horizon = _horizon(validation) if horizon is None else integer("horizon", horizon, 1)
    if not levels or not all(is_number(q) and 0 < q < 1 for q in levels):
        raise refuse("levels", "in (0, 1)", levels)
    starts = validation.windows(horizon + 1, horizon)
    (grid, _), *others = starts.shared_grids()
    t = grid.double()
    if others:
        raise refuse("validation", "trajectories sampled alike", "different times between snapshots")
    needed = 1 / (1 - max(levels))
    if len(starts) + 1 < needed:
        raise refuse("validation", f"at least {int(needed)} starts of {horizon} snapshots", len(starts), "Shorten it.")
    truth = starts.states.double().reshape(len(starts), horizon + 1, -1)
    reconstructed = model.at(validation.row_parameters).reconstruct(validation.states).double()
    floor = (reconstructed - validation.states.double()).pow(2).mean(0).sqrt()
    floor = floor.clamp_min(1e-12 * float(truth.abs().max()))
    centre, scale = _centre_and_scale(model.at(starts.given), starts.initial, t, floor)
    score = ((truth - centre).abs() / scale).nan_to_num(nan=FAR, posinf=FAR).transpose(0, 1).reshape(len(t), -1)
    # Components of one start go together: the correction for a finite sample counts starts.
    ranks = [min(1.0, q * (len(starts) + 1) / len(starts)) for q in levels]
    factors = np.quantile(score.numpy(), ranks, axis=1, method="higher")
    return Calibration(tuple(t.tolist()), tuple(levels), tuple(map(tuple, factors.tolist())), tuple(floor.tolist()))


def _horizon(validation: Trajectories) -> int:
    steps = validation.lengths - 1
    horizon = max(1, int(steps.min()) // 2)
    while horizon > 1 and int((steps // horizon).sum()) < STARTS:
        horizon -= 1
    return horizon


def predict_band(
    model: Model,
    calibration: Calibration,
    x0: Float[Tensor, "N D"] | Float[Tensor, " D"],
    t: Float[Tensor, " T"],
    level: float = 0.9,
) -> Band:
    """The model's prediction and a band around it.

    Args:
        model: the model.
        calibration: the factors, as `calibrate` gives them for this model.
        x0: states at t[0], as for `Model.predict`.
        t: increasing times, as for `Model.predict`.
        level: a level that was calibrated.
    """
    centre = model.predict(x0, t)
    times = torch.as_tensor(t, dtype=torch.float64)
    floor = torch.tensor(calibration.floor, dtype=torch.float64)
    middle, scale = _centre_and_scale(model.core, model.start(x0), times, floor)
    width = calibration.factor(level, times - times[0])[:, None] * scale
    lower, upper = (model.restored(Trajectories.from_stacked(middle + end, times)) for end in (-width, width))
    return Band(centre, lower, upper, level)


def _centre_and_scale(
    model: Model,
    x0: Float[Tensor, "N D"],
    t: Float[Tensor, " T"],
    floor: Float[Tensor, " D"],
) -> tuple[Float[Tensor, "N T D"], Float[Tensor, "N T D"]]:
    """The prediction, and how far the members' are from it, with `floor` added; without members, `floor` alone."""
    centre = model.predict(x0, t).stacked()
    members = model.members()
    if len(members) == 1:
        return centre, floor.expand_as(centre)
    with torch.no_grad():
        z0, decoder = model.encode(x0), model.along_time()
        apart = torch.stack([decoder.decode(member.rollout(z0, t)).double() - centre for member in members])
    # A member that diverged tells nothing about the width; the others do.
    spread = apart.pow(2).nanmean(0).nan_to_num(0.0).sqrt()
    return centre, torch.hypot(spread, floor)
