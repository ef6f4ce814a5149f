"""The methods of dynred/data/derivatives, with their settings, that suit some samples."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dynred import plugins
from dynred.data.derivatives.base import Estimator

PACKAGE = "dynred.data.derivatives"


def suitable(times: Sequence[Float[np.ndarray, " _n"]]) -> list[Estimator]:
    """All methods that take samples at these times, with the settings that are meant for so many of them."""
    longest = max(times, key=len)
    return [
        candidate
        for name in plugins.names(PACKAGE)
        for candidate in plugins.load_class(PACKAGE, name, Estimator).candidates()
        if candidate.suits(longest) and all(candidate.takes(t) for t in times)
    ]
