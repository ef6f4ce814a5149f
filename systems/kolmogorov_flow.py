"""Kolmogorov flow: two-dimensional Navier-Stokes equations, driven by a sinusoidal force."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, positive, refuse
from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Reflection, Translation
from dynred.ode.known_set import KnownSet
from dynred.ode.semilinear import Semilinear
from dynred.ode.spectral import Constant
from dynred.ode.system import System


def kolmogorov_flow(points: int = 32, wave_number: int = 2, reynolds: float = 14.4) -> System:
    """w_t + u . grad w = laplace w / Re - n cos(n y) on [0, 2 pi)^2, periodic: the vorticity w, force (sin(n y), 0).

    u = (psi_y, -psi_x) with -laplace psi = w. State: w at points x points, [x, y]. Spectral (Fourier), semilinear: L =
    -k^2 / Re; products are free of aliasing by the 2/3 rule: modes beyond points / 3 decay and act on no others.
    Parameter: `reynolds` Re (dimensionless, 14.4), > 0. Units are those of Chandler & Kerswell: length (period / 2 pi),
    and time sqrt(length / force).

    Known exactly: the laminar flow w = -(Re / n) cos(n y), of energy (Re / n^2)^2 / 4; the balance of energy dE/dt = I
    - D with E = mean |u|^2 / 2, power input I = mean of u_x sin(n y), dissipation D = mean w^2 / Re. The mean of w is
    conserved (and zero). Shifts in x are a symmetry. At n = 2, Perez De Jesus & Graham find relative periodic orbits at
    Re = 13.5 and chaos with bursts at Re = 14.4, on 32 x 32 points. Measured at the defaults: Lyapunov exponents .036
    +- .004, 0, 0, -.056, -.103, -.148, Kaplan-Yorke dimension 3.6.

    Args:
        points: collocation points in each direction, even, >= 16.
        wave_number: n of the force, 1 <= n <= points / 3.
        reynolds: default of the parameter, > 0; at most (points / 4 n)^2.

    References:
        G. J. Chandler, R. R. Kerswell, J. Fluid Mech. 722, 554 (2013).
        C. E. Perez De Jesus, M. D. Graham, Phys. Rev. Fluids 8, 044402 (2023).

    Raises:
        InputError: a number is out of range, or the Reynolds number is too large for the grid; the message names a
            finer one.
    """
    integer("points", points, 16)
    if points % 2:
        raise refuse("points", "even", points)
    integer("wave_number", wave_number, 1, points // 3)
    _check_reynolds(torch.tensor(positive("reynolds", reynolds)), points, wave_number)
    shape = (points, points // 2 + 1)
    kx = torch.fft.fftfreq(points, 1 / points, dtype=torch.float64)[:, None].expand(shape)
    ky = torch.arange(points // 2 + 1, dtype=torch.float64).expand(shape)
    square = kx**2 + ky**2
    kept = (kx.abs() <= (points - 1) // 3) & (ky <= (points - 1) // 3)
    inverse = torch.where(kept & (square > 0), 1 / square.clamp_min(1), 0)
    to_velocity = Constant(torch.stack([1j * ky * inverse, -1j * kx * inverse]))
    # The curl of div(u u), by u v and v^2 - u^2: four transforms instead of the five of u . grad w.
    to_advection = Constant(torch.stack([(kx**2 - ky**2) * kept, -(kx * ky) * kept]))
    y = 2 * math.pi / points * torch.arange(points, dtype=torch.float64)
    force = Constant(torch.fft.rfft2((-wave_number * torch.cos(wave_number * y)).expand(points, points)).flatten())
    k2 = Constant(square.flatten())

    def to_modes(w: Tensor) -> Tensor:
        return torch.fft.rfft2(w.unflatten(-1, (points, points))).flatten(-2)

    def from_modes(v: Tensor) -> Tensor:
        return torch.fft.irfft2(v.unflatten(-1, shape), s=(points, points)).flatten(-2)

    def linear(reynolds: Tensor) -> Tensor:
        _check_reynolds(reynolds, points, wave_number)
        return -k2.on(reynolds) / reynolds[..., None]

    def nonlinear(t: Tensor, v: Tensor, reynolds: Tensor) -> Tensor:
        velocity = to_velocity.on(v) * v.unflatten(-1, shape)[..., None, :, :]
        u1, u2 = torch.fft.irfft2(velocity, s=(points, points)).unbind(-3)
        products = torch.fft.rfft2(torch.stack([u1 * u2, u1 * u1 - u2 * u2], -3))
        return (to_advection.on(v) * products).sum(-3).flatten(-2) + force.on(v)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # The nine lowest wave vectors with random amplitudes of the order of the laminar flow; the mean is zero.
        amplitudes = torch.randn(n, 2, *shape, generator=rng, dtype=torch.float64) * ((square > 0) & (square <= 9))
        w = torch.fft.irfft2(torch.complex(amplitudes[:, 0], amplitudes[:, 1]), s=(points, points)).flatten(-2)
        return 3 * w / w.square().mean(-1, keepdim=True).sqrt()

    axes = (Axis("x", y, period=2 * math.pi), Axis("y", y, period=2 * math.pi))
    return System(
        name="kolmogorov_flow",
        dim=points**2,
        parameters={"reynolds": float(reynolds)},
        sample_initial=sample_initial,
        transient=300.0,
        duration=500.0,
        sampling=0.5,
        time_scale=28.0,
        time_scale_name="Lyapunov times (approximate)",
        tangent_projection=lambda v: v - v.mean(-1, keepdim=True),
        semilinear=Semilinear(to_modes, from_modes, linear, nonlinear, step=0.02),
        grid=Grid(axes, ("vorticity",)),
        symmetries=(
            Translation("x"),
            Reflection("x", sign=-1, along="y", shift=0.5 / wave_number),
            Reflection("x,y"),
        ),
        known=KnownSet(constants={"laminar_energy": (reynolds / wave_number**2) ** 2 / 4}),
        reference="G. J. Chandler, R. R. Kerswell, J. Fluid Mech. 722, 554 (2013); C. E. Perez De Jesus, M. D. Graham, "
        "Phys. Rev. Fluids 8, 044402 (2023)",
    )


def _check_reynolds(reynolds: Tensor, points: int, wave_number: int) -> None:
    # A rule of thumb: shear layers are 1 / (n sqrt(Re)) thick. The published 32 points for n = 2, Re = 14.4 obey it.
    smallest, largest = float(reynolds.min()), float(reynolds.max())
    if not smallest > 0:
        raise refuse("reynolds", "> 0", f"{smallest:g}")
    limit = (points / (4 * wave_number)) ** 2
    if largest > limit:
        needed = 2 * math.ceil(2 * wave_number * math.sqrt(largest))
        expected = f"<= {limit:.3g} on {points} x {points} points"
        raise refuse("reynolds", expected, f"{largest:g}", f"points={needed} would do.")
