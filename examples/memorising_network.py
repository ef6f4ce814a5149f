"""A ReLU network of width 2 with explicit weights that memorises any samples: no training, no error, no knowledge of K.

M. Hernandez, E. Zuazua, arXiv 2409.06555 (2024), show that such networks exist, with depth 2 N + 4 M - 1 for N points
in M classes. The construction here is for one real number per point: a string of max and min, each a layer of two
units, 2 N - 2 layers in all. The string is that of B. Hanin, M. Sellke, arXiv 1710.11278 (2017).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.numerics.latent_space import LatentSpace
from dynred.reducers.base import Reducer, ReducerSpec

# Sign of the unit, slope and offset: the layer takes the maximum (+1) or minimum (-1) with a line.
Line = tuple[float, float, float]


@dataclass(frozen=True)
class MemoriserSpec(ReducerSpec):
    """No settings: one latent coordinate."""

    latent_dim: int = 1

    def _fit(self, train, validation, *, rng, runtime):
        """See `ReducerSpec._fit`."""
        return Memoriser.of(train.states, rng=rng)

    def build(self, samples: int, state_dim: int):  # type: ignore[override] # its sizes by name
        """See `ReducerSpec.build`."""
        return Memoriser(torch.zeros(state_dim), torch.zeros(state_dim), torch.zeros(state_dim, 2 * samples - 2, 3))


class Memoriser(Reducer):
    """One latent coordinate z along a line; every state coordinate is a network of width 2 of z.

    Attributes:
        direction: direction of the line [D].
        first: the value of every state coordinate before the first layer [D].
        lines: sign, slope and offset of every layer [D, L, 3].
    """

    direction: Tensor
    first: Tensor
    lines: Tensor

    def __init__(self, direction: Tensor, first: Tensor, lines: Tensor):
        super().__init__()
        self.spec, self.state_dim, self.latent_space = MemoriserSpec(), len(direction), LatentSpace(lines=1)
        for name, value in (("direction", direction), ("first", first), ("lines", lines)):
            self.register_buffer(name, value)

    @classmethod
    def of(cls, samples: Float[Tensor, "N D"], *, rng: torch.Generator) -> "Memoriser":
        """The network that returns these samples; a random line separates them with probability 1."""
        direction = torch.nn.functional.normalize(
            torch.randn(samples.shape[1], generator=rng, dtype=torch.float64), dim=0
        )
        z, order = torch.sort(samples @ direction)
        targets = samples[order].T
        lines = [_string(z.tolist(), y.tolist()) for y in targets]
        return cls(direction, targets[:, 0].clone(), torch.tensor(lines, dtype=torch.float64))

    @property
    def depth(self) -> int:
        """Hidden layers of each of the D networks."""
        return self.lines.shape[1]

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch 1"]:
        """See `Reducer.encode`."""
        return (x.double() @ self.direction)[..., None]

    def decode(self, z: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch D"]:
        """See `Reducer.decode`. Each layer has two units: one for z, which an offset keeps positive, one for the
        value."""
        value = self.first.expand(*z.shape[:-1], self.state_dim)
        for sign, slope, offset in self.lines.permute(1, 2, 0):
            line = slope * z + offset
            value = line + sign * torch.relu(sign * (value - line))
        return value

    def sizes(self) -> dict[str, int]:
        """See `Reducer.sizes`."""
        return {"samples": self.depth // 2 + 1, "state_dim": self.state_dim}


def _string(z: list[float], y: list[float]) -> list[Line]:
    """Layers after which f(z_i) = y_i for all i, for increasing z, from f = y_0.

    Every new point takes two layers. The maximum with a rising line through the last point raises f at the new one: the
    line passes above the new point and below all points before the last. The minimum with a falling line through the
    new point then lowers f to y there: this line passes above all points before.
    """
    layers: list[Line] = []
    for i in range(len(z) - 1):
        current, before = _value(layers, y[0], z[i + 1]), range(i)
        top = max(current, y[i + 1])
        rise = max([(top - y[i]) / (z[i + 1] - z[i]), *((y[i] - y[j]) / (z[i] - z[j]) for j in before), 0.0])
        layers.append((1.0, rise, y[i] - rise * z[i]))
        fall = max([*((y[j] - y[i + 1]) / (z[i + 1] - z[j]) for j in range(i + 1)), 0.0])
        layers.append((-1.0, -fall, y[i + 1] + fall * z[i + 1]))
    return layers


def _value(layers: list[Line], first: float, z: float) -> float:
    value = first
    for sign, slope, offset in layers:
        value = max(value, slope * z + offset) if sign > 0 else min(value, slope * z + offset)
    return value
