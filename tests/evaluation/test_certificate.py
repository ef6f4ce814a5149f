"""The certificate: what it measures is right, and what is proven is never beaten."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from dynred.cli.app import main
from dynred.data.trajectories import Trajectories
from dynred.dynamics.fourier import FourierSpec
from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.evaluation.certify import certify
from dynred.evaluation.evaluate import score
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.recommend import with_recommended_latents
from dynred.experiments.spec import ExperimentSpec
from dynred.files import read_json
from dynred.geometry.obstruction import obstruction
from dynred.models.atlas import AtlasModel
from dynred.models.forecast import forecast
from dynred.models.reduced import ReducedModel
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.find import find_system
from dynred.ode.known_set import KnownSet
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import Reducer
from dynred.reducers.pod import PODSpec
from dynred.report.context import Context
from dynred.report.model_page import render
from dynred.rng import generator
from dynred.training.minimise import TrainingSpec
from dynred.training.nets import MLP

CIRCLE = KnownSet(dimension=1, components=1, betti=(1, 1), reach=1.0, closed=True)


class Networks(Reducer):
    """Any encoder and decoder."""

    def __init__(self, encoder, decoder, dim, space):
        super().__init__()
        self.inner, self.outer, self.state_dim, self.latent_space = encoder, decoder, dim, space

    def encode(self, x):
        return self.inner(x.float()).double()

    def decode(self, z):
        return self.outer(z.float()).double()

    def sizes(self):
        return {}


def unit_circle(n, dim=3):
    s = 2 * math.pi * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    return torch.nn.functional.pad(torch.stack([s.cos(), s.sin()], -1), (0, dim - 2))


def still(x):
    """Points as trajectories of one snapshot."""
    return Trajectories(x, torch.zeros(len(x), dtype=torch.float64), torch.ones(len(x), dtype=torch.long))


# -- what is proven ----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["relu", "tanh", "gelu"]), st.floats(0.3, 8), st.floats(0.3, 8))
def test_no_network_through_one_coordinate_comes_below_the_reach_of_a_circle(seed, activation, steep, high):
    encoder, decoder = (
        MLP(i, o, [24, 24], activation, rng=generator(seed, name)) for name, i, o in (("e", 3, 1), ("d", 1, 3))
    )
    with torch.no_grad():
        encoder.layers[0].weight.mul_(steep)
        decoder.layers[-1].weight.mul_(high)
        x = unit_circle(4000)
        found = decoder(encoder(x.float())).double()
    # Between two samples the error changes by no more than x and D(E(x)) do.
    gap = float((x - x.roll(1, 0)).norm(dim=1).max() + (found - found.roll(1, 0)).norm(dim=1).max())
    assert float((found - x).norm(dim=1).max()) >= 1 - gap


def test_training_makes_the_mean_small_and_cannot_lower_the_maximum():
    x = unit_circle(2000)
    spec = AutoencoderSpec(1, width=48, training=TrainingSpec(steps=600, batch_size=128), residual=False, trials=2)
    reducer = spec.fit(still(x[::2]), still(x[1::2]), rng=generator(0))
    found = certify(reducer, unit_circle(20_001), rng=generator(0), known=CIRCLE)
    assert found.error.median < 0.1
    assert found.obstruction.lower_bound == 1
    assert found.error.max >= 1
    assert not found.too_few_samples
    assert 0 < found.exceptional.value < 0.3
    assert torch.equal(found.exceptional_set, found.points[found.errors > 0.5])


@pytest.mark.parametrize(
    ("known", "angles", "lines", "bound"),
    [
        (CIRCLE, 0, 1, 1.0),
        (CIRCLE, 0, 2, 0.0),
        (CIRCLE, 1, 0, 0.0),
        (KnownSet(dimension=1, components=2, betti=(2, 2), reach=0.5, closed=True), 1, 0, 0.5),
        (KnownSet(dimension=1, components=2, betti=(2, 2), reach=0.5, closed=True), 1, 1, 0.0),
        (KnownSet(dimension=2, components=1, betti=(1, 2, 1), reach=0.5, closed=True), 1, 1, 0.5),
        (KnownSet(dimension=2, components=1, betti=(1, 2, 1), reach=0.5, closed=True), 2, 0, 0.0),
        (KnownSet(dimension=2, components=1, betti=(1, 0, 1), reach=1.0, closed=True), 2, 0, 1.0),
        (KnownSet(dimension=2, components=1, betti=(1, 0, 0), reach=1.0, closed=False), 0, 1, 0.0),
        (KnownSet(dimension=2.06), 0, 2, None),
    ],
)
def test_lower_bounds_of_sets_with_known_topology(known, angles, lines, bound):
    assert obstruction(known, LatentSpace(angles, lines)).lower_bound == bound


def test_each_linked_circle_has_the_bound_of_its_own_reach():
    known = find_system("linked_circles").known
    found = obstruction(known, LatentSpace(lines=1))
    assert (found.lower_bound, found.on_every_component) == (1.0, True)
    assert obstruction(find_system("graph_lift", base="linked_circles").known, LatentSpace(lines=1)).obstructed


# -- what is measured --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def projected():
    """The unit circle in R^3 through its first coordinate: the error at the angle s is |sin s|."""
    first = MLP(3, 1, [], rng=generator(0))
    back = MLP(1, 3, [], rng=generator(0))
    with torch.no_grad():
        for net in (first, back):
            net.layers[0].weight.zero_()
            net.layers[0].bias.zero_()
            net.layers[0].weight[0, 0] = 1.0
    return Networks(first, back, 3, LatentSpace(lines=1))


def test_quantiles_and_the_exceptional_set_are_those_of_a_known_error(projected):
    found = certify(projected, unit_circle(10_000), rng=generator(0), known=CIRCLE)
    assert found.error.median == pytest.approx(math.sin(math.pi / 4), abs=1e-3)
    assert found.error.p99 == pytest.approx(math.sin(0.99 * math.pi / 2), abs=1e-4)
    assert found.error.max == pytest.approx(1, abs=1e-6)
    assert found.threshold == 0.5
    assert found.exceptional.value == pytest.approx(2 / 3, abs=1e-3)  # |sin s| > 1/2


def test_the_curve_falls_from_one_to_zero_within_clopper_pearson_limits(projected):
    x = unit_circle(500)
    found = certify(projected, x, rng=generator(0), known=CIRCLE)
    curve = found.coverage
    assert curve.epsilon == sorted(curve.epsilon)
    assert curve.delta == sorted(curve.delta, reverse=True)
    assert curve.delta[-1] == 0
    for j in (0, 30, 59):
        exact = binomtest(round(500 * curve.delta[j]), 500).proportion_ci(0.95, "exact")
        assert (curve.low[j], curve.high[j]) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_the_confidence_limits_hold_the_truth_as_often_as_they_say(projected):
    inside = 0
    for i in range(200):
        s = 2 * math.pi * torch.rand(60, generator=generator(i), dtype=torch.float64)
        x = torch.stack([s.cos(), s.sin(), 0 * s], -1)
        part = certify(projected, x, rng=generator(0), known=CIRCLE).exceptional
        inside += part.low <= 2 / 3 <= part.high
    assert inside >= 185  # 190 expected at least: Clopper-Pearson limits are never too narrow


def test_snapshots_of_one_trajectory_do_not_count_as_independent(projected):
    x = unit_circle(400)
    t = torch.arange(40, dtype=torch.float64)
    ten = Trajectories.from_stacked(x.reshape(10, 40, 3), t)
    many, few = (certify(projected, part, rng=generator(0), known=CIRCLE).exceptional for part in (x, ten))
    assert many.value == few.value
    assert few.high - few.low > 4 * (many.high - many.low)


def test_a_maximum_below_the_proven_bound_is_called_too_few_samples(projected):
    s = torch.linspace(-0.5, 0.5, 50, dtype=torch.float64)  # an arc alone, on which one coordinate does well
    arc = torch.stack([s.cos(), s.sin(), 0 * s], -1)
    found = certify(projected, arc, rng=generator(0), known=CIRCLE)
    assert found.too_few_samples
    assert "too small" in str(found)
    assert found.to_dict()["too_few_samples"] is True


def test_components_are_told_apart_and_scored_each_for_itself(projected):
    known = find_system("linked_circles").known
    x = known.sample(3000, generator(0))
    found = certify(projected, x, rng=generator(0), known=known)
    assert len(found.parts) == 2
    second = x[:, 2].abs() > 1e-9
    assert (found.labels[second] == found.labels[second][0]).double().mean() > 0.99
    # Circle 1 is off by |sin s|; circle 2, 1 + cos s in the first coordinate, likewise.
    assert all(part.error.max == pytest.approx(1, abs=1e-3) for part in found.parts)


def test_a_tube_shows_how_perturbations_come_back(projected):
    system = find_system("stuart_landau")
    exact = PODSpec(1).fit(*2 * [still(unit_circle(100, 2))], rng=generator(0))
    x = system.known.sample(500, generator(0))
    tube = certify(exact, x, rng=generator(0), known=system.known).tube
    assert len(tube.size) == len(tube.from_k_max) == 6
    assert tube.size == pytest.approx([0.01, 0.03, 0.1, 0.2, 0.4, 0.8])
    assert all(0 <= a <= b for a, b in zip(tube.from_k_median, tube.from_k_max, strict=True))
    # POD leaves y = (c, 0) behind, whose distance from the circle is |1 - |c||: 1 at the most.
    assert 0.9 < tube.from_k_max[0] <= 1 + 1e-6


# -- along trajectories ------------------------------------------------------------------------------------------------


def test_an_exact_model_is_right_encoded_once_and_at_every_step(circle):
    reducer = AutoencoderSpec(1, angles=1, width=8, training=TrainingSpec(steps=20, batch_size=32), trials=1)
    fitted = reducer.fit(circle[:9], circle[9:], rng=generator(0))
    latents = circle.map(fitted.encode)
    model = ReducedModel(
        fitted, LinearSpec().fit(latents, latents, rng=generator(0), latent_space=fitted.latent_space), {"system": "c"}
    )
    found = certify(model, circle, rng=generator(0), known=find_system("stuart_landau").known)
    assert found.over_time.t[0] == 0
    assert max(found.over_time.once_max) < 0.1
    assert max(found.over_time.every_max) < 0.1
    assert certify(fitted, circle, rng=generator(0)).over_time is None


def test_a_line_is_followed_once_encoded_but_fails_at_the_seam_when_encoded_at_every_step():
    # The angle in (-pi, pi] as a real number: exact but for the seam, over which no error is made once encoded.
    space = LatentSpace(lines=1)

    class Seam(Networks):
        def encode(self, x):
            return torch.atan2(x[..., 1:2], x[..., :1]).clamp(-3.0, 3.0)

        def decode(self, z):
            return torch.cat([z.cos(), z.sin()], -1)

    t = torch.linspace(0, 7, 71, dtype=torch.float64)
    phase = t + torch.linspace(-3, 2, 5, dtype=torch.float64)[:, None]
    x = torch.stack([phase.cos(), phase.sin()], -1)
    moving = torch.stack([-phase.sin(), phase.cos()], -1)
    truth = Trajectories.from_stacked(x, t, moving)
    lifted = Trajectories.from_stacked(phase[..., None], t, torch.ones(5, 71, 1, dtype=torch.float64))
    dynamics = LinearSpec().fit(lifted, lifted, rng=generator(0), latent_space=space)
    model = ReducedModel(Seam(None, None, 2, space), dynamics, {})
    found = certify(model, unit_circle(2000, 2), rng=generator(0), known=CIRCLE, truth=truth).over_time
    assert max(found.once_max) < 1e-6
    assert max(found.every_max) > 1  # it is stuck at the seam


def test_a_diverged_prediction_is_infinite_in_the_curve_and_null_in_json():
    class Gone(ReducedModel):
        def predict(self, x0, t):
            made = super().predict(x0, t)
            return dataclasses.replace(made, states=torch.where(made.t[:, None] > 0.5, torch.nan, made.states))

    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    x = torch.stack([t.cos(), t.sin(), 0 * t], -1)[None].repeat(3, 1, 1)
    data = Trajectories.from_stacked(x, t, torch.stack([-t.sin(), t.cos(), 0 * t], -1)[None].repeat(3, 1, 1))
    reducer = PODSpec(2).fit(data, data, rng=generator(0))
    latents = data.map(reducer.encode)
    found = certify(Gone(reducer, LinearSpec().fit(latents, latents, rng=generator(0)), {}), data, rng=generator(0))
    assert math.isinf(found.over_time.once_median[-1])
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert json.loads(text)["over_time"]["once_median"][-1] is None


# -- the record --------------------------------------------------------------------------------------------------------


def test_certificate_json_has_exactly_the_documented_fields(projected):
    data = certify(projected, unit_circle(100), rng=generator(0), known=CIRCLE).to_dict()
    assert set(data) == {
        *("schema", "system", "latent_space", "samples", "draws", "scale", "confidence", "error", "parts", "coverage"),
        *("threshold", "threshold_name", "exceptional", "obstruction", "tube", "over_time", "too_few_samples"),
    }
    assert set(data["error"]) == {"median", "p90", "p99", "p999", "max"}
    assert set(data["exceptional"]) == {"value", "low", "high"}
    assert set(data["obstruction"]) == {"obstructed", "lower_bound", "on_every_component", "reason"}
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_an_atlas_has_no_lower_bound_because_its_encoder_jumps():
    assert not issubclass(AtlasModel, ReducedModel | Reducer)  # how `certify` tells


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.zeros(10, 4).double(), r"samples must be at least 2 states of 3 values"),
        (torch.zeros(1, 3).double(), r"samples must be at least 2 states of 3 values"),
        (torch.full((5, 3), torch.nan).double(), "samples must be finite"),
    ],
)
def test_bad_samples_are_refused(projected, samples, message):
    with pytest.raises(InputError, match=message):
        certify(projected, samples, rng=generator(0))
    with pytest.raises(InputError, match="confidence must be in"):
        certify(projected, np.zeros((5, 3)), rng=generator(0), confidence=1.0)


# -- report and command ------------------------------------------------------------------------------------------------


def test_its_figures_are_drawn_and_its_words_are_on_the_page(circle, drawing, monkeypatch):
    monkeypatch.setattr("dynred.report.page.pictures", drawing)
    reducer = PODSpec(1).fit(circle, circle, rng=generator(0))
    latents = circle.map(reducer.encode)
    model = ReducedModel(reducer, LinearSpec().fit(latents, latents, rng=generator(0)), {"system": "circle"})
    known = find_system("stuart_landau").known
    found = certify(model, unit_circle(500, 2), rng=generator(0), known=known, truth=circle)
    made = forecast(model, circle)
    page = render(Context(model, score(made, model), made, None, found), {"spec": {}})
    for title in ("How much of K is wrong", "Where on K it is wrong", "Off K, and from step to step"):
        assert title in page
    assert "proven to be at least 1" in page
    assert "How much of K is wrong" not in render(Context(model, score(made, model), made), {"spec": {}})


def test_every_run_has_a_certificate_and_the_command_renews_it(tmp_path, capsys):
    small = [f"--set=data.{name}" for name in ("train=6", "validation=2", "test=2", "duration=6.3", "sampling=0.3")]
    steps = [f"--set={part}.training.{key}" for part in ("reducer", "dynamics") for key in ("steps=5", "batch_size=16")]
    main(["reduce", "stuart_landau", "--latent-dim", "1", "--out", str(tmp_path / "run"), *small, *steps])
    first = json.loads((tmp_path / "run" / "certificate.json").read_text())
    assert first["samples"] == 10_000
    assert first["obstruction"]["lower_bound"] == 1
    assert first["error"]["max"] >= 1
    capsys.readouterr()
    main(["certify", str(tmp_path / "run"), "--samples", "500", "--json"])
    out, err = capsys.readouterr()
    assert json.loads(out)["samples"] == 500
    assert read_json(tmp_path / "run" / "certificate.json") == json.loads(out)
    assert "proven to be at least 1" in err


def test_angles_are_asked_for_by_command_and_take_a_fourier_series(tmp_path, capsys):
    small = [f"--set=data.{name}" for name in ("train=6", "validation=2", "test=2", "duration=6.3", "sampling=0.3")]
    steps = [f"--set=reducer.{key}" for key in ("training.steps=5", "training.batch_size=16", "trials=1")]
    main(["reduce", "stuart_landau", "--angles", "1", "--out", str(tmp_path / "run"), *small, *steps, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["latent_space"] == {"angles": 1, "lines": 0}
    assert found["rollout"]["diverged"] == 0
    certificate = json.loads((tmp_path / "run" / "certificate.json").read_text())
    assert certificate["obstruction"]["lower_bound"] == 0
    assert certificate["error"]["max"] < 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--latent", "auto", "--latent-dim", "2"], "--latent auto must be alone"),
        ([], "latent_dim (--latent-dim) must be a number of coordinates, got none"),
        (["--angles", "1", "--reducer", "pod"], "setting of PODSpec must be one of"),
    ],
)
def test_contradictory_latent_spaces_are_refused(tmp_path, capsys, options, message):
    with pytest.raises(SystemExit):
        main(["reduce", "stuart_landau", "--out", str(tmp_path / "run"), *options])
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_automatic_latent_space_of_a_lifted_cycle_is_one_angle():
    pytest.importorskip("ripser")
    data = DataSpec(train=24, validation=2, test=2, duration=6.3, sampling=0.1)
    spec = ExperimentSpec("graph_lift", 1, arguments={"dim": 8}, data=data)
    found, verdict = with_recommended_latents(spec)
    assert (verdict.recommended.angles, verdict.recommended.lines) == (1, 0)
    assert found.reducer.latent_space == LatentSpace(angles=1, lines=0)
    assert isinstance(found.dynamics, FourierSpec)


@pytest.mark.slow
def test_two_linked_circles_take_one_line_but_for_two_percent_of_each():
    system = find_system("linked_circles")
    train, held = (still(system.known.sample(n, generator(0, n))) for n in (4000, 1000))
    training = TrainingSpec(steps=20_000, batch_size=128, learning_rate=1e-3, muon=0.0)
    spec = AutoencoderSpec(1, width=128, depth=3, activation="relu", residual=False, training=training)
    reducer = spec.fit(train, held, rng=generator(0))
    x = system.known.sample(20_000, generator(9))
    found = certify(reducer, x, rng=generator(0), known=system.known)
    for i, part in enumerate(found.parts):
        assert (found.errors[found.labels == i] <= 0.05).double().mean() >= 0.98
        assert part.error.max >= 1
