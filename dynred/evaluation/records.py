"""The parts of an evaluation: frozen records of numbers with their intervals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dynred.evaluation.bootstrap import Interval
from dynred.evaluation.intervals import FEWEST, fraction_interval
from dynred.evaluation.spreads import Quantiles, Spread


@dataclass(frozen=True)
class Finding:
    """Something that a reader should know before the scores.

    Attributes:
        kind: what was found, e.g. `worse_than_a_baseline`.
        text: the finding in a sentence or two, with the numbers that show it.
        value: the number that shows it; None where no single one does.
    """

    kind: str
    text: str
    value: float | None = None


@dataclass(frozen=True)
class Agreement:
    """How far a long-time statistic of predictions is from that of the truth.

    Attributes:
        distance: distance between the two.
        interval: interval of the distance.
        sampling_error: the distance that two sets of as many true trajectories would have by chance.
        ratio: distance over sampling error; about 1 where nothing tells predictions from truth.
    """

    distance: float
    interval: Interval | None = None
    sampling_error: float | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class ReconstructionScore:
    """Error of decode(encode(x)).

    Attributes:
        nmse: mean |x^ - x|^2 / mean |x - mean x|^2 over test snapshots.
        relative_error: quantiles of |x^ - x| / sqrt(mean |x - mean x|^2) over test snapshots.
        nmse_interval: interval of the nmse.
    """

    nmse: float
    relative_error: Quantiles
    nmse_interval: Interval | None = None


@dataclass(frozen=True)
class ErrorCurve:
    """Rollout error over time since the start: quantiles over trajectories; infinite where predictions diverged.

    Attributes:
        t: times since the start.
        median, mean, p90: median, mean and 90 % quantile of |predicted - x|.
        low, high: ends of the interval of the median.
        reconstruction: median of |decode(encode(x)) - x|, the share of encoder and decoder.
        dynamics: median of |predicted - decode(encode(x))|, the share of the latent dynamics.
    """

    t: list[float]
    median: list[float]
    mean: list[float]
    p90: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    reconstruction: list[float] | None = None
    dynamics: list[float] | None = None


@dataclass(frozen=True)
class Rollout:
    """Error of predictions from the first state of every test trajectory.

    Attributes:
        threshold: error above which a prediction is lost, in units of sqrt(mean |x - mean x|^2).
        valid_time: time until the error exceeds the threshold, in time units.
        valid_time_scaled: the same time in units of the system's time scale; None where no time scale is known.
        diverged: number of trajectories whose prediction stopped being finite.
        error: the error over time.
        diverged_interval: interval of the number of diverged trajectories.
        exact_dynamics: time until the error of decode(encode(x)) alone exceeds the threshold, in time units: how long
            predictions would hold if the latent dynamics were exact. None in files of earlier versions.
    """

    threshold: float
    valid_time: Spread
    valid_time_scaled: Spread | None
    diverged: int
    error: ErrorCurve
    diverged_interval: Interval | None = None
    exact_dynamics: Spread | None = None


@dataclass(frozen=True)
class Exponents:
    """Lyapunov exponents per time unit, decreasing, with standard errors, and the Kaplan-Yorke dimension.

    The dimension is None where more exponents would be needed.
    """

    exponents: list[float]
    error: list[float]
    kaplan_yorke_dimension: float | None = None


@dataclass(frozen=True)
class LongTime:
    """What very long rollouts show.

    Attributes:
        rollouts: number of rollouts.
        duration: duration of each rollout, in time units.
        left: number of rollouts that left the attracting set.
        left_interval: interval of that number.
        statistics: how far the distribution of predictions is from that of the truth, by name of the statistic.
        full, reduced: exponents of the full and the reduced model; None where they were not computed.
    """

    rollouts: int
    duration: float
    left: int
    left_interval: Interval
    statistics: Mapping[str, Agreement]
    full: Exponents | None = None
    reduced: Exponents | None = None


@dataclass(frozen=True)
class Coverage:
    """How often a calibrated band around predictions holds the truth (`dynred.models.bands`).

    Attributes:
        level: how often the band should hold the truth, as a fraction.
        t: times since the start, as far as the band was calibrated.
        holds: fraction of the components of the test trajectories that the band holds at each time.
        low, high: ends of the interval of that fraction; None where trajectories are too few for one.
    """

    level: float
    t: list[float]
    holds: list[float]
    low: list[float] | None = None
    high: list[float] | None = None

    @classmethod
    def of(cls, level: float, t: list[float], table: Float[np.ndarray, "N T"]) -> "Coverage":
        """The coverage from a table: the fraction of each trajectory's components that the band holds at each time.

        NaN stands for times after the end of a trajectory. Fewer than five trajectories give no interval; where fewer
        than five last so long, it is all from 0 to 1.
        """
        holds = np.nanmean(table, 0)
        if len(table) < FEWEST:
            return cls(level, t, holds.tolist())
        lasts = ~np.isnan(table)
        low, high = fraction_interval(np.where(lasts, table, 0.0), lasts.astype(int))
        return cls(level, t, holds.tolist(), low.tolist(), high.tolist())


@dataclass(frozen=True)
class VariableError:
    """The errors of one variable of the data, in its own unit.

    Attributes:
        name: its name.
        spread: root mean square deviation from its mean, over the test.
        reconstruction: root mean square error of reconstructions.
        rollout: root mean square error of predictions; infinite where one diverged.
    """

    name: str
    spread: float
    reconstruction: float
    rollout: float


@dataclass(frozen=True)
class Cost:
    """What it took to make the model; None where it was not measured.

    Attributes:
        simulate_s, reducer_s, dynamics_s, evaluate_s: wall-clock seconds.
        peak_memory_mb: largest resident memory of the process so far, in MiB.
        parameters: how many numbers of the model were fitted, see `Model.parameter_count`.
        reused: stages that another run had computed, and that were only read.
    """

    simulate_s: float | None = None
    reducer_s: float | None = None
    dynamics_s: float | None = None
    evaluate_s: float | None = None
    peak_memory_mb: float | None = None
    parameters: int | None = None
    reused: tuple[str, ...] = ()

    def numbers(self) -> dict[str, float]:
        """What was measured, by name."""
        return {name: value for name, value in vars(self).items() if value is not None and name != "reused"}

    @property
    def making_s(self) -> float | None:
        """Seconds of making the model: data, coordinates and dynamics; None where a part was not measured."""
        parts = (self.simulate_s, self.reducer_s, self.dynamics_s)
        return None if None in parts else math.fsum(part for part in parts if part is not None)


@dataclass(frozen=True)
class Speedup:
    """What both models cost to run; None without an equation, or where an earlier version did not measure it.

    Attributes:
        full_s_per_time_unit, reduced_s_per_time_unit: seconds per time unit and trajectory, in a batch of the test's
            size.
        ratio: full over reduced.
        batch: trajectories of that batch.
        duration: time units of each of them.
        full_alone_s, reduced_alone_s: seconds of one such run alone.
    """

    full_s_per_time_unit: float | None
    reduced_s_per_time_unit: float
    ratio: float | None
    batch: int | None = None
    duration: float | None = None
    full_alone_s: float | None = None
    reduced_alone_s: float | None = None

    def pays_from(self, cost: Cost) -> float | None:
        """From how many runs in batches on the model is cheaper than the full model, what it took to make included.

        Infinite where it never is; None where something of it was not measured.
        """
        making = cost.making_s
        if making is None or self.full_s_per_time_unit is None or self.duration is None:
            return None
        saved = self.duration * (self.full_s_per_time_unit - self.reduced_s_per_time_unit)
        return math.ceil(making / saved) if saved > 0 else math.inf
