"""Rollouts of few rows in a compiled loop: microseconds per step where torch takes hundreds."""

import importlib
import importlib.util
from types import ModuleType
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.errors import InputError, MissingExtraError
from dynred.numerics.tape import Tape
from dynred.ode.vector_field import VectorField
from dynred.solvers.adams import Adams, first_steps, is_stiff, tables_of

PATIENCE = 2000  # steps without an output after which a row may be stiff, and is looked at


def load(name: str) -> ModuleType:
    """A module of compiled loops.

    Raises:
        MissingExtraError: Numba is not installed.
    """
    if importlib.util.find_spec("numba") is None:
        raise MissingExtraError("compile needs an extra that is not installed: pip install 'dynred[fast]'.")
    return importlib.import_module(f"dynred.numerics.{name}")


class CompiledRollouts(Protocol):
    """What rolls out a field in a compiled loop."""

    def rollout(self, y0: Float[Tensor, "N R"], t: Float[Tensor, " T"], limit: float) -> Float[Tensor, "N T R"]:
        """States in standard units, as the solver would give them; NaN after a divergence."""
        ...


class CompiledField:
    """A field in standard units as a compiled loop, and its rollouts by an Adams method.

    Args:
        field: the field; its parameters are numbers, or those of one row.
        solver: tolerances and the highest order.

    Raises:
        InputError: the field does what cannot be compiled.
        MissingExtraError: Numba is not installed.
    """

    def __init__(self, field: VectorField, solver: Adams) -> None:
        self.field, self.solver = field, solver
        self.evaluation, self.adams = load("compiled"), load("compiled_adams")
        try:
            self.tape = Tape.of(field, field.dim)
        except (RuntimeError, TypeError, ValueError) as error:  # torch's words for what it cannot do
            raise InputError(f"The field must consist of known operations: {error}") from error
        self.tables = tables_of(solver, field.dim)
        y = np.linspace(0.3, 0.7, field.dim)
        with torch.no_grad():
            exact = field(torch.zeros((), dtype=torch.float64), torch.from_numpy(y)[None])[0].numpy()
        own = self.evaluation.velocity(self.evaluation.arguments(self.tape), 0.0, y)
        if not np.allclose(own, exact, rtol=1e-4, atol=1e-5, equal_nan=True):
            raise InputError("The field must be the same whenever it is called, got another value.")

    def rollout(self, y0: Float[Tensor, "N R"], t: Float[Tensor, " T"], limit: float) -> Float[Tensor, "N T R"]:
        """See `CompiledRollouts.rollout`."""
        out = np.full((len(y0), len(t), y0.shape[1]), np.nan)
        out[:, 0] = y0.numpy()
        times, first = t.double().numpy(), first_steps(self.solver, self.field, y0, t) if len(t) > 1 else None
        for row, y in enumerate(y0.numpy()):
            if first is not None and np.isfinite(y).all() and np.abs(y).max() <= limit:
                self._follow(y.copy(), float(first[row]), times, out[row], limit)
        return torch.from_numpy(out)

    def _follow(self, y: np.ndarray, h: float, times: np.ndarray, out: np.ndarray, limit: float) -> None:
        tape, now, reached = self.evaluation.arguments(self.tape), float(times[0]), 1
        what, left = self.adams.LOOK, self.solver.max_steps
        while what == self.adams.LOOK and left > 0:
            start = (now, y, h, reached)
            what, now, h, after = self.adams.follow(tape, start, times, out, limit, PATIENCE, self.tables)
            left = self.solver.max_steps if after > reached else left - PATIENCE
            reached = after
            if what == self.adams.LOOK and is_stiff(self.field, now, torch.from_numpy(y)[None], h):
                grid = torch.from_numpy(np.concatenate([[now], times[reached:]]))
                rest = self.solver.solve(self.field, torch.from_numpy(y)[None], grid, limit)
                out[reached:] = rest[0, 1:].numpy()
                return
