"""A store of trajectories that does not fit into memory as the source of a reduction: it is compressed to POD modes,
and what is left is divided like other data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.grid import Grid, remembered_grid
from dynred.data.split import Masks, Parts
from dynred.data.store import StoredTrajectories
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform, TransformSpec
from dynred.data.transforms.compression import Compression, CompressionSpec
from dynred.dynamics.base import DynamicsSpec
from dynred.experiments.data_source import DataSource
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.measured_source import MeasuredSource
from dynred.experiments.other_test import OtherTest
from dynred.experiments.requirements import Sizes
from dynred.ode.vector_field import Parameters
from dynred.rng import generator
from dynred.runtime import Runtime


@dataclass(frozen=True, eq=False)
class StoreSource(MeasuredSource):
    """Trajectories on disk, of which memory holds the coefficients of POD modes alone.

    Attributes:
        store: the trajectories.
        spec: how they are compressed.
        tests: a test from elsewhere, in memory; None takes it out of the store.
        before: the modes of a model that was made from the store; None finds them.
        moving: whether velocities that the store lacks are estimated.
    """

    store: StoredTrajectories
    spec: CompressionSpec = field(default_factory=CompressionSpec)
    tests: OtherTest | None = None
    before: Compression | None = None
    moving: bool = True

    @property
    def dim(self) -> int:
        """See `Source.dim`."""
        return self.store.dim

    @property
    def grid(self) -> Grid | None:
        """See `Source.grid`: the one that the store remembers."""
        return remembered_grid(self.store.attributes, self.dim)

    def compressing(self, transforms: Sequence[TransformSpec]) -> tuple[Self, Sequence[TransformSpec]]:
        """See `Source.compressing`.

        Raises:
            InputError: another transform comes before the compression.
        """
        places = [i for i, spec in enumerate(transforms) if isinstance(spec, CompressionSpec)]
        if not places:
            return self, transforms
        if places[0] > 0:
            raise refuse("transforms", "compression first, for data that do not fit into memory", repr(transforms[0]))
        first = transforms[0]
        assert isinstance(first, CompressionSpec)
        return replace(self, spec=first), transforms[1:]

    def sizes(self, data: DataSpec) -> Sizes:
        """See `Source.sizes`: of the coefficients."""
        masks, count = self._masks(data, 0), min(self.spec.limit, self.dim)
        train, validation, test = (int(mask.sum()) for mask in masks[:3])
        return Sizes(count, train, validation, test, len(self.store))

    def parts(self, data: DataSpec, seed: int, runtime: Runtime) -> Parts:
        """See `Source.parts`: the coefficients of modes of the training snapshots, divided as `DataSource.parts` does.

        Raises:
            InputError: memory does not hold the modes, or as for `DataSource.parts`.
            FileFormatError: a part of the store cannot be read.
        """
        runtime.progress("compress", 0, 1)
        masks = self._masks(data, data.seed_of(seed))
        compression = self.before or self.spec.fit_store(self.store, masks.train)
        tests = None
        if self.tests is not None:
            tests = replace(self.tests, trajectories=compression.marked(compression.transformed(self.tests.moving())))
        source = DataSource(compression.of_store(self.store), tests, moving=self.moving)
        runtime.progress("compress", 1, 1)
        return replace(source.parts(data, seed, runtime), compression=compression)

    def _masks(self, data: DataSpec, seed: int) -> Masks:
        split = data.division(elsewhere=self.tests is not None, single=self.store.has_velocities)
        return split.masks(self.store.lengths, generator(seed, "split"))

    def unseen(self, data: DataSpec, seed: int, samples: int, *, sample_seed: int, runtime: Runtime) -> Trajectories:
        """See `Source.unseen`: the test trajectories of the run, compressed; the store has no other."""
        return self.parts(data, seed, runtime).test

    def states(self, n: int, *, rng: torch.Generator, parameters: Parameters | None = None) -> Float[Tensor, "n D"]:
        """See `Source.states`: snapshots, drawn with replacement."""
        rows = torch.randint(int(self.store.lengths.sum()), (n,), generator=rng)
        return self.store.snapshots(rows)

    def for_dynamics(self, dynamics: DynamicsSpec) -> Self:
        """See `Source.for_dynamics`."""
        return replace(self, moving=dynamics.needs_velocities)

    def tested_on(self, test: OtherTest) -> Self:
        """See `Source.tested_on`."""
        return replace(self, tests=test)

    def as_before(self, about: Mapping[str, Any], transforms: Sequence[Transform] = ()) -> "StoreSource":
        """See `Source.as_before`: compressed to the modes of the model."""
        first = transforms[0] if transforms else None
        return replace(self, before=first) if isinstance(first, Compression) else self

    def fingerprint(self) -> dict[str, Any]:
        """See `Source.fingerprint`: a digest of the store."""
        test = {} if self.tests is None else {"test": self.tests.trajectories.digest()}
        return {"kind": "store", "digest": self.store.digest(), **test}

    @property
    def named(self) -> str:  # type: ignore[override] # found out
        """See `MeasuredSource.named`: the name of the store."""
        return self.store.path.stem
