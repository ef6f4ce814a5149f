"""Systems go to processes of one's own: by their name, or with their functions by reference."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch

from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.observe import observe
from dynred.ode.system import System
from dynred.plugin_names import names
from dynred.plugins import load_file
from dynred.rng import generator

FILE = """
import numpy as np
from dynred.ode.system import System
dim = 3
parameters = {"a": 2.0}
def rhs(t, x, a):
    return -a * x + np.sin(t) * x[::-1]
def built(dim=4):
    return System("built", dim, rhs, parameters={"a": 1.0})
"""


def rhs(t, x):
    return -x


def halved(x):
    return x[..., :2] / 2


def same(a, b):
    x, t = a.underlying.initial(3, generator(0)), torch.tensor(0.3, dtype=torch.float64)
    assert (a.name, a.dim, dict(a.parameters)) == (b.name, b.dim, dict(b.parameters))
    assert torch.equal(a.at()(t, x), b.at()(t, x))


def returned(system):
    return pickle.loads(pickle.dumps(system))


@pytest.mark.parametrize("name", names("dynred.systems"))
def test_every_system_of_the_catalogue_comes_back(name):
    same(find_system(name), returned(find_system(name)))


def test_arguments_come_back_too():
    assert returned(find_system("lorenz96", dim=7)).dim == 7


@pytest.mark.parametrize("suffix", ["", ":built"])
def test_a_system_of_a_file_comes_back_in_another_process(tmp_path, suffix):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    system = find_system(f"{path}{suffix}")
    same(system, returned(system))
    (tmp_path / "sent").write_bytes(pickle.dumps(system))
    code = "import pickle, sys; s = pickle.load(open(sys.argv[1], 'rb')); print(s.name, s.right_hand_side.form)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "sent")], capture_output=True, text=True)
    assert done.stdout.split() == [system.name, *system.right_hand_side.form.split()], done.stderr


def test_a_file_that_was_changed_meanwhile_is_refused(tmp_path):
    path = tmp_path / "changing.py"
    path.write_text(FILE)
    sent = (
        pickle.dumps(find_system(str(path))),
        pickle.dumps(System("x", 3, load_file("system", path).rhs, None, {"a": 1})),
    )
    path.write_text(FILE + "\n")
    for each in sent:
        with pytest.raises(InputError, match=r"changing.py, which was sent to this process, must be as it was"):
            pickle.loads(each)


def test_functions_of_modules_and_maps_go_by_reference():
    plain = System("plain", 3, rhs)
    same(plain, returned(plain))
    seen = observe(plain, halved)
    again, x = returned(seen), torch.ones(3, dtype=torch.float64)
    assert torch.equal(again.observation.map(x), seen.observation.map(x))
    assert again.dim == 2


def test_a_lambda_or_a_local_function_is_refused_in_one_sentence_and_copied_in_silence():
    def local(t, x):
        return -x

    for function, words in ((lambda t, x: -x, "a lambda"), (local, "`.*local`, which is local to a function")):
        system = System("x", 3, function)
        with pytest.raises(
            InputError, match=f"rhs of a system that is sent .* a function of a module or file, got {words}"
        ):
            pickle.dumps(system)
        assert copy.deepcopy(system) is system
