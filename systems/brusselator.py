"""Brusselator with diffusion in one dimension: a scheme of reactions that oscillates or makes stripes."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, positive
from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Reflection
from dynred.ode.known_set import KnownSet
from dynred.ode.semilinear import Semilinear
from dynred.ode.spectral import Constant, resolved, sine_modes
from dynred.ode.system import System


def brusselator(points: int = 64, length: float = 1.0) -> System:
    """u_t = a - (b + 1) u + u^2 v + D_u u_xx, v_t = b u - u^2 v + D_v v_xx on [0, length]; ends: u = a, v = b / a.

    State: u at the points inside the interval, then v. Spectral in space (sine modes of the deviations from the ends'
    values), semilinear: L = -D k^2. Parameters (dimensionless), those of Hairer & Wanner's problem BRUSS: `a` (1), `b`
    (3), `diffusion_u` and `diffusion_v` (1/50 both), all > 0. Length and time are dimensionless.

    Known exactly: the uniform state u = a, v = b / a. Its mode sin(q x), q = pi j / length, oscillates and grows (Hopf)
    from b = 1 + a^2 + (D_u + D_v) q^2 on, and grows without oscillation (Turing) from b = 1 + D_u q^2 + a^2 D_u / D_v +
    a^2 / (D_v q^2) on; the smallest of the latter is (1 + a sqrt(D_u / D_v))^2. Measured at the defaults: trajectories
    end in one limit cycle of period 6.855.

    Args:
        points: points inside the interval, >= 16. Hairer & Wanner take 500 in a second-order scheme.
        length: domain length, > 0.

    References:
        I. Prigogine, R. Lefever, J. Chem. Phys. 48, 1695 (1968).
        E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, Springer (1996) (problem BRUSS).

    Raises:
        InputError: a number is out of range, or the diffusion is too small for the grid; the message names a finer one.
    """
    integer("points", points, 16)
    modes = sine_modes(points, positive("length", length))
    spacing = length / (points + 1)
    uniform = modes.amplitudes(torch.ones(points, dtype=torch.float64))
    k2, ends = Constant(modes.wave_numbers**2), Constant(modes.wave_numbers**2 * uniform)

    def to_modes(state: Tensor) -> Tensor:
        return modes.amplitudes(state.unflatten(-1, (2, points))).flatten(-2)

    def from_modes(v: Tensor) -> Tensor:
        return modes.values(v.unflatten(-1, (2, points))).flatten(-2)

    def linear(a: Tensor, b: Tensor, diffusion_u: Tensor, diffusion_v: Tensor) -> Tensor:
        # Fronts of u are about sqrt(D / b) wide; ten times the spacing squared leaves a few points on them.
        resolved("diffusion_u", diffusion_u, 10 * spacing**2, points, 2)
        resolved("diffusion_v", diffusion_v, 10 * spacing**2, points, 2)
        both = torch.stack(torch.broadcast_tensors(diffusion_u, diffusion_v), -1)
        return (-both[..., None] * k2.on(both)).flatten(-2)

    def nonlinear(t: Tensor, w: Tensor, a: Tensor, b: Tensor, diffusion_u: Tensor, diffusion_v: Tensor) -> Tensor:
        u, v = from_modes(w).unflatten(-1, (2, points)).unbind(-2)
        inflow = torch.stack(torch.broadcast_tensors(diffusion_u * a, diffusion_v * b / a), -1)[..., None] * ends.on(w)
        a, b = a[..., None], b[..., None]
        bu, reacted = b * u, u * u * v
        return to_modes(torch.cat([a - u - bu + reacted, bu - reacted], -1)) + inflow.flatten(-2)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # Hairer & Wanner's u = 1 + sin(2 pi x), v = 3, and three modes of each field at random.
        amplitudes = 0.3 * torch.randn(n, 2, 3, generator=rng, dtype=torch.float64)
        shapes = torch.sin(torch.outer(math.pi / length * torch.arange(1, 4, dtype=torch.float64), modes.points))
        start = torch.stack([1 + shapes[1], torch.full_like(shapes[1], 3.0)])
        return (start + amplitudes @ shapes).flatten(1)

    parameters = {"a": 1.0, "b": 3.0, "diffusion_u": 0.02, "diffusion_v": 0.02}
    linear(**{name: torch.tensor(value) for name, value in parameters.items()})  # refuses a grid too coarse for them
    return System(
        name="brusselator",
        dim=2 * points,
        parameters=parameters,
        sample_initial=sample_initial,
        transient=60.0,
        duration=40.0,
        sampling=0.1,
        time_scale=6.855,
        time_scale_name="periods",
        semilinear=Semilinear(to_modes, from_modes, linear, nonlinear, step=0.0075),
        grid=Grid((Axis("x", modes.points),), ("u", "v")),
        symmetries=(Reflection("x"),),
        known=KnownSet(dimension=1, components=1, betti=(1, 1), closed=True),
        reference="I. Prigogine, R. Lefever, J. Chem. Phys. 48, 1695 (1968); E. Hairer, G. Wanner (1996)",
    )
