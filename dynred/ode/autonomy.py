"""Whether a right-hand side depends on time."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.errors import InputError
from dynred.ode.vector_field import VectorField

SEEN = 1e-9  # of the largest velocity of a state: less is round-off
# Of a duration: when the velocity is looked at. No two differences are in the ratio of small integers, so that no
# periodic forcing is met in the same phase each time.
MOMENTS = (0.0, 0.0137, 0.2361, 0.618, 1.0)


def time_dependence(field: VectorField, x: Float[Tensor, "n D"], duration: float) -> float:
    """How much the velocity of a state depends on time: its largest change, as a fraction of its largest size.

    Args:
        field: the velocity, for n rows.
        x: a few states.
        duration: the times from 0 on that are looked at, in time units.

    Returns:
        0 for an autonomous field, up to about 2. A velocity that is defined at some of the times alone counts as one
        that changes by all of itself. Where the field fails, and where it is defined at no time, nothing is compared.
    """
    velocities = torch.stack([*_velocities(field, x, duration)] or [torch.full_like(x, torch.nan)])
    defined = velocities.isfinite().all(-1)
    if bool((defined.any(0) & ~defined.all(0)).any()):
        return 1.0
    compared = velocities[:, defined.all(0)]
    if compared.numel() == 0:
        return 0.0
    change = compared.amax(0) - compared.amin(0)
    size = compared.abs().amax((0, -1)).clamp_min(torch.finfo(x.dtype).tiny)
    fraction = float((change.amax(-1) / size).max())
    return fraction if fraction > SEEN else 0.0


def _velocities(field: VectorField, x: Float[Tensor, "n D"], duration: float) -> Iterator[Float[Tensor, "n D"]]:
    for part in MOMENTS:
        try:
            with torch.no_grad():
                yield field(torch.tensor(part * duration, dtype=torch.float64), x)
        except InputError:  # a right-hand side need not be defined at all times: the solver says so where it matters
            continue


def time_words(attributes: Mapping[str, Any]) -> str | None:
    """What must be known of trajectories whose right-hand side depends on time, as a clause; None for all others.

    Args:
        attributes: those of trajectories, or what a model remembers of them.
    """
    fraction = attributes.get("time_dependent")
    if fraction is None:
        return None
    return (
        f"the right-hand side depends on time (by up to {100 * float(fraction):.2g} % of itself at one state), which "
        "no latent ODE without inputs can represent; take what drives it, such as its phase, among the states"
    )
