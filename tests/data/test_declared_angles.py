"""Angles among the variables: declared, unwrapped where differences count, cosine and sine in a model."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from dynred.data.angles import apart, turns, unwrapped, with_angles
from dynred.data.clean import clean
from dynred.data.cleaning.gaps import GapsSpec
from dynred.data.reading import ReadingSpec
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.angles import AnglesSpec
from dynred.data.variables import Variable, named_variables, variables_attribute
from dynred.data.velocities import estimate_velocities
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.errors import InputError
from dynred.experiments.pipeline import reduce
from dynred.models.load import load_model
from dynred.reducers.pod import PODSpec
from dynred.testing import check_transform

STEP = 0.05
TURNS = {"radians": 2 * math.pi, "degrees": 360.0}
each_unit = pytest.mark.parametrize("unit", TURNS)
each_start = pytest.mark.parametrize("start", [0.0, -0.5])


def rotating(unit="radians", start=-0.5, n=6, steps=200, wrapped=True):
    """A rotation whose speed depends on the angle, beside a slower signal that it drives; the angle as a variable."""
    parts = []
    for i in range(n):
        t = STEP * np.arange(steps)
        theta = 1.1 * t + 0.9 * i + 0.3 * np.sin(1.1 * t + 0.9 * i)
        turn = TURNS[unit]
        angle = theta / (2 * math.pi) * turn
        angle = (angle - start * turn) % turn + start * turn if wrapped else angle
        parts.append(Trajectories(np.stack([np.cos(theta) + 0.2, angle, np.sin(theta)], 1), t, [steps]))
    named = variables_attribute([Variable("u", 1), Variable("theta", 1), Variable("v", 1)])
    return dataclasses.replace(Trajectories.concatenate(parts), attributes=named)


@each_unit
@each_start
def test_velocities_of_declared_angles_are_those_of_unwrapped_ones(unit, start):
    wrapped = with_angles(rotating(unit, start), ["theta"], unit)
    smooth = rotating(unit, start, wrapped=False)
    assert torch.allclose(estimate_velocities(wrapped).velocities, estimate_velocities(smooth).velocities, atol=1e-6)
    assert (unwrapped(wrapped).states.diff(dim=0)[:, 1].abs() < TURNS[unit] / 2)[:199].all()


@each_unit
@each_start
def test_the_angles_of_a_transform_come_back_in_the_turn_that_the_data_have(unit, start):
    data = with_angles(rotating(unit, start), ["theta"], unit)
    transform = AnglesSpec().fit(data[:4])
    shown = transform.transformed(data[4:])
    assert shown.dim == 4
    assert named_variables(shown.attributes, 4) == (Variable("u", 1), Variable("theta", 2), Variable("v", 1))
    back = apart(transform.undo(shown.states) - data[4:].states, transform.periods)
    assert back.abs().max() < 1e-9 * TURNS[unit]
    inside = transform.undo(shown.states)[:, 1] / TURNS[unit] - start
    assert ((inside >= 0) & (inside < 1)).all()


def test_the_transform_keeps_the_contract_where_states_lie_in_one_turn():
    data = rotating(n=4, steps=160)
    swinging = torch.stack([data.states[:, 0], 2.5 * data.states[:, 2], data.states[:, 2]], 1)
    check_transform(AnglesSpec(("theta",)), estimate_velocities(dataclasses.replace(data, states=swinging)))


def test_a_model_of_angles_predicts_angles(tmp_path):
    data = with_angles(rotating(), ["theta"], "radians")
    result = reduce(data, 2, reducer=PODSpec(2), dynamics=PolynomialODESpec())
    result.model.save(tmp_path / "model.safetensors")
    model = load_model(tmp_path / "model.safetensors")
    test = data[0]
    prediction = model.predict(test.states[:1], test.t)
    off = apart(prediction.states - test.states, turns(data.attributes, 3))
    assert off.abs().max() < 0.05
    assert {own.name: own.rollout for own in result.evaluation.variables}["theta"] < 0.05


@each_unit
def test_values_of_another_unit_are_refused_with_their_range(unit):
    other = "degrees" if unit == "radians" else "radians"
    words = rf"angle theta must be in {other}, got values from .* --angle-unit {unit}"
    with pytest.raises(InputError, match=words):
        with_angles(rotating(unit), ["theta"], other)


def test_degrees_that_never_wrap_are_refused_as_radians_where_they_leap():
    t = STEP * np.arange(300)
    swing = Trajectories(np.stack([40 * np.sin(3 * t), np.cos(3 * t)], 1), t, [300])
    with pytest.raises(InputError, match=r"angle x1 must be in radians, got values from -40 to 40, which differ by up"):
        with_angles(swing, ["x1"], "radians")


def test_an_unwrapped_angle_of_many_turns_is_taken():
    assert turns(with_angles(rotating(wrapped=False), ["theta"], "radians").attributes, 3) == [0, 2 * math.pi, 0]


def test_a_variable_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"angles \(--angle\) must be one of theta, u, v, got 'phi'"):
        with_angles(rotating(), ["phi"], "radians")


def test_gaps_in_wrapped_angles_are_filled_across_the_wrap():
    data = with_angles(rotating(), ["theta"], "radians")
    holes = torch.from_numpy(np.random.default_rng(0).random((len(data.t), 1)) < 0.2).expand(-1, 3)
    mended = clean(dataclasses.replace(data, states=data.states.masked_fill(holes, torch.nan)), [GapsSpec()])
    radius = torch.stack([mended.states[:, 0] - 0.2, mended.states[:, 2]], 1)
    angle = torch.atan2(radius[:, 1], radius[:, 0])
    assert apart((mended.states[:, 1] - angle)[:, None], [2 * math.pi]).abs().max() < 0.01


def test_a_declaration_survives_json():
    reading = ReadingSpec(angles=("theta",), angle_unit="degrees")
    assert ReadingSpec.from_dict(reading.to_dict()) == reading
