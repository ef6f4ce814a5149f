"""What estimated velocities are good for: a warning where they are wrong by much, a refusal where by too much."""

import math
from dataclasses import dataclass

from dynred.data.jumps import Jumps, find_jumps
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError

DOUBTFUL = 0.05  # error, as a fraction of the root mean square velocity, from which there is a warning
USELESS = 0.3  # the same, from which velocities are refused
NAMED = 3  # most jumps that a sentence lists
ORDER = 4  # the error of a spline falls by the fourth power of the interval at least, once motion is resolved
RESOLVED = 24  # samples in a period of the typical motion, from which it is resolved


@dataclass(frozen=True)
class VelocityQuality:
    """How good estimated velocities are.

    Attributes:
        error: estimated error as a fraction of the root mean square velocity; None where velocities are not estimated,
            or where no error could be.
        noise: the part of the error that noise makes.
        sampling: the median interval between snapshots, in time units.
        enough: the interval that would do, in time units; None where no finer sampling is needed or none would help.
        jumps: what jumps, looked for where the error is above 5 %: no estimator follows a jump.
    """

    error: float | None
    noise: float | None
    sampling: float
    enough: float | None
    jumps: tuple[Jumps, ...] = ()

    @property
    def doubtful(self) -> bool:
        """Whether the error is above 5 %."""
        return self.error is not None and self.error > DOUBTFUL

    @property
    def useless(self) -> bool:
        """Whether the error is above 30 %."""
        return self.error is not None and self.error > USELESS

    def warning(self) -> str | None:
        """What to know and to do, in a sentence or two; None where the error is at most 5 %."""
        if self.error is None or not self.doubtful:
            return None
        size = f"Velocities estimated from these snapshots are wrong by about {self.error:.0%}"
        if self.jumps:
            named = "; ".join(f"{jump}" for jump in self.jumps[:NAMED])
            return f"{size}, as {named}{' ...' if len(self.jumps) > NAMED else ''}."
        if self.enough is not None:
            return f"{size}; a sampling interval of {self.enough:.2g} instead of {self.sampling:.2g} would do."
        return (
            f"{size}, most of it by noise in the states, so that finer sampling gains little: measure more precisely, "
            f"or average several measurements at each interval of {self.sampling:.2g}."
        )


def velocity_quality(trajectories: Trajectories) -> VelocityQuality:
    """The quality of velocities by `estimate_velocities`.

    The interval that would do follows from the fourth order of splines and, where the error is so large that the motion
    is not resolved, from its typical period, 2 pi times the root mean square deviation over that velocity.

    Args:
        trajectories: with velocities; their attributes `velocity_error` and `velocity_noise` are read.
    """
    error, noise = (trajectories.attributes.get(name) for name in ("velocity_error", "velocity_noise"))
    steps = trajectories.t.diff()[(trajectories.owner.diff() == 0).to(trajectories.t.device)]
    sampling = float(steps.median()) if len(steps) else 0.0
    enough = None
    if error is not None and error > DOUBTFUL:
        resolved = sampling * RESOLVED < _period(trajectories)  # motion that is not looks like noise
        if resolved and noise is not None and noise > error / 2:
            return VelocityQuality(error, noise, sampling, None)
        enough = sampling * min(0.5, (DOUBTFUL / error) ** (1 / ORDER))
        if error > USELESS:
            enough = min(enough, _period(trajectories) / RESOLVED)
    jumps = find_jumps(trajectories) if error is not None and error > DOUBTFUL else []
    return VelocityQuality(error, noise, sampling, enough, tuple(jumps))


def check_velocities(trajectories: Trajectories, *, force: bool = False) -> str | None:
    """The warning about estimated velocities, None where there is none.

    Args:
        trajectories: with velocities, as `estimate_velocities` returns them.
        force: whether velocities of any error are taken.

    Raises:
        InputError: the estimated error is above 30 %, and `force` is false.
    """
    quality = velocity_quality(trajectories)
    warning = quality.warning()
    if quality.useless and not force:
        raise InputError(
            f"{warning} Above {USELESS:.0%} no dynamics are fitted to them, unless that is forced (`--force`, or "
            "`DataSpec.force`). A map from each snapshot to the next needs none: `--dynamics map` (`MapSpec()`)."
        )
    return warning


def _period(trajectories: Trajectories) -> float:
    assert trajectories.velocities is not None
    states, velocities = trajectories.states.double(), trajectories.velocities.double()
    deviation = float((states - states.mean(0)).pow(2).sum(1).mean())
    speed = float(velocities.pow(2).sum(1).mean())
    return 2 * math.pi * math.sqrt(deviation / speed) if speed > 0 else math.inf
