"""The figures of a run as files for a paper."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from dynred.arguments import public
from dynred.evaluation.evaluation import read_evaluation
from dynred.experiments.publish import certificate
from dynred.experiments.stored_run import opened
from dynred.experiments.transform_parts import prepared
from dynred.models.forecast import forecast_to_score
from dynred.report.context import Context
from dynred.report.figure_files import check_folder, write_figures
from dynred.report.model_page import FOLDER
from dynred.report.page import find_figures
from dynred.rng import generator
from dynred.runtime import Runtime


@public
def draw_run(
    out: str | Path,
    figures: str | Path,
    *,
    suffix: Literal["pdf", "svg", "png"] = "pdf",
    columns: int = 1,
    runtime: Runtime | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
) -> list[Path]:
    """Draws the figures of a run's report as files, each beside a .csv of its numbers; the run stays as it is.

    Args:
        out: the run folder.
        figures: the folder for the figures; other files there stay.
        suffix: pdf, svg or png.
        columns: how wide they are: one or two columns of a journal, 3.4 or 7 inches.
        runtime: reports progress.
        plugins: files whose code may run; see `dynred.experiments.stored_run.opened`.
        trust: whether all code that the run names may run; see `dynred.experiments.stored_run.opened`.

    Returns:
        The paths of the figures.

    Raises:
        FileFormatError: the folder holds no finished run.
        InputError: the system or data of the run are gone or changed, its code may not run, or a file with the name of
            a figure is there that dynred did not write.
    """
    check_folder(figures)
    with opened(out, plugins=plugins, trust=trust) as stored:
        evaluation = read_evaluation(stored.folder / "evaluation.json")
        parts = prepared(stored.model, stored.parts(runtime or Runtime()))
        predictions = forecast_to_score(stored.model, parts.test, parts.held_out.largest)
        rng = generator(stored.spec.seed, "certificate")
        certified = certificate(stored.model, stored.source, predictions.core.truth, rng)
        context = Context(stored.model, evaluation, predictions, stored.source.grid, certified)
        return write_figures(figures, find_figures(FOLDER), context, suffix=suffix, columns=columns)
