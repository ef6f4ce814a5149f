"""How many leading POD coordinates already tell all states of a sample apart: the plainest proof that k suffice."""

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import cdist

from dynred.numerics.farthest_points import farthest_points

NET = 800
SHARE = 5  # sample points for each point of the net: with fewer its balls do not cover the sample's own gaps
FINE = 0.25  # fraction of the diameter: the net tells something only if far pairs begin nearer than this
NEAR = 6.0  # in covering radii: closer pairs tell whether a tangent is lost, farther ones whether two parts meet
SHRUNK = 0.3  # least factor by which the projection may shorten close pairs


def injective_from(points: Float[np.ndarray, "n Q"], *, gap: float = 0.0) -> int:
    """The least k such that the projection to the first k POD coordinates is one-to-one at the sample's resolution.

    Far pairs must stay farther apart than the balls around them, whose insides the net does not show. Close pairs must
    keep `SHRUNK` of their distance. All Q coordinates are always enough, and no fewer where the net is coarse.

    Args:
        points: POD coordinates, by decreasing energy.
        gap: width of the gaps that the points leave, in state units, where these are wider than the balls.
    """
    rows, radius = farthest_points(points, max(10, min(NET, len(points) // SHARE)))
    radius = max(radius, gap)
    net = points[rows]
    table = cdist(net, net)
    pairs = np.triu_indices(len(net), 1)
    distance = table[pairs]
    far = distance >= NEAR * radius
    if NEAR * radius > FINE * distance.max():
        return points.shape[1]
    needed = np.where(far, 2 * radius, SHRUNK * distance)
    square = np.zeros(len(distance))
    for k in range(1, points.shape[1]):
        square += (net[pairs[0], k - 1] - net[pairs[1], k - 1]) ** 2
        if (square >= needed**2).all():
            return k
    return points.shape[1]
