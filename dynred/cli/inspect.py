"""`dynred inspect`: which latent spaces can carry K, before training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from dynred.cli._completion import completed, sources
from dynred.cli._options import (
    COMPUTATION,
    LATENT,
    OUTPUT,
    SOURCE,
    Arguments,
    AsJson,
    Out,
    Parameters,
    Whole,
    option,
)
from dynred.cli._own_data import OwnData
from dynred.cli._process import results
from dynred.cli.base import pairs, show, stderr, working

if TYPE_CHECKING:
    from dynred.geometry.verdict import Verdict

EXAMPLES = """
dynred inspect torus_flow --out page.html
dynred inspect lorenz63 --set rho=20 --n 16      # another rho
dynred inspect measurements.npz --latent-dim 2   # can two coordinates do?
"""

Source = Annotated[
    str,
    option(
        SOURCE,
        "Name of a system, a .py file that defines one, or a data file; one without times holds points.",
        **completed(sources),
    ),
]
LatentDim = Annotated[Whole | None, option(LATENT, "A number of latent coordinates to answer for in any case.")]


def inspect(
    source: Source,
    /,
    *,
    reading: OwnData = None,
    with_: Arguments = None,
    set_: Parameters = None,
    latent_dim: LatentDim = None,
    n: Annotated[Whole, option(COMPUTATION, "Number of trajectories to simulate.", "--n", "-n")] = 64,
    seed: Annotated[Whole, option(COMPUTATION, "Decides initial states and sub-samples.")] = 0,
    out: Annotated[Out | None, option(OUTPUT, "Where to put a page with figures, e.g. page.html.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say before training which latent spaces can carry the long-time states: dimension, holes, reach, verdict."""
    from dynred.experiments.inspect_source import inspect_source

    if out is not None:
        from dynred.report.inspection_page import check_page, write_inspection

        check_page(out)
    given: dict[str, Any] = {"arguments": pairs(with_ or []), "parameters": pairs(set_ or [])}
    given["reading"] = reading.spec() if reading is not None else None
    with working() as runtime:
        verdict = inspect_source(source, latent_dim=latent_dim, n=n, seed=seed, progress=runtime.progress, **given)
    name = Path(source).stem
    if as_json:
        show(name, (), (), verdict.to_dict(), True)
    else:
        _print(name, verdict)
    if out is not None:
        write_inspection(out, verdict, name)
        stderr.print(f"The page is {out}", markup=False, highlight=False, soft_wrap=True)


def _print(name: str, verdict: "Verdict") -> None:
    from dynred.geometry.verdict import numbers

    rows = [(numbers(ks), verdict.answer(ks[0])) for ks in verdict.rows]
    show(f"{name}: {verdict.what()}", ("coordinates", "verdict"), rows, None, False)
    results().write(f"{verdict.advice()}\n{verdict.sure()}\n")
