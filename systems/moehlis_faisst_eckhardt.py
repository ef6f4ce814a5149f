"""Nine-mode model of a turbulent shear flow: streaks, vortices and their breakdown, and sudden relaminarisation."""

import math

import torch
from torch import Tensor

from dynred.checks import positive, refuse
from dynred.data.symmetries import Sign
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System


def moehlis_faisst_eckhardt(length_x: float = 4 * math.pi, length_z: float = 2 * math.pi) -> System:
    """a' = N(a) + D (e_1 - a) / Re, N quadratic, D diagonal: the Navier-Stokes equations projected on nine modes.

    Sinusoidal shear flow between free-slip walls at y = +-1, periodic in x and z, driven so that a = e_1 is laminar.
    The modes: a_1 mean profile, a_2 streaks, a_3 downstream vortices, a_4, a_5 spanwise flows, a_6, a_7 normal vortex
    modes, a_8 fully three-dimensional, a_9 change of the mean profile. Parameter: `reynolds` Re, 400, > 0. Units are
    half the distance of the walls and the laminar speed halfway between centre and wall.

    Known exactly: a . N(a) = 0 (N conserves the energy |a|^2 / 2); the laminar state e_1 is an equilibrium, linearly
    stable for every Re; shifts by half a box in x and in z are symmetries. Chaos is a long transient, after which a
    trajectory decays to e_1, so K in the strict sense may be e_1 alone.

    Args:
        length_x: length of the box downstream, > 0; the authors use 4 pi and 1.75 pi.
        length_z: width of the box, > 0; the authors use 2 pi and 1.2 pi.

    References:
        J. Moehlis, H. Faisst, B. Eckhardt, New J. Phys. 6, 56 (2004), eqs. 7-15 (modes) and 21-29 (amplitudes).
    """
    alpha = 2 * math.pi / positive("length_x", length_x)
    beta = math.pi / 2
    gamma = 2 * math.pi / positive("length_z", length_z)
    ag, bg = math.hypot(alpha, gamma), math.hypot(beta, gamma)
    abg = math.hypot(ag, beta)
    a2, b2, g2 = alpha**2, beta**2, gamma**2
    # Viscous decay of every mode, times Re.
    decay = [b2, 4 * b2 / 3 + g2, bg**2, a2 + 4 * b2 / 3, a2 + b2, a2 + 4 * b2 / 3 + g2, abg**2, abg**2, 9 * b2]
    damping = torch.tensor(decay, dtype=torch.float64)
    laminar = torch.eye(9, dtype=torch.float64)[0]
    # The constants of eqs. 21-29; their names say which wave numbers they contain.
    s6, lift = math.sqrt(6), math.sqrt(1.5) * beta * gamma
    wave, triple = alpha / s6, alpha * beta * gamma / s6

    def rhs(t: Tensor, x: Tensor, reynolds: Tensor) -> Tensor:
        if (reynolds <= 0).any():
            raise refuse("reynolds", "> 0", f"{float(reynolds.min()):g}")
        return quadratic(x) + damping.to(x) * (laminar.to(x) - x) / reynolds[..., None]

    def quadratic(x: Tensor) -> Tensor:
        x1, x2, x3, x4, x5, x6, x7, x8, x9 = x.unbind(-1)
        mean = x1 + x9  # the two mean profiles act on the other modes alike
        return torch.stack(
            [
                -lift / abg * x6 * x8 + lift / bg * x2 * x3,
                5 * math.sqrt(2 / 27) * g2 / ag * x4 * x6
                - g2 / (s6 * ag) * x5 * x7
                - triple / (ag * abg) * x5 * x8
                - lift / bg * mean * x3,
                2 * triple / (ag * bg) * (x4 * x7 + x5 * x6)
                + (b2 * (3 * a2 + g2) - 3 * g2 * ag**2) / (s6 * ag * bg * abg) * x4 * x8,
                -wave * mean * x5
                - 10 * a2 / (3 * s6 * ag) * x2 * x6
                - 3 * triple / (ag * bg) * x3 * x7
                - 3 * a2 * b2 / (s6 * ag * bg * abg) * x3 * x8,
                wave * mean * x4
                + a2 / (s6 * ag) * x2 * x7
                - triple / (ag * abg) * x2 * x8
                + 2 * triple / (ag * bg) * x3 * x6,
                wave * mean * x7
                + lift / abg * mean * x8
                + 10 * (a2 - g2) / (3 * s6 * ag) * x2 * x4
                - 4 * triple / (ag * bg) * x3 * x5,
                -wave * mean * x6 + (g2 - a2) / (s6 * ag) * x2 * x5 + triple / (ag * bg) * x3 * x4,
                2 * triple / (ag * abg) * x2 * x5 + g2 * (3 * a2 - b2 + 3 * g2) / (s6 * ag * bg * abg) * x3 * x4,
                lift / bg * x2 * x3 - lift / abg * x6 * x8,
            ],
            -1,
        )

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # A tenth of the laminar energy in random directions sets off turbulence in most cases.
        step = torch.randn(n, 9, generator=rng, dtype=torch.float64)
        x = 0.3 * step / torch.linalg.vector_norm(step, dim=-1, keepdim=True)
        x[:, 0] = x[:, 0].abs() + 0.5
        return x

    return System(
        name="moehlis_faisst_eckhardt",
        dim=9,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"reynolds": 400.0},
        transient=100.0,
        duration=500.0,
        sampling=1.0,
        time_scale=1.0,
        time_scale_name="advective times",
        stiff=False,
        symmetries=(Sign((3, 4, 5, 6, 7)), Sign((1, 2, 5, 6, 7))),
        known=KnownSet(constants={"laminar_energy": 0.5}),
        reference="J. Moehlis, H. Faisst, B. Eckhardt, New J. Phys. 6, 56 (2004)",
    )
