"""`dynred lyapunov`: Lyapunov exponents and the Kaplan-Yorke dimension."""

from typing import TYPE_CHECKING, Annotated, Any

from dynred.cli._completion import completed, sources
from dynred.cli._options import (
    COMPUTATION,
    SOURCE,
    Arguments,
    AsJson,
    Parameters,
    Plugins,
    SolverName,
    TimeLimit,
    Trust,
    Whole,
    option,
)
from dynred.cli.base import pairs, show, working

if TYPE_CHECKING:
    from dynred.evaluation.lyapunov import LyapunovSpectrum

EXAMPLES = """
dynred lyapunov lorenz63 -k 3
dynred lyapunov kuramoto_sivashinsky -k 8 --with length=44
dynred lyapunov runs/ks --time-limit 60          # of the model of a run
"""

Source = Annotated[
    str,
    option(
        SOURCE,
        "Name of a system, path to a .py file that defines one, or a run folder that `dynred reduce` made.",
        **completed(sources),
    ),
]
Duration = Annotated[
    float | None,
    option(COMPUTATION, "Averaging time of each trajectory, in time units; default: 200 time scales."),
]
Interval = Annotated[
    float | None, option(COMPUTATION, "Time between orthogonalisations; default: a tenth of the time scale.")
]


def lyapunov(
    source: Source,
    /,
    *,
    with_: Arguments = None,
    set_: Parameters = None,
    plugin: Plugins = None,
    trust: Trust = False,
    k: Annotated[
        Whole | None, option(COMPUTATION, "Number of exponents; default: all, at most 16.", "--k", "-k")
    ] = None,
    n: Annotated[Whole, option(COMPUTATION, "Number of trajectories; their spread gives the error.", "--n", "-n")] = 8,
    duration: Duration = None,
    interval: Interval = None,
    solver: SolverName = "auto",
    seed: Annotated[Whole, option(COMPUTATION, "Decides initial states and tangents.")] = 0,
    time_limit: TimeLimit = None,
    as_json: AsJson = False,
) -> None:
    """Compute Lyapunov exponents and the Kaplan-Yorke dimension of a system, or of the model of a run."""
    from dynred.experiments.find_exponents import find_exponents

    with working() as runtime:
        name, spectrum = find_exponents(
            source,
            k,
            n=n,
            duration=duration,
            interval=interval,
            solver=solver,
            seed=seed,
            time_limit=time_limit,
            arguments=pairs(with_ or []),
            parameters=pairs(set_ or []),
            plugins=plugin or [],
            trust=trust,
            progress=runtime.progress,
        )
    heads = ("", "exponent", "error")
    show(f"{name}: Lyapunov exponents per time unit", heads, _rows(spectrum), _facts(name, spectrum), as_json)


def _facts(name: str, spectrum: "LyapunovSpectrum") -> dict[str, Any]:
    """The result as JSON data; an error that is NaN, because it is unknown, becomes None."""
    return {
        "system": name,
        "exponents": spectrum.exponents.tolist(),
        "error": [value if value == value else None for value in spectrum.error.tolist()],
        "kaplan_yorke_dimension": spectrum.kaplan_yorke_dimension,
        "time": spectrum.time,
    }


def _rows(spectrum: "LyapunovSpectrum") -> list[tuple[str, str, str]]:
    """A row of number, exponent and error for every exponent, and one for the dimension."""
    errors = ["" if value != value else f"{value:.2g}" for value in spectrum.error.tolist()]
    rows = [
        (f"{i + 1}", f"{value:.5g}", error)
        for i, (value, error) in enumerate(zip(spectrum.exponents.tolist(), errors, strict=True))
    ]
    dimension = spectrum.kaplan_yorke_dimension
    words = "more exponents are needed" if dimension is None else f"{dimension:.4g}"
    return [*rows, ("Kaplan-Yorke dimension", words, "")]
