"""A test that is not taken from the source of a reduction."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from dynred.checks import refuse
from dynred.data.clean import clean
from dynred.data.reading import ReadingSpec
from dynred.data.split import SHORTEST, HeldOut, until
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities
from dynred.ode.subject import subject_of


@dataclass(frozen=True, eq=False)
class OtherTest:
    """Trajectories that a model is tested on.

    Attributes:
        trajectories: the trajectories, with or without velocities.
        held_out: what they are.
    """

    trajectories: Trajectories
    held_out: HeldOut = field(default_factory=lambda: HeldOut("file"))

    @classmethod
    def of(cls, test: object, reading: ReadingSpec | None = None, dt: float | None = None) -> "OtherTest":
        """The test that data, or a file of them, are.

        Args:
            test: the data, as for `subject_of`.
            reading: what cannot be guessed of them.
            dt: time between snapshots, where they hold no times.

        Raises:
            InputError: the file is unreadable, values are not finite, or a trajectory has one snapshot only.
        """
        name = Path(test).name if isinstance(test, str | Path) else ""
        trajectories = subject_of(test, dt=dt, reading=reading)
        if not isinstance(trajectories, Trajectories):
            raise refuse("test", "trajectories or a file of them", f"the system {trajectories.name}")
        if int(trajectories.lengths.min()) < SHORTEST:
            i = int(trajectories.lengths.argmin())
            raise refuse("test", f"trajectories of at least {SHORTEST} snapshots", f"1 in trajectory {i}")
        steps = () if reading is None else reading.cleaning
        trajectories = clean(trajectories, steps) if steps else trajectories.checked_finite("test")
        return cls(trajectories, HeldOut("file", name=name))

    def moving(self) -> Trajectories:
        """The test with velocities, estimated where it has none."""
        test = self.trajectories
        return test if test.velocities is not None else estimate_velocities(test)

    def among(self, train: Trajectories) -> list[int]:
        """The test trajectories of which a training trajectory holds the first two snapshots."""
        known = set(_pairs(train, train.owner[1:] == train.owner[:-1]))
        test = self.trajectories
        first = torch.zeros(len(test.t) - 1, dtype=torch.bool)
        first[test.starts] = True
        return [i for i, pair in enumerate(_pairs(test, first)) if pair in known]

    def beside(self, train: Trajectories, horizon: float | None) -> Trajectories:
        """The test as far as the horizon, with velocities where training has some, held against these trajectories.

        Raises:
            InputError: it has another dimension or other parameters than these.
        """
        test = self.trajectories
        if test.dim != train.dim:
            raise refuse("test", f"of {train.dim} dimensions, like the training trajectories", test.dim)
        if set(test.parameters) != set(train.parameters):
            expected = f"with the parameters of the training trajectories ({', '.join(train.parameters) or 'none'})"
            raise refuse("test", expected, ", ".join(test.parameters) or "none")
        return until(test if train.velocities is None else self.moving(), horizon)


def _pairs(trajectories: Trajectories, chosen: Bool[Tensor, " m"]) -> list[bytes]:
    """The bytes of the chosen snapshots, each with the snapshot after it."""
    states = trajectories.states.double().numpy()
    rows = torch.nonzero(chosen)[:, 0].tolist()
    return [states[row : row + 2].tobytes() for row in rows]
