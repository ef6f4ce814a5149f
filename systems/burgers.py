"""Viscous Burgers equation: shocks of finite width, with a closed solution."""

import math

import torch
from torch import Tensor

from dynred.checks import positive
from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Reflection, Translation
from dynred.ode.known_set import KnownSet
from dynred.ode.semilinear import Semilinear
from dynred.ode.spectral import Constant, periodic_points, resolved
from dynred.ode.system import System


def burgers(length: float = 2 * math.pi, points: int = 128, viscosity: float = 0.05) -> System:
    """u_t + u u_x = nu u_xx on [0, length), periodic.

    Spectral in space (Fourier, `points` collocation points, state = u at the points), semilinear: L = -nu k^2.
    Parameter: `viscosity` nu (dimensionless), > 0. Length and time are dimensionless. Initial states have zero mean and
    |u| <= 1; |u| never grows. They steepen to shocks of width 2 nu at about t = 1 and decay.

    Known exactly: the solution (Cole-Hopf): u = -2 nu phi_x / phi, phi_t = nu phi_xx. The mean is conserved; all states
    of zero mean end in u = 0, at the rate nu (2 pi / length)^2.

    Args:
        length: domain length, > 0.
        points: collocation points, even, >= 16.
        viscosity: default of the parameter. The spacing of the points must be at most 2 nu, the width of a shock; half
            of it gives four digits, a quarter eight.

    References:
        J. M. Burgers, Adv. Appl. Mech. 1, 171 (1948); J. D. Cole, Q. Appl. Math. 9, 225 (1951); E. Hopf, Commun. Pure
        Appl. Math. 3, 201 (1950).

    Raises:
        InputError: a number is out of range, or the viscosity is too small for the grid; the message names a finer one.
    """
    nu = positive("viscosity", viscosity)
    x, k = periodic_points(points, length, 0.0)
    resolved("viscosity", torch.tensor(nu), length / points / 2, points, 1)
    advection = -0.5j * k
    advection[-1] = 0  # the derivative of the Nyquist mode vanishes at every collocation point
    k2, advect = Constant(k**2), Constant(advection)

    def linear(viscosity: Tensor) -> Tensor:
        resolved("viscosity", viscosity, length / points / 2, points, 1)
        return -viscosity[..., None] * k2.on(viscosity)

    def nonlinear(t: Tensor, v: Tensor, viscosity: Tensor) -> Tensor:
        u = torch.fft.irfft(v, n=points)
        return advect.on(v) * torch.fft.rfft(u * u)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        amplitudes = torch.randn(n, 2, 3, generator=rng, dtype=torch.float64)
        phases = torch.outer(torch.arange(1, 4, dtype=torch.float64), k[1] * x)
        u = amplitudes[:, 0] @ torch.sin(phases) + amplitudes[:, 1] @ torch.cos(phases)
        return u / u.abs().amax(-1, keepdim=True)

    return System(
        name="burgers",
        dim=points,
        parameters={"viscosity": nu},
        sample_initial=sample_initial,
        duration=5.0,
        sampling=0.05,
        time_scale=length / (2 * math.pi),
        time_scale_name="steepening times",
        tangent_projection=lambda v: v - v.mean(-1, keepdim=True),
        semilinear=Semilinear(
            to_modes=lambda u: torch.fft.rfft(u),
            from_modes=lambda v: torch.fft.irfft(v, n=points),
            linear=linear,
            nonlinear=nonlinear,
            step=0.0025 * length / (2 * math.pi),
        ),
        grid=Grid((Axis("x", x, period=length),), ("u",)),
        symmetries=(
            Translation("x"),
            Reflection("x", sign=-1),
        ),
        known=KnownSet(
            dimension=0,
            components=1,
            betti=(1,),
            closed=True,
            sample=lambda n, rng: torch.zeros(n, points, dtype=torch.float64),
            distance=lambda u: torch.linalg.vector_norm(u, dim=-1),
            constants={"slowest_decay": -nu * (2 * math.pi / length) ** 2},
        ),
        reference="J. D. Cole, Q. Appl. Math. 9, 225 (1951); E. Hopf, Commun. Pure Appl. Math. 3, 201 (1950)",
    )
