"""Predictions of the model of a run folder, from states of a file or of the run's own test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import integer, path_given, positive, refuse
from dynred.data.courses import given_signals
from dynred.data.parameters import constants
from dynred.data.points import load_data
from dynred.data.reading import ReadingSpec
from dynred.data.storage import load_trajectories
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import check_past
from dynred.experiments.stored_run import opened
from dynred.memory import check_memory
from dynred.models.base import Model
from dynred.models.load import load_model
from dynred.ode.vector_field import Parameters
from dynred.runtime import Runtime

STEPS = 200  # of a prediction from bare states, which have no times of their own
ROUND_OFF = 1e-9  # of a step: `until` that is a multiple of `every` is reached


@public
def predict_run(
    out: str | Path,
    until: float | None = None,
    *,
    initial: str | Path | None = None,
    at: int | None = None,
    every: float | None = None,
    parameters: Parameters | None = None,
    inputs: str | Path | None = None,
    runtime: Runtime | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
) -> Trajectories:
    """Predicts with the model of a run folder; the folder stays as it is, and with `initial` needs no source.

    Args:
        out: the run folder.
        until: how long to predict from each initial state on, in time units; default: as long as the test trajectory
            of `at` lasts.
        initial: a file of states [N, D], or of trajectories, of which the first states are taken; predictions go on
            from their times and at their parameters. Fields may be of any size that fits, where the model is local.
        at: a test trajectory of the run instead, counted from 0.
        every: time between predicted states, in time units; default: as the trajectories are sampled, and for bare
            states one step of a map, or a 200th of `until`.
        parameters: values of the system's parameters that replace those of the trajectories, for models that see them.
        inputs: a file whose columns or arrays, named like the inputs that the model sees, are their values at its times
            `t`, which count from the start of the prediction; default: those of the trajectories.
        runtime: reports progress.
        plugins: files whose code may run; see `dynred.experiments.stored_run.opened`.
        trust: whether all code that the run names may run.

    Returns:
        A trajectory per initial state, float64, NaN from the time on at which the prediction diverged.

    Raises:
        FileFormatError: the folder holds no run, or the file is unreadable.
        InputError: neither or both of `initial` and `at` are given, states have another dimension than the model's, a
            parameter that the model sees is missing, or numbers are out of range.
    """
    runtime = runtime or Runtime()
    if (initial is None) == (at is None):
        raise refuse("the start of a prediction", "either `initial` or `at`", "neither" if at is None else "both")
    if at is not None:
        with opened(out, plugins=plugins, trust=trust) as stored:
            test = stored.parts(runtime).test
            start = _Start.of(test[integer("at", at, 0, len(test) - 1)], stored.model.past, whole=True)
            given = {**(parameters or {}), **_read_inputs(stored.model, inputs)}
            return _predicted(stored.model, start, until, every, given, runtime)
    model = load_model(out, plugins=plugins, trust=trust)
    data = load_data(path_given("initial", initial), columns=None if model.any_size else model.state_dim)
    if isinstance(data, Trajectories):
        model.check(data)
        start = _Start.of(data, model.past)
    elif model.past > 1:
        expected = f"trajectories, which begin with the {model.past} snapshots of a state with its past"
        raise refuse("initial", expected, "states without times")
    else:
        start = _Start(data)
    given = {**(parameters or {}), **_read_inputs(model, inputs)}
    return _predicted(model, start, until, every, given, runtime)


def _read_inputs(model: Model, path: str | Path | None) -> Parameters:
    """The inputs of a model, which all trajectories share, from a file.

    Raises:
        InputError: the model has none, or the file has not the values of each.
    """
    if path is None:
        return {}
    if not model.inputs:
        raise refuse("inputs", "left out for a model without inputs", f"{path}")
    table = load_trajectories(path, ReadingSpec(states=model.inputs))
    if len(table) != 1:
        raise refuse("inputs", "a file of one course of each input", f"{len(table)} of them")
    held = {name: table.states[:, i] for i, name in enumerate(model.inputs)}
    return given_signals(held, model.inputs, model.courses, table.t, 1)


def _given_from(trajectories: Trajectories, past: int) -> Parameters:
    """What drives trajectories from the last of their first `past` snapshots on."""
    place = torch.arange(len(trajectories.t)) - trajectories.starts[trajectories.owner]
    return trajectories.where(place >= past - 1).given


@dataclass(frozen=True, eq=False)
class _Start:
    """Where predictions begin.

    Attributes:
        states: the initial states [N, D], or with their past [N, P, D].
        parameters: of each, by name; inputs among them, as signals of the time since the start.
        t: the time of each.
        step: the time between snapshots of the trajectories that they are taken from; None where there are none.
        grid: the times since the start to predict where nobody says; None where somebody must.
    """

    states: Float[Tensor, "N *P D"]
    parameters: Parameters | None = None
    t: Float[Tensor, " N"] | None = None
    step: float | None = None
    grid: Float[Tensor, " T"] | None = None

    @classmethod
    def of(cls, trajectories: Trajectories, past: int = 1, *, whole: bool = False) -> "_Start":
        """The first states of trajectories, of `past` snapshots each; `whole`: of one, which is to be predicted at its
        times."""
        check_past(trajectories, past)
        inner = trajectories.owner[1:] == trajectories.owner[:-1]
        steps = torch.diff(trajectories.t)[inner]
        present = trajectories.starts + past - 1
        first = trajectories.t[present].double()
        grid = trajectories.t[past - 1 :].double() - first[0] if whole else None
        rows = present[:, None] + torch.arange(1 - past, 1)
        states = trajectories.initial if past == 1 else trajectories.states[rows]
        step = float(steps.double().mean()) if len(steps) else None
        return cls(states, _given_from(trajectories, past), first, step, grid)

    def times(self, until: float | None, every: float | None, time_step: float | None = None) -> Float[Tensor, " T"]:
        """The times since the start to predict; `time_step` is that of a map.

        Raises:
            InputError: nobody says how long, or numbers are out of range.
        """
        if until is None and self.grid is None:
            raise refuse("until", "given where the prediction begins with states of a file", "nothing")
        if until is None and every is None and self.grid is not None:
            return self.grid
        until = float(self.grid[-1]) if until is None and self.grid is not None else positive("until", until)
        every = (self.step or time_step or until / STEPS) if every is None else positive("every", every)
        if every > until:
            raise refuse("every", f"at most `until`, {until:g}", every)
        count = until / every + 1 + ROUND_OFF
        check_memory("the times of the prediction", int(8 * count), "Take a larger `every`.")
        return every * torch.arange(int(count)).double()


def _predicted(
    model: Model, start: _Start, until: float | None, every: float | None, parameters: Parameters, runtime: Runtime
) -> Trajectories:
    model = model.for_states(start.states.shape[-1])
    if start.states.shape[-1] != model.state_dim:
        raise refuse("initial", f"states of {model.state_dim} values", start.states.shape[-1])
    t, n = start.times(until, every, model.time_step), len(start.states)
    check_memory("the prediction", 8 * n * len(t) * model.state_dim, "Take a larger `every`.")
    known = model.at({**(start.parameters or {}), **parameters})
    prediction = known.predict(start.states, t, progress=runtime.progress)
    values = {name: value.expand(n) for name, value in constants(known.given).items()}
    began = torch.zeros(n) if start.t is None else start.t
    return replace(prediction, t=prediction.t + began[prediction.owner], parameters=values)
