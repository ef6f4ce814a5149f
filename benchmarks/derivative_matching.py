"""Training time to equal prediction horizon: derivative matching against training through the solver.

    python benchmarks/derivative_matching.py --out runs/bench

Kuramoto-Sivashinsky (length 22, 64 points) is simulated and reduced to 8 coordinates once. On these latents the same
network (3 x 256 GELU, in standard units) is then trained from the same initial weights. The polynomial from which
fields start by default is left out, because it is a gain of its own. The methods are

- derivative matching, as `NeuralODESpec` does it: regression on exact latent velocities, Muon and AdamW;
- with `--adam`, the same by Adam alone, which separates the gain of Muon from that of the velocities;
- the published recipe through torchdiffeq (see `one_interval.py`);
- the same recipe through diffrax, compiled by jax, where the `bench` extra is installed.

All models are scored on the same test trajectories by the median valid prediction time: the first time at which the
distance of the decoded prediction from the truth exceeds half of the root mean square distance from the mean.

The clock counts everything between the latents and the fitted field. Derivative matching pays for pushing the
velocities through the encoder, and for its validation. No clock counts simulation, the reducer and scoring. jax's
compilation is listed separately; ratios are given without and with it. Each library takes a few steps before its clock
starts, so that no method pays for first calls.

Every point of every curve is a complete training, with the learning rates of its own length: an intermediate checkpoint
of a longer one, at a rate that is still high, would undersell the method. Derivative matching is trained for increasing
numbers of steps, the recipe for increasing times (`--seconds` is the longest; all of them together take about 1.5 times
as long, since they share their first halves).

Time to equal valid time: for each point of a competitor, its seconds over those of the shortest derivative matching
that is at least as good. Nothing is interpolated, so with few lengths of derivative matching the ratio errs on the
competitor's side. Where derivative matching is never as good, there is no ratio.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from measuring import installed, limited_to, machine, print_table, say, seconds
from one_interval import OneIntervalSpec, OneIntervalTraining, Pairs, TorchdiffeqTraining, trainings
from training_curves import Curve, Point, Score, compare, draw

from dynred.data.trajectories import Trajectories
from dynred.dynamics._units import Standardisation
from dynred.dynamics.neural_ode import NeuralODE, NeuralODESpec
from dynred.evaluation.records import Spread
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.open_source import source_of
from dynred.files import write_json
from dynred.metrics.reconstruction_nmse import ReconstructionNMSE
from dynred.metrics.valid_time import ValidTime
from dynred.models.forecast import forecast
from dynred.models.reduced import ReducedModel
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import Reducer
from dynred.rng import generator, spawn
from dynred.runtime import Runtime
from dynred.training.minimise import TrainingSpec

SCHEMA = 1
THRESHOLD = 0.5
RUNTIME = Runtime(device="cpu")
OURS = "derivative matching"


@dataclass(frozen=True)
class Size:
    """How large the benchmark is.

    Attributes:
        data: the trajectories.
        reducer: the autoencoder that gives the latents.
        dynamics: the network, and how derivative matching trains it.
        steps: numbers of steps of the trainings by derivative matching.
        recipe: settings of training through the solver.
        seconds: duration of the longest training through the solver.
        halvings: number of shorter trainings, each half as long as the next.
    """

    data: DataSpec
    reducer: AutoencoderSpec
    dynamics: NeuralODESpec
    steps: tuple[int, ...]
    recipe: OneIntervalSpec
    seconds: float
    halvings: int

    @property
    def budgets(self) -> list[float]:
        """Seconds of every training through the solver."""
        return [self.seconds / 2**k for k in range(self.halvings, -1, -1)]


FULL = Size(
    data=DataSpec(train=256, validation=32, test=128, duration=400.0, sampling=1.0, horizon=200.0),
    reducer=AutoencoderSpec(latent_dim=8, training=TrainingSpec(steps=3000)),
    dynamics=NeuralODESpec(start=None),
    steps=(100, 200, 300, 400, 600, 1000, 3000, 8000),
    recipe=OneIntervalSpec(),
    seconds=300.0,
    halvings=5,
)

SMALL = Size(
    data=DataSpec(train=32, validation=4, test=16, duration=60.0, sampling=1.0, horizon=40.0, transient=100.0),
    reducer=AutoencoderSpec(latent_dim=8, width=64, training=TrainingSpec(steps=200, batch_size=256)),
    dynamics=NeuralODESpec(width=64, depth=2, start=None),
    steps=(50, 200),
    recipe=OneIntervalSpec(batch_size=64, rates=(1e-2, 1e-3)),  # far fewer steps than the published rates need
    seconds=2.0,
    halvings=1,
)


@dataclass(frozen=True, eq=False)
class Setting:
    """What all methods share.

    Attributes:
        reducer: encoder and decoder.
        states, held: training and validation trajectories of the full system, with velocities.
        latents: latent training trajectories, with velocities.
        test: trajectories of the full system.
        initial: the untrained field, in the units of the latents.
    """

    reducer: Reducer
    states: Trajectories
    held: Trajectories
    latents: Trajectories
    test: Trajectories
    initial: NeuralODE


def prepare(size: Size, seed: int) -> Setting:
    """Simulates the trajectories, fits the reducer and encodes them."""
    states, held, test = source_of("kuramoto_sivashinsky").parts(size.data, seed, RUNTIME)
    reducer = size.reducer.fit(states, held, rng=generator(seed, "reducer"), runtime=RUNTIME)
    latents = states.map(reducer.encode)
    # `NeuralODESpec.fit` starts from the same weights, given the stream that `derivative_matching` gives it.
    weights = spawn(generator(seed, "dynamics"), "weights")
    units = Standardisation.of(latents, reducer.latent_space)
    return Setting(reducer, states, held, latents, test, NeuralODE(size.dynamics, reducer.latent_space, units, weights))


def score(setting: Setting, model: NeuralODE) -> Score:
    """The score of a field on the test trajectories."""
    forecasts = forecast(ReducedModel(setting.reducer, model), setting.test)
    after_one = forecasts.rollout_error().reshape(len(setting.test), -1)[:, 1]
    return Score(Spread.of(ValidTime(THRESHOLD)(forecasts)), float(after_one.median()))


def derivative_matching(
    setting: Setting, spec: NeuralODESpec, steps: Sequence[int], seed: int, name: str = OURS
) -> Curve:
    """One training for each number of steps; the clock also counts pushing velocities forward, and validation."""

    def train(count: int) -> NeuralODE:
        latents, held = setting.states.map(setting.reducer.encode), setting.held.map(setting.reducer.encode)
        longer = replace(spec, training=replace(spec.training, steps=count))
        return longer.fit(latents, held, rng=generator(seed, "dynamics"), runtime=RUNTIME)

    train(2)  # first calls
    points = []
    for count in sorted(steps):
        models: list[NeuralODE] = []
        spent = seconds(lambda count=count, models=models: models.append(train(count)))
        points.append(Point(spent, count, score(setting, models[0])))
    return Curve(name, points)


def through_the_solver(name: str, method: OneIntervalTraining, setting: Setting, size: Size, seed: int) -> Curve:
    """The published recipe, one training for each budget."""
    count = int((setting.latents.lengths - 1).sum())
    rng = generator(seed, "pairs")
    for _ in trainings(method, [0.0], count, size.recipe, generator(seed, "first calls")):
        pass
    runs = trainings(method, size.budgets, count, size.recipe, rng)
    points = [Point(trained.seconds, trained.steps, score(setting, trained.model)) for trained in runs]
    return Curve(name, points, method.compile_s)


def curves(setting: Setting, size: Size, seed: int, adam: bool) -> list[Curve]:
    """The curves of all methods that are installed."""
    measured = [derivative_matching(setting, size.dynamics, size.steps, seed)]
    if adam:
        spec = replace(size.dynamics, training=replace(size.dynamics.training, muon=0.0))
        measured.append(derivative_matching(setting, spec, size.steps, seed, f"{OURS}, Adam alone"))
    pairs = Pairs.of(setting.latents, setting.initial)
    recipe = TorchdiffeqTraining(setting.initial, pairs, size.recipe)
    measured.append(through_the_solver("torchdiffeq", recipe, setting, size, seed))
    if installed("jax", "diffrax", "optax"):
        from one_interval_diffrax import DiffraxTraining  # only here: jax may be absent, and is slow to import

        recipe = DiffraxTraining(setting.initial, pairs, size.recipe)
        measured.append(through_the_solver("diffrax", recipe, setting, size, seed))
    else:
        say("diffrax: skipped, jax, diffrax and optax are not all installed (pip install 'dynred\\[bench]').")
    return measured


def result(setting: Setting, measured: Sequence[Curve], size: Size, seed: int) -> dict[str, Any]:
    """The content of derivative_matching.json."""
    comparisons = [asdict(comparison) for curve in measured[1:] for comparison in compare(measured[0], curve)]
    reconstructed = forecast(ReducedModel(setting.reducer, setting.initial), setting.test)
    return {
        "schema": SCHEMA,
        "benchmark": "derivative_matching",
        "machine": machine(),
        "seed": seed,
        "settings": {
            "data": size.data.to_dict(),
            "reducer": size.reducer.to_dict(),
            "dynamics": size.dynamics.to_dict(),
            "recipe": asdict(size.recipe),
        },
        "threshold": THRESHOLD,
        "nmse": float(ReconstructionNMSE()(reconstructed).mean()),
        "untrained": asdict(score(setting, setting.initial)),
        "curves": [asdict(curve) for curve in measured],
        "time_to_equal_valid_time": comparisons,
    }


def report(measured: Sequence[Curve], data: dict[str, Any]) -> None:
    """The tables on standard output."""
    rows = []
    for curve in measured:
        for point in curve.points:
            valid = point.score.valid_time
            rows.append((curve.method, point.steps, point.seconds, valid.median, valid.mean, point.score.first_error))
    heads = ("method", "steps", "seconds", "median", "mean", "error after 1 interval")
    print_table(f"Valid prediction time (error {THRESHOLD:g}), time units; nmse {data['nmse']:.2g}", heads, rows)
    equal = data["time_to_equal_valid_time"]
    heads = ("against", "valid time", "seconds", f"{OURS}, s", "ratio", "with compilation")
    print_table("Time to equal median valid time", heads, [tuple(row.values()) for row in equal])
    for curve in measured:
        if curve.compile_s:
            say(f"{curve.method}: compilation took {curve.compile_s:.1f} s, beside the seconds above.")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="longest training through the solver (default 300)")
    parser.add_argument("--reducer-steps", type=int, help="training steps of the autoencoder (default 3000)")
    parser.add_argument("--adam", action="store_true", help="also match derivatives with Adam alone")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of the result")
    parser.add_argument("--small", action="store_true", help="a tiny setting, to see that all works")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="cores for every library (default: as the environment says)")
    return parser.parse_args(argv)


def chosen_size(given: argparse.Namespace) -> Size:
    """The size that the command line asks for."""
    size = SMALL if given.small else FULL
    if given.seconds is not None:
        size = replace(size, seconds=given.seconds)
    if given.reducer_steps is not None:
        training = replace(size.reducer.training, steps=given.reducer_steps)
        size = replace(size, reducer=replace(size.reducer, training=training))
    return size


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs the benchmark, prints its tables, and returns what it wrote to derivative_matching.json."""
    given = arguments(argv)
    size = chosen_size(given)
    with limited_to(given.threads):
        setting = prepare(size, given.seed)
        measured = curves(setting, size, given.seed, given.adam)
        data = result(setting, measured, size, given.seed)
    report(measured, data)
    write_json(given.out / "derivative_matching.json", data)
    draw(measured, THRESHOLD, given.out / "derivative_matching.svg")
    say(f"Written to {given.out / 'derivative_matching.json'} and .svg")
    return data


if __name__ == "__main__":
    main()
