"""What a reader should know before the scores: findings, each with the number that shows it."""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.data.velocity_quality import velocity_quality
from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.intervals import FEWEST
from dynred.evaluation.records import Finding, ReconstructionScore, Rollout
from dynred.evaluation.spreads import Score
from dynred.evaluation.words import number
from dynred.geometry.drift import trajectory_drift
from dynred.metrics.valid_time import ValidTime
from dynred.models.base import Model
from dynred.models.forecast import Forecast
from dynred.ode.autonomy import time_words
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System
from dynred.reducers.identity import IdentitySpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator

# Baselines that a model must beat. The mean of the training states is none: beyond the horizon of a chaotic system it
# is the best that anybody can predict.
RIVALS: Mapping[str, str] = {
    "persistence": "persistence (that nothing changes)",
    "linear": "linear dynamics of the same coordinates",
    "dmd": "dynamic mode decomposition of as many POD coordinates",
}
GOOD = 1e-3  # nmse of a reconstruction that needs no explanation
LEARNED = 3.0  # times the error in training: a larger error of the test means that the data were too few
NEGLIGIBLE = 1e-6  # error that is the round-off of a network, not the model's
AS_GOOD = 1.1  # times the model's error: POD with no more than that is as good
BOUNDED = 0.8  # of the valid time that exact dynamics would have: what is left to gain is little
COMPARED = 2000  # training states to which places in latent space are compared
SLOW = 0.01  # of the root mean square velocity of training: a slower state rests
MOST_RESTING = 0.5  # of the test: more resting snapshots dominate its scores


def find(
    evaluation: Evaluation,
    model: Model,
    predictions: Forecast,
    train: Trajectories | None,
    system: System | None = None,
    notes: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """The findings on an evaluation, most important first.

    Args:
        evaluation: the scores.
        model: the model.
        predictions: the predictions that were scored.
        train: the training trajectories; without them fewer things can be found.
        system: the full model, where it is an equation.
        notes: sentences on data that could not be used.
    """
    findings = [*_worse(evaluation), *_not_an_ode(evaluation, model)]
    if train is not None:
        findings += _velocities(train)
        findings += _lossy(evaluation, model, train)
    findings += [*_diverged(evaluation, model, predictions, train), *_pod_as_good(evaluation, model)]
    findings += _bounded_by_encoder(evaluation)
    findings += _beyond_trust(evaluation, predictions)
    if train is not None:
        findings += [*_drifting(train, system), *_resting(predictions.core.truth, train)]
    findings += [Finding("unused_data", note) for note in notes]
    return (*findings, *_few(evaluation))


def _worse(evaluation: Evaluation) -> list[Finding]:
    own = _quality(evaluation.rollout, evaluation.metrics)
    findings = []
    for name, words in RIVALS.items():
        parts = evaluation.baselines.get(name)
        if parts is None:
            continue
        (valid, error), (other_valid, other_error) = own, _quality(parts["rollout"], parts["metrics"])
        if other_valid > valid or (other_valid == valid and error > max(other_error, NEGLIGIBLE)):
            text = (
                f"The model is worse than {words}: predictions stay valid for {number(valid)} time units in the mean, "
                f"those for {number(other_valid)}; the mean rollout error is {number(error)}, theirs "
                f"{number(other_error)}."
            )
            findings.append(Finding("worse_than_a_baseline", text, other_error))
    return findings


def _quality(rollout: Rollout, metrics: Mapping[str, Score]) -> tuple[float, float]:
    """Mean valid time and mean rollout error."""
    return rollout.valid_time.mean, metrics["rollout_error"].mean


def _not_an_ode(evaluation: Evaluation, model: Model) -> list[Finding]:
    findings, states = [], evaluation.two_valued
    if states is not None and states.verdict:
        findings.append(Finding("two_valued", states.advice(), states.statistic))
    if (words := time_words(model.about)) and not model.courses:
        size = float(model.about["time_dependent"])  # type: ignore[arg-type] # a number where there are words
        findings.append(Finding("time_dependent", f"{words[0].upper()}{words[1:]}.", size))
    return findings


def _velocities(train: Trajectories) -> list[Finding]:
    quality = velocity_quality(train)
    warning = quality.warning()
    return [] if warning is None else [Finding("velocities", warning, quality.error)]


def _beyond_trust(evaluation: Evaluation, predictions: Forecast) -> list[Finding]:
    trusted = torch.tensor(evaluation.test.trusted, dtype=torch.float64)
    times = ValidTime(evaluation.rollout.threshold)(predictions).double()[: len(trusted)]
    beyond = int((times > trusted * (1 + 1e-9)).sum())
    if not beyond:
        return []
    shortest = number(float(trusted.min()))
    text = (
        f"{beyond} of {len(trusted)} valid times that were checked are longer than the truth can be trusted: a solver "
        f"ten times finer agrees with the test for {shortest} time units at least. Use a finer solver or a shorter "
        "`data.horizon`."
    )
    return [Finding("beyond_trust", text, float(trusted.min()))]


def _diverged(evaluation: Evaluation, model: Model, predictions: Forecast, train: Trajectories | None) -> list[Finding]:
    count, n = evaluation.rollout.diverged, len(predictions.truth)
    if not count:
        return []
    gone = torch.isinf(predictions.rollout_error())
    rows = torch.nonzero(gone)[:, 0]
    first = rows[torch.argmin(predictions.elapsed[rows])]
    when = float(predictions.elapsed[first])
    text = f"{count} of {n} rollouts diverge, the first after {number(when)} time units"
    if train is not None and int(first) > int(predictions.truth.starts[predictions.truth.owner[first]]):
        before, start = (_place(model, predictions, int(row)) for row in (first - 1, _start(predictions, int(first))))
        latents = _latents(model, train)
        far, near = (number(_away(latents, place), 2) for place in (before, start))
        text += (
            f": in latent space its last state lies {far} standard deviations from the nearest training state, its "
            f"first {near}"
        )
    advice = "Try `--dynamics stabilised`, which holds rollouts near the training data, or more training trajectories."
    if model.time_step is not None:
        advice = "Try `--set dynamics.member=neural_ode`, which levels off outside the data, or more trajectories."
    return [Finding("diverged", f"{text}. {advice}", float(count))]


def _start(predictions: Forecast, row: int) -> int:
    return int(predictions.truth.starts[predictions.truth.owner[row]])


def _place(model: Model, predictions: Forecast, row: int) -> Float[Tensor, " F"]:
    owner = int(predictions.truth.owner[row])
    parameters = {name: values[owner : owner + 1] for name, values in predictions.truth.parameters.items()}
    with torch.no_grad():
        z = model.at(parameters).encode(predictions.core.predicted.states[row : row + 1])
    return model.latent_space.features(z)[0].double()


def _latents(model: Model, train: Trajectories) -> Float[Tensor, "m F"]:
    rows = torch.linspace(0, len(train.states) - 1, min(COMPARED, len(train.states))).round().long()
    parameters = {name: values[rows] for name, values in train.row_parameters.items()}
    with torch.no_grad():
        return model.latent_space.features(model.at(parameters).encode(train.states[rows])).double()


def _away(latents: Float[Tensor, "m F"], place: Float[Tensor, " F"]) -> float:
    """Distance to the nearest of the latents, in their standard deviations."""
    return float(((latents - place) / latents.std(0).clamp_min(1e-300)).norm(dim=1).min())


def _bounded_by_encoder(evaluation: Evaluation) -> list[Finding]:
    """Whether predictions end where encoder and decoder alone are too wrong, so that better dynamics would not help."""
    rollout = evaluation.rollout
    exact = rollout.exact_dynamics
    if exact is None or "median" in exact.at_least or rollout.valid_time.median < BOUNDED * exact.median:
        return []
    text = (
        f"Encoder and decoder alone err by more than {number(rollout.threshold)} after {number(exact.median)} time "
        "units (the median), as early as predictions are lost: better dynamics would not make predictions hold longer."
    )
    return [Finding("bounded_by_encoder", text, exact.median)]


def _pod_as_good(evaluation: Evaluation, model: Model) -> list[Finding]:
    pod = evaluation.baselines.get("pod", {}).get("reconstruction")
    own = evaluation.reconstruction
    is_pod = isinstance(getattr(model.spec, "reducer", None), PODSpec | IdentitySpec)
    if not isinstance(pod, ReconstructionScore) or is_pod or pod.nmse > AS_GOOD * own.nmse:
        return []
    text = (
        f"POD with {evaluation.latent_dim} coordinates is as good: its reconstruction error (nmse) is "
        f"{number(pod.nmse)}, the model's {number(own.nmse)}. Take it: `--reducer pod`."
    )
    return [Finding("pod_as_good", text, pod.nmse)]


def _lossy(evaluation: Evaluation, model: Model, train: Trajectories) -> list[Finding]:
    """Why the reconstruction is no better: the coordinates, or the data."""
    lost = evaluation.reconstruction.nmse
    if not GOOD < lost < math.inf:
        return []
    rows = torch.linspace(0, len(train.states) - 1, min(COMPARED, len(train.states))).round().long()
    x, values = train.states[rows], {name: value[rows] for name, value in train.row_parameters.items()}
    with torch.no_grad():
        off = (model.at(values).reconstruct(x) - x).double().pow(2).sum(1).mean()
    known = float(off / (x - x.mean(0)).double().pow(2).sum(1).mean().clamp_min(1e-300))
    n = evaluation.latent_dim
    words = f"{n} coordinate{' loses' if n == 1 else 's lose'} {number(100 * lost, 2)} % of the energy"
    here = f"{number(100 * known, 2)} %"
    if known > lost / LEARNED:
        text = f"{words}, in training {here}: take more (`dynred inspect` says how many) or longer training."
    else:
        text = f"{words} of the test, {here} of training: take more training trajectories."
    return [Finding("lossy", text, lost)]


def _drifting(train: Trajectories, system: System | None) -> list[Finding]:
    """Whether training is on its way to K still. Who says what K is, or where a system is published, says so of it."""
    if system is not None and (system.known != KnownSet() or system.reference):
        return []
    measured = trajectory_drift(train, generator(0, "drift"))
    if not measured.seen:
        return []
    text = (
        f"Training states drift: those of the first quarter of the time lie up to {number(measured.early, 2)} "
        f"diameters from those of the last, those of the third {number(measured.late, 2)}. Where the "
        "motion that they end on is what counts, leave out their beginning (a longer `data.transient` of a system)."
    )
    return [Finding("drift", text, measured.early)]


def _resting(test: Trajectories, train: Trajectories) -> list[Finding]:
    if test.velocities is None or train.velocities is None:
        return []
    typical = float(train.velocities.double().pow(2).sum(1).mean().sqrt())
    share = float((test.velocities.double().norm(dim=1) < SLOW * typical).double().mean())
    if share <= MOST_RESTING:
        return []
    text = (
        f"{100 * share:.0f} % of the test snapshots are at rest (slower than {100 * SLOW:g} % of the typical training "
        "velocity): scores are mostly of the fixed point at the end. `--set data.horizon=...` tests the motion alone."
    )
    return [Finding("at_rest", text, share)]


def _few(evaluation: Evaluation) -> list[Finding]:
    n = evaluation.test.trajectories
    if n >= FEWEST:
        return []
    names = "trajectory" if n == 1 else "trajectories"
    text = f"The scores are of {n} {names} and may be chance: fewer than {FEWEST} independent ones give no intervals."
    return [Finding("few_tests", text, float(n))]
