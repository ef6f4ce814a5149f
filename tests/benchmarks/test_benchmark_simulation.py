"""The simulation benchmark compares solvers of the same equation, at equal error."""

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dynred.ode.find import find_system
from dynred.rng import generator

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))  # scripts, which import each other as siblings
import kuramoto_sivashinsky_ensemble
import lorenz96_ensemble
import measuring
import simulation
import work_precision
from work_precision import Ensemble, Method, Work, WorkPoint, measure, seconds_at


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "installed", lambda *names: False)
        simulation.main(["--small", "--repeats", "1", "--out", str(out)])
    return out, json.loads((out / "simulation.json").read_text())


def test_the_small_benchmark_writes_both_ensembles_and_a_figure(small_run):
    out, data = small_run
    assert [entry["system"] for entry in data["ensembles"]] == ["kuramoto_sivashinsky", "lorenz96"]
    assert "<svg" in (out / "simulation.svg").read_text()
    for entry in data["ensembles"]:
        names = [method["name"] for method in entry["methods"]]
        assert names[0].startswith("dynred")
        for row in entry["at_equal_error"]:
            assert list(row["ratios"]) == names[1:]


def test_two_solvers_agree_on_the_reference(small_run):
    for entry in small_run[1]["ensembles"]:
        assert entry["reference"]["disagreement"] < 1e-9


def test_every_method_converges_to_the_reference(small_run):
    for entry in small_run[1]["ensembles"]:
        for method in entry["methods"]:
            errors = [point["error"] for point in method["points"]]
            assert errors[-1] < 1e-2 * errors[0], method["name"]
            assert errors[-1] < 1e-6, method["name"]


def test_all_right_hand_sides_of_kuramoto_sivashinsky_are_the_same():
    system = find_system("kuramoto_sivashinsky")
    x = system.initial(5, generator(0))
    exact = system.at()(torch.tensor(0.0), x)
    linear, advection = kuramoto_sivashinsky_ensemble.matrices()
    for u, v in zip(x.numpy(), exact.numpy(), strict=True):
        assert np.allclose(kuramoto_sivashinsky_ensemble.by_transforms(0.0, u), v, atol=1e-10)
        assert np.allclose(linear @ u + advection @ (u * u), v, atol=1e-10)


def test_all_right_hand_sides_of_lorenz96_are_the_same():
    system = find_system("lorenz96")
    x = system.initial(5, generator(0))
    exact = system.at()(torch.tensor(0.0), x)
    assert torch.allclose(lorenz96_ensemble.rhs(torch.tensor(0.0), x), exact, atol=1e-12)
    for y, v in zip(x.numpy(), exact.numpy(), strict=True):
        assert np.allclose(lorenz96_ensemble.rhs_numpy(0.0, y), v, atol=1e-12)


def test_seconds_at_an_error_follow_a_power_law_exactly():
    points = [WorkPoint(0.0, error, 3 * error**-0.25) for error in (1e-2, 1e-4, 1e-6)]
    assert seconds_at(points, 1e-5) == pytest.approx(3 * 1e-5**-0.25)


def test_seconds_at_an_error_ignore_points_beaten_in_both_and_methods_that_never_get_there():
    points = [WorkPoint(0.0, 1e-2, 1.0), WorkPoint(0.0, 1e-3, 50.0), WorkPoint(0.0, 1e-4, 10.0)]
    assert seconds_at(points, 1e-3) == pytest.approx(math.sqrt(10))
    assert seconds_at(points, 1.0) == 1.0
    assert seconds_at(points, 1e-5) is None
    assert seconds_at([WorkPoint(0.0, math.inf, 1.0)], 1.0) is None


def test_ratios_are_seconds_over_those_of_the_first_method_at_its_own_errors():
    ours = Work("ours", 1, [WorkPoint(0.1, 1e-2, 1.0), WorkPoint(0.01, 1e-4, 2.0)])
    other = Work("other", 1, [WorkPoint(0.1, 1e-1, 3.0), WorkPoint(0.01, 1e-3, 12.0)])
    found = simulation.ratios([ours, other])
    assert [row["ratios"]["other"] for row in found] == [pytest.approx(6.0), None]


def ensemble_at_rest() -> Ensemble:
    states = torch.tensor([[3.0, 4.0], [0.0, 5.0], [1.0, 1.0], [2.0, 2.0]], dtype=torch.float64)
    return Ensemble(find_system("stuart_landau"), states, 1.0, states[:2], 0.0)


def test_the_error_is_that_of_the_worst_trajectory_in_units_of_the_states():
    problem = ensemble_at_rest()
    apart = problem.initial + torch.tensor([[0.0, 0.5], [0.0, 1.0], [9.0, 9.0], [9.0, 9.0]], dtype=torch.float64)
    assert problem.error(problem.initial) == 0
    assert problem.error(apart) == pytest.approx(1.0 / 5.0)


def test_a_loop_over_a_part_is_scaled_to_the_ensemble_and_compilation_kept_apart(monkeypatch):
    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)
    calls = []

    def solve(setting: float, count: int) -> torch.Tensor:
        clock.now += 3.0 * count if calls else 100.0  # compiles at the first call
        calls.append(setting)
        return ensemble_at_rest().initial[:count]

    monkeypatch.setattr(work_precision, "time", clock)
    monkeypatch.setattr(measuring, "time", clock)
    work = measure(Method("slow", solve, (1.0, 0.5), count=2, compiled=True), ensemble_at_rest(), repeats=3)
    assert [point.seconds for point in work.points] == [12.0, 12.0]
    assert work.compile_s == 94.0
    assert calls == [1.0] * 4 + [0.5] * 4


def test_diffrax_solves_the_same_equations():
    pytest.importorskip("diffrax")
    for name, size in simulation.SMALL.items():
        problem = simulation.ENSEMBLES[name].ensemble(size.trajectories, size.end, size.loop, 0)
        found = [m for m in simulation.competitors(name, problem, size) if m.name.startswith("diffrax")]
        assert len(found) >= 2
        for method in found:
            assert problem.error(method.solve(1e-6, size.loop)) < 1e-5, method.name
