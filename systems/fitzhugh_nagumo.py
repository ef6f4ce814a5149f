"""FitzHugh-Nagumo equations in one dimension: a front that moves to and fro."""

import torch
from torch import Tensor

from dynred.checks import integer, positive
from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Reflection
from dynred.ode.known_set import KnownSet
from dynred.ode.semilinear import Semilinear
from dynred.ode.spectral import Constant, cosine_modes, resolved
from dynred.ode.system import System


def fitzhugh_nagumo(points: int = 101, length: float = 20.0) -> System:
    """u_t = u_xx D_u + u - u^3 - v, v_t = D_v v_xx + epsilon (u - a1 v - a0) on [0, length], no flux through the ends.

    u activator, v inhibitor. State: u at the points, then v. Spectral in space (cosine modes, both ends are points),
    semilinear: L = -D k^2. Parameters (dimensionless), those of Vlachas et al.: `epsilon` (.006), `a0` (-.03),
    `a1` (2), `diffusion_u` (1), `diffusion_v` (4), both > 0. Length and time are dimensionless.

    Known exactly: uniform states stay uniform and obey the two equations without diffusion, whose nullclines are
    v = u - u^3 and u = a1 v + a0. Measured at the defaults: trajectories end in one limit cycle of period 185.63; its
    mirror image is another limit cycle.

    Args:
        points: collocation points, >= 16. Vlachas et al. take 101 in a lattice Boltzmann scheme.
        length: domain length, > 0.

    References:
        P. R. Vlachas, G. Arampatzis, C. Uhler, P. Koumoutsakos, Nat. Mach. Intell. 4, 359 (2022).
        I. V. Karlin, S. Ansumali, C. E. Frouzakis, S. S. Chikatamarla, Phys. Rev. Lett. 97, 010201 (2006).

    Raises:
        InputError: a number is out of range, or the diffusion is too small for the grid; the message names a finer one.
    """
    integer("points", points, 16)
    modes = cosine_modes(points, positive("length", length))
    spacing, k2 = length / (points - 1), Constant(modes.wave_numbers**2)

    def to_modes(state: Tensor) -> Tensor:
        return modes.amplitudes(state.unflatten(-1, (2, points))).flatten(-2)

    def from_modes(v: Tensor) -> Tensor:
        return modes.values(v.unflatten(-1, (2, points))).flatten(-2)

    def linear(epsilon: Tensor, a0: Tensor, a1: Tensor, diffusion_u: Tensor, diffusion_v: Tensor) -> Tensor:
        # A front of u is 2 sqrt(2 D_u) wide; v is slower and therefore smoother.
        resolved("diffusion_u", diffusion_u, spacing**2 / 4, points, 2)
        resolved("diffusion_v", diffusion_v, spacing**2 / 4, points, 2)
        both = torch.stack(torch.broadcast_tensors(diffusion_u, diffusion_v), -1)
        return (-both[..., None] * k2.on(both)).flatten(-2)

    def nonlinear(
        t: Tensor, w: Tensor, epsilon: Tensor, a0: Tensor, a1: Tensor, diffusion_u: Tensor, diffusion_v: Tensor
    ) -> Tensor:
        u, v = from_modes(w).unflatten(-1, (2, points)).unbind(-2)
        slow = epsilon[..., None] * (u - a1[..., None] * v - a0[..., None])
        return to_modes(torch.cat([u - u**3 - v, slow], -1))

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # A front somewhere in the middle half, with u = 1 on its left, and an inhibitor that follows it weakly.
        place, level = torch.rand(2, n, 1, generator=rng, dtype=torch.float64)
        u = -torch.tanh((modes.points - length * (0.25 + 0.5 * place)) / 8**0.5)
        return torch.cat([u, 0.1 * u + 0.1 * (level - 0.5)], -1)

    parameters = {"epsilon": 0.006, "a0": -0.03, "a1": 2.0, "diffusion_u": 1.0, "diffusion_v": 4.0}
    linear(**{name: torch.tensor(value) for name, value in parameters.items()})  # refuses a grid too coarse for them
    return System(
        name="fitzhugh_nagumo",
        dim=2 * points,
        parameters=parameters,
        sample_initial=sample_initial,
        transient=1000.0,
        duration=450.0,
        sampling=1.0,
        time_scale=185.63,
        time_scale_name="periods",
        semilinear=Semilinear(to_modes, from_modes, linear, nonlinear, step=0.1),
        grid=Grid((Axis("x", modes.points),), ("u", "v")),
        symmetries=(Reflection("x"),),
        known=KnownSet(dimension=1, components=1, betti=(1, 1), closed=True),
        reference="P. R. Vlachas, G. Arampatzis, C. Uhler, P. Koumoutsakos, Nat. Mach. Intell. 4, 359 (2022)",
    )
