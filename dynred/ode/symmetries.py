"""Whether an equation has the symmetries that are declared of it."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.symmetries import Shift, Symmetry, Translation
from dynred.data.symmetry_group import Group
from dynred.ode.system import System
from dynred.rng import generator

BAND = 8  # fields that are translated have wave numbers up to points / BAND, so that products have no aliases
ELEMENTS = 3  # group elements at which a symmetry is checked
HOLDS = 1e-6  # of the size of the velocity: how far an equation may contradict a symmetry


def symmetry_violations(system: System) -> list[float]:
    """How far the equation, at its default parameters, contradicts each declared symmetry; see `violation`."""
    if not system.symmetries:
        return []
    group, field = Group.of(system.symmetries, system.grid, system.dim), system.at()
    x, t = system.initial(4, generator(0, "symmetries")), torch.tensor(0.3, dtype=torch.float64)
    return [violation(group, symmetry, lambda y: field(t, y), x) for symmetry in system.symmetries]


def violation(
    group: Group,
    symmetry: Symmetry,
    velocity: Callable[[Float[Tensor, "n D"]], Float[Tensor, "n D"]],
    x: Float[Tensor, "n D"],
) -> float:
    """How far f(g x) is from g f(x), over the size of f, root mean square over states and random group elements g.

    Args:
        group: of all symmetries.
        symmetry: the one that is checked.
        velocity: f.
        x: states; of fields that are translated, only the long waves are taken.
    """
    rng = generator(0, "symmetry")
    x = smooth(group, symmetry, x)
    plain, wrong, size = velocity(x), 0.0, 1e-300
    for _ in range(ELEMENTS):
        stream = rng.get_state()
        moved = group.random(symmetry, x, rng)
        after = rng.get_state()
        rng.set_state(stream)
        expected = group.random(symmetry, plain, rng)
        rng.set_state(after)
        wrong += float((velocity(moved) - expected).pow(2).mean())
        size += float(plain.pow(2).mean())
    return (wrong / size) ** 0.5


def smooth(group: Group, symmetry: Symmetry, x: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
    """The long waves of fields along the axis of a translation; other states as they are."""
    if not isinstance(symmetry, Translation) or isinstance(symmetry, Shift):
        return x
    waves = group.charges[:, group.diagonal.index(symmetry)].abs()
    return group.state(group.amplitudes(x) * (waves <= max(1, symmetry.points(group.layout) // BAND)))
