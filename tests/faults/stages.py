"""Everything that writes, as one call in a folder, for faults of the place that is written to."""

from dynred.cli.app import main
from dynred.data.storage import save_trajectories
from dynred.models.load import load_model
from faults.material import make_run, plain_spec, small_data, small_model, store, trained_spec

SETTINGS = {"data.train": 8, "data.validation": 2, "data.test": 4, "data.duration": 2.0, "data.sampling": 0.2}
SMALL = [token for name, value in SETTINGS.items() for token in ("--set", f"{name}={value}")]
SIMULATE = ["--n", "4", "--duration", "1", "--sampling", ".1"]
TRAININGS = [
    token
    for part in ("reducer", "dynamics")
    for name, value in (("width", 8), ("training.steps", 20), ("training.batch_size", 32))
    for token in ("--set", f"{part}.{name}={value}")
]


def dynred(*tokens):
    """A command, in the folder."""
    return lambda folder: main([str(token) if token != "RUN" else str(folder / "run") for token in tokens])


def prepare(folder):
    """What some stages need: a run and a model."""
    make_run(plain_spec(), folder / "run")
    small_model(small_data()).save(folder / "model")


COMMANDS = {
    "reduce": dynred("reduce", "stuart_landau", "--latent-dim", 1, "--out", "new", *SMALL, *TRAININGS),
    "reduce --overwrite": dynred(
        *("reduce", "stuart_landau", "--latent-dim", 1, "--out", "run", "--overwrite", "--seed", 1),
        *("--reducer", "pod", "--dynamics", "linear", *SMALL),
    ),
    "simulate .npz": dynred("simulate", "stuart_landau", "--out", "new.npz", *SIMULATE),
    "simulate .zarr": dynred("simulate", "stuart_landau", "--out", "new.zarr", *SIMULATE),
    "simulate .nc": dynred("simulate", "stuart_landau", "--out", "new.nc", *SIMULATE),
    "evaluate": dynred("evaluate", "RUN"),
    "certify": dynred("certify", "RUN", "--samples", "50"),
}
CALLS = {
    "run": lambda folder: make_run(trained_spec(), folder / "new"),
    "a store": lambda folder: store(folder / "new.zarr"),
    "save .npz": lambda folder: save_trajectories(small_data(), folder / "new.npz"),
    "save .zarr": lambda folder: save_trajectories(small_data(), folder / "new.zarr"),
    "save .nc": lambda folder: save_trajectories(small_data(), folder / "new.nc"),
    "save a model": lambda folder: load_model(folder / "model").save(folder / "new"),
    "replace a model": lambda folder: load_model(folder / "run").save(folder / "model"),
    "export": lambda folder: load_model(folder / "model").export(folder / "new"),
    "save as NumPy": lambda folder: load_model(folder / "model").to_numpy().save(folder / "new.npz"),
}
STAGES = {**COMMANDS, **CALLS}


def warm() -> None:
    """Does once what exporting imports late."""
    small_model(small_data()).to_numpy()
