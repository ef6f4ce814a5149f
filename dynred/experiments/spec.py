"""The settings of an experiment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dynred.checks import integer, positive, refuse
from dynred.data.reading import ReadingSpec
from dynred.data.transforms.base import TransformSpec
from dynred.dynamics.acceleration import AccelerationSpec
from dynred.dynamics.base import DynamicsSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.open_source import open_source
from dynred.experiments.other_test import OtherTest
from dynred.experiments.source import Source
from dynred.models.atlas import AtlasSpec
from dynred.models.joint import JointSpec
from dynred.models.partition import PartitionSpec
from dynred.models.reduced import ReducedSpec
from dynred.models.spec import ModelSpec
from dynred.ode.subject import no_reading
from dynred.reducers.auto import AutoReducerSpec
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import ReducerSpec
from dynred.reducers.second_order import SecondOrderSpec
from dynred.spec import ADDED, Spec


@dataclass(frozen=True)
class ExperimentSpec(Spec):
    """Everything that decides the result of `dynred reduce`.

    Attributes:
        source: name or file of a system, or a data file of a kind in `dynred.data.readers`.
        latent_dim: number R of latent coordinates, equal to that of the reducer's settings; `updated` changes both.
        arguments: structural choices of the system, e.g. {"length": 44.0}.
        seed: decides every draw.
        threshold: rollout error that counts as lost.
        data: which trajectories.
        reducer: settings of the reducer; None leaves the choice to the data, see `AutoReducerSpec`, and takes an
            autoencoder where there is `joint` refinement.
        dynamics: settings of the latent dynamics.
        partition: with more than one chart, the model is an atlas with a reducer and dynamics in each.
        joint: refines reducer and dynamics together at the end; None leaves this out.
        test: a data file of the trajectories that are the test; None takes the test from the source.
        reading: what cannot be guessed of the data, in both files.
        transforms: what is done to the states before a model is fitted, in order; variables are scaled also where none
            is named, if the data name them and their spreads differ by more than 30 times.
        parameters: values of the equation's parameters that replace the system's own, e.g. {"mu": 1.5}.
    """

    source: str
    latent_dim: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    threshold: float = 0.5
    data: DataSpec = field(default_factory=DataSpec)
    reducer: ReducerSpec | None = None
    dynamics: DynamicsSpec = field(default_factory=NeuralODESpec)
    partition: PartitionSpec = field(default_factory=PartitionSpec)
    joint: JointSpec | None = None
    test: str | None = None
    reading: ReadingSpec = field(default_factory=ReadingSpec)
    transforms: tuple[TransformSpec, ...] = field(default=(), metadata=ADDED)
    parameters: Mapping[str, float] = field(default_factory=dict, metadata=ADDED)

    def __post_init__(self):
        if not self.source:
            raise refuse("source", "the name of a system, or a file", repr(self.source))
        integer("latent_dim", self.latent_dim, 1)
        integer("seed", self.seed, 0)
        positive("threshold", self.threshold)
        if self.reducer is None:
            object.__setattr__(self, "reducer", default_reducer(self.latent_dim, self.joint, self.dynamics))
        elif self.reducer.latent_dim != self.latent_dim:
            advice = "Set `latent_dim`, which moves that of the reducer, too."
            raise refuse("reducer.latent_dim", f"latent_dim, {self.latent_dim}", self.reducer.latent_dim, advice)

    def updated(self, path: str, value: object) -> "ExperimentSpec":
        """See `Spec.updated`. The reducer's `latent_dim` changes with that of the experiment."""
        if path != "latent_dim" or self.reducer is None:
            return super().updated(path, value)
        return replace(self, latent_dim=value, reducer=self.reducer.updated(path, value))  # type: ignore[arg-type] # checked

    @property
    def model(self) -> ModelSpec:
        """The settings of the model."""
        assert self.reducer is not None  # filled in above
        return model_spec(self.reducer, self.dynamics, self.partition, self.joint)

    @property
    def default_out(self) -> Path:
        """The run folder where the caller names none: runs/ and a name made of the source and the settings."""
        return Path("runs") / f"{Path(self.source).stem}-{self.digest()}"

    def open(self) -> Source:
        """Opens the source of the experiment: the system, checked, or the data.

        Raises:
            InputError: the source is unknown or unusable, or has no more than `latent_dim` dimensions.
        """
        source = self.open_source()
        if not (self.transforms or source.has_angles):  # they may change the dimension
            check_latent_dim(self.latent_dim, source.dim, self.dynamics)
        return source

    def open_source(self) -> Source:
        """Opens the source of the experiment, and its test where that is elsewhere, whatever `latent_dim` is.

        Raises:
            InputError: the source or the test is unknown or unusable.
        """
        source = open_source(self.source, self.arguments, self.reading).with_parameters(self.parameters)
        if source.system is not None and self.test is None:
            no_reading(self.reading, source.system)
        return source if self.test is None else source.tested_on(OtherTest.of(self.test, self.reading))


def check_latent_dim(latent_dim: int, dim: int, dynamics: DynamicsSpec) -> None:
    """Refuses as many latent coordinates as states of `dim` values have, or more; maps may have as many: a section, or
    a map of the line, leaves nothing to reduce."""
    if dynamics.needs_velocities:
        if dim < 2:
            advice = "A single signal is given a past by `--delays auto`; a map of it by `--dynamics map`."
            raise refuse("states", "of 2 values or more, for a reduction has fewer", dim, advice)
        integer("latent_dim", latent_dim, 1, dim - 1, f"The state has {dim} dimensions; a reduction has fewer.")
    else:
        integer("latent_dim", latent_dim, 1, dim, f"The state has {dim} dimensions.")


def of_second_order(reducer: ReducerSpec, dynamics: DynamicsSpec) -> tuple[ReducerSpec, DynamicsSpec]:
    """Settings for states (q, q'): the reducer for q, the dynamics for q''.

    Raises:
        InputError: the number of coordinates is odd.
    """
    half = reducer.updated("latent_dim", max(1, reducer.latent_dim // 2))
    return SecondOrderSpec(reducer.latent_dim, half), AccelerationSpec(dynamics)


def default_reducer(latent_dim: int, joint: JointSpec | None, dynamics: DynamicsSpec | None) -> ReducerSpec:
    """The reducer where nobody names one; what is refined together with dynamics must have weights to train, and
    symmetries are used where nobody names dynamics, either, because both must know of them."""
    if joint is not None:
        return AutoencoderSpec(latent_dim)
    return AutoReducerSpec(latent_dim, symmetry=dynamics is None or dynamics == NeuralODESpec())


def model_spec(
    reducer: ReducerSpec, dynamics: DynamicsSpec, partition: PartitionSpec | None, joint: JointSpec | None
) -> ModelSpec:
    """The settings of the model: an atlas where there are several charts.

    Raises:
        InputError: `joint` asks for refinement where there are several charts.
    """
    if partition is None or partition.charts == 1:
        return ReducedSpec(reducer, dynamics, joint)
    if not dynamics.needs_velocities:
        raise refuse("charts", "1 for a map", partition.charts, "Charts are changed on the way between two snapshots.")
    if joint is not None:
        raise refuse("joint", "None where there are several charts", f"{partition.charts} charts")
    # A chart is only a part of what symmetries move.
    return AtlasSpec.of(partition, reducer.without_symmetry(), dynamics)
