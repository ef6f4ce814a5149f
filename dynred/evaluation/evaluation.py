"""The scores of one model, as a record, as evaluation.json, and as a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dynred.checks import shown
from dynred.errors import FileFormatError
from dynred.evaluation.records import (
    Agreement,
    Cost,
    Coverage,
    LongTime,
    Reconstruction,
    Rollout,
    Score,
    Speedup,
)
from dynred.evaluation.words import distance, number, with_interval
from dynred.files import read_json
from dynred.records import plain, revive

SCHEMA = 1
_BASELINE_PARTS: Mapping[str, Any] = {
    "reconstruction": Reconstruction,
    "rollout": Rollout,
    "metrics": Mapping[str, Score],
    "statistics": Mapping[str, Agreement],
}

_SHOWN = {"valid_time", "reconstruction_nmse"}  # other rows of the table show these metrics

Row = tuple[str, str, str, str]


@dataclass(frozen=True)
class Evaluation:
    """The scores of one model; `to_dict` is the stable content of evaluation.json.

    Attributes:
        system: name of the system or data.
        state_dim, latent_dim: D and R.
        latent_space: {"angles": int, "lines": int}.
        seed: seed of the experiment; None where it is unknown.
        test: {"trajectories": int, "snapshots": int}.
        reconstruction, rollout: errors of the model.
        baselines: scores of the baselines, by name. `pod`, of the same dimension, has {"reconstruction"}; `linear`,
            linear dynamics of the same latents, has {"rollout", "metrics", "statistics"}. Empty without training data.
        cost: what it took to make the model.
        speedup: how much faster the reduced model runs than the full model.
        metrics: every metric over the trajectories, by name.
        statistics: every long-time statistic of the later halves of the test's rollouts, by name.
        long_time: what very long rollouts show, where they were made.
        band: how often a calibrated band around the predictions held the truth, where one could be calibrated.
    """

    system: str
    state_dim: int
    latent_dim: int
    latent_space: Mapping[str, int]
    seed: int | None
    test: Mapping[str, int]
    reconstruction: Reconstruction
    rollout: Rollout
    baselines: Mapping[str, Mapping[str, Any]]
    cost: Cost
    speedup: Speedup
    metrics: Mapping[str, Score] = field(default_factory=dict)
    statistics: Mapping[str, Agreement] = field(default_factory=dict)
    long_time: LongTime | None = None
    band: Coverage | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; numbers that are not finite become None."""
        return {"schema": SCHEMA, **{f.name: plain(getattr(self, f.name)) for f in fields(self)}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], file: str = "evaluation.json") -> "Evaluation":
        """The inverse of `to_dict`.

        Args:
            data: the stored JSON data.
            file: name of the file, for messages.

        Raises:
            FileFormatError: the data are no evaluation, or of a newer schema; the message says which entry is wrong.
        """
        schema = data.get("schema") if isinstance(data, Mapping) else None
        if type(schema) is not int or not 1 <= schema <= SCHEMA:
            raise FileFormatError(f"{file}: an evaluation must be of schema {SCHEMA} or older, got {shown(schema)}.")
        baselines = revive(Mapping[str, Mapping[str, Any]], data.get("baselines"), file, "baselines")
        scores = {
            name: {key: _baseline_part(name, key, value, file) for key, value in parts.items()}
            for name, parts in baselines.items()
        }
        return replace(revive(cls, {**data, "baselines": {}}, file), baselines=scores)

    def rows(self) -> list[Row]:
        """The table as text: quantity, model, POD and linear dynamics, with intervals in square brackets."""
        rows = [*self._reconstruction_rows(), *self._rollout_rows(), *self._metric_rows()]
        rows += [*self._band_rows(), *self._agreement_rows()]
        rows += [(name, f"{value:.4g}", "", "") for name, value in vars(self.cost).items() if value is not None]
        if self.speedup.ratio is not None:
            rows.append(("speed-up over the full model", f"{self.speedup.ratio:.3g}", "", ""))
        return rows

    def _reconstruction_rows(self) -> list[Row]:
        own, pod = self.reconstruction, self.baselines.get("pod", {}).get("reconstruction")
        rows = [("reconstruction nmse", with_interval(own, "nmse"), with_interval(pod, "nmse"), "")]
        for name in ("median", "p95", "p99", "max"):
            model, other = (with_interval(part.relative_error if part else None, name) for part in (own, pod))
            rows.append((f"relative error, {name}", model, other, ""))
        return rows

    def _rollout_rows(self) -> list[Row]:
        own, linear = self.rollout, self.baselines.get("linear", {}).get("rollout")
        rows = []
        for unit, part in (("time units", "valid_time"), ("time scales", "valid_time_scaled")):
            for name in ("median", "mean", "p10"):
                model, other = (
                    with_interval(getattr(rollout, part) if rollout else None, name) for rollout in (own, linear)
                )
                rows.append((f"valid time ({own.threshold:g}), {name}, {unit}", model, "", other))
        rows.append(("diverged rollouts", with_interval(own, "diverged"), "", with_interval(linear, "diverged")))
        return rows

    def _metric_rows(self) -> list[Row]:
        linear = self.baselines.get("linear", {}).get("metrics", {})
        rows = []
        for name, own in self.metrics.items():
            if name not in _SHOWN:
                unit = f", {own.unit}" if own.unit else ""
                model, other = with_interval(own, "mean"), with_interval(linear.get(name), "mean")
                rows.append((f"{name.replace('_', ' ')}, mean{unit}", model, "", other))
        return rows

    def _band_rows(self) -> list[Row]:
        if self.band is None:
            return []
        holds = f"{min(self.band.holds):.3g} to {max(self.band.holds):.3g}"
        return [(f"{100 * self.band.level:g} % band holds, until t = {self.band.t[-1]:.3g}", holds, "", "")]

    def _agreement_rows(self) -> list[Row]:
        linear = self.baselines.get("linear", {}).get("statistics", {})
        rows = []
        for name, own in self.statistics.items():
            other = linear.get(name)
            chance = f" (by chance {number(own.sampling_error)})" if own.sampling_error is not None else ""
            rows.append((f"{name.replace('_', ' ')} distance{chance}", distance(own), "", distance(other)))
        return rows

    def __str__(self) -> str:
        head = ("", "model", f"POD {self.latent_dim}", "linear dynamics")
        test = f"{self.test['trajectories']} test trajectories, {self.test['snapshots']} snapshots"
        lines = [f"{self.system}: {self.state_dim} -> {self.latent_dim}, {test}"]
        lines += [f"{a:44s} {b:>28s} {c:>28s} {d:>24s}".rstrip() for a, b, c, d in [head, *self.rows()]]
        return "\n".join(lines)


def _baseline_part(name: str, key: str, value: object, file: str) -> Any:
    if key not in _BASELINE_PARTS:
        known = ", ".join(_BASELINE_PARTS)
        raise FileFormatError(f"{file}: baselines.{name} must hold parts of {known}, got {shown(key)}.")
    return revive(_BASELINE_PARTS[key], value, file, f"baselines.{name}.{key}")


def read_evaluation(path: str | Path) -> Evaluation:
    """The evaluation in a file.

    Raises:
        FileFormatError: the file is missing, or is no evaluation; the message says which entry is wrong.
    """
    return Evaluation.from_dict(read_json(path), str(path))
