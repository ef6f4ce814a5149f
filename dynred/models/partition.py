"""Partitions: a set of snapshots divided into overlapping charts, each simple enough for a few coordinates of its own.

Landmarks, spread evenly over the set, are joined to their neighbours. This graph shows the connected components of the
set; k-means with geodesic distances divides each, and the pieces grow by some layers of neighbours so that they overlap
(D. Floryan, M. D. Graham, Nature Machine Intelligence 4, 1113 (2022), there with all snapshots instead of landmarks:
landmarks are even where trajectories linger, so that charts are of equal size and not of equal time).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, shortest_path
from torch import Tensor, nn

from dynred.checks import count, refuse
from dynred.data.trajectories import Trajectories
from dynred.models.landmarks import geodesic_means, nearest, neighbour_graph, spread_out, symmetric
from dynred.numerics.batches import pieces
from dynred.numerics.modes import Modes
from dynred.rng import spawn
from dynred.spec import Spec

TOLERANCE, MODES = 1e-8, 64  # energy that distances may leave out; most modes that they are taken in
SAMPLE = 20_000  # most snapshots among which landmarks are chosen
LANDMARKS, LIMIT = 100, 2400  # most for each chart, and most in all: all pairs of them have a distance
SHARE = 4  # fewest snapshots for each landmark, so that landmarks are spread more evenly than snapshots


@dataclass(frozen=True)
class PartitionSpec(Spec):
    """How snapshots are divided into charts.

    Attributes:
        charts: number of charts, >= 1; at least one for each connected component.
        overlap: layers of neighbours by which a chart is larger than its core, >= 1. A state stays in its chart until
            it is in the outermost layer.
        neighbours: number of others that each landmark is joined to, >= 2.
    """

    charts: int = 1
    overlap: int = 2
    neighbours: int = 10

    def __post_init__(self):
        count("charts", self.charts, 1, 100_000)
        count("overlap", self.overlap, 1, 100_000)
        count("neighbours", self.neighbours, 2, 100_000)

    def divide(self, train: Trajectories, *, rng: torch.Generator) -> "Partition":
        """The charts of the snapshots of `train`, which must have velocities.

        Trajectories never leave a connected component: components that one of them visits are joined.

        Raises:
            InputError: fewer charts than components, or more than the snapshots allow.
        """
        assert train.velocities is not None
        modes = Modes.of(train.states.double(), 1, scaled=True, tolerance=TOLERANCE, limit=MODES)
        points = torch.cat([modes.coefficients(part) for part in pieces(train.states)])
        chosen = torch.randperm(len(points), generator=spawn(rng, "sample"))[:SAMPLE].sort().values
        landmarks = spread_out(points[chosen], min(LANDMARKS * self.charts, LIMIT, len(points) // SHARE))
        if len(landmarks) < self.charts:
            advice = f"There are {len(points)} snapshots, {len(landmarks)} of them different enough to begin one."
            raise refuse("charts", f"at most {len(landmarks)}", self.charts, advice)
        home = nearest(landmarks, points)
        graph = neighbour_graph(landmarks.numpy(), self.neighbours)
        graph = graph + _bridges(graph, landmarks.numpy(), home.numpy(), train)
        component = connected_components(graph, directed=False)[1]
        core = _cores(graph, component, self.charts, spawn(rng, "k-means"))
        layers = _layers(graph, core, self.charts, self.overlap)
        step = _step(graph, landmarks, home, train.velocities, modes)
        own, joined, grown = (torch.from_numpy(a).long() for a in (core, component, layers))
        return Partition(self, modes, landmarks, own, joined, grown, torch.tensor(step, dtype=torch.float64))


class Partition(nn.Module):
    """Overlapping charts, as a rule that names the chart of a state.

    Attributes:
        spec: the settings that it was made with.
        modes: the POD coordinates in which distances are taken.
        landmarks: [L, Q], in these coordinates.
        core: the chart [L] in whose core each landmark lies.
        component: the connected component [L] of each landmark.
        layers: number of steps [charts, L] on the neighbour graph from each chart's core to each landmark: 0 within it,
            at most overlap + 1.
        step: time in which states move by one layer where they are fast, in time units.
    """

    landmarks: Float[Tensor, "L Q"]
    core: Int[Tensor, " L"]
    component: Int[Tensor, " L"]
    layers: Int[Tensor, "charts L"]
    step: Float[Tensor, ""]

    def __init__(
        self,
        spec: PartitionSpec,
        modes: Modes,
        landmarks: Float[Tensor, "L Q"],
        core: Int[Tensor, " L"],
        component: Int[Tensor, " L"],
        layers: Int[Tensor, "charts L"],
        step: Float[Tensor, ""],
    ) -> None:
        super().__init__()
        self.spec, self.modes = spec, modes
        buffers = {"landmarks": landmarks, "core": core, "component": component, "layers": layers, "step": step}
        for name, value in buffers.items():
            self.register_buffer(name, value)

    @classmethod
    def empty(
        cls, overlap: int, charts: int, state_dim: int, modes: int, landmarks: int, neighbours: int = 10
    ) -> "Partition":
        """A partition of these sizes without content, to be filled from a file."""
        spec = PartitionSpec(charts, overlap, neighbours)
        numbers, layers = torch.zeros(landmarks, dtype=torch.long), torch.zeros(charts, landmarks, dtype=torch.long)
        points, step = torch.zeros(landmarks, modes, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        return cls(spec, Modes.empty(state_dim, modes), points, numbers, numbers.clone(), layers, step)

    def sizes(self) -> dict[str, int]:
        """The arguments of `empty`."""
        settings = {"overlap": self.overlap, "charts": self.charts, "neighbours": self.spec.neighbours}
        counts = {"state_dim": len(self.modes.mean), "modes": self.modes.count, "landmarks": len(self.landmarks)}
        return {**settings, **counts}

    def check(self) -> None:
        """Refuses numbers of charts, components and layers that do not exist, and a step that is not positive."""
        if not len(self.landmarks) or not self.charts or not self.step > 0:
            raise refuse("partition", "of landmarks and charts, with a step > 0", f"one of step {self.step:g}")
        ranges = {"core": self.charts - 1, "component": len(self.landmarks) - 1, "layers": self.overlap + 1}
        for name, most in ranges.items():
            low, high = (int(end) for end in getattr(self, name).aminmax())
            if low < 0 or high > most:
                raise refuse(f"{name} of the partition", f"in [0, {most}]", f"numbers in [{low}, {high}]")

    @property
    def overlap(self) -> int:
        """Layers of neighbours around each core."""
        return self.spec.overlap

    @property
    def charts(self) -> int:
        """Number of charts."""
        return len(self.layers)

    @property
    def components(self) -> Int[Tensor, " charts"]:
        """The connected component of every chart."""
        return self.component[(self.layers == 0).int().argmax(1)]

    def chart(self, x: Float[Tensor, "*batch D"]) -> Int[Tensor, "*batch"]:
        """The chart of a state: the one in whose core its nearest landmark lies."""
        return self.core[nearest(self.landmarks, self.modes.coefficients(x))]

    def next_chart(self, x: Float[Tensor, "*batch D"], chart: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """The chart of a state that was in `chart` before: the same, unless the state came to its outermost layer.

        A state stays in its component, because on K everything does.
        """
        apart = self.components[chart][..., None] != self.component
        near = nearest(self.landmarks, self.modes.coefficients(x), apart)
        return torch.where(self.layers[chart, near] < self.overlap, chart, self.core[near])

    def members(self, x: Float[Tensor, "M D"]) -> Bool[Tensor, "charts M"]:
        """Which states lie in which chart, its overlap included."""
        near = torch.cat([nearest(self.landmarks, self.modes.coefficients(part)) for part in pieces(x)])
        return self.layers[:, near] <= self.overlap

    def parts(self, trajectories: Trajectories) -> list[Trajectories | None]:
        """The pieces of trajectories within each chart, its overlap included; None where there are none."""
        members = self.members(trajectories.states)
        return [trajectories.where(inside) if inside.any() else None for inside in members]


def _bridges(graph: csr_array, points: np.ndarray, home: np.ndarray, train: Trajectories) -> csr_array:
    # Edges between landmarks of different components, where a trajectory steps from one to the other.
    component = connected_components(graph, directed=False)[1]
    i, j = home[:-1], home[1:]
    across = (component[i] != component[j]) & (np.diff(train.owner.numpy()) == 0)
    pairs = np.unique(np.sort(np.stack([i[across], j[across]], 1), 1), axis=0).reshape(-1, 2)
    length = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    return symmetric(pairs[:, 0], pairs[:, 1], length, len(points))


def _cores(graph: csr_array, component: np.ndarray, charts: int, rng: torch.Generator) -> Int[np.ndarray, " L"]:
    members = [np.flatnonzero(component == c) for c in range(component.max() + 1)]
    if charts < len(members):
        advice = f"The training snapshots lie on {len(members)} connected components, and no chart can be on two."
        raise refuse("charts", f"at least {len(members)}", charts, advice)
    distances = [shortest_path(graph[rows][:, rows], directed=False) for rows in members]
    streams = [spawn(rng, c) for c in range(len(members))]
    divisions = [geodesic_means(distance, 1, stream) for distance, stream in zip(distances, streams, strict=True)]
    for _ in range(charts - len(members)):  # the component with the widest chart gets one more
        c = max(range(len(members)), key=lambda c: divisions[c].radius)
        divisions[c] = geodesic_means(distances[c], divisions[c].parts + 1, streams[c])
    core = np.zeros(len(component), dtype=np.int64)
    before = 0
    for rows, division in zip(members, divisions, strict=True):
        core[rows] = before + division.owner
        before += division.parts
    return core


def _layers(graph: csr_array, core: np.ndarray, charts: int, overlap: int) -> Int[np.ndarray, "charts L"]:
    joined = (graph > 0).astype(np.int8)
    reached = core == np.arange(charts)[:, None]
    layers = np.where(reached, 0, overlap + 1)
    for layer in range(1, overlap + 1):
        grown = reached | ((joined @ reached.T.astype(np.int8)).T > 0)
        layers[grown & ~reached] = layer
        reached = grown
    return layers


def _step(graph: csr_array, landmarks: Tensor, home: Tensor, velocities: Tensor, modes: Modes) -> float:
    # Time to cross the longest edge of a landmark at the mean speed near it: a tenth of the landmarks take less.
    speed = torch.cat([(part.double() @ modes.basis / modes.scale).norm(dim=1) for part in pieces(velocities)])
    zeros = torch.zeros(len(landmarks), dtype=torch.float64)
    mean = zeros.index_add(0, home, speed) / torch.bincount(home, minlength=len(landmarks)).clamp_min(1)
    edge = torch.from_numpy(graph.max(axis=1).toarray().ravel())
    moving = (mean > 0) & (edge > 0)
    return float((edge / mean)[moving].quantile(0.1)) if moving.any() else float("inf")
