"""Every class of settings that there is, held to what the base class promises: no value of a wrong type or range is
taken in silence, and what is taken survives JSON."""

import dataclasses
import inspect
import json
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dynred.models.atlas
import dynred.models.bands
import dynred.models.joint
from dynred import plugins
from dynred.cli.base import pairs
from dynred.data.cleaning.resampling import ResamplingSpec
from dynred.data.reading import ReadingSpec
from dynred.data.symmetries import Reflection, Shift, Translation
from dynred.dynamics.ensemble import EnsembleSpec
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec, RefinementSpec
from dynred.dynamics.sindy import SindySpec
from dynred.errors import InputError
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.spec import ExperimentSpec
from dynred.kinds import class_of
from dynred.models.bands import Calibration
from dynred.models.domain import Domain
from dynred.models.joint import JointSpec
from dynred.models.partition import PartitionSpec
from dynred.models.reduced import ReducedSpec
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.lattice import Lattice
from dynred.numerics.polynomials import PolynomialSpec
from dynred.reducers.auto import AutoReducerSpec
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import ReducerSpec
from dynred.reducers.pod import PODSpec
from dynred.solvers.explicit import Explicit
from dynred.solvers.exponential_adams import ExponentialAdams
from dynred.spec import Spec
from dynred.training.minimise import TrainingSpec

if TYPE_CHECKING:
    from nowhere import Unread

PACKAGES = ("data.cleaning", "data.derivatives", "data.transforms", "dynamics", "metrics", "reducers", "solvers")
NEEDY = {  # what has no defaults
    ReducedSpec: {"reducer": PODSpec(2), "dynamics": LinearSpec()},
    ExperimentSpec: {"source": "lorenz63", "latent_dim": 2},
    **{cls: {"axis": "x"} for cls in (Translation, Shift, Reflection)},
    Lattice: {"points": (4,)},
    ResamplingSpec: {"step": 0.1},
    Domain: {"latent": (0.0, 1.0), "spread": 1.0, "extent": 2.0, "residual": 0.1},
    Calibration: {"lead": (0.0, 1.0), "levels": (0.5,), "factors": ((1.0, 2.0),), "floor": (0.1,)},
}


def every_class():
    for package in PACKAGES:
        for name in plugins.names(f"dynred.{package}"):
            plugins.load_module(f"dynred.{package}", name)
    own = (cls for kind, cls in sorted(Spec._kinds.items()) if ":" not in kind)
    return [cls for cls in own if not inspect.isabstract(cls) and cls not in (Spec, ReducerSpec)]


CLASSES = every_class()
FIELDS = [(cls, field) for cls in CLASSES for field in dataclasses.fields(cls)]
VALUES = st.one_of(
    st.sampled_from([1.5, True, False, "x", "3", "", None, math.nan, math.inf, -math.inf, [], {}, (), -1, 0, 10**30]),
    st.sampled_from([1j, object(), b"x", [1], ["x"], [None], [math.nan], {"a": 1}, {1: 2}, 10**400, np.bool_(True)]),
    st.integers(-(10**6), 10**6),
    st.floats(),
    st.text(max_size=4),
)


def default(cls):
    return cls(**NEEDY.get(cls, {}))


def made(cls, name, value):
    try:
        return dataclasses.replace(default(cls), **{name: value}), ""
    except InputError as error:
        return None, str(error)


def allowed(value, annotation):
    """Whether an annotation of a simple kind allows a value; None where it is of another kind."""
    return {
        "int": type(value) is int,
        "float": type(value) in (int, float) and abs(value) < math.inf,
        "bool": type(value) is bool,
        "str": type(value) is str,
    }.get(annotation)


def test_every_kind_of_settings_is_looked_at():
    wanted = {TrainingSpec, DataSpec, ExperimentSpec, PartitionSpec, JointSpec, RefinementSpec, PolynomialSpec}
    assert wanted | {LatentSpace, Calibration, Explicit, AutoencoderSpec, EnsembleSpec} <= set(CLASSES)


@pytest.mark.parametrize(("cls", "field"), FIELDS, ids=[f"{cls.__name__}.{field.name}" for cls, field in FIELDS])
@settings(max_examples=40, deadline=None)
@given(value=VALUES)
def test_a_value_is_refused_by_the_name_of_its_field_or_taken_as_what_its_annotation_says(cls, field, value):
    kind = getattr(field.type, "__name__", str(field.type))
    fits = allowed(value, kind)
    spec, message = made(cls, field.name, value)
    if spec is None:
        assert any(one.name in message for one in dataclasses.fields(cls))
        assert len(message) < 1000
        return
    assert fits in (True, None)
    again = Spec.from_dict(json.loads(spec.to_json()))
    assert again == spec
    assert again.digest() == spec.digest()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_no_setting_takes_what_no_annotation_allows(cls):
    for field in dataclasses.fields(cls):
        for value in (object(), 1j, math.nan, math.inf, -math.inf, b"x"):
            with pytest.raises(InputError, match=field.name):
                dataclasses.replace(default(cls), **{field.name: value})


DIGESTS = {
    AutoencoderSpec: "fb8db996a454",
    DataSpec: "bbcc40f2e9d3",
    ReadingSpec: "dc9ffd1ca8de",
    EnsembleSpec: "b8315a048fdd",
    Explicit: "f2140b8531ed",
    JointSpec: "deec59ebb576",
    NeuralODESpec: "ae40c0201293",
    PartitionSpec: "324fb29b8234",
    PolynomialSpec: "fc8e1c10b4ec",
    SindySpec: "77b5de1f40b0",
    TrainingSpec: "8eebc082cf77",
}


@pytest.mark.parametrize("cls", DIGESTS, ids=lambda cls: cls.__name__)
def test_the_digests_that_name_run_folders_stand_still(cls):
    assert cls().digest() == DIGESTS[cls]


def test_the_digest_of_an_experiment_stands_still():
    assert ExperimentSpec("x", 3).digest() == "7bcfd924a6e8"
    assert ExperimentSpec("lorenz63", 2, {"a": 1, "b": 2.5, "c": True}, seed=3).digest() == "0ed7352bd303"


def test_equal_settings_have_equal_json_whatever_they_were_made_of():
    assert DataSpec(duration=50, train=np.int64(3)).to_json() == DataSpec(duration=50.0, train=3).to_json()
    assert RefinementSpec(windows=[2, 4]) == RefinementSpec(windows=(2, 4))
    assert PolynomialSpec(ridge=[1]).ridge == (1.0,)
    assert ExperimentSpec("x", 2, arguments={"a": [1, [2]]}).arguments == {"a": (1, (2,))}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PartitionSpec(charts=1.5), r"PartitionSpec.charts must be an integer, got 1\.5\."),
        (lambda: PartitionSpec(charts=True), "PartitionSpec.charts must be an integer, got True"),
        (lambda: DataSpec(train="3"), "DataSpec.train must be an integer or None, got '3'"),
        (lambda: PartitionSpec(charts=10**5000), "PartitionSpec.charts must be an integer of at most 63 bits"),
        (lambda: DataSpec(duration=0), "duration must be a finite number > 0, got 0.0"),
        (lambda: DataSpec(sampling="x"), "DataSpec.sampling must be a finite number or None, got 'x'"),
        (lambda: DataSpec(transient=-1), "transient must be a finite number >= 0, got -1.0"),
        (lambda: DataSpec(solver=""), "solver must be `auto` or a solver's name, got ''"),
        (lambda: AutoencoderSpec(2, residual=1), "AutoencoderSpec.residual must be true or false, got 1"),
        (lambda: AutoencoderSpec(2, residual="yes"), "AutoencoderSpec.residual must be true or false, got 'yes'"),
        (lambda: AutoencoderSpec(2, training=None), "AutoencoderSpec.training must be of class TrainingSpec, got None"),
        (lambda: AutoencoderSpec(2, depth=3_000_000), "depth must be at most 1000, got 3000000"),
        (lambda: NeuralODESpec(start=TrainingSpec()), "NeuralODESpec.start must be of class PolynomialSpec or None"),
        (lambda: RefinementSpec(windows=8), "RefinementSpec.windows must be a list of which each is an integer, got 8"),
        (lambda: RefinementSpec(windows=(2, 2.5)), r"RefinementSpec.windows\[1\] must be an integer, got 2.5"),
        (lambda: PolynomialSpec(ridge=()), "ridge must be one or more weights > 0"),
        (lambda: ExperimentSpec("", 2), "source must be the name of a system, or a file, got ''"),
        (lambda: ExperimentSpec("x", 2, seed=-1), "seed must be an integer >= 0, got -1"),
        (lambda: ExperimentSpec("x", 2, threshold=-0.5), "threshold must be a finite number > 0"),
        (
            lambda: ExperimentSpec("x", 2, {"a": math.nan}),
            "ExperimentSpec.arguments.a must be a finite number, got nan",
        ),
        (lambda: ExperimentSpec("x", 2, {1: 2}), "a name in ExperimentSpec.arguments must be a string, got 1"),
        (lambda: ExperimentSpec("x", 2, {"kind": 2}), "ExperimentSpec.arguments must be without the name `kind`"),
        (lambda: Explicit(method="rk4", step=0.0), "step must be a finite number > 0, got 0.0"),
        (lambda: Explicit(max_steps=0), "max_steps must be an integer >= 1, got 0"),
        (lambda: ExponentialAdams(time_limit=-1), "time_limit must be a finite number >= 0, got -1.0"),
        (lambda: Calibration((0.0, 1.0), (0.5,), ((1.0,),), (0.1,)), "factors must be 2 for each of 1 levels"),
        (lambda: Calibration((1.0, 0.0), (0.5,), ((1.0, 1.0),), (0.1,)), "lead must be one or more increasing times"),
        (lambda: Calibration((0.0,), (1.5,), ((1.0,),), (0.1,)), r"levels must be one or more numbers in \(0, 1\)"),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence(make, words):
    with pytest.raises(InputError, match=words):
        make()


# -- plug-ins --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class OwnSpec(PODSpec):
    weight: float = 1.0
    choice: Literal["a", "b"] = "a"
    pair: tuple[int, str] = (1, "x")
    anything: Any = None

    def __post_init__(self):  # knows nothing of the base class
        assert isinstance(self.weight, float), "ranges are checked after types"


@dataclasses.dataclass(frozen=True)
class HalfReadSpec(Spec):
    part: "Unread | None" = None
    several: "tuple[Unread, ...]" = ()
    steps: int = 1


def test_a_plug_in_that_does_not_call_its_base_is_checked_all_the_same():
    assert OwnSpec(weight=2).weight == 2.0
    for change, words in (
        ({"weight": "x"}, "OwnSpec.weight must be a finite number, got 'x'"),
        ({"latent_dim": 2.5}, "OwnSpec.latent_dim must be an integer, got 2.5"),
        ({"choice": "c"}, "OwnSpec.choice must be one of a, b, got 'c'"),
        ({"pair": (1,)}, r"OwnSpec.pair must be a tuple of 2 \(an integer, a string\), got \(1,\)"),
        ({"pair": (1, 2)}, r"OwnSpec.pair\[1\] must be a string, got 2"),
        ({"anything": [[math.inf]]}, r"OwnSpec.anything\[0\]\[0\] must be a finite number"),
    ):
        with pytest.raises(InputError, match=words):
            OwnSpec(**change)


def test_annotations_that_cannot_be_read_leave_their_fields_unchecked_and_no_others():
    assert HalfReadSpec(part=3, several=[object()]).part == 3
    with pytest.raises(InputError, match="HalfReadSpec.steps must be an integer, got 1.5"):
        HalfReadSpec(steps=1.5)


# -- the latent dimension --------------------------------------------------------------------------------------------


def test_the_latent_dimension_of_an_experiment_is_that_of_its_reducer():
    spec = ExperimentSpec("x", latent_dim=3)
    assert spec.reducer == AutoReducerSpec(3)
    moved = spec.updated("reducer.enough", 0.5).updated("latent_dim", 4)
    assert (moved.latent_dim, moved.reducer.latent_dim, moved.reducer.enough) == (4, 4, 0.5)
    assert ExperimentSpec.from_dict(moved.to_dict()) == moved


def test_a_reducer_of_another_latent_dimension_is_refused_with_what_to_set():
    words = "reducer.latent_dim must be latent_dim, 3, got 7. Set `latent_dim`, which moves that of the reducer"
    with pytest.raises(InputError, match=words):
        ExperimentSpec("x", latent_dim=3).updated("reducer.latent_dim", 7)
    with pytest.raises(InputError, match=words):
        ExperimentSpec("x", latent_dim=3, reducer=PODSpec(7))


# -- from the command line and from files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["a=NaN"], "setting a must be finite where it is a number, got 'NaN'"),
        (["a=-Infinity"], "setting a must be finite"),
        (["a=nan"], "setting a must be finite"),
        (["a=1e999"], "setting a must be a finite number, got inf"),
        (["a=[1, NaN]"], r"setting a\[1\] must be a finite number"),
        (["a=1", "a=2"], "setting a must be given once, got 1 and '2'"),
        (["a"], "a setting must be of the form name=value, got 'a'"),
        (["=1"], "a setting must be of the form name=value, got '=1'"),
        (["a="], "a setting must be of the form name=value"),
        (["a b=1"], "a setting must be of the form name=value"),
        (["a=" + 100_000 * "["], "setting a must be nested less deeply"),
        (["a=" + 30 * "[" + 30 * "]"], "must be nested at most 20 deep"),
        (["a=[[["], "setting a must be JSON where it begins as a list or mapping"),
    ],
)
def test_a_wrong_text_of_a_setting_is_refused_in_a_sentence(texts, words):
    with pytest.raises(InputError, match=words) as caught:
        pairs(texts)
    assert len(str(caught.value)) < 1000


def test_texts_of_settings_are_read_as_json_where_they_are():
    texts = ["a=1", "b.c=[1,2]", "d=text", "e=true", "f=x=y", "g=null", "h=infinite"]
    assert pairs(texts) == {"a": 1, "b.c": [1, 2], "d": "text", "e": True, "f": "x=y", "g": None, "h": "infinite"}


@pytest.mark.parametrize("path", ["a..b", ".a", "", ".", "kind", "reducer..width", "reducer.kind", "seed.x", "nothing"])
def test_a_path_that_is_none_is_refused_in_a_sentence(path):
    with pytest.raises(InputError, match=r"setting .* must be (one of|within a group)"):
        ExperimentSpec("x", 2).updated(path, 3)


@pytest.mark.parametrize(
    "data", [3, "x", None, [], [{}], {"kind": 3}, {"kind": None}, {"kind": ["a"]}, {"kind": {}}, {}]
)
def test_what_describes_no_settings_is_refused(data):
    with pytest.raises(InputError, match="kind must be|must be a mapping"):
        Spec.from_dict(data)


def test_settings_that_are_nested_beyond_reason_are_refused():
    data = [1]
    for _ in range(10_000):
        data = [data]
    with pytest.raises(InputError, match="nested at most"):
        DataSpec.from_dict({"train": data})
    inner = EnsembleSpec().to_dict()
    for _ in range(5_000):
        inner = {**EnsembleSpec().to_dict(), "member": inner}
    with pytest.raises(InputError, match="nested at most"):
        Spec.from_dict(inner)


@pytest.mark.parametrize(
    "kind",
    [
        "dynred.cli.app:main",
        "dynred.cli.app:App",
        "dynred.systems.lorenz63:lorenz63",
        "dynred.systems.x:y",
        "dynred.report.figures.base:Figure",
        "dynred:",
        "dynred:Spec",
        "dynred..a:B",
        "dynred.:B",
        "dynred.a.b.c.d:E",
        "dynred.spec:Spec:Spec",
        "dynred/../os:System",
        "os:system",
        "collections:OrderedDict",
        "x" * 10**6,
        "dynred." + "a" * 10**6 + ":B",
        "\0",
        "",
    ],
)
def test_a_kind_that_names_no_settings_is_refused_and_nothing_is_imported_for_it(kind, monkeypatch):
    def never(name, package=None):
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr("dynred.kinds.importlib.import_module", never)
    with pytest.raises(InputError, match=r"kind must be (the name of a known Spec class|a Spec)") as caught:
        Spec.from_dict({"kind": kind})
    assert len(str(caught.value)) < 1000


def test_kinds_of_dynred_are_found_without_being_imported_before():
    assert class_of("divergence_time").__name__ == "DivergenceTime"
    assert class_of("atlas_model") is dynred.AtlasModel
