"""Transforms: what each does, and how chains are fitted."""

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import dynred
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Chain
from dynred.data.transforms.centring import CentringSpec
from dynred.data.transforms.delays import DelaysSpec
from dynred.data.transforms.logarithm import LogarithmSpec
from dynred.data.transforms.scaling import ScalingSpec, scaled_apart
from dynred.data.transforms.weights import WeightsSpec
from dynred.data.variables import KEY, Variable, named_variables, variables_attribute
from dynred.errors import InputError
from dynred.experiments.transform_parts import fit_chain
from dynred.testing.transforms import waves

GRIDDED = waves()
DATA = replace(GRIDDED, attributes={KEY: GRIDDED.attributes[KEY]})


def in_units(data, *units):
    scale = torch.tensor(units, dtype=torch.float64)
    return replace(data, states=data.states * scale, velocities=data.velocities * scale)


@functools.cache
def states_of(name):
    return dynred.simulate(dynred.find_system(name), 16, rng=dynred.generator(3))


def signal(name, noise):
    truth = states_of(name)
    x = truth.states[:, :1]
    x = x + noise * x.std() * torch.randn(x.shape, generator=dynred.generator(7), dtype=x.dtype)
    return Trajectories(x, truth.t, truth.lengths)


# -- scaling ---------------------------------------------------------------------------------------------------------


def test_variables_count_alike_whatever_their_units():
    other = in_units(DATA, 1e5, 300.0, 1e-6, 1e-12)
    a, b = ScalingSpec().fit(DATA).transformed(DATA), ScalingSpec().fit(other).transformed(other)
    assert torch.allclose(a.states, b.states, rtol=1e-12)
    assert torch.allclose(a.states.std(0), torch.ones(4, dtype=torch.float64), rtol=0.01)


def test_auto_scales_named_variables_whose_spreads_are_far_apart():
    assert scaled_apart(DATA) is DATA
    assert scaled_apart(in_units(DATA, 1.0, 29.0, 1.0, 1.0)).states.std(0).max() > 5
    assert scaled_apart(in_units(DATA, 1.0, 50.0, 1.0, 1.0)).states.std(0).max() < 1.1
    unnamed = replace(in_units(DATA, 1.0, 50.0, 1.0, 1.0), attributes={})
    assert scaled_apart(unnamed) is unnamed


def test_what_belongs_together_keeps_one_unit():
    fields = replace(DATA, attributes=variables_attribute([Variable("u", 1), Variable("v", 3)]))
    scale = ScalingSpec().fit(in_units(fields, 1.0, 1.0, 5.0, 2.0)).scale
    assert scale[1] == scale[2] == scale[3] != scale[0]
    scale = ScalingSpec(widths=(2, 2)).fit(DATA).scale
    assert scale[0] == scale[1] != scale[2] == scale[3]


def test_given_units_ranges_and_variables_that_do_not_vary():
    still = replace(DATA, states=torch.cat([DATA.states[:, :3], torch.full_like(DATA.states[:, :1], 7.0)], 1))
    assert ScalingSpec().fit(still).scale[3] == 1
    assert ScalingSpec(units={"b": 4.0}).fit(DATA).scale[1] == 4
    scale = ScalingSpec("range").fit(DATA).scale
    assert torch.equal(scale, DATA.states.amax(0) - DATA.states.amin(0))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ScalingSpec(units={"a": 0.0}), "units.a must be a finite number > 0, got 0.0"),
        (lambda: ScalingSpec(units={"z": 1.0}).fit(DATA), "units must be one of a, b, c, d, got 'z'"),
        (lambda: ScalingSpec(widths=(3, 2)).fit(DATA), "widths must be of sum 4, the dimension of the states, got 5"),
        (lambda: DelaysSpec(0), "count must be an integer >= 1, got 0"),
        (lambda: DelaysSpec(200, 5).fit(DATA).transformed(DATA), "trajectories must be of at least 996 snapshots"),
        (lambda: DelaysSpec(2, 1).fit(uneven()), "times must be even for delays"),
        (
            lambda: Chain([DelaysSpec(90, 2).fit(DATA)]).transformed(DATA),
            "must be of at least 179 .* got 160 in trajectory 0",
        ),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(make, words):
    with pytest.raises(InputError, match=words):
        make()


def uneven():
    t = DATA[0].t.clone()
    t[40:] += 0.01
    return replace(DATA[0], t=t)


# -- delays ----------------------------------------------------------------------------------------------------------


def test_the_present_is_the_last_block_and_the_oldest_the_first():
    x = torch.arange(10.0, dtype=torch.float64)[:, None]
    data = Trajectories(x, x[:, 0], torch.tensor([10]))
    made = DelaysSpec(3, 2).fit(data).transformed(data)
    assert made.states[0].tolist() == [0, 2, 4]
    assert made.t[0] == 4
    assert len(made.states) == 6


SLOW = pytest.mark.slow


@pytest.mark.parametrize("noise", [pytest.param(0.0, marks=SLOW), pytest.param(0.01, marks=SLOW), 0.05])
@pytest.mark.parametrize(
    ("name", "dimension"),
    [pytest.param("lorenz63", 3, marks=SLOW), pytest.param("rossler", 3, marks=SLOW), ("mean_field_wake", 2)],
)
def test_the_dimension_of_a_signal_is_found_with_and_without_noise(name, dimension, noise):
    delays = DelaysSpec().fit(signal(name, noise))
    assert delays.count >= min(2 * dimension + 1, delays.past)
    assert f"so {dimension} coordinates may do" in delays.notes()[0]


def test_the_lag_of_a_circle_is_near_a_quarter_of_its_period():
    t = torch.arange(0, 60, 0.05, dtype=torch.float64)
    x = torch.sin(t + 0.2 * torch.arange(3)[:, None])[..., None]
    delays = DelaysSpec().fit(Trajectories.from_stacked(x, t))
    first = (delays.count - 1) * delays.lag * 0.05
    assert abs(first - math.pi / 2) < 0.35


def test_several_signals_need_fewer_delays():
    t = torch.arange(0, 40, 0.1, dtype=torch.float64)
    angle = t + 0.3 * torch.arange(6)[:, None]
    both = Trajectories.from_stacked(torch.stack([angle.cos(), angle.sin()], -1), t)
    one = Trajectories(both.states[:, :1], both.t, both.lengths)
    assert "so 1 coordinates may do" in DelaysSpec().fit(both).notes()[0]
    assert "so 2 coordinates may do" in DelaysSpec().fit(one).notes()[0]


# -- centring, logarithms, weights -----------------------------------------------------------------------------------


def test_centred_states_are_deviations_from_the_mean_or_a_reference():
    moved = CentringSpec().fit(DATA).transformed(DATA)
    assert moved.states.mean(0).abs().max() < 1e-12
    assert torch.equal(moved.velocities, DATA.velocities)
    assert torch.equal(CentringSpec((2.0,)).fit(DATA).transformed(DATA).states, DATA.states - 2)
    with pytest.raises(InputError, match="reference must be one number, or one for each of 4 components, got 2"):
        CentringSpec((1.0, 2.0)).fit(DATA)


def test_logarithms_are_taken_of_the_named_variables_and_clipped_where_asked():
    moved = LogarithmSpec(("b",)).fit(DATA).transformed(DATA)
    assert torch.equal(moved.states[:, [0, 2, 3]], DATA.states[:, [0, 2, 3]])
    assert torch.allclose(moved.velocities[:, 1], DATA.velocities[:, 1] / DATA.states[:, 1])
    below = replace(DATA, states=DATA.states - 2.0)
    with pytest.raises(InputError, match="variable [abcd] must be positive for a logarithm, got -0"):
        LogarithmSpec().fit(below)
    clipped = LogarithmSpec(floor=0.1).fit(below)
    back = clipped.undo(clipped.transformed(below).states)
    assert torch.allclose(back, below.states.clamp_min(0.1))


def field(x):
    """A field of two standing waves and a boundary layer on a grid, as trajectories of an xarray array."""
    xarray = pytest.importorskip("xarray")
    t = np.linspace(0, 12, 200)
    a, b = (np.exp(-0.05 * t) * wave for wave in (np.cos(2 * t), np.sin(2 * t)))
    member = np.arange(1, 6)[:, None, None] / 5
    waves = a[:, None] * np.sin(np.pi * x) + 0.5 * b[:, None] * np.sin(2 * np.pi * x)
    u = member * waves + 0.3 * member**2 * (a * b)[:, None] * np.exp(-8 * x)
    return Trajectories.of(xarray.DataArray(u, dims=("member", "time", "x"), coords={"time": t, "x": x}, name="u"))


def test_a_field_on_a_grid_that_is_not_uniform_has_the_latents_and_errors_of_a_uniform_one():
    chebyshev, uniform = 0.5 - 0.5 * np.cos(np.pi * np.arange(65) / 64), np.linspace(0, 1, 129)
    latents, errors, alone = [], [], []
    for x in (chebyshev, uniform):
        data = field(x)
        moved = fit_chain((WeightsSpec(),), data).transformed(data)
        pod = dynred.PODSpec(2).fit(moved[:4], moved[4:], rng=dynred.generator(0))
        z = pod.encode(moved.states) / math.sqrt(len(x))  # |y|^2 / n is the integral
        latents.append(z * torch.sign(z[20]))
        size = (moved.states - moved.states.mean(0)).norm()
        errors.append(float((pod.reconstruct(moved.states) - moved.states).norm() / size))
        alone.append(fit_chain((), data) is not None)
    assert (latents[0] - latents[1]).abs().max() < 0.02 * latents[1].abs().max()
    assert abs(errors[0] / errors[1] - 1) < 0.02
    assert alone == [True, False]  # only where the coordinates are not uniform


def test_weights_that_cannot_be_are_told():
    with pytest.raises(InputError, match="values must be positive, got -1 at 1"):
        WeightsSpec(values=(1.0, -1.0))
    with pytest.raises(InputError, match="values must be one for each of 4 components, .* got 3 weights"):
        WeightsSpec(values=(1.0, 1.0, 1.0)).fit(DATA)
    with pytest.raises(InputError, match="the data must be fields with coordinates"):
        WeightsSpec().fit(DATA)
    root = WeightsSpec(values=(1.0, 3.0)).fit(DATA).root
    assert torch.allclose(root**2, torch.tensor([0.5, 1.5, 0.5, 1.5], dtype=torch.float64))


# -- chains ----------------------------------------------------------------------------------------------------------


def test_a_chain_is_fitted_part_by_part_and_undone_from_its_end():
    data = in_units(DATA, 1e5, 300.0, 1e-6, 1e-12)
    chain = fit_chain((ScalingSpec(), DelaysSpec(4, 3)), data)
    moved = chain.transformed(data)
    assert (chain.past, chain.state_dim, chain.dim) == (10, 4, 16)
    back = chain.restored(moved)
    assert torch.allclose(back[1].states, data[1].states[9:], rtol=1e-12, atol=0)
    assert torch.allclose(back[1].velocities, data[1].velocities[9:], rtol=1e-12, atol=1e-25)
    assert named_variables(back.attributes, 4) == named_variables(data.attributes, 4)
    assert named_variables(moved.attributes, 16) == ()
    assert torch.allclose(chain.present(moved.states)[:, 0], moved.states[:, 12])


def test_nothing_is_left_of_transforms_that_change_nothing():
    assert fit_chain((), DATA) is None
    assert fit_chain((ScalingSpec("none"),), in_units(DATA, 1e5, 1.0, 1.0, 1.0)) is None
    assert fit_chain((), in_units(DATA, 1e5, 1.0, 1.0, 1.0)) is not None
    assert fit_chain((DelaysSpec(1, 1),), DATA) is None


def test_columns_of_tables_are_variables():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"t": np.arange(5.0), "p": np.arange(5.0), "T": np.arange(5.0)})
    read = Trajectories.of(frame)
    assert named_variables(read.attributes, 2) == (Variable("p", 1), Variable("T", 1))
