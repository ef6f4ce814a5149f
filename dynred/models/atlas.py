"""Atlases: several overlapping charts, each with a reducer and latent dynamics of its own, behind the interface of a
model.

A closed curve needs two Euclidean coordinates, a sphere three; cut into discs that overlap, the first needs one and the
second two. A state is followed in one chart until it comes to the edge, and is handed over to the next in the overlap:
z_new = Enc_new(Dec_old(z_old)) (D. Floryan, M. D. Graham, Nature Machine Intelligence 4, 1113 (2022), there with
discrete maps in time; here every chart has a neural ODE, so times are free).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from dynred.annotations import fitting_arguments
from dynred.checks import generator_given, real, refuse
from dynred.data.parameters import along_time, constants, cut
from dynred.data.signals import Course
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import with_velocities
from dynred.dynamics.base import DynamicsSpec, LatentDynamics, rollout_limits
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.models.base import Model
from dynred.models.charts import Atlas, by_chart, of_charts
from dynred.models.partition import Partition, PartitionSpec
from dynred.models.spec import ModelSpec
from dynred.models.stored_parts import StoredDynamics, StoredReducer, described, filled, histories
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.time_grids import cuts, refined
from dynred.numpy_out import as_given
from dynred.ode.vector_field import Parameters
from dynred.records import revive
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.rng import spawn
from dynred.runtime import Progress, Runtime, silent
from dynred.solvers.base import Deadline, end_at_blow_up
from dynred.training.minimise import History
from dynred.training.nets import parameter_count

AHEAD = 8  # steps of the partition that are integrated at once; those after an edge are done again
LEAST = 20  # fewest snapshots in a chart from which anything can be learnt


@dataclass(frozen=True, eq=False)
class AtlasModel(Model):
    """Latent dynamics on an atlas.

    Attributes:
        atlas: the charts.
        dynamics: dynamics of each chart, in its local coordinates.
        about: see `Model`.
        given: see `Model`.
    """

    atlas: Atlas
    dynamics: tuple[LatentDynamics, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    given: Parameters = field(default_factory=dict, repr=False, kw_only=True)
    is_continuous = False

    @property
    def state_dim(self) -> int:
        """See `Model.state_dim`."""
        return len(self.atlas.partition.modes.mean)

    @property
    def latent_space(self) -> LatentSpace:
        """See `Model.latent_space`: R lines, on which the charts lie side by side."""
        return self.atlas.latent_space

    @property
    def spec(self) -> "AtlasSpec":
        """See `Model.spec`."""
        first = self.atlas.reducers[0].spec, self.dynamics[0].spec
        return AtlasSpec.of(self.atlas.partition.spec, *first)

    @property
    def coordinates(self) -> Atlas:
        """See `Model.coordinates`: the charts."""
        return self.atlas

    @property
    def histories(self) -> tuple[History, ...]:
        """See `Model.histories`."""
        stages: tuple[Sequence[Reducer | LatentDynamics], ...] = (self.atlas.reducers, self.dynamics)
        return tuple(
            replace(history, stage=f"{history.stage}, chart {i + 1}")
            for parts in stages
            for i, part in enumerate(parts)
            for history in part.histories
        )

    @property
    def parameter_count(self) -> int:
        """See `Model.parameter_count`."""
        return parameter_count(self.atlas) + sum(parameter_count(part) for part in self.dynamics)

    @property
    def courses(self) -> Mapping[str, Course]:
        """See `Model.courses`."""
        return self.dynamics[0].courses

    def chart(self, x: Float[Tensor, "*batch D"]) -> Int[Tensor, "*batch"]:
        """The chart that encodes a state."""
        return self.atlas.partition.chart(self._states("x", x))

    def component(self, x: Float[Tensor, "*batch D"]) -> Int[Tensor, "*batch"]:
        """The connected component of the training set that is nearest to a state."""
        return self.atlas.partition.components[self.chart(x)]

    @as_given
    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """See `Model.encode`. It jumps where states change from one chart's core to the next."""
        return self.atlas.encode(self._states("x", x), constants(self.given))

    @as_given
    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """See `Model.decode`."""
        return self.atlas.decode(self._latents(z), constants(self.given))

    @as_given
    def rhs(self, t: float | Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `Model.rhs`. Between hand-overs latents move with this velocity."""
        time = real("t", t).double()
        chart, local = self.atlas.placed(self._latents(z))
        fields, given = [], of_charts(constants(self.given), chart, len(self.dynamics))
        for part, parameters in zip(self.dynamics, given, strict=True):
            bound = part.at(parameters)
            fields.append(lambda y, bound=bound: bound(time, y))
        return by_chart(fields, chart, local)

    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """See `Model.rollout`. Whether to hand over is asked after steps in which states move by one layer at most."""
        step = float(self.atlas.partition.step)
        z0, t, given = self._start(z0, t)
        (times, indices), deadline = refined(t, step), Deadline(time_limit)
        z = z0.double()
        latents = torch.full((len(z), len(t), self.latent_space.dim), torch.nan, dtype=torch.float64)
        latents[:, 0] = z
        for first, last in pairwise(cuts(times, AHEAD * step)):
            if deadline.passed():
                break
            path = self._followed(z, times[first : last + 1], given, deadline)
            progress("rollout", last, len(times) - 1)
            within = (indices > first) & (indices <= last)
            latents[:, within] = path[:, indices[within] - first]
            z = path[:, -1]
        return latents

    def _followed(self, z: Tensor, times: Tensor, parameters: Parameters, deadline: Deadline) -> Float[Tensor, "N S R"]:
        # Every row is integrated to the end in the chart where it is, then again from where it came to the edge.
        path = torch.full((len(z), len(times), z.shape[1]), torch.nan, dtype=torch.float64)
        path[:, 0] = z
        begin = torch.where(torch.isfinite(z).all(-1), 0, len(times) - 1)
        chart = self.atlas.placed(z)[0]
        while (begin < len(times) - 1).any():
            start = int(begin.min())
            c = int(chart[begin == start][0])
            rows = torch.nonzero((begin == start) & (chart == c))[:, 0]
            given = cut(parameters, rows)
            remaining = deadline.left()
            limits = rollout_limits(None if remaining is None else max(1e-3, remaining), silent)
            local = self.dynamics[c].rollout(self.atlas.placed(path[rows, start])[1], times[start:], given, **limits)
            latent = self.atlas.latent(local, chart[rows, None].expand(local.shape[:2]))
            path[rows, start:] = end_at_blow_up(latent, math.inf)
            leaving, step, following, arrived = self._at_the_edge(path[rows, start:], chart[rows], given)
            begin[rows] = len(times) - 1
            begin[rows[leaving]], chart[rows[leaving]] = start + step, following
            path[rows[leaving], start + step] = arrived
        return path

    def _at_the_edge(
        self, path: Float[Tensor, "n S R"], chart: Int[Tensor, " n"], parameters: Parameters
    ) -> tuple[Int[Tensor, " m"], Int[Tensor, " m"], Int[Tensor, " m"], Float[Tensor, "m R"]]:
        # Rows that come to the edge of their chart, the step at which each does, the chart in whose core it then is,
        # and its latent there.
        x = self.atlas.decode(path, along_time(parameters))
        following = self.atlas.partition.next_chart(x, chart[:, None].expand(x.shape[:2]))
        outside = (following != chart[:, None]) & torch.isfinite(path).all(-1)
        outside[:, 0] = False
        leaving = torch.nonzero(outside.any(1))[:, 0]
        step = outside[leaving].int().argmax(1)
        to, states = following[leaving, step], x[leaving, step]
        local = self.atlas.local(states, to, cut(parameters, leaving))
        return leaving, step, to, self.atlas.latent(local, to)

    def parts(self) -> tuple[dict[str, Shaped[Tensor, "..."]], dict[str, Any]]:
        """See `Model.parts`."""
        tensors = {f"atlas.{k}": v for k, v in self.atlas.state_dict().items()}
        for i, part in enumerate(self.dynamics):
            tensors |= {f"dynamics.{i}.{k}": v for k, v in part.state_dict().items()}
        metadata = {
            "partition": self.atlas.partition.sizes(),
            "reducers": [_described(part) for part in self.atlas.reducers],
            "dynamics": [_described(part) for part in self.dynamics],
        }
        return tensors, metadata

    @classmethod
    def from_parts(
        cls, tensors: Mapping[str, Shaped[Tensor, "..."]], metadata: Mapping[str, Any], about: Mapping[str, Any]
    ) -> "AtlasModel":
        """See `Model.from_parts`."""
        stored = revive(_StoredAtlas, metadata, "its metadata")
        charts = len(stored.reducers)
        if not charts == len(stored.dynamics) == stored.partition.get("charts"):
            counts = f"{charts} reducers and {len(stored.dynamics)} dynamics"
            raise refuse("charts", f"as many as {stored.partition.get('charts')} everywhere", counts)
        atlas = filled(stored.atlas, tensors, "atlas", infinite=["partition.step"]).checked()
        dynamics = tuple(
            filled(partial(part.build, reducer.latent_space), tensors, f"dynamics.{i}")
            for i, (part, reducer) in enumerate(zip(stored.dynamics, atlas.reducers, strict=True))
        )
        for module, history in zip((*atlas.reducers, *dynamics), stored.histories(), strict=True):
            module.histories = tuple(history)  # type: ignore[assignment] # nn.Module guesses
        return cls(atlas, dynamics, about)


@dataclass(frozen=True)
class _StoredAtlas:
    """What a file says of a model beside its tensors; see `AtlasModel.parts`."""

    partition: Mapping[str, Any]
    reducers: list[StoredReducer]
    dynamics: list[StoredDynamics]

    def atlas(self) -> Atlas:
        """The charts, with arbitrary weights."""
        partition = Partition.empty(**fitting_arguments("partition", self.partition, Partition.empty))
        zeros = torch.zeros(len(self.reducers) + 1, dtype=torch.float64)
        return Atlas(partition, [part.build() for part in self.reducers], zeros, zeros[1:].clone())

    def histories(self) -> list[list[History]]:
        """The histories of the reducers, then of the dynamics."""
        return [part.histories for parts in (self.reducers, self.dynamics) for part in parts]


def _described(part: Reducer | LatentDynamics) -> dict[str, Any]:
    return {**described(part), "histories": histories(part)}


@dataclass(frozen=True)
class AtlasSpec(PartitionSpec, ModelSpec):
    """Settings of an atlas and the dynamics on it.

    Attributes:
        charts: see `PartitionSpec`.
        overlap: see `PartitionSpec`.
        neighbours: see `PartitionSpec`.
        reducer: settings of the reducer of every chart, with lines only: a chart has an edge, so that none of its
            coordinates is an angle.
        dynamics: settings of the dynamics of every chart.
    """

    stream = "atlas"
    reducer: ReducerSpec = field(default_factory=AutoencoderSpec)
    dynamics: DynamicsSpec = field(default_factory=NeuralODESpec)

    def __post_init__(self):
        super().__post_init__()
        if angles := self.reducer.latent_space.angles:
            advice = "Charts have edges, and need none; give `latent_dim` lines."
            raise refuse("reducer", "without angles", f"{angles} of them", advice)

    @classmethod
    def of(cls, partition: PartitionSpec, reducer: ReducerSpec, dynamics: DynamicsSpec) -> "AtlasSpec":
        """The settings of an atlas, from those of its parts."""
        return cls(partition.charts, partition.overlap, partition.neighbours, reducer, dynamics)

    def fit_coordinates(
        self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime | None = None
    ) -> Atlas:
        """See `ModelSpec.fit_coordinates`: the partition and a reducer in each chart. A chart that validation
        trajectories do not visit uses its training snapshots. Every chart keeps its checkpoints in its own folder.

        Raises:
            InputError: settings that do not fit the data, such as fewer charts than connected components.
        """
        generator_given(rng)
        partition = self.divide(with_velocities("train", train), rng=spawn(rng, "partition"))
        parts = _learnable(partition.parts(train))
        held = partition.parts(validation)
        reducers = []
        for i, (part, other) in enumerate(zip(parts, held, strict=True)):
            chart_runtime, stream = _of_chart(runtime or Runtime(), i, len(parts)), spawn(rng, "chart", i)
            reducers.append(self.reducer.fit(part, other or part, rng=stream, runtime=chart_runtime))
        return Atlas.of(partition, reducers, parts).requires_grad_(False)

    def fit_dynamics(
        self,
        coordinates: Atlas,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> AtlasModel:
        """See `ModelSpec.fit_dynamics`: dynamics in every chart, fitted to the velocities of the snapshots in it."""
        parts, held = _learnable(coordinates.partition.parts(train)), coordinates.partition.parts(validation)
        dynamics = []
        for i, (reducer, part, other) in enumerate(zip(coordinates.reducers, parts, held, strict=True)):
            latents, unseen = reducer.latents(part), reducer.latents(other or part)
            space, chart_runtime, stream = (
                reducer.latent_space,
                _of_chart(runtime or Runtime(), i, len(parts)),
                spawn(rng, "chart", i),
            )
            dynamics.append(self.dynamics.fit(latents, unseen, rng=stream, latent_space=space, runtime=chart_runtime))
        return AtlasModel(coordinates, tuple(dynamics), about or {}).remembering(train)


def _learnable(parts: Sequence[Trajectories | None]) -> list[Trajectories]:
    least = min(0 if part is None else len(part.states) for part in parts)
    if least < LEAST:
        advice = f"One of {len(parts)} has {least}. Simulate more, or take fewer charts."
        raise refuse("charts", f"so few that each holds {LEAST} snapshots", len(parts), advice)
    return [part for part in parts if part is not None]


def _of_chart(runtime: Runtime, i: int, count: int) -> Runtime:
    def progress(stage: str, done: int, total: int, **figures: float) -> None:
        runtime.progress(f"{stage} {i + 1}/{count}", done, total, **figures)

    folder = runtime.checkpoints and runtime.checkpoints / f"chart-{i + 1}"
    return replace(runtime, checkpoints=folder, progress=progress)
