"""The plan for a source: of a system what is simulated and trained, of data what is trained."""

import time
from collections.abc import Collection

from dynred.checks import positive
from dynred.experiments.costs import rehearse
from dynred.experiments.plan import FEWEST_STEPS, LATER, LOOKING, START, Plan, most_steps, plan, training_settings
from dynred.experiments.source import Source
from dynred.experiments.spec import ExperimentSpec
from dynred.runtime import Runtime


def plan_of(spec: ExperimentSpec, source: Source, minutes: float, *, fixed: Collection[str] = ()) -> Plan:
    """The plan for a source, as `plan` makes it.

    All trajectories of data are learned from, so that their plan chooses the steps of training alone.

    Args:
        spec: the settings of the experiment.
        source: what they name, opened.
        minutes: the time, > 0.
        fixed: dotted paths of settings that the user chose.

    Raises:
        InputError: the source or a setting is bad.
        DivergenceError: a trajectory diverged.
    """
    if source.system is not None and source.simulated:
        return plan(spec, source.system, minutes, fixed=fixed)
    seconds, began = 60 * positive("minutes", minutes), time.perf_counter()
    source, transforms = source.for_dynamics(spec.dynamics).compressing(spec.transforms)
    parts = source.parts(spec.data, spec.seed, Runtime())
    reading = time.perf_counter() - began
    learning = rehearse(spec.model, parts.train, LOOKING * seconds, transforms)
    spent = time.perf_counter() - began
    known, scored = len(parts.train.states), len(parts.test.states)
    fixed_costs = {"divide": reading, "score": learning.scoring(known + scored)}
    most = most_steps(spec, fixed)

    def steps(seconds: float) -> int:
        left = seconds - spent - START - learning.preparing(known) - sum(fixed_costs.values())
        return max(FEWEST_STEPS, min(most, int(left / max(learning.step, 1e-9))))

    now, later = (training_settings(spec, fixed, steps(time)) for time in (seconds, LATER * seconds))
    fitting = learning.preparing(known) + learning.step * steps(seconds)
    expected = {"plan": spent, "divide": reading, "fit": fitting, "score": fixed_costs["score"]}
    return Plan(minutes, now, expected, None, later)
