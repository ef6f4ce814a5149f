"""Certifies a model: measures its errors on a dense sample of K, on a tube around K, and along trajectories."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from torch import Tensor

from dynred.arguments import public
from dynred.checks import finite, generator_given, is_number, literal, real, refuse
from dynred.data.parameters import cut
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredWarning
from dynred.evaluation.certificate import Certificate, ErrorQuantiles, Exceedance, Fraction, OverTime, Part, Tube
from dynred.geometry.obstruction import Obstruction, obstruction
from dynred.late import Late
from dynred.models.base import Model
from dynred.numerics.batches import pieces
from dynred.ode.known_set import KnownSet
from dynred.reducers.base import Reducer

stats = Late("scipy.stats")

# Of the tube, in units of the reach; within the reach, nearest points are unique.
SIZES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.8)
GUESS = 0.2  # stands for the reach where it is unknown, in units of the scale of K
TUBE_POINTS = 2000
EPSILONS = 60  # points of the curve delta(epsilon)
FOLLOWED, STEPS = 32, 100  # trajectories and snapshots along which errors are followed
NEIGHBOURS = 2000  # points from which components are told apart


@public
def certify(
    model: Model | Reducer,
    samples: Float[Tensor, "M D"] | Trajectories,
    *,
    rng: torch.Generator,
    known: KnownSet | None = None,
    labels: Int[Tensor, " M"] | None = None,
    truth: Trajectories | None = None,
    confidence: float = 0.95,
) -> Certificate:
    """Measures what can be promised of a model on K.

    Args:
        model: a model, or a reducer alone.
        samples: points of K that training never saw, the denser the better. They are independent points [M, D], as
            `known.sample` draws them, or trajectories on K, each at its own parameters. Snapshots of one trajectory
            are not independent, so confidence limits count each trajectory once.
        rng: draws the perturbations of the tube.
        known: what is known of K: reach, dimension and components, for the lower bound and the threshold.
        labels: the component of every sample [M]; default: found from the samples, as many as `known` says.
        truth: trajectories along which predictions are followed; default: `samples`, where they are trajectories.
        confidence: level of all limits, in (0, 1).

    Raises:
        InputError: the samples have another width than the model's states, are not finite, or are fewer than 2.
    """
    generator_given(rng)
    if not is_number(confidence) or not 0 < confidence < 1:
        raise refuse("confidence", "in (0, 1)", literal(confidence))
    known = known or KnownSet()
    x = _checked(model, samples)
    trajectories = samples if isinstance(samples, Trajectories) else None
    draws, given = (len(x), {}) if trajectories is None else (len(trajectories), trajectories.row_parameters)
    errors = (_reconstruct(model, x, given) - x).norm(dim=1)
    scale = float((x - x.mean(0)).pow(2).sum(1).mean().sqrt())
    labels = _components(x, known.components or 1) if labels is None else _checked_labels(labels, len(x))
    threshold, name = (known.reach / 2, "half the reach of K") if known.reach else (0.1 * scale, "a tenth of K's size")
    certainty = _Confidence(confidence, draws / len(x))
    truth = trajectories if truth is None else truth
    return Certificate(
        system=str(getattr(model, "about", {}).get("system", "unnamed")),
        latent_space={"angles": model.latent_space.angles, "lines": model.latent_space.lines},
        samples=len(x),
        draws=draws,
        scale=scale,
        confidence=confidence,
        error=_quantiles(errors),
        parts=tuple(_part(errors[labels == i], threshold, certainty) for i in labels.unique().tolist()),
        coverage=_coverage(errors, certainty),
        threshold=threshold,
        threshold_name=name,
        exceptional=certainty.fraction(errors > threshold),
        obstruction=_proven(model, known),
        tube=_tube(model, x, given, known, (known.reach or GUESS * scale) * np.array(SIZES), rng),
        over_time=_over_time(model, truth) if truth is not None and isinstance(model, Model) else None,
        points=x,
        errors=errors,
        labels=labels,
    )


@dataclass(frozen=True)
class _Confidence:
    # Clopper-Pearson limits; `weight` is the number of independent draws per sample.
    level: float
    weight: float

    def limits(self, count: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray]:
        n, k = self.weight * total, self.weight * count
        tail = (1 - self.level) / 2
        low = np.where(k > 0, stats.beta.ppf(tail, np.maximum(k, 1e-300), n - k + 1), 0.0)
        high = np.where(k < n, stats.beta.ppf(1 - tail, k + 1, np.maximum(n - k, 1e-300)), 1.0)
        return low, high

    def fraction(self, exceeds: Bool[Tensor, " M"]) -> Fraction:
        low, high = self.limits(np.array(float(exceeds.sum())), len(exceeds))
        return Fraction(float(exceeds.double().mean()), float(low), float(high))


def _checked_labels(labels: Tensor, count: int) -> Int[Tensor, " M"]:
    if labels.shape != (count,):
        raise refuse("labels", f"one for each of {count} samples", f"shape {list(labels.shape)}")
    return labels


def _checked(model: Model | Reducer, samples: Tensor | Trajectories) -> Float[Tensor, "M D"]:
    x = samples.states if isinstance(samples, Trajectories) else real("samples", samples)
    if x.ndim != 2 or x.shape[1] != model.state_dim or len(x) < 2:
        raise refuse("samples", f"at least 2 states of {model.state_dim} values [M, D]", f"shape {list(x.shape)}")
    return finite("samples", x.double())


def _reconstruct(
    model: Model | Reducer, x: Float[Tensor, "M D"], given: Mapping[str, Float[Tensor, " M"]]
) -> Float[Tensor, "M D"]:
    with torch.no_grad():
        parts = torch.arange(len(x)).split(len(pieces(x)[0]))
        coders = ((model.at(cut(given, rows)), x[rows]) for rows in parts)
        return torch.cat([coder.decode(coder.encode(part)).double() for coder, part in coders])


def _quantiles(errors: Float[Tensor, " M"]) -> ErrorQuantiles:
    return ErrorQuantiles(*(float(q) for q in np.quantile(errors.numpy(), [0.5, 0.9, 0.99, 0.999, 1.0])))


def _part(errors: Float[Tensor, " m"], threshold: float, certainty: _Confidence) -> Part:
    return Part(len(errors), _quantiles(errors), certainty.fraction(errors > threshold))


def _coverage(errors: Float[Tensor, " M"], certainty: _Confidence) -> Exceedance:
    e = np.sort(errors.numpy())
    smallest = max(float(np.quantile(e, 0.01)), 1e-8 * float(e[-1]), 1e-300)
    epsilon = np.geomspace(smallest, max(float(e[-1]), 2 * smallest), EPSILONS)
    count = len(e) - np.searchsorted(e, epsilon, side="right")
    low, high = certainty.limits(count.astype(float), len(e))
    return Exceedance(epsilon.tolist(), (count / len(e)).tolist(), low.tolist(), high.tolist())


def _components(x: Float[Tensor, "M D"], count: int) -> Int[Tensor, " M"]:
    """Labels of at most `count` components by single linkage: the radius of the graph grows until so few remain."""
    if count == 1:
        return torch.zeros(len(x), dtype=torch.long)
    subset = x[torch.linspace(0, len(x) - 1, min(NEIGHBOURS, len(x))).long()].numpy()
    tree = KDTree(subset)
    radius = float(np.median(tree.query(subset, 2)[0][:, 1]))
    labels = _linked(tree, radius)
    while labels.max() + 1 > count:
        radius *= 1.3
        labels = _linked(tree, radius)
    return torch.as_tensor(labels[tree.query(x.numpy())[1]], dtype=torch.long)


def _linked(tree: KDTree, radius: float) -> np.ndarray:
    i, j = tree.query_pairs(radius, output_type="ndarray").T
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(tree.n, tree.n))
    return connected_components(graph, directed=False)[1]


def _proven(model: Model | Reducer, known: KnownSet) -> Obstruction:
    # The theorem is about continuous maps; an atlas jumps from chart to chart to get around it.
    if model.is_continuous:
        return obstruction(known, model.latent_space)
    return Obstruction(False, 0.0, False, "the model has several charts, so its encoder need not be continuous")


def _tube(
    model: Model | Reducer,
    x: Float[Tensor, "M D"],
    given: Mapping[str, Float[Tensor, " M"]],
    known: KnownSet,
    sizes: np.ndarray,
    rng: torch.Generator,
) -> Tube:
    chosen = torch.randint(len(x), (min(TUBE_POINTS, len(x)),), generator=rng)
    base, parameters = x[chosen], cut(given, chosen)
    direction = torch.nn.functional.normalize(torch.randn(base.shape, generator=rng, dtype=torch.float64), dim=1)
    distance = known.distance or _distance_from(x)
    columns: list[list[float]] = [[], [], [], []]
    for size in sizes.tolist():
        back = _reconstruct(model, base + size * direction, parameters)
        off, moved = distance(back), (back - base).norm(dim=1)
        for column, value in zip(columns, (off.median(), off.max(), moved.median(), moved.max()), strict=True):
            column.append(float(value))
    return Tube(sizes.tolist(), *columns)


def _distance_from(x: Float[Tensor, "M D"]) -> Callable[[Tensor], Tensor]:
    tree = KDTree(x.numpy())
    return lambda y: torch.as_tensor(tree.query(np.nan_to_num(y.numpy(), nan=1e300, posinf=1e300))[0])


def _over_time(model: Model, truth: Trajectories) -> OverTime:
    """Errors along the first trajectories that share a time grid."""
    grid, members = truth.shared_grids()[0]
    chosen = truth[members[:FOLLOWED]]
    snapshots = torch.linspace(0, len(grid) - 1, min(len(grid), STEPS + 1)).long()
    t, exact = grid[snapshots].double(), chosen.stacked()[:, snapshots].double()
    model = model.at(chosen.given)
    once = model.predict(exact[:, 0], t).states.reshape(exact.shape)
    every = _step_by_step(model, exact[:, 0], t)
    curves = []
    for prediction in (once, every):
        error = (prediction - exact).norm(dim=-1)
        error = torch.where(torch.isfinite(error), error, torch.inf)
        curves += [error.median(0).values.tolist(), error.max(0).values.tolist()]
    return OverTime(t.tolist(), *curves)


def _step_by_step(model: Model, x: Float[Tensor, "N D"], t: Float[Tensor, " T"]) -> Float[Tensor, "N T D"]:
    # A prediction that diverged stays lost.
    states, alive = [model.reconstruct(x).double()], torch.ones(len(x), dtype=torch.bool)
    for j in range(len(t) - 1):
        now = torch.where(alive[:, None], states[-1], 0.0)
        with warnings.catch_warnings():  # the errors already tell how far predictions stray
            warnings.simplefilter("ignore", DynredWarning)
            after = model.predict(now, t[j : j + 2]).states.reshape(len(x), 2, -1)[:, 1]
        alive = alive & torch.isfinite(after).all(1)
        states.append(torch.where(alive[:, None], after, torch.nan))
    return torch.stack(states, 1)
