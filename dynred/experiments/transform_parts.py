"""Transforms of the data of a reduction: fitted to the training part alone, applied to every part."""

from collections.abc import Sequence
from dataclasses import replace

from dynred.data.angles import KEY as ANGLES
from dynred.data.split import Parts
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.angles import AnglesSpec
from dynred.data.transforms.base import Chain, Transform, TransformSpec
from dynred.data.transforms.scaling import ScalingSpec
from dynred.data.transforms.weights import WeightsSpec
from dynred.data.variables import named_variables
from dynred.models.base import Model


def fit_chain(specs: Sequence[TransformSpec], train: Trajectories, made: Transform | None = None) -> Chain | None:
    """The transforms of training trajectories, one after the other; those that change nothing are left out.

    Angles that the data declare become cosines and sines first. Where none of them scales, variables that the data name
    are scaled if their spreads differ by more than 30 times; where none weighs, points of a grid that is not uniform
    have the weights of its quadrature.

    Args:
        specs: their settings.
        train: the trajectories.
        made: what has made the trajectories; it comes before all.

    Returns:
        None where nothing is changed.

    Raises:
        InputError: settings do not fit the trajectories.
    """
    scales = any(isinstance(spec, ScalingSpec) for spec in specs)
    parts: list[Transform] = []
    moved = train
    steps = tuple(specs) if any(isinstance(spec, WeightsSpec) for spec in specs) else (WeightsSpec("auto"), *specs)
    steps = steps if scales else (ScalingSpec("auto"), *steps)
    if train.attributes.get(ANGLES) and not any(isinstance(spec, AnglesSpec) for spec in specs):
        steps = (AnglesSpec(), *steps)
    for spec in sorted(steps, key=lambda step: not isinstance(step, AnglesSpec)):  # before their units are changed
        part = spec.fit(moved)
        if part.changes:
            parts.append(part)
            moved = part.transformed(moved)
    if made is not None:
        parts.insert(0, made)
    return Chain(parts, named_variables(train.attributes, train.dim)) if parts else None


def prepared(model: Model, parts: Parts) -> Parts:
    """The parts of the data as the states of `model.core`."""
    if not model.transforms:
        return parts
    train, validation, test = (model.prepared(part) for part in parts)
    held_out = parts.held_out
    if held_out.largest:
        # The largest |x| of trajectories of which the test holds a part alone: transformed, it is taken to be as many
        # times that of the test.
        own, moved = parts.test.states.double(), model.present(test).states
        factor = float(moved.norm(dim=1).max()) / max(float(own.norm(dim=1).max()), 1e-300)
        held_out = replace(held_out, largest=tuple(factor * value for value in held_out.largest))
    lost = () if model.past == 1 else (_lost(model.past),)
    return Parts(train, validation, test, held_out, (*parts.notes, *lost))


def _lost(past: int) -> str:
    snapshots = "snapshot has" if past == 2 else f"{past - 1} snapshots have"
    return f"The first {snapshots} no past in every trajectory, and are left out."
