import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.right_hand_side import recognise
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate

# x' = (a y - sin(t) x, x z - y, x y - b z): forced, with two parameters, in each of the ways in which people write it.


def torch_batched(t, x, a, b):
    x, y, z = x.unbind(-1)
    return torch.stack([a * y - torch.sin(t) * x, x * z - y, x * y - b * z], -1)


def torch_single(t, x, a, b):
    return torch.stack([a * x[1] - torch.sin(t) * x[0], x[0] * x[2] - x[1], x[0] * x[1] - b * x[2]])


def torch_branching(t, x, a, b):
    out = torch_single(t, x, a, b)
    return out if x[0] > 0 else 1.0 * out


def numpy_batched(t, x, a, b):
    x, y, z = x[..., 0], x[..., 1], x[..., 2]
    return np.stack([a * y - np.sin(t) * x, x * z - y, x * y - b * z], -1)


def numpy_columns(t, u, a, b):
    x, y, z = u
    return np.array([a * y - np.sin(t) * x, x * z - y, x * y - b * z])


def numpy_single(t, x, a, b):
    return [a * x[1] - math.sin(t) * x[0], x[0] * x[2] - x[1], float(x[0] * x[1] - b * x[2])]


def numpy_columns_at_one_time(t, u, a, b):
    x, y, z = u
    return np.array([a * y - math.sin(t) * x, x * z - y, x * y - b * z])


def torch_batched_at_one_time(t, x, a, b):
    return torch_batched(t, x, a, b) if t > -100 else -x


WRITTEN = {
    "torch": torch_batched,
    "torch per state": torch_single,
    "torch, branching": torch_branching,
    "numpy": numpy_batched,
    "numpy columns": numpy_columns,
    "numpy per state": numpy_single,
    "numpy columns, one time": numpy_columns_at_one_time,
    "torch, one time": torch_batched_at_one_time,
}
DEFAULTS = {"a": 1.5, "b": 0.5}
TRIED = torch.randn(4, 3, generator=generator(0), dtype=torch.float64)
FOUND = {name: recognise(rhs, TRIED, DEFAULTS) for name, rhs in WRITTEN.items()}
number = st.floats(-5, 5)


@pytest.mark.parametrize("name", WRITTEN)
def test_each_form_is_recognised(name):
    form = "torch per state" if name == "torch, branching" else name.removesuffix(", one time")
    assert FOUND[name].form == form
    assert FOUND[name].differentiable == name.startswith("torch")
    assert FOUND[name].timewise == (not name.endswith("one time"))


@settings(max_examples=30)
@given(arrays(float, (2, 3, 3), elements=number), arrays(float, (2, 3), elements=number), number, number)
def test_every_form_of_an_ode_gives_the_same_on_any_batch(x, a, b, t):
    x, a = torch.from_numpy(x), torch.from_numpy(a)
    values = {"a": a, "b": torch.tensor(b, dtype=torch.float64)}
    times = torch.tensor(t, dtype=torch.float64) + torch.arange(6, dtype=torch.float64).reshape(2, 3)
    for time in (torch.tensor(t, dtype=torch.float64), times):
        expected = torch.empty_like(x)
        for i in np.ndindex(2, 3):
            now = time[i] if time.ndim else time
            expected[i] = torch_single(now, x[i], a[i], values["b"])
        for name, found in FOUND.items():
            out = found(time, x, values)
            assert torch.allclose(out, expected, rtol=1e-12, atol=1e-12), name
            assert out.dtype == torch.float64


@pytest.mark.parametrize("name", WRITTEN)
def test_a_single_state_and_an_empty_batch_are_batches(name):
    values = {k: torch.tensor(v, dtype=torch.float64) for k, v in DEFAULTS.items()}
    expected = torch_batched(torch.tensor(0.5), TRIED[0], **values)
    assert torch.allclose(FOUND[name](0.5, TRIED[0], values), expected, atol=1e-12)
    assert FOUND[name](0.5, TRIED[:0], values).shape == (0, 3)


def test_one_dimension_is_no_special_case():
    x = torch.linspace(-1, 1, 6, dtype=torch.float64)[:, None]
    for rhs in (lambda t, x: -(x**3), lambda t, x: [-(x[0] ** 3)], lambda t, x: np.array([-(x[0] ** 3)])):
        system = System("cubic", 1, rhs=rhs)
        assert torch.allclose(system.at()(torch.tensor(0.0), x), -(x**3))


def test_a_number_of_states_that_equals_the_dimension_does_not_confuse_rows_with_columns():
    system = System("turn", 2, rhs=lambda t, x: np.array([x[1], -x[0]]))
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    assert system.at()(torch.tensor(0.0), x).tolist() == [[2.0, -1.0], [4.0, -3.0]]


def test_only_what_torch_can_really_differentiate_counts_as_differentiable():
    def half(t, x):
        return -x + torch.from_numpy(np.sin(x.detach().numpy()))

    assert not System("half", 2, rhs=half).right_hand_side.differentiable
    assert not System("rest", 2, rhs=lambda t, x: torch.zeros_like(x)).right_hand_side.differentiable
    base = System("base", 2, rhs=lambda t, x: np.stack([np.sin(x[..., 1]), -x[..., 0]], -1))
    assert not find_system("graph_lift", base=base, dim=5).right_hand_side.differentiable
    assert find_system("graph_lift", dim=5).right_hand_side.differentiable


def changing(t, x):
    x *= 2
    return -x


def moody():
    calls = iter(range(10**6))
    return lambda t, x: np.array([float(next(calls)), x[0]])


def ending(t, x):
    sys.exit(0)


def needs_more(t, x):
    return x[5] * np.ones(2)


@pytest.mark.parametrize(
    ("rhs", "message"),
    [
        (lambda t, x: x[..., :1], r"rhs\(t, x\) must be of shape \[2\], like x, got shape \[1\]"),
        (lambda t, x: np.zeros(3) + np.sum(x.tolist()), r"must be of shape \[2\], like x, got shape \[3\]"),
        (lambda t, x: x.float(), r"rhs\(t, x\) must be of dtype torch.float64, like x, got torch.float32"),
        (lambda t, x: np.asarray(x.tolist(), np.float32), r"must be of dtype float64, got float32"),
        (lambda t, x: x * 1j, "must be of dtype torch.float64, like x, got torch.complex128"),
        (lambda t, x: ["a", "b"], "must be of dtype float64, got <U1"),
        (
            lambda t, x: torch.stack([x[..., 0], x[..., 1] / 0], -1),
            "must be finite at an initial state, got -?inf in component 1",
        ),
        (
            lambda t, x: torch.sqrt(-x * x),
            "must be finite at an initial state, got nan in component 0. `sample_initial` decides",
        ),
        (lambda t, x: [np.nan, 0.0], "must be finite at an initial state, got nan in component 0"),
        (changing, "rhs must be a function that leaves its input x alone, got one that changes it. Work on a copy"),
        (moody(), "rhs must give the same answer for the same state, got two different answers"),
        (
            needs_more,
            r"rhs\(t, x\) failed at a state of 2 values: File .*, in needs_more: IndexError.*given torch.*IndexError",
        ),
        (ending, r"rhs\(t, x\) failed at a state of 2 values: File .*, in ending: SystemExit: 0\.$"),
        (lambda t, x: [1.0, [2.0]], r"rhs\(t, x\) must be an array like x, got a list of unequal parts"),
        (lambda t, x: {"v": x}, "must be an array of numbers like x, got a dict"),
        (lambda t, x: True, "must be of dtype float64, got bool"),
        (lambda x: -x, r"rhs\(t, x\) failed at a state of 2 values: TypeError"),
        (lambda t, x, a: -a * x, "TypeError.*missing 1 required positional argument: 'a'"),
        (lambda t, x: None, "must be an array of numbers like x, got None. Return the velocity"),
    ],
)
def test_an_unusable_right_hand_side_is_refused_with_the_reason(rhs, message):
    with pytest.raises(InputError, match=message):
        System("bad", 2, rhs=rhs).right_hand_side  # noqa: B018


def test_a_numpy_function_that_changes_its_input_is_refused_too():
    def rhs(t, x):
        x[0] = np.sin(np.array(x.tolist())[0])
        return np.array([x[1], -x[0]])

    with pytest.raises(InputError, match="leaves its input x alone"):
        System("bad", 2, rhs=rhs).right_hand_side  # noqa: B018


def late(t, x, torch_form=False):
    """A right-hand side that works until t = 3, and then does what `late.then` does."""
    if float(torch.as_tensor(t).max()) > 3:
        return late.then(t, x)
    return -x if torch_form else -np.asarray(x)


def changes(t, x):
    x[..., 0] = 0.0
    return -x


LATE = [
    (
        lambda t, x: math.sqrt(-1) * x,
        r"rhs\(t, x\) at t = 3\.\S+ failed: File .*, in <lambda>: ValueError: math domain",
    ),
    (
        lambda t, x: sys.exit(1),
        r"rhs\(t, x\) at t = 3\.\S+ failed: File \S+test_right_hand_side.py\S+ .*: SystemExit: 1",
    ),
    (lambda t, x: None, r"rhs\(t, x\).* must be .* like x, got .*None"),
    (lambda t, x: x[..., :1], r"rhs\(t, x\).* must be .*, like x, got .*shape"),
    (lambda t, x: x * 1j, r"rhs\(t, x\).* must be .*like x|of dtype float64, got complex128"),
]


@pytest.mark.parametrize("torch_form", [True, False])
@pytest.mark.parametrize(("then", "message"), LATE)
def test_a_right_hand_side_that_fails_later_is_told_with_the_time_and_the_line(then, message, torch_form):
    late.then = then
    system = System("late", 2, rhs=lambda t, x: late(t, x, torch_form))
    with pytest.raises(InputError, match=message):
        simulate(system, 2, torch.linspace(0, 5, 6, dtype=torch.float64), rng=generator(0), solver="explicit")


def test_a_torch_function_that_changes_its_input_later_is_refused_and_one_in_numpy_does_no_harm():
    times = torch.linspace(0, 5, 6, dtype=torch.float64)
    late.then = changes
    with pytest.raises(InputError, match="rhs at t = 3.* must be a function that leaves its input x alone"):
        simulate(System("late", 2, rhs=lambda t, x: late(t, x, True)), 2, times, rng=generator(0), solver="explicit")
    start = torch.ones(1, 2, dtype=torch.float64)
    system = System("late", 2, rhs=late)
    found = simulate(system, times=times, initial=start, rng=generator(0), solver="explicit").states
    assert torch.allclose(
        found[4:, 0], found[3, 0].expand(2), rtol=0.2
    )  # its velocity is 0; the state is not set to it


def test_results_that_share_memory_with_the_input_or_the_last_result_are_copied():
    buffer = torch.empty(7, 2, dtype=torch.float64)

    def reused(t, x):
        out = buffer[: len(x)] if x.ndim == 2 else buffer[0]
        return torch.mul(x.detach(), -1, out=out)

    x = torch.randn(7, 2, generator=generator(0), dtype=torch.float64)
    for rhs, sign in ((reused, -1), (lambda t, x: x, 1)):
        found = System("shared", 2, rhs=rhs).right_hand_side
        first, second = found(0.0, x, {}), found(0.0, 2 * x, {})
        assert torch.equal(first, sign * x)
        assert torch.equal(second, sign * 2 * x)
        first += 1
        assert torch.equal(found(0.0, x, {}), sign * x)


def test_an_error_that_cannot_be_printed_or_is_very_long_is_told_in_a_short_sentence():
    class Strange(BaseException):
        def __str__(self):
            raise ValueError

    def fail(error):
        raise error

    for error, words in (
        (Strange(), "Strange: an error that cannot be printed"),
        (ValueError("a\n" * 10**5), r"a +\.\.\."),
    ):
        with pytest.raises(InputError, match=words) as caught:
            System("bad", 2, rhs=lambda t, x, error=error: fail(error)).right_hand_side  # noqa: B018
        assert len(str(caught.value)) < 2000


def test_a_right_hand_side_that_is_first_used_without_gradients_is_differentiable_all_the_same():
    system = System("decay", 2, lambda t, x: -x)
    with torch.no_grad():
        assert system.right_hand_side.differentiable
