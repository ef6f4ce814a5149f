"""Which trajectories an experiment takes: how many, how long, how finely sampled; and which of them are its test."""

from dataclasses import dataclass, field

from dynred.checks import at_least, count, integer, one_of, positive, refuse
from dynred.data.split import FRACTION, SPLITS, Split
from dynred.ode.system import System
from dynred.spec import ADDED, Spec

SIMULATED = {"train": 256, "validation": 32, "test": 256}  # trajectories of a system in each set
MOST = 1e12  # snapshots of one trajectory; no memory holds so many


@dataclass(frozen=True)
class DataSpec(Spec):
    """Which trajectories are simulated or taken from data, and which are scored.

    Attributes:
        train, validation, test: number of trajectories in each set. None takes 256, 32 and 256 of a system, each from
            another initial state; of data, what `split` gives.
        duration: length of each simulated trajectory, in time units; None takes the system's.
        sampling: time between simulated snapshots; None takes the system's.
        horizon: how far test trajectories are predicted; None takes ten time scales of a system, or all there is.
        transient: time dropped at the start of simulated trajectories; None takes the system's.
        solver: `auto` or a solver's name.
        split: how data without an equation are divided. `trajectories`: each stays whole. `time`: the test is the last
            part of each trajectory. `auto`: whole where there are at least three. `pieces`: as earlier versions did.
        test_fraction: part of the trajectories of data, or of each of them in time, that is the test, in (0, 1).
        test_trajectories: indices of the trajectories of data that are the test; none leaves the choice to `seed`.
        force: take velocities that are estimated from data however wrong they are.
        seed: decides the simulated trajectories, or the split of data; None takes the seed of the experiment. Where it
            is set, experiments of different seeds learn from the same trajectories, and differ by their training alone.
    """

    train: int | None = None
    validation: int | None = None
    test: int | None = None
    duration: float | None = None
    sampling: float | None = None
    horizon: float | None = None
    transient: float | None = None
    solver: str = "auto"
    split: str = "auto"
    test_fraction: float | None = None
    test_trajectories: tuple[int, ...] = ()
    force: bool = False
    seed: int | None = field(default=None, metadata=ADDED)

    def __post_init__(self):
        for name in SIMULATED:
            if getattr(self, name) is not None:
                count(name, getattr(self, name), 1, 10**9)
        for name in ("duration", "sampling", "horizon"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        if self.transient is not None:
            at_least("transient", self.transient, 0)
        if not self.solver:
            raise refuse("solver", "`auto` or a solver's name", repr(self.solver))
        one_of("split", self.split, SPLITS)
        if self.test_fraction is not None and not 0 < self.test_fraction < 1:
            raise refuse("test_fraction", "between 0 and 1", self.test_fraction)
        if self.test_fraction is not None and (self.test is not None or self.test_trajectories):
            raise refuse("the test", "chosen in one way", "test_fraction beside test or test_trajectories")
        if self.seed is not None:
            integer("data.seed", self.seed, 0)

    def seed_of(self, experiment: int) -> int:
        """The seed of the trajectories, in an experiment of such a seed."""
        return experiment if self.seed is None else self.seed

    @property
    def counts(self) -> dict[str, int]:
        """How many trajectories of a system are simulated for each set, by the name of the set."""
        return {
            part: default if getattr(self, part) is None else getattr(self, part) for part, default in SIMULATED.items()
        }

    def division(self, *, elsewhere: bool, single: bool) -> Split:
        """How data are divided; `elsewhere` and `single` as in `Split`."""
        fraction = FRACTION if self.test_fraction is None else self.test_fraction
        counts = self.train, self.validation, self.test
        return Split(self.split, *counts, fraction, self.test_trajectories, elsewhere, single)

    def steps(self, system: System) -> dict[str, int]:
        """How many sampling intervals a trajectory of each set has, by the name of the set.

        Raises:
            InputError: the time between snapshots is longer than a trajectory, or far too short.
        """
        sampling, duration = self.sampling or system.sampling, self.duration or system.duration
        horizon = self.horizon or min(10 * system.time_scale, duration)
        lengths = {"train": duration, "validation": duration, "test": horizon}
        for length in lengths.values():
            if sampling > length * (1 + 1e-9):
                raise refuse("sampling", f"at most the length of a trajectory, {length:g}", sampling)
            if length / sampling >= MOST:
                raise refuse("sampling", f"at least {length / MOST:g} for a length of {length:g}", sampling)
        return {part: round(length / sampling) for part, length in lengths.items()}
