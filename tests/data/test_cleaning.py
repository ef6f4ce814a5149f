"""What is mended in samples before anything is learned from them: gaps, uneven and equal times, noise."""

import dataclasses

import numpy as np
import pandas
import pytest
import torch

from dynred.data.clean import clean
from dynred.data.cleaning.gaps import GapsSpec
from dynred.data.cleaning.resampling import ResamplingSpec
from dynred.data.cleaning.smoothing import SmoothingSpec
from dynred.data.reading import ReadingSpec
from dynred.data.split import Parts
from dynred.data.storage import load_trajectories
from dynred.data.take import take
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities
from dynred.errors import InputError
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.open_source import source_of
from dynred.runtime import Runtime

STEP = 0.05
MISSING = (pytest.param("rows", id="whole samples"), pytest.param("components", id="single components"))


def motion(t):
    """Three components of a smooth motion, and their velocities."""
    x = np.stack([np.cos(t), np.sin(t) + 0.3 * np.sin(2 * t), np.cos(t) ** 2], 1)
    return x, np.stack([-np.sin(t), np.cos(t) + 0.6 * np.cos(2 * t), -np.sin(2 * t)], 1)


def sampled(n=3, steps=300, noise=0.0, keep=1.0, seed=0):
    """Trajectories of the motion from different phases; of `keep` of all samples, if that is below 1."""
    rng, parts = np.random.default_rng(seed), []
    for i in range(n):
        t = STEP * np.arange(steps)
        t = t[rng.random(steps) < keep] if keep < 1 else t
        x, _ = motion(t + i)
        parts.append(Trajectories(x + noise * rng.standard_normal(x.shape), t, [len(t)], None, {"phase": [float(i)]}))
    return Trajectories.concatenate(parts)


def with_gaps(trajectories, how, part=0.3, seed=1):
    rng = np.random.default_rng(seed)
    shape = (len(trajectories.t), 1 if how == "rows" else trajectories.dim)
    holes = torch.from_numpy(rng.random(shape) < part).expand(trajectories.states.shape)
    return dataclasses.replace(trajectories, states=trajectories.states.masked_fill(holes, torch.nan))


def truth(trajectories):
    phases = trajectories.parameters["phase"][trajectories.owner]
    return motion((trajectories.t + phases).numpy())


def relative(values, true):
    return float(np.linalg.norm(values - true) / np.linalg.norm(true))


@pytest.mark.parametrize("how", MISSING)
def test_gaps_that_are_filled_hold_the_motion_and_its_velocity(how):
    mended = clean(with_gaps(sampled(), how), [GapsSpec("interpolate")])
    x, v = truth(mended)
    assert relative(mended.states.numpy(), x) < 1e-3
    assert relative(mended.velocities.numpy(), v) < 0.01
    (facts,) = mended.attributes["cleaning"]
    assert facts["filled"] > 0.25 * facts["samples"]
    assert "interpolated" in facts["says"]


@pytest.mark.parametrize("how", MISSING)
def test_the_error_of_velocities_is_not_that_of_the_splines_that_filled_the_gaps(how):
    mended = clean(with_gaps(sampled(), how), [GapsSpec("interpolate")])
    _, v = truth(mended)
    true = relative(mended.velocities.numpy(), v)
    assert true / 10 < mended.attributes["velocity_error"] < 10 * true


@pytest.mark.parametrize("how", MISSING)
def test_split_trajectories_hold_what_was_measured_alone(how):
    data = with_gaps(sampled(), how, part=0.05)
    pieces = clean(data, [GapsSpec("split")])
    known = {row.tobytes() for row in data.states.numpy()}
    assert all(row.tobytes() in known for row in pieces.states.numpy())
    assert len(pieces) > len(data)
    assert not any((piece.t.diff() > 1.5 * STEP).any() for piece in pieces)
    assert relative(pieces.states.numpy(), truth(pieces)[0]) < 1e-12  # parameters stay with their trajectories


def test_longer_gaps_than_allowed_split_trajectories():
    data = sampled(n=2)
    states = data.states.clone()
    states[100:108], states[200:203] = torch.nan, torch.nan
    data = dataclasses.replace(data, states=states)
    assert len(clean(data, [GapsSpec("interpolate", longest=8)])) == 2
    mended = clean(data, [GapsSpec("interpolate", longest=3)])
    assert mended.lengths.tolist() == [100, 192, 300]
    assert mended.attributes["cleaning"][0]["longest"] == 3


def test_gaps_at_the_ends_are_never_filled():
    data = sampled(n=2)
    states = data.states.clone()
    states[:2, 0], states[-3:, 1] = torch.nan, torch.nan
    mended = clean(dataclasses.replace(data, states=states), [GapsSpec("interpolate")])
    assert mended.lengths.tolist() == [298, 297]


def test_data_without_gaps_stay_as_they_are():
    data = sampled()
    assert torch.equal(clean(data, [GapsSpec("interpolate")]).states, data.states)
    assert "cleaning" not in clean(data, [GapsSpec("split")]).attributes


@pytest.mark.parametrize(
    ("states", "spec", "words"),
    [
        (np.full((50, 2), np.nan), GapsSpec("interpolate"), "component 0 must be measured somewhere, got no value"),
        (np.where(np.arange(50)[:, None] % 2, np.nan, 1.0) * np.ones(2), GapsSpec("split"), "--gaps interpolate"),
    ],
)
def test_gaps_that_leave_nothing_are_told(states, spec, words):
    with pytest.raises(InputError, match=words):
        clean(Trajectories(states, np.arange(50.0), [50]), [spec])


def test_missing_samples_are_refused_with_the_remedy_their_number_and_the_first_of_them(tmp_path):
    path = tmp_path / "gappy.csv"
    x, _ = motion(STEP * np.arange(60))
    x[[7, 9], 1] = np.nan
    pandas.DataFrame({"time": STEP * np.arange(60), "a": x[:, 0], "b": x[:, 1]}).to_csv(path, index=False)
    words = r"at time 0.35, component 1, the first of 2 such snapshots of 60. `--gaps interpolate`.*`--gaps split`"
    with pytest.raises(InputError, match=words):
        load_trajectories(path)
    assert load_trajectories(path, ReadingSpec(cleaning=(GapsSpec(),))).states.isnan().sum() == 2


def test_infinite_values_are_no_gaps():
    data = sampled(n=2)
    states = data.states.clone()
    states[5, 0] = torch.inf
    with pytest.raises(InputError, match="must be finite, got inf"):
        clean(dataclasses.replace(data, states=states), [GapsSpec("interpolate")])


def test_uneven_samples_become_even_ones():
    even = clean(sampled(keep=0.7), [ResamplingSpec(STEP)])
    assert all(torch.allclose(piece.t.diff(), torch.tensor(STEP, dtype=torch.float64)) for piece in even)
    x, v = truth(even)
    assert relative(even.states.numpy(), x) < 1e-3
    assert relative(even.velocities.numpy(), v) < 0.01


def test_a_clock_that_began_long_ago_is_resampled_as_well():
    data = sampled(keep=0.7)
    late = dataclasses.replace(data, t=data.t + 1e9)
    first, second = (clean(each, [ResamplingSpec(STEP)]) for each in (data, late))
    assert torch.allclose(second.t - 1e9, first.t, atol=1e-6)
    assert torch.allclose(second.states, first.states, atol=1e-5)


def test_holes_split_what_is_resampled():
    data = sampled(n=1)
    states, t = (torch.cat([values[:100], values[150:]]) for values in (data.states, data.t))
    pieces = clean(Trajectories(states, t, [len(t)]), [ResamplingSpec(2 * STEP, longest=5)])
    assert len(pieces) == 2


def test_a_step_longer_than_the_trajectories_is_refused():
    with pytest.raises(InputError, match=r"step \(--resample\) must be at most .* got 100"):
        clean(sampled(), [ResamplingSpec(100.0)])


@pytest.mark.parametrize(("per_period", "noise"), [(120, 0.05), (600, 0.05)])
def test_smoothing_takes_off_the_noise_however_finely_the_motion_is_sampled(per_period, noise):
    t = 2 * np.pi / per_period * np.arange(4 * per_period)
    x, _ = motion(t)
    rng = np.random.default_rng(0)
    noisy = Trajectories(x + noise * x.std(0) * rng.standard_normal(x.shape), t, [len(t)])
    smooth = clean(noisy, [SmoothingSpec()])
    facts = smooth.attributes["cleaning"][0]
    assert facts["noise"] == pytest.approx(noise, rel=0.1)
    before, after = (relative(each.states.numpy(), x) for each in (noisy, smooth))
    assert after < 3 * before * np.sqrt(12 / per_period)  # twelve or fewer numbers tell a period of this motion
    assert smooth.velocities is not None
    assert "velocity_error" in smooth.attributes


def test_states_without_noise_stay_as_they_are():
    data = sampled(n=2)
    assert torch.equal(clean(data, [SmoothingSpec()]).states, data.states)


def test_noise_is_seen_beside_gaps():
    data = with_gaps(sampled(noise=0.05), "components", part=0.2)
    smooth = clean(data, [GapsSpec(), SmoothingSpec()])
    assert relative(smooth.states.numpy(), truth(smooth)[0]) < 0.04  # 0.07 before
    assert smooth.attributes["cleaning"][1]["noise"] == pytest.approx(0.05 / 0.6, rel=0.3)


def parts_of(data, **how):
    reading = ReadingSpec(cleaning=(GapsSpec("interpolate", longest=2), SmoothingSpec()))
    parts = source_of(data, reading=reading).parts(DataSpec(**how), 0, Runtime())
    assert isinstance(parts, Parts)
    return parts


@pytest.mark.parametrize("split", ["time", "trajectories"])
def test_what_is_learned_from_sees_nothing_of_the_test(split):
    data = with_gaps(sampled(noise=0.02), "rows", part=0.2)
    parts = parts_of(data, split=split)
    masked = data.states.clone()
    masked[source_of(data)._masks(DataSpec(split=split), 0).test] += 1.0
    other = parts_of(dataclasses.replace(data, states=masked), split=split)
    assert torch.equal(other.train.states, parts.train.states)
    assert torch.equal(other.validation.velocities, parts.validation.velocities)


def test_the_test_is_counted_as_the_data_count_their_trajectories():
    data = with_gaps(sampled(), "rows", part=0.05)
    parts = source_of(data, reading=ReadingSpec(cleaning=(GapsSpec("split"),))).parts(
        DataSpec(test_trajectories=(2,)), 0, Runtime()
    )
    assert set(parts.held_out.chosen) == {2}
    assert len(parts.held_out.chosen) == len(parts.test)
    assert (parts.test.parameters["phase"] == 2).all()
    assert not (parts.train.parameters["phase"] == 2).any()
    assert any("The test was cleaned, too" in note for note in parts.notes)


def table(**columns):
    return pandas.DataFrame(columns)


def test_rows_of_equal_times_are_averaged_where_that_is_asked_for():
    rows = table(t=[0.0, 1.0, 1.0, 2.0], x=[0.0, 1.0, 3.0, 4.0], y=[0.0, 1.0, np.nan, 4.0])
    data = Trajectories(**take(rows, None, ReadingSpec(duplicates="average")).arguments())
    assert data.t.tolist() == [0, 1, 2]
    assert data.states.tolist() == [[0, 0], [2, 1], [4, 4]]
    assert "1 rows averaged" in data.attributes["reading"]


def test_rows_of_equal_times_are_refused_with_the_remedy():
    with pytest.raises(InputError, match="strictly increasing .* `--duplicates average`"):
        Trajectories.of(table(t=[0.0, 1.0, 1.0, 2.0], x=[0.0, 1.0, 3.0, 4.0]))


def test_a_clock_in_single_precision_is_told():
    t = (1e9 + 0.5 * np.arange(300)).astype(np.float32)
    with pytest.raises(InputError, match="single precision, which near 1e.09 resolves 64: store double"):
        Trajectories.of(table(t=t, x=np.arange(300.0), y=np.arange(300.0)))


def test_velocities_of_nan_are_refused():
    with pytest.raises(InputError, match="--gaps"):
        estimate_velocities(with_gaps(sampled(), "rows"))
