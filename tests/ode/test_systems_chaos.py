import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.explicit import Explicit

ZERO = torch.tensor(0.0, dtype=torch.float64)
TIGHT = Explicit("dopri8", rtol=1e-11, atol=1e-12)


def states(dim, n=20, seed=0, size=1.0):
    return size * torch.randn(n, dim, generator=generator(seed, "test"), dtype=torch.float64)


def jacobians(field, x):
    assert field.differentiable  # asked first: a field finds its form on random states, which vmap does not allow
    return torch.func.vmap(torch.func.jacrev(lambda y: field(ZERO, y)))(x)


def times(end, n=11):
    return torch.linspace(0, end, n, dtype=torch.float64)


ALL = [
    ("rossler", {}),
    ("lorenz96", {}),
    ("lorenz96", {"dim": 5}),
    ("moehlis_faisst_eckhardt", {}),
    ("double_well", {}),
    ("torus_flow", {}),
    ("torus_flow", {"dim": 7}),
    ("linked_circles", {}),
    ("linked_circles", {"dim": 6}),
]
KNOWN = [entry for entry in ALL if entry[0] in ("double_well", "torus_flow", "linked_circles")]


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_the_field_is_torchs_batched_and_differentiable(name, arguments):
    system = find_system(name, **arguments)
    assert system.right_hand_side.form == "torch"
    assert system.right_hand_side.differentiable
    assert system.right_hand_side.timewise


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_a_parameter_of_each_trajectory_acts_on_it_alone(name, arguments):
    system = find_system(name, **arguments)
    x = system.initial(3, generator(1))
    key, value = next(iter(system.parameters.items()))
    values = value * torch.tensor([0.8, 1.0, 1.1], dtype=torch.float64)
    together = simulate(
        system, rng=generator(0), initial=x, times=times(2.0, 3), parameters={key: values}, solver=TIGHT
    )
    for i, one in enumerate(values):
        alone = simulate(
            system, rng=generator(0), initial=x[i : i + 1], times=times(2.0, 3), parameters={key: one}, solver=TIGHT
        )
        assert torch.allclose(together[i : i + 1].states, alone.states, atol=1e-6)
    assert (together.stacked()[1, -1] - together.stacked()[0, -1]).abs().max() > 1e-3


@pytest.mark.parametrize(("name", "arguments"), KNOWN)
def test_the_sampled_set_is_invariant_and_at_distance_zero(name, arguments):
    system = find_system(name, **arguments)
    x = system.known.sample(50, generator(2))
    moved = simulate(system, rng=generator(0), initial=x, times=times(10.0), solver=TIGHT).states
    assert system.known.distance(x).max() < 1e-14
    assert system.known.distance(moved).max() < 1e-8


@pytest.mark.parametrize(("name", "arguments"), KNOWN)
def test_the_distance_is_that_to_the_nearest_of_dense_samples(name, arguments):
    system = find_system(name, **arguments)
    x = system.known.sample(50, generator(4)) + states(system.dim, 50, size=0.1)
    dense = system.known.sample(20_000, generator(5))
    nearest = torch.cdist(x, dense).min(1).values
    assert (nearest - system.known.distance(x)).min() > -1e-9
    assert (nearest - system.known.distance(x)).max() < 2e-2


@pytest.mark.parametrize(("name", "arguments"), [entry for entry in KNOWN if entry[0] != "double_well"])
def test_after_the_transient_states_are_on_the_known_set(name, arguments):
    system = find_system(name, **arguments)
    found = simulate(system, 30, times(1.0, 2), rng=generator(3))
    assert system.known.distance(found.states).max() < 1e-6


# -- Roessler ----------------------------------------------------------------------------------------------------------


def test_roessler_has_its_two_equilibria_and_its_divergence():
    field = find_system("rossler").at()
    root = math.sqrt(5.7**2 - 4 * 0.04)
    x = torch.tensor([(5.7 + root) / 2, (5.7 - root) / 2], dtype=torch.float64)
    equilibria = torch.stack([x, -x / 0.2, x / 0.2], -1)
    assert field(ZERO, equilibria).abs().max() < 1e-12
    x = states(3, size=5.0)
    traces = jacobians(field, x).diagonal(dim1=1, dim2=2).sum(-1)
    assert torch.allclose(traces, 0.2 - 5.7 + x[:, 0], atol=1e-12)


def test_roessler_stays_bounded_from_every_initial_state():
    found = simulate(
        find_system("rossler"),
        50,
        times(100.0, 201),
        rng=generator(0),
        transient=0,
        solver=Explicit(rtol=1e-4, atol=1e-4),
    )
    assert found.states.abs().max() < 50


# -- Lorenz 1996 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [4, 5, 40])
def test_lorenz96_advection_conserves_energy_and_volume_shrinks_at_dim(dim):
    field = find_system("lorenz96", dim=dim).at({"forcing": 3.0})
    x = states(dim)
    advection = field(ZERO, x) + x - 3.0
    assert (x * advection).sum(-1).abs().max() < 1e-12 * x.pow(2).sum()
    assert torch.allclose(jacobians(field, x).diagonal(dim1=1, dim2=2).sum(-1), torch.tensor(-float(dim)).double())


def test_lorenz96_commutes_with_shifts_and_rests_at_the_forcing():
    field = find_system("lorenz96").at()
    x = states(40)
    assert torch.equal(field(ZERO, x.roll(3, -1)), field(ZERO, x).roll(3, -1))
    assert field(ZERO, torch.full((40,), 8.0, dtype=torch.float64)).abs().max() == 0


def test_lorenz96_is_the_formula_index_by_index():
    x = states(6, 1)[0]
    formula = [(x[(i + 1) % 6] - x[i - 2]) * x[i - 1] - x[i] + 8.0 for i in range(6)]
    assert torch.allclose(find_system("lorenz96", dim=6).at()(ZERO, x), torch.stack(formula), atol=1e-13)


def test_lorenz96_needs_four_sites():
    with pytest.raises(InputError, match=r"dim must be an integer >= 4, got 3"):
        find_system("lorenz96", dim=3)


# -- nine-mode shear flow ----------------------------------------------------------------------------------------------

BOXES = [(4 * math.pi, 2 * math.pi), (1.75 * math.pi, 1.2 * math.pi)]


@pytest.mark.parametrize("box", BOXES)
def test_nine_modes_conserve_energy_without_viscosity(box):
    field = find_system("moehlis_faisst_eckhardt", length_x=box[0], length_z=box[1]).at({"reynolds": 1e300})
    x = states(9)
    assert (x * field(ZERO, x)).sum(-1).abs().max() < 1e-13


@pytest.mark.parametrize("box", BOXES)
def test_nine_mode_equations_are_the_galerkin_projection_of_navier_stokes(box):
    system = find_system("moehlis_faisst_eckhardt", length_x=box[0], length_z=box[1])
    fields, gradients, weights = nine_modes(*box)
    volume = 2 * box[0] * box[1]
    gram = torch.einsum("kip,lip,p->kl", fields, fields, weights) / volume
    assert torch.allclose(gram, torch.eye(9, dtype=torch.float64), atol=1e-12)
    divergence = gradients.diagonal(dim1=1, dim2=2).sum(-1)
    assert divergence.abs().max() < 1e-12
    x = states(9, 3, size=0.5)
    u, du = torch.einsum("nk,kip->nip", x, fields), torch.einsum("nk,kijp->nijp", x, gradients)
    advection = -torch.einsum("njp,nijp,kip,p->nk", u, du, fields, weights) / volume
    # Weak form of the viscous term: free-slip walls leave no boundary term.
    deviation = du - gradients[0]
    viscous = -torch.einsum("nijp,kijp,p->nk", deviation, gradients, weights) / volume
    found = system.at({"reynolds": 150.0})(ZERO, x)
    assert torch.allclose(found, advection + viscous / 150.0, atol=1e-12)


def nine_modes(length_x, length_z):
    """The modes of Moehlis, Faisst & Eckhardt, eqs. 7-15: values [9, 3, p], gradients [9, 3, 3, p], weights [p]."""
    a, b, g = 2 * math.pi / length_x, math.pi / 2, 2 * math.pi / length_z
    nodes, w = np.polynomial.legendre.leggauss(32)
    y = torch.from_numpy(nodes)
    x, z = (length * torch.arange(12).double() / 12 for length in (length_x, length_z))
    points = torch.cartesian_prod(x, y, z)
    weights = torch.from_numpy(w).repeat_interleave(12).repeat(12) * length_x * length_z / 144

    def modes(point):
        x, y, z = point
        sx, cx, sy, cy, sz, cz = (f(v) for v in (a * x, b * y, g * z) for f in (torch.sin, torch.cos))
        o = 0 * x
        n3, n6, n7 = (
            2 / math.hypot(2 * g, math.pi),
            4 * math.sqrt(2 / 3) / math.hypot(a, g),
            math.sqrt(8) / math.hypot(a, g),
        )
        n8 = math.sqrt(8) / math.sqrt((a**2 + g**2) * (4 * a**2 + 4 * g**2 + math.pi**2))
        return torch.stack(
            [
                torch.stack([math.sqrt(2) * sy, o, o]),
                torch.stack([4 / math.sqrt(3) * cy**2 * cz, o, o]),
                n3 * torch.stack([o, 2 * g * cy * cz, math.pi * sy * sz]),
                torch.stack([o, o, 4 / math.sqrt(3) * cx * cy**2]),
                torch.stack([o, o, 2 * sx * sy]),
                n6 * torch.stack([-g * cx * cy**2 * sz, o, a * sx * cy**2 * cz]),
                n7 * torch.stack([g * sx * sy * sz, o, a * cx * sy * cz]),
                n8
                * torch.stack(
                    [math.pi * a * sx * sy * sz, 2 * (a**2 + g**2) * cx * cy * sz, -math.pi * g * cx * sy * cz]
                ),
                torch.stack([math.sqrt(2) * torch.sin(3 * b * y), o, o]),
            ]
        )

    values = torch.func.vmap(modes)(points)
    gradients = torch.func.vmap(torch.func.jacrev(modes))(points)
    return values.movedim(0, -1), gradients.movedim(0, -1), weights


def test_nine_mode_laminar_flow_rests_and_is_linearly_stable():
    system = find_system("moehlis_faisst_eckhardt")
    laminar = torch.eye(9, dtype=torch.float64)[0]
    for reynolds in (100.0, 400.0, 1e4):
        field = system.at({"reynolds": reynolds})
        assert field(ZERO, laminar).abs().max() == 0
        assert torch.linalg.eigvals(jacobians(field, laminar[None])).real.max() < 0


def test_nine_modes_commute_with_shifts_by_half_a_box():
    field = find_system("moehlis_faisst_eckhardt").at()
    x = states(9)
    along = torch.tensor([1, 1, 1, -1, -1, -1, -1, -1, 1]).double()
    across = torch.tensor([1, -1, -1, 1, 1, -1, -1, -1, 1]).double()
    for flip in (along, across):
        assert torch.allclose(field(ZERO, flip * x), flip * field(ZERO, x), atol=1e-14)


def test_nine_modes_start_turbulent():
    found = simulate(find_system("moehlis_faisst_eckhardt"), 50, times(100.0, 3), rng=generator(1))
    laminar = torch.eye(9, dtype=torch.float64)[0]
    far = torch.linalg.vector_norm(found.stacked()[:, -1] - laminar, dim=-1) > 0.5
    assert far.double().mean() > 0.9


def test_nine_modes_refuse_a_reynolds_number_that_is_not_positive():
    with pytest.raises(InputError, match=r"reynolds must be > 0, got -1\."):
        simulate(find_system("moehlis_faisst_eckhardt"), 2, times(1.0), rng=generator(0), parameters={"reynolds": -1.0})


# -- double well -------------------------------------------------------------------------------------------------------


def test_double_well_loses_energy_at_the_rate_of_its_damping():
    system = find_system("double_well")
    x = states(2)
    q, v = x.unbind(-1)
    gradient = torch.stack([q**3 - q, v], -1)
    assert torch.allclose((gradient * system.at()(ZERO, x)).sum(-1), -0.1 * v**2, atol=1e-12)


def test_double_well_has_the_eigenvalues_of_the_spectral_submanifold_test():
    values = torch.linalg.eigvals(jacobians(find_system("double_well").at(), torch.tensor([[1.0, 0.0]]).double()))
    assert values.real.flatten().tolist() == pytest.approx([-0.05, -0.05])
    assert values.imag.abs().flatten().tolist() == pytest.approx([1.41332940] * 2, abs=1e-8)


def test_double_well_fills_both_wells_and_nothing_else():
    system = find_system("double_well")
    found = simulate(system, 60, times(400.0, 3), rng=generator(0)).stacked()[:, -1]
    assert system.known.distance(found).max() < 1e-6
    assert 10 < int((found[:, 0] > 0).sum()) < 50


def test_double_well_refuses_an_antidamping_default():
    with pytest.raises(InputError, match=r"damping must be a finite number > 0, got -0\.1"):
        find_system("double_well", damping=-0.1)


# -- torus -------------------------------------------------------------------------------------------------------------


def test_torus_trajectories_are_the_closed_solution():
    system = find_system("torus_flow", minor=0.5, rate=1.3)
    x = system.initial(5, generator(0))
    t = times(4.0)
    found = simulate(system, rng=generator(0), initial=x, times=t, solver=TIGHT).stacked().unflatten(-1, (2, 2))
    start = torch.linalg.vector_norm(x.unflatten(-1, (2, 2)), dim=-1)[:, None]
    radii = torch.tensor([1.0, 0.5], dtype=torch.float64)
    # r' = (k / 2)(1 - r^2 / R^2) r is a Bernoulli equation: 1/r^2 relaxes to 1/R^2 at the rate k.
    modulus = (1 / radii**2 + (1 / start**2 - 1 / radii**2) * torch.exp(-1.3 * t)[None, :, None]).rsqrt()
    assert torch.allclose(torch.linalg.vector_norm(found, dim=-1), modulus, atol=1e-9)
    omega = torch.tensor([1.0, (1 + math.sqrt(5)) / 2], dtype=torch.float64)
    z = torch.view_as_complex(found.contiguous())
    assert torch.allclose(
        z / z.abs(), z[:, :1] / z[:, :1].abs() * torch.polar(torch.ones(11, 2).double(), t[:, None] * omega)
    )


def test_torus_in_more_dimensions_is_isometric_and_its_normal_exponents_are_the_rate():
    system = find_system("torus_flow", dim=6, rate=2.0)
    x = system.known.sample(400, generator(0))
    assert torch.linalg.matrix_rank(x) == 4
    assert torch.allclose(torch.linalg.vector_norm(x, dim=-1), torch.tensor(math.sqrt(1.25)).double())
    values = torch.linalg.eigvals(jacobians(system.at({"omega_1": 0.0, "omega_2": 0.0}), x[:3]))
    assert torch.allclose(values.real.sort().values, torch.tensor([-2.0] * 4 + [0.0] * 2).double(), atol=1e-12)


# -- linked circles ----------------------------------------------------------------------------------------------------


def test_each_linked_circle_is_passed_uniformly_once_a_period():
    system = find_system("linked_circles")
    s = times(2 * math.pi, 9)[:-1]
    first = torch.stack([torch.cos(s), torch.sin(s), 0 * s], -1)
    second = torch.stack([1 + torch.cos(s), 0 * s, torch.sin(s)], -1)
    for circle in (first, second):
        assert torch.allclose(torch.linalg.vector_norm(system.at()(ZERO, circle), dim=-1), torch.ones(8).double())
        t = times(2 * math.pi, 3)
        found = simulate(system, rng=generator(0), initial=circle, times=t, solver=TIGHT).stacked()
        assert torch.allclose(found[:, -1], circle, atol=1e-8)
        assert (found[:, 1] - circle).abs().max() > 1.9


def test_states_near_linked_circles_approach_at_the_stated_rate():
    system = find_system("linked_circles", rate=0.5)
    x = system.known.sample(40, generator(0)) + 1e-5 * states(3, 40)
    period = torch.tensor([0.0, 2 * math.pi], dtype=torch.float64)
    found = simulate(system, rng=generator(0), initial=x, times=period, solver=TIGHT).stacked()
    decay = torch.log(lyapunov_function(found[:, 1]) / lyapunov_function(found[:, 0]))
    # V is quadratic in the distance to K, with a factor that returns after each period.
    assert torch.allclose(decay, torch.tensor(-2 * 0.5 * 2 * math.pi).double(), rtol=1e-3)


def test_linked_circles_lyapunov_function_falls_everywhere_but_at_equilibria():
    system = find_system("linked_circles")
    x = states(3, 2000, size=2.0)
    slope = torch.func.vmap(torch.func.grad(lyapunov_function))(x)
    falling = (slope * system.at()(ZERO, x)).sum(-1)
    assert (falling < 0).all()
    assert torch.allclose(falling, -0.25 * slope.pow(2).sum(-1) / sum(_moduli(x)))


def test_almost_all_states_end_on_one_of_the_linked_circles():
    system = find_system("linked_circles")
    found = simulate(system, rng=generator(0), initial=states(3, 500, size=3.0), times=times(25.0, 2)).stacked()[:, -1]
    assert system.known.distance(found).max() < 1e-6
    on_first = found[:, 2].abs() < 1e-3
    assert 100 < int(on_first.sum()) < 400


def test_the_other_equilibria_of_linked_circles_are_seven_and_unstable():
    field = find_system("linked_circles").at()
    x = states(3, 500, size=1.5)
    for _ in range(60):
        x = x - torch.linalg.lstsq(jacobians(field, x), field(ZERO, x)[..., None]).solution[..., 0].clamp(-0.3, 0.3)
    x = x[field(ZERO, x).abs().amax(-1) < 1e-12]
    half, golden, third = 0.5, math.sqrt(5) / 2, 1 / math.sqrt(3)
    listed = [(half, 0, 0), (half + golden, 0, 0), (half - golden, 0, 0)]
    listed += [(0, third, 0), (0, -third, 0), (1, 0, third), (1, 0, -third)]
    listed = torch.tensor(listed, dtype=torch.float64)
    assert field(ZERO, listed).abs().max() < 1e-14
    gap, which = torch.cdist(x, listed).min(1)
    assert gap.max() < 1e-3  # four of them are degenerate, where Newton's method is slow
    assert set(which.tolist()) == set(range(7))
    assert torch.linalg.eigvals(jacobians(field, listed)).real.amax(-1).min() > 0.5


def test_linked_circles_are_one_apart_everywhere_and_linked_once():
    s = times(2 * math.pi, 401)[:-1]
    first = torch.stack([torch.cos(s), torch.sin(s), 0 * s], -1)
    second = torch.stack([1 + torch.cos(s), 0 * s, torch.sin(s)], -1)
    gaps = torch.cdist(first, second)
    assert gaps.min() == pytest.approx(2 * find_system("linked_circles").known.reach, abs=1e-9)
    assert torch.allclose(gaps.min(0).values, torch.ones(400).double(), atol=1e-4)
    # Gauss's linking integral, by the trapezoidal rule (exact to round-off for analytic periodic functions).
    d1 = torch.stack([-torch.sin(s), torch.cos(s), 0 * s], -1)
    d2 = torch.stack([-torch.sin(s), 0 * s, torch.cos(s)], -1)
    between = first[:, None] - second[None]
    triple = (between * torch.linalg.cross(d1[:, None], d2[None])).sum(-1)
    number = float((triple / gaps**3).sum() * (2 * math.pi / 400) ** 2 / (4 * math.pi))
    assert abs(number) == pytest.approx(1.0, abs=1e-9)


def test_linked_circles_in_more_dimensions_are_the_same_up_to_an_isometry():
    flat, lifted = find_system("linked_circles"), find_system("linked_circles", dim=8)
    x, y = flat.known.sample(30, generator(0)), lifted.known.sample(30, generator(0))
    assert torch.allclose(torch.cdist(x, x), torch.cdist(y, y), atol=1e-7)
    assert torch.allclose(
        torch.linalg.vector_norm(flat.at()(ZERO, x), dim=-1), torch.linalg.vector_norm(lifted.at()(ZERO, y), dim=-1)
    )


def _moduli(x):
    a, b, c = x.unbind(-1)
    return (a**2 + b**2 - 1) ** 2 + 4 * c**2, ((a - 1) ** 2 + c**2 - 1) ** 2 + 4 * b**2


def lyapunov_function(x):
    first, second = _moduli(x)
    return first * second


# -- an independent route ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rossler", "lorenz96", "moehlis_faisst_eckhardt", "linked_circles"])
def test_trajectories_agree_with_scipys(name):
    system = find_system(name)
    x = system.initial(1, generator(0))
    field = system.at()
    found = simulate(system, rng=generator(0), initial=x, times=times(2.0, 2), solver=TIGHT).stacked()[0, -1]
    other = solve_ivp(
        lambda t, y: field(ZERO, torch.from_numpy(y)).numpy(), (0, 2), x[0], "DOP853", rtol=1e-12, atol=1e-12
    )
    assert torch.allclose(found, torch.from_numpy(other.y[:, -1]), atol=1e-8)
