"""Lorenz's three modes seen in 128 dimensions through Legendre polynomials: the first test of SINDy autoencoders."""

import dataclasses

import torch
from torch import Tensor

from dynred.checks import integer
from dynred.data.grid import Axis, Grid
from dynred.ode.find import find_system
from dynred.ode.known_set import KnownSet
from dynred.ode.observe import observe
from dynred.ode.system import System

SCALE = 1 / 40  # of the three modes in the observation
CENTRE, HALF = (0.0, 0.0, 25.0), (36.0, 48.0, 41.0)  # box of initial states
WIDER = (18.0, 24.0, 20.0)  # what the test of extrapolation adds to the half-widths


def lorenz_legendre(points: int = 128, outside: bool = False) -> System:
    """x(y) = P0 z1 + P1 z2 + P2 z3 + P3 z1^3 + P4 z2^3 + P5 z3^3, P_k(y) Legendre's, z = (Lorenz's x, y, z) / 40.

    y runs over `points` evenly spaced points on [-1, 1], both ends among them. The ODE, its parameters and their
    defaults are those of `lorenz63`. As published there is no transient, trajectories are .02 x 250 long and start
    uniformly in the box of half-widths (36, 48, 41) around (0, 0, 25), in Lorenz's own variables. The authors train on
    1,024, validate on 20 and test on 100 trajectories, and add noise of standard deviation 1e-6; this system adds none.

    Known exactly: the six profiles are linearly independent, so the map is one-to-one with a smooth inverse on its
    image, a three-dimensional manifold that lies in a six-dimensional subspace; the attractor has Lorenz's exponents.

    Args:
        points: dimension of the observed state, >= 6; published: 128.
        outside: whether trajectories start as in the published test of extrapolation: in a box with half-widths larger
            by (18, 24, 20), outside of the first box.

    References:
        K. Champion, B. Lusch, J. N. Kutz, S. L. Brunton, PNAS 116, 22445 (2019), supporting
        information, and their code.
    """
    integer("points", points, 6)
    y = torch.linspace(-1, 1, points, dtype=torch.float64)
    profiles = [torch.ones_like(y), y]
    for k in range(1, 5):  # Bonnet's recursion
        profiles.append(((2 * k + 1) * y * profiles[k] - k * profiles[k - 1]) / (k + 1))
    modes = torch.stack(profiles)
    centre, half = torch.tensor(CENTRE, dtype=torch.float64), torch.tensor(HALF, dtype=torch.float64)
    larger = half + torch.tensor(WIDER, dtype=torch.float64)

    def see(state: Tensor) -> Tensor:
        z = SCALE * state
        return torch.cat([z, z**3], -1) @ modes.to(state)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        if not outside:
            return centre + half * (2 * torch.rand(n, 3, generator=rng, dtype=torch.float64) - 1)
        accepted = torch.empty(0, 3, dtype=torch.float64)
        while len(accepted) < n:
            x = larger * (2 * torch.rand(2 * n, 3, generator=rng, dtype=torch.float64) - 1)
            accepted = torch.cat([accepted, x[(x.abs() > half).any(-1)]])
        return centre + accepted[:n]

    inner = find_system("lorenz63")
    constants = {name: inner.known.constants[name] for name in ("lyapunov_1", "kaplan_yorke_dimension")}
    return observe(
        dataclasses.replace(inner, sample_initial=sample_initial, transient=0.0, duration=4.98, sampling=0.02),
        see,
        name="lorenz_legendre",
        grid=Grid((Axis("y", y),), ("x",)),
        known=KnownSet(components=1, closed=False, constants=constants),
        reference="K. Champion, B. Lusch, J. N. Kutz, S. L. Brunton, PNAS 116, 22445 (2019)",
    )
