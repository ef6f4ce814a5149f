"""The symmetries that are declared of training states, held against what is known of them."""

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.grid import remembered_grid
from dynred.data.symmetries import Exchange, Phase, Symmetry, remembered_symmetries
from dynred.data.symmetry_group import Group
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.ode.symmetries import HOLDS

ENOUGH = 16  # independent trajectories from which on their mean tells whether a symmetry holds
# How many times larger than by chance a mean must be, in squares, to contradict a symmetry: by chance it is so in one
# case of e^12 for a single complex amplitude. And how large, as a part of the root mean square.
BY_CHANCE, LARGE = 12.0, 0.1


def declared_group(train: Trajectories, models: str = "equivariant models") -> Group:
    """The group of the symmetries that the trajectories' source declares; `models` need them.

    Raises:
        InputError: there are none, they do not fit the grid, or the equation or the data contradict one.
    """
    symmetries = remembered_symmetries(train.attributes)
    if not symmetries:
        advice = 'A system declares them: symmetries = [Translation("x")]; of data, say --symmetry translation:x.'
        raise refuse("symmetries", f"declared for {models}", "none", advice)
    group = Group.of(symmetries, remembered_grid(train.attributes, train.dim), train.dim)
    violations = train.attributes.get("symmetry_violations")
    if isinstance(violations, list) and len(violations) == len(symmetries):
        _check_equation(symmetries, violations)
    else:
        for symmetry in symmetries:
            _check_statistics(group, symmetry, train)
    return group


def has_continuous_symmetry(train: Trajectories) -> bool:
    """Whether the trajectories' source declares a symmetry that moves states by any amount, on the grid that it has."""
    try:
        group = Group.of(
            remembered_symmetries(train.attributes), remembered_grid(train.attributes, train.dim), train.dim
        )
    except InputError:
        return False
    return 0 in group.orders


def _check_equation(symmetries: tuple[Symmetry, ...], violations: list[float]) -> None:
    for symmetry, wrong in zip(symmetries, violations, strict=True):
        if not wrong <= HOLDS:
            advice = "Leave it out of `symmetries`."
            expected = "a symmetry of the equation, f(t, g x) = g f(t, x)"
            raise refuse(str(symmetry), expected, f"a difference of {wrong:.2g} of the size of f", advice)


def _check_statistics(group: Group, symmetry: Symmetry, train: Trajectories) -> None:
    """Refuses a symmetry that means of states, or of their squares, contradict: each trajectory is one observation."""
    if len(train) < ENOUGH:
        return
    x = train.states.double()
    for what, power in (("mean", 1), ("mean square", 2)):
        if power == 2 and isinstance(symmetry, Phase):
            continue  # which does not act on squares
        values = x if power == 1 else x.square()
        sums = torch.zeros(len(train), train.dim, dtype=torch.float64).index_add_(0, train.owner, values)
        means = sums / train.lengths[:, None]
        deviations = means - _symmetrised(group, symmetry, means, squares=power == 2)
        common, each = deviations.mean(0).pow(2).sum(), deviations.pow(2).sum(1).mean()
        part = float((common / values.pow(2).sum(1).mean().clamp_min(1e-300)).sqrt())
        if common * len(train) > BY_CHANCE * each and part > LARGE:
            expected = f"a symmetry of the data, whose {what} it leaves where it is"
            raise refuse(str(symmetry), expected, f"one that it moves by {part:.2g} of the size of the states")


def _symmetrised(group: Group, symmetry: Symmetry, x: Float[Tensor, "N D"], *, squares: bool) -> Tensor:
    if isinstance(symmetry, Exchange):
        image = group.image(symmetry, x)
        return (x + (image.abs() if squares else image)) / 2
    kept = group.charges[:, group.diagonal.index(symmetry)] == 0  # type: ignore[arg-type] # the others are diagonal
    return group.state(group.amplitudes(x) * kept)
