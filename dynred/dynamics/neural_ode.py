"""Neural ODE by derivative matching: the field is regressed on exact latent velocities, with no solve in the loop.

The velocity f(x) of every snapshot, pushed through the encoder, is the exact latent velocity E'(x) f(x). Regression on
it gives a longer prediction horizon than training through a solver at a small part of the cost (`make bench`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import integer, one_of
from dynred.dynamics.base import DynamicsSpec, Standardisation, VectorFieldDynamics, rollout_score, with_velocities
from dynred.latent_space import LatentSpace
from dynred.nets import ACTIVATIONS, MLP
from dynred.optimise import Runtime, TrainingSpec, minimise
from dynred.rng import generator, spawn
from dynred.solvers.explicit import Explicit
from dynred.spec import Spec
from dynred.system import VectorField
from dynred.trajectories import Trajectories


class NeuralODE(VectorFieldDynamics):
    """z' = rate * net(features(standard z)): a perceptron in standard units."""

    def __init__(self, spec: "NeuralODESpec", space: LatentSpace, units: Standardisation, rng: torch.Generator):
        super().__init__()
        self.spec, self.latent_space, self.units = spec, space, units
        hidden = [spec.width] * spec.depth
        self.net = MLP(space.feature_dim, space.dim, hidden, spec.activation, rng=rng)

    def field(self, t: Tensor, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`. The network computes in its own dtype."""
        return (self.units.rate * self.standard_velocity(self.units.standard(z))).to(z.dtype)

    def standard_velocity(self, y: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """The velocity in units of `rate` at a latent state in standard units."""
        return self.net(self.latent_space.features(y).to(self.net.dtype))

    def sizes(self) -> Mapping[str, int]:
        """See `LatentDynamics.sizes`."""
        return {}


@dataclass(frozen=True)
class RefinementSpec(Spec):
    """Settings of refinement on short rollouts after derivative matching.

    Attributes:
        window: snapshots ahead, >= 1.
        substeps: classical Runge-Kutta steps per snapshot, >= 1.
        training: batches, steps, rates.
    """

    window: int = 8
    substeps: int = 4
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(steps=300, batch_size=256, learning_rate=2e-4))

    def __post_init__(self):
        integer("window", self.window, 1)
        integer("substeps", self.substeps, 1)


@dataclass(frozen=True)
class NeuralODESpec(DynamicsSpec):
    """Settings of the neural ODE.

    Attributes:
        width: units per hidden layer, >= 1.
        depth: hidden layers, >= 1.
        activation: a name of `dynred.nets.ACTIVATIONS`.
        training: batches, steps, rates of derivative matching.
        refinement: train on short rollouts afterwards, and keep the result only where rollouts of the validation
            trajectories improve; None leaves it out.
    """

    width: int = 256
    depth: int = 3
    activation: str = "gelu"
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(steps=6000))
    refinement: RefinementSpec | None = None

    def __post_init__(self):
        integer("width", self.width, 1)
        integer("depth", self.depth, 1)
        one_of("activation", self.activation, ACTIVATIONS)

    def fit(
        self,
        latents: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        latent_space: LatentSpace | None = None,
        runtime: Runtime | None = None,
    ) -> NeuralODE:
        """The neural ODE fitted to latent velocities; see `DynamicsSpec.fit`.

        The loss is the mean squared error of the velocity, each coordinate in units of its root mean square.
        """
        runtime = runtime or Runtime()
        device = runtime.torch_device()
        space = latent_space or LatentSpace(lines=latents.dim)
        units = Standardisation.of(with_velocities("latents", latents), space)
        with_velocities("validation", validation)
        model = NeuralODE(self, space, units, spawn(rng, "weights")).to(device)
        known, held = _regression(latents, units, device), _regression(validation, units, device)

        def loss(y: Tensor, v: Tensor) -> Tensor:
            return (model.standard_velocity(y) - v).pow(2).mean()

        history = minimise(
            model,
            lambda index: loss(known[0][index], known[1][index]),
            len(latents.states),
            lambda: float(loss(*held)),
            self.training,
            rng=spawn(rng, "batches"),
            stage="dynamics",
            runtime=runtime,
        )
        model.histories = (history,)
        if self.refinement is not None:
            _refine(model, self.refinement, latents, validation, spawn(rng, "refinement"), runtime)
        return model.cpu().requires_grad_(False)

    def build(self, latent_space: LatentSpace) -> NeuralODE:  # type: ignore[override] # its sizes by name
        """See `DynamicsSpec.build`."""
        units = Standardisation.empty(latent_space.dim)
        return NeuralODE(self, latent_space, units, generator(0)).requires_grad_(False)


def _regression(latents: Trajectories, units: Standardisation, device: torch.device) -> tuple[Tensor, Tensor]:
    assert latents.velocities is not None
    here = units.to("cpu")
    y = here.standard(latents.states.double()).float().to(device)
    v = (latents.velocities.double() / here.rate).float().to(device)
    units.to(device)
    return y, v


def _refine(
    model: NeuralODE,
    spec: RefinementSpec,
    latents: Trajectories,
    validation: Trajectories,
    rng: torch.Generator,
    runtime: Runtime,
) -> None:
    """Trains on rollouts of `window` snapshots; the old weights return if validation rollouts did not improve."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    score = rollout_score(model, validation)
    z, t = _windows(latents, spec.window + 1, model)
    held = _windows(validation, spec.window + 1, model)
    history = minimise(
        model,
        lambda index: _window_loss(model, z[index], t[index], spec.substeps),
        len(z),
        lambda: float(_window_loss(model, *held, spec.substeps)),
        spec.training,
        rng=rng,
        stage="refinement",
        runtime=runtime,
    )
    model.histories = (*model.histories, history)
    if not rollout_score(model, validation) < score:
        model.load_state_dict(before)


def _windows(latents: Trajectories, length: int, model: NeuralODE) -> tuple[Tensor, Tensor]:
    pieces = latents.windows(length, stride=max(1, length // 2))
    device = model.units.shift.device
    return pieces.states.double().reshape(len(pieces), length, -1).to(device), pieces.t.reshape(len(pieces), length).to(
        device
    )


def _window_loss(model: NeuralODE, z: Float[Tensor, "n L R"], t: Float[Tensor, "n L"], substeps: int) -> Tensor:
    solver = Explicit(method="rk4", step=1 / substeps)
    state, losses = z[:, 0], []
    for j in range(z.shape[1] - 1):
        state = solver.solve(_Stretched(model, t[:, j], t[:, j + 1]), state, torch.tensor([0.0, 1.0]))[:, -1]
        gap = model.latent_space.difference(state, z[:, j + 1]) / model.units.spread
        losses.append(gap.pow(2).mean())
    return torch.stack(losses).mean()


class _Stretched:
    """A field in a time t from 0 to 1 between two snapshots, whose distance differs from row to row."""

    differentiable = True

    def __init__(self, model: NeuralODE, start: Tensor, end: Tensor):
        self.model, self.start, self.gap, self.dim = model, start, end - start, model.dim

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        return self.gap[:, None] * self.model.field(self.start + t * self.gap, x)

    def rows(self, index: Tensor | slice) -> VectorField:
        return _Stretched(self.model, self.start[index], (self.start + self.gap)[index])
