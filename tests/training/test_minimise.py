import dataclasses
import math
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from dynred.errors import FileFormatError, InputError
from dynred.files import read_tensors
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.training.interruption import stop_trainings
from dynred.training.minimise import TrainingSpec, minimise
from dynred.training.nets import MLP, hidden_matrices, parameter_count

SPEC = TrainingSpec(steps=40, batch_size=16, learning_rate=1e-2, validations=4)


def problem():
    """A small regression: a network, a loss of a batch, a validation loss."""
    net = MLP(2, 1, [8, 8], rng=generator(0, "net"))
    x = torch.randn(64, 2, generator=generator(0, "x"))
    y = torch.sin(x[:, :1]) * x[:, 1:]

    def loss(index):
        return (net(x[index]) - y[index]).pow(2).mean()

    return net, loss, lambda: float(loss(torch.arange(64)))


def train(spec=SPEC, runtime=None, net_loss=None, **changes):
    net, loss, validate = net_loss or problem()
    history = minimise(net, loss, 64, validate, spec, rng=generator(0, "b"), stage="net", runtime=runtime, **changes)
    return net, history


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_a_linear_regression_reaches_its_exact_solution():
    net = MLP(2, 1, [], rng=generator(0))
    x = torch.randn(64, 2, generator=generator(1))
    y = x @ torch.tensor([[2.0], [-1.0]]) + 0.5
    spec = TrainingSpec(steps=600, batch_size=64, learning_rate=0.05)
    loss = lambda index: (net(x[index]) - y[index]).pow(2).mean()  # noqa: E731
    minimise(net, loss, 64, lambda: float(loss(torch.arange(64))), spec, rng=generator(0), stage="net")
    assert torch.allclose(net.layers[0].weight, torch.tensor([[2.0, -1.0]]), atol=1e-4)
    assert torch.allclose(net.layers[0].bias, torch.tensor([0.5]), atol=1e-4)


def test_the_same_seed_gives_the_same_weights_bit_for_bit():
    assert same(train()[0], train()[0])


def stopped(at, stop):
    """The problem, with `stop` called at a step."""
    net, loss, validate = problem()
    calls = iter(range(1, 1000))

    def interrupted(index):
        if next(calls) == at:
            stop()
        return loss(index)

    return net, interrupted, validate


def die():
    raise MemoryError


class Terminated(Exception):
    """What the handler of SIGTERM raises here."""


@pytest.fixture(autouse=True)
def _terminable():
    def handler(number, frame):
        raise Terminated

    before = signal.signal(signal.SIGTERM, handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("muon", [0.0, 5.0])
@pytest.mark.parametrize("at", [2, 10, 11, 33])
@pytest.mark.parametrize("how", ["killed", "ctrl-c", "terminated"])
def test_an_interrupted_training_ends_with_the_same_weights_and_history(tmp_path, at, muon, how):
    spec = dataclasses.replace(SPEC, muon=muon)
    whole, history = train(spec)
    # Killed in the middle of a step, the last checkpoint counts; Ctrl-C waits for the end of the step and saves.
    seconds, stop, error = {
        "killed": (0.0, die, MemoryError),
        "ctrl-c": (1e9, lambda: signal.raise_signal(signal.SIGINT), KeyboardInterrupt),
        "terminated": (1e9, lambda: signal.raise_signal(signal.SIGTERM), Terminated),
    }[how]
    runtime = Runtime(checkpoints=tmp_path, checkpoint_seconds=seconds)
    with pytest.raises(error):
        train(spec, runtime, stopped(at, stop))
    assert read_tensors(tmp_path / "net.safetensors")[1]["done"] == (at - 1 if how == "killed" else at)
    resumed, again = train(spec, runtime)
    assert same(whole, resumed)
    assert dataclasses.replace(again, seconds=[]) == dataclasses.replace(history, seconds=[])


@pytest.fixture
def interruptible():
    """SIGINT as a terminal gives it: a process in the background may have been started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_ctrl_c_does_not_wait(interruptible):
    with pytest.raises(KeyboardInterrupt):
        train(net_loss=stopped(5, lambda: [signal.raise_signal(signal.SIGINT) for _ in range(2)]))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process otherwise")
def test_a_program_without_a_handler_that_is_terminated_leaves_a_checkpoint(tmp_path):
    code = (
        "import os, signal, sys, torch\nsys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\nfrom test_minimise import problem, stopped, train, SPEC\n"
        "from dynred.runtime import Runtime\n"
        "runtime = Runtime(checkpoints=Path(sys.argv[2]), checkpoint_seconds=1e9)\n"
        "train(SPEC, runtime, stopped(5, lambda: os.kill(os.getpid(), signal.SIGTERM)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, Path(__file__).parent, tmp_path], check=False)
    assert done.returncode == -signal.SIGTERM
    assert read_tensors(tmp_path / "net.safetensors")[1]["done"] == 5


def test_a_signal_that_is_ignored_or_only_noted_stops_no_training_or_every(tmp_path):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        train(net_loss=stopped(5, lambda: signal.raise_signal(signal.SIGTERM)))
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        with pytest.raises(KeyboardInterrupt):
            train(net_loss=stopped(5, lambda: signal.raise_signal(signal.SIGTERM)))
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_training_in_a_thread_stops_with_a_checkpoint_when_it_is_asked_to(tmp_path):
    runtime = Runtime(checkpoints=tmp_path, checkpoint_seconds=1e9)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(train, SPEC, runtime, stopped(7, stop_trainings))
        with pytest.raises(KeyboardInterrupt):
            running.result()
    assert read_tensors(tmp_path / "net.safetensors")[1]["done"] == 7
    assert same(train()[0], train(runtime=runtime)[0])


def test_a_finished_training_is_taken_from_its_checkpoint_without_a_step(tmp_path):
    runtime = Runtime(checkpoints=tmp_path)
    whole, _ = train(runtime=runtime)
    net, _, validate = problem()

    def never(index):
        raise AssertionError("a step was taken")

    again, _ = train(runtime=runtime, net_loss=(net, never, validate))
    assert same(whole, again)


def test_the_stream_of_batches_stands_where_an_uninterrupted_training_leaves_it(tmp_path):
    runtime = Runtime(checkpoints=tmp_path)
    states = []
    for _ in range(2):
        net, loss, validate = problem()
        rng = generator(0, "b")
        minimise(net, loss, 64, validate, SPEC, rng=rng, stage="net", runtime=runtime)
        states.append(rng.get_state())
    assert torch.equal(*states)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    train(runtime=Runtime(checkpoints=tmp_path))
    with pytest.raises(FileFormatError, match="checkpoint of other settings"):
        train(dataclasses.replace(SPEC, steps=41), Runtime(checkpoints=tmp_path))


def test_the_weights_of_the_lowest_validation_loss_are_kept():
    net, loss, _ = problem()
    seen = []

    def rising():
        seen.append([p.clone() for p in net.parameters()])
        return float(len(seen))

    _, history = train(net_loss=(net, loss, rising))
    assert history.best_step == history.step[0]
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), seen[0], strict=True))


def test_a_loss_that_is_never_finite_is_an_error_that_names_the_stage():
    net, loss, _ = problem()
    with pytest.raises(InputError, match="Training of the net found no finite validation loss"):
        train(net_loss=(net, lambda index: loss(index) * math.nan, lambda: math.nan))


def test_a_time_limit_ends_the_training_early_with_valid_weights():
    _, history = train(dataclasses.replace(SPEC, steps=10**6, validations=10**5, time_limit=0.3))
    assert 0 < history.step[-1] < 10**6
    assert history.validation[-1] < history.validation[0]


def test_patience_ends_the_training_when_validations_no_longer_improve_and_keeps_the_best_weights(tmp_path):
    spec = dataclasses.replace(SPEC, steps=400, validations=40, patience=3)
    net, loss, _ = problem()
    losses = iter([9.0, 8.0, 7.0, *range(100, 200)])
    _, history = train(spec, net_loss=(net, loss, lambda: next(losses)))
    assert history.best_step == 30
    assert history.step[-1] == 0.3 * 400 + 30  # the warm-up does not count
    falling = [
        train(each, net_loss=(net, loss, iter(range(1000, 0, -1)).__next__))[1].validation
        for each in (spec, dataclasses.replace(spec, patience=None))
    ]
    assert falling[0] == falling[1]  # it improves to the end


def test_a_training_that_patience_ended_is_not_gone_on_with(tmp_path):
    spec = dataclasses.replace(SPEC, steps=400, validations=40, patience=3)
    runtime = Runtime(checkpoints=tmp_path)
    net, loss, _ = problem()
    losses = iter([9.0, 8.0, 7.0, *range(100, 200)])
    first, history = train(spec, runtime, (net, loss, lambda: next(losses)))
    again, same_history = train(spec, runtime)
    assert same(first, again)
    assert same_history.step == history.step


def test_muon_moves_the_matrices_between_hidden_layers_only():
    net = MLP(2, 3, [8, 8, 8], rng=generator(0))
    assert [tuple(m.shape) for m in hidden_matrices(net)] == [(8, 8), (8, 8)]
    assert parameter_count(net) == 2 * 8 + 8 + 2 * (64 + 8) + 8 * 3 + 3


def test_progress_counts_up_to_the_last_step():
    seen = []
    train(runtime=Runtime(progress=lambda stage, done, total, **figures: seen.append((stage, done, total))))
    assert seen[-1] == ("net", 40, 40)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("batch_size", 0),
        ("learning_rate", -1.0),
        ("warmup", 1.0),
        ("time_limit", 0.0),
        ("muon", -1.0),
        ("patience", 0),
    ],
)
def test_settings_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(InputError, match=f"{field} must be"):
        TrainingSpec(**{field: value})


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(InputError, match="device must be available"):
        Runtime(device="cuda")
    with pytest.raises(InputError, match="device must be one of"):
        Runtime(device="tpu")
