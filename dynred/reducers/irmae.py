"""IRMAE-WD: an autoencoder that finds by itself how many coordinates it needs.

Between the encoder and a latent space that is wider than needed stand a few square linear layers without bias. Gradient
descent on a product of matrices, with a little weight decay, prefers products of low rank (L. Jing, J. Zbontar,
Y. LeCun, NeurIPS 33 (2020)), so that after training the latents of all snapshots lie in a subspace; the singular values
of their covariance show its dimension by a gap of orders of magnitude (K. Zeng, C. E. Perez De Jesus, A. J. Fox,
M. D. Graham, Machine Learning: Science and Technology 5, 025053 (2024)).

The count is of *Euclidean* coordinates in which a nonlinear code of K is linearly contained: a circle takes 2, though
its dimension is 1. It is independent of the estimators of `dynred.geometry`, and tells the R of an autoencoder with
lines.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynred.checks import count, one_of, refuse
from dynred.data.trajectories import Trajectories
from dynred.numerics.batches import pieces
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.modes import MOST_MODES, Modes
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.rng import generator, spawn
from dynred.runtime import Runtime
from dynred.training.minimise import TrainingSpec, minimise
from dynred.training.nets import ACTIVATIONS, DEEPEST, MLP, WIDEST, training_bytes


class IRMAE(Reducer):
    """A fitted IRMAE-WD: z are the leading R principal coordinates of its wide latents.

    Attributes:
        centre: mean wide latent [W].
        directions: directions of the principal coordinates [W, R], orthonormal.
        spectrum: singular values of the covariance of the wide latents [W], relative to the first, decreasing.
    """

    centre: Float[Tensor, " W"]
    directions: Float[Tensor, "W R"]
    spectrum: Float[Tensor, " W"]

    def __init__(self, spec: "IRMAESpec", modes: Modes, rng: torch.Generator):
        super().__init__()
        self.spec, self.modes = spec, modes
        self.state_dim = modes.basis.shape[0]
        self.latent_space = LatentSpace(lines=spec.latent_dim)
        wide, hidden = spec.bottleneck, [spec.width] * spec.depth
        self.encoder = MLP(modes.count, wide, hidden, spec.activation, rng=rng)
        self.linear = nn.ParameterList(_matrix(wide, rng) for _ in range(spec.linear_layers))
        self.decoder = MLP(wide, modes.count, hidden, spec.activation, rng=rng)
        self.register_buffer("centre", torch.zeros(wide))
        self.register_buffer("directions", torch.eye(wide, spec.latent_dim))
        self.register_buffer("spectrum", torch.ones(wide, dtype=torch.float64))

    @property
    def rank(self) -> int:
        """The number of significant singular values: those before the widest gap."""
        return self.count()[0]

    @property
    def gap(self) -> float:
        """The ratio of the singular values on both sides of the widest gap; the rank is clear if it is 10 or more."""
        return self.count()[1]

    def count(self) -> tuple[int, float]:
        """`rank` and `gap`; singular values below 1e-7 of the largest are round-off and make no gap."""
        s = self.spectrum.clamp_min(1e-7)
        ratio = s[:-1] / s[1:]
        return int(ratio.argmax()) + 1, float(ratio.max())

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """See `Reducer.encode`."""
        wide = self.encode_coefficients(self.modes.coefficients(x).to(self.encoder.dtype))
        return (wide - self.centre) @ self.directions

    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """See `Reducer.decode`."""
        wide = self.centre + z.to(self.decoder.dtype) @ self.directions.T
        return self.modes.state(self.decoder(wide))

    def encode_coefficients(self, a: Float[Tensor, "*batch Q"]) -> Float[Tensor, "*batch W"]:
        """Wide latents of scaled POD coefficients."""
        y = self.encoder(a)
        for matrix in self.linear:
            y = y @ matrix
        return y

    def sizes(self) -> Mapping[str, int]:
        """See `Reducer.sizes`."""
        return {"state_dim": self.state_dim, "modes": self.modes.count}


@dataclass(frozen=True)
class IRMAESpec(ReducerSpec):
    """Settings of IRMAE-WD; `latent_dim` is how many principal coordinates are kept, whatever the count says.

    Attributes:
        bottleneck: width W of the latent space in training, more than can be needed, >= latent_dim.
        linear_layers: square matrices between encoder and latents, >= 1; more of them prefer lower ranks.
        width: units per hidden layer, >= 1.
        depth: hidden layers on each side, >= 1.
        activation: a name of `dynred.training.nets.ACTIVATIONS`, a smooth one: velocities are pushed through the
            derivative.
        tolerance: fraction of the energy that the POD modes may leave out, see `AutoencoderSpec`.
        max_modes: largest number of POD modes, see `AutoencoderSpec`.
        training: batches, steps, rates; `weight_decay` is per unit of learning rate. Muon moves the hidden matrices of
            the two perceptrons only, never the square matrices, all directions of which it would treat alike. Small
            singular values are learnt last: too few steps give too small a count (on Kuramoto-Sivashinsky, 5000 steps
            give 7 without Muon and 8 with it).
    """

    bottleneck: int = 20
    linear_layers: int = 4
    width: int = 256
    depth: int = 2
    activation: str = "gelu"
    tolerance: float = 1e-8
    max_modes: int = 256
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(
            steps=5000, batch_size=128, learning_rate=3e-3, muon=5.0, weight_decay=0.005, warmup=0.1
        )
    )

    def __post_init__(self):
        super().__post_init__()
        count("bottleneck", self.bottleneck, self.latent_dim, WIDEST)
        count("linear_layers", self.linear_layers, 1, DEEPEST)
        count("width", self.width, 1, WIDEST)
        count("depth", self.depth, 1, DEEPEST)
        count("max_modes", self.max_modes, 1, MOST_MODES)
        one_of("activation", self.activation, ACTIVATIONS)
        if not 0 < self.tolerance < 1:
            raise refuse("tolerance", "in (0, 1)", self.tolerance)

    def _fit(self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime) -> IRMAE:
        """The autoencoder trained on the snapshots of `train`, then rotated to principal coordinates; see
        `ReducerSpec._fit`."""
        device = runtime.torch_device()
        count = min(self.bottleneck, train.dim)
        modes = Modes.of(train.states.double(), count, scaled=True, tolerance=self.tolerance, limit=self.max_modes)
        reducer = IRMAE(self, modes, spawn(rng, "weights")).to(device)
        known, held = (_coefficients(modes, part.states).to(device) for part in (train, validation))
        energy = known.pow(2).sum(-1).mean()

        def loss(a: Tensor) -> Tensor:
            return (reducer.decoder(reducer.encode_coefficients(a)) - a).pow(2).sum(-1).mean() / energy

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
        _to_principal_coordinates(reducer, known)
        return reducer

    def memory(self, state_dim: int, train: int, validation: int) -> int:
        """See `ReducerSpec.memory`: modes, coefficients, the networks and the square matrices between them."""
        modes, wide, hidden = min(self.max_modes, state_dim, train), self.bottleneck, [self.width] * self.depth
        networks = [[modes, *hidden, wide], [wide] * (self.linear_layers + 1), [wide, *hidden, modes]]
        fitted = training_bytes(networks, self.training.batch_size, validation)
        return Modes.memory(state_dim, train) + 12 * (train + validation) * modes + fitted

    def build(self, state_dim: int, modes: int) -> IRMAE:  # type: ignore[override] # its sizes by name
        """See `ReducerSpec.build`."""
        return IRMAE(self, Modes.empty(state_dim, modes), generator(0)).requires_grad_(False)


def latent_rank(
    train: Trajectories,
    validation: Trajectories,
    *,
    rng: torch.Generator,
    spec: IRMAESpec | None = None,
    runtime: Runtime | None = None,
) -> tuple[int, float]:
    """How many Euclidean coordinates IRMAE-WD finds, and the gap by which it tells them from the rest.

    Args:
        train: states, as for `ReducerSpec.fit`.
        validation: states of other trajectories, as for `ReducerSpec.fit`.
        rng: stream of the training.
        spec: settings; default `IRMAESpec(1)`.
        runtime: device, progress, checkpoints.

    Returns:
        The count, and the ratio of the singular values on both sides of it: below 10 the count means little.
    """
    reducer = (spec or IRMAESpec(1)).fit(train, validation, rng=rng, runtime=runtime)
    assert isinstance(reducer, IRMAE)
    return reducer.count()


def _matrix(width: int, rng: torch.Generator) -> nn.Parameter:
    bound = width**-0.5
    return nn.Parameter(torch.empty(width, width).uniform_(-bound, bound, generator=rng))


def _to_principal_coordinates(reducer: IRMAE, known: Float[Tensor, "M Q"]) -> None:
    with torch.no_grad():
        wide = torch.cat([reducer.encode_coefficients(part) for part in pieces(known)]).double()
        centre = wide.mean(0)
        _, values, rows = torch.linalg.svd((wide - centre).T @ (wide - centre) / len(wide))
        reducer.centre.copy_(centre)
        reducer.directions.copy_(rows[: reducer.spec.latent_dim].T)
        reducer.spectrum.copy_(values / values[0])


def _coefficients(modes: Modes, x: Tensor) -> Float[Tensor, "M Q"]:
    return torch.cat([modes.coefficients(part).float() for part in pieces(x)])
