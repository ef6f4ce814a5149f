"""Do the states determine their velocities? Where they do not, no autonomous ODE in these states exists."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities

ENOUGH = 200  # snapshots below which nothing is said
QUERIES = 2000  # states whose neighbours are looked at
STORED = 50000  # states among which they are
AXES = 8  # POD coordinates by which neighbours are found
FEW = 20  # distinct states below which nothing is said
NEAREST = 8  # neighbours of every state; fewer among few states
BLOCKS = 20  # of the states, in order, by which the statistic's error is found
STEPS = 400  # lags of the autocorrelation
FORGOTTEN = 0.2  # autocorrelation of the velocity at which two states of one trajectory count as different passes
CLOSE = 0.5  # of the distance of two random states, root mean square: neighbours farther apart tell nothing
SAME = 0.1  # of the step between snapshots: closer states with closer velocities are visits to one
SURE = 3.0  # standard errors
LEAST = 0.15  # of the velocity's variance: less may come from the curvature that a straight line leaves out


@dataclass(frozen=True)
class TwoValued:
    """Whether the velocity is a function of the state.

    Attributes:
        statistic: mean squared difference of the velocities of two equal states, from different passes, as a fraction
            of that of two random states: 0 where states determine velocities, 1 where they tell nothing of them. None
            where it is not known.
        threshold: the statistic above which the verdict is true; None where the statistic is.
        verdict: whether velocities are not determined.
        reason: why the statistic is not known; empty where it is.
    """

    statistic: float | None
    threshold: float | None
    verdict: bool
    reason: str = ""

    def to_dict(self) -> dict[str, float | bool | None]:
        """The statistic and the verdict as JSON values."""
        return {"statistic": self.statistic, "verdict": self.verdict}

    def advice(self) -> str:
        """What a true verdict means, and what to do."""
        return (
            f"These states do not determine the motion: equal ones have different velocities (statistic "
            f"{self.statistic:.2g}, above {self.threshold:.2g}), so that no autonomous ODE exists in them. States with "
            "delays may: `--delays auto` (`transforms=[DelaysSpec()]`); or measure velocities too."
        )


UNKNOWN = TwoValued(None, None, False, "there are no trajectories")


def two_valued(trajectories: Trajectories, *, velocity_error: float | None = None) -> TwoValued:
    """Whether close states have different velocities.

    The squared difference of velocities is averaged over every state's p-th nearest neighbour, p = 1, 2, ..., and
    fitted by a straight line in the mean squared distance; the value at distance 0 is the part of the velocity's
    variance that states do not explain (the gamma test: A. Stefansson, N. Koncar, A. J. Jones, Neural Comput. Appl. 5,
    131 (1997)). Neighbours within the time in which a velocity is forgotten do not count (J. Theiler, Phys. Rev. A 34,
    2427 (1986)), and neither do repetitions of the same state and velocity. The threshold is three standard errors, by
    jackknife over blocks of states, above what errors of the velocities and the curvature of the line may explain.

    Args:
        trajectories: velocities that they lack are estimated.
        velocity_error: error of the velocities as a fraction of their root mean square; default: the attribute
            `velocity_error`, else 0.
    """
    if len(trajectories.states) < ENOUGH or int(trajectories.lengths.min()) < 2:
        return TwoValued(None, None, False, f"there are fewer than {ENOUGH} snapshots, or single ones")
    if trajectories.velocities is None:
        trajectories = estimate_velocities(trajectories)
    assert trajectories.velocities is not None
    error = trajectories.attributes.get("velocity_error") if velocity_error is None else velocity_error
    step = max(1, -(-len(trajectories.states) // STORED))
    every = slice(None, None, step)
    x = trajectories.states[every].detach().cpu().double().numpy()
    v = trajectories.velocities[every].detach().cpu().double().numpy()
    owner, t = trajectories.owner[every].numpy(), trajectories.t[every].double().numpy()
    spread, speed = float(((x - x.mean(0)) ** 2).sum(1).mean()), float(((v - v.mean(0)) ** 2).sum(1).mean())
    if spread == 0 or speed == 0:
        return TwoValued(None, None, False, "nothing moves")
    window, rows = _memory(v, owner, t), _distinct(x, v, owner)
    distance, difference = _pairs(x[rows], v[rows], owner[rows], t[rows], window)
    distance, difference = distance / (2 * spread), difference / (2 * speed)
    if len(distance) < FEW or float(np.median(distance[:, 0])) > CLOSE**2:
        return TwoValued(None, None, False, "no state has close neighbours on other passes")
    statistic, uncertain = _jackknife(distance, difference)
    threshold = LEAST + (error or 0.0) ** 2 + SURE * uncertain
    return TwoValued(statistic, threshold, statistic > threshold)


def _pairs(
    x: Float[np.ndarray, "n D"],
    v: Float[np.ndarray, "n D"],
    owner: Int[np.ndarray, " n"],
    t: Float[np.ndarray, " n"],
    window: float,
) -> tuple[Float[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
    """Squared distances and velocity differences of some states and their nearest neighbours on other passes."""
    near = _axes(x)
    queries = np.unique(np.linspace(0, len(x) - 1, min(len(x), QUERIES)).astype(int))
    tree, distances, differences = cKDTree(near), [], []
    count = max(2, min(NEAREST, len(x) // NEAREST))
    left, most = queries, 4 * NEAREST
    while len(left):
        neighbours = tree.query(near[left], min(most, len(x)))[1]
        other = (owner[neighbours] != owner[left][:, None]) | (np.abs(t[neighbours] - t[left][:, None]) > window)
        done = other.sum(1) >= count
        chosen = np.argsort(~other[done], axis=1, kind="stable")[:, :count]
        partners = np.take_along_axis(neighbours[done], chosen, 1)
        mine = left[done]
        distances.append(((x[partners] - x[mine][:, None]) ** 2).sum(2))
        differences.append(((v[partners] - v[mine][:, None]) ** 2).sum(2))
        left = left[~done]
        if most >= min(len(x), 1024):
            break
        most *= 4
    distance, difference = np.concatenate(distances), np.concatenate(differences)
    order = np.argsort(distance, axis=1, kind="stable")
    return np.take_along_axis(distance, order, 1), np.take_along_axis(difference, order, 1)


def _step(values: Float[np.ndarray, "n D"], owner: Int[np.ndarray, " n"]) -> float:
    """The typical squared change between successive snapshots."""
    steps = (np.diff(values[: 2 * QUERIES], axis=0) ** 2).sum(1)
    return float(np.median(steps[owner[1 : len(steps) + 1] == owner[: len(steps)]]))


def _distinct(
    x: Float[np.ndarray, "n D"], v: Float[np.ndarray, "n D"], owner: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " m"]:
    """Rows without repetitions of a state and its velocity, of which one at random stays.

    Snapshots of a cycle at a fraction of its period visit few states often; their visits are no neighbours.
    """
    cells = []
    for values in (x, v):
        step = _step(values, owner)
        if step > 0:
            cells.append(np.floor(_axes(values)[:, :2] / (SAME * math.sqrt(step))))
    order = np.random.default_rng(0).permutation(len(x))
    return np.sort(order[np.unique(np.concatenate(cells, 1)[order], axis=0, return_index=True)[1]]) if cells else order


def _axes(x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n a"]:
    part = x[:: max(1, len(x) // QUERIES)]
    centred = part - part.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:AXES]
    return np.ascontiguousarray((x - part.mean(0)) @ axes.T)


def _memory(v: Float[np.ndarray, "n D"], owner: Int[np.ndarray, " n"], t: Float[np.ndarray, " n"]) -> float:
    """The time after which a velocity is forgotten, from the longest trajectories; infinite where it never is."""
    longest = np.flatnonzero(owner == np.bincount(owner).argmax())
    mine, times = _axes(v[longest]), t[longest]
    square = float((mine**2).sum(1).mean())
    lags = np.unique(np.linspace(1, max(1, len(longest) - 2), STEPS).astype(int))
    lags = np.unique(np.concatenate([np.arange(1, min(STEPS, len(longest) - 1)), lags]))
    for lag in lags:
        if float((mine[lag:] * mine[:-lag]).sum(1).mean()) < FORGOTTEN * square:
            return float(np.median(times[lag:] - times[:-lag]))
    return math.inf


def _jackknife(distance: Float[np.ndarray, "q k"], difference: Float[np.ndarray, "q k"]) -> tuple[float, float]:
    """The value at distance 0 and its standard error."""
    block = np.arange(len(distance)) * BLOCKS // len(distance)
    values = np.array([_at_zero(distance[block != b], difference[block != b]) for b in range(BLOCKS)])
    variance = (BLOCKS - 1) / BLOCKS * float(((values - values.mean()) ** 2).sum())
    return _at_zero(distance, difference), math.sqrt(variance)


def _at_zero(distance: Float[np.ndarray, "q k"], difference: Float[np.ndarray, "q k"]) -> float:
    d, v = distance.mean(0), difference.mean(0)
    slope = max(0.0, float(np.cov(d, v)[0, 1] / max(np.var(d, ddof=1), 1e-300)))
    return max(0.0, float(v.mean() - slope * d.mean()))
