"""How states of the data become those that a model encodes: as they are, unless a model transforms them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from dynred.checks import finite, refuse, rows_of
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform


class PlainStates(ABC):
    """States that are encoded as they are; `TransformedModel` transforms them first."""

    @property
    @abstractmethod
    def state_dim(self) -> int:
        """The state dimension D."""

    def sized(self, *points: int) -> Self:
        """The same model for fields with other numbers of points along their axes, as far apart as in training.

        Only local models hold for fields of any size; `predict`, `encode` and the others make theirs of it themselves
        where the number of values tells the size.

        Args:
            points: number of points along each axis.

        Raises:
            InputError: the model holds for fields of one size, or the numbers do not fit.
        """
        raise refuse("model", "one of fields of any size, as local ones are", type(self).__name__)

    @property
    def any_size(self) -> bool:
        """Whether the model holds for fields of any size."""
        return False

    def for_states(self, width: int) -> Self:
        """The model for states of so many values: this one, unless it is local.

        Raises:
            InputError: no size that a local model fits has so many values.
        """
        return self

    @property
    def past(self) -> int:
        """Number of consecutive snapshots that a prediction begins with: 1, unless transforms have memory."""
        return 1

    @property
    def time_step(self) -> float | None:
        """The time of one step, where the dynamics are a map: predictions are at whole numbers of steps; else None."""
        return None

    @property
    def core(self) -> Any:
        """The model of transformed states; the model itself, where states are not transformed."""
        return self

    @property
    def transforms(self) -> Sequence[Transform]:
        """What is done to states before they are encoded."""
        return ()

    @property
    def modules(self) -> list[nn.Module]:
        """The modules that hold the model's numbers."""
        parts = [part if isinstance(part, list | tuple) else [part] for part in vars(self).values()]
        return [module for part in parts for module in part if isinstance(module, nn.Module)]

    def prepared(self, trajectories: Trajectories) -> Trajectories:
        """Trajectories of the data as trajectories of the states of `core`."""
        return trajectories

    def restored(self, trajectories: Trajectories) -> Trajectories:
        """Trajectories of the states of `core` in the variables of the data."""
        return trajectories

    def present(self, trajectories: Trajectories) -> Trajectories:
        """Trajectories of the states of `core` without their past; they stay transformed otherwise."""
        return trajectories

    def check(self, trajectories: Trajectories) -> None:
        """Refuses trajectories of other sampling than transforms with memory know.

        Raises:
            InputError: they are of other sampling.
        """
        for part in self.transforms:
            part.check(trajectories)

    def start(self, x0: Any) -> Float[Tensor, "N E"]:
        """The states of `core` at which a prediction from x0 begins; see `Model.predict`."""
        return finite("x0", rows_of("x0", x0, self.state_dim, most=2)).reshape(-1, self.state_dim)


def width_of(x: object, otherwise: int) -> int:
    """The number of values of a state or latent; `otherwise`, where an argument is no array of them."""
    try:
        shape = np.shape(x) if isinstance(x, Tensor | np.ndarray | list | tuple) else ()  # type: ignore[arg-type]
    except (TypeError, ValueError):  # lists of different lengths
        return otherwise
    return int(shape[-1]) if shape else otherwise
