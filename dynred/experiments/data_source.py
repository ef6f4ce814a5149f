"""Trajectories without an equation as the source of a reduction: they are divided."""

from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.angles import turns
from dynred.data.clean import clean, cleaned, sentences
from dynred.data.cleaning.base import CleaningSpec
from dynred.data.grid import Grid, remembered_grid
from dynred.data.split import PIECES, HeldOut, Masks, Parts, in_pieces, largest, until
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities
from dynred.data.velocity_quality import check_velocities
from dynred.dynamics.base import DynamicsSpec
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.measured_source import MeasuredSource
from dynred.experiments.other_test import OtherTest
from dynred.experiments.requirements import Sizes
from dynred.ode.vector_field import Parameters
from dynred.rng import generator
from dynred.runtime import Runtime


@dataclass(frozen=True, eq=False)
class DataSource(MeasuredSource):
    """Trajectories without an equation, which are split.

    Attributes:
        trajectories: all trajectories of the data.
        tests: a test from elsewhere; None takes it out of the data.
        cleaning: what is mended in the samples, of each part alone, before velocities are estimated.
        moving: whether velocities that the data lack are estimated.
    """

    trajectories: Trajectories
    tests: OtherTest | None = None
    cleaning: tuple[CleaningSpec, ...] = ()
    moving: bool = True

    @property
    def dim(self) -> int:
        """See `Source.dim`."""
        return self.trajectories.dim

    @property
    def grid(self) -> Grid | None:
        """See `Source.grid`: the coordinates of the data, where these had names for the axes of space."""
        return remembered_grid(self.trajectories.attributes, self.dim)

    @property
    def has_angles(self) -> bool:
        """See `Source.has_angles`."""
        return any(turns(self.trajectories.attributes, self.dim))

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
        whole, seed = self.trajectories, data.seed_of(seed)
        if not any(step.takes_gaps for step in self.cleaning):
            whole.checked_finite()
        if data.split == "pieces":
            parts = in_pieces(self._with_velocities(clean(whole, self.cleaning)), generator(seed, "split"))
            return replace(parts, test=until(parts.test, data.horizon))
        masks = self._masks(data, seed)
        if self.cleaning:
            return self._cleaned(masks, data)
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

    def _cleaned(self, masks: Masks, data: DataSpec) -> Parts:
        """As `parts`, with the samples of each part cleaned alone: what is learned from sees nothing of the test.

        Trajectories are counted, and divided, as they are in the data; what cleaning splits stays on one side.
        """
        whole = self.trajectories
        raw = [whole.where(mask) for mask in (masks.train, masks.validation)]
        known, owner = cleaned(Trajectories.concatenate(raw), self.cleaning)
        known, first = self._with_velocities(known), owner < len(raw[0])
        for name, some in (("train", first), ("validation", ~first)):
            if not some.any():
                raise refuse(f"the {name} trajectories", "whole somewhere", "gaps everywhere", "Fill longer gaps.")
        if known.velocities is not None:
            check_velocities(known, force=data.force)
        train, validation = known[first], known[~first]
        if self.tests is not None:
            test = self.tests.beside(train, data.horizon)
            return Parts(train, validation, test, self.tests.held_out, (*masks.notes, *_told(test)))
        left = whole.where(masks.test)
        test, owner = cleaned(left, self.cleaning)
        chosen = torch.unique(whole.owner[masks.test])[owner]
        known_states = replace(whole, states=torch.nan_to_num(whole.states, nan=0.0))
        biggest = largest(known_states, chosen) if masks.how == "time" or data.horizon is not None else ()
        held_out = HeldOut(masks.how, tuple(chosen.tolist()), len(whole), biggest)
        test = until(self._with_velocities(test), data.horizon)
        return Parts(train, validation, test, held_out, (*masks.notes, *_told(test)))

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
        states = self.trajectories.states
        states = states[torch.isfinite(states).all(1)] if self.cleaning else states
        return states[torch.randint(len(states), (n,), generator=rng)]

    def for_dynamics(self, dynamics: DynamicsSpec) -> Self:
        """See `Source.for_dynamics`."""
        return replace(self, moving=dynamics.needs_velocities)

    def tested_on(self, test: OtherTest) -> Self:
        """See `Source.tested_on`."""
        return replace(self, tests=test)

    def fingerprint(self) -> dict[str, Any]:
        """See `Source.fingerprint`: the digest of the content."""
        test = {} if self.tests is None else {"test": self.tests.trajectories.digest()}
        return {"kind": "data", "digest": self.trajectories.digest(), **test}


def _told(test: Trajectories) -> list[str]:
    """What cleaning did to the test, which scores depend on."""
    return [f"The test was cleaned, too: {line}" for line in sentences(test)]
