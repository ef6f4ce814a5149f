"""Designs of studies: every combination of some values, or points drawn between bounds."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dynred.arguments import public
from dynred.checks import count, integer, literal, one_of, refuse
from dynred.experiments.spec import ExperimentSpec
from dynred.late import Late
from dynred.studies.design import Design, varied
from dynred.studies.interval import Interval

stats = Late("scipy.stats")

METHODS = ("sobol", "latin_hypercube")
MOST = 100_000  # runs of a study


@public
def grid(base: ExperimentSpec, axes: Mapping[str, Iterable[Any]]) -> Design:
    """The experiments with every combination of some values.

    The seed of an experiment decides its trajectories too. With `base.updated("data.seed", 0)` all experiments of an
    axis `seed` learn from the same trajectories, which are simulated once, and differ by their training alone.

    Args:
        base: the settings that all share.
        axes: values by the dotted path of a setting, e.g. {"latent_dim": range(4, 13), "seed": range(5)}. Structural
            choices of the system are `arguments.something`, its parameters `parameters.something`; reducers and
            dynamics may be given by their names.

    Raises:
        InputError: a setting is unknown, or refuses a value; the message names the row.
    """
    values = {path: _values(path, items) for path, items in axes.items()}
    if not values:
        raise refuse("axes", "at least one setting with its values", "none")
    if (total := math.prod(map(len, values.values()))) > MOST:
        raise refuse("axes", f"of at most {MOST} combinations", total)
    rows = [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]
    return varied(base, rows, tuple(values))


@public
def sample(
    base: ExperimentSpec, ranges: Mapping[str, Sequence[Any]], n: int, *, method: str = "sobol", seed: int = 0
) -> Design:
    """Experiments whose settings are spread evenly between bounds (`scipy.stats.qmc`).

    Args:
        base: the settings that all share.
        ranges: (low, high), or (low, high, "log") for an even spread of the logarithm, by the dotted path of a setting;
            between two integers, integers are drawn, and settings that come twice are left out. A list of more, or of
            other things than numbers, is a choice among them.
        n: number of experiments.
        method: `sobol` or `latin_hypercube`.
        seed: decides the points.

    Raises:
        InputError: as `grid`, or a range is none.
    """
    count("n", n, 1, MOST)
    one_of("method", method, METHODS)
    intervals = {path: Interval.of(path, given) for path, given in ranges.items()}
    if not intervals:
        raise refuse("ranges", "at least one setting with its bounds", "none")
    rng = np.random.default_rng(integer("seed", seed, 0))
    if method == "sobol":
        places = stats.qmc.Sobol(len(intervals), rng=rng).random_base2(math.ceil(math.log2(n)))[:n]
    else:
        places = stats.qmc.LatinHypercube(len(intervals), rng=rng).random(n)
    rows = [
        {path: interval.at(float(u)) for (path, interval), u in zip(intervals.items(), place, strict=True)}
        for place in places
    ]
    return varied(base, rows, tuple(intervals))


def _values(path: str, items: object) -> list[Any]:
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise refuse(f"the values of {path}", "a list or a range", literal(items))
    values = [item.item() if isinstance(item, np.generic) else item for item in items]
    if not values:
        raise refuse(f"the values of {path}", "at least one", "none")
    return values
