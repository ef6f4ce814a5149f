"""Trajectories without an equation as the source of a reduction: they are divided."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.grid import Grid, remembered_grid
from dynred.data.split import PIECES, HeldOut, Masks, Parts, in_pieces, largest, until
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities
from dynred.data.velocity_quality import check_velocities
from dynred.dynamics.base import DynamicsSpec
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.other_test import OtherTest
from dynred.experiments.requirements import Sizes
from dynred.experiments.source import Source
from dynred.ode.known_set import KnownSet
from dynred.ode.vector_field import Parameters
from dynred.rng import generator
from dynred.runtime import Runtime


@dataclass(frozen=True, eq=False)
class DataSource(Source):
    """Trajectories without an equation, which are split.

    Attributes:
        trajectories: all trajectories of the data.
        tests: a test from elsewhere; None takes it out of the data.
        moving: whether velocities that the data lack are estimated.
    """

    trajectories: Trajectories
    tests: OtherTest | None = None
    moving: bool = True

    @property
    def dim(self) -> int:
        """See `Source.dim`."""
        return self.trajectories.dim

    @property
    def system(self) -> None:
        """See `Source.system`."""
        return None

    @property
    def known(self) -> KnownSet:
        """See `Source.known`: there are no known facts."""
        return KnownSet()

    @property
    def grid(self) -> Grid | None:
        """See `Source.grid`: the coordinates of the data, where these had names for the axes of space."""
        return remembered_grid(self.trajectories.attributes, self.dim)

    @property
    def simulated(self) -> bool:
        """See `Source.simulated`."""
        return False

    def sizes(self, data: DataSpec) -> Sizes:
        """See `Source.sizes`."""
        lengths = self.trajectories.lengths
        if data.split == "pieces":
            tenth = int(lengths.sum()) // 10 + 1
            return Sizes(self.dim, 8 * tenth, tenth, tenth, max(PIECES, len(lengths)))
        masks = self._masks(data, 0)
        train, validation, test = (int(mask.sum()) for mask in masks[:3])
        if self.tests is not None:
            test = len(self.tests.trajectories.states)
        return Sizes(self.dim, train, validation, test, len(lengths))

    def parts(self, data: DataSpec, seed: int, runtime: Runtime) -> Parts:
        """See `Source.parts`: `DataSpec.split` says how; test trajectories end at `data.horizon`.

        Velocities that the data lack are estimated where dynamics need some, those of the test from the test alone.

        Raises:
            InputError: trajectories are too few or too short to be divided or to give velocities.
        """
        whole, seed = self.trajectories.checked_finite(), data.seed_of(seed)
        if data.split == "pieces":
            parts = in_pieces(self._with_velocities(whole), generator(seed, "split"))
            return replace(parts, test=until(parts.test, data.horizon))
        masks = self._masks(data, seed)
        learned = masks.train | masks.validation
        known = self._with_velocities(whole.where(learned))
        if known.velocities is not None:
            check_velocities(known, force=data.force)
        train, validation = (known.where(mask[learned]) for mask in (masks.train, masks.validation))
        if self.tests is not None:
            return Parts(train, validation, self.tests.beside(train, data.horizon), self.tests.held_out, masks.notes)
        chosen = torch.unique(whole.owner[masks.test])
        biggest = largest(whole, chosen) if masks.how == "time" or data.horizon is not None else ()
        held_out = HeldOut(masks.how, tuple(chosen.tolist()), len(whole), biggest)
        test = until(self._with_velocities(whole.where(masks.test)), data.horizon)
        return Parts(train, validation, test, held_out, masks.notes)

    def _with_velocities(self, trajectories: Trajectories) -> Trajectories:
        known = trajectories.velocities is not None or not self.moving
        return trajectories if known else estimate_velocities(trajectories)

    def _masks(self, data: DataSpec, seed: int) -> Masks:
        split = data.division(elsewhere=self.tests is not None, single=self.trajectories.velocities is not None)
        return split.masks(self.trajectories.lengths, generator(seed, "split"))

    def unseen(self, data: DataSpec, seed: int, samples: int, *, sample_seed: int, runtime: Runtime) -> Trajectories:
        """See `Source.unseen`: the test trajectories of the run; the data have no other."""
        return self.parts(data, seed, runtime).test

    def states(self, n: int, *, rng: torch.Generator, parameters: Parameters | None = None) -> Float[Tensor, "n D"]:
        """See `Source.states`: snapshots, drawn with replacement."""
        return self.trajectories.states[torch.randint(len(self.trajectories.states), (n,), generator=rng)]

    def for_dynamics(self, dynamics: DynamicsSpec) -> Self:
        """See `Source.for_dynamics`."""
        return replace(self, moving=dynamics.needs_velocities)

    def tested_on(self, test: OtherTest) -> Self:
        """See `Source.tested_on`."""
        return replace(self, tests=test)

    def with_parameters(self, parameters: Mapping[str, float]) -> Self:
        """See `Source.with_parameters`: there is no equation."""
        if parameters:
            raise refuse("parameters", "left out for data", ", ".join(parameters), "They belong to an equation.")
        return self

    def fingerprint(self) -> dict[str, Any]:
        """See `Source.fingerprint`: the digest of the content."""
        test = {} if self.tests is None else {"test": self.tests.trajectories.digest()}
        return {"kind": "data", "digest": self.trajectories.digest(), **test}

    def _named(self, train: Trajectories) -> dict[str, Any]:
        name = str(train.attributes.get("system", "data"))
        return {"system": name, "time_unit": str(train.attributes.get("time_unit", "time units"))}
