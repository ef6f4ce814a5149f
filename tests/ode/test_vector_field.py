"""Fields made of others."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.ode.vector_field import WrappedField

STATES = torch.tensor([[0.3, 0.1], [1.0, -0.2], [0.0, 2.0]], dtype=torch.float64)
NOW = torch.zeros((), dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Scaled(WrappedField):
    """A field times a number."""

    factor: float

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        return self.factor * self.field(t, x)


def test_a_wrapped_field_has_the_dimension_of_what_it_is_made_of():
    assert Scaled(find_system("lorenz63").at(), 2.0).dim == 3


def test_it_is_differentiable_where_that_is():
    torch_field = find_system("lorenz63").at()
    numpy_field = System("mine", 2, rhs=lambda t, x: [float(x[1]), -float(x[0])]).at()
    assert Scaled(torch_field, 2.0).differentiable
    assert not Scaled(numpy_field, 2.0).differentiable


@pytest.mark.parametrize("index", [slice(1, 3), torch.tensor([2, 0])])
def test_it_is_cut_to_rows_as_that_is_and_keeps_its_own(index):
    system = System("mine", 2, rhs=lambda t, x, a: a[..., None] * x, parameters={"a": 1.0})
    wrapped = Scaled(system.at({"a": torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)}), 2.0)
    rows = wrapped.rows(index)
    assert type(rows) is Scaled
    assert torch.equal(rows(NOW, STATES[index]), wrapped(NOW, STATES)[index])


def test_wrapped_fields_can_be_wrapped():
    system = System("mine", 2, rhs=lambda t, x: x.flip(-1))
    assert torch.equal(Scaled(Scaled(system.at(), 2.0), 3.0)(NOW, STATES), 6 * STATES.flip(-1))
