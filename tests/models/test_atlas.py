import dataclasses
import itertools
import math

import pytest
import torch

import dynred
from dynred.cli.app import main
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import InputError
from dynred.files import read_json
from dynred.models.atlas import AtlasModel, AtlasSpec
from dynred.models.load import load_model
from dynred.numerics.time_grids import refined
from dynred.ode.find import find_system
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate
from dynred.solvers.etdrk4 import ETDRK4
from dynred.training.minimise import TrainingSpec


def spec(latent_dim=1, charts=6, steps=150, width=32):
    training = TrainingSpec(steps=steps, batch_size=128, validations=3)
    reducer = AutoencoderSpec(latent_dim, width=width, training=training)
    return AtlasSpec(charts, reducer=reducer, dynamics=NeuralODESpec(width=width, depth=2, training=training))


def on_circles(dim=3, n=16):
    """Trajectories on the linked circles, about one turn long; their snapshots differ from turn to turn."""
    times = torch.linspace(0, 7, 71, dtype=torch.float64)
    return simulate(find_system("linked_circles", dim=dim), n, times, rng=generator(0, "circles"))


@pytest.fixture(scope="module")
def circles():
    """(trajectories, an atlas of six charts of one coordinate on them)."""
    data = on_circles()
    return data, spec(steps=200).fit(
        data[:12], data[12:], rng=generator(1), about={"system": "linked_circles", "seed": 1}
    )


def dense(n, label, dim=3):
    return find_system("linked_circles", dim=dim).known.sample(n, generator(0, label))


def which(x):
    """The circle that a state of linked_circles (dim = 3) is nearest to."""
    first = torch.hypot(torch.hypot(x[..., 0], x[..., 1]) - 1, x[..., 2])
    second = torch.hypot(torch.hypot(x[..., 0] - 1, x[..., 2]) - 1, x[..., 1])
    return (second < first).long()


def test_one_coordinate_for_each_chart_carries_two_linked_circles_without_a_seam(circles):
    x = dense(20_000, "dense")
    error = (circles[1].reconstruct(x) - x).norm(dim=1)
    assert error.max() < 0.05  # every continuous encoder into one coordinate has 1 at least
    assert circles[1].latent_space.dim == 1


def test_no_latent_belongs_to_two_charts_or_two_components(circles):
    x, model = dense(4000, "latents"), circles[1]
    z, chart, circle = model.encode(x)[:, 0], model.chart(x), which(x)
    ranges = sorted((float(z[chart == c].min()), float(z[chart == c].max())) for c in range(6))
    assert all(high < low for (_, high), (low, _) in itertools.pairwise(ranges))
    assert torch.equal(model.atlas.placed(model.encode(x))[0], chart)
    assert not set(chart[circle == 0].tolist()) & set(chart[circle == 1].tolist())
    assert len(torch.unique(model.component(x)[circle == 0])) == 1


def test_a_prediction_starts_at_the_reconstruction(circles):
    x0 = dense(9, "start")
    found = circles[1].predict(x0, torch.linspace(0, 3, 4)).stacked()
    assert torch.allclose(found[:, 0], circles[1].reconstruct(x0), atol=1e-12)


@pytest.mark.slow
def test_predictions_turn_round_their_own_circle_and_stay_on_it(circles):
    system, x0 = find_system("linked_circles"), dense(12, "turns")
    t = torch.linspace(0, 10 * math.pi, 101, dtype=torch.float64)
    found = circles[1].predict(x0, t).stacked()
    truth = simulate(system, times=t, initial=x0, rng=generator(0)).stacked()
    assert system.known.distance(found).max() < 0.05
    assert (which(found) == which(x0)[:, None]).all()
    assert (found - truth).norm(dim=-1).max() < 0.2


def test_a_row_does_not_depend_on_its_neighbours(circles):
    x0, t = dense(6, "rows"), torch.linspace(0, 8, 9)
    together = circles[1].predict(x0, t).stacked()
    alone = torch.cat([circles[1].predict(row, t).stacked() for row in x0])
    assert (together - alone).abs().max() < 2e-3


def test_rows_that_begin_with_nan_stay_nan_and_touch_no_other(circles):
    model, t = circles[1], torch.linspace(0, 6, 7, dtype=torch.float64)
    z0 = model.encode(dense(4, "nan"))
    broken = z0.clone()
    broken[1] = torch.nan
    found, whole = model.rollout(broken, t), model.rollout(z0, t)
    assert found[1].isnan().all()
    assert (model.decode(found[[0, 2, 3]]) - model.decode(whole[[0, 2, 3]])).abs().max() < 2e-3


def test_a_rollout_goes_on_from_any_of_its_states(circles):
    model, t = circles[1], torch.linspace(0, 8, 17, dtype=torch.float64)
    whole = model.rollout(model.encode(dense(8, "restart")), t)
    again = model.rollout(whole[:, 9], t[9:])
    assert (model.decode(whole[:, 9:]) - model.decode(again)).abs().max() < 5e-3


def test_the_latent_velocity_is_the_derivative_of_the_rollout(circles):
    model, h = circles[1], 1e-3
    steps = model.rollout(model.encode(dense(20, "rhs")), h * torch.arange(3, dtype=torch.float64))
    slope, exact = (steps[:, 2] - steps[:, 0]) / (2 * h), model.rhs(h, steps[:, 1])
    same = model.atlas.placed(steps[:, 0])[0] == model.atlas.placed(steps[:, 2])[0]
    assert same.sum() >= 18
    assert torch.allclose(slope[same], exact[same], rtol=1e-2, atol=1e-2)


def test_velocities_are_pushed_forward_through_the_charts(circles):
    data, model = circles
    part, h = data[:2], 1e-3
    pushed = part.map(model.encode).velocities
    ahead, behind = (model.encode(part.states + s * h * part.velocities) for s in (1, -1))
    slope, chart = (ahead - behind) / (2 * h), model.chart(part.states)
    inside = (model.atlas.placed(ahead)[0] == chart) & (model.atlas.placed(behind)[0] == chart)
    assert inside.double().mean() > 0.95
    assert torch.allclose(pushed[inside], slope[inside], rtol=2e-2, atol=2e-2)


def test_a_state_far_beyond_every_chart_is_lost_and_not_invented(circles):
    model = circles[1]
    beyond = model.atlas.edges[-1:, None] + 5.0
    assert model.rollout(beyond, torch.tensor([0.0, 1.0]))[:, 1].isnan().all()


def test_a_saved_atlas_predicts_the_same_bit_for_bit(circles, tmp_path):
    model, t = circles[1], torch.linspace(0, 4, 5)
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path)
    assert isinstance(again, AtlasModel)
    x0 = dense(5, "saved")
    assert torch.equal(again.predict(x0, t).states, model.predict(x0, t).states)
    assert again.about == model.about
    assert again.histories == model.histories
    assert again.parameter_count == model.parameter_count
    assert {h.stage for h in again.histories} >= {"reducer, chart 1", "dynamics, chart 6"}


def test_times_are_refined_so_that_those_asked_for_are_among_them():
    t = torch.tensor([0.0, 1.0, 1.05, 3.0], dtype=torch.float64)
    times, at = refined(t, 0.4)
    assert torch.equal(times[at], t)
    assert torch.diff(times).max() <= 0.4 + 1e-12
    assert len(times) == 1 + 3 + 1 + 5
    assert torch.equal(refined(t, math.inf)[0], t)


def quick(steps=12):
    return spec(charts=2, steps=steps, width=8)


def same(a, b):
    left, right = a.parts()[0], b.parts()[0]
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_the_same_stream_gives_the_same_atlas_bit_for_bit():
    data = on_circles(n=8)
    one, two, other = (quick().fit(data[:6], data[6:], rng=generator(s)) for s in (0, 0, 1))
    assert same(one, two)
    assert not same(one, other)


class StoppedError(Exception):
    pass


def test_a_stopped_training_resumes_chart_by_chart_to_the_same_atlas(tmp_path):
    data = on_circles(n=8)
    seen = []

    def stop(stage, done, total, **figures):
        seen.append(stage)
        if stage == "dynamics 1/2" and done == total:
            raise StoppedError

    runtime = Runtime(checkpoints=tmp_path, progress=stop)
    with pytest.raises(StoppedError):
        quick().fit(data[:6], data[6:], rng=generator(0), runtime=runtime)
    stored = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.safetensors")}
    assert stored == {f"chart-{i}/reducer.safetensors" for i in (1, 2)} | {"chart-1/dynamics.safetensors"}
    resumed = quick().fit(data[:6], data[6:], rng=generator(0), runtime=Runtime(checkpoints=tmp_path))
    assert same(resumed, quick().fit(data[:6], data[6:], rng=generator(0)))
    assert {"reducer 1/2", "reducer 2/2"} <= set(seen)


def test_other_dynamics_keep_the_charts(circles):
    data, model = circles
    linear = model.spec.updated("dynamics", LinearSpec())
    linear = linear.fit_dynamics(model.coordinates, data[:12], data[12:], rng=generator(0))
    x = dense(50, "linear")
    assert torch.equal(linear.encode(x), model.encode(x))
    assert linear.parameter_count < model.parameter_count
    assert linear.predict(x[:4], torch.linspace(0, 2, 3)).states.isfinite().all()


def test_an_atlas_is_evaluated_beside_the_baselines(circles):
    data, model = circles
    found = dynred.evaluate(model, data[12:], train=data[:12])
    assert found.latent_dim == 1
    assert found.rollout.diverged == 0
    assert found.reconstruction.nmse < 1e-3 < found.baselines["pod"]["reconstruction"].nmse
    assert found.baselines["linear"]["rollout"].valid_time.median > 0


def test_data_without_velocities_few_data_and_angles_are_refused():
    data = on_circles(n=8)
    with pytest.raises(InputError, match="train must be trajectories with velocities"):
        quick().fit(dataclasses.replace(data, velocities=None), data, rng=generator(0))
    with pytest.raises(InputError, match="charts must be so few that each holds 20 snapshots, got 60"):
        dataclasses.replace(spec(charts=60), neighbours=2, overlap=1).fit(data[:4], data, rng=generator(0))
    with pytest.raises(InputError, match="reducer must be without angles, got 1 of them"):
        AtlasSpec(2, reducer=AutoencoderSpec(1, angles=1))


def test_a_chart_that_validation_never_visits_is_chosen_on_its_training_snapshots():
    data = on_circles(n=8)
    one = int(which(data.initial)[0])
    elsewhere = data[which(data.initial) == one]
    model = quick().fit(data, elsewhere, rng=generator(0))
    assert len(model.dynamics) == 2


def test_the_settings_survive_json():
    assert AtlasSpec.from_dict(spec().to_dict()) == spec()


@pytest.mark.slow
def test_reduce_takes_a_number_of_charts_on_the_command_line(tmp_path):
    settings = ["data.train=8", "data.validation=2", "data.test=2", "data.duration=7.0", "data.sampling=0.1"]
    settings += [f"{part}.{key}" for part in ("reducer", "dynamics") for key in ("training.steps=20", "width=8")]
    words = [word for setting in settings for word in ("--set", setting)]
    out = ["--out", str(tmp_path / "run"), "--json"]
    main(["reduce", "linked_circles", "--latent-dim", "1", "--charts", "2", *out, *words])
    assert isinstance(load_model(tmp_path / "run"), AtlasModel)
    assert (tmp_path / "run" / "report.html").exists()
    assert read_json(tmp_path / "run" / "experiment.json")["spec"]["partition"]["charts"] == 2
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_an_atlas_of_pod_coordinates_needs_no_training():
    data = on_circles(n=12)
    model = AtlasSpec(12, reducer=PODSpec(1), dynamics=LinearSpec()).fit(data, data[:1], rng=generator(0))
    x = dense(2000, "pod")
    assert (model.reconstruct(x) - x).norm(dim=1).max() < 0.3
    assert model.histories == ()


@pytest.mark.slow
@pytest.mark.parametrize("dim", [3, 50])
def test_linked_circles_are_followed_for_a_hundred_training_lengths(dim):
    system, data = find_system("linked_circles", dim=dim), on_circles(dim, n=24)
    model = spec(steps=1000).fit(data[:18], data[18:], rng=generator(1))
    x = dense(20_000, "dense", dim)
    assert (model.reconstruct(x) - x).norm(dim=1).max() < 0.05
    x0, t = dense(12, "long", dim), torch.linspace(0, 700, 701, dtype=torch.float64)
    found = model.predict(x0, t).stacked()
    assert system.known.distance(found).max() < 0.05
    assert (model.component(found) == model.component(x0)[:, None]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "charts", "latent_dim", "length", "times_as_long"),
    # Six charts, as published for the torus, leave one that bends around it: the largest error is then .19.
    [("stuart_landau", 3, 1, 7.0, 100), ("torus_flow", 9, 2, 30.0, 10)],
)
def test_a_circle_takes_three_charts_of_one_coordinate_and_a_torus_nine_of_two(
    name, charts, latent_dim, length, times_as_long
):
    system, times = find_system(name), torch.arange(0, length, 0.1, dtype=torch.float64)
    data = simulate(system, 24, times, rng=generator(0, name))
    model = spec(latent_dim, charts, steps=1000).fit(data[:20], data[20:], rng=generator(1))
    x = system.known.sample(10_000, generator(2))
    assert (model.reconstruct(x) - x).norm(dim=1).max() < 0.05
    found = model.predict(x[:4], torch.linspace(0, times_as_long * length, 1000)).stacked()
    assert system.known.distance(found).max() < 0.1


def bursts():
    """Kuramoto-Sivashinsky with viscosity 16/71 on 2 pi: two saddles, half a wavelength apart, joined by bursts.

    All trajectories are of one pattern: its place in space is a symmetry's choice, and never changes. The second set
    begins a little off K, within the span of K's states, so that fields learn what brings states back.
    """
    system, solver = find_system("kuramoto_sivashinsky", length=2 * math.pi, viscosity=16 / 71), ETDRK4(step=0.01)
    times = torch.arange(0, 60, 2.0, dtype=torch.float64)
    first = simulate(system, 1, times, rng=generator(0), transient=200.0, solver=solver).states
    times = torch.arange(0, 44, 0.02, dtype=torch.float64)
    on = simulate(system, times=times, initial=first, rng=generator(1), solver=solver)
    a, b, c = on.states[torch.randint(len(on.states), (3, 30), generator=generator(5))]
    off = simulate(system, times=times[:600], initial=a + 0.05 * (b - c), rng=generator(1), solver=solver)
    return on, off


@pytest.mark.slow
def test_bursts_of_kuramoto_sivashinsky_go_on_for_a_hundred_training_lengths():
    on, off = bursts()
    settings = spec(3, charts=6, steps=1500, width=64)
    # A polynomial start would leave K in the directions in which there are few data.
    settings = settings.updated("dynamics.start", None).updated("reducer.training.batch_size", 512)
    settings = settings.updated("dynamics.training.batch_size", 512)
    parts = (on[:20], off[:24]), (on[20:25], off[24:])
    model = settings.fit(*(Trajectories.concatenate(part) for part in parts), rng=generator(2))
    t = torch.arange(0, 4400, 0.25, dtype=torch.float64)
    found = model.predict(on[25:28].initial, t).stacked()
    assert found.isfinite().all()
    # A pattern at another place, or anything else, would be farther from the training trajectories than this.
    size = on.states.norm(dim=1).mean()
    gap = torch.cdist(found[:, ::5].flatten(0, 1), on[:20].states[::7]).min(1).values
    assert gap.max() < 0.15 * size
    half = torch.angle(torch.fft.rfft(found)[..., 2])  # of the pattern; a burst moves it by half a turn
    turned = torch.cos(half - half[:, :1]) < 0
    assert ((turned[:, 1:] != turned[:, :-1]).sum(1) > 100).all()
