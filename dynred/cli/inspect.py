"""`dynred inspect`: which latent spaces can carry K, before training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dynred.cli._process import results
from dynred.cli.base import Arguments, AsJson, Out, Parameters, Whole, pairs, show, stderr, working
from dynred.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from dynred.data.trajectories import Trajectories
    from dynred.geometry.verdict import Verdict
    from dynred.runtime import Progress


def inspect(
    source: str,
    /,
    *,
    latent_dim: Whole | None = None,
    out: Out | None = None,
    n: Annotated[Whole, Parameter(name=["--n", "-n"])] = 64,
    seed: Whole = 0,
    with_: Arguments = None,
    set_: Parameters = None,
    as_json: AsJson = False,
) -> None:
    """Say before training which latent spaces can carry the set of long-time states: dimension, holes, reach, verdict.

    Parameters
    ----------
    source: Name of a system, a .py file that defines one, or data (.npz, .zarr, .nc; an .npz of points holds `states`).
    latent_dim: A number of latent coordinates to answer for in any case.
    out: Where to put a page with figures, e.g. page.html.
    n: Number of trajectories to simulate.
    seed: Decides initial states and sub-samples.
    """
    from dynred.files import check_target, is_page
    from dynred.geometry.inspection import inspect as inspect_data
    from dynred.rng import generator

    if out is not None:
        if out.suffix != ".html":
            raise InputError(f"out must be a file ending in .html, got {out}.")
        check_target("out", out, is_page)
    with working() as runtime:
        data = _data(source, n, seed, pairs(with_ or []), pairs(set_ or []), runtime.progress)
        found = inspect_data(data, rng=generator(seed, "inspect"), latent_dim=latent_dim, progress=runtime.progress)
    name = Path(source).stem
    if as_json:
        show(name, (), (), found.to_dict(), True)
    else:
        _print(name, found)
    if out is not None:
        from dynred.report.inspection_page import write_inspection

        write_inspection(out, found, name)
        stderr.print(f"The page is {out}", markup=False, highlight=False, soft_wrap=True)


def _data(
    source: str, n: int, seed: int, arguments: dict[str, Any], parameters: dict[str, Any], progress: "Progress"
) -> "Trajectories | Tensor":
    from dynred.data.points import load_data
    from dynred.data.screening import is_data
    from dynred.ode.find import find_system
    from dynred.rng import generator
    from dynred.simulation.simulate import simulate

    if is_data(source):
        if arguments or parameters:
            raise InputError(f"--with and --set must be left out for data, got {source}.")
        return load_data(source)
    system = find_system(source, **arguments)
    return simulate(system, n, rng=generator(seed, "train"), parameters=parameters, progress=progress)


def _print(name: str, found: "Verdict") -> None:
    rows = [(str(k), found.answer(k)) for k in found.ks]
    show(f"{name}: {found.what()}", ("coordinates", "verdict"), rows, None, False)
    results().write(f"{found.advice()}\n{found.sure()}\n")
