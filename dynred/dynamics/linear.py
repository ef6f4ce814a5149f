"""Linear latent dynamics, the baseline: z' = A z + b by least squares on velocities, integrated exactly."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.vector_field import Parameters
from dynred.runtime import Progress, silent
from dynred.solvers.base import end_at_blow_up


class Linear(VectorFieldDynamics):
    """z' = A z + b in standard units, y' = matrix @ (y, 1)."""

    matrix: Float[Tensor, "R R+1"]

    def __init__(
        self, spec: "LinearSpec", space: LatentSpace, units: Standardisation, matrix: Float[Tensor, "R R+1"]
    ) -> None:
        super().__init__()
        self.spec, self.latent_space, self.units = spec, space, units
        self.register_buffer("matrix", matrix)

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`."""
        y = self.units.standard(z.double())
        return ((y @ self.matrix[:, :-1].T + self.matrix[:, -1]) * self.units.spread).to(z.dtype)

    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        parameters: Parameters | None = None,
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """See `LatentDynamics.rollout`. Matrix exponentials of the affine system give all states at once, exactly."""
        r = self.dim
        affine = torch.zeros(r + 1, r + 1, dtype=torch.float64, device=self.matrix.device)
        affine[:r] = self.matrix
        flow = torch.matrix_exp((t - t[0]).double()[:, None, None] * affine)
        y = self.units.standard(z0.double())
        ones = torch.ones_like(y[:, :1])
        path = torch.einsum("tij,nj->nti", flow, torch.cat([y, ones], -1))[..., :r]
        return self.units.latent(end_at_blow_up(path, float("inf") if self.latent_space.angles else self.limit))

    def sizes(self) -> Mapping[str, int]:
        """See `LatentDynamics.sizes`."""
        return {}


@dataclass(frozen=True)
class LinearSpec(DynamicsSpec):
    """Settings of linear dynamics: there are none."""

    def _fit(self, data: LatentData) -> Linear:
        """The least squares fit; see `DynamicsSpec._fit`. Draws nothing from `rng`."""
        units, latents = data.units(), data.latents
        y = units.standard(latents.states.double())
        v = latents.velocities.double() / units.spread  # type: ignore[union-attr] # `data.units` has checked that they exist
        design = torch.cat([y, torch.ones_like(y[:, :1])], -1)
        matrix = torch.linalg.lstsq(design, v, driver="gelsd").solution.T.contiguous()
        return Linear(self, data.latent_space, units, matrix)

    def build(self, latent_space: LatentSpace) -> Linear:  # type: ignore[override] # its sizes by name
        """See `DynamicsSpec.build`."""
        r = latent_space.dim
        return Linear(self, latent_space, Standardisation.empty(r), torch.zeros(r, r + 1, dtype=torch.float64))
