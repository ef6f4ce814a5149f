import torch

from dynred.ode.system import System
from dynred.training.shooting import _Stretched, shoot

SYSTEM = System("mine", 2, rhs=lambda t, x, a: a[..., None] * x.flip(-1), parameters={"a": 1.0})
STATES = torch.tensor([[0.3, 0.1], [1.0, -0.2], [0.0, 2.0]], dtype=torch.float64)
TIMES = torch.tensor([[0.0, 0.3, 0.5], [1.0, 1.1, 1.9], [2.0, 2.2, 2.3]], dtype=torch.float64)


def field():
    return SYSTEM.at({"a": torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)})


def test_a_stretched_field_cut_to_rows_is_that_of_the_rows():
    index = torch.tensor([2, 0])
    whole = _Stretched(field(), TIMES[:, 0], TIMES[:, 1])
    now = torch.tensor(0.4, dtype=torch.float64)
    assert torch.equal(whole.rows(index)(now, STATES[index]), whole(now, STATES)[index])


def test_rows_with_times_of_their_own_are_those_of_the_exact_solution():
    # (x + y)' = a (x + y) and (x - y)' = -a (x - y).
    gone = field().parameters["a"][:, None] * (TIMES - TIMES[:, :1])
    total, difference = (STATES.sum(1)[:, None] * gone.exp(), -STATES.diff(dim=1) * (-gone).exp())
    exact = torch.stack([total + difference, total - difference], -1) / 2
    assert torch.allclose(shoot(field(), STATES, TIMES, 40), exact, rtol=1e-6, atol=1e-7)
