import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynred.checks import integer, positive
from dynred.dynamics.neural_ode import NeuralODESpec, RefinementSpec
from dynred.errors import InputError
from dynred.numerics.latent_space import LatentSpace
from dynred.reducers.pod import PODSpec
from dynred.solvers.explicit import Explicit
from dynred.spec import Spec


@dataclass(frozen=True)
class Inner(Spec):
    rate: float = 1.0
    name: str | None = None


@dataclass(frozen=True)
class Outer(Spec):
    steps: int = 10
    widths: tuple[int, ...] = (3, 4)
    inner: Inner = field(default_factory=Inner)
    several: tuple[Inner, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    solver: Spec | None = None

    def __post_init__(self):
        integer("steps", self.steps, 1)


@dataclass(frozen=True)
class Child(Outer):
    extra: bool = False


finite = st.floats(allow_nan=False, allow_infinity=False)
inner = st.builds(Inner, rate=finite, name=st.none() | st.text())
outer = st.builds(
    Outer,
    steps=st.integers(1, 10**12),
    widths=st.lists(st.integers(-(2**63), 2**63 - 1)).map(tuple),
    inner=inner,
    several=st.lists(inner, max_size=3).map(tuple),
    values=st.dictionaries(st.text().filter(lambda key: key != "kind"), finite, max_size=3),
    solver=st.none() | st.just(Explicit(rtol=1e-3)) | st.builds(LatentSpace, angles=st.integers(0, 3)),
)


@given(outer)
def test_a_spec_survives_json_with_everything_in_it(spec):
    assert Spec.from_dict(json.loads(spec.to_json())) == spec
    assert Spec.from_dict(json.loads(json.dumps(spec.to_dict()))).digest() == spec.digest()


@given(outer, outer)
def test_specs_have_the_same_digest_exactly_if_they_are_the_same(a, b):
    assert (a.digest() == b.digest()) == (a.to_json() == b.to_json())
    assert len(a.digest()) == 12


def test_the_digest_stands_still_across_versions():
    assert PODSpec(3).to_json() == '{"kind":"pod","latent_dim":3}'
    assert PODSpec(3).digest() == "9f4fd2eeb670"


def test_numbers_of_numpy_are_written_as_numbers():
    spec = Outer(steps=np.int64(3), inner=Inner(rate=np.float32(0.5)))
    assert spec.to_json() == Outer(steps=3, inner=Inner(rate=0.5)).to_json()


def test_a_subclass_is_read_back_as_itself_through_its_base():
    assert Outer.from_dict(Child(extra=True).to_dict()) == Child(extra=True)


def test_reading_finds_classes_of_dynred_that_were_not_imported_yet():
    assert Spec.from_dict({"kind": "divergence_time"}).kind() == "divergence_time"


def test_updating_a_dotted_path_changes_that_setting_only():
    spec = Outer().updated("inner.rate", 2.0)
    assert spec == Outer(inner=Inner(rate=2.0))
    assert Outer().updated("widths", [1, 2]).widths == (1, 2)


def test_a_group_of_settings_is_replaced_by_nothing_else():
    with pytest.raises(InputError, match=r"setting training must be a group of settings, TrainingSpec, got 3\."):
        NeuralODESpec().updated("training", 3)
    with pytest.raises(InputError, match="setting refinement must be a group of settings, RefinementSpec, got 'on'"):
        NeuralODESpec().updated("refinement", "on")
    with pytest.raises(InputError, match="setting training must be a group of settings, TrainingSpec, got None"):
        NeuralODESpec().updated("training", None)
    assert NeuralODESpec().updated("start", None).start is None


def test_updating_within_a_group_that_is_left_out_begins_with_its_defaults():
    spec = NeuralODESpec().updated("refinement.substeps", 2)
    assert spec == NeuralODESpec(refinement=RefinementSpec(substeps=2))
    with pytest.raises(InputError, match="setting training.time_limit.x must be within a group of settings"):
        NeuralODESpec().updated("training.time_limit.x", 1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "os:system"}, "kind must be the name of a known Spec class, got 'os:system'"),
        ({"kind": "dynred.nothing:Spec"}, "kind must be the name of a known Spec class"),
        ({"kind": PODSpec.kind()}, f"kind must be a Outer, got '{PODSpec.kind()}'"),
        ({"stepz": 3}, "setting of Outer must be one of inner, several, solver, steps, .* Did you mean steps?"),
        ({"steps": 0}, "steps must be an integer >= 1, got 0"),
        ({"inner": {"kind": Inner.kind(), "rte": 1.0}}, "setting of Inner must be one of name, rate, got 'rte'"),
    ],
)
def test_bad_data_is_refused_by_name(data, message):
    with pytest.raises(InputError, match=message):
        Outer.from_dict(data)


@dataclass(frozen=True)
class Needy(Spec):
    must: int


def test_a_missing_setting_is_named():
    with pytest.raises(InputError, match="Needy: .*missing .* argument: 'must'"):
        Needy.from_dict({})


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("step", 1, "setting of Outer must be one of .* Did you mean steps?"),
        ("inner.rat", 1, "setting of Inner must be one of name, rate, got 'rat'. Did you mean rate?"),
        ("steps.more", 1, r"setting steps.more must be within a group of settings, got steps, which is 10"),
        ("steps", -1, "steps must be an integer >= 1, got -1"),
    ],
)
def test_a_bad_update_is_refused_by_name(path, value, message):
    with pytest.raises(InputError, match=message):
        Outer().updated(path, value)


def test_what_is_no_setting_is_refused():
    with pytest.raises(InputError, match="Outer.solver must be of class Spec or None, got <object"):
        Outer(solver=object())


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), True, "1", None])
def test_positive_takes_finite_numbers_above_zero_only(value):
    with pytest.raises(InputError, match="rate must be a finite number > 0, got .* Think again"):
        positive("rate", value, "Think again.")


@pytest.mark.parametrize("value", [0, 11, 1.0, True, "1", None])
def test_integer_takes_integers_of_its_range_only(value):
    with pytest.raises(InputError, match=r"steps must be an integer in \[1, 10\], got"):
        integer("steps", value, 1, 10)
