"""Joint refinement: encoder, decoder and field of a fitted model are trained further, together, to be consistent.

Fitted one after the other, the coordinates know nothing of the field that has to move them. Together, with x on K,
z = E(x) and g the latent field, all of these should hold:

    D(z) = x,      g(z) = E'(x) f(x),      D'(z) g(z) = f(x),      and rollouts from E(x(t0)) pass through E(x(t)).

The second and third are losses of K. Champion, B. Lusch, J. N. Kutz, S. L. Brunton, PNAS 116, 22445 (2019); the last is
multiple shooting whose nodes, the encoded snapshots, move with the encoder.

On Kuramoto-Sivashinsky (L = 22, 8 coordinates, default model: nmse 5.2e-7, median and mean valid time 121 and 123.5)
joint refinement gives 4.3e-7, 122, 123.6 in 1,500 steps and 3.0e-7, 125, 124.4 in 6,000, which take eight minutes; the
losses of decoded velocities and rollouts gain nothing more. So pipelines leave it out unless asked.
"""

import copy
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dynred.checks import at_least, count, generator_given, refuse
from dynred.data.parameters import cut
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import with_velocities
from dynred.dynamics.base import VectorFieldDynamics
from dynred.models.forecast import forecast
from dynred.models.reduced import ReducedModel
from dynred.models.spec import JointRefinement
from dynred.rng import spawn
from dynred.runtime import Runtime
from dynred.training.minimise import History, TrainingSpec, minimise
from dynred.training.shooting import overlapping, shoot

HORIZON = 100  # snapshots over which predictions are compared before and after
VALIDATED = 4096  # windows of the validation trajectories on which weights are compared


@dataclass(frozen=True)
class JointSpec(JointRefinement):
    """Settings of joint refinement. Every loss is relative to the mean square of what it is about, and the weight of
    reconstruction is 1.

    Attributes:
        velocity: weight of g(z) = E'(x) f(x), >= 0.
        decoded: weight of D'(z) g(z) = f(x), >= 0.
        rollout: weight of rollouts over `window` snapshots, >= 0.
        window: snapshots ahead, >= 1.
        substeps: classical Runge-Kutta steps per snapshot, >= 1.
        training: batches, steps, rates; with rollouts, batches are of windows.
    """

    velocity: float = 1.0
    decoded: float = 0.0
    rollout: float = 0.0
    window: int = 4
    substeps: int = 2
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(steps=1500, learning_rate=1e-3))

    def __post_init__(self):
        for name in ("velocity", "decoded", "rollout"):
            at_least(name, getattr(self, name), 0)
        count("window", self.window, 1, 10**6)
        count("substeps", self.substeps, 1, 10**6)

    def check(self, coordinates: nn.Module) -> None:
        """See `JointRefinement.check`."""
        check_trainable("reducer", coordinates)

    def refine(
        self,
        model: ReducedModel,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
    ) -> ReducedModel:
        """The model trained further; its old weights return where validation trajectories are not predicted better.

        Args:
            model: model of a reducer and a vector field, both with weights to train.
            train: states with velocities.
            validation: states with velocities of other trajectories.
            rng: stream of batches.
            runtime: device, progress, checkpoints.

        Raises:
            InputError: a model without such weights, trajectories without velocities or shorter than the window.
        """
        refined = self.trained(model, train, validation, rng=rng, runtime=runtime)
        if prediction_error(refined, validation) < prediction_error(model, validation):
            return refined
        return _Both(model).requires_grad_(False).model(model, refined.histories[-1])

    def trained(
        self,
        model: ReducedModel,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
    ) -> ReducedModel:
        """The model trained further, whether it is better or not; arguments are as for `refine`."""
        generator_given(rng)
        runtime = runtime or Runtime()
        both, device = _Both(model), runtime.torch_device()
        known, held = (
            _Loss(self, both, with_velocities(name, part), device)
            for name, part in (("train", train), ("validation", validation))
        )
        history = minimise(
            both.to(device),
            known,
            len(known.rows),
            held.of_all,
            self.training,
            rng=spawn(rng, "batches"),
            stage="joint",
            runtime=runtime,
        )
        return both.cpu().requires_grad_(False).model(model, history).remembering(train)


def check_trainable(name: str, part: nn.Module) -> None:
    """Refuses a part of a model that has no weights."""
    if not list(part.parameters()):
        advice = "Polynomials and modes are fitted exactly and have none."
        raise refuse(name, "one with weights to train, for joint refinement", type(part).__name__, advice)


class _Both(nn.Module):
    """Copies of a model's reducer and field, with weights to train."""

    def __init__(self, model: ReducedModel):
        super().__init__()
        self.reducer, dynamics = copy.deepcopy(model.reducer), copy.deepcopy(model.dynamics)
        if not isinstance(dynamics, VectorFieldDynamics):
            raise refuse("dynamics", "given by a vector field to be refined jointly", type(dynamics).__name__)
        self.dynamics = dynamics
        check_trainable("reducer", self.reducer)
        check_trainable("dynamics", self.dynamics)
        self.requires_grad_(True)

    def model(self, before: ReducedModel, history: History) -> ReducedModel:
        """The model of these copies."""
        self.dynamics.histories = (*self.dynamics.histories, history)
        return replace(before, reducer=self.reducer, dynamics=self.dynamics)


class _Loss:
    """The losses on trajectories, for batches of windows; without rollouts a window is one snapshot.

    Attributes:
        rows: rows of the snapshots in each window [n, L].
    """

    def __init__(self, spec: JointSpec, both: _Both, data: Trajectories, device: torch.device):
        assert data.velocities is not None
        self.spec, self.both = spec, both
        numbers = torch.arange(len(data.states), dtype=torch.float64)[:, None]
        length = spec.window + 1 if spec.rollout else 1
        windows = overlapping(replace(data, states=numbers, velocities=None), length)
        self.rows = windows.states.long().reshape(len(windows), length).to(device)
        self.x, self.v, self.t = (part.double().to(device) for part in (data.states, data.velocities, data.t))
        self.given = {name: value.to(device) for name, value in data.row_parameters.items()}
        self.energy = (self.x - self.x.mean(0)).pow(2).sum(-1).mean()
        self.speed = self.v.pow(2).sum(-1).mean()

    def __call__(self, index: Int[Tensor, " n"]) -> Float[Tensor, ""]:
        reconstruction, velocity, decoded = self.residuals(index)
        loss = reconstruction + self.spec.velocity * velocity + self.spec.decoded * decoded
        return loss + self.spec.rollout * self.rollout(index) if self.spec.rollout else loss

    def residuals(self, index: Int[Tensor, " n"]) -> tuple[Tensor, Tensor, Tensor]:
        """The losses of reconstruction, velocity and decoded velocity at the first snapshot of each window."""
        rows, dynamics = self.rows[index][:, 0], self.both.dynamics
        x, v, given = self.x[rows], self.v[rows], cut(self.given, rows)
        coder = self.both.reducer.at(given)
        z, latent_velocity, *_ = torch.func.jvp(coder.encode, (x,), (v,))
        g = dynamics.at(given)(self.t[rows], z)
        reconstructed, decoded_velocity, *_ = torch.func.jvp(coder.decode, (z,), (g,))
        return (
            (reconstructed - x).pow(2).sum(-1).mean() / self.energy,
            ((g - latent_velocity) / dynamics.units.rate).pow(2).mean(),
            (decoded_velocity - v).pow(2).sum(-1).mean() / self.speed,
        )

    def rollout(self, index: Int[Tensor, " n"]) -> Tensor:
        """The loss of rollouts from the first snapshot of each window, at its other snapshots."""
        rows, dynamics = self.rows[index], self.both.dynamics
        nodes = self.both.reducer.at(cut(self.given, rows)).encode(self.x[rows]).double()
        flow = dynamics.at(cut(self.given, rows[:, 0]))
        prediction = shoot(flow, nodes[:, 0], self.t[rows], self.spec.substeps)
        return (dynamics.latent_space.difference(prediction, nodes)[:, 1:] / dynamics.units.spread).pow(2).mean()

    def of_all(self) -> float:
        """The mean loss over windows that are evenly spread over the trajectories."""
        every = torch.arange(0, len(self.rows), max(1, len(self.rows) // VALIDATED), device=self.rows.device)
        parts = every.split(self.spec.training.batch_size)
        return sum(float(self(part)) * len(part) for part in parts) / len(every)


def prediction_error(model: ReducedModel, trajectories: Trajectories) -> float:
    """The mean relative error of predictions over at most 100 snapshots, each at most 1."""
    length = min(HORIZON + 1, int(trajectories.lengths.max()))
    return float(forecast(model, trajectories.windows(length)).rollout_error().clamp(max=1).mean())
