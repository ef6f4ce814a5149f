"""Autoencoder in POD coordinates, in residual form: it starts as a linear reduction and learns what that cannot do.

With a = U^T (x - mean) / scale the coefficients of Q modes, and y the features of a latent state z (z itself where all
coordinates are lines, (cos, sin) for an angle),

    y = S^T l(a) + E(a),      a = B^T y + D(y),

and both networks start at zero. For lines l(a) = a, S and B take the R leading coefficients, so that it starts as POD:
the "hybrid" form of A. J. Linot, M. D. Graham, Phys. Rev. E 101, 062209 (2020), here with the residual in the decoder
as well. With angles l(a) holds products of coefficients too, S makes pairs of numbers whose phase turns around K (see
`dynred.reducers._phases`), and B is the least squares fit. An angle is the phase of its pair, so the decoder, which
sees features alone, is periodic in it. Networks may see the system's parameters p beside a and y: E(a, p), D(y, p).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, integer, one_of, refuse
from dynred.data.trajectories import Trajectories
from dynred.numerics.batches import pieces
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.modes import MOST_MODES, Modes
from dynred.reducers._phases import lifted, lifted_width, starts
from dynred.reducers.base import ParametricReducer, ReducerSpec, SeenParameters
from dynred.rng import generator, spawn
from dynred.runtime import Runtime
from dynred.training.minimise import TrainingSpec, minimise
from dynred.training.nets import ACTIVATIONS, DEEPEST, MLP, WIDEST, training_bytes

WALL = 0.3  # length of a pair below which it is pushed away from 0; pairs start with a root mean square of 1


class Autoencoder(ParametricReducer):
    """A fitted residual autoencoder.

    Attributes:
        start: S [L, F], takes coefficients (lifted ones with angles) to features.
        back: B [F, Q], takes features to coefficients.
    """

    start: Float[Tensor, "L F"]
    back: Float[Tensor, "F Q"]

    def __init__(
        self,
        spec: "AutoencoderSpec",
        modes: Modes,
        seen: SeenParameters,
        start: Float[Tensor, "L F"],
        back: Float[Tensor, "F Q"],
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.spec, self.modes, self.seen = spec, modes, seen
        self.state_dim = modes.basis.shape[0]
        self.latent_space = spec.latent_space
        features, hidden, p = self.latent_space.feature_dim, [spec.width] * spec.depth, len(seen.names)
        self.encoder = MLP(modes.count + p, features, hidden, spec.activation, rng=rng, zero=spec.residual)
        self.decoder = MLP(features + p, modes.count, hidden, spec.activation, rng=rng, zero=spec.residual)
        # Contiguous, as they come back from a file: the order of a sum depends on the layout.
        self.register_buffer("start", start.to(self.encoder.dtype).contiguous())
        self.register_buffer("back", back.to(self.decoder.dtype).contiguous())

    def encode_at(self, x: Float[Tensor, "*batch D"], p: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch R"]:
        """See `ParametricReducer.encode_at`."""
        return self.encode_coefficients(self.modes.coefficients(x).to(self.encoder.dtype), p)

    def decode_at(self, z: Float[Tensor, "*batch R"], p: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        """See `ParametricReducer.decode_at`."""
        return self.modes.state(self.decode_features(self.latent_space.features(z.to(self.decoder.dtype)), p))

    def encode_coefficients(
        self, a: Float[Tensor, "*batch Q"], p: Float[Tensor, "*batch P"]
    ) -> Float[Tensor, "*batch R"]:
        """Latents of scaled POD coefficients."""
        return self.latent_space.coordinates(self.encode_features(a, p))

    def encode_features(self, a: Float[Tensor, "*batch Q"], p: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch F"]:
        """Features of scaled POD coefficients; the (cosine, sine) of an angle not yet of length 1."""
        linear = (lifted(a) if self.latent_space.angles else a) @ self.start
        return linear + self.encoder(torch.cat([a, p.to(a)], -1))

    def decode_features(self, y: Float[Tensor, "*batch F"], p: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch Q"]:
        """Scaled POD coefficients of features."""
        return y @ self.back + self.decoder(torch.cat([y, p.to(y)], -1))

    def sizes(self) -> Mapping[str, Any]:
        """See `Reducer.sizes`."""
        return {"state_dim": self.state_dim, "modes": self.modes.count, "parameters": list(self.seen.names)}


@dataclass(frozen=True)
class AutoencoderSpec(ReducerSpec):
    """Settings of the autoencoder.

    Attributes:
        angles: how many of the `latent_dim` coordinates are angles, in [0, latent_dim]. A closed curve takes one angle,
            a torus two; as lines they would need one coordinate more, and the right topology besides.
        width: units per hidden layer, >= 1.
        depth: hidden layers on each side, >= 1.
        activation: a name of `dynred.training.nets.ACTIVATIONS`, a smooth one: velocities are pushed through the
            derivative.
        tolerance: fraction of the energy that the Q modes may leave out, in (0, 1). It bounds the nmse from below.
        max_modes: the largest Q.
        training: batches, steps, rates.
        residual: start as a linear reduction. False leaves S and B out and starts with random networks. This is better
            where the linear reduction folds K, as it does where K bends in more directions than there are lines:
            training does not undo folds.
        trials: with angles or random networks, how many starts are tried, >= 1. Each is trained for a twentieth of the
            steps; the one with the least validation loss is then trained for all steps.
        parametric: whether encoder and decoder see the parameters that differ between training trajectories.
    """

    angles: int = 0
    width: int = 256
    depth: int = 2
    activation: str = "gelu"
    tolerance: float = 1e-10
    max_modes: int = 256
    training: TrainingSpec = field(default_factory=TrainingSpec)
    residual: bool = True
    trials: int = 4
    parametric: bool = False

    def __post_init__(self):
        super().__post_init__()
        integer("angles", self.angles, 0, self.latent_dim)
        count("trials", self.trials, 1, 1000)
        count("width", self.width, 1, WIDEST)
        count("depth", self.depth, 1, DEEPEST)
        count("max_modes", self.max_modes, 1, MOST_MODES)
        one_of("activation", self.activation, ACTIVATIONS)
        if not 0 < self.tolerance < 1:
            raise refuse("tolerance", "in (0, 1)", self.tolerance)

    @property
    def latent_space(self) -> LatentSpace:
        """What the latent coordinates are."""
        return LatentSpace(angles=self.angles, lines=self.latent_dim - self.angles)

    def _fit(
        self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime
    ) -> Autoencoder:
        """The autoencoder trained on the snapshots of `train`; see `ReducerSpec._fit`.

        The loss is the mean squared error of the coefficients over their mean square: the nmse, but for the energy that
        the modes leave out. With angles, several starts are tried (see `trials`); where the chosen one still tears K at
        the end, the next is trained in full as well, and the one with the least validation loss is kept.
        """
        modes = Modes.of(
            train.states.double(),
            self.latent_space.feature_dim,
            scaled=True,
            tolerance=self.tolerance,
            limit=self.max_modes,
        )
        return _NetworkFit(self, modes, train, validation, runtime).best(rng)

    def memory(self, state_dim: int, train: int, validation: int) -> int:
        """See `ReducerSpec.memory`: modes, coefficients in both precisions, the two networks, and those of all trials;
        with angles, the networks' values for all snapshots at once."""
        modes, features = min(self.max_modes, state_dim, train), self.latent_space.feature_dim
        hidden = [self.width] * self.depth
        networks = [[modes, *hidden, features], [features, *hidden, modes]]
        held = max(validation, train) if self.angles else validation
        fitted = training_bytes(networks, self.training.batch_size, held)
        trials = self.trials * 4 * self.depth * self.width * (self.width + modes)
        return Modes.memory(state_dim, train) + 12 * (train + validation) * modes + fitted + trials

    def check_data(self, train: Trajectories) -> None:
        """Refuses, beside what no reducer can be fitted to, fewer state dimensions than features."""
        super().check_data(train)
        features = self.latent_space.feature_dim
        if features > train.dim:
            advice = f"Each of the {self.angles} angles is made of two of them."
            raise refuse("latent_dim + angles", f"at most the state dimension {train.dim}", features, advice)

    def build(  # type: ignore[override] # its sizes by name
        self, state_dim: int, modes: int, parameters: Sequence[str] = ()
    ) -> Autoencoder:
        """See `ReducerSpec.build`."""
        features, chart = self.latent_space.feature_dim, Modes.empty(state_dim, modes)
        start = torch.zeros(lifted_width(modes) if self.angles else modes, features)
        back, seen = torch.zeros(features, modes), SeenParameters.empty(parameters)
        return Autoencoder(self, chart, seen, start, back, generator(0)).requires_grad_(False)


class _NetworkFit:
    """One set of data, on which autoencoders of several starts are trained."""

    def __init__(
        self, spec: AutoencoderSpec, modes: Modes, train: Trajectories, validation: Trajectories, runtime: Runtime
    ):
        self.spec, self.modes, self.runtime = spec, modes, runtime
        self.device = runtime.torch_device()
        self.seen = SeenParameters.of(train, wanted=spec.parametric)
        self.known, self.held = (_coefficients(modes, part.states).to(self.device) for part in (train, validation))
        self.given, self.held_given = (
            self.seen(part.row_parameters, [len(part.states)]).to(self.known) for part in (train, validation)
        )
        self.energy = self.known.pow(2).sum(-1).mean()
        self.starts = self._starts(train)

    def _starts(self, train: Trajectories) -> list[tuple[Tensor, Tensor]]:
        a, space = self.known.double().cpu(), self.spec.latent_space
        if not self.spec.residual:
            width = lifted_width(a.shape[1]) if space.angles else a.shape[1]
            zeros = torch.zeros(width, space.feature_dim), torch.zeros(space.feature_dim, a.shape[1])
            return self.spec.trials * [zeros]
        velocities = None
        if train.velocities is not None and space.angles:
            velocities = _coefficients(self.modes, train.velocities + self.modes.mean).double()
        return starts(a, velocities, space, self.spec.trials)

    def best(self, rng: torch.Generator) -> Autoencoder:
        """The autoencoder of the best start, trained in full."""
        if len(self.starts) == 1:
            return self.trained(self.untrained(0, rng), self.spec.training, rng, "reducer")
        short = replace(self.spec.training, steps=max(1, self.spec.training.steps // 20), validations=1)
        tried = [
            self.trained(self.untrained(i, rng), short, rng, f"reducer-trial-{i + 1}") for i in range(len(self.starts))
        ]
        tried.sort(key=self.held_loss)
        best = self.trained(tried[0], self.spec.training, rng, "reducer")
        if self.spec.angles and self.tears(best):
            other = self.trained(tried[1], self.spec.training, rng, "reducer-again")
            best = min(best, other, key=self.held_loss)
        return best

    def untrained(self, i: int, rng: torch.Generator) -> Autoencoder:
        """The autoencoder of start i, with weights of its own."""
        return Autoencoder(self.spec, self.modes, self.seen, *self.starts[i], spawn(rng, "weights")).to(self.device)

    def trained(self, reducer: Autoencoder, training: TrainingSpec, rng: torch.Generator, stage: str) -> Autoencoder:
        """The same autoencoder, trained further from its present weights."""
        history = minimise(
            reducer,
            lambda index: self.loss(reducer, self.known[index], self.given[index]),
            len(self.known),
            lambda: self.held_loss(reducer),
            training,
            rng=spawn(rng, "batches"),
            stage=stage,
            runtime=self.runtime,
        )
        reducer.histories = (history,)
        return reducer

    def loss(self, reducer: Autoencoder, a: Float[Tensor, "m Q"], p: Float[Tensor, "m P"]) -> Float[Tensor, ""]:
        """The nmse of coefficients; with angles also a wall that keeps their pairs away from 0, which has no angle."""
        space, y = reducer.latent_space, reducer.encode_features(a, p)
        decoded = reducer.decode_features(space.features(space.coordinates(y)), p)
        error = (decoded - a).pow(2).sum(-1).mean() / self.energy
        return error + (WALL - space.moduli(y)).clamp_min(0).pow(2).mean() if space.angles else error

    def held_loss(self, reducer: Autoencoder) -> float:
        """The loss on the validation snapshots."""
        with torch.no_grad():
            return float(self.loss(reducer, self.held, self.held_given))

    def tears(self, reducer: Autoencoder) -> bool:
        """Whether angles have a wrong topology: a few states have a large error while the others have a small one, or
        no state reaches a part of a circle."""
        with torch.no_grad():
            z = reducer.encode_coefficients(self.known, self.given)
            decoded = reducer.decode_features(reducer.latent_space.features(z), self.given)
            error = (decoded - self.known).norm(dim=-1) / self.energy.sqrt()
        torn = bool(error.max() > 0.3 and error.max() > 10 * error.median())
        angles = torch.sort(z[:, : self.spec.angles].remainder(2 * torch.pi), dim=0).values
        gaps = torch.diff(torch.cat([angles, angles[:1] + 2 * torch.pi]), dim=0)
        return torn or bool((gaps > 1).any())


def _coefficients(modes: Modes, x: Tensor) -> Float[Tensor, "M Q"]:
    return torch.cat([modes.coefficients(part).float() for part in pieces(x)])
