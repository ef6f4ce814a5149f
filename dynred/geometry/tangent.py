"""Tangent spaces from neighbours, how well a manifold fits, and where it has a boundary."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.distance import cdist

from dynred.geometry.sample import neighbours


@dataclass(frozen=True, eq=False)
class Tangents:
    """Tangent spaces of an m-dimensional set at some of its points.

    Attributes:
        base: the points [q, Q].
        frame: orthonormal bases [q, Q, m].
        radius: median radius of the neighbourhoods they were fitted to, in state units.
        spacing: that radius before neighbourhoods were enlarged because of noise.
        roughness: per point [q], root mean square distance of the neighbours from the fitted quadratic graph, in units
            of the neighbourhood's radius: small on a smooth manifold.
    """

    base: Float[np.ndarray, "q Q"]
    frame: Float[np.ndarray, "q Q m"]
    radius: float
    spacing: float
    roughness: Float[np.ndarray, " q"]


def tangents(
    base: Float[np.ndarray, "q Q"], points: Float[np.ndarray, "n Q"], m: int, *, noise: float = 0.0
) -> Tangents:
    """Tangent spaces by a quadratic fit.

    They begin as the principal directions of the neighbours, with coordinates u. The linear part of a regression of the
    normal coordinates on 1, u and u u then tilts them, so that curvature does not turn them.

    Args:
        base: the points at which tangent spaces are wanted.
        points: dense sample of the set.
        m: its dimension, 1 <= m <= Q.
        noise: length of the scatter around the set, in state units; it makes neighbourhoods larger.
    """
    unknowns = 1 + m + m * (m + 1) // 2
    k = min(len(points), max(12, 3 * unknowns))
    distance, rows = neighbours(base, points, k)
    spacing = float(np.median(distance[:, -1]))
    while noise > 0 and np.median(distance[:, -1]) < 8 * noise and 4 * k < len(points):
        k *= 2
        distance, rows = neighbours(base, points, k)
    offset = points[rows] - base[:, None]
    radius = float(np.median(distance[:, -1]))
    if m >= base.shape[1]:
        whole = np.broadcast_to(np.eye(m), (len(base), m, m))
        return Tangents(base, whole, radius, spacing, np.zeros(len(base)))
    frame = np.linalg.svd(offset - offset.mean(1, keepdims=True), full_matrices=False)[2][:, :m].transpose(0, 2, 1)
    u = offset @ frame
    normal = offset - u @ frame.transpose(0, 2, 1)
    i, j = np.triu_indices(m)
    scale = distance[:, -1][:, None, None]
    design = np.concatenate([np.ones_like(u[..., :1]), u / scale, u[..., i] * u[..., j] / scale**2], -1)
    fit = np.linalg.pinv(design) @ normal
    left = normal - design @ fit
    tilted = frame + (fit[:, 1 : 1 + m] / scale).transpose(0, 2, 1)
    roughness = np.sqrt((left**2).sum(-1).mean(1)) / distance[:, -1]
    return Tangents(base, np.linalg.qr(tilted)[0], radius, spacing, roughness)


def one_sidedness(net: Float[np.ndarray, "q Q"], frame: Float[np.ndarray, "q Q m"]) -> Float[np.ndarray, " q"]:
    """How much the neighbours of every point of a net lie on one side of it, in the tangent space.

    The length of the mean direction to the neighbours, in units of its value where they fill a half-space, as they do
    at a boundary: about 0 inside, 1 at a smooth boundary. A net is evenly spread, so that no gradient of the density
    looks like a boundary.

    Args:
        net: an evenly spread sample.
        frame: tangent spaces at its points.
    """
    m = frame.shape[-1]
    count = {1: 4, 2: 14}.get(m, 6 * (m + 1))
    rows = neighbours(net, net, count + 1)[1][:, 1:]
    u = (net[rows] - net[:, None]) @ frame
    direction = u / np.linalg.norm(u, axis=-1, keepdims=True).clip(1e-300)
    half = math.gamma(m / 2) / (math.sqrt(math.pi) * math.gamma((m + 1) / 2))
    return np.linalg.norm(direction.mean(1), axis=-1) / half


def depth(net: Float[np.ndarray, "q Q"], rim: Bool[np.ndarray, " q"]) -> float:
    """Distance from the rim (a mask of the net's points) to the point of the net that is farthest from it."""
    return float(cdist(net, net[rim]).min(1).max())
