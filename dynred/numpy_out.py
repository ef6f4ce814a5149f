"""NumPy in, NumPy out; tensors in, tensors out."""

import functools
from collections.abc import Callable
from typing import ParamSpec

import numpy as np
from jaxtyping import Float
from torch import Tensor

P = ParamSpec("P")


def as_given(method: Callable[P, Float[Tensor, "..."]]) -> Callable[P, Float[Tensor, "..."]]:
    """The method, made to return a NumPy array where it is given one and no tensor."""

    @functools.wraps(method)
    def returning(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        result = method(*args, **kwargs)
        given = [*args, *kwargs.values()]
        if any(isinstance(value, np.ndarray) for value in given) and not any(isinstance(v, Tensor) for v in given):
            return result.detach().cpu().numpy()  # type: ignore[return-value] # promised in words
        return result

    return returning
