"""Kuramoto-Sivashinsky equation: the standard test of reduced models of chaos in space and time."""

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

# Lyapunov exponents in the zero-mean subspace, computed with this system (QR, zero mean at every step), at viscosity 1:
# length -> (Lyapunov time in time units, Kaplan-Yorke dimension).
_KNOWN = {22.0: (22.0, 4.24), 44.0: (12.3, 8.95), 66.0: (11.7, 13.75)}


def kuramoto_sivashinsky(length: float = 22.0, points: int = 64, viscosity: float = 1.0) -> System:
    """u_t = -u u_x - u_xx - nu u_xxxx on [0, length), periodic, zero mean.

    Spectral in space (Fourier, `points` collocation points, state = u at the points), semilinear: L = k^2 - nu k^4.
    Parameter: `viscosity` nu (dimensionless, 1), > 0. Length and time are dimensionless. Only length / sqrt(nu)
    matters: x = sqrt(nu) X, t = nu T, u = U / sqrt(nu) turns the equation into that of viscosity 1. All times and the
    step of this system are proportional to nu.

    Known: at length 22, nu = 1: Lyapunov exponents .0454, 0, 0, -.0007, -.190, -.257, -.291, -.311, then -1.96;
    Kaplan-Yorke dimension 4.24. The mean of u is conserved exactly. The form of Floryan & Graham has length 2 pi and nu
    = 16/337 (beating waves, here of period .45), 4/87 (beating travelling waves), 16/71 (bursts, about 22 apart); some
    trajectories wander for 20 and more time units before they settle.

    Args:
        length: domain length, > 0. Published studies use 22, 44, 66 with viscosity 1, or 2 pi with a smaller one.
        points: collocation points, even, >= 16; 64 resolve length / sqrt(nu) = 22 to 1e-6.
        viscosity: default of the parameter; the grid must reach the wave number 2 / sqrt(nu).

    References:
        Y. Kuramoto, Prog. Theor. Phys. Suppl. 64, 346 (1978); G. Sivashinsky, Acta Astronautica 4, 1177 (1977).
        A. J. Linot, M. D. Graham, Chaos 32, 073110 (2022); D. Floryan, M. D. Graham, Nat. Mach. Intell. 4, 1113 (2022).

    Raises:
        InputError: a number is out of range, or the viscosity is too small for the grid; the message names a finer one.
    """
    nu = positive("viscosity", viscosity)
    x, k = periodic_points(points, length, 2 / math.sqrt(nu))
    advection = -0.5j * k
    advection[-1] = 0  # the derivative of the Nyquist mode vanishes at every collocation point
    growth, damping, advect = Constant(k**2), Constant(k**4), Constant(advection)

    def linear(viscosity: Tensor) -> Tensor:
        resolved("viscosity", viscosity, 4 / float(k[-1]) ** 2, points, 2)
        return growth.on(viscosity) - viscosity[..., None] * damping.on(viscosity)

    def nonlinear(t: Tensor, v: Tensor, viscosity: Tensor) -> Tensor:
        u = torch.fft.irfft(v, n=points)
        return advect.on(v) * torch.fft.rfft(u * u)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # The four lowest modes with random amplitudes of the order of the attractor's; the mean is zero.
        amplitudes = torch.randn(n, 2, 4, generator=rng, dtype=torch.float64)
        phases = torch.outer(torch.arange(1, 5, dtype=torch.float64), k[1] * x)
        return (amplitudes[:, 0] @ torch.sin(phases) + amplitudes[:, 1] @ torch.cos(phases)) / math.sqrt(nu)

    lyapunov_time, kaplan_yorke = _KNOWN.get(length / math.sqrt(nu), (12.0, None))
    constants = {"lyapunov_time": nu * lyapunov_time, "kaplan_yorke_dimension": kaplan_yorke} if kaplan_yorke else {}
    return System(
        name="kuramoto_sivashinsky",
        dim=points,
        parameters={"viscosity": nu},
        sample_initial=sample_initial,
        transient=200.0 * nu,
        duration=400.0 * nu,
        sampling=nu,
        time_scale=nu * lyapunov_time,
        time_scale_name="Lyapunov times" if constants else "Lyapunov times (approximate)",
        tangent_projection=lambda v: v - v.mean(-1, keepdim=True),
        semilinear=Semilinear(
            to_modes=lambda u: torch.fft.rfft(u),
            from_modes=lambda v: torch.fft.irfft(v, n=points),
            linear=linear,
            nonlinear=nonlinear,
            step=0.04 * nu,
        ),
        grid=Grid((Axis("x", x, period=length),), ("u",)),
        symmetries=(
            Translation("x"),
            Reflection("x", sign=-1),
        ),
        known=KnownSet(components=1, constants=constants),
        reference="Y. Kuramoto, Prog. Theor. Phys. Suppl. 64, 346 (1978); A. J. Linot, M. D. Graham, Chaos 32, 073110",
    )
