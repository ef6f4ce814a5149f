"""Measures the defaults: each choice beside its alternatives, on Kuramoto-Sivashinsky (L = 22, 64 -> 8).

    python benchmarks/choices.py --out runs/choices
    python benchmarks/choices.py --match refined      # the defaults, and alternatives of this name

Reducers are compared by the nmse of validation snapshots, fields by the median valid time of 128 validation
trajectories, predicted through the first reducer. Joint refinement starts from the first reducer and field, and is
scored also where training would discard it. All trajectories for choices differ from the test trajectories of
`dynred reduce`.
"""

import argparse
import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics.base import DynamicsSpec
from dynred.dynamics.neural_ode import NeuralODESpec, RefinementSpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.files import write_json
from dynred.metrics.valid_time import ValidTime
from dynred.models.forecast import forecast
from dynred.models.joint import JointSpec
from dynred.models.reduced import ReducedModel
from dynred.ode.find import find_system
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.spec import Spec
from dynred.training.minimise import TrainingSpec

Settings = TypeVar("Settings", bound=Spec)
LATENT_DIM = 8
HORIZON = 201  # snapshots, one time unit apart


def reducers() -> dict[str, ReducerSpec]:
    """The default autoencoder and its alternatives, one change each."""
    default = AutoencoderSpec(LATENT_DIM)
    steps = default.training
    return {
        "default": default,
        "Adam alone": dataclasses.replace(default, training=dataclasses.replace(steps, muon=0.0)),
        "Adam alone, 2 x the steps": dataclasses.replace(
            default, training=dataclasses.replace(steps, muon=0.0, steps=2 * steps.steps)
        ),
        "silu": dataclasses.replace(default, activation="silu"),
        "tanh": dataclasses.replace(default, activation="tanh"),
        "half the rate": dataclasses.replace(
            default, training=dataclasses.replace(steps, learning_rate=steps.learning_rate / 2)
        ),
        "depth 3": dataclasses.replace(default, depth=3),
        "polynomial manifold": PolynomialManifoldSpec(LATENT_DIM),
    }


def fields() -> dict[str, DynamicsSpec]:
    """The default neural ODE and its alternatives, one change each."""
    default = NeuralODESpec()
    steps = default.training
    bare = dataclasses.replace(default, start=None)
    fine = TrainingSpec(steps=300, batch_size=256, learning_rate=2e-4)
    return {
        "default": default,
        "polynomial alone": PolynomialODESpec(),
        "no polynomial to start from": bare,
        "the same, 2 x the steps": dataclasses.replace(
            bare, training=dataclasses.replace(steps, steps=2 * steps.steps)
        ),
        "Adam alone": dataclasses.replace(default, training=dataclasses.replace(steps, muon=0.0)),
        "silu": dataclasses.replace(default, activation="silu"),
        "half the Muon rate": dataclasses.replace(default, training=dataclasses.replace(steps, muon=steps.muon / 2)),
        "half the batch, 2 x the steps": dataclasses.replace(
            default, training=dataclasses.replace(steps, batch_size=steps.batch_size // 2, steps=2 * steps.steps)
        ),
        "2 x the steps": dataclasses.replace(default, training=dataclasses.replace(steps, steps=2 * steps.steps)),
        "refined on rollouts of 8": dataclasses.replace(default, refinement=RefinementSpec(training=fine)),
        "refined on rollouts of 2, 4, 8": dataclasses.replace(
            default, refinement=RefinementSpec(windows=(2, 4, 8), training=fine)
        ),
    }


def joints() -> dict[str, JointSpec]:
    """Joint refinements of the first reducer and field."""
    default = JointSpec()
    longer = dataclasses.replace(default.training, steps=4 * default.training.steps)
    return {
        "joint, velocities": default,
        "joint, decoded velocities too": JointSpec(decoded=0.1),
        "joint, rollouts of 4 too": JointSpec(
            rollout=1.0, training=dataclasses.replace(default.training, batch_size=256)
        ),
        "joint, velocities, 4 x the steps": JointSpec(training=longer),
    }


def nmse(model: Reducer | ReducedModel, scored: Trajectories) -> float:
    """Mean squared error of reconstruction over the mean squared deviation."""
    x = scored.states
    return float((model.reconstruct(x) - x).pow(2).sum() / (x - x.mean(0)).pow(2).sum())


def valid_times(model: ReducedModel, scored: Trajectories) -> dict[str, float]:
    """Median and mean valid time."""
    valid = ValidTime()(forecast(model, scored))
    return {"median_valid_time": float(valid.median()), "mean_valid_time": float(valid.mean())}


def matching(alternatives: Mapping[str, Settings], text: str) -> list[tuple[str, Settings]]:
    """The default, and the alternatives with `text` in their names."""
    return [(name, spec) for name, spec in alternatives.items() if name == "default" or text in name]


def main(arguments: list[str] | None = None) -> None:
    """Runs every alternative and writes choices.json after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/choices"))
    parser.add_argument("--match", default="", help="only alternatives whose name contains this")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    system = find_system("kuramoto_sivashinsky")
    train, validation = (
        simulate(system, n, rng=generator(chosen.seed, part)) for n, part in ((256, "train"), (32, "v"))
    )
    scored = simulate(system, 128, torch.arange(HORIZON, dtype=torch.float64), rng=generator(chosen.seed, "choices"))
    rows: list[dict[str, object]] = []

    def report(what: str, name: str, seconds: float, **figures: float) -> None:
        rows.append({"what": what, "name": name, "training_s": seconds, **figures})
        write_json(chosen.out / "choices.json", rows)
        words = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
        print(f"{what:8s} {name:32s} {seconds:7.1f} s  {words}", flush=True)

    first = None
    for name, spec in matching(reducers(), chosen.match):
        start = time.perf_counter()
        reducer = spec.fit(train, validation, rng=generator(chosen.seed, "reducer"))
        seconds = time.perf_counter() - start
        first = first or reducer
        report("reducer", name, seconds, nmse=nmse(reducer, scored))
    assert first is not None
    latents, validation_latents = train.map(first.encode), validation.map(first.encode)
    model = None
    for name, field in matching(fields(), chosen.match):
        start = time.perf_counter()
        candidate = ReducedModel(first, field.fit(latents, validation_latents, rng=generator(chosen.seed, "dynamics")))
        report("field", name, time.perf_counter() - start, **valid_times(candidate, scored))
        model = model or candidate
    assert model is not None
    for name, joint in joints().items():
        if chosen.match in name:
            start = time.perf_counter()
            candidate = joint.trained(model, train, validation, rng=generator(chosen.seed, "joint"))
            scores = {"nmse": nmse(candidate, scored), **valid_times(candidate, scored)}
            report("joint", name, time.perf_counter() - start, **scores)


if __name__ == "__main__":
    main()
