"""Latent spaces T^angles x R^lines: what a latent coordinate vector means."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, refuse
from dynred.numerics.lattice import Lattice
from dynred.numerics.representation import Representation
from dynred.spec import ADDED, Spec

MOST = 100_000  # largest number of coordinates of one kind


@dataclass(frozen=True)
class LatentSpace(Spec):
    """T^angles x R^lines: the first `angles` coordinates are angles in radians, the others real numbers.

    Attributes:
        angles: number of angles, >= 0.
        lines: number of real coordinates, >= 0; not both are 0.
        representation: how symmetries act on the coordinates, which are lines then; None where no symmetry is known.
        lattice: the lattice of points whose values the coordinates are, which are lines then; None where they are none.
    """

    angles: int = 0
    lines: int = 1
    representation: Representation | None = field(default=None, metadata=ADDED)
    lattice: Lattice | None = field(default=None, metadata=ADDED)

    def __post_init__(self):
        count("angles", self.angles, 0, MOST)
        count("lines", self.lines, 0, MOST)
        if self.dim == 0:
            raise refuse("latent space", "of at least one coordinate", "none", "Give `angles` or `lines`.")
        if self.representation is not None and (self.angles or self.lines != self.representation.dim):
            raise refuse("lines", f"{self.representation.dim}, those on which symmetries act", self.lines)
        if self.lattice is not None and (self.angles or self.lines != self.lattice.dim):
            raise refuse("lines", f"{self.lattice.dim}, the values on the lattice", self.lines)

    @property
    def dim(self) -> int:
        """Number of latent coordinates R."""
        return self.angles + self.lines

    @property
    def feature_dim(self) -> int:
        """Number of features F."""
        return 2 * self.angles + self.lines

    def features(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch F"]:
        """Cosines and sines of the angles, then the lines.

        Decoders and vector fields are functions of these, so both are periodic in every angle.
        """
        if self.angles == 0:
            return z
        angle = z[..., : self.angles]
        return torch.cat([torch.cos(angle), torch.sin(angle), z[..., self.angles :]], -1)

    def coordinates(self, y: Float[Tensor, "*batch F"]) -> Float[Tensor, "*batch R"]:
        """The latent coordinates of features; the length of a (cosine, sine) pair does not matter.

        This is a left inverse of `features` up to whole turns: angles are atan2(sine, cosine), in [-pi, pi]. Its
        derivative is smooth across the cut at pi, so that velocities pushed through it are right there too. A pair
        (0, 0) has no angle.
        """
        a = self.angles
        return y if a == 0 else torch.cat([torch.atan2(y[..., a : 2 * a], y[..., :a]), y[..., 2 * a :]], -1)

    def moduli(self, y: Float[Tensor, "*batch F"]) -> Float[Tensor, "*batch A"]:
        """The length of every (cosine, sine) pair of features; where it is small, `coordinates` is ill-conditioned."""
        a = self.angles
        return torch.hypot(y[..., :a], y[..., a : 2 * a])

    def difference(self, a: Float[Tensor, "*batch R"], b: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """a - b, with angles wrapped into [-pi, pi)."""
        d = a - b
        if self.angles == 0:
            return d
        wrapped = torch.remainder(d[..., : self.angles] + torch.pi, 2 * torch.pi) - torch.pi
        return torch.cat([wrapped, d[..., self.angles :]], -1)
