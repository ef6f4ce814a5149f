"""Lambda-omega reaction-diffusion: spiral waves in two fields of 10^4 points each."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, one_of, positive
from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Phase
from dynred.ode.known_set import KnownSet
from dynred.ode.observe import observe
from dynred.ode.semilinear import Semilinear
from dynred.ode.spectral import Constant, cosine_modes, resolved
from dynred.ode.system import System


def lambda_omega(
    points: int | None = None, length: float = 20.0, boundary: str = "periodic", masked: bool = False
) -> System:
    """u_t = (1 - r^2) u + beta r^2 v + d1 laplace u, v_t = (1 - r^2) v - beta r^2 u + d2 laplace v; r^2 = u^2 + v^2.

    On [-length / 2, length / 2]^2. State: u at points x points, [x, y], then v. Spectral in space, semilinear: L = -d
    k^2. Parameters (dimensionless): `beta` (1), `d1`, `d2` (.1), > 0. Length and time are dimensionless. Trajectories
    start with a spiral u + i v = g(r, angle) exp(i phase); the first trajectory has the published phase 0, the others
    random ones. Where d1 = d2 the phase is a symmetry, and these trajectories differ by it alone.

    Known exactly: without diffusion (and for uniform fields) r = 1 is a limit cycle, passed at the angular velocity
    -beta, to which r returns at the rate 2. Plane waves, for d1 = d2 = d: r^2 = 1 - d q^2, angular velocity -beta r^2.
    Measured at the defaults: the spiral turns with period 6.92; r still changes by .004 per unit of time at t = 50, by
    .001 at 500.

    Args:
        points: points in each direction, >= 16; default: as published, 100 periodic, 101 with Neumann conditions.
        length: side of the square, > 0.
        boundary: `periodic`, Fourier modes, as in Champion et al.; or `neumann`, no flux, cosine modes and points on
            the edges, as in Floryan & Graham (who take finite differences).
        masked: whether only u times exp(-(x^2 + y^2) / 100) is seen, the data of Champion et al.'s autoencoder: 10^4
            values.

    References:
        K. Champion, B. Lusch, J. N. Kutz, S. L. Brunton, Proc. Natl. Acad. Sci. 116, 22445 (2019), supplement.
        D. Floryan, M. D. Graham, Nat. Mach. Intell. 4, 1113 (2022); N. Kopell, L. N. Howard, Stud. Appl. Math. 52, 291
        (1973) (plane waves).

    Raises:
        InputError: a number is out of range, or the diffusion is too small for the grid; the message names a finer one.
    """
    one_of("boundary", boundary, ("periodic", "neumann"))
    positive("length", length)
    periodic = boundary == "periodic"
    n = integer("points", (100 if periodic else 101) if points is None else points, 16)
    to_modes, from_modes, square, x = (_fourier if periodic else _cosine)(n, length)
    spacing, k2 = float(x[1] - x[0]), Constant(square)

    def linear(beta: Tensor, d1: Tensor, d2: Tensor) -> Tensor:
        # The core of a spiral is sqrt(d) wide, and each half of it needs a point.
        resolved("d1", d1, spacing**2 / 4, n, 2)
        resolved("d2", d2, spacing**2 / 4, n, 2)
        both = torch.stack(torch.broadcast_tensors(d1, d2), -1)
        # Growth belongs to the nonlinear part. Modes can have a part that breaks the symmetry of their conjugates. No
        # real field shows that part, so the nonlinear part cannot hold it back, and growth in the linear part would
        # raise it.
        return (-both[..., None] * k2.on(both)).flatten(-2)

    def nonlinear(t: Tensor, v: Tensor, beta: Tensor, d1: Tensor, d2: Tensor) -> Tensor:
        state = from_modes(v)
        u, v = state.unflatten(-1, (2, n * n)).unbind(-2)
        r2, b = u * u + v * v, beta[..., None]
        return to_modes(torch.cat([(1 - r2) * u + b * r2 * v, (1 - r2) * v - b * r2 * u], -1))

    def sample_initial(count: int, rng: torch.Generator) -> Tensor:
        phase = 2 * math.pi * torch.rand(count, 1, generator=rng, dtype=torch.float64)
        phase[:1] = 0
        u, v = _spiral(x, periodic)
        return torch.cat([u * torch.cos(phase) - v * torch.sin(phase), u * torch.sin(phase) + v * torch.cos(phase)], -1)

    parameters = {"beta": 1.0, "d1": 0.1, "d2": 0.1}
    linear(**{name: torch.tensor(value) for name, value in parameters.items()})  # refuses a grid too coarse for them
    axes = tuple(Axis(name, x, period=length if periodic else None) for name in ("x", "y"))
    system = System(
        name="lambda_omega",
        dim=2 * n * n,
        parameters=parameters,
        sample_initial=sample_initial,
        transient=50.0,
        duration=500.0,
        sampling=0.05,
        time_scale=6.92,
        time_scale_name="periods of the spiral",
        semilinear=Semilinear(to_modes, from_modes, linear, nonlinear, step=0.025),
        grid=Grid(axes, ("u", "v")),
        symmetries=(Phase("u", "v"),),
        known=KnownSet(constants={"angular_velocity": -1.0, "radial_decay": -2.0}),
        reference="K. Champion, B. Lusch, J. N. Kutz, S. L. Brunton, Proc. Natl. Acad. Sci. 116, 22445 (2019)",
    )
    if not masked:
        return system
    mask = Constant(torch.exp(-0.01 * (x[:, None] ** 2 + x**2)).flatten())
    grid = Grid(axes, ("u",))
    return observe(system, lambda s: mask.on(s) * s[..., : n * n], name="lambda_omega_masked", grid=grid)


def _spiral(x: Tensor, periodic: bool) -> tuple[Tensor, Tensor]:
    # Champion et al. start with tanh(r) cos(angle - r), Floryan & Graham with tanh(r cos(angle - r)); v has the sine.
    px, py = torch.meshgrid(x, x, indexing="ij")
    r, angle = torch.hypot(px, py), torch.atan2(py, px)
    waves = (torch.cos(angle - r).flatten(), torch.sin(angle - r).flatten())
    r = r.flatten()
    u, v = (torch.tanh(r) * w if periodic else torch.tanh(r * w) for w in waves)
    return u, v


def _fourier(n: int, length: float):
    shape = (n, n // 2 + 1)
    k = 2 * math.pi / length * torch.arange(n // 2 + 1, dtype=torch.float64)
    all_k = 2 * math.pi / length * torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)

    def to_modes(state: Tensor) -> Tensor:
        return torch.fft.rfft2(state.unflatten(-1, (2, n, n))).flatten(-3)

    def from_modes(v: Tensor) -> Tensor:
        return torch.fft.irfft2(v.unflatten(-1, (2, *shape)), s=(n, n)).flatten(-3)

    x = length / n * torch.arange(n, dtype=torch.float64) - length / 2
    return to_modes, from_modes, (all_k[:, None] ** 2 + k**2).flatten(), x


def _cosine(n: int, length: float):
    modes = cosine_modes(n, length)

    def both(state: Tensor, transform) -> Tensor:
        once = transform(state.unflatten(-1, (2, n, n)))
        return transform(once.transpose(-1, -2)).transpose(-1, -2).flatten(-3)

    square = modes.wave_numbers[:, None] ** 2 + modes.wave_numbers**2
    x = modes.points - length / 2
    return lambda s: both(s, modes.amplitudes), lambda v: both(v, modes.values), square.flatten(), x
