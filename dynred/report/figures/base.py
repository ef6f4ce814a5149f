"""The base class of all figures, the context that reports are drawn from, and the look that figures share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, TypeVar

import matplotlib
import numpy as np
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from torch import Tensor

from dynred.data.grid import Axis, Grid
from dynred.data.trajectories import Trajectories
from dynred.evaluation.agreement import later_halves
from dynred.evaluation.certificate import Certificate
from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.records import Reconstruction, Rollout
from dynred.metrics.base import Gauge, Metric, Reference, find_metrics, find_statistics, measured
from dynred.models.base import Model
from dynred.models.forecast import Forecast, restored
from dynred.numerics.modes import Modes
from dynred.ode.system import UNNAMED_SCALE

# Okabe and Ito's colours, distinct for every common kind of colour vision; one meaning each throughout the page.
TRUTH, MODEL, LINEAR, POD, ENCODER, MARK = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
TYPICAL = "#E69F00"  # the trajectory with the median valid time
GONE = "#BBBBBB"  # where a prediction no longer exists
WIDTH = 6.4  # inches: text of 10 points is still legible when the page is as narrow as a phone
NARROW = 5.0  # inches, below which two panels with long titles do not stand beside each other
DIVERGING = "RdBu_r"  # for signed values; blue and red are told apart by every common kind of colour vision
TOP = 10.0  # larger errors are of no interest; a diverged prediction leaves the picture here
BOTTOM = 1e-8  # smaller errors are of no interest; networks compute in single precision
MOST_BYTES = 2**28  # of test states that a page holds in memory
CURVE = 400  # points of a curve over time; more cannot be seen
STYLE: Mapping[str, Any] = {
    "figure.figsize": (WIDTH, 4.8),
    "figure.constrained_layout.w_pad": 0.07,  # inches; images of equal aspect are placed less exactly than by default
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#E5E5E5",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.5,
    "svg.hashsalt": "dynred",  # the same report gives the same file
}


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
    def pod(self) -> Reconstruction | None:
        """Scores of the POD baseline; None where it was not scored."""
        scores = self.evaluation.baselines.get("pod", {}).get("reconstruction")
        return scores if isinstance(scores, Reconstruction) else None

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


Subject = TypeVar("Subject")


class Figure(ABC, Generic[Subject]):
    """A picture of a page, drawn from what the page is about: a `Context`, or the `Verdict` of an inspection.

    A figure is a class in a file of the page's folder; no list names it.

    Attributes:
        title: what the figure shows, in a few words.
        order: place of the figure on the page; smaller is earlier.
        kind: `svg` for curves, `png` for images and clouds of points.
    """

    title: ClassVar[str]
    order: ClassVar[int]
    kind: ClassVar[Literal["svg", "png"]] = "svg"

    def applies(self, subject: Subject) -> bool:
        """Whether there is anything to show."""
        return True

    @abstractmethod
    def caption(self, subject: Subject) -> str:
        """How to read the figure, in a sentence or two."""

    @abstractmethod
    def draw(self, subject: Subject) -> Drawing:
        """The picture, `WIDTH` inches wide; drawn under `STYLE`."""


def blank(height: float) -> Drawing:
    """A drawing without axes.

    Args:
        height: in inches, where the drawing is `WIDTH` wide. Where the style asks for a narrower one, it is lower by
            the root of the same factor: letters do not shrink as much as the page.
    """
    width = float(matplotlib.rcParams["figure.figsize"][0])
    return Drawing(figsize=(width, height * min(1.0, width / WIDTH) ** 0.5), layout="constrained", dpi=200)


def beside(count: int) -> int:
    """How many panels stand beside each other: up to `count`, where the style asks for a page wide enough, else one."""
    return count if float(matplotlib.rcParams["figure.figsize"][0]) > NARROW else 1


def legend_below(ax: Axes) -> None:
    """A legend below the axes, where it covers nothing."""
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=1, fontsize="small")


def plain_ticks(drawing: Drawing) -> None:
    """Numbers that do not overlap on logarithmic axes: powers of ten alone, or where fewer than two of them are seen
    1, 2 and 5 times these."""
    for ax in drawing.axes:
        for axis in (ax.xaxis, ax.yaxis):
            if axis.get_scale() != "log" or ax.get_label() == "<colorbar>":
                continue
            low, high = sorted(axis.get_view_interval())
            if np.floor(np.log10(high)) - np.ceil(np.log10(low)) < 1:
                axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())


def decades(low: float, high: float) -> tuple[float, float]:
    """Limits of a logarithmic axis around [low, high]: whole decades, so that ticks are plain powers of ten."""
    return 10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high * 1.001))


def time_axis(context: Context, lowest: Axes, highest: Axes | None = None) -> None:
    """Labels the time axis below `lowest` in time units, and a second one above `highest` in time scales."""
    lowest.set_xlabel(f"time since the start ({context.time_unit})")
    if not context.time_scale_name:
        return
    unit = context.time_scale
    scaled = (lambda t: np.asarray(t) / unit, lambda s: np.asarray(s) * unit)
    above = (highest or lowest).secondary_xaxis("top", functions=scaled)
    above.set_xlabel(f"time ({context.time_scale_name})")


def space_label(axis: Axis) -> str:
    """The name of a direction of space, with its unit."""
    return f"{axis.name} ({axis.unit})" if axis.unit else axis.name


def colours(truth: Float[np.ndarray, "..."]) -> dict[str, Any]:
    """Colour map and limits for a field: diverging and symmetric about zero where it takes both signs."""
    low, high = (float(v) for v in np.quantile(truth, [0.001, 0.999]))
    if low < 0 < high:
        return {"cmap": DIVERGING, "vmin": -max(-low, high), "vmax": max(-low, high)}
    return {"cmap": "viridis", "vmin": low, "vmax": high if high > low else low + 1}


def difference_colours(truth: Float[np.ndarray, "..."]) -> dict[str, Any]:
    """Colour map and limits for differences from a field: the field's own where those are symmetric about zero."""
    own, size = colours(truth), float(np.abs(truth - truth.mean()).max()) or 1.0
    return own if own["cmap"] == DIVERGING else {"cmap": DIVERGING, "vmin": -size, "vmax": size}


def shown_errors(values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Errors for a logarithmic axis: tiny ones become 1e-8, missing or diverged ones leave the picture at the top."""
    return np.clip(np.nan_to_num(values, nan=np.inf, posinf=100 * TOP), BOTTOM, 100 * TOP)


def agreement_words(context: Context, name: str, what: str) -> str:
    """The distance of a long-time statistic in words, with that of chance alone; empty where it was not measured."""
    agreement = context.evaluation.statistics.get(name)
    if agreement is None:
        return ""
    if agreement.ratio is None:
        return f"{what.capitalize()}: distance {agreement.distance:.2g}."
    what = what[0].upper() + what[1:]
    return f"{what}: distance {agreement.distance:.2g}, where chance alone gives {agreement.sampling_error:.2g}."
