"""The contract of a step of cleaning, as a check."""

from dataclasses import replace

import torch

from dynred.data.clean import clean, cleaned
from dynred.data.cleaning.base import CleaningSpec
from dynred.data.trajectories import Trajectories
from dynred.testing.claims import claims
from dynred.testing.transforms import waves

CLOSE = 0.1  # of the deviation: how near cleaned samples are to those that they came from


def check_cleaning(spec: CleaningSpec, trajectories: Trajectories | None = None) -> None:
    """Checks a step of cleaning by cleaning with it.

    Args:
        spec: its settings.
        trajectories: at least two, of different lengths, without gaps; default: waves.

    Raises:
        AssertionError: the broken contract.
    """
    claim, data = claims(type(spec).__name__), waves(3) if trajectories is None else trajectories
    claim(CleaningSpec.from_dict(spec.to_dict()) == spec, "the settings must survive JSON.")
    before = data.digest()
    result, owner = cleaned(data, [spec])
    claim(data.digest() == before, "the given trajectories must stay as they are.")
    claim(result.digest() == clean(data, [spec]).digest(), "cleaning twice must give the same bit for bit.")
    claim(result.dim == data.dim and result.states.dtype == data.states.dtype, "dimension and dtype must stay.")
    claim(bool(torch.isfinite(result.states).all()), "no sample may be missing afterwards.")
    claim(bool((owner.diff() >= 0).all()), "trajectories must stay in their order.")
    same = all(torch.equal(result.parameters[name], values[owner]) for name, values in data.parameters.items())
    claim(result.parameters.keys() == data.parameters.keys() and same, "parameters must stay with their trajectories.")
    for i, piece in zip(owner.tolist(), result, strict=True):
        own = data[i]
        inside = bool(piece.t[0] >= own.t[0] - 1e-9) and bool(piece.t[-1] <= own.t[-1] + 1e-9)
        claim(inside, "times must lie within those of the trajectory.")
        place = torch.searchsorted(own.t, piece.t.contiguous()).clamp_max(len(own.t) - 1)
        apart = (piece.states - own.states[place]).abs().mean()
        claim(bool(apart <= CLOSE * data.states.std()), "cleaned samples must stay near those that they came from.")
    told = result.attributes.get("cleaning", ())
    claim(all({"kind", "says"} <= set(facts) for facts in told), "what was done must be told in a sentence.")
    if not spec.takes_gaps:
        return
    gappy = data.states.clone()
    gappy[[5, 6, 40], 0] = torch.nan
    mended = clean(replace(data, states=gappy), [spec])
    claim(bool(torch.isfinite(mended.states).all()), "a step that takes gaps must leave none.")
    claim(len(mended.attributes.get("cleaning", ())) == 1, "what was done must be told in a sentence.")
