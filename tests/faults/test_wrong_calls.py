"""A wrong call of a public function is refused in one sentence with the words that matter."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import dynred
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.evaluation.lyapunov import lyapunov_spectrum
from dynred.models.bands import calibrate
from dynred.models.reduced import on_reducer
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from faults.children import GIGABYTE, in_child
from faults.material import TIMES, files, small_data, small_model
from faults.sentences import check_sentence
from faults.tables import table


@pytest.fixture(scope="module")
def names(workplace):
    """What the expressions of the table mean."""
    data, rng = small_data(), generator(0)
    lifted = simulate(find_system("graph_lift", dim=5), 12, TIMES, rng=generator(0))
    broken = replace(data, states=torch.where(data.states > 0.9, torch.nan, data.states))
    flat = on_reducer(PODSpec(2).fit(lifted, lifted, rng=rng), LinearSpec(), lifted, lifted, rng=rng)
    return {
        **{name: getattr(dynred, name) for name in dynred.__all__},
        **{"np": np, "torch": torch, "nan": float("nan"), "inf": float("inf"), "T": TIMES, "rng": rng},
        **{"LinearSpec": LinearSpec, "NeuralODESpec": NeuralODESpec, "calibrate": calibrate},
        **{"data": data, "lifted": lifted, "broken": broken, "still": replace(data, velocities=None)},
        **{"system": find_system("stuart_landau"), "model": small_model(data), "other": flat, "wide": flat},
        "lyapunov_spectrum": lyapunov_spectrum,
    }


@pytest.mark.few(25)
@pytest.mark.parametrize(("expression", "words"), table("wrong_calls.txt"), ids=str)
def test_a_wrong_call_is_refused_in_one_sentence(names, tmp_path, expression, words):
    for name in ("note.txt", "mine.npz"):
        (tmp_path / name).write_text("mine\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "measured.csv").write_text("mine\n")
    before = files(tmp_path)
    ended = in_child(lambda: eval(expression, names) and None, folder=tmp_path, seconds=10, memory=2 * GIGABYTE)
    assert ended.code == 0, f"ended with {ended.code}: {ended.err[-300:]}"
    assert ended.error, "it was accepted"
    assert ended.refused, f"not an error of dynred: {ended.error[:300]}"
    check_sentence(ended.error, words)
    assert files(tmp_path) == before, "something was left behind"
