"""What the report says in words and tables; every number comes from the evaluation."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from dynred.evaluation.records import Cost, Rollout, Speedup
from dynred.evaluation.spreads import Spread
from dynred.report.context import Context

MISSING = "\N{EN DASH}"
AT_LEAST = "≥ "  # before a time that the end of the test cut off
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_COSTS = {
    "simulate_s": ("simulation of the data", "s"),
    "reducer_s": ("training of encoder and decoder", "s"),
    "dynamics_s": ("training of the latent dynamics", "s"),
    "evaluate_s": ("evaluation", "s"),
    "peak_memory_mb": ("peak memory", "MiB"),
    "parameters": ("numbers that were fitted", ""),
}


class KeyNumber(NamedTuple):
    """A number that stands out: what it is, its value, and what to compare it with."""

    name: str
    value: str
    note: str


def number(value: float | None, digits: int = 3) -> str:
    """A number as text for people: `digits` significant digits, powers of ten written out, a dash for no number."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞"
    if value == 0 or 1e-3 <= abs(value) < 10**digits:
        return f"{value:.{digits}g}" if abs(value) < 10**digits - 0.5 else f"{value:,.0f}"
    if 10**digits <= abs(value) < 1e7:
        return f"{value:,.0f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{float(mantissa):g} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def title(context: Context) -> str:
    """The system and the two dimensions."""
    evaluation = context.evaluation
    return f"{evaluation.system}: {evaluation.state_dim} → {evaluation.latent_dim}"


def verdict(context: Context) -> str:
    """How far the model can be trusted, in one or two sentences."""
    rollout, n = context.evaluation.rollout, context.evaluation.test.trajectories
    which = f"the median of {_trajectories(n)}" if n > 1 else "the only test trajectory"
    gone = f" {rollout.diverged} of {n} predictions diverged." if rollout.diverged else ""
    if rollout.valid_time.median == 0:
        return f"Predictions are not valid for any time ({which}): reconstruction alone is beyond the threshold.{gone}"
    beyond_test = "median" in rollout.valid_time.at_least
    least, beyond = ("at least ", ": no longer time was tested") if beyond_test else ("", "")
    return f"Predictions stay valid for {least}{_times(context, rollout.valid_time.median)}, {which}{beyond}.{gone}"


def key_numbers(context: Context) -> list[KeyNumber]:
    """The few numbers to remember, each beside its baseline."""
    evaluation = context.evaluation
    pod, linear = context.pod, context.linear
    reconstruction, quantiles = evaluation.reconstruction, evaluation.reconstruction.relative_error
    numbers = [
        KeyNumber(
            "valid prediction time, median",
            f"{bounded(evaluation.rollout.valid_time, 'median')} {context.time_unit}",
            _beside(evaluation.rollout.valid_time, linear),
        ),
        KeyNumber(
            "reconstruction error (nmse)",
            number(reconstruction.nmse),
            f"POD with {_coordinates(evaluation.latent_dim)}: {number(pod.nmse)}" if pod else "",
        ),
        KeyNumber(
            "relative error of a state",
            _percent(quantiles.median),
            f"median; at worst {_percent(quantiles.max)}",
        ),
    ]
    if evaluation.speedup.ratio is not None:
        numbers.append(_speed(evaluation.speedup, evaluation.cost))
    return numbers


def costs(context: Context) -> list[tuple[str, str]]:
    """What it took to make the model and what it takes to run it, where that was measured."""
    evaluation = context.evaluation
    rows = [
        (_COSTS[key][0], f"{number(value)} {_COSTS[key][1]}".strip())
        for key, value in evaluation.cost.numbers().items()
    ]
    if evaluation.cost.reused:
        rows.append(("read, as another run computed it", ", ".join(evaluation.cost.reused)))
    per = "per time unit and trajectory"
    if evaluation.speedup.full_s_per_time_unit is not None:
        rows.append((f"full model, {per}", f"{number(evaluation.speedup.full_s_per_time_unit)} s"))
    rows.append((f"reduced model, {per}", f"{number(evaluation.speedup.reduced_s_per_time_unit)} s"))
    if evaluation.speedup.ratio is not None:
        rows.append(("speed-up", f"{number(evaluation.speedup.ratio)} ×"))
    for name, value in _alone_and_paying(evaluation.speedup, evaluation.cost).items():
        rows.append((name, value))
    return rows


def origin(context: Context) -> list[tuple[str, str]]:
    """Where the data and the model come from."""
    about = context.model.about
    rows = [("system", context.evaluation.system)]
    rows += [(f"argument {name}", str(value)) for name, value in about.get("arguments", {}).items()]
    if "solver" in about:
        solver = about["solver"]
        kind = str(solver.get("kind", "")).rpartition(":")[2] if isinstance(solver, Mapping) else str(solver)
        reason = about.get("solver_reason")
        rows.append(("solver of the full model", f"{kind} ({reason})" if reason else kind))
    rows += [("cleaning", str(step["says"])) for step in about.get("cleaning", ())]
    rows.append(("velocities", _velocities(about)))
    rows.append(("test", context.evaluation.test_words))
    if context.time_scale_name:
        scale = f"{number(context.time_scale)} {context.time_unit}"
        rows.append(("time scale", f"{scale}, in which {context.time_scale_name} are counted"))
    rows += [("latent dynamics", note) for note in context.model.notes()]
    return rows


def settings_rows(settings: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Nested settings as pairs (dotted path, value); `--set` takes the same paths."""
    rows = []
    for key, value in settings.items():
        dotted = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            rows += settings_rows(value, dotted)
        else:
            text = MISSING if value is None else str(value)
            rows.append((dotted, text.rpartition(":")[2] if key == "kind" else text))
    return rows


def bounded(record: Any, name: str) -> str:
    """A number of a record as text; one that is only known to be at least so large begins with that sign."""
    return f"{AT_LEAST * (name in getattr(record, 'at_least', ()))}{number(getattr(record, name))}"


def _beside(valid_time: Spread, linear: Rollout | None) -> str:
    interval, beyond = valid_time.median_interval, "median_interval" in valid_time.at_least
    parts = [f"95 %: {number(interval[0], 2)} to {AT_LEAST * beyond}{number(interval[1], 2)}"] if interval else []
    parts += [f"linear dynamics: {bounded(linear.valid_time, 'median')}"] if linear else []
    return "; ".join(parts)


def _speed(speedup: Speedup, cost: Cost) -> KeyNumber:
    full, reduced, ratio = speedup.full_s_per_time_unit, speedup.reduced_s_per_time_unit, speedup.ratio
    assert full is not None
    assert ratio is not None
    # A coarse clock may have measured no time at all.
    factor, word = (ratio, "as fast") if ratio >= 1 else (1 / ratio if ratio > 0 else math.inf, "slower")
    note = f"{number(1e3 * reduced, 2)} ms instead of {number(1e3 * full, 2)} ms per time unit and trajectory"
    further = [f"{name}: {value}" for name, value in _alone_and_paying(speedup, cost).items()]
    return KeyNumber("against the full model", f"{number(factor, 2)} × {word}", "; ".join([note, *further]))


def _alone_and_paying(speedup: Speedup, cost: Cost) -> dict[str, str]:
    """What one run takes beside the full model's, and from how many runs on the model has paid for itself."""
    words = {}
    if speedup.full_alone_s is not None and speedup.reduced_alone_s is not None:
        words["one run alone"] = (
            f"{number(speedup.reduced_alone_s, 2)} s instead of {number(speedup.full_alone_s, 2)} s"
        )
    runs, making = speedup.pays_from(cost), cost.making_s
    if runs is not None and making is not None:
        pays = f"from {number(runs)} runs on" if runs < math.inf else "never, the full model is faster"
        words[f"the {number(making, 2)} s of making it are paid back"] = pays
    return words


def _velocities(about: Mapping[str, Any]) -> str:
    if "velocities" not in about:
        return "exact, from the equation or the data"
    error = about.get("velocity_error")
    known = f"estimated error {_percent(error)}" if error is not None else "error unknown"
    return f"{about['velocities']} through the samples, {known}"


def _percent(value: float) -> str:
    return f"{number(100 * value, 2)} %" if math.isfinite(value) else number(value)


def _times(context: Context, value: float) -> str:
    text = f"{number(value)} {context.time_unit}"
    if not context.time_scale_name:
        return text
    return f"{text} ({number(value / context.time_scale, 2)} {context.time_scale_name})"


def _trajectories(n: int) -> str:
    return f"{n} test trajector{'y' if n == 1 else 'ies'}"


def _coordinates(n: int) -> str:
    return f"{n} coordinate{'' if n == 1 else 's'}"
