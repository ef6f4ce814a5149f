"""Symmetry-adapted POD modes: the modes of every charge by themselves, so that each mode carries a charge.

A group of symmetries leaves amplitudes of different charges uncorrelated, so POD of the snapshots and all their images
falls into POD of the amplitudes of each charge: one mode for each wave number of a scalar field in one dimension,
several where there are several components or further axes. Discrete symmetries that keep all charges and are their own
inverse (signs) divide the modes of each charge further, into those that keep and those that change their sign. Where a
mirror symmetry reverses all charges, phases are chosen such that it acts as complex conjugation.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from dynred.numerics.batches import pieces
from dynred.numerics.representation import Representation

DEAD = 1e-14  # of the energy: modes with less are round-off
SNAPSHOTS = 4000  # most snapshots whose amplitudes of one charge are looked at, where the charge has many amplitudes
WIDE = 1500  # number of amplitudes of one charge from which on a covariance matrix of them costs too much

Charge = tuple[int, ...]


class Harmonics(Protocol):
    """A unitary transform of states to amplitudes with charges; see `dynred.data.symmetry_group.Group`."""

    @property
    def orders(self) -> tuple[int, ...]:
        """The order of each generator; 0 for a continuous one."""
        ...

    @property
    def charges(self) -> Int[Tensor, "D G"]:
        """The charges of every amplitude."""
        ...

    @property
    def partners(self) -> Int[Tensor, " D"]:
        """Where the complex conjugate of every amplitude stands."""
        ...

    @property
    def representable(self) -> Bool[Tensor, " D"]:
        """Which amplitudes have a charge."""
        ...

    def amplitudes(self, x: Float[Tensor, "*batch D"]) -> Complex[Tensor, "*batch D"]:
        """The amplitudes of states."""
        ...

    def state(self, a: Complex[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """The real part of the states with these amplitudes."""
        ...


Exchange = Callable[[Float[Tensor, "*batch D"]], Float[Tensor, "*batch D"]]


@dataclass(frozen=True, eq=False)
class AdaptedModes:
    """Orthonormal modes by kind (complex ones, which are two columns each, then real ones) and energy.

    Attributes:
        mean: the mean snapshot [D], as far as the symmetries leave it where it is.
        basis: columns [D, Q].
        representation: how the group acts on the coefficients.
        energy: fraction of the mean squared deviation in each mode: complex ones, then real ones.
        left_out: fraction of the mean squared deviation in amplitudes without a charge.
    """

    mean: Float[Tensor, " D"]
    basis: Float[Tensor, "D Q"]
    representation: Representation
    energy: Float[Tensor, " modes"]
    left_out: float

    @classmethod
    def of(
        cls,
        x: Float[Tensor, "M D"],
        harmonics: Harmonics,
        mirror: Exchange | None,
        *,
        signs: Sequence[Exchange] = (),
        tolerance: float,
        limit: int,
    ) -> "AdaptedModes":
        """The modes of snapshots.

        Args:
            x: snapshots, float64.
            harmonics: the amplitudes on which the group acts.
            mirror: a symmetry that reverses all charges and is its own inverse; None where there is none.
            signs: symmetries that keep all charges, are their own inverses, and commute with each other and with the
                mirror. Each is one more generator, of order 2.
            tolerance: the fraction of energy that modes that are left out may have together.
            limit: largest number of columns.
        """
        pairs, reals = _sectors(harmonics)
        still = [indices for charge, indices in reals.items() if not any(charge)]
        mean = _still_mean(x, harmonics, [*signs, *([] if mirror is None else [mirror])], still[0] if still else None)
        kinds = []
        centred = x - mean
        for charge, indices in pairs.items():
            covariance = _covariance(centred, harmonics, indices)
            for bits, space in _divided(harmonics, signs, indices):
                modes = _pair_modes(covariance, harmonics, mirror, indices, space)
                kinds.append(_Kind((*charge, *bits), 1, False, *modes))
        for charge, indices in reals.items():
            covariance = _covariance(centred, harmonics, indices)
            for bits, space in _divided(harmonics, signs, indices):
                for parity, modes in _real_modes(covariance.real, harmonics, mirror, indices, space.real):
                    kinds.append(_Kind((*charge, *bits), parity, True, *modes))
        total = float(centred.pow(2).sum(1).mean().clamp_min(torch.finfo(x.dtype).tiny))
        orders = (*harmonics.orders, *(2 for _ in signs))
        return cls._chosen(kinds, mean, total, orders, mirror is not None, tolerance, limit)

    @classmethod
    def _chosen(
        cls,
        kinds: list["_Kind"],
        mean: Tensor,
        total: float,
        orders: tuple[int, ...],
        mirrored: bool,
        tolerance: float,
        limit: int,
    ) -> "AdaptedModes":
        each = [(float(e) / total, kind, i) for kind in kinds for i, e in enumerate(kind.energy)]
        each.sort(key=lambda entry: -entry[0])
        covered, columns, chosen = 0.0, 0, []
        held = sum(energy for energy, _, _ in each)
        for energy, kind, i in each:
            width = 1 if kind.real else 2
            if energy <= DEAD or held - covered <= tolerance or columns + width > limit:
                break
            chosen.append((energy, kind, i))
            covered, columns = covered + energy, columns + width
        chosen.sort(key=lambda entry: entry[1].real)
        vectors = [kind.vectors[:, i] for _, kind, i in chosen]
        basis = torch.cat(vectors, 0).T.contiguous() if vectors else mean.new_zeros(len(mean), 0)
        representation = Representation(
            tuple(kind.charge for _, kind, _ in chosen if not kind.real),
            tuple(kind.charge for _, kind, _ in chosen if kind.real),
            orders,
            mirrored,
            tuple(kind.parity for _, kind, _ in chosen if kind.real) if mirrored else (),
        )
        energies = torch.tensor([energy for energy, _, _ in chosen], dtype=torch.float64)
        return cls(mean, basis, representation, energies, max(0.0, 1 - held))


@dataclass(frozen=True, eq=False)
class _Kind:
    """The modes of one charge and parity: energies [n], and columns [1 or 2, n, D]."""

    charge: Charge
    parity: int
    real: bool
    energy: Float[Tensor, " n"]
    vectors: Float[Tensor, "parts n D"]


def _sectors(harmonics: Harmonics) -> tuple[dict[Charge, Tensor], dict[Charge, Tensor]]:
    """The amplitudes of every charge: complex ones, of which one of each pair of conjugates is taken, and real ones."""
    orders, partners = harmonics.orders, harmonics.partners.tolist()
    pairs: dict[Charge, list[int]] = defaultdict(list)
    reals: dict[Charge, list[int]] = defaultdict(list)
    for j, (charge, there) in enumerate(zip(harmonics.charges.tolist(), harmonics.representable.tolist(), strict=True)):
        key = tuple(q % n if n else q for q, n in zip(charge, orders, strict=True))
        if not there:
            continue
        if partners[j] == j:
            reals[key].append(j)
        elif [q - n if n and 2 * q > n else q for q, n in zip(key, orders, strict=True)] > [0] * len(orders):
            pairs[key].append(j)
    return tuple({charge: torch.tensor(at) for charge, at in group.items()} for group in (pairs, reals))  # type: ignore[return-value]


def _still_mean(x: Tensor, harmonics: Harmonics, exchanges: Sequence[Exchange], still: Tensor | None) -> Tensor:
    """The mean of snapshots and of all their images."""
    mean = x.mean(0)
    if still is None:
        return torch.zeros_like(mean)
    kept = torch.zeros(len(mean), dtype=torch.complex128)
    kept[still] = harmonics.amplitudes(mean)[still]
    mean = harmonics.state(kept)
    for exchange in exchanges:
        mean = (mean + exchange(mean)) / 2
    return mean


def _units(harmonics: Harmonics, indices: Tensor, factor: complex) -> Tensor:
    """The real states [m, D] whose amplitudes are `factor` at one of the indices, and its conjugate at the partner."""
    a = torch.zeros(len(indices), len(harmonics.partners), dtype=torch.complex128)
    rows = torch.arange(len(indices))
    a[rows, indices] = torch.full((len(indices),), factor, dtype=a.dtype)
    partner = harmonics.partners[indices]
    a[rows, partner] = torch.where(partner == indices, factor, factor.conjugate()).to(a)
    return harmonics.state(a)


def _covariance(x: Tensor, harmonics: Harmonics, indices: Tensor) -> Tensor:
    """Mean of amplitude times conjugate amplitude [m, m]."""
    wide = len(indices) > WIDE
    rows = x[torch.linspace(0, len(x) - 1, min(SNAPSHOTS, len(x))).long()] if wide else x
    total = torch.zeros(len(indices), len(indices), dtype=torch.complex128)
    for part in pieces(rows):
        a = harmonics.amplitudes(part)[:, indices]
        total += a.T @ a.conj()
    return total / len(rows)


def _images(harmonics: Harmonics, exchange: Exchange, indices: Tensor) -> Complex[Tensor, "m m"]:
    """The matrix by which a symmetry acts on amplitudes of a charge, or on their conjugates if it reverses charges."""
    return harmonics.amplitudes(exchange(_units(harmonics, indices, 1.0)))[:, indices].T


def _divided(
    harmonics: Harmonics, signs: Sequence[Exchange], indices: Tensor
) -> list[tuple[tuple[int, ...], Complex[Tensor, "m n"]]]:
    """Orthonormal bases of the amplitudes of a charge on which signs act alike: 0 for those that one keeps, else 1."""
    parts: list[tuple[tuple[int, ...], Tensor]] = [((), torch.eye(len(indices), dtype=torch.complex128))]
    for sign in signs:
        matrix, before, parts = _images(harmonics, sign, indices), parts, []
        for bits, space in before:
            value, vector = torch.linalg.eigh(space.mH @ matrix @ space)
            parts += [
                ((*bits, bit), space @ vector[:, chosen])
                for bit, chosen in ((0, value > 0), (1, value < 0))
                if chosen.any()
            ]
    return parts


def _pair_modes(
    covariance: Complex[Tensor, "m m"],
    harmonics: Harmonics,
    mirror: Exchange | None,
    indices: Tensor,
    space: Complex[Tensor, "m n"],
) -> tuple[Tensor, Tensor]:
    """Energies [n] and columns [2, n, D] of the modes of one charge among the amplitudes that a basis spans."""
    covariance = space.mH @ covariance @ space
    if mirror is None:
        energy, profiles = torch.linalg.eigh(covariance)
    else:
        fixed = _fixed(space.mH @ _images(harmonics, mirror, indices) @ space.conj())
        energy, inner = torch.linalg.eigh((fixed.mH @ covariance @ fixed).real)
        profiles = fixed @ inner.to(fixed.dtype)
    profiles = space @ profiles
    real, imaginary = (_units(harmonics, indices, factor) for factor in (1.0, 1j))
    # The state of the amplitude p + i q of an index is p times its first unit plus q times its second.
    re, im = profiles.real.T, profiles.imag.T
    vectors = torch.stack([re @ real + im @ imaginary, re @ imaginary - im @ real]) / 2**0.5
    return 2 * energy.flip(0).clamp_min(0), vectors.flip(1)


def _fixed(matrix: Complex[Tensor, "m m"]) -> Complex[Tensor, "m m"]:
    """An orthonormal basis of vectors v = matrix conj(v), where that map is its own inverse."""
    m = len(matrix)
    candidates = torch.cat(
        [torch.eye(m, dtype=matrix.dtype) + matrix, 1j * (torch.eye(m, dtype=matrix.dtype) - matrix)], 1
    )
    left, _, _ = torch.linalg.svd(torch.cat([candidates.real, candidates.imag]))
    return torch.complex(left[:m, :m], left[m:, :m])


def _real_modes(
    covariance: Float[Tensor, "m m"],
    harmonics: Harmonics,
    mirror: Exchange | None,
    indices: Tensor,
    space: Float[Tensor, "m n"],
) -> list[tuple[int, tuple[Tensor, Tensor]]]:
    """For every parity, energies [n] and columns [1, n, D] of the real modes of one charge among those of a basis."""
    units = _units(harmonics, indices, 1.0)
    spaces = [(1, space)]
    if mirror is not None:
        value, vector = torch.linalg.eigh(space.T @ _images(harmonics, mirror, indices).real @ space)
        spaces = [(sign, space @ vector[:, sign * value > 0]) for sign in (1, -1)]
    modes = []
    for parity, own in spaces:
        energy, inner = torch.linalg.eigh(own.T @ covariance @ own)
        vectors = (own @ inner).T @ units
        modes.append((parity, (energy.flip(0).clamp_min(0), vectors.flip(0)[None])))
    return modes
