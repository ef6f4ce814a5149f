"""POD modes of a set of snapshots: an orthonormal basis ordered by energy, and coefficients of states in it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

DIRECT = 3000  # up to this dimension the covariance matrix is formed, beyond it the snapshots' Gram matrix
SUBSET = 4000  # largest number of snapshots in a Gram matrix
MOST_MODES = 10**6


class Modes(nn.Module):
    """An affine chart a = basis^T (x - mean) / scale with orthonormal columns, in float64.

    Attributes:
        mean: mean snapshot [D].
        basis: modes [D, Q], orthonormal columns, by decreasing energy.
        scale: unit of the coefficients, one number for all so that distances keep their meaning.
        energy: fraction [Q] of the mean squared deviation in each mode.
    """

    mean: Float[Tensor, " D"]
    basis: Float[Tensor, "D Q"]
    scale: Float[Tensor, ""]
    energy: Float[Tensor, " Q"]

    def __init__(
        self,
        mean: Float[Tensor, " D"],
        basis: Float[Tensor, "D Q"],
        scale: Float[Tensor, ""],
        energy: Float[Tensor, " Q"],
    ) -> None:
        super().__init__()
        for name, value in (("mean", mean), ("basis", basis), ("scale", scale), ("energy", energy)):
            self.register_buffer(name, value)

    @classmethod
    def of(
        cls, x: Float[Tensor, "M D"], count: int, *, scaled: bool, tolerance: float = 0.0, limit: int = 10**6
    ) -> "Modes":
        """The leading modes of snapshots.

        Args:
            x: snapshots, float64.
            count: number of modes to keep; with a `tolerance`, the least number.
            scaled: whether to divide coefficients by the root mean square of the leading `count`; else `scale` is 1.
            tolerance: enough modes are kept to leave out at most this fraction of energy, if that can be reached.
            limit: with a tolerance, the largest number of modes, unless `count` is larger.
        """
        mean = x.mean(0)
        x = x - mean
        basis, energy = _covariance_modes(x) if x.shape[1] <= DIRECT else _gram_modes(x, count)
        fraction = energy / x.pow(2).sum(1).mean().clamp_min(torch.finfo(x.dtype).tiny)
        scale = energy[:count].mean().sqrt() if scaled else torch.ones((), dtype=x.dtype)
        if tolerance > 0:
            needed = int((1 - torch.cumsum(fraction, 0) > tolerance).sum()) + 1
            count = max(count, min(limit, needed))
        count = min(count, basis.shape[1])
        return cls(mean, basis[:, :count].contiguous(), scale, fraction[:count])

    @staticmethod
    def memory(dim: int, snapshots: int) -> int:
        """About how many bytes `of` takes beside the snapshots.

        It takes two copies of them, and the matrix whose eigenvectors are computed.
        """
        copies, subset = 2 * snapshots * dim, min(SUBSET, snapshots)
        if dim <= DIRECT:
            return 8 * (copies + 5 * dim**2)
        return 8 * (copies + 4 * subset * dim + 5 * subset**2 + 2 * snapshots * subset)

    @classmethod
    def empty(cls, dim: int, count: int) -> "Modes":
        """Modes of zeros, with the shapes of those that are to be loaded into them."""
        zeros = torch.zeros(dim, count, dtype=torch.float64)
        return cls(zeros[:, 0].clone(), zeros, torch.ones((), dtype=torch.float64), zeros[0].clone())

    @property
    def count(self) -> int:
        """Number of modes Q."""
        return self.basis.shape[1]

    def coefficients(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch Q"]:
        """The coefficients of states, in the dtype of the modes."""
        return (x.to(self.basis) - self.mean) @ self.basis / self.scale

    def state(self, a: Float[Tensor, "*batch Q"]) -> Float[Tensor, "*batch D"]:
        """The state with these coefficients."""
        return nn.functional.linear(a.to(self.basis) * self.scale, self.basis, self.mean)


def _covariance_modes(x: Float[Tensor, "M D"]) -> tuple[Tensor, Tensor]:
    energy, basis = torch.linalg.eigh(x.T @ x / len(x))
    return basis.flip(1), energy.flip(0).clamp_min(0)


def _gram_modes(x: Float[Tensor, "M D"], count: int) -> tuple[Tensor, Tensor]:
    # Method of snapshots (L. Sirovich, Quart. Appl. Math. 45, 561 (1987)) on evenly spread snapshots; the energies are
    # then measured on all snapshots. Where the rank is below `count`, QR completes the basis.
    subset = x[torch.linspace(0, len(x) - 1, min(SUBSET, len(x))).long()]
    value, vector = torch.linalg.eigh(subset @ subset.T)
    value, vector = value.flip(0), vector.flip(1)
    floor = (value[0] * 1e-13).clamp_min(torch.finfo(x.dtype).tiny)
    keep = (value > floor) | (torch.arange(len(value)) < count)
    basis = torch.linalg.qr(subset.T @ (vector[:, keep] / value[keep].clamp_min(floor).sqrt()))[0]
    energy, order = (x @ basis).pow(2).mean(0).sort(descending=True)
    return basis[:, order], energy
