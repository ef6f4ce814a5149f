"""A system with its parameters and inputs filled in."""

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Inexact, Int
from torch import Tensor

from dynred.data.parameters import at_time, cut
from dynred.data.signals import Signal, joined_jumps

if TYPE_CHECKING:
    from dynred.ode.system import System
else:
    System = Any  # a system makes its fields: the class cannot be imported here


@dataclass(frozen=True, eq=False)
class SystemField:
    """A system with its parameters and inputs filled in; a `VectorField`.

    Attributes:
        system: the ODE.
        parameters: a number or one value per row for each parameter; for each input a signal too.
    """

    system: System
    parameters: Mapping[str, Float[Tensor, "*#N"] | Signal]

    @property
    def dim(self) -> int:
        """Dimension D of the state."""
        return self.system.dim

    @property
    def differentiable(self) -> bool:
        """Whether torch can differentiate the field."""
        return self.system.right_hand_side.differentiable

    @property
    def time_step(self) -> float | None:
        """See `dynred.ode.vector_field.time_step`: 1 for a map."""
        return 1.0 if self.system.discrete else None

    @property
    def in_torch(self) -> bool:
        """Whether the right-hand side is a function of torch tensors."""
        return self.system.right_hand_side.form.startswith("torch")

    @property
    def takes_one(self) -> bool:
        """Whether the right-hand side is a NumPy function that takes one state at a time."""
        return self.system.right_hand_side.form == "numpy per state" and not self.signals

    def of_one(self) -> Callable[[float, Float[np.ndarray, " D"]], Float[np.ndarray, " D"]]:
        """The velocity of one state [D] as a NumPy function; the field has one row."""
        if self.signals:
            return lambda t, x: self(torch.tensor(t, dtype=torch.float64), torch.from_numpy(x)[None])[0].numpy()
        return self.system.right_hand_side.of_one(self.parameters)  # type: ignore[arg-type] # no signals

    def __call__(self, t: Float[Tensor, "*#batch"], x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """The exact velocity; t is a number or one per state."""
        values = at_time(self.parameters, torch.as_tensor(t)) if self.signals else self.parameters
        moved = {name: value.to(x.device) for name, value in values.items()}  # type: ignore[union-attr] # tensors
        return self.system.right_hand_side(t, x, moved)

    def rows(self, index: Int[Tensor, " n"] | slice) -> "SystemField":
        """The field for some rows of the batch: parameters that differ between rows are cut down to them."""
        return dataclasses.replace(self, parameters=cut(self.parameters, index))

    @property
    def signals(self) -> dict[str, Signal]:
        """The inputs that are signals, by name."""
        return {name: value for name, value in self.parameters.items() if isinstance(value, Signal)}

    def jumps(self, start: float, end: float) -> Float[Tensor, " J"]:
        """The times between `start` and `end` at which an input is not smooth."""
        return joined_jumps(self.signals.values(), start, end)

    def on(self, start: float, end: float) -> "SystemField":
        """The field from `start` to `end`, with its inputs continued smoothly beyond."""
        signals = {name: signal.on(start, end) for name, signal in self.signals.items()}
        return dataclasses.replace(self, parameters={**self.parameters, **signals})

    def modes(
        self,
    ) -> tuple[
        Inexact[Tensor, "*#batch Q"],
        Callable[[Float[Tensor, "*#batch"], Inexact[Tensor, "*batch Q"]], Inexact[Tensor, "*batch Q"]],
    ]:
        """The diagonal linear part and the nonlinear part (t, v) of a semilinear system, parameters filled in."""
        split = self.system.semilinear
        assert split is not None
        return split.linear(**self.parameters), lambda t, v: split.nonlinear(t, v, **self.parameters)


def keywords(function: Callable[..., Any], names: Iterable[str]) -> list[str]:
    """The entries of `names` that a function takes by keyword."""
    accepted = inspect.signature(function).parameters
    every = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
    return [name for name in names if every or name in accepted]
