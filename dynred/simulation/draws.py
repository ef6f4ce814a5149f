"""Initial states and parameters of an ensemble: every trajectory draws from a random stream of its own."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.parameters import cut
from dynred.ode.system import System
from dynred.rng import generator


def starts(
    system: System,
    numbers: range,
    given: Mapping[str, Float[Tensor, "*#N"]],
    initial: Float[Tensor, "N D"] | None,
    key: int,
) -> tuple[dict[str, Float[Tensor, "*#n"]], Float[Tensor, "n D"]]:
    """Parameters and initial states of some trajectories of an ensemble: the given ones, and draws of the others.

    Args:
        system: the ODE.
        numbers: numbers of the n trajectories within the ensemble.
        given: parameters of the ensemble that are not drawn, one value or one for each of its N trajectories.
        initial: initial states of the ensemble, states of the ODE; None draws them, and the parameters that the system
            draws.
        key: names the ensemble, as for `draw`.
    """
    rows = slice(numbers.start, numbers.stop)
    values = cut(given, rows)
    return draw(system, key, numbers, values) if initial is None else (values, initial[rows])


def draw(
    system: System, key: int, numbers: range, given: Mapping[str, Float[Tensor, "*#n"]]
) -> tuple[dict[str, Float[Tensor, "*#n"]], Float[Tensor, "n D"]]:
    """Draws parameters and initial states of some trajectories of an ensemble, whatever the others are.

    Args:
        system: the ODE.
        key: names the ensemble; trajectory i draws from the stream `generator(key, "trajectory", i)`.
        numbers: numbers of the n trajectories within the ensemble.
        given: parameters that are not drawn, one value or one for each of these trajectories.

    Returns:
        Every parameter by name, as one value or one per trajectory [n]; states of the ODE [n, D].
    """
    values, states = [], []
    for row, number in enumerate(numbers):
        rng = generator(key, "trajectory", number)
        values.append(system.draw_parameters(1, rng, cut(given, slice(row, row + 1))))
        states.append(system.initial(1, rng, values[-1]))
    shared = {name: value for name, value in values[0].items() if not value.ndim}
    own = {name: torch.cat([drawn[name] for drawn in values]) for name in values[0].keys() - shared.keys()}
    return {name: {**shared, **own}[name] for name in values[0]}, torch.cat(states)
