"""Simulating ensembles at equal accuracy: dynred against SciPy's loops, torchdiffeq and diffrax.

    python benchmarks/simulation.py --out runs/bench

Two chaotic ensembles, one stiff and one not: Kuramoto-Sivashinsky, 256 trajectories over 50 time units, and Lorenz-96,
1,000 trajectories over 2 time units. All methods run in this process, on the same cores, from the same states on the
attractor.

Accuracy is the error of the states at the last time: the largest over some of the trajectories, relative to the root
mean square of the states. The reference is SciPy at a tolerance of 1e-12; the result states its distance from another
method at that tolerance. Every method is run at several steps or tolerances, each timed as the median of several runs
after one that is not counted. For each accuracy that dynred reached, the second table gives the time of every other
method at that accuracy (between its points, on logarithmic scales) over dynred's.

SciPy takes trajectories one by one: its loops are timed on a few and scaled to the whole ensemble by their number. So
is diffrax on Kuramoto-Sivashinsky: larger batches do not lower its cost per trajectory. jax's compilation is listed
separately and in no ratio.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kuramoto_sivashinsky_ensemble
import lorenz96_ensemble
from measuring import installed, limited_to, machine, print_table, say
from work_precision import Ensemble, Method, Work, draw, measure, seconds_at

from dynred.files import write_json
from dynred.records import plain

SCHEMA = 1


@dataclass(frozen=True)
class Size:
    """How large a benchmark is.

    Attributes:
        trajectories: number of trajectories.
        end: last time.
        loop: number of trajectories that have a reference, and that loops are timed on.
        diffrax: number of trajectories that diffrax is timed on.
    """

    trajectories: int
    end: float
    loop: int
    diffrax: int


FULL = {"kuramoto_sivashinsky": Size(256, 50.0, 4, 32), "lorenz96": Size(1000, 2.0, 16, 1000)}
SMALL = {"kuramoto_sivashinsky": Size(4, 4.0, 1, 2), "lorenz96": Size(8, 0.5, 2, 8)}
ENSEMBLES = {"kuramoto_sivashinsky": kuramoto_sivashinsky_ensemble, "lorenz96": lorenz96_ensemble}


def competitors(name: str, problem: Ensemble, size: Size) -> list[Method]:
    """The methods: dynred's first, then those of the other libraries that are installed."""
    methods = ENSEMBLES[name].methods(problem, size.loop)
    if not installed("jax", "diffrax"):
        say("diffrax: skipped, jax and diffrax are not both installed (pip install 'dynred\\[bench]').")
        return methods
    import ensembles_diffrax  # only here: jax may be absent, and is slow to import
    import jax

    jax.config.update("jax_enable_x64", True)
    if name == "kuramoto_sivashinsky":
        return [*methods, *ensembles_diffrax.kuramoto_sivashinsky(problem, size.diffrax)]
    return [*methods, *ensembles_diffrax.lorenz96(problem)]


def ratios(works: Sequence[Work]) -> list[dict[str, Any]]:
    """For each point of the first method, the seconds of every other method at the same error over its own."""
    rows = []
    for point in works[0].points:
        if math.isfinite(point.error):
            others = {work.name: seconds_at(work.points, point.error) for work in works[1:]}
            over = {name: None if s is None else s / point.seconds for name, s in others.items()}
            rows.append({"setting": point.setting, "error": point.error, "seconds": point.seconds, "ratios": over})
    return rows


def run(name: str, size: Size, repeats: int, seed: int) -> tuple[list[Work], dict[str, Any]]:
    """The points of all methods on one ensemble, and its entry in the result."""
    problem = ENSEMBLES[name].ensemble(size.trajectories, size.end, size.loop, seed)
    works = [measure(method, problem, repeats) for method in competitors(name, problem, size)]
    entry = {
        "system": name,
        "trajectories": size.trajectories,
        "dim": problem.system.dim,
        "end": size.end,
        "reference": {"trajectories": size.loop, "tolerance": 1e-12, "disagreement": problem.disagreement},
        "methods": [plain(work) for work in works],
        "at_equal_error": ratios(works),
    }
    return works, entry


def report(entry: dict[str, Any]) -> None:
    """The tables of one ensemble on standard output."""
    title = f"{entry['system']}: {entry['trajectories']} trajectories to t = {entry['end']:g}"
    rows = [
        (method["name"], method["timed_trajectories"], point["setting"], point["error"], point["seconds"])
        for method in entry["methods"]
        for point in method["points"]
    ]
    print_table(title, ("method", "timed on", "step or tolerance", "error", "seconds"), rows)
    equal = entry["at_equal_error"]
    heads = ("times slower at error", *(f"{row['error']:.1e}" for row in equal))
    rows = [(name, *(row["ratios"][name] for row in equal)) for name in (equal[0]["ratios"] if equal else ())]
    print_table(f"{entry['system']}: seconds over those of {entry['methods'][0]['name']}", heads, rows)
    for method in entry["methods"]:
        if method["compile_s"]:
            say(f"{method['name']}: compilation took {method['compile_s']:.1f} s, beside the seconds above.")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--system", choices=sorted(ENSEMBLES), help="only this ensemble")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of every setting (default 5)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of the result")
    parser.add_argument("--small", action="store_true", help="a tiny setting, to see that all works")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="cores for every library (default: as the environment says)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the benchmark, prints its tables, and returns what it wrote to simulation.json."""
    given = arguments(argv)
    sizes = SMALL if given.small else FULL
    names = [given.system] if given.system else list(ENSEMBLES)
    panels, entries = [], []
    with limited_to(given.threads):
        about = machine()
        for name in names:
            works, entry = run(name, sizes[name], given.repeats, given.seed)
            report(entry)
            panels.append((name, works))
            entries.append(entry)
    data = {"schema": SCHEMA, "benchmark": "simulation", "machine": about, "seed": given.seed}
    data |= {"repeats": given.repeats, "ensembles": entries}
    write_json(given.out / "simulation.json", data)
    draw(panels, given.out / "simulation.svg")
    say(f"Written to {given.out / 'simulation.json'} and .svg")
    return data


if __name__ == "__main__":
    main()
