"""Training a latent neural ODE through its solver, one sampling interval ahead: the published recipe, in torchdiffeq.

A. J. Linot, M. D. Graham, Chaos 32, 073110 (2022): dopri5 integrates the neural ODE from every snapshot over one
sampling interval, and Adam minimises the squared distance to the next snapshot, backpropagating through the solver, at
a rate of 1e-3 and then 1e-4. The authors' repository (alinot5/KSE_ROM_NODE) ships the trained models and the rates of
its autoencoders (1e-3, from half-way on 1e-4), but not the script that trained the neural ODEs: tolerance and batch
size are not published. Both are set here to the recipe's advantage, as `OneIntervalSpec` says.

A training that is planned to end earlier lowers its rate earlier. So every point of a curve is a complete training,
half of its time at each rate. All trainings share one trunk at the first rate, which is trained once:

    trunk at 1e-3     ----+------+------------+--------------------------
                           \\      \\            \\
    branches at 1e-4        ----   -----         -------------
"""

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torchdiffeq
from jaxtyping import Float, Int
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.dynamics.neural_ode import NeuralODE


@dataclass(frozen=True)
class OneIntervalSpec:
    """Settings of the recipe.

    Attributes:
        batch_size: pairs of snapshots in a batch. At equal training time 128 reach a longer valid time than 512.
        tolerance: relative and absolute tolerance of dopri5 per step, in standard units. The error of models after one
            interval is ten times larger, so that a tighter tolerance (torchdiffeq's default is 1e-7) would only cost
            time.
        rates: Adam's rate in the first and in the second half of the training time.
    """

    batch_size: int = 128
    tolerance: float = 1e-4
    rates: tuple[float, float] = (1e-3, 1e-4)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Snapshots and their successors, in the standard units of a neural ODE.

    Attributes:
        now, later: [n, R], float32.
        interval: time between the two, in time units.
    """

    now: Float[Tensor, "n R"]
    later: Float[Tensor, "n R"]
    interval: float

    @classmethod
    def of(cls, latents: Trajectories, model: NeuralODE) -> "Pairs":
        """All pairs of consecutive snapshots of evenly sampled trajectories."""
        pieces = latents.windows(2, stride=1)
        gaps = pieces.t[1::2] - pieces.t[::2]
        assert (gaps - gaps[0]).abs().max() < 1e-9
        y = model.units.standard(pieces.states.double()).float()
        return cls(y[::2].contiguous(), y[1::2].contiguous(), float(gaps[0]))


class OneIntervalTraining(ABC):
    """A way to do the recipe's training steps. Only its methods know what the state of a training is.

    Attributes:
        compile_s: seconds spent on compilation before the first step; they are on no training clock.
    """

    compile_s: float = 0.0

    @abstractmethod
    def start(self) -> Any:
        """The state of an untrained model."""

    @abstractmethod
    def step(self, state: Any, index: Int[Tensor, " batch"], rate: float) -> Any:
        """The state after one step of Adam on the pairs of `index`; `state` itself may be used up."""

    @abstractmethod
    def branched(self, state: Any) -> Any:
        """A copy of `state` that later steps from `state` do not change."""

    @abstractmethod
    def model(self, state: Any) -> NeuralODE:
        """The neural ODE of a state."""


class TorchdiffeqTraining(OneIntervalTraining):
    """The recipe in torchdiffeq: one solve for the batch, its steps chosen by the library's own error norm."""

    def __init__(self, initial: NeuralODE, pairs: Pairs, spec: OneIntervalSpec):
        self.initial, self.pairs, self.spec = initial, pairs, spec
        self.times = torch.tensor([0.0, pairs.interval])
        self.scale = (initial.units.rate / initial.units.spread).float()

    def start(self) -> tuple[NeuralODE, torch.optim.Adam]:
        model = copy.deepcopy(self.initial).requires_grad_(True)
        return model, torch.optim.Adam(model.parameters())

    def step(self, state: tuple[NeuralODE, torch.optim.Adam], index: Tensor, rate: float) -> Any:
        model, optimiser = state
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        self.loss(model, index).backward()
        optimiser.step()
        return state

    def loss(self, model: NeuralODE, index: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        """Mean squared distance between prediction and successor, in standard units."""
        predicted = torchdiffeq.odeint(
            lambda t, y: self.scale * model.standard_velocity(y),
            self.pairs.now[index],
            self.times,
            rtol=self.spec.tolerance,
            atol=self.spec.tolerance,
            method="dopri5",
        )
        return (predicted[-1] - self.pairs.later[index]).pow(2).mean()

    def branched(self, state: tuple[NeuralODE, torch.optim.Adam]) -> Any:
        return copy.deepcopy(state)

    def model(self, state: tuple[NeuralODE, torch.optim.Adam]) -> NeuralODE:
        return copy.deepcopy(state[0]).requires_grad_(False)


class Trained(NamedTuple):
    """A complete training: its seconds, its steps, its model."""

    seconds: float
    steps: int
    model: NeuralODE


def trainings(
    method: OneIntervalTraining, budgets: Sequence[float], pairs: int, spec: OneIntervalSpec, rng: torch.Generator
) -> Iterator[Trained]:
    """Complete trainings of the recipe, one for each time budget, in seconds, shortest first.

    No clock counts what the caller does between two of them.
    """

    def draw() -> Tensor:
        return torch.randint(pairs, (spec.batch_size,), generator=rng)

    first, second = spec.rates
    trunk, spent, done = method.start(), 0.0, 0
    for budget in sorted(budgets):
        trunk, more, steps = _train(method, trunk, draw, first, budget / 2 - spent)
        spent, done = spent + more, done + steps
        branch, rest, steps = _train(method, method.branched(trunk), draw, second, budget - spent)
        yield Trained(spent + rest, done + steps, method.model(branch))


def _train(
    method: OneIntervalTraining, state: Any, draw: Callable[[], Tensor], rate: float, budget: float
) -> tuple[Any, float, int]:
    """Takes as many steps as fit into the budget, but at least one; returns the state, the seconds that passed, and the
    number of steps."""
    start, steps, spent = time.perf_counter(), 0, 0.0
    while steps == 0 or spent < budget:
        state = method.step(state, draw(), rate)
        steps += 1
        spent = time.perf_counter() - start
    return state, spent, steps
