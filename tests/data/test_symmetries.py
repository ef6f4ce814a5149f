"""Symmetries as they act on states, and as they are said on the command line and of systems."""

import dataclasses
import math

import pytest
import torch

from dynred.data.grid import Axis, Grid
from dynred.data.reading import ReadingSpec
from dynred.data.symmetries import Phase, Reflection, Shift, Sign, Translation, parsed
from dynred.data.symmetry_group import Group
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.ode.catalogue import describe
from dynred.ode.find import find_system
from dynred.ode.subject import subject_of
from dynred.ode.symmetries import symmetry_violations
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.spec import Spec
from dynred.testing import check_system

N = 12
X = torch.arange(N, dtype=torch.float64) / N
RING = Grid((Axis("x", X, period=1.0),))
SHEET = Grid((Axis("x", X, period=1.0), Axis("y", X, period=1.0)), ("u", "v"))


def wave(x):
    return torch.sin(2 * math.pi * x) + 0.3 * torch.cos(6 * math.pi * x)


def test_a_translation_moves_a_field_by_any_length():
    group = Group.of([Translation("x")], RING, N)
    moved = group.turned(wave(X), [2 * math.pi * 0.123])
    torch.testing.assert_close(moved, wave(X + 0.123), rtol=0, atol=1e-12)


def test_translations_along_two_axes_and_a_phase_act_at_once():
    x, y = torch.meshgrid(X, X, indexing="ij")

    def field(x, y, phase):
        angle = 2 * math.pi * (x + 2 * y) + phase
        return torch.cat([torch.cos(angle).flatten(), torch.sin(angle).flatten()])

    group = Group.of([Translation("x"), Translation("y"), Phase("u", "v")], SHEET, 2 * N * N)
    moved = group.turned(field(x, y, 0.0), [2 * math.pi * 0.1, 2 * math.pi * 0.3, 0.7])
    torch.testing.assert_close(moved, field(x + 0.1, y + 0.3, 0.7), rtol=0, atol=1e-12)


@pytest.mark.parametrize("periodic", [True, False])
def test_a_reflection_turns_a_field_about_its_first_point_or_about_the_middle(periodic):
    grid = dataclasses.replace(RING, axes=(dataclasses.replace(RING.axes[0], period=1.0 if periodic else None),))
    reflection = Reflection("x", sign=-1)
    image = Group.of([reflection], grid, N).image(reflection, wave(X))
    expected = -wave(-X) if periodic else -wave(X).flip(0)
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-12)


def test_a_reflection_may_shift_along_another_axis():
    field = torch.randn(2, N, N, generator=generator(0), dtype=torch.float64)
    reflection = Reflection("x", along="y", shift=0.25)
    image = Group.of([reflection], SHEET, field.numel()).image(reflection, field.flatten()).reshape(field.shape)
    assert image[1, 2, 5] == field[1, N - 2, 2]


def test_amplitudes_are_a_unitary_transform_whose_inverse_is_the_state():
    group = Group.of([Translation("y"), Phase()], SHEET, 2 * N * N)
    x = torch.randn(3, 2 * N * N, generator=generator(0), dtype=torch.float64)
    a = group.amplitudes(x)
    torch.testing.assert_close(a.abs().pow(2).sum(-1), x.pow(2).sum(-1))
    torch.testing.assert_close(group.state(a), x)
    torch.testing.assert_close(a[:, group.partners], a.conj())


def test_the_mirror_is_the_discrete_symmetry_that_reverses_all_charges():
    assert Group.of([Translation("x"), Sign(), Reflection("x")], RING, N).mirror == Reflection("x")
    assert Group.of([Translation("x"), Phase("u", "v"), Reflection("x")], SHEET, 2 * N * N).mirror is None


def test_signs_are_what_keeps_all_charges_and_commutes_with_the_mirror():
    up, around = Reflection("x", sign=-1, along="y", shift=0.25), Reflection("x,y")
    group = Group.of([Translation("x"), up, around], SHEET, 2 * N * N)
    assert (group.mirror, group.signs) == (around, [(up, up)])  # a shift along y by half of the period
    x = torch.randn(2 * N * N, generator=generator(0), dtype=torch.float64)
    expected = x.unflatten(-1, (2, N, N)).roll(N // 2, -1).flatten()
    torch.testing.assert_close(group.images(group.signs[0], x), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("symmetries", "signs"),
    [
        ([Translation("x"), Reflection("x", sign=-1)], 0),  # which is the mirror
        ([Translation("x"), Reflection("x"), Reflection("x", sign=-1)], 1),  # the second times the mirror
        ([Translation("x"), Sign(("v",)), Reflection("x"), Sign(("u",)), Sign()], 2),  # the last is made of the others
    ],
)
def test_no_sign_is_made_of_others(symmetries, signs):
    assert len(Group.of(symmetries, SHEET, 2 * N * N).signs) == signs


@pytest.mark.parametrize(
    ("text", "symmetry"),
    [
        ("translation:x", Translation("x")),
        ("translation:x:22", Translation("x", 22.0)),
        ("shift:site", Shift("site")),
        ("reflection:x", Reflection("x")),
        ("reflection:x,y:-1", Reflection("x,y", sign=-1)),
        ("phase:u:v", Phase("u", "v")),
        ("phase:0:1", Phase(0, 1)),
        ("sign", Sign()),
        ("sign:0:1", Sign((0, 1))),
    ],
)
def test_a_text_says_a_symmetry(text, symmetry):
    assert parsed(text) == symmetry
    assert Spec.from_dict(symmetry.to_dict()) == symmetry


@pytest.mark.parametrize("text", ["", "translation", "translation:x:y", "reflection:x:2", "spin:x", "phase:u"])
def test_a_text_that_says_none_is_refused(text):
    with pytest.raises(InputError, match=r"symmetr|sign of a reflection"):
        ReadingSpec(symmetries=(text,))


def test_data_carry_the_symmetries_that_are_said_of_them_and_no_others():
    data = Trajectories.from_stacked(torch.randn(2, 5, N, dtype=torch.float64), torch.arange(5.0))
    said = subject_of(data, reading=ReadingSpec(symmetries=("translation:x:22",)))
    assert said.attributes["symmetries"] == [Translation("x", 22.0).to_dict()]
    assert subject_of(data) is data
    with pytest.raises(InputError, match="must be of components among 0, 1"):
        subject_of(data, reading=ReadingSpec(symmetries=("phase:0:77",)))
    with pytest.raises(InputError, match="symmetries must be along one axis where states have no grid"):
        subject_of(data, reading=ReadingSpec(symmetries=("translation:x", "translation:y")))
    with pytest.raises(InputError, match="with one translation or shift along an axis"):
        subject_of(data, reading=ReadingSpec(symmetries=("translation:x", "shift:x")))


def advected(*symmetries, force=0.0):
    return System(
        "advected",
        N,
        lambda t, x: (x.roll(1, -1) - x) + force * torch.sin(2 * math.pi * X),
        lambda n, rng: torch.randn(n, N, generator=rng, dtype=torch.float64),
        symmetries=list(symmetries),
    )


def test_a_declaration_that_the_equation_contradicts_is_told_with_its_size():
    check_system(advected(Translation("x")))
    assert symmetry_violations(advected(Shift("x")))[0] < 1e-12
    assert symmetry_violations(advected(Reflection("x")))[0] > 0.1
    with pytest.raises(
        AssertionError, match=r"f\(t, g x\) must be g f\(t, x\) for translation along x; they differ by"
    ):
        check_system(advected(Translation("x"), force=1.0))


def test_the_catalogue_lists_the_symmetries_of_a_system():
    listed = describe("kuramoto_sivashinsky")["symmetries"]
    assert listed == ["translation along x", "reflection along x with change of sign"]


def test_trajectories_of_a_system_carry_its_symmetries_and_its_grid():
    system = find_system("burgers")
    attributes = simulate(system, 2, torch.arange(2.0), rng=generator(0), transient=0.0).attributes
    assert [Spec.from_dict(entry) for entry in attributes["symmetries"]] == list(system.symmetries)
    assert max(attributes["symmetry_violations"]) < 1e-10
    assert attributes["grid"]["axes"][0]["period"] == 2 * math.pi
