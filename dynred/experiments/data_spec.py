"""Which trajectories an experiment takes: how many, how long, how finely sampled."""

from dataclasses import dataclass

from dynred.checks import at_least, count, positive, refuse
from dynred.ode.system import System
from dynred.spec import Spec

MOST = 1e12  # snapshots of one trajectory; no memory holds so many


@dataclass(frozen=True)
class DataSpec(Spec):
    """Which trajectories are simulated and scored.

    Attributes:
        train, validation, test: number of trajectories in each set; each starts from another initial state. Data
            without an equation are split 8 : 1 : 1 instead.
        duration: length of each, in time units; None takes the system's.
        sampling: time between snapshots; None takes the system's.
        horizon: how far test trajectories are predicted; None takes ten time scales, or all there is.
        transient: time dropped at the start; None takes the system's.
        solver: `auto` or a solver's name.
    """

    train: int = 256
    validation: int = 32
    test: int = 256
    duration: float | None = None
    sampling: float | None = None
    horizon: float | None = None
    transient: float | None = None
    solver: str = "auto"

    def __post_init__(self):
        for name in ("train", "validation", "test"):
            count(name, getattr(self, name), 1, 10**9)
        for name in ("duration", "sampling", "horizon"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        if self.transient is not None:
            at_least("transient", self.transient, 0)
        if not self.solver:
            raise refuse("solver", "`auto` or a solver's name", repr(self.solver))

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
