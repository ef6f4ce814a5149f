"""What `DynamicsSpec.fit` gives to a plug-in, and what it refuses."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from dynred import plugins
from dynred.data.trajectories import Trajectories
from dynred.dynamics.base import DynamicsSpec, LatentData
from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.numerics.latent_space import LatentSpace
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.testing.samples import spirals

DYNAMICS = [plugins.load_class("dynred.dynamics", name, DynamicsSpec) for name in plugins.names("dynred.dynamics")]
ANGLE = LatentSpace(angles=1, lines=1)


@dataclasses.dataclass(frozen=True)
class KeepingSpec(LinearSpec):
    """Linear dynamics that keep, as an attribute, the data that they were fitted to."""

    def _fit(self, data):
        fitted = super()._fit(data)
        fitted.data = data
        return fitted.requires_grad_(True)


def growing_turns(begin):
    """An angle that turns at the rate 1 + t / 2 and a radius exp(t / 5), from `begin` on; velocities are exact."""
    t = torch.linspace(0, 2, 401, dtype=torch.float64)
    start = torch.tensor(begin, dtype=torch.float64)[:, None]
    angle, radius = start + t + t**2 / 4, torch.exp(t / 5) * (1 + start)
    rates = torch.stack([(1 + t / 2).expand_as(angle), radius / 5], -1)
    return Trajectories.from_stacked(torch.stack([angle, radius], -1), t, rates)


def data_of(latents, validation, space):
    return LatentData(latents, validation, space, generator(0), Runtime())


@pytest.fixture(scope="module")
def turning():
    return data_of(growing_turns([0.0, 0.4, 1.1]), growing_turns([0.7]), ANGLE)


def parts(data):
    return (data.latents, data.regression), (data.validation, data.validation_regression)


def test_regression_is_what_numpy_makes_of_the_formulas(turning):
    z, v = turning.latents.states.numpy(), turning.latents.velocities.numpy()
    mean, spread, rate = z[:, 1].mean(), z[:, 1].std(ddof=1), np.sqrt((v**2).mean(0))
    for part, (features, velocities) in parts(turning):
        angle, radius = part.states.numpy().T
        expected = np.stack([np.cos(angle), np.sin(angle), (radius - mean) / spread], -1)
        assert np.allclose(features.numpy(), expected, rtol=0, atol=1e-13)
        assert np.allclose(velocities.numpy(), part.velocities.numpy() / rate, rtol=1e-13, atol=0)


def test_regression_velocities_are_the_slopes_of_the_features_along_the_trajectories(turning):
    units = turning.units()
    for part, (features, velocities) in parts(turning):
        step = float(part.t[1] - part.t[0])
        cosine, sine, line = features[:401].T  # of the first trajectory; the velocities are compared within it
        slope = (features[2:401] - features[:399]) / (2 * step)
        turn = cosine[1:400] * slope[:, 1] - sine[1:400] * slope[:, 0]
        rates = torch.stack([turn, slope[:, 2] * units.spread[1]], -1) / units.rate
        assert torch.allclose(rates, velocities[1:400], rtol=1e-4, atol=1e-4)
        assert line.abs().max() < 4


def test_regression_is_in_units_of_the_latents_and_in_float64():
    latents, validation = spirals()[:5], spirals()[5:]
    data = data_of(latents, validation, LatentSpace(lines=2))
    features, velocities = data.regression
    assert torch.allclose(features.mean(0), torch.zeros(2, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(features.std(0), torch.ones(2, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(velocities.pow(2).mean(0), torch.ones(2, dtype=torch.float64), atol=1e-12)
    other = data_of(latents, latents, LatentSpace(lines=2))
    assert all(torch.equal(a, b) for a, b in zip(other.validation_regression, data.regression, strict=True))
    short = dataclasses.replace(latents, states=latents.states.float(), velocities=latents.velocities.float())
    known = data_of(short, validation, LatentSpace(lines=2)).regression
    assert [part.dtype for part in known] == [torch.float64, torch.float64]


def test_units_are_a_module_of_their_own_each_time(turning):
    turning.units().spread.fill_(math.nan)
    assert turning.units().spread.isfinite().all()
    assert (turning.units(centred=False).shift == 0).all()


def test_changed_data_have_other_regressions(turning):
    before = turning.regression[0]
    moved = turning.changed(lambda part: dataclasses.replace(part, states=2 * part.states), LatentSpace(lines=2))
    assert moved.regression[0].shape == (len(before), 2)
    assert turning.regression[0] is before
    assert (moved.rng, moved.runtime) == (turning.rng, turning.runtime)


def test_fit_supplies_the_latent_space_and_the_runtime_and_takes_gradients_away():
    rng = generator(0)
    fitted = KeepingSpec().fit(spirals()[:5], spirals()[5:], rng=rng)
    assert fitted.data.latent_space == LatentSpace(lines=2)
    assert fitted.data.runtime == Runtime()
    assert fitted.data.rng is rng
    assert not any(weight.requires_grad for weight in fitted.parameters())


@pytest.mark.parametrize("spec", DYNAMICS, ids=lambda spec: spec.__name__)
def test_every_spec_has_the_fit_of_the_base_and_one_that_it_defines(spec):
    assert spec.fit is DynamicsSpec.fit
    assert "_fit" in vars(spec)


@pytest.mark.parametrize("spec", DYNAMICS, ids=lambda spec: spec.__name__)
def test_wrong_arguments_are_refused_before_anything_is_fitted(spec):
    good, rng = spirals(), generator(0)
    hole = dataclasses.replace(good, states=torch.where(good.states > 1, torch.nan, good.states))
    wide = Trajectories.from_stacked(torch.zeros(2, 3, 5), torch.arange(3.0))
    calls = [
        ((3, good), {"rng": rng}, "latents must be of class Trajectories, got 3"),
        ((good, None), {"rng": rng}, "validation must be of class Trajectories, got None"),
        ((good, hole), {"rng": rng}, "validation must be finite, got nan in trajectory"),
        ((good, wide), {"rng": rng}, "validation must be of 2 dimensions, like latents, got 5"),
        ((good, good), {"rng": 3}, "rng must be a torch.Generator, got 3"),
        ((good, good), {"rng": rng, "latent_space": 3}, "latent_space must be of class LatentSpace or None, got 3"),
        ((good, good), {"rng": rng, "runtime": 3}, "runtime must be of class Runtime or None, got 3"),
    ]
    for arguments, named, message in calls:
        with pytest.raises(InputError, match=message):
            spec().fit(*arguments, **named)


@pytest.mark.parametrize("lacking", ["latents", "validation"])
def test_a_part_without_velocities_is_refused_by_its_name(turning, lacking):
    bare = dataclasses.replace(turning, **{lacking: dataclasses.replace(getattr(turning, lacking), velocities=None)})
    with pytest.raises(InputError, match=f"^{lacking} must be trajectories with velocities, got none"):
        bare.regression, bare.validation_regression  # noqa: B018
    with pytest.raises(InputError, match=f"^{lacking} must be trajectories with velocities, got none"):
        bare.changed(lambda part: part)


def test_a_plugin_that_defines_fit_is_told_to_define_the_other():
    message = r"MineSpec must define `_fit`, got `fit`, which is final.*calls `_fit`; see `DynamicsSpec._fit`"
    with pytest.raises(InputError, match=message):

        class MineSpec(LinearSpec):
            def fit(self, latents, validation, *, rng, latent_space=None, runtime=None): ...


def test_fit_cannot_come_in_from_beside_either():
    class Beside:
        def fit(self, latents, validation, *, rng, latent_space=None, runtime=None): ...

    with pytest.raises(InputError, match="MineSpec must define `_fit`, got `fit`, which is final"):

        class MineSpec(Beside, LinearSpec): ...


def test_a_file_with_an_old_plugin_is_refused_in_one_sentence(tmp_path):
    text = "from dynred.dynamics.linear import LinearSpec\nclass MineSpec(LinearSpec):\n    def fit(self): ...\n"
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(InputError, match="MineSpec must define `_fit`, got `fit`, which is final"):
        plugins.load_class("dynred.dynamics", str(tmp_path / "mine.py"), DynamicsSpec)
