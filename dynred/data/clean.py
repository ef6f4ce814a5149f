"""Cleans trajectories: gaps, uneven times and noise, before anything is learned from them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from dynred.arguments import public
from dynred.data.cleaning.base import CleaningSpec, Samples
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities

KEY = "cleaning"  # of the attributes of trajectories


class Cleaning(NamedTuple):
    """Trajectories that were cleaned, and of which trajectory each is a piece [N]."""

    trajectories: Trajectories
    owner: Int[Tensor, " N"]


@public
def clean(trajectories: Trajectories, steps: Sequence[CleaningSpec]) -> Trajectories:
    """Trajectories without gaps, uneven times or noise; unlike transforms, this is not undone in predictions.

    Args:
        trajectories: states may hold NaN, where a step takes gaps.
        steps: in order, e.g. `[GapsSpec("interpolate"), SmoothingSpec()]`.

    Returns:
        Trajectories, more of them where some were split. Their attribute `cleaning` lists what was done: of each step
        its `kind`, a sentence under `says`, and its numbers.

    Raises:
        InputError: a value is missing and no step takes gaps, or settings do not fit.
    """
    return cleaned(trajectories, steps).trajectories


def cleaned(trajectories: Trajectories, steps: Sequence[CleaningSpec]) -> Cleaning:
    """As `clean`, with the trajectory of which each one is a piece."""
    owner = torch.arange(len(trajectories))
    for step in steps:
        if not step.takes_gaps:
            trajectories.checked_finite()
        if step.takes_velocities and trajectories.velocities is None:
            trajectories = estimate_velocities(trajectories)
        trajectories, parents = _step(trajectories, step)
        owner = owner[parents]
    return Cleaning(trajectories.checked_finite(), owner)


def _step(trajectories: Trajectories, step: CleaningSpec) -> Cleaning:
    dtype = trajectories.states.dtype
    moving = trajectories.velocities
    samples = []
    for i, part in enumerate(trajectories):
        others = {} if part.velocities is None else {"velocities": part.velocities.double().numpy()}
        samples.append(Samples(part.t.double().numpy(), part.states.double().numpy(), i, others))
    result = step.clean(samples)
    facts = {"kind": step.kind(), "says": result.sentence, **result.numbers}
    told = [*trajectories.attributes.get(KEY, ()), *([facts] if result.sentence else [])]
    owner = torch.tensor([each.owner for each in result.samples])
    rows = {"states": [each.x for each in result.samples]}
    if moving is not None:
        rows["velocities"] = [each.others["velocities"] for each in result.samples]
    columns = {name: torch.from_numpy(np.concatenate(parts)).to(dtype) for name, parts in rows.items()}
    pieces = replace(
        trajectories,
        **columns,
        t=torch.from_numpy(np.concatenate([each.t for each in result.samples])),
        lengths=torch.tensor([len(each.t) for each in result.samples]),
        parameters={name: values[owner] for name, values in trajectories.parameters.items()},
        attributes={**trajectories.attributes, **({KEY: told} if told else {})},
    )
    return Cleaning(pieces, owner)


def sentences(trajectories: Trajectories) -> list[str]:
    """What was done to the trajectories, a sentence for each step."""
    return [str(facts["says"]) for facts in trajectories.attributes.get(KEY, ())]
