"""Studies as tables of pandas and arrays of xarray."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from dynred.errors import DynredError
from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.score_tables import scores
from dynred.studies.study import StudyRun

if TYPE_CHECKING:
    import xarray

FULL = 0.5  # part of the box of all values that runs must fill to be laid out in it
WORDS = ("status", "error", "reused", "folder")
KEY_SCORES = ("nmse", "valid_time.median")  # in tables that have no room for all
KEY_COSTS = ("total_s",)


def table(runs: Sequence[StudyRun], axes: Sequence[str]) -> pd.DataFrame:
    """See `Study.table`."""
    rows = [_row(run) for run in runs]
    columns = list(dict.fromkeys(key for row in rows for key in row if key not in WORDS))
    frame = pd.DataFrame(rows, columns=[*columns, *WORDS])
    numbers = [key for key in columns if key not in axes]
    return frame.astype(dict.fromkeys(numbers, float))


def to_xarray(frame: pd.DataFrame, axes: Sequence[str]) -> "xarray.Dataset":
    """See `Study.to_xarray`; `frame` is that of `table`."""
    numbers = [key for key in frame.columns if key not in axes and key not in WORDS]
    levels = frame[list(axes)].fillna("default")
    size = math.prod(levels[axis].nunique() for axis in axes)
    dataset: xarray.Dataset
    if axes and len(frame) >= FULL * size and not levels.duplicated().any():
        index = pd.MultiIndex.from_frame(levels) if len(axes) > 1 else pd.Index(levels[axes[0]])
        dataset = frame[numbers].set_index(index).to_xarray()
        return dataset
    dataset = frame[[*axes, *numbers]].rename_axis("run").to_xarray()
    return dataset.set_coords(list(axes))


def cells(frame: pd.DataFrame, axes: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a short table: axes, the scores to remember, the time, and what became of each run."""
    columns = [*axes, *(key for key in (*KEY_SCORES, *KEY_COSTS) if key in frame.columns), "status"]
    return columns, [[_text(value) for value in row] for row in frame[columns].itertuples(index=False)]


def _row(run: StudyRun) -> dict[str, Any]:
    row: dict[str, Any] = dict(run.point)
    words = {"status": run.status, "error": run.error, "reused": "", "folder": str(run.folder)}
    if run.status == "done":
        try:
            evaluation = run.evaluation
        except DynredError as error:
            return row | words | {"status": "failed", "error": str(error)}
        row |= scores(evaluation) | _costs(evaluation)
        words["reused"] = ", ".join(evaluation.cost.reused)
    return row | words


def _costs(evaluation: Evaluation) -> dict[str, float]:
    """What a run cost; `total_s` is the sum of its stages."""
    numbers = evaluation.cost.numbers()
    total = sum(value for name, value in numbers.items() if name.endswith("_s"))
    speedup = evaluation.speedup.ratio
    return {**numbers, "total_s": total, **({} if speedup is None else {"speedup": speedup})}


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
