"""Kuramoto's network of phase oscillators, whose order parameter obeys an equation of its own."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, positive, refuse
from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Phase
from dynred.ode.known_set import KnownSet
from dynred.ode.semilinear import Semilinear
from dynred.ode.system import System

RETURN = 1.0  # rate at which states off the unit circles return, per time unit


def kuramoto_network(oscillators: int = 1000, coupling: float = 4.0, spread: float = 0.5) -> System:
    """theta_i' = omega_i + (coupling / N) sum_j sin(theta_j - theta_i), seen as x = (cos theta, sin theta).

    The frequencies omega_i = spread tan(pi ((i - 1/2) / N - 1/2)) are the quantiles of a Lorentz distribution around 0
    (a rotating frame). Parameters: `coupling`, 4, and `spread`, .5, > 0, in radians per time unit.

    States are cosines and sines [cos theta_1 .. cos theta_N, sin theta_1 .. sin theta_N], not angles. The angles of
    oscillators that do not lock grow for ever, so that K would not be compact, and equal states would be far apart.
    States off the unit circles return to them at the rate 1, by z' = i theta' z + (1 - |z|^2) z / 2. The second term
    vanishes on the circles, and keeps round-off from adding up. Semilinear: L = i omega, each z turning by itself.

    Known exactly: the torus of all phases is invariant. For N -> infinity, on the Ott-Antonsen manifold, to which
    initial states belong, the order parameter Z = mean exp(i theta) = r exp(i psi) obeys
    r' = -spread r + coupling r (1 - r^2) / 2, psi' = 0: above the coupling 2 spread, r tends to
    sqrt(1 - 2 spread / coupling) at the rate coupling - 2 spread. A finite network follows to order 1 / sqrt N.
    Oscillators with |omega_i| < coupling r lock, the others drift, each at its own rate, so that the dimension of K
    grows with N. The few fastest (the tail of the distribution) turn at 2 N spread / pi; `sampling` resolves those
    below 15.

    Args:
        oscillators: N, >= 2; states have 2 N components.
        coupling: default of the parameter, > 0; `transient` and the constants are for it.
        spread: default of the parameter, > 0; `transient` and the constants are for it.

    References:
        Y. Kuramoto, Chemical Oscillations, Waves, and Turbulence, Springer (1984); E. Ott, T. M. Antonsen, Chaos 18,
        037113 (2008).
    """
    integer("oscillators", oscillators, 2)
    positive("coupling", coupling)
    positive("spread", spread)
    quantiles = (torch.arange(oscillators, dtype=torch.float64) + 0.5) / oscillators
    unit_frequency = torch.tan(math.pi * (quantiles - 0.5))

    def to_modes(x: Tensor) -> Tensor:
        return torch.complex(*x.split(oscillators, -1))

    def from_modes(z: Tensor) -> Tensor:
        return torch.cat([z.real, z.imag], -1)

    def linear(coupling: Tensor, spread: Tensor) -> Tensor:
        if (spread <= 0).any():
            raise refuse("spread", "> 0", f"{float(spread.min()):g}")
        return 1j * spread[..., None] * unit_frequency.to(spread)

    def nonlinear(t: Tensor, z: Tensor, coupling: Tensor, spread: Tensor) -> Tensor:
        pull = (z.mean(-1, keepdim=True) * z.conj()).imag  # mean sin(theta_j - theta_i) on the unit circles
        back = 0.5 * RETURN * (1 - z.real**2 - z.imag**2)
        return torch.complex(back, coupling[..., None] * pull) * z

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # Phases are independent of the frequency and have the density of the Ott-Antonsen manifold: a wrapped Cauchy
        # density of mean resultant r.
        r = 0.1 + 0.8 * torch.rand(n, 1, generator=rng, dtype=torch.float64)
        psi = 2 * math.pi * torch.rand(n, 1, generator=rng, dtype=torch.float64)
        u = torch.rand(n, oscillators, generator=rng, dtype=torch.float64)
        theta = psi - torch.log(r) * torch.tan(math.pi * (u - 0.5))
        return torch.cat([torch.cos(theta), torch.sin(theta)], -1)

    rate = abs(coupling - 2 * spread) or spread
    constants = {"critical_coupling": 2.0 * spread}
    if coupling > 2 * spread:
        constants["order_parameter"] = math.sqrt(1 - 2 * spread / coupling)
    index = torch.arange(oscillators, dtype=torch.float64)
    # Multistep methods must resolve the fastest oscillator; ETDRK4 follows the order parameter to 4e-6 at step .005.
    step = min(0.01, 0.15 / (spread * float(unit_frequency[-1])))
    return System(
        name="kuramoto_network",
        dim=2 * oscillators,
        sample_initial=sample_initial,
        parameters={"coupling": float(coupling), "spread": float(spread)},
        transient=20.0 / rate,
        duration=10.0,
        sampling=0.1,
        time_scale=1 / rate,
        time_scale_name="relaxation times of the order parameter",
        semilinear=Semilinear(to_modes, from_modes, linear, nonlinear, step=step),
        stiff=False,
        grid=Grid((Axis("oscillator", index),), ("cos", "sin")),
        symmetries=(Phase("cos", "sin"),),
        known=KnownSet(constants=constants),
        reference="Y. Kuramoto (1984); E. Ott, T. M. Antonsen, Chaos 18, 037113 (2008)",
    )
