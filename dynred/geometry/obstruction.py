"""What topology forbids: an error that no continuous encoder and decoder can stay below, in the worst case, on K.

Let M be a component of K, a compact manifold without boundary, of dimension m and reach r, and Z = T^a x R^b the
latent space. If |D(E(x)) - x| < r on all of M, the nearest-point projection of the segment from x to D(E(x)) is a
homotopy from the identity of M to a map through the compact set E(M) in Z, so the m-th cohomology of M (over Z/2, which
is not zero) is a summand of that of E(M). That of E(M) is zero where dim Z < m, and where dim Z = m unless E(M) is all
of Z and Z is closed, that is b = 0; then M must have the cohomology of the torus T^m (M. Kvalheim, E. D. Sontag, "Why
should autoencoders work?", Transactions on Machine Learning Research (2024), for Euclidean Z; the rest is the same
proof).

Several components that each fill the same torus must meet in a latent state, whose decoded state is as far as the reach
of K from one of them.
"""

import math
from dataclasses import dataclass

from dynred.numerics.latent_space import LatentSpace
from dynred.ode.known_set import KnownSet


@dataclass(frozen=True)
class Obstruction:
    """Whether a latent space can carry K at all.

    Attributes:
        obstructed: True where it cannot, False where this theorem does not forbid it, None where too little is known.
        lower_bound: of the largest error on K, in state units; 0 where nothing is obstructed, None where the size is
            unknown.
        on_every_component: whether the bound holds on each component for itself.
        reason: in words.
    """

    obstructed: bool | None
    lower_bound: float | None
    on_every_component: bool
    reason: str


def obstruction(known: KnownSet, space: LatentSpace) -> Obstruction:
    """What is proven of every continuous autoencoder with this latent space on this set."""
    if known.closed is None or known.dimension is None or (known.closed and known.dimension % 1):
        return Obstruction(None, None, False, "it is not known whether K is a closed manifold")
    if not known.closed:
        return Obstruction(False, 0.0, False, "K is no closed manifold, so the theorem says nothing")
    m, names = int(known.dimension), f"{space.angles} angles and {space.lines} lines"
    what = f"a closed {m}-manifold"
    if space.dim < m or (space.dim == m and space.lines):
        bound = _component_reach(known)
        return Obstruction(True, bound, True, f"{what} does not fit into {names}, whatever the networks")
    if space.dim > m:
        return Obstruction(False, 0.0, False, f"{names} are more than the dimension {m} of K")
    if known.betti is None or known.components is None:
        return Obstruction(None, None, False, "the Betti numbers of K are not known")
    torus = [math.comb(m, j) for j in range(m + 1)]
    betti = [*known.betti, *(m + 1 - len(known.betti)) * [0]]
    if betti != [known.components * b for b in torus]:
        return Obstruction(True, _component_reach(known), known.components == 1, f"{what} that is no torus, on {names}")
    if known.components > 1:
        return Obstruction(True, known.reach, False, f"{known.components} components cannot share {names}")
    return Obstruction(False, 0.0, False, f"K has the topology of {names}")


def _component_reach(known: KnownSet) -> float | None:
    # A component's own reach is at least that of K. Without the latter, the set may be a bent copy of the one that the
    # constants were stated for.
    return None if known.reach is None else known.constants.get("component_reach", known.reach)
