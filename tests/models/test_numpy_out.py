"""NumPy in gives NumPy out, tensors in give tensors."""

import numpy as np
import pytest
import torch

from dynred.dynamics.linear import LinearSpec
from dynred.models.atlas import AtlasSpec
from dynred.models.partition import PartitionSpec
from dynred.models.reduced import ReducedSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator


@pytest.fixture(scope="module", params=["plain", "atlas"])
def model(request, circle):
    spec = ReducedSpec(PODSpec(1), LinearSpec())
    if request.param == "atlas":
        spec = AtlasSpec.of(PartitionSpec(2), PODSpec(1), LinearSpec())
    model = spec.fit_coordinates(circle, circle, rng=generator(0))
    return spec.fit_dynamics(model, circle, circle, rng=generator(0))


@pytest.mark.parametrize("name", ["encode", "decode", "reconstruct", "rhs"])
def test_arrays_are_answered_in_kind(model, circle, name):
    if name == "rhs" and type(model).__name__ == "AtlasModel":
        pytest.skip("an atlas has no single vector field")
    x = circle.states[:3]
    z = model.encode(x)
    given = {"encode": (x,), "decode": (z,), "reconstruct": (x,), "rhs": (0.0, z)}[name]
    tensor = getattr(model, name)(*given)
    array = getattr(model, name)(*(part.numpy() if isinstance(part, torch.Tensor) else part for part in given))
    assert isinstance(tensor, torch.Tensor)
    assert isinstance(array, np.ndarray)
    assert np.array_equal(array, tensor.detach().numpy())


def test_a_prediction_holds_tensors_whatever_it_starts_from(model, circle):
    t = np.linspace(0, 1, 5)
    for x0 in (circle.initial, circle.initial.numpy()):
        prediction = model.predict(x0, t)
        assert isinstance(prediction.states, torch.Tensor)
        assert prediction.stacked().numpy().shape == (len(circle), 5, 2)
