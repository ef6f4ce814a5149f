"""Neural ODE by derivative matching: the field is regressed on exact latent velocities, with no solve in the loop.

The velocity f(x) of every snapshot, pushed through the encoder, is the exact latent velocity E'(x) f(x). Regression on
it gives a longer prediction horizon than training through a solver at a small part of the cost (`make bench`).

The field is in residual form: it starts as the polynomial that fits the velocities best, which takes seconds, and the
network learns only what that leaves. On Kuramoto-Sivashinsky (L = 22, 8 coordinates) the mean squared error of held-out
velocities after the same 6,000 steps is 9.6e-6 from zero and 7.3e-7 from degree 4, in units of their mean square.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, one_of, refuse
from dynred.data.trajectories import Trajectories
from dynred.dynamics._curve_fit import fit_to_samples
from dynred.dynamics._rollouts import whole_score
from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.polynomials import BoundedMap, PolynomialMap, PolynomialSpec, batches
from dynred.rng import generator, spawn
from dynred.spec import Spec
from dynred.training.minimise import TrainingSpec, minimise
from dynred.training.nets import ACTIVATIONS, DEEPEST, MLP, WIDEST, training_bytes
from dynred.training.shooting import overlapping, shoot

CHOICE = "The network started from linear dynamics, since rollouts of what began with a higher polynomial broke off."
WINDOW = 64  # snapshots of rollouts by which a network beside a polynomial that was fitted to samples is judged
ALIKE = 4.0  # times the least velocity error: polynomials that differ by no more are told apart by their rollouts


class NeuralODE(VectorFieldDynamics):
    """z' = rate * (start(y) + left * net(y)) with y the features of the latents in standard units: a polynomial and a
    perceptron.

    Attributes:
        start: the polynomial, in float64; of degree 0 and zero where there is none.
        left: root mean square [R] of what the polynomial leaves of the training velocities, in units of `rate`.
    """

    left: Float[Tensor, " R"]

    def __init__(self, spec: "NeuralODESpec", space: LatentSpace, units: Standardisation, rng: torch.Generator) -> None:
        super().__init__()
        self.spec, self.latent_space, self.units = spec, space, units
        hidden = [spec.width] * spec.depth
        self.net = MLP(space.feature_dim, space.dim, hidden, spec.activation, rng=rng)
        self.start = PolynomialMap(space.feature_dim, space.dim, 0)
        self.register_buffer("left", torch.ones(space.dim, dtype=torch.float64))

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`. The network computes in its own dtype."""
        return (self.units.rate * self.standard_velocity(self.units.standard(z))).to(z.dtype)

    def standard_velocity(self, y: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """The velocity in units of `rate` at a latent state in standard units."""
        features = self.latent_space.features(y)
        correction = self.net(features.to(self.net.dtype))
        if self.start.degree == 0:
            return correction
        return self.start(features) + self.left * correction

    def begin_as(self, start: PolynomialMap, y: Float[Tensor, "M F"], velocities: Float[Tensor, "M R"]) -> None:
        """Takes `start`, bounded, as the polynomial; the network has to give what it leaves of velocities at y."""
        self.start = BoundedMap.of(start, y)
        squares = [(v - start(features)).pow(2).sum(0) for features, v in batches(y, velocities)]
        left = torch.stack(squares).sum(0) / len(y)
        self.left = left.sqrt().clamp_min(1e-12)

    def left_to_learn(
        self, y: Float[Tensor, "M F"], velocities: Float[Tensor, "M R"]
    ) -> tuple[Float[Tensor, "M F"], Float[Tensor, "M R"]]:
        """Features and what the network should give there, in its dtype, on its device."""
        device = self.left.device
        rest = [(v.to(device) - self.start(features.to(device))) / self.left for features, v in batches(y, velocities)]
        return y.to(device, self.net.dtype), torch.cat(rest).to(self.net.dtype)

    def sizes(self) -> Mapping[str, int]:
        """See `LatentDynamics.sizes`."""
        return {"degree": self.start.degree, "bounded": isinstance(self.start, BoundedMap)}


@dataclass(frozen=True)
class RefinementSpec(Spec):
    """Settings of refinement on short rollouts after derivative matching.

    Every window starts at an encoded snapshot: multiple shooting, whose nodes need not be learned because encoded
    states are known.

    Attributes:
        windows: numbers of snapshots ahead, each >= 1. Each is a stage of training, in order, so that windows may grow.
            A stage after which rollouts of the validation trajectories are not better is undone, and is the last.
        substeps: classical Runge-Kutta steps per snapshot, >= 1.
        training: batches, steps, rates.
    """

    windows: tuple[int, ...] = (8,)
    substeps: int = 4
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(steps=300, batch_size=256, learning_rate=2e-4))

    def __post_init__(self):
        if not self.windows:
            raise refuse("windows", "one or more numbers of snapshots", self.windows)
        for window in self.windows:
            count("windows", window, 1, 10**6)
        count("substeps", self.substeps, 1, 10**6)


@dataclass(frozen=True)
class NeuralODESpec(DynamicsSpec):
    """Settings of the neural ODE.

    Attributes:
        width: units per hidden layer, >= 1.
        depth: hidden layers, >= 1.
        activation: a name of `dynred.training.nets.ACTIVATIONS`.
        start: degrees and weights of the polynomial that are tried. The one that is best on the validation velocities
            is taken; of those whose errors there are alike, the one whose rollouts of the validation trajectories are
            best: on a cylinder wake degrees 13 and 15 differ by 3 % in velocities, and 20 times in rollouts. None lets
            the network begin from nothing.
        training: batches, steps, rates of derivative matching.
        refinement: train on short rollouts afterwards, and keep the result only where rollouts of the validation
            trajectories improve; None leaves it out. On Kuramoto-Sivashinsky it takes longer than all the rest and
            gains nothing: median and mean valid time 121 and 123.5 without, 124 and 122.8 on rollouts of 8, 121 and
            122.1 on rollouts of 2, 4 and 8.
    """

    width: int = 256
    depth: int = 3
    activation: str = "gelu"
    start: PolynomialSpec | None = field(default_factory=PolynomialSpec)
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(steps=6000))
    refinement: RefinementSpec | None = None

    def __post_init__(self):
        count("width", self.width, 1, WIDEST)
        count("depth", self.depth, 1, DEEPEST)
        one_of("activation", self.activation, ACTIVATIONS)

    def _fit(self, data: LatentData) -> NeuralODE:
        """The neural ODE fitted to latent velocities; see `DynamicsSpec._fit`.

        Where rollouts of training or validation trajectories over their whole length break off, a polynomial of high
        degree may be at fault, which is wild where there are no data. Then a network that starts from linear dynamics
        is fitted too, and the one with the better rollouts is taken: six sensors of a slow and fast oscillation, four
        trajectories: mean error of rollouts never seen .89 from degree 16, .03 from degree 1.

        The loss is the mean squared error of the velocity, each coordinate in units of the root mean square of what the
        polynomial leaves of it.

        Raises:
            InputError: it is to be refined on rollouts of a map, or of latents with inputs.
        """
        if self.refinement is not None and not data.is_flow:
            advice = "Rollouts that train it are those of a flow without inputs."
            raise refuse("refinement", "None for maps and for trajectories with inputs", "some", advice)
        model = self._regressed(data, self.start, "dynamics")
        if self.start is not None and model.start.degree > 1 and data.is_flow:
            error, broken = whole_score(model, (data.latents, data.validation))
            if broken:
                other = self._regressed(data, replace(self.start, degree=1), "dynamics-linear")
                if whole_score(other, (data.latents, data.validation))[0] < error:
                    other.choice = CHOICE
                    model = other
        if self.refinement is not None:
            stream = spawn(data.rng, "refinement")
            for i in range(len(self.refinement.windows)):
                if not _refine(model, self.refinement, i, replace(data, rng=spawn(stream, i))):
                    break
        return model

    def _regressed(self, data: LatentData, start: PolynomialSpec | None, stage: str) -> NeuralODE:
        """A neural ODE regressed on latent velocities."""
        device = data.runtime.torch_device()
        model = NeuralODE(self, data.latent_space, data.units(), spawn(data.rng, "weights"))
        known, held = data.regression, data.validation_regression
        sampled = start is not None and self._begin(model, start, data)
        (y, target), (y_held, target_held) = (model.to(device).left_to_learn(*part) for part in (known, held))

        def loss(y: Tensor, target: Tensor) -> Tensor:
            return (model.net(y) - target).pow(2).mean()

        history = minimise(
            model,
            lambda index: loss(y[index], target[index]),
            len(y),
            lambda: float(loss(y_held, target_held)),
            self.training,
            rng=spawn(data.rng, "batches"),
            stage=stage,
            runtime=data.runtime,
        )
        model.histories = (history,)
        if sampled:
            _keep_start(model, data)
        return model

    def _begin(self, model: NeuralODE, start: PolynomialSpec, data: LatentData) -> bool:
        """Gives the model the polynomial from which it starts, and says whether that was fitted to samples."""
        known = data.regression
        fits = start.fits(known, data.validation_regression)
        better = fit_to_samples(data, fits)
        if better is not None:
            model.begin_as(better.fitted, *known)
            model.choice = better.told(data.velocity_error)
            return True
        least = min(error for error, _ in fits)
        alike = [fitted for error, fitted in fits if error <= ALIKE * least]

        def score(fitted: PolynomialMap) -> float:
            model.begin_as(fitted, *known)
            return start_score(model, data)

        model.begin_as(min(alike, key=score) if len(alike) > 1 else alike[0], *known)
        return False

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: the latents, the polynomial, the network."""
        features, hidden = latent_space.feature_dim, [self.width] * self.depth
        network = training_bytes([[features, *hidden, latent_space.dim]], self.training.batch_size, validation)
        start = self.start.memory(features, latent_space.dim, train) if self.start else 0
        return super().memory(latent_space, train, validation) + network + start

    def build(  # type: ignore[override] # its sizes by name
        self, latent_space: LatentSpace, degree: int, bounded: bool = False
    ) -> NeuralODE:
        """See `DynamicsSpec.build`; the polynomial of files that do not say so has no bound."""
        model = NeuralODE(self, latent_space, Standardisation.empty(latent_space.dim), generator(0))
        kind = BoundedMap if bounded else PolynomialMap
        model.start = kind(latent_space.feature_dim, latent_space.dim, degree)
        return model.requires_grad_(False)


def _keep_start(model: NeuralODE, data: LatentData) -> None:
    """Leaves the network out unless rollouts from many validation snapshots are better with it: it learned from
    velocities whose errors are not those of the polynomial, which it would bring back."""
    whole = data.validation
    length = min(WINDOW, int(whole.lengths.max()))
    windows = replace(data, validation=whole.windows(length, max(1, length // 2)))
    if start_score(model, windows) <= windows.score(model):
        model.left = torch.zeros_like(model.left)
        model.choice += " No network was added to it: rollouts of validation trajectories are not better with one."


def start_score(model: NeuralODE, data: LatentData) -> float:
    """The score of the polynomial alone."""
    left, model.left = model.left, torch.zeros_like(model.left)
    score = data.score(model)
    model.left = left
    return score


def _refine(model: NeuralODE, spec: RefinementSpec, stage: int, data: LatentData) -> bool:
    """Trains on rollouts of one window; says whether validation rollouts improved. If not, the old weights return."""
    window = spec.windows[stage]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    score = data.score(model)
    z, t = _windows(data.latents, window + 1, model)
    held = _windows(data.validation, window + 1, model)
    history = minimise(
        model,
        lambda index: _window_loss(model, z[index], t[index], spec.substeps),
        len(z),
        lambda: float(_window_loss(model, *held, spec.substeps)),
        spec.training,
        rng=data.rng,
        stage="refinement" if len(spec.windows) == 1 else f"refinement-{stage + 1}",
        runtime=data.runtime,
    )
    model.histories = (*model.histories, history)
    if data.score(model) < score:
        return True
    model.load_state_dict(before)
    return False


def _windows(latents: Trajectories, length: int, model: NeuralODE) -> tuple[Tensor, Tensor]:
    windows, device = overlapping(latents, length), model.units.shift.device
    z = windows.states.reshape(len(windows), length, -1).double().to(device)
    return z, windows.t.reshape(len(windows), length).to(device)


def _window_loss(model: NeuralODE, z: Float[Tensor, "n L R"], t: Float[Tensor, "n L"], substeps: int) -> Tensor:
    prediction = shoot(model, z[:, 0], t, substeps)[:, 1:]
    return (model.latent_space.difference(prediction, z[:, 1:]) / model.units.spread).pow(2).mean()
