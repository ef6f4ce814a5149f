"""The scripts that measure against papers: their parts in the fast tests, their small sizes in the slow ones."""

import json
import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from dynred.systems.michaelis_menten import slow_manifold
from scipy.io import savemat

from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def load(monkeypatch):
    """An example as a module."""
    monkeypatch.syspath_prepend(EXAMPLES)
    loaded = []

    def module(name):
        loaded.append(name)
        return __import__(name)

    yield module
    for name in loaded:
        sys.modules.pop(name, None)


def written(out, rows):
    """The values in results.json, which are those of the rows, by case."""
    stored = json.loads((out / "results.json").read_text())
    assert [row["case"] for row in stored] == [row.case for row in rows]
    assert all(set(row) == {"case", "published", "ours", "minutes"} for row in stored)
    assert list(out.glob("*.png"))
    return {row["case"]: row["ours"] for row in stored}


def value(found, words):
    (number,) = [float(ours) for case, ours in found.items() if words in case]
    return number


def test_results_of_an_earlier_run_are_replaced_and_nothing_else_is(load, tmp_path):
    module = load("paper_results")
    for ours in (1.0, "2"):
        figure = module.blank(1, 1)
        module.write_results(tmp_path, "", [module.Row("a", None, ours, 0.0)], {"picture": figure})
        assert json.loads((tmp_path / "results.json").read_text())[0]["ours"] == ours
    (tmp_path / "results.json").write_text('{"mine": 1}')
    with pytest.raises(InputError, match=r"out must be a new path, got the file .*results\.json"):
        module.check_results(tmp_path)


# -- slow manifolds ----------------------------------------------------------------------------------------------------


def test_the_trajectory_from_far_away_is_on_the_manifold_that_the_series_approaches(load):
    s = torch.tensor([0.1, 1.2, 0.5], dtype=torch.float64)
    module, errors = load("slow_manifolds"), []
    for epsilon in (0.15, 0.3):
        system = find_system("michaelis_menten", epsilon=epsilon)
        exact = module.exact_manifold(system, s)
        errors.append((exact - slow_manifold(s, epsilon, 1.0, 0.5, 2)).abs().max())
    other = module.exact_manifold(system, s, bound=0.7)
    assert torch.allclose(exact, other, rtol=0, atol=1e-11)  # whatever it starts with is forgotten
    assert errors[0] < 1e-4
    assert torch.log2(errors[1] / errors[0]) == pytest.approx(3, abs=0.4)  # the series leaves epsilon^3


@pytest.mark.slow
def test_learned_slow_manifolds_are_the_exact_ones(load, tmp_path):
    found = written(tmp_path, load("slow_manifolds").main(tmp_path, small=True))
    for case, ours in found.items():
        if "largest" in case:
            assert ours < 1e-6
    assert value(found, "Davis-Skodje, gamma = 10: slow rate") == pytest.approx(-1, abs=1e-3)


# -- Ott and Antonsen --------------------------------------------------------------------------------------------------


def test_the_closed_form_solves_ott_and_antonsens_equation(load):
    module = load("ott_antonsen_2008")
    t = torch.linspace(0, 3, 3001, dtype=torch.float64)
    r = module.closed_form(torch.tensor([0.05, 0.95], dtype=torch.float64), t)
    slope = (r[:, 2:] - r[:, :-2]) / (t[2:] - t[:-2])
    inner = r[:, 1:-1]
    assert torch.allclose(slope, 1.5 * inner - 2 * inner**3, atol=1e-5)
    assert r[:, 0].tolist() == pytest.approx([0.05, 0.95])


def test_moments_of_equal_phases_are_powers_and_turn_with_the_frame(load):
    module = load("ott_antonsen_2008")
    x = torch.tensor([[np.cos(0.3)] * 5 + [np.sin(0.3)] * 5])
    moments = module.complex_moments(module.moments(x))
    assert torch.allclose(moments.angle(), 0.3 * torch.arange(1, 5, dtype=torch.float64))
    assert module.off_powers(moments) < 1e-15


@pytest.mark.slow
def test_two_coordinates_follow_the_closed_form_better_than_the_network_itself(load, tmp_path):
    found = written(tmp_path, load("ott_antonsen_2008").main(tmp_path, small=True))
    assert value(found, "reduced model: largest error of r") < 0.6 * value(found, "itself: largest error of r")
    assert value(found, "reduced model: moments") < value(found, "itself: moments")


# -- IRMAE-WD ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_counts_of_every_seed_are_written(load, tmp_path):
    rows = load("zeng_2024").main(tmp_path, small=True)
    assert value(written(tmp_path, rows), "gap") > 1


# -- SSMLearn ----------------------------------------------------------------------------------------------------------


def cells(path, trajectories):
    """A file as the authors have them: a cell array of times and states, one row for each trajectory."""
    table = np.empty((len(trajectories), 2), dtype=object)
    for row, (t, x) in zip(table, trajectories, strict=True):
        row[0], row[1] = t[None], x
    savemat(path, {"xData": table, "dt": 0.1})


def test_cell_arrays_of_times_and_states_are_read(load, tmp_path):
    t, x = np.arange(5) * 0.1, np.random.default_rng(0).normal(size=(2, 5))
    cells(tmp_path / "a.mat", [(t, x), (t[:4], x[:, :4])])
    found = load("cenedese_2022").read([tmp_path / "a.mat"] * 2)
    assert found.lengths.tolist() == [5, 4, 5, 4]
    assert torch.equal(found[2].states, torch.from_numpy(x.T))
    assert found.times(1).tolist() == pytest.approx(t[:4])


def test_a_file_without_trajectories_is_refused(load, tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.zeros(3)})
    with pytest.raises(InputError, match=r"a\.mat must hold one cell array of times and states, got 0"):
        load("cenedese_2022").read([tmp_path / "a.mat"])


def test_without_a_network_the_script_says_which_file_it_needs(load, tmp_path, monkeypatch, capsys):
    def unreachable(*_, **__):
        raise urllib.error.URLError("no route to host")

    module = load("cenedese_2022")
    monkeypatch.setattr(module.urllib.request, "urlopen", unreachable)
    assert module.downloaded("vortex", tmp_path) is None
    told = " ".join(capsys.readouterr().out.split())
    assert "no route to host" in told
    assert "Give --vortex PATH, the file examples/vortexshedding/data.mat of github.com/haller-group/SSMLearn" in told
    assert not list(tmp_path.iterdir())


def test_the_trajectory_that_is_kept_apart_is_never_trained_on(load):
    module = load("cenedese_2022")
    system = find_system("oscillator_chain", masses=1, modes=1)
    t = torch.arange(40, dtype=torch.float64)
    samples = simulate(system, 4, t, rng=generator(0), transient=0.0).map(lambda x: x[..., :1])
    for count in (2, 4):
        case = module.Case("", None, 1, delays=2, skip=3.0)
        train, validation, test = module.prepared(case, samples[list(range(count))])
        kept = test.states[0]
        assert len(test) == 1
        assert not any((part.states == kept).all(-1).any() for part in (train, validation))
        assert test.states.shape == (40 - 3 - 2, 3)
        assert len(train) + len(validation) == (2 if count == 2 else 3)


@pytest.mark.slow
def test_what_can_be_simulated_is_predicted_to_a_few_percent(load, tmp_path):
    found = written(tmp_path, load("cenedese_2022").main(tmp_path, small=True))
    assert value(found, "wake") < 5
    assert value(found, "chain") < 5


# -- LED ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_fronts_are_followed_by_three_coordinates(load, tmp_path):
    found = written(tmp_path, load("vlachas_2022").main(tmp_path, small=True))
    assert value(found, "coordinates leave") < 1e-4
    assert value(found, "median trajectory") < 15
