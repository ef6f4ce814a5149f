"""`dynred lyapunov`: Lyapunov exponents and the Kaplan-Yorke dimension."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dynred.cli.base import Arguments, AsJson, Parameters, Plugins, Trust, Whole, pairs, show, working
from dynred.errors import InputError

if TYPE_CHECKING:
    import torch

    from dynred.models.base import Model
    from dynred.ode.system import System


def lyapunov(
    source: str,
    /,
    *,
    k: Annotated[Whole | None, Parameter(name=["--k", "-k"])] = None,
    n: Annotated[Whole, Parameter(name=["--n", "-n"])] = 8,
    duration: float | None = None,
    interval: float | None = None,
    solver: str = "auto",
    seed: Whole = 0,
    time_limit: float | None = None,
    with_: Arguments = None,
    set_: Parameters = None,
    plugin: Plugins = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Compute Lyapunov exponents and the Kaplan-Yorke dimension of a system, or of the model of a run.

    Parameters
    ----------
    source: Name of a system, path to a .py file that defines one, or a run folder that `dynred reduce` made.
    k: Number of exponents; default: all, at most 16.
    n: Number of trajectories; their spread gives the error.
    duration: Averaging time of each, in time units; default: 200 time scales.
    interval: Time between orthogonalisations; default: a tenth of the time scale.
    solver: auto, explicit, stiff, exponential_adams, etdrk4 or backward_euler.
    seed: Decides initial states and tangents.
    time_limit: Seconds after which the work stops, and what was averaged until then counts.
    """
    from dynred.evaluation.lyapunov import lyapunov_spectrum
    from dynred.ode.find import find_system
    from dynred.rng import generator

    rng, parameters = generator(seed, "lyapunov"), pairs(set_ or [])
    followed: System | Model
    if Path(source).is_dir():
        if with_:
            raise InputError("--with must be left out for a run, which knows its system, got it.")
        permitted: dict[str, Any] = {"plugins": plugin or [], "trust": trust}
        name, followed, initial = _run(Path(source), n, rng, parameters, permitted)
        parameters = {}  # the model has them
    else:
        followed, initial = find_system(source, **pairs(with_ or [])), None
        name = followed.name
    with working() as runtime:
        spectrum = lyapunov_spectrum(
            followed,
            k,
            rng=rng,
            n=n,
            initial=initial,
            duration=duration,
            interval=interval,
            parameters=parameters,
            solver=solver,
            time_limit=time_limit,
            progress=runtime.progress,
        )
    facts = {
        "system": name,
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
    show(f"{name}: Lyapunov exponents per time unit", ("", "exponent", "error"), rows, facts, as_json)


def _run(
    out: Path, n: int, rng: "torch.Generator", parameters: dict[str, Any], permitted: dict[str, Any]
) -> "tuple[str, Model, torch.Tensor]":
    """The name of a run's model, the model at the parameters, states on K: fresh ones of its system, or of its data."""
    import torch

    from dynred.experiments.stored_run import opened
    from dynred.ode.system import System
    from dynred.simulation.simulate import simulate

    with opened(out, **permitted) as run:
        model, source = run.model, run.source
        if isinstance(source, System):
            states = simulate(source, n, torch.zeros(1, dtype=torch.float64), rng=rng, parameters=parameters).states
        else:
            states = source.states[torch.randint(len(source.states), (n,), generator=rng)]
    return f"{model.about.get('system', out.name)}, reduced to {model.latent_space.dim}", model.at(parameters), states
