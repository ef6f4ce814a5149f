"""Charts side by side: the coordinates of an atlas."""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dynred.checks import refuse
from dynred.data.parameters import cut, per_row
from dynred.data.trajectories import Trajectories
from dynred.models.partition import Partition
from dynred.numerics.latent_space import LatentSpace
from dynred.reducers.base import Coder, Reducer


class Atlas(nn.Module):
    """Charts that together give every state of a set R coordinates.

    The charts are put side by side in R^R, as in the proof that R coordinates work except on a small set (M. Kvalheim,
    E. D. Sontag, Transactions on Machine Learning Research (2024)): chart i takes the slab of z_1 from edges[i] to
    edges[i + 1], so a latent state tells its chart, and the latents of different charts are different.

    Attributes:
        partition: which chart a state is in.
        reducers: one for each chart; their own coordinates are called local.
        edges: edges of the slabs [charts + 1].
        shift: what is added to the first local coordinate [charts].
    """

    reducers: Sequence[Reducer]
    edges: Float[Tensor, " charts+1"]
    shift: Float[Tensor, " charts"]

    def __init__(
        self,
        partition: Partition,
        reducers: Sequence[Reducer],
        edges: Float[Tensor, " edges"],
        shift: Float[Tensor, " charts"],
    ) -> None:
        super().__init__()
        self.partition, self.reducers = partition, nn.ModuleList(reducers)  # type: ignore[assignment]
        self.latent_space = LatentSpace(lines=reducers[0].latent_space.dim)
        for name, value in (("edges", edges), ("shift", shift)):
            self.register_buffer(name, value)

    def checked(self) -> "Atlas":
        """This atlas, where its charts fit together.

        Raises:
            InputError: the partition is not in order, or the reducers are between different spaces.
        """
        self.partition.check()
        dim, state_dim = self.latent_space.dim, len(self.partition.modes.mean)
        for reducer in self.reducers:
            if reducer.state_dim != state_dim or reducer.latent_space != LatentSpace(lines=dim):
                spaces = f"one from {reducer.state_dim} to {reducer.latent_space}"
                raise refuse("reducers", f"each from {state_dim} dimensions to {dim} lines", spaces)
        return self

    @classmethod
    def of(cls, partition: Partition, reducers: Sequence[Reducer], parts: Sequence[Trajectories]) -> "Atlas":
        """The atlas of these charts; `parts` are the snapshots of each, from which the widths of the slabs follow.

        A slab is twice as wide as its snapshots: a state that leaves it is farther out than anything that was learnt.
        """
        first = [r.latents(part).states[:, 0].double() for r, part in zip(reducers, parts, strict=True)]
        low, high = (torch.stack([getattr(z, side)() for z in first]) for side in ("min", "max"))
        edges = torch.cat([torch.zeros(1, dtype=torch.float64), torch.cumsum(2 * (high - low), 0)])
        return cls(partition, reducers, edges, edges[:-1] + (high - low) / 2 - low)

    def encode(
        self, x: Float[Tensor, "*batch D"], parameters: Mapping[str, Float[Tensor, "*#batch"]] | None = None
    ) -> Float[Tensor, "*batch R"]:
        """Latents of states, float64."""
        chart = self.partition.chart(x)
        return self.latent(self.local(x, chart, parameters), chart)

    def decode(
        self, z: Float[Tensor, "*batch R"], parameters: Mapping[str, Float[Tensor, "*#batch"]] | None = None
    ) -> Float[Tensor, "*batch D"]:
        """States of latents, float64."""
        chart, local = self.placed(z)
        return by_chart([coder.decode for coder in self._coders(chart, parameters)], chart, local)

    def local(
        self,
        x: Float[Tensor, "*batch D"],
        chart: Int[Tensor, "*batch"],
        parameters: Mapping[str, Float[Tensor, "*#batch"]] | None = None,
    ) -> Float[Tensor, "*batch R"]:
        """Local coordinates of states in given charts, float64."""
        return by_chart([coder.encode for coder in self._coders(chart, parameters)], chart, x).double()

    def _coders(self, chart: Int[Tensor, "*batch"], parameters: Mapping[str, Tensor] | None) -> list[Coder]:
        given = of_charts(parameters, chart, len(self.reducers))
        return [reducer.at(values) for reducer, values in zip(self.reducers, given, strict=True)]

    def latent(self, local: Float[Tensor, "*batch R"], chart: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch R"]:
        """Latents of local coordinates; NaN beyond the slab of their chart."""
        first = local[..., :1] + self.shift[chart, None]
        inside = (self.edges[chart, None] <= first) & (first < self.edges[chart + 1, None])
        return torch.where(inside, torch.cat([first, local[..., 1:]], -1), torch.nan)

    def placed(self, z: Float[Tensor, "*batch R"]) -> tuple[Int[Tensor, "*batch"], Float[Tensor, "*batch R"]]:
        """Charts and local coordinates of latents."""
        z = z.double()
        chart = torch.searchsorted(self.edges, z[..., 0].detach().contiguous(), right=True) - 1
        chart = chart.clamp(0, len(self.shift) - 1)
        return chart, torch.cat([z[..., :1] - self.shift[chart, None], z[..., 1:]], -1)


def of_charts(
    parameters: Mapping[str, Float[Tensor, "*#batch"]] | None, chart: Int[Tensor, "*batch"], count: int
) -> list[dict[str, Float[Tensor, " _rows"]]]:
    """The parameters of the rows in each chart, in the order in which `by_chart` gives the rows to its functions."""
    given, flat = per_row(parameters, chart.shape), chart.reshape(-1)
    return [cut(given, flat == c) for c in range(count)]


def by_chart(
    functions: Sequence[Callable[[Float[Tensor, "rows A"]], Float[Tensor, "rows B"]]],
    chart: Int[Tensor, "*batch"],
    rows: Float[Tensor, "*batch A"],
) -> Float[Tensor, "*batch B"]:
    """functions[chart] of every row. It writes into no tensor, so that torch can differentiate it."""
    flat = chart.reshape(-1)
    order = torch.argsort(flat, stable=True)
    counts = torch.bincount(flat, minlength=len(functions)).tolist()
    parts = rows.reshape(-1, rows.shape[-1])[order].split(counts)
    values = torch.cat([fn(part) for fn, part in zip(functions, parts, strict=True)])
    return values[torch.argsort(order)].reshape(*chart.shape, values.shape[-1])
