"""Functions of torch as tapes: evaluated in a compiled loop, they give what torch gives."""

import numpy as np
import pytest
import torch
from torch import nn

from dynred.errors import InputError
from dynred.numerics.tape import BINARY, UNARY, Tape

pytest.importorskip("numba")
from dynred.numerics import compiled

W = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4)
NET = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 3)).requires_grad_(False)
FUNCTIONS = {
    "constants": lambda t, y: 2 * y - 1 + t,
    "numbers and broadcasts": lambda t, y: y[..., :1] * y + W[0] / (1 + y * y) - y.mean(-1, keepdim=True),
    "powers": lambda t, y: y**2 + y.abs() ** 1.5 + 2.0**y + (1 + y.abs()).rsqrt(),
    "moves": lambda t, y: torch.cat([y[..., 2:], y.flip(-1)[..., :2]], -1).reshape(2, 2).T.reshape(1, 4)[:, [0, 2, 1]],
    "stacks": lambda t, y: torch.stack([y[..., 1] * y[..., 2], -y[..., 0], y[..., 3].sin()], -1),
    "unbound": lambda t, y: torch.stack([sum(y.unbind(-1)), y.chunk(2, -1)[1][..., 0]], -1),
    "products": lambda t, y: y @ W.T + (W @ y.T).T + torch.addmm(W[:, :1], W, y.T).T,
    "both depend": lambda t, y: (y.T @ y) @ y[0] + torch.mm(y, y.T),
    "conditions": lambda t, y: torch.where(y > 0.2, y, y.cos()) + torch.where((y < 0) | (y >= 1), 1.0, 0.0),
    "bounds": lambda t, y: y.clamp(-0.5, 0.5) + y.clamp_min(0.1) + torch.clamp(y, W[0], W[0] + 1),
    "reductions": lambda t, y: torch.cat([y.sum(-1), y.amax(-1), y.amin(-1), y.norm(dim=-1), y.pow(2).mean(-1)])[None],
    "angles": lambda t, y: torch.atan2(y[..., :2], y[..., 2:]) + torch.hypot(y[..., :2], y[..., 2:]),
    "time": lambda t, y: y * torch.cos(t) + torch.exp(-t) * W[0],
    "network": lambda t, y: NET(y.float()).double(),
    "wide": lambda t, y: torch.einsum("bi,ij->bj", y, W.T),
    "batches": lambda t, y: (torch.stack([W, 2 * W]) @ y.T).reshape(1, -1) + y.view(2, 1, 2).bmm(y.view(2, 2, 1)).sum(),
    "vectors": lambda t, y: (W @ y[0])[None] + W[:, :3] @ y[0, :3],
    "nothing": lambda t, y: y,
    "a constant": lambda t, y: torch.ones_like(y),
}
OF_ONE = {name: lambda t, y, name=name: operation(name)(y.abs() + 0.1) for name in UNARY if name != "gelu_single"}
OF_TWO = {name: lambda t, y, name=name: getattr(torch, name)(y, y.flip(-1)) for name in BINARY}


def operation(name):
    return getattr(torch, name, None) or getattr(nn.functional, name)


def evaluated(function, t=0.3, seed=0):
    y = torch.randn(1, 4, generator=torch.Generator().manual_seed(seed)).double()
    tape = Tape.of(function, 4)
    numbers = compiled.arguments(tape)
    out = np.zeros(len(tape.value))
    numbers[4][0], numbers[4][tape.state : tape.state + 4] = t, y[0]
    compiled.evaluate(*numbers[:8])
    out[:] = numbers[4][tape.value]
    return out, function(torch.tensor(t, dtype=torch.float64), y).double().reshape(-1).numpy()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_tape_gives_what_torch_gives(name):
    found, exact = evaluated(FUNCTIONS[name])
    tolerance = 1e-6 if name == "network" else 1e-12
    assert found == pytest.approx(exact, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("name", [*OF_ONE, *OF_TWO])
def test_every_operation_gives_what_torch_gives(name):
    found, exact = evaluated((OF_ONE | OF_TWO)[name], seed=1)
    assert found == pytest.approx(exact, rel=1e-12, abs=1e-12, nan_ok=True)


def test_a_network_in_single_precision_keeps_to_it_over_the_whole_range():
    x = torch.linspace(-8, 8, 4, dtype=torch.float64)
    for shift in torch.linspace(-2, 2, 9):
        found, exact = evaluated(lambda t, y, s=shift: nn.functional.gelu((0 * y + x + s).float()).double())
        assert found == pytest.approx(exact, abs=2e-6)


def test_what_moves_numbers_takes_no_operation():
    assert len(Tape.of(lambda t, y: y.reshape(2, 2).T.flip(0).reshape(1, 4)[..., [3, 0]], 4).code) == 0


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda t, y: y * float(y.sum()), "known operations, got _local_scalar_dense"),
        (lambda t, y: y if (y > 0).all() else -y, "known operations, got "),
        (lambda t, y: torch.special.bessel_j0(y), "known operations, got special_bessel_j0"),
        (lambda t, y: y.clone().add_(1), "known operations, got add_"),
        (lambda t, y: y.norm(p=1, dim=-1, keepdim=True), "known operations, got the norm of order 1"),
    ],
)
def test_what_cannot_be_noted_is_refused(function, words):
    with pytest.raises(InputError, match=words):
        Tape.of(function, 4)
