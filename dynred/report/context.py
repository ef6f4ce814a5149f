"""What the figures of a report are drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynred.data.grid import Grid
from dynred.data.trajectories import Trajectories
from dynred.evaluation.agreement import later_halves
from dynred.evaluation.certificate import Certificate
from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.records import ReconstructionScore, Rollout
from dynred.metrics.base import Gauge, Metric, Reference, find_metrics, find_statistics, measured
from dynred.models.base import Model
from dynred.models.forecast import Forecast, restored
from dynred.numerics.modes import Modes
from dynred.ode.system import UNNAMED_SCALE

MOST_BYTES = 2**28  # of test states that a page holds in memory
CURVE = 400  # points of a curve over time; more cannot be seen


@dataclass(frozen=True, eq=False)
class Context:
    """What a report is drawn from.

    Attributes:
        model: the reduced model.
        evaluation: its scores.
        forecast: the predictions that were scored: of transformed states, where the model transforms them.
        grid: for fields, how a state is laid out in space.
        certificate: what can be promised on K; None leaves its figures out.
        own_metrics: the metrics of the evaluation that are not dynred's.
    """

    model: Model
    evaluation: Evaluation
    forecast: Forecast
    grid: Grid | None = None
    certificate: Certificate | None = None
    own_metrics: Sequence[Metric] = ()

    @cached_property
    def core(self) -> Model:
        """The model of the states of `encoded`."""
        return self.model.core  # type: ignore[no-any-return] # a model

    @cached_property
    def encoded(self) -> Forecast:
        """The forecast of the states that the model encodes."""
        return self.forecast.core

    @cached_property
    def shown_model(self) -> Model:
        """The model of the states of `shown`: of the variables of the data; of `encoded` where those are too many."""
        size = 8 * len(self.forecast.truth.states) * self.model.state_dim
        return self.model if size <= MOST_BYTES or self.model.past > 1 else self.core

    @cached_property
    def shown(self) -> Forecast:
        """The forecast in the variables of the data; of the states that the model encodes where those are too many."""
        return restored(self.forecast, self.shown_model)

    def fields(
        self, rows: slice | Sequence[int]
    ) -> tuple[Float[np.ndarray, "T C *points"], Float[np.ndarray, "T C *points"]]:
        """Truth and prediction of some snapshots as fields on the grid."""
        assert self.grid is not None
        pair = []
        for part in (self.forecast.core.truth, self.forecast.core.predicted):
            states, t = part.states[rows], part.t[rows]
            chosen = Trajectories(states, t, torch.tensor([len(t)]))
            chosen = self.model.restored(chosen) if self.model.transforms else chosen
            pair.append(chosen.states.double().numpy().reshape(len(states), *self.grid.shape))
        return pair[0], pair[1]

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The metrics of the evaluation by name, in its order."""
        return {metric.name: metric for metric in find_metrics(self.own_metrics, self.evaluation.rollout.threshold)}

    def path_style(self, size: float) -> dict[str, Any]:
        """How a path is drawn: as a line, or as points of this size where time goes in steps, between which there is
        nothing."""
        steps = {"linestyle": "none", "marker": "o", "markersize": size, "markeredgewidth": 0}
        return {} if self.paths == "curves" else steps

    @property
    def paths(self) -> str:
        """What paths look like: `curves`, or `points`."""
        return "curves" if self.model.time_step is None else "points"

    @cached_property
    def time_unit(self) -> str:
        """Name of the unit of time."""
        return str(self.model.about.get("time_unit", "time units"))

    @cached_property
    def time_scale(self) -> float:
        """The unit of scaled valid times, in time units: the one that the evaluation used."""
        rollout = self.evaluation.rollout
        if rollout.valid_time_scaled is not None and rollout.valid_time_scaled.mean > 0:
            return rollout.valid_time.mean / rollout.valid_time_scaled.mean
        return float(self.model.about.get("time_scale", 1.0))

    @cached_property
    def time_scale_name(self) -> str:
        """What the time scale is, e.g. `Lyapunov times`; empty where the system has none of its own."""
        if self.evaluation.rollout.valid_time_scaled is None:
            return ""
        name = str(self.model.about.get("time_scale_name", ""))
        return "" if name == UNNAMED_SCALE and self.time_scale == 1 else name

    @cached_property
    def pod(self) -> ReconstructionScore | None:
        """Scores of the POD baseline; None where it was not scored."""
        scores = self.evaluation.baselines.get("pod", {}).get("reconstruction")
        return scores if isinstance(scores, ReconstructionScore) else None

    @cached_property
    def linear(self) -> Rollout | None:
        """Scores of the linear baseline; None where it was not scored."""
        scores = self.evaluation.baselines.get("linear", {}).get("rollout")
        return scores if isinstance(scores, Rollout) else None

    @cached_property
    def later(self) -> tuple[Trajectories, Trajectories]:
        """The later halves of truth and predictions; long-time statistics are measured on them."""
        return later_halves(self.forecast.truth), later_halves(self.forecast.predicted)

    @cached_property
    def gauges(self) -> dict[str, Gauge]:
        """The gauge of every long-time statistic of the evaluation, by name, with its bins and units."""
        grid = self.grid if self.forecast.truth.dim == self.model.state_dim else None
        reference = Reference(self.later[0], grid)
        return {statistic.name: statistic.gauge(reference) for statistic in find_statistics(reference)}

    def measured(self, name: str) -> tuple[Float[np.ndarray, "N ..."], Float[np.ndarray, "N ..."]]:
        """What every trajectory contributes to a long-time statistic, in truth and prediction."""
        truth, predicted = (self.gauges[name].measure(part) for part in self.later)
        return truth, predicted

    def average(self, contributions: Float[np.ndarray, "N ..."]) -> Float[np.ndarray, "..."]:
        """The mean of contributions of trajectories, each weighted by its length."""
        return np.average(contributions, axis=0, weights=self.later[0].lengths.numpy())

    @cached_property
    def rollout_error(self) -> Float[np.ndarray, " M"]:
        """Rollout error of every snapshot, infinite where the prediction diverged."""
        return self.forecast.rollout_error().numpy()

    @cached_property
    def dynamics_error(self) -> Float[np.ndarray, " M"]:
        """Error that the latent dynamics add to that of encoder and decoder, of every snapshot."""
        return self.forecast.dynamics_error().numpy()

    @cached_property
    def reconstruction_error(self) -> Float[np.ndarray, " M"]:
        """Reconstruction error of every snapshot."""
        return self.forecast.reconstruction_error().numpy()

    @cached_property
    def valid_times(self) -> Float[np.ndarray, " N"]:
        """Valid prediction time of every trajectory, in time units."""
        return measured(self.metrics["valid_time"], self.forecast).numpy()

    @cached_property
    def lost(self) -> Bool[np.ndarray, " N"]:
        """Whether a trajectory's error exceeds the threshold at all; where not, its valid time is a lower bound."""
        starts = self.forecast.truth.starts.numpy()
        return np.maximum.reduceat(self.rollout_error, starts) > self.evaluation.rollout.threshold

    @cached_property
    def typical(self) -> int:
        """The trajectory whose valid time is the median (the lower of two)."""
        return int(np.argsort(self.valid_times, kind="stable")[(len(self.valid_times) - 1) // 2])

    @cached_property
    def leading(self) -> tuple[list[str], Float[np.ndarray, "M K"], Float[np.ndarray, "M K"]]:
        """Names and values, in truth and prediction, of up to three coordinates that show a state's motion.

        These are the components of a state that has at most three, else the leading POD coordinates of the true states.
        """
        dim = self.shown.truth.dim
        names = [f"$x_{i + 1}$" if dim <= 3 else f"POD coordinate $a_{i + 1}$" for i in range(min(3, dim))]
        truth, predicted = (self.coordinates(part.states) for part in (self.shown.truth, self.shown.predicted))
        return names, truth, predicted

    def coordinates(self, states: Float[Tensor, "*batch D"]) -> Float[np.ndarray, "*batch K"]:
        """The coordinates of `leading` for any states."""
        return states.double().numpy() if self._modes is None else self._modes.coefficients(states).numpy()

    @cached_property
    def _modes(self) -> Modes | None:
        truth = self.shown.truth
        return Modes.of(truth.states.double(), 3, scaled=False) if truth.dim > 3 else None

    def rows(self, i: int) -> slice:
        """The snapshots of trajectory i."""
        start = int(self.forecast.truth.starts[i])
        return slice(start, start + int(self.forecast.truth.lengths[i]))

    def elapsed(self, i: int) -> Float[np.ndarray, " T"]:
        """Times of trajectory i since its start."""
        return self.forecast.elapsed[self.rows(i)].double().numpy()

    def over_time(self, values: Float[np.ndarray, " M"]) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, "N T"]]:
        """A value of every snapshot as a table over common times since the start, NaN after a trajectory's end.

        Trajectories that share their times keep them. Otherwise values are interpolated linearly to evenly spaced
        times, for as long as half of the trajectories last.
        """
        pieces = [(self.elapsed(i), values[self.rows(i)]) for i in range(len(self.forecast.truth))]
        t = pieces[0][0]
        if len(self.forecast.truth.shared_grids()) == 1:
            chosen = np.unique(np.linspace(0, len(t) - 1, CURVE).round().astype(int))
            return t[chosen], np.stack([piece[chosen] for _, piece in pieces])
        t = np.linspace(0, np.quantile([own[-1] for own, _ in pieces], 0.5, method="lower"), CURVE)
        return t, np.stack([np.interp(t, own, piece, right=np.nan) for own, piece in pieces])
