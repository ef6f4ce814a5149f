"""The command line: parse, call, print. The only home of cyclopts and rich.

What needs torch is imported inside the commands, so that `dynred --help` answers at once.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dynred.errors import DynredError, InputError

if TYPE_CHECKING:
    from dynred.evaluate import Evaluation
    from dynred.experiment import ExperimentSpec
    from dynred.optimise import Runtime

app = App(
    name="dynred",
    help="Reduced-order models of dynamical systems: reduce an ODE to a few latent coordinates, learn their dynamics, "
    "and see how far the predictions can be trusted.",
    suppress_keyboard_interrupt=False,
    version_flags=["--version"],
)
stderr = Console(stderr=True)

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON on standard output.")]
Settings = Annotated[
    list[str] | None,
    Parameter(
        name="--set", negative="", help="A setting by its dotted path, e.g. reducer.training.steps=8000; repeatable."
    ),
]
Parameters = Annotated[
    list[str] | None,
    Parameter(name="--set", negative="", help="A parameter of the equation, e.g. rho=20; repeatable."),
]
Arguments = Annotated[
    list[str] | None,
    Parameter(name="--with", negative="", help="A structural choice of the system, e.g. length=44; repeatable."),
]


@app.command
def reduce(
    source: str,
    *,
    latent_dim: int,
    out: Path,
    seed: int = 0,
    reducer: str = "autoencoder",
    dynamics: str = "neural_ode",
    set_: Settings = None,
    with_: Arguments = None,
    device: str = "auto",
    resume: Annotated[bool, Parameter(negative="")] = False,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Reduce a system or data: simulate, learn coordinates and their dynamics, score, report.

    Parameters
    ----------
    source: Name of a system (see `dynred systems`), a .py file that defines one, or a data file (.npz, .zarr, .nc).
    latent_dim: Number of latent coordinates.
    out: Folder for the model, its scores and the report.
    seed: Decides every random draw.
    reducer: autoencoder, pod, or a file with a reducer of your own.
    dynamics: neural_ode, linear, or a file with latent dynamics of your own.
    device: auto, cpu or cuda.
    resume: Go on with an interrupted run of the same settings, to the same result.
    overwrite: Replace a run that is in the folder.
    """
    from dynred.experiment import run
    from dynred.model import load_model

    spec = _experiment(source, latent_dim, seed, reducer, dynamics, set_ or [], with_ or [])
    with _runtime(device) as runtime:
        found = run(spec, out, resume=resume, overwrite=overwrite, runtime=runtime)
    _show_evaluations([found], as_json)
    for line in notes(load_model(out).about):
        stderr.print(line, markup=False, highlight=False, soft_wrap=True)
    stderr.print(f"The report is {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


@app.command
def evaluate(runs: list[Path], /, *, device: str = "auto", as_json: AsJson = False) -> None:
    """Score the models of run folders again and renew their reports; several are shown side by side.

    Parameters
    ----------
    runs: Run folders that `dynred reduce` made.
    device: auto, cpu or cuda.
    """
    from dynred.experiment import evaluate_run

    with _runtime(device) as runtime:
        found = [evaluate_run(out, runtime=runtime) for out in runs]
    _show_evaluations(found, as_json)


@app.command
def simulate(
    system: str,
    *,
    out: Path,
    n: Annotated[int, Parameter(name=["--n", "-n"])] = 256,
    duration: float | None = None,
    sampling: float | None = None,
    transient: float | None = None,
    solver: str = "auto",
    seed: int = 0,
    with_: Arguments = None,
    set_: Parameters = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate trajectories of a system, with their exact velocities, into a file.

    Parameters
    ----------
    system: Name of a system or path to a .py file that defines one.
    out: Where to put them: .zarr, .npz or .nc.
    n: Number of trajectories.
    duration: Length of each, in time units; default: the system's.
    sampling: Time between snapshots; default: the system's.
    transient: Time dropped at the start; default: the system's.
    solver: auto, explicit, stiff or etdrk4.
    seed: Decides the initial states.
    overwrite: Replace a file that is there.
    """
    import torch

    from dynred.rng import generator
    from dynred.simulate import simulate as simulate_system
    from dynred.storage import check_path, save_trajectories
    from dynred.system import find_system

    check_path(out)
    if out.exists() and not overwrite:
        raise InputError(f"out must be a new file, got {out}. Use --overwrite.")
    found = find_system(system, **_pairs(with_ or []))
    step, length = sampling or found.sampling, duration or found.duration
    if step <= 0 or length < step:
        raise InputError(f"sampling must be in (0, duration], got {step:g} with duration {length:g}.")
    times = torch.arange(round(length / step) + 1, dtype=torch.float64) * step
    start = time.perf_counter()
    with _runtime() as runtime:
        trajectories = simulate_system(
            found,
            n,
            times,
            rng=generator(seed, "train"),
            parameters=_pairs(set_ or []),
            solver=solver,
            transient=transient,
            progress=runtime.progress,
        )
    seconds = time.perf_counter() - start
    save_trajectories(trajectories, out)
    facts = {
        "system": found.name,
        "trajectories": len(trajectories),
        "snapshots": len(trajectories.states),
        "state_dim": trajectories.dim,
        "solver": trajectories.attributes["solver"]["kind"].rpartition(":")[2],
        "solver_reason": trajectories.attributes["solver_reason"],
        "simulate_s": round(seconds, 3),
        "out": str(out),
    }
    _show("simulated", ("", "value"), [(key, str(value)) for key, value in facts.items()], facts, as_json)


@app.command
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

    found = find_system(system, **_pairs(with_ or []))
    with _runtime() as runtime:
        spectrum = lyapunov_spectrum(
            found,
            k,
            rng=generator(seed, "lyapunov"),
            n=n,
            duration=duration,
            interval=interval,
            parameters=_pairs(set_ or []),
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
    _show(f"{found.name}: Lyapunov exponents per time unit", ("", "exponent", "error"), rows, facts, as_json)


@app.command
def systems(name: str | None = None, /, *, with_: Arguments = None, as_json: AsJson = False) -> None:
    """List the catalogue of systems, or show one.

    Parameters
    ----------
    name: A system's name or file; without it, all are listed.
    """
    from dynred.catalogue import describe, list_systems

    if name is None:
        rows = list_systems()
        table = [tuple(str(v) for v in (r["name"], r["dim"], r["solver"], r["equation"])) for r in rows]
        _show("systems", ("name", "dim", "solver", "equation"), table, rows, as_json)
    else:
        facts = describe(name, **_pairs(with_ or []))
        _show(name, ("", "value"), [(key, _words(value)) for key, value in facts.items()], facts, as_json)


def main(tokens: Sequence[str] | None = None) -> None:
    """Runs a command; bad input ends with one sentence on standard error and exit code 2."""
    try:
        app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except (DynredError, CycloptsError) as error:
        stderr.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        stderr.print("interrupted; the same command with --resume goes on from here.", highlight=False)
        sys.exit(130)


def _experiment(
    source: str, latent_dim: int, seed: int, reducer: str, dynamics: str, changes: list[str], arguments: list[str]
) -> "ExperimentSpec":
    from dynred.dynamics.base import DynamicsSpec
    from dynred.experiment import ExperimentSpec
    from dynred.plugins import load_class
    from dynred.reducers.base import ReducerSpec

    spec = ExperimentSpec(
        source=source,
        latent_dim=latent_dim,
        seed=seed,
        arguments=_pairs(arguments),
        reducer=load_class("dynred.reducers", reducer, ReducerSpec)(latent_dim=latent_dim),
        dynamics=load_class("dynred.dynamics", dynamics, DynamicsSpec)(),
    )
    for path, value in _pairs(changes).items():
        spec = spec.updated(path, value)
    return spec


def notes(about: Mapping[str, Any]) -> list[str]:
    """What a user should know of how the data came about: the solver and why, or how velocities were estimated."""
    lines = []
    if "solver" in about:
        lines.append(f"Solver: {about['solver']['kind'].rpartition(':')[2]} ({about['solver_reason']}).")
    if "velocities" in about:
        error = about["velocity_error"]
        size = "of unknown error (trajectories too short)" if error is None else f"error about {100 * error:.2g} %"
        lines.append(f"Velocities estimated by {about['velocities']}, {size} of their root mean square.")
    return lines


def _pairs(texts: list[str]) -> dict[str, Any]:
    """`name=value` texts as a dict; values are read as JSON where they are, as text where not."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"a setting must be of the form name=value, got {text!r}.")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found


@contextmanager
def _runtime(device: str = "auto") -> "Iterator[Runtime]":
    from dynred.optimise import Runtime

    columns = (
        TextColumn("{task.description:10s}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=stderr, transient=True)
    tasks: dict[str, Any] = {}

    def progress(stage: str, done: int, total: int, **figures: float) -> None:
        note = f"{done}/{total} " + " ".join(f"{name} {value:.3g}" for name, value in figures.items())
        if stage not in tasks:
            bar.start()
            tasks[stage] = bar.add_task(stage, total=total, note=note)
        bar.update(tasks[stage], completed=done, total=total, note=note)

    try:
        yield Runtime(device=device, progress=progress)
    finally:
        if tasks:  # a bar that never showed leaves no empty line
            bar.stop()


def _show_evaluations(found: "list[Evaluation]", as_json: bool) -> None:
    data = [one.to_dict() for one in found]
    if len(found) == 1:
        one = found[0]
        title = f"{one.system}: {one.state_dim} -> {one.latent_dim}, {one.test['trajectories']} test trajectories"
        _show(title, ("", "model", f"POD {one.latent_dim}", "linear dynamics"), one.rows(), data[0], as_json)
        return
    names = list(dict.fromkeys(row[0] for one in found for row in one.rows()))
    tables = [{row[0]: row[1] for row in one.rows()} for one in found]
    rows = [(name, *(table.get(name, "") for table in tables)) for name in names]
    heads = ("", *(f"{one.system} {one.state_dim} -> {one.latent_dim}" for one in found))
    _show("models side by side", heads, rows, data, as_json)


def _show(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], data: object, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(data, indent=2, allow_nan=False) + "\n")
        return
    table = Table(title=title, title_justify="left")
    rows = [[escape(cell) for cell in row] for row in rows]  # `[y; w]` is an equation, not markup
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right" if len(heads) > 2 else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items())
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
