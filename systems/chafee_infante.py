"""Chafee-Infante equation: a reaction-diffusion equation whose global attractor is known."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, positive
from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Reflection, Sign
from dynred.ode.known_set import KnownSet
from dynred.ode.semilinear import Semilinear
from dynred.ode.spectral import Constant, resolved, sine_modes
from dynred.ode.system import System


def chafee_infante(points: int = 64, reaction: float = 10.0) -> System:
    """u_t = u_xx + lambda (u - u^3) on [0, pi], u = 0 at both ends.

    Spectral in space (sine modes, `points` points inside the interval, state = u at the points), semilinear: L = lambda
    - k^2, k = 1, 2, ... Parameter: `reaction` lambda (dimensionless, 10), > 0. Length and time are dimensionless.

    Known exactly, with n the number of k >= 1 with k^2 < lambda: there are 2 n + 1 equilibria: 0, and a pair with k - 1
    zeros inside for every k <= n, u = +-sqrt(2 m / (1 + m)) sn(sqrt(lambda / (1 + m)) x | m), where m solves 2 k K(m) =
    sqrt(lambda / (1 + m)) pi. Only the pair without zeros is stable. The global attractor is 0 with its unstable
    manifold: a ball of dimension n, at the default 3. The functional V = mean of u_x^2 / 2 - lambda (u^2 / 2 - u^4 / 4)
    never grows: dV/dt = -mean of u_t^2, also for this discretisation. Trajectories show the passage along unstable
    equilibria to the stable pair.

    Args:
        points: points inside the interval, >= 16.
        reaction: default of the parameter, to which `known` refers. The grid resolves lambda <= (points + 1)^2 / 16.

    References:
        N. Chafee, E. F. Infante, Appl. Anal. 4, 17 (1974); D. Henry, Geometric Theory of Semilinear Parabolic
        Equations, Springer (1981); D. Henry, J. Differ. Equ. 59, 165 (1985). M. S. Jolly, J. Differ. Equ. 78, 220
        (1989) (an inertial manifold).

    Raises:
        InputError: a number is out of range, or the reaction is too fast for the grid; the message names a finer one.
    """
    rate = positive("reaction", reaction)
    integer("points", points, 16)
    modes = sine_modes(points, math.pi)
    k2 = Constant(modes.wave_numbers**2)
    unstable = math.ceil(math.sqrt(rate)) - 1
    next_decay = (unstable + 1) ** 2 - rate

    def linear(reaction: Tensor) -> Tensor:
        # With time in units of 1 / lambda the diffusion coefficient is 1 / lambda, and the width of a front its root.
        resolved("1 / reaction", 1 / reaction, 16 / (points + 1) ** 2, points, 2)
        return reaction[..., None] - k2.on(reaction)

    linear(torch.tensor(rate, dtype=torch.float64))  # refuses a grid that is too coarse for this rate

    def nonlinear(t: Tensor, v: Tensor, reaction: Tensor) -> Tensor:
        return modes.amplitudes(-reaction[..., None] * modes.values(v) ** 3)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        amplitudes = torch.randn(n, 4, generator=rng, dtype=torch.float64) / 3
        return amplitudes @ torch.sin(torch.outer(torch.arange(1, 5, dtype=torch.float64), modes.points))

    return System(
        name="chafee_infante",
        dim=points,
        parameters={"reaction": rate},
        sample_initial=sample_initial,
        transient=3 / max(next_decay, 1.0),
        duration=40 / rate,
        sampling=0.2 / rate,
        time_scale=1 / rate,
        time_scale_name="reaction times",
        semilinear=Semilinear(modes.amplitudes, modes.values, linear, nonlinear, step=0.025 / rate),
        grid=Grid((Axis("x", modes.points),), ("u",)),
        symmetries=(
            Reflection("x"),
            Sign(),
        ),
        known=KnownSet(
            dimension=unstable,
            components=1,
            betti=(1,),
            closed=unstable == 0,
            constants={"equilibria": 2 * unstable + 1, "next_decay": -next_decay},
        ),
        reference="N. Chafee, E. F. Infante, Appl. Anal. 4, 17 (1974); D. Henry, Springer (1981)",
    )
