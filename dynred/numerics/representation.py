"""How a group of symmetries acts on coordinates: by phases, whole numbers of turns that are called charges."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, refuse
from dynred.spec import Spec

MOST = 100_000  # largest number of coordinates


@dataclass(frozen=True)
class Representation(Spec):
    """Complex coordinates, two real numbers side by side (real part, imaginary part), then real ones.

    An element of the group with the angles s turns the complex coordinate j by the phase charges[j] . s. A real
    coordinate keeps its value; under a cyclic group of even order it may change its sign, with half the order as its
    charge.

    Attributes:
        complex_charges: the charges of every complex coordinate, one for each generator of the group.
        real_charges: those of every real coordinate.
        orders: order of each generator; 0 for a continuous one.
        mirrored: whether complex conjugation of all complex coordinates is a symmetry, too.
        parities: by what that multiplies every real coordinate, 1 or -1; none where there is no such symmetry.
    """

    complex_charges: tuple[tuple[int, ...], ...] = ()
    real_charges: tuple[tuple[int, ...], ...] = ()
    orders: tuple[int, ...] = ()
    mirrored: bool = False
    parities: tuple[int, ...] = ()

    def __post_init__(self):
        count("number of coordinates", self.dim, 0, MOST)
        if any(len(charge) != len(self.orders) for charge in (*self.complex_charges, *self.real_charges)):
            raise refuse("charges", f"{len(self.orders)} whole numbers for every coordinate", "others")
        if any(abs(number) > MOST for charge in (*self.complex_charges, *self.real_charges) for number in charge):
            raise refuse("charges", f"at most {MOST}", "larger ones")
        if self.orders and min(self.orders) < 0:
            raise refuse("orders", ">= 0", min(self.orders))
        wanted = len(self.real_charges) if self.mirrored else 0
        if len(self.parities) != wanted or set(self.parities) - {1, -1}:
            raise refuse("parities", f"{wanted} signs", self.parities)

    @property
    def complex_count(self) -> int:
        """Number of complex coordinates."""
        return len(self.complex_charges)

    @property
    def real_count(self) -> int:
        """Number of real coordinates."""
        return len(self.real_charges)

    @property
    def dim(self) -> int:
        """Number of real numbers R."""
        return 2 * self.complex_count + self.real_count

    def reduced(self, charge: tuple[int, ...]) -> tuple[int, ...]:
        """A charge, with the numbers that belong to cyclic groups in [0, order)."""
        return tuple(q % n if n else q for q, n in zip(charge, self.orders, strict=True))

    def turned(self, z: Float[Tensor, "*batch R"], angles: tuple[float, ...]) -> Float[Tensor, "*batch R"]:
        """Coordinates moved by the element of the group with these angles, one for each generator, in radians."""
        pairs, rest = z[..., : 2 * self.complex_count], z[..., 2 * self.complex_count :]
        phase = self._phases(self.complex_charges, angles)
        re, im = pairs[..., 0::2], pairs[..., 1::2]
        cos, sin = torch.cos(phase), torch.sin(phase)
        moved = torch.stack([cos * re - sin * im, sin * re + cos * im], -1).flatten(-2)
        return torch.cat([moved, rest * torch.cos(self._phases(self.real_charges, angles))], -1)

    def mirror_image(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """Coordinates moved by the conjugation, where that is a symmetry."""
        assert self.mirrored
        signs = torch.tensor([1.0, -1.0] * self.complex_count + list(self.parities), dtype=z.dtype)
        return z * signs

    @staticmethod
    def _phases(charges: tuple[tuple[int, ...], ...], angles: tuple[float, ...]) -> Tensor:
        turns = [math.fsum(q * s for q, s in zip(charge, angles, strict=True)) for charge in charges]
        return torch.tensor(turns, dtype=torch.float64)
