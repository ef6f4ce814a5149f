"""One connected component of K: what a sample shows of it, and what follows for k Euclidean coordinates."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["point", "circle", "arc", "sphere", "disc", "torus", "surface", "manifold", "set"]


@dataclass(frozen=True)
class Doubt:
    """A reason not to trust a verdict.

    Attributes:
        says: the reason, a clause.
        grave: whether it can overturn the verdict.
    """

    says: str
    grave: bool = False


@dataclass(frozen=True)
class Piece:
    """A connected component of K.

    Attributes:
        points: number of distinct points that it was judged by.
        dimension: intrinsic dimension.
        spread: smallest and largest estimate of the dimension.
        manifold: its dimension m where it looks like a smooth manifold (0 for a point), else None.
        closed: whether it has no boundary; None where that is not known.
        orientable: whether a closed surface is orientable; None where that is not known.
        betti: (b0, b1, b2) over Z/2, None where not computed.
        reach: estimate, in state units; infinite for points and flat sets, None where not estimated.
        depth: distance of its innermost point from the boundary, in state units; 0 without boundary.
        open_until: for degree j = 1, 2, the radius of a neighbourhood in which a hole of that degree is still open.
        doubts: reasons not to trust what is said here.
    """

    points: int
    dimension: float
    spread: tuple[float, float]
    manifold: int | None
    closed: bool | None
    orientable: bool | None = None
    betti: tuple[int, int | None, int | None] = (1, 0, 0)
    reach: float | None = None
    depth: float = 0.0
    open_until: tuple[float, float] = (0.0, 0.0)
    doubts: tuple[Doubt, ...] = field(default=(), repr=False)

    def unseen(self) -> "Piece":
        """The piece without what only a sample of all of it shows: a manifold, its boundary, holes and reach."""
        return replace(
            self, manifold=None, closed=None, orientable=None, betti=(1, None, None), reach=None, open_until=(0.0, 0.0)
        )

    @property
    def kind(self) -> Kind:
        """The name of its shape, as far as dimension, boundary and Betti numbers tell."""
        m, b = self.manifold, self.betti
        if m == 0:
            return "point"
        if m is None or self.closed is None:
            return "set"
        if m == 1:
            return "circle" if self.closed else "arc"
        if not self.closed:
            return "disc" if b[1:] == (0, 0) and m <= 3 else "manifold"
        if m == 2:
            return "sphere" if b[1] == 0 else "torus" if b[1] == 2 and self.orientable else "surface"
        return "sphere" if m == 3 and b[1:] == (0, 0) else "manifold"

    def obstructed(self, k: int) -> bool:
        """Whether no continuous encoder into R^k and decoder back are exact on this component.

        - A closed m-manifold does not embed in R^m (invariance of domain), a non-orientable one not in R^(m + 1): its
          top cohomology has torsion, that of a compact subset of R^(m + 1) has none (Alexander duality).
        - An m-manifold with boundary contains balls of R^m, which do not embed in R^k, k < m.
        - A hole of degree j >= k stays open in a neighbourhood, but a compact subset of R^k has no cohomology of degree
          k and above.
        """
        if max(self.open_until[k - 1 :], default=0.0) > 0:
            return True
        if not self.manifold:
            return False
        if self.closed:
            return k <= self.manifold + (self.orientable is False)
        return k < self.manifold

    def lower_bound(self, k: int) -> float:
        """A worst-case error, in state units, below which no encoder into R^k and decoder come; 0 where none is known.

        - Closed and obstructed: the reach. Were the error smaller, nearest-point projection of the segments from x to
          D(E(x)) would be a homotopy from the identity to a map through a compact subset of R^k, which has not the
          cohomology for it (after M. Kvalheim, E. D. Sontag, Transactions on Machine Learning Research (2024)).
        - With boundary, k < m: r sin(s / r), s the depth and r the reach. Two opposite points of a geodesic sphere of
          radius s have one code (K. Borsuk, S. Ulam); they are 2 r sin(s / r) or more apart (A. Schur's comparison
          theorem), as geodesics are curved by at most 1 / r.
        - A hole of degree >= k that stays open in a neighbourhood of radius e: e, by the first argument.
        """
        if not self.obstructed(k):
            return 0.0
        bound = max(self.open_until[k - 1 :], default=0.0)
        r = self.reach
        if not self.manifold or r is None:
            return bound
        if self.closed:
            return max(bound, r if math.isfinite(r) else 0.0)
        if self.closed is False and k < self.manifold:
            s = min(self.depth, math.pi * r / 2)
            bound = max(bound, r * math.sin(s / r) if math.isfinite(r) else s)
        return bound

    def possible(self, k: int) -> bool | None:
        """Whether k Euclidean coordinates can carry this component; None where that is not known.

        True for a point and an arc; for a circle from k = 2 on, an orientable surface from 3, any surface from 4, a
        closed 3-manifold from 5 (C. T. C. Wall, Bull. Amer. Math. Soc. 71, 564 (1965)), any m-manifold from 2 m (H.
        Whitney, Ann. Math. 45, 220 (1944)), a disc from m, a surface with boundary from 3; and for any set of box
        dimension d, k > 2 d (T. Sauer, J. A. Yorke, M. Casdagli, J. Stat. Phys. 65, 579 (1991)).
        """
        if self.obstructed(k):
            return False
        m = self.manifold
        if m is None:
            return True if k > 2 * max(self.dimension, self.spread[1]) else None
        if m == 0 or k >= max(1, 2 * m):
            return True
        if self.kind in ("arc", "disc"):
            return k >= m
        if self.kind == "surface" and self.orientable is None:
            return None
        if self.closed:
            enough = {1: 2, 2: 3, 3: 5}.get(m)
            return True if enough is not None and k >= enough else None
        return True if self.closed is False and m == 2 and k >= 3 else None
