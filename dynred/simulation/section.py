"""Poincare sections: the states in which trajectories pass through a surface, one after the other."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.arguments import public
from dynred.checks import instance_of, refuse
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities
from dynred.simulation.events import Event

HALVINGS = 50  # of the time between two snapshots


@public
def poincare_section(
    trajectories: Trajectories,
    function: Callable[[Float[Tensor, "*batch"], Float[Tensor, "*batch D"]], Float[Tensor, "*batch"]],
    *,
    direction: int = 1,
) -> Trajectories:
    """The states in which trajectories pass through the surface where a function is 0.

    They are found on the cubic curves through every two snapshots and their velocities, so that they are as exact as
    the sampling is fine: with exact velocities the error falls by its fourth power. The map from each to the next is
    what `MapSpec` fits.

    Args:
        trajectories: of a flow; velocities that they lack are estimated.
        function: `(t, x [..., D]) -> [...]`, in torch, as of an `Event`, e.g. `lambda t, x: x[..., 1]`.
        direction: 1 counts passes from below 0 only, -1 those from above, 0 both.

    Returns:
        The passes of every trajectory that has two at least: states whose times count passes, 0, 1, 2, ... The
        attribute `return_time` is the mean time from one to the next.

    Raises:
        InputError: no trajectory passes twice, or the function does not give a number per state.
    """
    flow = instance_of("trajectories", trajectories, Trajectories)
    flow = flow if flow.velocities is not None else estimate_velocities(flow)
    event = Event(function, "section", direction=direction)
    rows = torch.nonzero(_passes(event, flow))[:, 0]
    counts = torch.bincount(flow.owner[rows], minlength=len(flow))
    rows = rows[counts[flow.owner[rows]] >= 2]
    if len(rows) == 0:
        most = int(counts.max()) if len(counts) else 0
        advice = "Take longer trajectories, or another surface."
        raise refuse("trajectories", "such as pass through the section twice", f"at most {most} passes of one", advice)
    times, states = _located(event, flow, rows)
    members, lengths = torch.nonzero(counts >= 2)[:, 0], counts[counts >= 2]
    number = torch.cat([torch.arange(int(n), dtype=torch.float64) for n in lengths])
    spans = torch.diff(times)[number[1:] > 0]
    attributes = {key: value for key, value in flow.attributes.items() if key in ("system", "arguments")}
    return replace(
        Trajectories(states, number, lengths, parameters={name: v[members] for name, v in flow.parameters.items()}),
        attributes={**attributes, "time_unit": "passes", "return_time": float(spans.mean())},
    )


def _passes(event: Event, flow: Trajectories) -> Bool[Tensor, " M"]:
    """Whether [M] the function passes through 0 between a snapshot and the next of its trajectory."""
    crossed = torch.zeros(len(flow.t), dtype=torch.bool)
    crossed[:-1] = event.crossed(event.values(flow.t, flow.states)) & (flow.owner[1:] == flow.owner[:-1])
    return crossed


def _located(
    event: Event, flow: Trajectories, rows: Int[Tensor, " m"]
) -> tuple[Float[Tensor, " m"], Float[Tensor, "m D"]]:
    """Times and states of passes after some snapshots: the time is halved until the pass is known to round-off."""
    assert flow.velocities is not None
    t, h = flow.t[rows].double(), (flow.t[rows + 1] - flow.t[rows]).double()
    ends = [part[rows + i].double() for part in (flow.states, flow.velocities) for i in (0, 1)]

    def at(s: Float[Tensor, " m"]) -> Float[Tensor, "m D"]:
        x0, x1, v0, v1 = ends
        r, step = s[:, None], h[:, None]
        near = (1 - r) ** 2 * ((1 + 2 * r) * x0 + r * step * v0)
        return near + r**2 * ((3 - 2 * r) * x1 - (1 - r) * step * v1)

    low, high = torch.zeros_like(h), torch.ones_like(h)
    before = event.values(t, at(low)) < 0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = event.values(t + middle * h, at(middle)) < 0
        low, high = torch.where(below == before, middle, low), torch.where(below == before, high, middle)
    return t + high * h, at(high)
