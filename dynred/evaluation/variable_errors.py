"""Errors of single variables, in the units of the data."""

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.angles import apart
from dynred.data.transforms.base import PERIODS
from dynred.data.variables import Variables, named_variables, variables_of
from dynred.evaluation.records import VariableError
from dynred.models.base import Model
from dynred.models.forecast import Forecast, restored

MOST = 12  # variables that are told apart; more fill pages


def variable_errors(model: Model, predictions: Forecast) -> tuple[VariableError, ...]:
    """The errors of every variable that the data name; of every component, where states are transformed and nothing
    names them. None where they are more than `MOST`.

    Args:
        model: the model.
        predictions: what was scored of it; see `forecast_to_score`.
    """
    truth = predictions.core.truth
    if model.transforms:  # one snapshot tells what the variables are; all of them may not fit into memory
        first = model.restored(truth.where(torch.arange(len(truth.states)) == 0))
        variables = variables_of(first.attributes, first.dim)
    else:
        variables = named_variables(truth.attributes, truth.dim)
    return tuple(_errors(restored(predictions, model), variables)) if 0 < len(variables) <= MOST else ()


def _errors(shown: Forecast, variables: Variables) -> list[VariableError]:
    widths = [variable.width for variable in variables]
    truth = shown.truth.states.double()
    periods = shown.truth.attributes.get(PERIODS) or [0.0] * shown.truth.dim
    off = [apart(part.states.double() - truth, periods) for part in (shown.reconstructed, shown.predicted)]
    blocks = [part.split(widths, 1) for part in (truth, *off)]
    return [
        VariableError(variable.name, _size(x - x.mean(0)), _size(back), _size(predicted))
        for variable, x, back, predicted in zip(variables, *blocks, strict=True)
    ]


def _size(difference: Float[Tensor, "M w"]) -> float:
    """Root mean square; infinite where a prediction diverged."""
    return float(torch.where(difference.isfinite(), difference, torch.inf).pow(2).mean().sqrt())
