import dataclasses
import sys

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics.sindy import SindySpec
from dynred.errors import InputError, MissingExtraError
from dynred.models.load import load_model
from dynred.models.reduced import ReducedModel
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

MU, OMEGA, SHEAR = 1.0, 1.0, 0.5
NOW = torch.zeros((), dtype=torch.float64)


@pytest.fixture(scope="module")
def lorenz():
    times = torch.arange(0, 1.2, 0.02, dtype=torch.float64)
    return simulate(find_system("lorenz63"), 12, times, rng=generator(0, "lorenz"), transient=5.0)


def test_the_equations_of_lorenz_are_found_with_no_other_term(lorenz):
    found = SindySpec(thresholds=(1e-3, 1e-2, 3e-2)).fit(lorenz[:9], lorenz[9:], rng=generator(0))
    assert found.equations() == [
        "z1' = -10 z1 + 10 z2",
        "z2' = 28 z1 - 1 z2 - 1 z1 z3",
        "z3' = -2.667 z3 + 1 z1 z2",
    ]
    assert int((found.coefficients != 0).sum()) == 7


def test_trajectories_of_any_lengths_and_times_are_taken():
    times = [torch.sort(torch.rand(n, generator=generator(n), dtype=torch.float64) * 5).values for n in range(20, 28)]
    ragged = simulate(find_system("stuart_landau"), times=times, rng=generator(0), transient=0.0)
    found = SindySpec(thresholds=(1e-2,)).fit(ragged[:6], ragged[6:], rng=generator(0))
    assert found.equations()[0] == "z1' = 1 z1 - 1 z2 - 1 z1^3 - 1 z1 z2^2"


@pytest.fixture(scope="module")
def lifted():
    """Stuart-Landau with shear, lifted into 12 dimensions: on the slow manifold, not yet on the cycle. On the cycle
    alone |z|^2 is constant, and no data could tell the cubic terms from the linear ones."""
    system = find_system("graph_lift", base=find_system("stuart_landau", mu=MU, omega=OMEGA), dim=12, rate=50.0)
    times = torch.linspace(0, 6, 121, dtype=torch.float64)
    parameters = {"shear": SHEAR}
    return simulate(system, 64, times, rng=generator(0, "lifted"), transient=0.3, parameters=parameters)


def test_units_of_the_latents_do_not_change_what_is_found(lorenz):
    unit = torch.tensor([1e-3, 1.0, 1e4], dtype=torch.float64)
    scaled = lorenz.map(lambda x: x * unit)
    one, other = (SindySpec(thresholds=(1e-2,)).fit(d[:9], d[9:], rng=generator(0)) for d in (lorenz, scaled))
    assert torch.equal(one.coefficients != 0, other.coefficients != 0)
    assert torch.allclose(one.field(NOW, lorenz.states) * unit, other.field(NOW, scaled.states), rtol=1e-6, atol=1e-9)


def test_a_saved_model_is_rolled_out_without_pysindy(lifted, tmp_path, monkeypatch):
    reducer = PODSpec(2).fit(lifted[:48], lifted[48:], rng=generator(0))
    dynamics = SindySpec(thresholds=(1e-2,)).fit(
        lifted[:48].map(reducer.encode), lifted[48:].map(reducer.encode), rng=generator(0)
    )
    model = ReducedModel(reducer, dynamics)
    model.save(tmp_path / "m.safetensors")
    monkeypatch.setitem(sys.modules, "pysindy", None)  # importing it fails from here on
    t = torch.linspace(0, 3, 7, dtype=torch.float64)
    again = load_model(tmp_path / "m.safetensors")
    assert torch.equal(again.predict(lifted.initial, t).states, model.predict(lifted.initial, t).states)
    assert again.notes() == dynamics.equations()


def test_without_pysindy_fitting_names_the_command_that_brings_it(lorenz, monkeypatch):
    monkeypatch.setitem(sys.modules, "pysindy", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dynred\[baselines\]'"):
        SindySpec().fit(lorenz, lorenz, rng=generator(0))


def test_a_threshold_that_drops_what_matters_loses_to_one_that_does_not(lorenz):
    found = SindySpec(thresholds=(1e-2, 10.0)).fit(lorenz[:9], lorenz[9:], rng=generator(0))
    assert float(found.threshold) == 1e-2


def test_latents_without_velocities_are_refused(lorenz):
    still = dataclasses.replace(lorenz, velocities=None)
    with pytest.raises(InputError, match="latents must be trajectories with velocities"):
        SindySpec().fit(still, lorenz, rng=generator(0))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("degree", 0, "degree must be an integer >= 1"),
        ("thresholds", (), "thresholds must be one or more"),
        ("thresholds", (0.1, -1.0), "thresholds must be a finite number > 0"),
        ("ridge", 0.0, "ridge must be a finite number > 0"),
        ("slack", -1.0, "slack must be a finite number > 0"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(field, value, message):
    with pytest.raises(InputError, match=message):
        SindySpec(**{field: value})


def test_angles_enter_by_cosine_and_sine():
    # theta' = 1 + 0.5 cos(theta)
    t = torch.linspace(0, 3, 61, dtype=torch.float64)
    angle = torch.linspace(-3, 3, 240, dtype=torch.float64).reshape(4, 60)[..., None]
    data = Trajectories.from_stacked(angle, t[:60], 1 + 0.5 * torch.cos(angle))
    found = SindySpec(degree=1).fit(data, data, rng=generator(0), latent_space=LatentSpace(angles=1, lines=0))
    assert found.equations() == ["z1' = 1 + 0.5 cos z1"]
