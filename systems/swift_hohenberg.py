"""Swift-Hohenberg equation: rolls that grow at one wave number; a gradient system."""

import math

import torch
from torch import Tensor

from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Reflection, Translation
from dynred.ode.known_set import KnownSet
from dynred.ode.semilinear import Semilinear
from dynred.ode.spectral import Constant, periodic_points
from dynred.ode.system import System

FINEST = 4.0  # wave number that a grid must reach: the third harmonic of the rolls and a margin


def swift_hohenberg(length: float = 20 * math.pi, points: int = 128) -> System:
    """u_t = r u - (1 + d^2/dx^2)^2 u + s u^2 - u^3 on [0, length), periodic.

    Spectral in space (Fourier, `points` collocation points, state = u at the points), semilinear: L = r - (1 - k^2)^2.
    Parameters (dimensionless): `drive` r (.3), `quadratic` s (0; Burke & Knobloch use 1.8 with r < 0). Length and time
    are dimensionless.

    Known exactly: u = 0 is unstable from r = 0 on, first at the wave number 1; r = min over the modes of (1 - k^2)^2 on
    a given length. The functional V = mean of ((1 + d^2/dx^2) u)^2 / 2 - r u^2 / 2 - s u^3 / 3 + u^4 / 4 never grows:
    dV/dt = -mean of u_t^2, also for this discretisation. So every trajectory ends in equilibria; shifts in space turn
    each into a circle of equilibria. Near the onset rolls have the amplitude sqrt(4 r / 3).

    Args:
        length: domain length, > 0; the default holds ten rolls.
        points: collocation points, even, >= 16, with pi points / length >= 4.

    References:
        J. Swift, P. C. Hohenberg, Phys. Rev. A 15, 319 (1977); M. C. Cross, P. C. Hohenberg, Rev. Mod. Phys. 65, 851
        (1993); J. Burke, E. Knobloch, Phys. Rev. E 73, 056211 (2006).

    Raises:
        InputError: a number is out of range, or the grid is too coarse; the message names a finer one.
    """
    x, k = periodic_points(points, length, FINEST)
    damping = Constant((1 - k**2) ** 2)

    def linear(drive: Tensor, quadratic: Tensor) -> Tensor:
        return drive[..., None] - damping.on(drive)

    def nonlinear(t: Tensor, v: Tensor, drive: Tensor, quadratic: Tensor) -> Tensor:
        u = torch.fft.irfft(v, n=points)
        return torch.fft.rfft(u * u * (quadratic[..., None] - u))

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # Small fields with all modes around the wave number 1.
        amplitudes = torch.randn(n, 2, len(k), generator=rng, dtype=torch.float64) * torch.exp(-((1 - k**2) ** 2))
        return 0.1 * torch.fft.irfft(points / 2 * torch.complex(amplitudes[:, 0], amplitudes[:, 1]), n=points)

    return System(
        name="swift_hohenberg",
        dim=points,
        parameters={"drive": 0.3, "quadratic": 0.0},
        sample_initial=sample_initial,
        transient=20.0,
        duration=200.0,
        sampling=1.0,
        time_scale=1 / 0.3,
        time_scale_name="growth times",
        semilinear=Semilinear(
            to_modes=lambda u: torch.fft.rfft(u),
            from_modes=lambda v: torch.fft.irfft(v, n=points),
            linear=linear,
            nonlinear=nonlinear,
            step=0.05,
        ),
        grid=Grid((Axis("x", x, period=length),), ("u",)),
        symmetries=(
            Translation("x"),
            Reflection("x"),
        ),
        known=KnownSet(constants={"critical_wave_number": 1.0, "onset": 0.0}),
        reference="J. Swift, P. C. Hohenberg, Phys. Rev. A 15, 319 (1977)",
    )
