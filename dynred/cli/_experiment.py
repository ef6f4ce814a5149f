"""The options by which commands say what an experiment is: those of `dynred reduce`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dynred.cli._completion import completed, sources
from dynred.cli._options import (
    DATA,
    LATENT,
    SOURCE,
    TRAINING,
    Arguments,
    Out,
    Settings,
    Whole,
    flag,
    listed,
    option,
)
from dynred.cli._own_data import DataOptions
from dynred.cli._transform_options import TransformOptions
from dynred.cli.base import pairs

if TYPE_CHECKING:
    from dynred.experiments.spec import ExperimentSpec

Source = Annotated[
    str,
    option(
        SOURCE,
        "Name of a system (see `dynred systems`), a .py file that defines one, or a data file (.csv, .npy, .npz, "
        ".mat, .h5, .nc, .zarr, .parquet).",
        **completed(sources),
    ),
]
LatentDim = Annotated[Whole | None, option(LATENT, "Number of latent coordinates; default: that of the angles.")]
Angles = Annotated[
    Whole, option(LATENT, "How many of them are angles: one for a closed curve, two for a torus.", show_default=False)
]
Charts = Annotated[
    Whole,
    option(LATENT, "More than one cut K into overlapping charts, each with coordinates and dynamics of its own."),
]
Test = Annotated[
    Out | None,
    option(DATA, "A data file whose trajectories are the test; default: the test is taken from the source."),
]
TestTrajectories = Annotated[
    list[Whole] | None,
    option(DATA, "Which trajectories of the data are the test, counted from 0, e.g. `8 9`.", consume_multiple=True),
]
TestFraction = Annotated[
    float | None,
    option(DATA, "Part of the trajectories of the data, or of each of them in time, that is the test; default: 0.1."),
]
Split = Annotated[
    Literal["auto", "trajectories", "time"] | None,
    option(
        DATA,
        "How data are divided: trajectories keeps each whole, time tests on the last part of each; auto, the default, "
        "keeps them whole where there are at least three.",
    ),
]
Force = Annotated[bool, flag(DATA, "Fit dynamics even to velocities whose estimated error is above 30 %.")]
Reducer = Annotated[
    str | None,
    option(
        TRAINING,
        f"{listed('dynred.reducers')}, or a file with a reducer of your own; default: auto, a polynomial manifold "
        "where that is enough, else an autoencoder; autoencoder where --set names settings of the reducer.",
    ),
]
Dynamics = Annotated[
    str | None,
    option(
        TRAINING,
        f"{listed('dynred.dynamics')}, or a file with latent dynamics of your own; default: a Fourier series "
        "where all coordinates are angles, else a neural ODE.",
    ),
]


@dataclass(frozen=True)
class BaseOptions:
    """The settings that all runs of a study share, as `dynred reduce` takes them."""

    latent_dim: LatentDim = None
    angles: Angles = 0
    charts: Charts = 1
    test: Test = None
    test_trajectories: TestTrajectories = None
    test_fraction: TestFraction = None
    split: Split = None
    force: Force = False
    with_: Arguments = None
    reducer: Reducer = None
    dynamics: Dynamics = None
    set_: Settings = None
    seed: Annotated[Whole, option(TRAINING, "Decides every random draw.")] = 0

    def experiment(
        self,
        source: str,
        reading: DataOptions | None,
        transforms: TransformOptions | None,
        first: dict[str, Any],
    ) -> "ExperimentSpec":
        """The settings.

        A setting that does not exist is named before those that are missing.

        Args:
            source: the system or data.
            reading: what cannot be guessed of data.
            transforms: what is done to the states first.
            first: a value of every setting that varies, by its dotted path.
        """
        from dynred.checks import one_of
        from dynred.experiments.choose_experiment import choose_experiment
        from dynred.experiments.spec import ExperimentSpec

        tests = self.test, self.test_trajectories, self.test_fraction, self.split, self.force
        latent_dim = self.latent_dim
        if latent_dim is None and isinstance(first.get("latent_dim"), int):
            latent_dim = first["latent_dim"]
        if latent_dim is None:  # which may be misspelt
            for path in first:
                one_of("setting that varies", path.partition(".")[0], {each.name for each in fields(ExperimentSpec)})
        trained = any(path.startswith("reducer.") for path in first) and "reducer" not in first
        return choose_experiment(
            source,
            latent_dim,
            angles=self.angles,
            charts=self.charts,
            reducer="autoencoder" if trained and self.reducer is None else self.reducer,
            dynamics=self.dynamics,
            seed=self.seed,
            arguments=pairs(self.with_ or []),
            changes={**data_changes(*tests, reading, transforms), **pairs(self.set_ or [])},
        )


Base = Annotated[
    BaseOptions | None,
    Parameter(name="*", group=TRAINING, help="A setting that all runs share, as for `dynred reduce`."),
]


def data_changes(
    test: Any,
    test_trajectories: Sequence[int] | None,
    test_fraction: float | None,
    split: str | None,
    force: bool,
    *options: DataOptions | TransformOptions | None,
) -> dict[str, Any]:
    """What is said of test, data and transforms, as settings of an experiment by their dotted paths."""
    tested = {"test_trajectories": test_trajectories, "test_fraction": test_fraction, "split": split}
    changes: dict[str, Any] = {f"data.{name}": value for name, value in tested.items() if value is not None}
    changes |= {"test": str(test)} if test is not None else {}
    changes |= {"data.force": True} if force else {}
    for group in options:
        changes |= group.changes() if group is not None else {}
    return changes
