"""The scores of one model, as a record, as evaluation.json, and as a table."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from dynred.checks import shown
from dynred.errors import FileFormatError
from dynred.evaluation.held_out_test import HeldOutTest
from dynred.evaluation.records import (
    Agreement,
    Cost,
    Coverage,
    Finding,
    LongTime,
    ReconstructionScore,
    Rollout,
    Speedup,
    VariableError,
)
from dynred.evaluation.spreads import Score
from dynred.evaluation.words import distance, number, plain_number, with_interval
from dynred.files import read_json
from dynred.geometry.two_valued import TwoValued
from dynred.records import plain, revive
from dynred.views import Plotted, Tabled

SCHEMA = 1
_BASELINE_PARTS: Mapping[str, Any] = {
    "reconstruction": ReconstructionScore,
    "rollout": Rollout,
    "metrics": Mapping[str, Score],
    "statistics": Mapping[str, Agreement],
}

_SHOWN = {"valid_time", "reconstruction_nmse", "divergence_time"}  # other rows of the table say so

Row = tuple[str, ...]
T = TypeVar("T")
# The columns of the table beside the model's, and the baselines whose scores they show.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "POD": ("pod", "dmd"),
    "linear dynamics": ("linear",),
    "persistence": ("persistence",),
    "climatology": ("climatology",),
}


@dataclass(frozen=True)
class Evaluation(Plotted, Tabled):
    """The scores of one model; `to_dict` is the stable content of evaluation.json.

    Attributes:
        system: name of the system or data.
        state_dim, latent_dim: D and R.
        latent_space: {"angles": int, "lines": int}.
        seed: seed of the experiment; None where it is unknown.
        test: the test, and what training saw of it.
        reconstruction, rollout: errors of the model.
        baselines: scores of the baselines, by name: `pod`, of the same dimension, {"reconstruction", "metrics"}; `dmd`,
            dynamic mode decomposition of its coordinates, and `linear`, linear dynamics of the model's own
            coordinates, {"rollout", "metrics", "statistics"}; `persistence` and `climatology` {"rollout", "metrics"}.
            Empty without training data.
        cost: what it took to make the model.
        speedup: how much faster the reduced model runs than the full model.
        metrics: every metric over the trajectories, by name.
        statistics: every long-time statistic of the later halves of the test's rollouts, by name.
        long_time: what very long rollouts show, where they were made.
        band: how often a calibrated band around the predictions held the truth, where one could be calibrated.
        findings: what a reader should know before the scores, most important first.
        two_valued: whether states determine their velocities; None without training data, and where they do for
            certain: whole states of an autonomous system at one set of parameters.
        closing: what to make of the model and what to do next, in a sentence or two; see `closing`.
        variables: errors of single variables in the units of the data, where these name a few.
    """

    tables = "dynred.evaluation.score_tables"
    system: str
    state_dim: int
    latent_dim: int
    latent_space: Mapping[str, int]
    seed: int | None
    test: HeldOutTest
    reconstruction: ReconstructionScore
    rollout: Rollout
    baselines: Mapping[str, Mapping[str, Any]]
    cost: Cost
    speedup: Speedup
    metrics: Mapping[str, Score] = field(default_factory=dict)
    statistics: Mapping[str, Agreement] = field(default_factory=dict)
    long_time: LongTime | None = None
    band: Coverage | None = None
    findings: tuple[Finding, ...] = ()
    two_valued: TwoValued | None = None
    closing: str = ""
    variables: tuple[VariableError, ...] = ()

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

    def heads(self) -> tuple[str, ...]:
        """The head of the table: the model, and the baselines that were scored."""
        names = {"POD": f"POD {self.latent_dim}" + (" + DMD" if "dmd" in self.baselines else "")}
        return ("", "model", *(names.get(column, column) for column in self.columns))

    def rows(self) -> list[Row]:
        """The table as text, with the model's intervals; cells of what does not apply are empty."""
        rows = [*self._reconstruction_rows(), *self._rollout_rows(), *self._metric_rows()]
        rows += [*self._variable_rows(), *self._band_rows(), *self._agreement_rows()]
        rows += [self._row(name, f"{value:.4g}") for name, value in self.cost.numbers().items()]
        if self.cost.reused:
            rows.append(self._row("read, as another run computed it", ", ".join(self.cost.reused)))
        if self.speedup.ratio is not None:
            rows.append(self._row("speed-up over the full model", f"{self.speedup.ratio:.3g}"))
        return rows

    @property
    def columns(self) -> list[str]:
        """The columns of the table beside the model's."""
        return [column for column, names in _COLUMNS.items() if any(name in self.baselines for name in names)]

    def _row(self, name: str, model: str, part: str = "", value: Callable[[Any], str] = str) -> Row:
        """A row; `value` makes the cell of a baseline from that part of its scores."""
        return (name, model, *self.baseline_cells(part, value, ""))

    def baseline_cells(self, part: str, cell: Callable[[Any], T], empty: T) -> list[T]:
        """A cell for every column beside the model's.

        Args:
            part: the part of the scores, e.g. `rollout`.
            cell: makes a cell of that part.
            empty: the cell of a column whose baselines lack that part.
        """
        cells = []
        for column in self.columns:
            made = [
                cell(self.baselines[name][part]) for name in _COLUMNS[column] if part in self.baselines.get(name, {})
            ]
            cells.append(next((each for each in made if each != empty), empty))
        return cells

    def _reconstruction_rows(self) -> list[Row]:
        own = self.reconstruction

        def row(title: str, name: str, record: Callable[[ReconstructionScore], Any]) -> Row:
            model = with_interval(record(own), name)
            return self._row(title, model, "reconstruction", lambda part: plain_number(record(part), name))

        rows = [row("reconstruction nmse", "nmse", lambda part: part)]
        names = ("median", "p95", "p99", "max")
        return rows + [row(f"relative error, {name}", name, lambda part: part.relative_error) for name in names]

    def _rollout_rows(self) -> list[Row]:
        own, rows = self.rollout, []
        for unit, part in (("time units", "valid_time"), ("time scales", "valid_time_scaled")):
            if getattr(own, part) is None:
                continue
            for name in ("median", "mean", "p10"):
                cell = functools.partial(_valid, part, name)
                title = f"valid time ({own.threshold:g}), {name}, {unit}"
                rows.append(self._row(title, with_interval(getattr(own, part), name), "rollout", cell))
        diverged = with_interval(own, "diverged")
        rows.append(self._row("diverged rollouts", diverged, "rollout", lambda part: plain_number(part, "diverged")))
        return rows

    def _metric_rows(self) -> list[Row]:
        rows = []
        for name, own in self.metrics.items():
            if name not in _SHOWN:
                unit = f", {own.unit}" if own.unit else ""
                title = f"{name.replace('_', ' ')}, mean{unit}"
                cell = functools.partial(_mean, name)
                rows.append(self._row(title, with_interval(own, "mean"), "metrics", cell))
        return rows

    def _variable_rows(self) -> list[Row]:
        rows = []
        for own in self.variables:
            name = f"{own.name} (spread {number(own.spread)})"
            rows.append(self._row(f"{name}, error of reconstructions", number(own.reconstruction)))
            rows.append(self._row(f"{name}, error of predictions", number(own.rollout)))
        return rows

    def _band_rows(self) -> list[Row]:
        if self.band is None:
            return []
        holds = f"{min(self.band.holds):.3g} to {max(self.band.holds):.3g}"
        return [self._row(f"{100 * self.band.level:g} % band holds, until t = {self.band.t[-1]:.3g}", holds)]

    def _agreement_rows(self) -> list[Row]:
        rows = []
        for name, own in self.statistics.items():
            chance = f" (by chance {number(own.sampling_error)})" if own.sampling_error is not None else ""
            title = f"{name.replace('_', ' ')} distance{chance}"
            rows.append(self._row(title, distance(own), "statistics", functools.partial(_distance, name)))
        return rows

    def __str__(self) -> str:
        lines = [f"{self.system}: {self.state_dim} -> {self.latent_dim}; test: {self.test_words}"]
        lines += [f"! {finding.text}" for finding in self.findings]
        table = [self.heads(), *self.rows()]
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        for row in table:
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
        return "\n".join([*lines, *([self.closing] if self.closing else [])])

    @property
    def test_words(self) -> str:
        """The test in words, also of an earlier version, which stored numbers alone."""
        return self.test.words or f"{self.test.trajectories} trajectories, {self.test.snapshots} snapshots"


def _valid(part: str, name: str, rollout: Rollout) -> str:
    spread = getattr(rollout, part)
    return "" if spread is None else plain_number(spread, name)


def _mean(name: str, scores: Mapping[str, Score]) -> str:
    return plain_number(scores[name], "mean") if name in scores else ""


def _distance(name: str, agreements: Mapping[str, Agreement]) -> str:
    return number(agreements[name].distance) if name in agreements else ""


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
