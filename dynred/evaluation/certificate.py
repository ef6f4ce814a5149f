"""The certificate: how wrong a reduced model is on K itself, and where, beside what is proven to be unavoidable."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from dynred.geometry.obstruction import Obstruction
from dynred.records import plain
from dynred.views import Plotted

SCHEMA = 1


@dataclass(frozen=True)
class ErrorQuantiles:
    """Quantiles of |decode(encode(x)) - x| over a sample, in state units."""

    median: float
    p90: float
    p99: float
    p999: float
    max: float


@dataclass(frozen=True)
class Fraction:
    """A fraction of K, with a Clopper-Pearson confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Exceedance:
    """delta(epsilon): the fraction of K on which the error exceeds epsilon, with confidence limits.

    Attributes:
        epsilon: errors, in state units, increasing.
        delta, low, high: the fraction at each epsilon, and its limits, which hold pointwise.
    """

    epsilon: list[float]
    delta: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Part:
    """A component of K.

    Attributes:
        samples: number of samples on the component.
        error: quantiles of the error on it.
        exceptional: fraction of the component in the exceptional set.
    """

    samples: int
    error: ErrorQuantiles
    exceptional: Fraction


@dataclass(frozen=True)
class Tube:
    """What the model makes of states off K: it encodes and decodes x + d, with x on K and d a random vector.

    Attributes:
        size: lengths of d, in state units.
        from_k_median, from_k_max: distance of decode(encode(x + d)) from K, by the system's own measure of it, else
            from the nearest sample. The best value is 0, but expect no less than the error on K.
        moved_median, moved_max: |decode(encode(x + d)) - x|.
    """

    size: list[float]
    from_k_median: list[float]
    from_k_max: list[float]
    moved_median: list[float]
    moved_max: list[float]


@dataclass(frozen=True)
class OverTime:
    """Errors of two kinds of prediction along trajectories, in state units; infinite where predictions diverged.

    With m lines on a closed m-manifold the first kind can be good, and the second must fail.

    Attributes:
        t: times since the start.
        once_median, once_max: median and maximum over trajectories, encoded once and followed in latent space.
        every_median, every_max: the same for trajectories that are decoded and encoded again at every snapshot.
    """

    t: list[float]
    once_median: list[float]
    once_max: list[float]
    every_median: list[float]
    every_max: list[float]


@dataclass(frozen=True, eq=False)
class Certificate(Plotted):
    """What can be promised of a reduced model on K. Lengths are in state units.

    Attributes:
        system: name of the system.
        latent_space: {"angles": int, "lines": int}.
        samples: number of points of K.
        draws: number of samples that count as independent, in all confidence limits.
        scale: root mean square distance of the samples from their mean.
        confidence: level of all limits, e.g. 0.95.
        error: quantiles of the error on all of K.
        parts: the components, in the order of their labels; a single one where none are told apart.
        coverage: the curve delta(epsilon).
        threshold: error above which a point is exceptional: half the reach where it is known, else a tenth of `scale`.
        threshold_name: the threshold in words.
        exceptional: fraction of K in the exceptional set, an estimate of the measure of K0.
        obstruction: what is proven about the largest error.
        tube: what the model makes of states off K.
        over_time: errors along trajectories; None without trajectories or dynamics.
        points, errors, labels: the samples, their errors and components, for figures; not in the JSON.
    """

    system: str
    latent_space: dict[str, int]
    samples: int
    draws: int
    scale: float
    confidence: float
    error: ErrorQuantiles
    parts: tuple[Part, ...]
    coverage: Exceedance
    threshold: float
    threshold_name: str
    exceptional: Fraction
    obstruction: Obstruction
    tube: Tube
    over_time: OverTime | None
    points: Float[Tensor, "M D"] = field(repr=False)
    errors: Float[Tensor, " M"] = field(repr=False)
    labels: Int[Tensor, " M"] = field(repr=False)

    @property
    def exceptional_set(self) -> Float[Tensor, "m D"]:
        """The samples whose error exceeds the threshold."""
        return self.points[self.errors > self.threshold]

    @property
    def too_few_samples(self) -> bool:
        """Whether the largest error is below the proven bound, so that the sample missed the worst of K."""
        bound = self.obstruction.lower_bound
        if not bound:
            return False
        worst = [part.error.max for part in self.parts] if self.obstruction.on_every_component else [self.error.max]
        return min(worst) < bound

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, the content of certificate.json; numbers that are not finite become None."""
        names = ("system", "latent_space", "samples", "draws", "scale", "confidence", "threshold", "threshold_name")
        parts = ("error", "coverage", "exceptional", "obstruction", "tube", "parts", "over_time", "too_few_samples")
        return {"schema": SCHEMA, **{name: plain(getattr(self, name)) for name in (*names, *parts)}}

    def words(self) -> list[str]:
        """The certificate in sentences."""
        limits = f"between {_percent(self.exceptional.low)} and {_percent(self.exceptional.high)}"
        e = self.error
        sentences = [
            f"On {self.samples} points of K that training never saw, half of the errors are below {e.median:.2g}, 99 % "
            f"below {e.p99:.2g}, none is above {e.max:.3g} (the size of K is {self.scale:.3g}).",
            f"The error exceeds {self.threshold:.2g} ({self.threshold_name}) on {_percent(self.exceptional.value)} of "
            f"K; with {100 * self.confidence:g} % confidence {limits}, from {self.draws} independent points.",
            self._proven(),
        ]
        if self.too_few_samples:
            sentences.append(
                "The largest error found is below that: the sample is too small and missed the worst of K."
            )
        return sentences

    def _proven(self) -> str:
        known, bound = self.obstruction, self.obstruction.lower_bound
        if known.obstructed is None:
            return f"No lower bound is known: {known.reason}."
        if not known.obstructed:
            return f"Topology forbids nothing here: {known.reason}."
        size = "above zero, by the unknown reach of K" if bound is None else f"at least {bound:.3g}"
        where = " on every component" if known.on_every_component and len(self.parts) > 1 else ""
        return f"The largest error{where} is proven to be {size}: {known.reason}."

    def rows(self) -> list[tuple[str, ...]]:
        """The table as text: quantity, all of K, and each component where there are several."""
        columns = [(self.error, self.exceptional, self.samples)]
        if len(self.parts) > 1:
            columns += [(part.error, part.exceptional, part.samples) for part in self.parts]
        names = {"median": "median", "p90": "90 %", "p99": "99 %", "p999": "99.9 %", "max": "maximum"}
        rows = [("points", *(str(n) for _, _, n in columns))]
        rows += [(f"error, {name}", *(f"{getattr(e, key):.3g}" for e, _, _ in columns)) for key, name in names.items()]
        rows.append((f"fraction with error above {self.threshold:.3g}", *(_interval(f) for _, f, _ in columns)))
        bound = self.obstruction.lower_bound
        rows.append(
            ("proven lower bound of the maximum", *_cells("unknown" if bound is None else f"{bound:.3g}", columns))
        )
        if self.over_time is not None:
            t = self.over_time.t[-1]
            ends = (("encoded once", self.over_time.once_median), ("encoded every step", self.over_time.every_median))
            rows += [(f"{name}, median error after {t:.4g}", *_cells(f"{v[-1]:.3g}", columns)) for name, v in ends]
        return rows

    def __str__(self) -> str:
        return "\n".join(self.words())


def _cells(text: str, columns: Sequence[object]) -> tuple[str, ...]:
    return (text, *("" for _ in columns[1:]))


def _percent(value: float) -> str:
    return f"{100 * value:.2g} %"


def _interval(part: Fraction) -> str:
    return f"{part.value:.3g} ({part.low:.2g} to {part.high:.2g})"
