"""The inputs of a simulation: those that are given, drawn, or functions of time alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import kind_of, refuse
from dynred.data.courses import given_signals
from dynred.data.signals import HELD, KEY, Clock, Course, Sampled, Signal
from dynred.data.trajectories import Trajectories
from dynred.ode.drawn_signals import DrawnSignal
from dynred.ode.system import System
from dynred.rng import generator


def signals_for(
    system: System,
    given: Any,
    count: int,
    grids: tuple[Float[Tensor, " _"], ...],
    dropped: float,
    key: int,
) -> dict[str, Any]:
    """The inputs of every trajectory by name: signals, or numbers.

    Args:
        system: the ODE.
        given: what the caller says, see `simulate`.
        count: number of trajectories.
        grids: times of the snapshots, one vector for all trajectories or one for each.
        dropped: time before the first snapshot.
        key: names the random streams; trajectory i draws from `generator(key, "inputs", i)`.

    Raises:
        InputError: the inputs do not fit the system, or do not last as long as the trajectories.
    """
    names = list(system.underlying.inputs)
    if not names and given is None:
        return {}
    if given is None or isinstance(given, DrawnSignal):
        if not names:
            raise refuse("inputs", f"left out for {system.name}, which has none", kind_of(given))
        return _drawn(system, given or system.underlying.signal, count, grids, dropped, key)
    if len(grids) > 1:
        raise refuse("inputs", "drawn where every trajectory has times of its own", kind_of(given))
    courses = system_courses(system)
    signals = given_signals(given, names, courses, grids[0], count)
    for name, signal in signals.items():
        if isinstance(signal, Signal):
            signal.check(name, float(grids[0][0]) - dropped, float(grids[0][-1]))
    return dict(signals)


def system_courses(system: System) -> dict[str, Course]:
    """What inputs that are given as values are between them: as those that the system draws."""
    inner = system.underlying
    return {name: {"between": inner.signal.between} for name in inner.inputs}


def _drawn(
    system: System,
    how: DrawnSignal,
    count: int,
    grids: tuple[Float[Tensor, " _"], ...],
    dropped: float,
    key: int,
) -> dict[str, Any]:
    inner, times, values = system.underlying, [], []
    for i in range(count):
        t, rng = _reaching_back(grids[i if len(grids) > 1 else 0], dropped), generator(key, "inputs", i)
        drawn = [how.draw(t, span, inner.time_scale, rng=rng) for span in inner.inputs.values()]
        times.append(t)
        values.append(torch.stack(drawn))
    shared = len(grids) == 1
    t = times[0][None] if shared else _padded(times, torch.inf)
    columns = [_padded([value[j] for value in values], 0.0) for j in range(len(inner.inputs))]
    return {name: Sampled(t, column, how.between == HELD) for name, column in zip(inner.inputs, columns, strict=True)}


def _padded(parts: list[Tensor], filling: float) -> Float[Tensor, "N K"]:
    return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=filling)


def _reaching_back(t: Float[Tensor, " T"], dropped: float) -> Float[Tensor, " K"]:
    """The times of the snapshots, and before them times as far apart, back to the start of the transient."""
    if dropped == 0:
        return t
    step = float(torch.diff(t).median()) if len(t) > 1 else dropped
    count = max(1, -int(-(dropped / step) // 1))
    return torch.cat([t[0] - step * torch.arange(count, 0, -1, dtype=torch.float64), t])


def with_inputs(trajectories: Trajectories, signals: Mapping[str, Any], clocks: Mapping[str, Course]) -> Trajectories:
    """Trajectories that keep their inputs: the values of `signals`, which have a row for each, and those of clocks."""
    known = {**signals, **{name: Clock(course, torch.zeros(()).double()) for name, course in clocks.items()}}
    if not known:
        return trajectories
    parts = [
        torch.stack([_values(value, i, grid) for value in known.values()], 1)
        for i, grid in enumerate(trajectories.grids)
    ]
    attributes = {**trajectories.attributes, KEY: courses_of_inputs(signals, clocks)}
    return replace(trajectories, inputs=torch.cat(parts), input_names=tuple(known), attributes=attributes)


def courses_of_inputs(signals: Mapping[str, Any], clocks: Mapping[str, Course]) -> dict[str, Course]:
    """What each input is between snapshots, by name."""
    return {**{name: _course(value) for name, value in signals.items()}, **clocks}


def _values(value: Any, i: int, t: Float[Tensor, " T"]) -> Float[Tensor, " T"]:
    if not isinstance(value, Signal):
        return (value[i] if value.ndim else value).expand(len(t)).double()
    return (value[[i]].value(t[None]) if value.ndim else value.value(t)).reshape(-1)


def _course(value: Any) -> Course:
    return {"between": HELD if isinstance(value, Sampled) and value.held else "linear"}
