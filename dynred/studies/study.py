"""A study that was run, as a table, an array, a figure and a page; and its best run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynred.checks import one_of, refuse
from dynred.evaluation.evaluation import Evaluation, read_evaluation
from dynred.evaluation.score_tables import score_named
from dynred.models.base import Model
from dynred.models.load import load_model
from dynred.studies.design import Point
from dynred.studies.study_folder import Goal, Manifest, StudyFolder
from dynred.views import Displayed, by_name

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

STATUSES = ("done", "running", "interrupted", "to do", "failed", "pruned")


@dataclass(frozen=True)
class StudyRun:
    """A run of a study.

    Attributes:
        folder: its run folder.
        point: its value on every axis.
        status: `done`, `failed`, `pruned`, `running`, `interrupted` or `to do`.
        error: why it has no result.
    """

    folder: Path
    point: Point
    status: str
    error: str = ""

    @property
    def evaluation(self) -> Evaluation:
        """The scores."""
        return read_evaluation(self.folder / "evaluation.json")

    def model(self, plugins: Sequence[str | Path] = (), *, trust: bool = False) -> Model:
        """The model; the arguments are those of `load_model`."""
        return load_model(self.folder, plugins, trust=trust)


class Study(Displayed):
    """A study in a folder, as it is now; every call reads anew what became of its runs.

    Args:
        folder: the folder.

    Raises:
        FileFormatError: it holds no study, or an unreadable one.
    """

    def __init__(self, folder: str | Path):
        self._folder = StudyFolder(folder)
        self._folder.manifest()

    @property
    def folder(self) -> Path:
        """The folder."""
        return self._folder.path

    @property
    def axes(self) -> tuple[str, ...]:
        """Dotted paths of the settings that vary."""
        return self._manifest.axes

    @property
    def goal(self) -> Goal | None:
        """What a search was after; None for a study that is none."""
        return self._manifest.goal

    @property
    def runs(self) -> list[StudyRun]:
        """All runs, in order."""
        return list(self)

    def __iter__(self) -> Iterator[StudyRun]:
        for entry in self._manifest.runs:
            yield StudyRun(self._folder.run(entry.digest).path, entry.point, *self._folder.status(entry.digest))

    def __len__(self) -> int:
        return len(self._manifest.runs)

    @property
    def _manifest(self) -> Manifest:
        return self._folder.manifest()

    def counts(self) -> dict[str, int]:
        """How many runs have become what, by status; of what there is."""
        statuses = [run.status for run in self]
        return {status: statuses.count(status) for status in STATUSES if status in statuses}

    def table(self) -> "pandas.DataFrame":
        """One row for each run: its value on every axis; every score of the model by its name, e.g. `nmse`,
        `valid_time.median`; what it cost, in seconds and MiB; `status`, `error`, `reused` (stages that another run had
        computed) and `folder`."""
        frame: pandas.DataFrame = by_name("dynred.studies.study_tables", "table", self.runs, self.axes)
        return frame

    def to_xarray(self) -> "xarray.Dataset":
        """The scores and costs over the axes, NaN where a run is missing: `study.to_xarray()["nmse"].median("seed")`.

        Where runs fill less than half of the box of all values, as samples do, they lie along one dimension, `run`.
        """
        dataset: xarray.Dataset = by_name("dynred.studies.study_tables", "to_xarray", self.table(), self.axes)
        return dataset

    def plot(self, x: str, y: str, *, by: str | None = None, ax: "Axes | None" = None) -> "Axes":
        """Draws a score against an axis: the median over all that is not named, and the band from the 10 % to the 90 %
        quantile.

        Args:
            x: one of `axes`.
            y: a column of `table`.
            by: another of `axes`, each of whose values gets a line of its own.
            ax: axes of matplotlib; None makes a figure.

        Raises:
            InputError: there is no such axis or column.
        """
        frame = self.table()
        one_of("x", x, self.axes)
        _column("y", y, frame)
        if by is not None:
            one_of("by", by, [axis for axis in self.axes if axis != x])
        axes: Axes = by_name("dynred.report.study_plots", "draw", frame, x, y, by, ax)
        return axes

    def best(self, metric: str, mode: str) -> StudyRun:
        """The run with the best score; `.model()` loads its model.

        Args:
            metric: a column of `table`, e.g. `valid_time.median`.
            mode: `min` or `max`.

        Raises:
            InputError: there is no such score, or no run has it.
        """
        one_of("mode", mode, ("min", "max"))
        frame = self.table()
        _column("metric", metric, frame)
        scores = frame[metric].dropna()
        if scores.empty:
            raise refuse("the study", f"one with a run that has {metric}", f"{self.folder}, where none has")
        return self.runs[int(scores.idxmin() if mode == "min" else scores.idxmax())]

    def report(self, path: str | Path | None = None) -> Path:
        """Writes the page of the study: table, figures, failures, costs.

        Args:
            path: default: study.html in the folder.

        Raises:
            InputError: a file is there that is no page of dynred's.
        """
        path = self.folder / "study.html" if path is None else Path(path)
        by_name("dynred.report.study_page", "write_study", path, self.table(), self.axes, self.folder, self.goal)
        return path

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {status}" for status, number in self.counts().items())
        return f"{self.folder}: {len(self)} runs over {', '.join(self.axes) or 'nothing'}: {counts}"

    def _repr_html_(self) -> str:
        heads, rows = by_name("dynred.studies.study_tables", "cells", self.table(), self.axes)
        return str(by_name("dynred.report.cards", "table", str(self), heads, rows))


def _column(name: str, column: str, frame: Any) -> None:
    numbers = [key for key in frame.columns if frame[key].dtype.kind in "fiu"]
    score_named(name, column, numbers)
