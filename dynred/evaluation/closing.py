"""The closing sentence of an evaluation: what to make of the model, and what to do next.

Findings say all that misleads. The closing sentence takes the one thing on which the next step depends, in the order in
which one thing makes the others pointless: no model of states that do not determine their motion is worth training
longer.
"""

from collections.abc import Mapping
from typing import Any

from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.records import Finding
from dynred.evaluation.words import number

LOSSY = 0.05  # of the energy: coordinates that lose more begin a prediction with an error of 22 %
HELD = 0.5  # of the test's duration: predictions that hold so long are good where no time scale is known
AS_GOOD = 1.1  # times the model's error: POD with no more than that is as good, as among the findings
SETTINGS = {  # that make the model what a baseline is
    "linear": ("linear dynamics of the same coordinates", "--dynamics linear"),
    "dmd": ("dynamic mode decomposition", "--reducer pod --dynamics linear"),
    "persistence": ("the first state, unchanged,", ""),
}


def closing(evaluation: Evaluation, about: Mapping[str, Any] | None = None) -> str:
    """One sentence or two: what to make of a model, and what to do next; and why its dynamics were chosen.

    Args:
        evaluation: the scores of the model.
        about: what the model remembers of its source, with the names of the units of time, and of its making;
            `time_step` for a map.
    """
    about = about or {}
    chosen = about.get("choice")
    return " ".join(each for each in (_verdict(evaluation, about), chosen) if isinstance(each, str))


def _verdict(evaluation: Evaluation, about: Mapping[str, Any]) -> str:
    findings = {finding.kind: finding for finding in evaluation.findings}
    count = _coordinates(evaluation.latent_dim)
    if "two_valued" in findings:
        return (
            "These states do not determine how they move on, so no model of them predicts: measure more, or take "
            "delays (`--delays auto`)."
        )
    if evaluation.reconstruction.nmse > LOSSY:
        lost = 100 * min(evaluation.reconstruction.nmse, 1.0)
        lose, inspect = f"{count} lose {lost:.2g} % of the energy", "`dynred inspect` says how many are needed"
        if _no_better_than_pod(evaluation):
            return f"{lose}, no less than POD does: try a curved decoder (`--reducer polynomial`) or more; {inspect}."
        return f"{lose}: {inspect}, and of which kind."
    if _holds(evaluation):
        return _good(evaluation, findings, _valid(evaluation, about))
    if "velocities" in findings:
        error = 100 * (findings["velocities"].value or 0.0)
        return (
            f"Velocities are known to within {error:.2g} % only, and dynamics are fitted to them: sample faster, or "
            "take a map (`--dynamics map`)."
        )
    if evaluation.rollout.diverged:
        n = evaluation.test.trajectories
        setting = "--dynamics stabilised" if about.get("time_step") is None else "--set dynamics.member=neural_ode"
        return f"{evaluation.rollout.diverged} of {n} predictions diverge: try `{setting}`."
    if "time_dependent" in findings:
        return "The equation depends on time, which the model does not see: that bounds how long its predictions hold."
    if better := _better(evaluation):
        words, settings = SETTINGS[better]
        if about.get("time_step") is not None:
            settings = settings.replace("--dynamics linear", "--dynamics map --set dynamics.member=linear")
        if settings:
            return f"As good or better is {words}: take it (`{settings}`), or train longer."
        return f"As good or better is {words} as a prediction: this model has learned no motion. Train longer."
    lose, valid = f"lose {100 * evaluation.reconstruction.nmse:.2g} % of the energy", _valid(evaluation, about)
    if "bounded_by_encoder" in findings:
        return (
            f"Predictions hold for {valid}, as long as {count} allow, which {lose}, and most of it at a few moments: "
            "take more coordinates or another reducer (`dynred inspect` says how many are needed)."
        )
    enough = f"{count} {lose}" if "lossy" in findings else f"{count} are enough (they {lose})"
    return (
        f"{enough}, but predictions hold for {valid} only: train the dynamics longer "
        "(`--set dynamics.training.steps=...`), or on more data."
    )


def _holds(evaluation: Evaluation) -> bool:
    """Whether predictions hold for a time scale, or for half of the test, and none diverges."""
    rollout = evaluation.rollout
    if rollout.diverged or _better(evaluation):
        return False
    if "median" in rollout.valid_time.at_least:
        return True
    if rollout.valid_time_scaled is not None:
        return rollout.valid_time_scaled.median >= 1
    return rollout.valid_time.median >= HELD * rollout.error.t[-1]


def _good(evaluation: Evaluation, findings: Mapping[str, Finding], valid: str) -> str:
    if "pod_as_good" in findings:
        count = _coordinates(evaluation.latent_dim)
        return f"POD with {count} is as good: take it (`--reducer pod`). Predictions hold for {valid}."
    good = f"Good: predictions hold for {valid}"
    if "at_rest" in findings:
        return f"{good}, but most of the test is at rest: `--set data.horizon=...` tests the motion."
    if "few_tests" in findings:
        n = evaluation.test.trajectories
        many = "one trajectory" if n == 1 else f"{n} trajectories"
        return f"{good}, on {many} alone: test it on more (`--test FILE`, `dynred evaluate RUN --data FILE`)."
    return f"{good}. `dynred certify RUN` says how wrong it is on the whole of K."


def _better(evaluation: Evaluation) -> str:
    """The baseline that predicts best of those that are better than the model; empty where none is."""
    own = evaluation.rollout.valid_time.mean
    rivals = {
        name: parts["rollout"].valid_time.mean
        for name, parts in evaluation.baselines.items()
        if name in SETTINGS and "rollout" in parts
    }
    best = max(rivals, key=lambda name: rivals[name], default="")
    worse = any(finding.kind == "worse_than_a_baseline" for finding in evaluation.findings)
    return best if worse and rivals[best] >= own else ""


def _no_better_than_pod(evaluation: Evaluation) -> bool:
    pod = evaluation.baselines.get("pod", {}).get("reconstruction")
    return pod is not None and bool(pod.nmse <= AS_GOOD * evaluation.reconstruction.nmse)


def _valid(evaluation: Evaluation, about: Mapping[str, Any]) -> str:
    """The median valid time in words."""
    rollout, unit = evaluation.rollout, about.get("time_unit", "time units")
    if "median" in rollout.valid_time.at_least:
        return f"the whole test ({number(rollout.valid_time.median)} {unit})"
    if rollout.valid_time_scaled is not None:
        scale = about.get("time_scale_name", "time scales")
        return f"{number(rollout.valid_time_scaled.median, 2)} {scale} (the median)"
    return f"{number(rollout.valid_time.median)} {unit} (the median)"


def _coordinates(n: int) -> str:
    return f"{n} coordinate{'' if n == 1 else 's'}"
