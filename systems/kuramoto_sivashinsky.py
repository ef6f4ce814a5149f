"""Kuramoto-Sivashinsky equation: the standard test of reduced models of chaos in space and time."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, positive, refuse
from dynred.system import Axis, Grid, KnownSet, Semilinear, System

# Lyapunov exponents in the zero-mean subspace, computed with this system (QR, zero mean at every step): length ->
# (Lyapunov time in time units, Kaplan-Yorke dimension).
_KNOWN = {22.0: (22.0, 4.24), 44.0: (12.3, 8.95), 66.0: (11.7, 13.75)}


def kuramoto_sivashinsky(length: float = 22.0, points: int = 64) -> System:
    """u_t = -u u_x - u_xx - nu u_xxxx on [0, length), periodic, zero mean.

    Spectral in space (Fourier, `points` collocation points, state = u at the points), semilinear: L = k^2 - nu k^4.
    Parameter: `viscosity` nu (dimensionless, 1), > 0. Length and time are dimensionless.

    Known: at length 22, nu = 1: Lyapunov exponents .0454, 0, 0, -.0007, -.190, -.257, -.291, -.311, then -1.96;
    Kaplan-Yorke dimension 4.24. The mean of u is conserved exactly.

    Args:
        length: domain length, > 0. Published studies use 22, 44, 66.
        points: collocation points, even, >= 16; 64 resolve length 22 to 1e-6.

    References:
        Y. Kuramoto, Prog. Theor. Phys. Suppl. 64, 346 (1978); G. Sivashinsky, Acta Astronautica 4, 1177 (1977).
        A. J. Linot, M. D. Graham, Chaos 32, 073110 (2022).
    """
    positive("length", length)
    integer("points", points, 16)
    if points % 2:
        raise refuse("points", "even", points)
    k = 2 * math.pi / length * torch.arange(points // 2 + 1, dtype=torch.float64)
    advection = -0.5j * k
    advection[-1] = 0  # the derivative of the Nyquist mode vanishes at every collocation point

    def linear(viscosity: Tensor) -> Tensor:
        return k**2 - viscosity[..., None] * k**4

    def nonlinear(t: Tensor, v: Tensor, viscosity: Tensor) -> Tensor:
        u = torch.fft.irfft(v, n=points)
        return advection.to(v.device) * torch.fft.rfft(u * u)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # Four lowest modes with random amplitudes of the attractor's order; the mean is zero.
        amplitudes = torch.randn(n, 2, 4, generator=rng, dtype=torch.float64)
        phases = torch.outer(torch.arange(1, 5, dtype=torch.float64), k[1] * x)
        return amplitudes[:, 0] @ torch.sin(phases) + amplitudes[:, 1] @ torch.cos(phases)

    x = length / points * torch.arange(points, dtype=torch.float64)
    lyapunov_time, kaplan_yorke = _KNOWN.get(length, (12.0, None))
    constants = {"lyapunov_time": lyapunov_time, "kaplan_yorke_dimension": kaplan_yorke} if kaplan_yorke else {}
    return System(
        name="kuramoto_sivashinsky",
        dim=points,
        parameters={"viscosity": 1.0},
        sample_initial=sample_initial,
        transient=200.0,
        duration=400.0,
        sampling=1.0,
        time_scale=lyapunov_time,
        time_scale_name="Lyapunov times" if constants else "Lyapunov times (approximate)",
        tangent_projection=lambda v: v - v.mean(-1, keepdim=True),
        semilinear=Semilinear(
            to_modes=lambda u: torch.fft.rfft(u),
            from_modes=lambda v: torch.fft.irfft(v, n=points),
            linear=linear,
            nonlinear=nonlinear,
            step=0.25,
        ),
        grid=Grid((Axis("x", x, period=length),), ("u",)),
        known=KnownSet(components=1, constants=constants),
        reference="Y. Kuramoto, Prog. Theor. Phys. Suppl. 64, 346 (1978); A. J. Linot, M. D. Graham, Chaos 32, 073110",
    )
