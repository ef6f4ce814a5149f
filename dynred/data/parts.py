"""The two parts of data that every fit is given: one to learn from, one to choose between what was learned."""

from dynred.checks import refuse
from dynred.data.trajectories import Trajectories


def check_parts(name: str, train: Trajectories, validation: Trajectories) -> None:
    """Refuses parts that nothing can be fitted to.

    Args:
        name: what messages call the part to learn from.
        train: the part to learn from.
        validation: the part to choose with.

    Raises:
        InputError: values are not finite, or the parts are of different dimension.
    """
    train.checked_finite(name)
    validation.checked_finite("validation")
    if validation.dim != train.dim:
        raise refuse("validation", f"of {train.dim} dimensions, like {name}", validation.dim)
