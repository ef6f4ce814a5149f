"""Local reach and reach from tangent spaces."""

import numpy as np
from jaxtyping import Float

from dynred.geometry.tangent import Tangents

NEAR = 2.0  # in radii of the neighbourhood that gave the tangent space: closer points tell its error, not the curvature
BENT = 5.0  # in lengths of the scatter: smaller bending cannot be told from it
TRIMMED = 0.01  # fraction of points whose tangent space may have failed


def local_reach(at: Tangents, points: Float[np.ndarray, "n Q"], *, noise: float = 0.0) -> Float[np.ndarray, " q"]:
    """min over y of |y - x|^2 / (2 d(y - x, T_x)): how large a ball touches the set at x and holds none of it inside.

    Args:
        at: tangent spaces at the points x.
        points: the points y, of the same component.
        noise: length of the scatter, in state units: only points that are farther from T_x than that count.

    Returns:
        The local reach [q], infinite where the set lies in T_x. It is an infimum over a sample: too large where the
        sample is sparse, too small by the error of the tangent spaces and by noise.

    Source:
        E. Aamari, J. Kim, F. Chazal, B. Michel, A. Rinaldo, L. Wasserman, Electron. J. Stat. 13, 1359 (2019), after
        H. Federer, Trans. Amer. Math. Soc. 93, 418 (1959), theorem 4.18.
    """
    local = np.empty(len(at.base))
    for i, (x, frame) in enumerate(zip(at.base, at.frame, strict=True)):
        offset = points - x
        square = np.einsum("ij,ij->i", offset, offset)
        along = offset @ frame
        off_tangent = np.sqrt(np.clip(square - np.einsum("ij,ij->i", along, along), 0, None))
        far = square > (NEAR * at.spacing) ** 2
        bends = far & (off_tangent > np.maximum(BENT * noise, 1e-9 * np.sqrt(square)))
        local[i] = (square[bends] / (2 * off_tangent[bends])).min(initial=np.inf)
    return local


def reach(local: Float[np.ndarray, " q"]) -> float:
    """The smallest local reach but for 1 % of the points, where the tangent space may have failed."""
    return float(np.quantile(local, TRIMMED, method="higher"))
