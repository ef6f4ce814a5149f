"""Compression: wide states as the coefficients of their POD modes, in which everything after it is computed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.read_ahead import read_ahead
from dynred.data.store import StoredTrajectories
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import OF_THE_STATE, Transform, TransformSpec
from dynred.memory import check_memory
from dynred.numerics.digest import content_digest
from dynred.numerics.modes import Modes
from dynred.numerics.streamed_modes import streamed_modes, streaming_memory
from dynred.rng import generator

MADE = "compressed_by"  # attribute of trajectories of coefficients: the modes that gave them
BLOCK_BYTES = 2**28  # of a store that are read at once: each block is multiplied with all modes, which are larger
SEED = 0  # of the random vectors: they decide nothing but round-off and what is left out anyway


class Compression(Transform):
    """y = U^T (x - mean), with orthonormal modes U: distances between states are those between coefficients, but for
    what the modes leave out.

    Attributes:
        modes: mean, modes and their energies.
    """

    modes: Modes

    def __init__(self, spec: "CompressionSpec", modes: Modes) -> None:
        super().__init__()
        self.spec: CompressionSpec = spec
        self.modes = modes
        self.state_dim, self.dim = modes.basis.shape

    def forward(self, x: Float[Tensor, "*batch T D"]) -> Float[Tensor, "*batch T Q"]:
        """See `Transform.forward`."""
        return self.modes.coefficients(x)

    def undo(self, y: Float[Tensor, "*batch Q"]) -> Float[Tensor, "*batch D"]:
        """See `Transform.undo`."""
        return self.modes.state(y)

    def sizes(self) -> Mapping[str, Any]:
        """See `Transform.sizes`."""
        return {"state_dim": self.state_dim, "count": self.dim}

    def made(self, trajectories: Trajectories) -> bool:
        """See `Transform.made`."""
        return trajectories.dim == self.dim and trajectories.attributes.get(MADE) == self.name

    @property
    def name(self) -> str:
        """What tells these modes from others: a digest of the mean state and of the energies."""
        return content_digest({"mean": self.modes.mean, "energy": self.modes.energy})

    @property
    def left_out(self) -> float:
        """Fraction of the energy of the training states, their mean squared deviation, that the modes leave out."""
        return max(0.0, 1.0 - float(self.modes.energy.sum()))

    def notes(self) -> list[str]:
        """See `Transform.notes`: what is lost."""
        lost = f"{self.left_out:.1e} of the energy of the training states" if self.left_out > 1e-14 else "nothing"
        return [f"States are compressed to {self.dim} POD modes. These leave out {lost}, which errors do not count."]

    def of_store(self, store: StoredTrajectories) -> Trajectories:
        """The transformed trajectories of a store, in memory; they remember that they are.

        Raises:
            FileFormatError: a part of the store cannot be read.
        """
        basis, blocks = self.modes.basis, read_ahead(store.blocks("states", BLOCK_BYTES))
        states = torch.cat([block.double() @ basis for block in blocks]) - self.modes.mean @ basis  # without a copy
        velocities = None
        if store.has_velocities:  # the modes are linear: the mean does not move
            moving = read_ahead(store.blocks("velocities", BLOCK_BYTES))
            velocities = torch.cat([block.double() @ basis for block in moving])
        attributes = {k: v for k, v in store.attributes.items() if k not in OF_THE_STATE}
        known = (velocities, store.parameters(), attributes, *store.inputs())
        made = Trajectories(states, store.times(), store.lengths, *known)
        return self.marked(made)

    def marked(self, made: Trajectories) -> Trajectories:
        """Transformed trajectories that remember what made them."""
        return replace(made, attributes={**made.attributes, MADE: self.name})


@dataclass(frozen=True)
class CompressionSpec(TransformSpec):
    """Settings of compression.

    Attributes:
        tolerance: fraction of the energy of the training states that may be left out, in (0, 1).
        limit: largest number of modes, >= 1; more energy is left out where they do not suffice.
    """

    tolerance: float = 1e-8
    limit: int = 100

    def __post_init__(self):
        if not 0 < self.tolerance < 1:
            raise refuse("tolerance", "between 0 and 1", f"{self.tolerance:g}")
        if self.limit < 1:
            raise refuse("limit", "at least 1", self.limit)

    def _fit(self, train: Trajectories) -> Compression:
        """The modes of the training snapshots; see `TransformSpec._fit`."""
        modes = Modes.of(train.states.double(), 1, scaled=False, tolerance=self.tolerance, limit=self.limit)
        return Compression(self, modes)

    def fit_store(self, store: StoredTrajectories, train: Bool[Tensor, " M"]) -> Compression:
        """The modes of the training snapshots of a store, which is read twice, in bounded memory.

        Args:
            store: the trajectories.
            train: which snapshots are for training.

        Raises:
            InputError: memory does not hold the modes.
            FileFormatError: a part of the store cannot be read.
        """
        advice = "Take fewer modes (`--set transforms.compression.limit=50`)."
        needed = streaming_memory(store.dim, self.limit, BLOCK_BYTES)
        check_memory(f"the {self.limit} POD modes of {store.path}", needed, advice)

        def blocks() -> Iterator[Tensor]:
            return read_ahead(store.blocks("states", BLOCK_BYTES, train))

        count, rng = int(train.sum()), generator(SEED, "compression")
        return Compression(self, streamed_modes(blocks, count, store.dim, self.limit, self.tolerance, rng))

    def build(self, state_dim: int, count: int) -> Compression:  # type: ignore[override] # its sizes by name
        """See `TransformSpec.build`."""
        return Compression(self, Modes.empty(state_dim, count))
