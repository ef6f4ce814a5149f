"""`dynred lyapunov`: Lyapunov exponents and the Kaplan-Yorke dimension."""

from typing import Annotated

from cyclopts import Parameter

from dynred.cli.base import Arguments, AsJson, Parameters, pairs, show, working


def lyapunov(
    system: str,
    *,
    k: Annotated[int | None, Parameter(name=["--k", "-k"])] = None,
    n: Annotated[int, Parameter(name=["--n", "-n"])] = 8,
    duration: float | None = None,
    interval: float | None = None,
    solver: str = "auto",
    seed: int = 0,
    with_: Arguments = None,
    set_: Parameters = None,
    as_json: AsJson = False,
) -> None:
    """Compute Lyapunov exponents and the Kaplan-Yorke dimension of a system.

    Parameters
    ----------
    system: Name of a system or path to a .py file that defines one.
    k: Number of exponents; default: all, at most 16.
    n: Number of trajectories; their spread gives the error.
    duration: Averaging time of each, in time units; default: 200 time scales.
    interval: Time between orthogonalisations; default: a tenth of the time scale.
    solver: auto, explicit, stiff or etdrk4.
    seed: Decides initial states and tangents.
    """
    from dynred.lyapunov import lyapunov_spectrum
    from dynred.rng import generator
    from dynred.system import find_system

    found = find_system(system, **pairs(with_ or []))
    with working() as runtime:
        spectrum = lyapunov_spectrum(
            found,
            k,
            rng=generator(seed, "lyapunov"),
            n=n,
            duration=duration,
            interval=interval,
            parameters=pairs(set_ or []),
            solver=solver,
            progress=runtime.progress,
        )
    facts = {
        "system": found.name,
        "exponents": spectrum.exponents.tolist(),
        "error": [value if value == value else None for value in spectrum.error.tolist()],
        "kaplan_yorke_dimension": spectrum.kaplan_yorke_dimension,
        "time": spectrum.time,
    }
    errors = ["" if value != value else f"{value:.2g}" for value in spectrum.error.tolist()]
    rows = [
        (f"{i + 1}", f"{value:.5g}", error)
        for i, (value, error) in enumerate(zip(spectrum.exponents.tolist(), errors, strict=True))
    ]
    dimension = spectrum.kaplan_yorke_dimension
    words = "more exponents are needed" if dimension is None else f"{dimension:.4g}"
    rows.append(("Kaplan-Yorke dimension", words, ""))
    show(f"{found.name}: Lyapunov exponents per time unit", ("", "exponent", "error"), rows, facts, as_json)
