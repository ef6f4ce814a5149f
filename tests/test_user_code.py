"""Whatever goes wrong in code of the user's own is told in a sentence, with the line of theirs."""

import os
import sys

import pytest
import torch

from dynred.errors import DivergenceError, InputError
from dynred.metrics.base import measured
from dynred.metrics.nmte import NMTE
from dynred.models.forecast import Forecast
from dynred.ode.find import find_system
from dynred.ode.observe import observe
from dynred.rng import generator
from dynred.simulation.events import Event
from dynred.simulation.simulate import simulate
from dynred.user_code import guarded, user_code

TIMES = torch.linspace(0, 1, 5, dtype=torch.float64)
HEAD = "import sys, torch\nfrom dynred.ode.system import System\n"
FILES = {  # of the user's own, and what is said of them
    "exits in the builder": (HEAD + "def system():\n    sys.exit(0)\n", r"line 4, in system: SystemExit: 0"),
    "fails in the builder": (HEAD + "def system(n=2):\n    return 1 / 0\n", r"line 4, in system: ZeroDivisionError"),
    "fails far below": (
        HEAD + "def system():\n    return torch.zeros(2) @ torch.zeros(3)\n",
        r"line 4, in system: RuntimeError: .*size",
    ),
    "gives nothing": (HEAD + "def system():\n    pass\n", "must be a dynred.System or a function .* got NoneType"),
    "wants arguments": (HEAD + "def system(n):\n    return n\n", "failed: TypeError: .*missing 1 required"),
    "has words for numbers": ("dim = 2\ntransient = 'long'\ndef rhs(t, x): return -x\n", "failed: TypeError: '>='"),
    "is of absurd size": (HEAD + "def system():\n    return System('big', 10**12, lambda t, x: -x)\n", "must fit into"),
    "allocates too much": (
        HEAD + "def system():\n    return torch.zeros(10**13)\n",
        r"needs more memory than there is: File .*line 4, in system: RuntimeError",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_users_own_that_gives_no_system_is_told_with_its_line(name, tmp_path):
    text, words = FILES[name]
    path = tmp_path / f"{name.replace(' ', '_')}.py"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        find_system(str(path))
    assert str(path) in str(caught.value)


def fail(*arguments):
    raise KeyError("missing")


def test_maps_events_and_metrics_that_fail_are_told_with_their_line():
    system = find_system("lorenz63")
    here = r'File ".*test_user_code.py", line \d+, in fail: KeyError'
    with pytest.raises(InputError, match=f"map failed: {here}.*Write it in torch"):
        observe(system, fail)
    with pytest.raises(InputError, match=f"event top failed: {here}"):
        simulate(system, 2, TIMES, rng=generator(0), events=[Event(fail, "top")])
    truth = simulate(system, 2, TIMES, rng=generator(0))
    for function, words in (
        (fail, f"metric Own failed: {here}"),
        (lambda *_: None, r"metric Own failed: (\w+Error): "),
        (lambda *_: torch.zeros(3), r"metric Own must be one real number per trajectory \[2\], got .* \[3\]"),
        (lambda *_: torch.zeros(2) * 1j, "metric Own must be one real number per trajectory .* got torch.complex64"),
    ):
        own = type("Own", (NMTE,), {"__call__": function})()
        with pytest.raises(InputError, match=words):
            measured(own, Forecast(truth, truth, truth))


def test_a_map_that_fails_later_is_told():
    def late(x):
        if x.ndim > 1 and len(x) == 20:
            fail()
        return 2 * x

    seen = observe(find_system("lorenz63"), late)
    with pytest.raises(InputError, match="map failed: File .*in fail: KeyError"):
        simulate(seen, 4, TIMES, rng=generator(0), transient=0.0)


@pytest.mark.parametrize(
    "error", [InputError("said well"), DivergenceError("said well", 0, 1.0), KeyboardInterrupt("said well")]
)
def test_errors_of_dynred_and_interruptions_pass_as_they_are(error):
    def throws():
        raise error

    with pytest.raises(type(error), match="said well") as caught:
        guarded("rhs", throws)()
    assert caught.value is error


def test_the_line_is_the_deepest_of_the_users_not_of_a_library():
    with (
        pytest.raises(InputError, match=r"it failed: File .*, in test_the_line_is_the_deepest.*FileNotFoundError"),
        user_code("it"),
    ):
        os.listdir("/nowhere")
    with (
        pytest.raises(InputError, match=r"it failed: File .*, in test_the_line_is_the_deepest.*: SystemExit: 3\.$"),
        user_code("it"),
    ):
        sys.exit(3)
