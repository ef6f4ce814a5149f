"""`dynred figures`: the figures of a run for a paper, with their data."""

from pathlib import Path
from typing import Annotated, Literal

from dynred.cli._completion import completed, runs
from dynred.cli._options import OUTPUT, SOURCE, AsJson, Out, Plugins, Trust, option
from dynred.cli.base import show, working

EXAMPLES = """
dynred figures runs/ks --out figs
dynred figures runs/ks --out figs --format svg --columns 2
"""

Format = Annotated[Literal["pdf", "svg", "png"], option(OUTPUT, "The kind of the files.", "--format")]
Columns = Annotated[
    Literal[1, 2], option(OUTPUT, "How wide they are: one or two columns of a journal, 3.4 or 7 inches.")
]


def figures(
    run: Annotated[Path, option(SOURCE, "A run folder that `dynred reduce` made.", **completed(runs))],
    /,
    *,
    out: Annotated[Out, option(OUTPUT, "A folder for the figures; other files there stay.")],
    suffix: Format = "pdf",
    columns: Columns = 1,
    plugin: Plugins = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Draw the figures of a run's report as files for a paper, each beside a .csv of the numbers that it shows."""
    from dynred.experiments.draw_run import draw_run

    with working() as runtime:
        paths = draw_run(run, out, suffix=suffix, columns=columns, runtime=runtime, plugins=plugin or [], trust=trust)
    rows = [(path.name, path.with_suffix(".csv").name) for path in paths]
    facts = {"out": str(out), "figures": [{"figure": figure, "data": data} for figure, data in rows]}
    show(f"figures in {out}", ("figure", "data"), rows, facts, as_json)
