"""What `ReducerSpec.fit` gives to a plug-in, and what it refuses."""

import dataclasses

import pytest
import torch

from dynred import plugins
from dynred.errors import InputError
from dynred.reducers.base import ReducerSpec
from dynred.reducers.identity import IdentitySpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.testing.samples import curves, spirals

REDUCERS = [plugins.load_class("dynred.reducers", name, ReducerSpec) for name in plugins.names("dynred.reducers")]


@dataclasses.dataclass(frozen=True)
class KeepingSpec(PODSpec):
    """POD that keeps the stream and the runtime that it was fitted with."""

    def _fit(self, train, validation, *, rng, runtime):
        fitted = super()._fit(train, validation, rng=rng, runtime=runtime)
        fitted.given = rng, runtime
        return fitted


def test_fit_supplies_the_runtime_and_hands_the_stream_on():
    rng = generator(0)
    assert KeepingSpec(2).fit(curves(6), curves(6), rng=rng).given == (rng, Runtime())


@pytest.mark.parametrize("spec", REDUCERS, ids=lambda spec: spec.__name__)
def test_every_spec_has_the_fit_of_the_base_and_one_that_it_defines(spec):
    assert spec.fit is ReducerSpec.fit
    assert "_fit" in vars(spec)


@pytest.mark.parametrize("spec", REDUCERS, ids=lambda spec: spec.__name__)
def test_wrong_arguments_are_refused_before_anything_is_fitted(spec):
    good, rng = curves(6), generator(0)
    still = dataclasses.replace(good, states=torch.ones_like(good.states))
    hole = dataclasses.replace(good, states=torch.where(good.states > 0.9, torch.inf, good.states))
    calls = [
        (2, (3, good), {"rng": rng}, "train must be of class Trajectories, got 3"),
        (2, (good, spirals()), {"rng": rng}, "validation must be of 6 dimensions, like train, got 2"),
        (2, (hole, good), {"rng": rng}, "train must be finite, got inf in trajectory"),
        (2, (good, good), {"rng": None}, "rng must be a torch.Generator, got None"),
        (2, (good, good), {"rng": rng, "runtime": 3}, "runtime must be of class Runtime or None, got 3"),
        (6, (good, good), {"rng": rng}, "latent_dim must be less than the state dimension 6, got 6"),
        (2, (still, good), {"rng": rng}, "train must be snapshots that differ"),
    ]
    if spec is IdentitySpec:  # it keeps all coordinates, and anything
        calls[-2:] = [
            (2, (good, good), {"rng": rng}, "latent_dim must be the state dimension 6 for the identity, got 2")
        ]
    for latent_dim, arguments, named, message in calls:
        with pytest.raises(InputError, match=message):
            spec(latent_dim).fit(*arguments, **named)


def test_a_plugin_that_defines_fit_is_told_to_define_the_other():
    message = r"MineSpec must define `_fit`, got `fit`, which is final.*calls `_fit`; see `ReducerSpec._fit`"
    with pytest.raises(InputError, match=message):

        class MineSpec(PODSpec):
            def fit(self, train, validation, *, rng, runtime=None): ...
