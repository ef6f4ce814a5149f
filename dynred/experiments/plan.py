"""A plan: settings of a reduction of a system whose first answer comes within some minutes.

It plans, it does not cut off: what it chooses are settings, and the same settings give the same run anywhere. Three
things are timed, each at two sizes, because each costs a fixed part and a part for each unit: simulating (of each
trajectory), fitting (of each snapshot, and of each step), scoring (of each snapshot). `tests/experiments/test_plan.py`
holds what they predict against what runs take.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from dynred.arguments import public
from dynred.checks import positive, refuse
from dynred.experiments.costs import START, Costs, measure, times_of, training_paths
from dynred.experiments.data_spec import SIMULATED
from dynred.experiments.pilot import Pilot, pilot
from dynred.experiments.spec import ExperimentSpec
from dynred.ode.system import System

MINUTES = 3.0  # where the user names none
LOOKING = 0.15  # of the time: what the pilot may take, and the measurements
SIMULATING = 0.5  # of the time: simulating and scoring, where the steps of training want the rest
INTERVALS = 500  # most intervals between the snapshots of a trajectory: velocities are exact however far apart they are
PER_PERIOD = 20  # snapshots in a period of the root mean square frequency
DURATION = 10.0  # slow time scales in a trajectory
SHORTEST = 4.0  # slow time scales in a trajectory where time is short
WISHED = 1 / 8  # of the default numbers of trajectories: for so many, trajectories are shortened before they are fewer
FEWEST = {"train": 8, "validation": 2, "test": 5}  # five independent trajectories allow an interval
FEWEST_STEPS = 200
PATIENCE = 6  # of twenty validations
LATER = 3.0  # times as long: what more time would buy
NAMED = ("transient", "duration", "sampling", "time_scale")


@dataclass(frozen=True, eq=False)
class Plan:
    """Settings that were chosen for a time, and why.

    Attributes:
        minutes: the time that was asked for.
        settings: the chosen settings by their dotted paths in an `ExperimentSpec`, e.g. `data.train`.
        seconds: what the stages are expected to take: `plan`, `simulate`, `fit`, `score`.
        pilot: what was seen of the system; None of data.
        later: the settings that `LATER` times as many minutes would buy.
    """

    minutes: float
    settings: Mapping[str, Any]
    seconds: Mapping[str, float]
    pilot: Pilot | None
    later: Mapping[str, Any]

    def apply(self, spec: ExperimentSpec) -> ExperimentSpec:
        """The settings of an experiment with those of the plan."""
        return updated(spec, self.settings)

    def words(self) -> list[str]:
        """What was chosen, what it is expected to take, and what more time would buy, in two sentences or three."""
        took = ", ".join(f"{name} {value:.0f} s" for name, value in self.seconds.items())
        lines = [f"Planned for {_minutes(self.minutes)}: {_described(self.settings)} ({took})."]
        expected = sum(self.seconds.values()) + START
        if expected > 1.2 * 60 * self.minutes:
            lines.append(
                f"This is the least that makes sense, and is expected to take {_minutes(math.ceil(expected / 6) / 10)}."
            )
        more = {key: value for key, value in self.later.items() if value != self.settings.get(key)}
        if more:
            lines.append(f"--minutes {LATER * self.minutes:g} would buy {_described(more)}.")
        if self.pilot is not None and not (self.pilot.settled or self.pilot.rests):
            lines.append(
                f"After {self.pilot.span:.3g} time units trajectories still change their character: name the "
                "`transient` of the system if you know it."
            )
        return lines


def updated(spec: ExperimentSpec, settings: Mapping[str, Any]) -> ExperimentSpec:
    """The settings with those at some dotted paths replaced."""
    for path, value in settings.items():
        spec = spec.updated(path, value)
    return spec


@public
def plan(spec: ExperimentSpec, system: System, minutes: float = MINUTES, *, fixed: Collection[str] = ()) -> Plan:
    """Chooses trajectories, their length and sampling, and training steps.

    What the system names (transient, duration, sampling, time scale) and what `fixed` names stays as it is; except that
    trajectories are shortened where few of them take too long. More than the default settings is never chosen.

    Args:
        spec: the settings of the experiment.
        system: the system that they name.
        minutes: the time, > 0, from the call of the command to its report.
        fixed: dotted paths of settings that the user chose.

    Raises:
        InputError: the system or a setting is bad.
        DivergenceError: a trajectory diverged.
    """
    seconds = 60 * positive("minutes", minutes)
    if system.discrete:
        raise refuse("minutes", "left out for a map", minutes, "`data.train` and `data.duration` set the work.")
    look = pilot(system, LOOKING * seconds, spec.seed, spec.data.solver)
    times = _times(spec, system, look, fixed)
    sampling = times.get("data.sampling", spec.data.sampling or system.sampling)
    costs = measure(
        *(spec.model, system, look, sampling, LOOKING * seconds), solver=spec.data.solver, transforms=spec.transforms
    )
    chooser = _Chooser(spec, system, costs, times, tuple(fixed))
    spent = look.seconds + costs.seconds
    settings, parts = chooser.within(seconds - spent - START)
    later, _ = chooser.within(LATER * seconds - spent - START)
    return Plan(minutes, settings, {"plan": spent, **parts}, look, later)


def is_bare(system: System) -> bool:
    """Whether a system leaves its times to the defaults: nobody chose them for it."""
    return not any(_names(system, name) for name in NAMED)


def _names(system: System, name: str) -> bool:
    return getattr(system, name) != next(each.default for each in fields(System) if each.name == name)


def _times(spec: ExperimentSpec, system: System, look: Pilot, fixed: Collection[str]) -> dict[str, float]:
    """Transient, duration, sampling and horizon, where nobody chose them."""
    chosen: dict[str, float] = {}
    bare = not (_names(system, "duration") or _names(system, "time_scale"))
    duration = spec.data.duration or (min(DURATION * look.slow, look.span) if bare else system.duration)
    sampling = system.sampling
    if bare and not _names(system, "sampling"):
        sampling = _round(max(min(look.fast / PER_PERIOD, duration / 100), duration / INTERVALS))
        duration = sampling * round(duration / sampling)
    if not _names(system, "transient"):
        chosen["data.transient"] = _round(look.transient)
    if bare:
        chosen |= {"data.duration": duration, "data.sampling": sampling}
        chosen |= {} if spec.test else {"data.horizon": duration}  # a test that is given is not cut
    return {path: value for path, value in chosen.items() if _free(spec, path, fixed)}


def _free(spec: ExperimentSpec, path: str, fixed: Collection[str]) -> bool:
    return path not in fixed and getattr(spec.data, path.removeprefix("data.")) is None


def trainings(spec: ExperimentSpec, fixed: Collection[str]) -> list[str]:
    """The dotted paths of the settings of training that a plan may choose."""
    return [path for path in training_paths(spec) if not any(_overlap(path, each) for each in fixed)]


def most_steps(spec: ExperimentSpec, fixed: Collection[str]) -> int:
    """The most steps that the settings allow a training."""
    return max([spec.setting(path).steps for path in trainings(spec, fixed)], default=FEWEST_STEPS)


def training_settings(spec: ExperimentSpec, fixed: Collection[str], steps: int) -> dict[str, Any]:
    """So many steps of every training, or fewer where it has fewer; it ends where it no longer gets better."""
    settings: dict[str, Any] = {}
    for path in trainings(spec, fixed):
        given = spec.setting(path)
        settings[f"{path}.steps"] = min(given.steps, steps)
        if given.patience is None:
            settings[f"{path}.patience"] = PATIENCE
    return settings


@dataclass(frozen=True, eq=False)
class _Chooser:
    spec: ExperimentSpec
    system: System
    costs: Costs
    times: Mapping[str, float]
    fixed: tuple[str, ...]

    def within(self, seconds: float) -> tuple[dict[str, Any], dict[str, float]]:
        """The settings that are expected to take so long, and what their stages take."""
        times = {**self.times, **self._shortened(seconds)}
        data, most = self._data(times), most_steps(self.spec, self.fixed)
        wanted = self.costs.stages(data, self._counts(1.0), most)["fit"]
        room = max(SIMULATING * seconds, seconds - wanted)

        def fits(part: float) -> bool:
            return sum(self.costs.stages(data, self._counts(part), FEWEST_STEPS).values()) <= room

        counts = self._counts(_largest(fits))
        rest = seconds - sum(self.costs.stages(data, counts, 0).values())
        steps = max(FEWEST_STEPS, min(most, int(self.costs.steps(rest))))
        settings: dict[str, Any] = {f"data.{name}": n for name, n in counts.items() if self._open(f"data.{name}")}
        settings |= {**times, **training_settings(self.spec, self.fixed, steps)}
        return settings, self.costs.stages(data, counts, steps)

    def _open(self, path: str) -> bool:
        return _free(self.spec, path, self.fixed)

    def _counts(self, part: float) -> dict[str, int]:
        given = {name: getattr(self.spec.data, name) for name in SIMULATED}
        return {
            name: max(FEWEST[name], round(part * most)) if given[name] is None else given[name]
            for name, most in SIMULATED.items()
        }

    def _data(self, times: Mapping[str, float]) -> dict[str, float]:
        """Transient, duration, horizon and sampling as they will be."""
        return times_of(updated(self.spec, times).data, self.system)

    def _shortened(self, seconds: float) -> dict[str, float]:
        """A shorter duration where an eighth of the default trajectories take more than their part of the time."""
        if not all(self._open(f"data.{name}") for name in ("duration", "horizon")):
            return {}
        data, least = self._data(self.times), SHORTEST / DURATION

        def times(factor: float) -> dict[str, float]:
            steps = {name: max(1, round(factor * data[name] / data["sampling"])) for name in ("duration", "horizon")}
            return {f"data.{name}": count * data["sampling"] for name, count in steps.items()}

        def fits(factor: float) -> bool:
            shorter = self._data({**self.times, **times(factor)})
            needed = self.costs.stages(shorter, self._counts(WISHED), 0)
            return needed["simulate"] + needed["score"] <= SIMULATING * seconds

        return {} if fits(1.0) else times(max(least, _largest(fits)))


def _overlap(a: str, b: str) -> bool:
    """Whether one of two dotted paths leads through the other."""
    return f"{a}.".startswith(f"{b}.") or f"{b}.".startswith(f"{a}.")


def _largest(fits: Callable[[float], bool]) -> float:
    """The largest number in [0, 1] that fits, to a thousandth; 0 where none does."""
    if fits(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _round(value: float, digits: int = 2) -> float:
    """A number of few digits, which reads well among settings."""
    return float(f"{value:.{digits}g}")


def _minutes(minutes: float) -> str:
    return f"{minutes:g} minute{'' if minutes == 1 else 's'}"


def _described(settings: Mapping[str, Any]) -> str:
    """Settings in words."""
    counts = {name: settings[f"data.{name}"] for name in SIMULATED if f"data.{name}" in settings}
    parts = [", ".join(f"{n} {name}" for name, n in counts.items()) + " trajectories"] if counts else []
    if "data.duration" in settings:
        parts.append(f"{settings['data.duration']:.4g} time units long")
    if "data.transient" in settings:
        parts.append(f"a transient of {settings['data.transient']:.4g} before")
    if "data.sampling" in settings:
        parts.append(f"a snapshot every {settings['data.sampling']:.3g}")
    steps = [value for path, value in settings.items() if path.endswith(".steps")]
    if steps:
        parts.append(f"{max(steps)} training steps")
    return ", ".join(parts) or "nothing that is not chosen already"
