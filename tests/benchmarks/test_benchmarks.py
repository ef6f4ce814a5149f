"""The benchmarks run, measure what they say, and give every method the same start."""

import dataclasses
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics._units import Standardisation
from dynred.dynamics.neural_ode import NeuralODE, NeuralODESpec
from dynred.evaluation.records import Spread
from dynred.numerics.latent_space import LatentSpace
from dynred.rng import generator, spawn
from dynred.training.minimise import TrainingSpec

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))  # scripts, which import each other as siblings
import derivative_matching
import measuring
import one_interval
import truth
from one_interval import OneIntervalSpec, OneIntervalTraining, Pairs, TorchdiffeqTraining, trainings
from training_curves import Curve, Point, Score, compare

SPEC = NeuralODESpec(width=16, depth=2, start=None, training=TrainingSpec(steps=1, learning_rate=1e-30))


def rotation(lengths: tuple[int, ...] = (30, 20)) -> Trajectories:
    """Exact trajectories of z' = (-z2, z1), with velocities, on circles of radius 1, 2, ..."""
    parts = []
    for i, length in enumerate(lengths):
        t = 0.2 * torch.arange(length, dtype=torch.float64)
        z = (i + 1) * torch.stack([torch.cos(t), torch.sin(t)], -1)
        v = torch.stack([-z[:, 1], z[:, 0]], -1)
        parts.append(Trajectories(z, t, torch.tensor([length]), v))
    return Trajectories.concatenate(parts)


def untrained(latents: Trajectories) -> NeuralODE:
    weights = spawn(generator(0, "dynamics"), "weights")
    return NeuralODE(SPEC, LatentSpace(lines=2), Standardisation.of(latents, LatentSpace(lines=2)), weights)


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(derivative_matching, "installed", lambda *names: False)
        derivative_matching.main(["--small", "--out", str(out)])
    return out, json.loads((out / "derivative_matching.json").read_text())


def test_the_small_benchmark_writes_both_curves_and_a_figure(small_run):
    out, data = small_run
    assert [curve["method"] for curve in data["curves"]] == ["derivative matching", "torchdiffeq"]
    for curve in data["curves"]:
        assert len(curve["points"]) == 2
        assert all(point["seconds"] > 0 and point["steps"] > 0 for point in curve["points"])
    assert "<svg" in (out / "derivative_matching.svg").read_text()
    assert data["machine"]["versions"]["torch"] == str(torch.__version__)


def test_every_method_improves_on_the_untrained_field_in_the_small_benchmark(small_run):
    _, data = small_run
    for curve in data["curves"]:
        assert curve["points"][-1]["score"]["first_error"] < data["untrained"]["first_error"], curve["method"]


def test_training_through_the_solver_starts_from_the_weights_of_derivative_matching():
    latents = rotation()
    fitted = SPEC.fit(latents, latents, rng=generator(0, "dynamics"))  # one step at a rate of 1e-30 moves nothing
    initial = untrained(latents)
    for name, value in fitted.state_dict().items():
        assert torch.equal(value, initial.state_dict()[name]), name


def test_pairs_are_consecutive_snapshots_of_one_trajectory():
    latents = rotation()
    pairs = Pairs.of(latents, untrained(latents))
    assert len(pairs.now) == 29 + 19
    assert pairs.interval == pytest.approx(0.2)
    turn = torch.tensor([[math.cos(0.2), math.sin(0.2)], [-math.sin(0.2), math.cos(0.2)]], dtype=torch.float64)
    units = Standardisation.of(latents, LatentSpace(lines=2))
    expected = units.standard(units.latent(pairs.now.double()) @ turn)
    assert torch.allclose(pairs.later.double(), expected, atol=1e-6)


def test_the_loss_of_the_recipe_is_the_error_of_a_rollout_over_one_interval():
    latents = rotation()
    initial = untrained(latents)
    pairs = Pairs.of(latents, initial)
    recipe = TorchdiffeqTraining(initial, pairs, OneIntervalSpec(tolerance=1e-6))
    index = torch.arange(len(pairs.now))
    start = initial.units.latent(pairs.now.double())
    found = initial.rollout(start, torch.tensor([0.0, 0.2], dtype=torch.float64))[:, 1]
    expected = (initial.units.standard(found) - pairs.later).pow(2).mean()
    assert float(recipe.loss(initial, index).detach()) == pytest.approx(float(expected.detach()), rel=1e-4)


def test_a_hundred_steps_through_the_solver_lower_the_loss_a_hundredfold():
    latents = rotation()
    initial = untrained(latents)
    recipe = TorchdiffeqTraining(initial, Pairs.of(latents, initial), OneIntervalSpec())
    index = torch.arange(48)
    state = recipe.start()
    for _ in range(100):
        state = recipe.step(state, index, 1e-2)
    assert recipe.loss(recipe.model(state), index) < 1e-2 * recipe.loss(initial, index)


class Recorded(OneIntervalTraining):
    """Steps that take a second of a false clock and remember their rates."""

    def __init__(self):
        self.clock = 0.0

    def start(self):
        return []

    def step(self, state, index, rate):
        self.clock += 1
        return [*state, rate]

    def branched(self, state):
        return state

    def model(self, state):
        self.clock += 1000  # on no clock
        return state


def test_every_training_spends_half_of_its_own_time_at_each_rate(monkeypatch):
    method = Recorded()
    monkeypatch.setattr(one_interval, "time", SimpleNamespace(perf_counter=lambda: method.clock))
    found = list(trainings(method, [8.0, 4.0], 10, OneIntervalSpec(rates=(0.1, 0.01)), generator(0)))
    assert [one.model for one in found] == [[0.1] * 2 + [0.01] * 2, [0.1] * 4 + [0.01] * 4]
    assert [(one.seconds, one.steps) for one in found] == [(4, 4), (8, 8)]


def test_a_branch_of_a_torchdiffeq_training_leaves_its_trunk_alone():
    latents = rotation()
    initial = untrained(latents)
    recipe = TorchdiffeqTraining(initial, Pairs.of(latents, initial), OneIntervalSpec())
    index = torch.arange(8)
    trunk = recipe.step(recipe.start(), index, 1e-3)
    before = recipe.model(trunk).state_dict()
    recipe.step(recipe.branched(trunk), index, 1e-3)
    assert all(torch.equal(value, before[name]) for name, value in recipe.model(trunk).state_dict().items())
    assert not torch.equal(before["net.layers.0.weight"], initial.net.layers[0].weight)


def curve(method: str, *points: tuple[float, float], compile_s: float = 0.0) -> Curve:
    return Curve(method, [Point(s, 1, Score(Spread(v, v, v), 0.0)) for s, v in points], compile_s)


def test_time_to_equal_quality_takes_the_shortest_training_that_is_as_good_and_no_level_twice():
    ours = curve("ours", (1, 10), (2, 30), (4, 60))
    other = curve("other", (10, 5), (20, 30), (40, 29), (80, 61), compile_s=2.0)
    found = [(c.valid_time, c.seconds, c.ours_seconds, c.ratio, c.ratio_with_compilation) for c in compare(ours, other)]
    assert found == [(5, 10, 1, 10, 12), (30, 20, 2, 10, 11), (61, 80, None, None, None)]


def test_limiting_threads_is_undone(monkeypatch):
    before = torch.get_num_threads()
    with measuring.limited_to(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_diffrax_takes_the_same_training_steps_as_torchdiffeq():
    pytest.importorskip("diffrax")
    pytest.importorskip("optax")
    from one_interval_diffrax import DiffraxTraining

    latents = rotation()
    initial = untrained(latents)
    pairs, spec = Pairs.of(latents, initial), OneIntervalSpec(batch_size=16, tolerance=1e-5)
    models = []
    for method in (TorchdiffeqTraining(initial, pairs, spec), DiffraxTraining(initial, pairs, spec)):
        state, rng = method.start(), generator(0, "batches")
        for _ in range(20):
            state = method.step(state, torch.randint(len(pairs.now), (16,), generator=rng), 1e-3)
        models.append(method.model(state))
    moved = [(a - b).abs().max() for a, b in zip(models[0].parameters(), initial.parameters(), strict=True)]
    apart = [(a - b).abs().max() for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True)]
    assert min(moved) > 5e-3
    assert max(apart) < 1e-4


def test_the_small_benchmark_has_a_diffrax_curve_where_it_is_installed(tmp_path):
    pytest.importorskip("diffrax")
    pytest.importorskip("optax")
    size = dataclasses.replace(derivative_matching.SMALL, steps=(20,), halvings=0, seconds=0.3)
    setting = derivative_matching.prepare(size, 0)
    found = derivative_matching.curves(setting, size, 0, adam=False)
    assert [one.method for one in found] == ["derivative matching", "torchdiffeq", "diffrax"]
    assert found[2].compile_s > 0


def test_the_benchmark_of_truth_counts_numbers_in_their_intervals(capsys, monkeypatch):
    monkeypatch.setattr(truth, "MODELS", {"stuart_landau": (1, 4.0)})
    counts = truth.intervals(0, count=60, draws=5)
    inside, total = counts["inside"]
    assert inside == total > 0
    assert "intervals, inside: " in capsys.readouterr().out
