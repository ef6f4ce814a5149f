"""Cleans trajectories: gaps, uneven times and noise, before anything is learned from them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.arguments import public
from dynred.checks import refuse
from dynred.data.angles import unwrapped
from dynred.data.cleaning.base import CleaningSpec, Samples
from dynred.data.signals import Signal
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
    trajectories = unwrapped(trajectories) if steps else trajectories
    samples, attributes = _samples(trajectories), dict(trajectories.attributes)
    if any(step.takes_gaps for step in steps):
        _check_measured(trajectories)
    for step in steps:
        if not step.takes_gaps:
            _joined(trajectories, samples, attributes).checked_finite()
        if step.takes_velocities and "velocities" not in samples[0].others:
            samples, attributes = _moving(trajectories, samples, attributes)
        result = step.clean(samples)
        samples = list(result.samples)
        if result.sentence:
            facts = {"kind": step.kind(), "says": result.sentence, **result.numbers}
            attributes[KEY] = [*attributes.get(KEY, ()), facts]
    owner = torch.tensor([each.owner for each in samples])
    return Cleaning(_joined(trajectories, samples, attributes).checked_finite(), owner)


def _check_measured(trajectories: Trajectories) -> None:
    """Refuses components that are missing everywhere."""
    never = torch.isnan(trajectories.states).all(0)
    if never.any():
        raise refuse(
            f"component {int(never.to(torch.int).argmax())}",
            "measured somewhere",
            "no value at all",
            "Leave it out (--states).",
        )


def _samples(trajectories: Trajectories) -> list[Samples]:
    samples = []
    for i, part in enumerate(trajectories):
        others = {} if part.velocities is None else {"velocities": part.velocities.double().numpy()}
        samples.append(Samples(part.t.double().numpy(), part.states.double().numpy(), i, others))
    return samples


def _joined(before: Trajectories, samples: Sequence[Samples], attributes: Mapping[str, Any]) -> Trajectories:
    """Samples as trajectories of the dtype and with the parameters of those that they came from."""
    owner = torch.tensor([each.owner for each in samples])
    rows = {"states": [each.x for each in samples]}
    rows |= {name: [each.others[name] for each in samples] for name in samples[0].others}
    columns = {name: torch.from_numpy(np.concatenate(parts)).to(before.states.dtype) for name, parts in rows.items()}
    return replace(
        before,
        states=columns["states"],
        velocities=columns.get("velocities"),
        inputs=None if before.inputs is None else torch.cat([_inputs(before, each) for each in samples]),
        t=torch.from_numpy(np.concatenate([each.t for each in samples])),
        lengths=torch.tensor([len(each.t) for each in samples]),
        parameters={name: values[owner] for name, values in before.parameters.items()},
        attributes=attributes,
    )


def _inputs(before: Trajectories, samples: Samples) -> Float[Tensor, "T U"]:
    """The inputs at the times of samples, held or linear between the snapshots as they are: they are no states, which
    could be smoothed."""
    whole = before[samples.owner]
    elapsed = torch.from_numpy(samples.t) - whole.t[0].double()
    signals = [whole.given[name] for name in whole.input_names]
    return torch.stack([signal.value(elapsed[None])[0] for signal in signals if isinstance(signal, Signal)], 1)


def _moving(
    before: Trajectories, samples: Sequence[Samples], attributes: Mapping[str, Any]
) -> tuple[list[Samples], dict[str, Any]]:
    """Samples with velocities estimated from those that were measured, and the attributes that tell of them."""
    measured = [~np.isnan(each.x) if each.measured is None else each.measured for each in samples]
    some = None if all(mask.all() for mask in measured) else torch.from_numpy(np.concatenate(measured))
    moving = estimate_velocities(_joined(before, samples, attributes), measured=some)
    assert moving.velocities is not None
    parts = moving.velocities.double().split(moving.lengths.tolist())
    named = [{**each.others, "velocities": part.numpy()} for each, part in zip(samples, parts, strict=True)]
    return [replace(each, others=o) for each, o in zip(samples, named, strict=True)], dict(moving.attributes)


def sentences(trajectories: Trajectories) -> list[str]:
    """What was done to the trajectories, a sentence for each step."""
    return [str(facts["says"]) for facts in trajectories.attributes.get(KEY, ())]
