"""Sections are as exact as the flow's velocities and sampling allow, and maps of them know the flow's exponent."""

import math

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.simulation.section import poincare_section


def circles(dt, velocities=True):
    """Three turns of two circles that start at different phases, around the origin in the plane."""
    t = torch.arange(0.0, 6 * math.pi, dt, dtype=torch.float64)
    angle = t + torch.tensor([[0.3], [2.0]], dtype=torch.float64)
    states = torch.stack([torch.cos(angle), torch.sin(angle)], -1)
    speed = torch.stack([-torch.sin(angle), torch.cos(angle)], -1) if velocities else None
    return Trajectories.from_stacked(states, t, speed)


def test_passes_of_a_circle_are_its_point_on_the_axis_once_per_turn():
    section = poincare_section(circles(0.05), lambda t, x: x[..., 1])
    assert section.lengths.tolist() == [3, 3]
    assert section.t.tolist() == [0, 1, 2, 0, 1, 2]
    assert section.attributes["return_time"] == pytest.approx(2 * math.pi, abs=1e-6)
    assert (section.states - torch.tensor([1.0, 0.0])).abs().max() < 1e-6


def test_the_error_falls_by_the_fourth_power_of_the_sampling():
    errors = [
        float((poincare_section(circles(dt), lambda t, x: x[..., 0] - 0.5).states[:, 0] - 0.5).abs().max())
        + float((poincare_section(circles(dt), lambda t, x: x[..., 0] - 0.5).states.norm(dim=1) - 1).abs().max())
        for dt in (0.4, 0.1)
    ]
    assert math.log(errors[0] / errors[1], 4) == pytest.approx(4, abs=0.7)


@pytest.mark.parametrize(("direction", "passes", "x"), [(1, 6, [1]), (-1, 6, [-1]), (0, 12, [-1, 1])])
def test_direction_chooses_the_passes(direction, passes, x):
    section = poincare_section(circles(0.05), lambda t, x: x[..., 1], direction=direction)
    assert len(section.t) == passes
    assert sorted(set(section.states[:, 0].round().tolist())) == x


def test_sampled_data_need_no_velocities():
    section = poincare_section(circles(0.05, velocities=False), lambda t, x: x[..., 1])
    assert (section.states - torch.tensor([1.0, 0.0])).abs().max() < 1e-5


def test_a_surface_that_is_never_passed_is_refused():
    with pytest.raises(InputError, match="pass through the section twice, got at most 0 passes"):
        poincare_section(circles(0.05), lambda t, x: x[..., 1] - 2)
