"""Complex Ginzburg-Landau equation: plane waves, phase turbulence and defects in one equation."""

import torch
from torch import Tensor

from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Phase, Reflection, Translation
from dynred.ode.known_set import KnownSet
from dynred.ode.semilinear import Semilinear
from dynred.ode.spectral import Constant, periodic_points
from dynred.ode.system import System

FINEST = 4.0  # wave number that a grid must reach: there diffusion is 16 times as fast as growth


def complex_ginzburg_landau(length: float = 50.0, points: int = 128) -> System:
    """A_t = A + (1 + i alpha) A_xx - (1 + i beta) |A|^2 A on [0, length), periodic.

    State: real part of A at the points, then imaginary part. Spectral in space (Fourier), semilinear: L = 1 - (1 + i
    alpha) k^2. Parameters (dimensionless): `alpha` (2), `beta` (-1.2). Length and time are dimensionless.

    Known exactly: plane waves A = sqrt(1 - q^2) exp(i q x - i w t), w = beta + (alpha - beta) q^2, for |q| < 1. All of
    them are unstable if 1 + alpha beta < 0 (Benjamin-Feir), as at the defaults, and the motion is chaotic. Turning A by
    a phase and shifting it in space are symmetries. Measured at the defaults: leading Lyapunov exponent .13 +- .01,
    about six positive and three zero, Kaplan-Yorke dimension about 15.

    Args:
        length: domain length, > 0.
        points: collocation points, even, >= 16, with pi points / length >= 4.

    References:
        I. S. Aranson, L. Kramer, Rev. Mod. Phys. 74, 99 (2002), eq. 1.

    Raises:
        InputError: a number is out of range, or the grid is too coarse; the message names a finer one.
    """
    x, _ = periodic_points(points, length, FINEST)
    k2 = Constant((2 * torch.pi * torch.fft.fftfreq(points, length / points, dtype=torch.float64)) ** 2)

    def to_modes(state: Tensor) -> Tensor:
        return torch.fft.fft(torch.complex(state[..., :points], state[..., points:]))

    def from_modes(v: Tensor) -> Tensor:
        a = torch.fft.ifft(v)
        return torch.cat([a.real, a.imag], -1)

    def linear(alpha: Tensor, beta: Tensor) -> Tensor:
        return 1 - (1 + 1j * alpha[..., None]) * k2.on(alpha)

    def nonlinear(t: Tensor, v: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        a = torch.fft.ifft(v)
        return -(1 + 1j * beta[..., None]) * torch.fft.fft((a.real**2 + a.imag**2) * a)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # Five modes of random amplitudes, of the order of the attractor's, without any symmetry.
        amplitudes = 0.3 * torch.randn(n, 2, 5, generator=rng, dtype=torch.float64)
        phases = 2 * torch.pi / length * torch.outer(torch.arange(-2.0, 3.0, dtype=torch.float64), x)
        a = torch.complex(amplitudes[:, 0], amplitudes[:, 1]) @ torch.polar(torch.ones_like(phases), phases)
        return torch.cat([a.real, a.imag], -1)

    return System(
        name="complex_ginzburg_landau",
        dim=2 * points,
        parameters={"alpha": 2.0, "beta": -1.2},
        sample_initial=sample_initial,
        transient=200.0,
        duration=200.0,
        sampling=0.5,
        time_scale=7.5,
        time_scale_name="Lyapunov times (approximate)",
        semilinear=Semilinear(to_modes, from_modes, linear, nonlinear, step=0.01),
        grid=Grid((Axis("x", x, period=length),), ("Re A", "Im A")),
        symmetries=(
            Translation("x"),
            Phase("Re A", "Im A"),
            Reflection("x"),
        ),
        known=KnownSet(components=1),
        reference="I. S. Aranson, L. Kramer, Rev. Mod. Phys. 74, 99 (2002), eq. 1",
    )
