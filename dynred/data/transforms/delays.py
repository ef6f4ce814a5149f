"""Delays: a state made of the present and of snapshots before it, where what is measured does not determine what comes
next.

Blocks of enough samples of one signal determine the state of an m-dimensional system, 2 m + 1 of them for almost every
signal (F. Takens, Lecture Notes in Mathematics 898, 366 (1981)).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import integer, refuse
from dynred.data.sample_noise import noise_variance
from dynred.data.trajectories import Trajectories
from dynred.data.transforms._embedding import (
    FALSE,
    MOST_LAGS,
    choose_lag,
    enough,
    mutual_information,
)
from dynred.data.transforms.base import Transform, TransformSpec

UNEVEN = 0.01  # of the interval between snapshots: times that differ by less count as even
LONGEST = 4  # the lags that are tried reach over a part of the shortest trajectory: one in so many


class Delays(Transform):
    """y = (x(t - (count - 1) lag), ..., x(t - lag), x(t)): the oldest block first, the present last.

    Attributes:
        count: number of blocks.
        lag: snapshots between blocks.
        step: time between snapshots in training.
        information: mutual information of a sample and the one 1, 2, ... snapshots later, where it was computed.
        false: part of false nearest neighbours with 1, 2, ... blocks, where it was computed.
        noise: standard deviation of the noise in a signal, as a part of that of the signal; 0 where not computed.
        apart: lag of these delays, which mutual information chose; 1 where it was not computed.
    """

    step: Float[Tensor, ""]
    information: Float[Tensor, " L"]
    false: Float[Tensor, " K"]
    noise: Float[Tensor, ""]

    def __init__(self, spec: "DelaysSpec", state_dim: int, count: int, lag: int, choice: "Choice") -> None:
        super().__init__()
        self.spec: DelaysSpec = spec
        self.state_dim, self.count, self.lag, self.apart = state_dim, count, lag, choice.apart
        self.dim, self.past = count * state_dim, (count - 1) * lag + 1
        self.register_buffer("step", torch.tensor(choice.step, dtype=torch.float64))
        self.register_buffer("noise", torch.tensor(choice.noise, dtype=torch.float64))
        self.register_buffer("information", torch.tensor(choice.information.tolist(), dtype=torch.float64))
        self.register_buffer("false", torch.tensor(choice.false.tolist(), dtype=torch.float64))

    @property
    def changes(self) -> bool:  # type: ignore[override] # found out
        """See `Transform.changes`."""
        return self.count > 1

    def forward(self, x: Float[Tensor, "*batch T D"]) -> Float[Tensor, "*batch S E"]:
        """See `Transform.forward`."""
        count = x.shape[-2] - self.past + 1
        blocks = [x[..., j * self.lag : j * self.lag + count, :] for j in range(self.count)]
        return torch.cat(blocks, -1).double()

    def undo(self, y: Float[Tensor, "*batch E"]) -> Float[Tensor, "*batch D"]:
        """See `Transform.undo`: the last block."""
        return y[..., -self.state_dim :].double()

    def check(self, trajectories: Trajectories) -> None:
        """See `Transform.check`: snapshots must follow each other as evenly, and as fast, as in training."""
        step = even_step(trajectories)
        own = float(self.step)
        if step is not None and abs(step - own) > UNEVEN * own:
            advice = "Delays count snapshots: resample the trajectories."
            raise refuse(
                "trajectories", f"sampled every {own:.6g}, like the training trajectories", f"{step:.6g}", advice
            )

    def sizes(self) -> Mapping[str, Any]:
        """See `Transform.sizes`."""
        lags, tried = len(self.information), len(self.false)
        sizes = {"state_dim": self.state_dim, "count": self.count, "lag": self.lag, "apart": self.apart}
        return {**sizes, "lags": lags, "tried": tried}

    @property
    def allowed(self) -> float:
        """The part of the neighbours that may be false by chance."""
        return FALSE + float(self.noise)

    def notes(self) -> list[str]:
        """See `Transform.notes`: how many delays, and why."""
        step = float(self.step)
        words = f"{self.count} delays, {self.lag} snapshot{'s' if self.lag > 1 else ''} ({self.lag * step:.3g}) apart"
        if not len(self.false):
            return [f"A state is {words}."]
        m = enough(self.false.numpy(), float(self.noise))
        return [
            f"A state is {words}: mutual information chooses a lag of {self.apart}, and {m} such "
            f"delays leave {100 * float(self.false[m - 1]):.2g} % false neighbours, so {m} coordinates may do."
        ]


@dataclass(frozen=True, eq=False)
class Choice:
    """What delays were chosen from.

    Attributes:
        step: time between snapshots.
        information: see `Delays`.
        false: see `Delays`.
        noise: see `Delays`.
        apart: see `Delays`.
    """

    step: float
    information: Float[np.ndarray, " L"]
    false: Float[np.ndarray, " K"]
    noise: float = 0.0
    apart: int = 1


@dataclass(frozen=True)
class DelaysSpec(TransformSpec):
    """Settings of delays.

    `auto` looks at the training trajectories: the lag is that of the first minimum of mutual information, or an earlier
    one that takes far fewer delays; the number m of such lags is the first with few false nearest neighbours (M. B.
    Kennel, R. Brown, H. D. I. Abarbanel, Phys. Rev. A 45, 3403 (1992)). The blocks then fill the window of these m
    delays, 2 m + 1 of them or more.

    Attributes:
        count: number of blocks in a state, the present one included.
        lag: snapshots between blocks.
    """

    count: int | Literal["auto"] = "auto"
    lag: int | Literal["auto"] = "auto"

    def __post_init__(self):
        if self.count != "auto":
            integer("count", self.count, 1)
        if self.lag != "auto":
            integer("lag", self.lag, 1)

    def _fit(self, train: Trajectories) -> Delays:
        """The delays of the training trajectories; see `TransformSpec._fit`."""
        step = even_step(train)
        if step is None:
            raise refuse("trajectories", "of two snapshots or more, for delays", "of one")
        if self.count != "auto" and self.lag != "auto":
            return Delays(self, train.dim, self.count, self.lag, Choice(step, np.zeros(0), np.zeros(0)))
        signals, noise = _signals(train)
        longest = max(1, min(MOST_LAGS, int(train.lengths.min()) // LONGEST))
        information = mutual_information(signals, longest)
        apart, false = choose_lag(signals, information, noise)
        m = enough(false, noise) if len(false) else 2
        count, lag = self._filling(max(1, m - 1) * apart, m)
        return Delays(self, train.dim, count, lag, Choice(step, information, false, noise, apart))

    def _filling(self, window: int, m: int) -> tuple[int, int]:
        """Number and lag of the blocks that fill a window of so many snapshots."""
        if self.count != "auto":
            return self.count, max(1, window // max(1, self.count - 1))
        lag = max(1, window // (2 * m)) if self.lag == "auto" else self.lag
        return max(2, window // lag + 1), lag

    def build(self, state_dim: int, count: int, lag: int, apart: int, lags: int, tried: int) -> Delays:  # type: ignore[override] # by name
        """See `TransformSpec.build`."""
        return Delays(self, state_dim, count, lag, Choice(1.0, np.zeros(lags), np.zeros(tried), 0.0, apart))


def even_step(trajectories: Trajectories) -> float | None:
    """The time between snapshots; None where every trajectory has one alone.

    Raises:
        InputError: it is not the same everywhere.
    """
    steps = torch.diff(trajectories.t.double())[trajectories.owner[1:] == trajectories.owner[:-1]]
    if not len(steps):
        return None
    step = float(steps.median())
    uneven = (steps - step).abs() > UNEVEN * step
    if uneven.any():
        advice = "Delays count snapshots: resample the trajectories."
        raise refuse("times", f"even for delays, {step:.6g} apart", f"{float(steps[uneven][0]):.6g}", advice)
    return step


def _signals(train: Trajectories) -> tuple[list[np.ndarray], float]:
    """The trajectories with every component in units of its spread, and the standard deviation of their noise."""
    x = train.states.double()
    x = (x - x.mean(0)) / x.std(0).clamp_min(1e-300)
    signals = [part.numpy() for part in x.split(train.lengths.tolist())]
    times = [grid.double().numpy() for grid in train.grids]
    return signals, float(np.sqrt(noise_variance(times, signals, train.dim) / train.dim))
