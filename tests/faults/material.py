"""Small runs, data and models to be treated badly, and what of them must stay the same."""

import hashlib
from pathlib import Path
from typing import Any

import torch

from dynred.data.store import StoredTrajectories
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.run import run
from dynred.experiments.spec import ExperimentSpec
from dynred.files import read_json, read_tensors
from dynred.models.reduced import ReducedModel, on_reducer
from dynred.ode.find import find_system
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate, simulate_to
from dynred.solvers.explicit import Explicit
from dynred.training.minimise import TrainingSpec

TIMES = torch.linspace(0, 4, 21, dtype=torch.float64)
DATA = DataSpec(train=8, validation=2, test=4, duration=2.0, sampling=0.2, transient=4.0)
OFTEN = Runtime(checkpoint_seconds=0.02)  # seconds between checkpoints: some in every small training
TIMINGS = ("cost", "speedup")  # the parts of an evaluation that no two runs share


def trained_spec(seed: int = 0, steps: int = 20) -> ExperimentSpec:
    """A run with two trainings, in a third of a second."""
    training = TrainingSpec(steps=steps, batch_size=32, validations=2)
    reducer = AutoencoderSpec(1, width=8, training=training)
    dynamics = NeuralODESpec(width=8, depth=1, training=training)
    return ExperimentSpec("stuart_landau", 1, seed=seed, data=DATA, reducer=reducer, dynamics=dynamics)


def plain_spec(source: str = "stuart_landau", seed: int = 0) -> ExperimentSpec:
    """A run without training, in a quarter of a second."""
    return ExperimentSpec(source, 1, seed=seed, data=DATA, reducer=PODSpec(1), dynamics=LinearSpec())


def make_run(spec: ExperimentSpec, out: Path, **options: Any) -> None:
    """The run, with frequent checkpoints."""
    run(spec, out, runtime=OFTEN, **options)


def result(out: Path) -> dict[str, Any]:
    """What a run folder says, without times: settings, weights, scores, certificate."""
    weights, metadata = read_tensors(out / "model.safetensors")
    scores = read_json(out / "evaluation.json")
    return {
        "spec": read_json(out / "experiment.json")["spec"],
        "weights": {name: digest(tensor) for name, tensor in weights.items()},
        "seed": metadata["about"]["seed"],
        "scores": {name: value for name, value in scores.items() if name not in TIMINGS},
        "certificate": read_json(out / "certificate.json"),
        "report": (out / "report.html").stat().st_size > 0,
    }


def digest(tensor: torch.Tensor) -> str:
    """Type, shape and every bit."""
    content = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return f"{tensor.dtype} {list(tensor.shape)} {hashlib.sha256(content).hexdigest()}"


def small_data(n: int = 14, seed: int = 0) -> Trajectories:
    """Trajectories of a plane cycle, with velocities, parameters and attributes."""
    return simulate(find_system("stuart_landau"), n, TIMES, rng=generator(seed))


def small_model(data: Trajectories, seed: int = 0) -> ReducedModel:
    """A model with networks that were hardly trained."""
    training = TrainingSpec(steps=3, batch_size=16, validations=1)
    reducer = AutoencoderSpec(1, width=8, training=training).fit(data, data, rng=generator(seed))
    spec = NeuralODESpec(width=8, depth=1, training=training)
    return on_reducer(reducer, spec, data, data, rng=generator(seed), about={"system": "stuart_landau", "seed": seed})


def store(path: Path, n: int = 20, seed: int = 0, **options: Any) -> StoredTrajectories:
    """The call that writes a store, or goes on with it, or finds it complete."""
    system, solver = find_system("stuart_landau"), Explicit(method="rk4", step=0.05)
    return simulate_to(path, system, n, TIMES, rng=generator(seed), solver=solver, transient=0.5, **options)


def content(trajectories: Trajectories) -> dict[str, Any]:
    """All that trajectories hold, as digests."""
    arrays = {"states": trajectories.states, "t": trajectories.t, "lengths": trajectories.lengths}
    arrays |= {f"parameter {name}": value for name, value in trajectories.parameters.items()}
    if trajectories.velocities is not None:
        arrays["velocities"] = trajectories.velocities
    return {**{name: digest(value) for name, value in arrays.items()}, "about": dict(trajectories.attributes)}


def files(folder: Path) -> dict[str, str]:
    """The digest of every file below a folder."""
    every = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in every}


def leave_notes(folder: Path) -> dict[str, str]:
    """Puts files of a user's own into a folder; gives what `files` must go on to say of them."""
    before = set(files(folder))
    (folder / "data").mkdir(exist_ok=True)
    for name in ("notes.txt", "report2.html", "data/measured.csv"):
        (folder / name).write_text(f"{name} is mine\n")
    return {name: found for name, found in files(folder).items() if name not in before}


def kept(folder: Path, notes: dict[str, str]) -> bool:
    """Whether a user's files are all there, unchanged."""
    return notes.items() <= files(folder).items()
