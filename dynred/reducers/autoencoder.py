"""Autoencoder in POD coordinates, in residual form: it starts as POD and learns only what POD cannot do.

With a = U^T (x - mean) / scale the coefficients of Q modes, R of which are the leading ones,

    z = a_R + E(a),      a = (z, 0) + D(z),

and both networks start at zero ("hybrid" form of A. J. Linot, M. D. Graham, Phys. Rev. E 101, 062209 (2020), here with
the residual in the decoder as well).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import integer, one_of, refuse
from dynred.latent_space import LatentSpace
from dynred.modes import Modes
from dynred.nets import ACTIVATIONS, MLP
from dynred.optimise import Runtime, TrainingSpec, minimise
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.rng import generator, spawn
from dynred.trajectories import Trajectories, pieces


class Autoencoder(Reducer):
    """A fitted residual autoencoder."""

    def __init__(self, spec: "AutoencoderSpec", modes: Modes, rng: torch.Generator):
        super().__init__()
        self.spec, self.modes = spec, modes
        self.state_dim = modes.basis.shape[0]
        self.latent_space = LatentSpace(lines=spec.latent_dim)
        hidden = [spec.width] * spec.depth
        self.encoder = MLP(modes.count, spec.latent_dim, hidden, spec.activation, rng=rng, zero=True)
        self.decoder = MLP(spec.latent_dim, modes.count, hidden, spec.activation, rng=rng, zero=True)

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """See `Reducer.encode`."""
        return self.encode_coefficients(self.modes.coefficients(x).to(self.encoder.dtype))

    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """See `Reducer.decode`."""
        return self.modes.state(self.decode_coefficients(z.to(self.decoder.dtype)))

    def encode_coefficients(self, a: Float[Tensor, "*batch Q"]) -> Float[Tensor, "*batch R"]:
        """Latents of scaled POD coefficients."""
        return a[..., : self.spec.latent_dim] + self.encoder(a)

    def decode_coefficients(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch Q"]:
        """Scaled POD coefficients of latents."""
        return torch.nn.functional.pad(z, (0, self.modes.count - self.spec.latent_dim)) + self.decoder(z)

    def sizes(self) -> Mapping[str, int]:
        """See `Reducer.sizes`."""
        return {"state_dim": self.state_dim, "modes": self.modes.count}


@dataclass(frozen=True)
class AutoencoderSpec(ReducerSpec):
    """Settings of the autoencoder.

    Attributes:
        width: units per hidden layer, >= 1.
        depth: hidden layers on each side, >= 1.
        activation: a name of `dynred.nets.ACTIVATIONS`, a smooth one: velocities are pushed through the derivative.
        tolerance: fraction of the energy that the Q modes may leave out, in (0, 1). It bounds the nmse from below.
        max_modes: Q at most.
        training: batches, steps, rates.
    """

    width: int = 256
    depth: int = 2
    activation: str = "gelu"
    tolerance: float = 1e-10
    max_modes: int = 256
    training: TrainingSpec = field(default_factory=TrainingSpec)

    def __post_init__(self):
        super().__post_init__()
        integer("width", self.width, 1)
        integer("depth", self.depth, 1)
        integer("max_modes", self.max_modes, 1)
        one_of("activation", self.activation, ACTIVATIONS)
        if not 0 < self.tolerance < 1:
            raise refuse("tolerance", "in (0, 1)", self.tolerance)

    def fit(
        self,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
    ) -> Autoencoder:
        """The autoencoder trained on the snapshots of `train`; see `ReducerSpec.fit`.

        The loss is the mean squared error over the mean squared deviation (nmse), but for the energy left out.
        """
        self.check_data(train)
        runtime = runtime or Runtime()
        device = runtime.torch_device()
        x = train.states.double()
        modes = Modes.of(x, self.latent_dim, scaled=True, tolerance=self.tolerance, limit=self.max_modes)
        reducer = Autoencoder(self, modes, spawn(rng, "weights")).to(device)
        known = _coefficients(modes, train.states).to(device)
        held = _coefficients(modes, validation.states).to(device)
        energy = known.pow(2).sum(-1).mean()

        def loss(a: Tensor) -> Tensor:
            return (reducer.decode_coefficients(reducer.encode_coefficients(a)) - a).pow(2).sum(-1).mean() / energy

        history = minimise(
            reducer,
            lambda index: loss(known[index]),
            len(known),
            lambda: float(loss(held)),
            self.training,
            rng=spawn(rng, "batches"),
            stage="reducer",
            runtime=runtime,
        )
        reducer.histories = (history,)
        return reducer.cpu().requires_grad_(False)

    def build(self, state_dim: int, modes: int) -> Autoencoder:  # type: ignore[override] # its sizes by name
        """See `ReducerSpec.build`."""
        return Autoencoder(self, Modes.empty(state_dim, modes), generator(0)).requires_grad_(False)


def _coefficients(modes: Modes, x: Tensor) -> Float[Tensor, "M Q"]:
    return torch.cat([modes.coefficients(part).float() for part in pieces(x)])
