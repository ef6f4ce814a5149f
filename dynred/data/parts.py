"""The two parts of data that every fit is given: one to learn from, one to choose between what was learned."""

from dynred.checks import refuse
from dynred.data.trajectories import Trajectories


def check_parts(name: str, train: Trajectories, validation: Trajectories) -> None:
    """Refuses parts that nothing can be fitted to.

    Args:
        name: of the part to learn from, for messages.
        train: that part.
        validation: the other.

    Raises:
        InputError: values that are not finite, or parts of different dimension.
    """
    train.checked_finite(name)
    validation.checked_finite("validation")
    if validation.dim != train.dim:
        raise refuse("validation", f"of {train.dim} dimensions, like {name}", validation.dim)
