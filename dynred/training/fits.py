"""What every `fit` of a reducer or of latent dynamics is given, checked before it runs, plug-ins of users' included."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from dynred.arguments import check_arguments
from dynred.checks import generator_given, instance_of, refuse
from dynred.data.trajectories import Trajectories


def checked_fit(fit: Callable[..., Any]) -> Callable[..., Any]:
    """A method `fit(self, train, validation, *, rng, ...)` that refuses other arguments than these.

    Raises:
        InputError: when it is called: no Trajectories, values that are not finite, parts of different dimension, no
            stream of random numbers.
    """
    signature = inspect.signature(fit)
    train, validation = list(signature.parameters)[1:3]

    @functools.wraps(fit)
    def checked(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        for name in (train, validation):
            instance_of(name, given[name], Trajectories).checked_finite(name)
        if given[validation].dim != given[train].dim:
            raise refuse(validation, f"of {given[train].dim} dimensions, like {train}", given[validation].dim)
        generator_given(given.get("rng"))
        check_arguments(fit, {name: value for name, value in given.items() if name != "self"})
        return fit(*args, **kwargs)

    return checked
