"""The figures of a report as files for a paper, each with its data."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.figure import Figure as Drawing
from matplotlib.figure import SubFigure

from dynred.checks import one_of, path_given, refuse
from dynred.files import check_target, is_json, moved_into_place, read_json, write_json
from dynred.kinds import snake_case
from dynred.report.figure_data import data_of
from dynred.report.figures.base import STYLE, Figure, Subject, plain_ticks

FORMATS = ("pdf", "svg", "png")
MANIFEST = "figures.json"  # lists the files that dynred wrote into a folder: no other is replaced
SCHEMA = 1
# Widths of one and two columns in inches, as Chaos, Physical Review and SIAM have them, and sizes of letters that are
# legible there.
COLUMNS: Mapping[int, Mapping[str, Any]] = {
    1: {
        "figure.figsize": (3.4, 2.6),
        "font.size": 8,
        "axes.titlesize": 8,
        "legend.fontsize": 7,
        "lines.linewidth": 1.2,
    },
    2: {"figure.figsize": (7.0, 4.8), "font.size": 9, "axes.titlesize": 9, "legend.fontsize": 8},
}
PAPER: Mapping[str, Any] = {"pdf.fonttype": 42, "xtick.labelsize": "small", "ytick.labelsize": "small"}
DPI = 300  # of images, also of those within a PDF
# Without date and version, the same figure gives the same file.
METADATA: Mapping[str, Mapping[str, None]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


def check_folder(folder: str | Path) -> Path:
    """The folder, where figures can be written to it.

    Raises:
        InputError: it is a file, or nothing can be written there.
    """
    folder = path_given("out", folder)
    if folder.is_file():
        raise refuse("out", "a folder", f"the file {folder}")
    check_target("out", folder, Path.is_dir)
    return folder


def write_figures(
    folder: str | Path,
    figures: Iterable[Figure[Subject]],
    subject: Subject,
    *,
    suffix: Literal["pdf", "svg", "png"] = "pdf",
    columns: int = 1,
) -> list[Path]:
    """Writes every figure that applies, and beside each a .csv of the numbers that it shows (`data_of`).

    Args:
        folder: where; other files there stay.
        figures: the figures.
        subject: what they are drawn from.
        suffix: pdf, svg or png.
        columns: how wide they are: one or two columns of a journal, 3.4 or 7 inches.

    Returns:
        The paths of the figures, in order.

    Raises:
        InputError: a file of such a name is there that dynred did not write, or an argument is out of range.
    """
    one_of("suffix", suffix, FORMATS)
    if columns not in COLUMNS:
        raise refuse("columns", "1 or 2", columns)
    folder = check_folder(folder)
    before = read_json(folder / MANIFEST).get("files", []) if is_json(folder / MANIFEST) else []
    chosen = [figure for figure in figures if figure.applies(subject)]
    names = [snake_case(type(figure).__name__) for figure in chosen]
    files = [f"{name}.{end}" for name in names for end in (suffix, "csv")]

    def ours(path: Path) -> bool:
        return path.name in before

    for name in files:
        check_target("out", folder / name, ours)
    written: list[str] = []
    with matplotlib.rc_context({**STYLE, **PAPER, **COLUMNS[columns]}):
        for figure, name in zip(chosen, names, strict=True):
            drawing = figure.draw(subject)
            plain_ticks(drawing)
            fit_legends(drawing)
            with moved_into_place(folder / f"{name}.{suffix}", ours) as temporary:
                drawing.savefig(temporary, format=suffix, dpi=DPI, metadata=dict(METADATA[suffix]))
            with moved_into_place(folder / f"{name}.csv", ours) as temporary:
                data_of(drawing).to_csv(temporary, index=False)
            written += [f"{name}.{suffix}", f"{name}.csv"]
            write_json(folder / MANIFEST, {"schema": SCHEMA, "files": sorted({*before, *written})})
    return [folder / f"{name}.{suffix}" for name in names]


def fit_legends(drawing: Drawing) -> None:
    """Gives legends below or above the axes fewer columns until they are no wider than the figure."""
    drawing.draw_without_rendering()
    drawing.draw_without_rendering()  # ticks that changed with the layout change the layout
    parts: list[Drawing | SubFigure] = [drawing, *drawing.subfigs]
    for legend in [legend for part in parts for legend in part.legends]:
        for columns in range(len(legend.get_texts()), 0, -1):
            if legend.get_window_extent().width <= 0.98 * drawing.bbox.width or columns == 1:
                break
            legend.set_ncols(min(columns, len(legend.get_texts())))
            drawing.draw_without_rendering()
