"""The page of a study: a table to sort and to filter, every score against every axis, what failed, what it cost."""

import base64
import io
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dynred.files import is_page, write_text
from dynred.report import page
from dynred.report.figures.base import STYLE
from dynred.report.study_plots import are_numbers, draw, in_order, word

FIRST = ("nmse", "relative_error.median", "valid_time.median", "valid_time_scaled.median", "diverged")
COSTS = ("simulate_s", "reducer_s", "dynamics_s", "evaluate_s", "peak_memory_mb", "parameters", "total_s", "speedup")
TOTAL = "total_s"
WORDS = ("status", "error", "reused", "folder")
LINES = 2000  # most runs that parallel coordinates draw


def write_study(path: Path, frame: pd.DataFrame, axes: Sequence[str], folder: Path, goal: Any = None) -> None:
    """Writes the page, one self-contained HTML file.

    Args:
        path: where.
        frame: the table of the study.
        axes: the settings that vary.
        folder: that of the study.
        goal: of a search: what it was after, with `metric` and `mode`; its page shows parallel coordinates.
    """
    write_text(path, render(frame, axes, folder, path.parent, goal), is_page)


def render(frame: pd.DataFrame, axes: Sequence[str], folder: Path, beside: Path, goal: Any = None) -> str:
    """The page as text; `beside` is the folder from which links lead."""
    scores = [key for key in frame.columns if key not in (*axes, *WORDS)]
    shown = [key for key in (*FIRST, TOTAL) if key in scores]
    shown = list(dict.fromkeys([*([goal.metric] if goal else []), *shown]))
    others = [key for key in scores if key not in shown]
    failures = frame[frame["error"] != ""]
    finished = frame[frame["status"] == "done"]
    return page.render(
        "study.html",
        [],
        None,
        title=f"Study {folder.name}",
        counts=", ".join(f"{n} {status}" for status, n in frame["status"].value_counts().items()),
        axes=axes,
        goal=goal,
        heads=[*axes, *shown, *others, "reused", "status"],
        first=len(axes) + len(shown),
        rows=[_row(row, [*axes, *shown, *others], beside) for row in frame.to_dict("records")],
        charts=json.dumps(_charts(finished, axes, scores)).replace("</", "<\\/"),
        scores=[key for key in (*shown, *others) if finished[key].notna().any()],
        panels=_panels(finished, axes, [key for key in FIRST if key in shown]),
        coordinates=_parallel(finished, axes, goal),
        failures=[(_point(row, axes), row["status"], row["error"]) for row in failures.to_dict("records")],
        costs=_costs(frame, finished),
    )


def _row(row: dict[str, Any], columns: Sequence[str], beside: Path) -> dict[str, Any]:
    report = Path(row["folder"]) / "report.html"
    link = os.path.relpath(report, beside).replace(os.sep, "/") if row["status"] == "done" else ""
    cells = [{"text": _text(row[key]), "key": _sort_key(row[key])} for key in columns]
    return {"cells": cells, "status": row["status"], "reused": row["reused"], "link": link}


def _point(row: dict[str, Any], axes: Sequence[str]) -> str:
    return ", ".join(f"{axis} = {word(row[axis])}" for axis in axes)


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _sort_key(value: object) -> str:
    if value is None or value != value:
        return ""
    if not isinstance(value, int | float):
        return str(value)
    return repr(float(value)) if math.isfinite(value) else "1e999" if value > 0 else "-1e999"  # infinite in scripts


def _charts(frame: pd.DataFrame, axes: Sequence[str], scores: Sequence[str]) -> dict[str, Any]:
    """Values on every axis and every score, for the chart that the page itself draws."""
    levels = {axis: in_order(frame[axis]) for axis in axes}
    return {
        "axes": {
            axis: {
                "levels": [float(v) if are_numbers(values) else word(v) for v in values],
                "numbers": are_numbers(values),
                "at": [[word(v) for v in values].index(word(value)) for value in frame[axis]],
            }
            for axis, values in levels.items()
        },
        "scores": {key: [_finite(value) for value in frame[key]] for key in scores},
    }


def _finite(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _panels(frame: pd.DataFrame, axes: Sequence[str], scores: Sequence[str]) -> list[page.Picture]:
    """The scores to remember against every axis that has several values."""
    pictures = []
    for axis in axes:
        several = len(in_order(frame[axis])) > 1
        drawn = [key for key in scores if np.isfinite(frame[key]).any() and frame[key].nunique() > 1]
        if not (several and drawn):
            continue
        with matplotlib.rc_context(dict(STYLE)):
            columns = min(2, len(drawn))
            lines = -(-len(drawn) // columns)
            figure = Figure(figsize=(8, 3 * lines), layout="constrained")
            panels = figure.subplots(lines, columns, squeeze=False).flatten()
            for ax, key in zip(panels, drawn, strict=False):
                draw(frame, axis, key, ax=ax)
            for ax in panels[len(drawn) :]:
                ax.set_axis_off()
            caption = f"Median over all runs of the same {axis}; the band holds the middle 80 % of them."
            pictures.append(page.Picture(f"Against {axis}", caption, _uri(figure)))
    return pictures


def _uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _parallel(frame: pd.DataFrame, axes: Sequence[str], goal: Any) -> page.Picture | None:
    """Parallel coordinates of a search: a line for every run, the darker the better."""
    if goal is None or goal.metric not in frame or not np.isfinite(frame[goal.metric]).any():
        return None
    rows = frame[np.isfinite(frame[goal.metric])].tail(LINES).sort_values(goal.metric, ascending=goal.mode == "max")
    columns = [*axes, goal.metric]
    with matplotlib.rc_context(dict(STYLE)):
        figure = Figure(figsize=(8, 3.5), layout="constrained")
        ax = figure.subplots()
        places = np.stack([_places(ax, i, rows[key]) for i, key in enumerate(columns)], 1)
        for i, line in enumerate(places):
            ax.plot(line, color=matplotlib.colormaps["Blues"](0.25 + 0.75 * (i + 1) / len(places)), lw=1)
        ax.plot(places[-1], color="#D55E00", lw=2)
        ax.set_xticks(range(len(columns)), columns)
        ax.set_yticks([])
        ax.set_xlim(-0.3, len(columns) - 0.6)
        for name in ("left", "right", "top", "bottom"):
            ax.spines[name].set_visible(False)
        caption = "A line for every run, the darker the better; the best is orange."
        return page.Picture("Parallel coordinates", caption, _uri(figure))


def _places(ax: Any, i: int, values: pd.Series) -> np.ndarray:
    """Heights in [0, 1] of the values on a vertical axis, which is drawn with the names of its ends."""
    levels = in_order(values)
    ax.axvline(i, color="#999999", lw=0.8)
    if not are_numbers(levels):
        names = [word(level) for level in levels]
        heights = {name: k / max(1, len(names) - 1) for k, name in enumerate(names)}
        for name, height in heights.items():
            ax.text(i + 0.03, height, name, size=7, va="center")
        return np.array([heights[word(value)] for value in values])
    numbers = np.array([float(value) for value in values])
    low, high = numbers.min(), numbers.max()
    ax.text(i + 0.03, -0.05, f"{low:.3g}", size=7)
    ax.text(i + 0.03, 1.02, f"{high:.3g}", size=7)
    if low > 0 and high / low > 30:
        numbers, low, high = np.log(numbers), np.log(low), np.log(high)
    return (numbers - low) / (high - low) if high > low else np.full(len(numbers), 0.5)


def _costs(frame: pd.DataFrame, finished: pd.DataFrame) -> list[tuple[str, str]]:
    """What the whole study cost: sums over its finished runs. A stage that was shared counts where it was computed."""
    stages = [key for key in COSTS if key.endswith("_s") and key in finished]
    rows = [(key.removesuffix("_s"), _duration(float(finished[key].sum()))) for key in stages]
    shared = sum(len(reused.split(", ")) for reused in frame["reused"] if reused)
    return [*rows, ("stages read instead of computed", str(shared))]


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
