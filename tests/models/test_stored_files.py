"""Files that were damaged, changed by hand or made to do harm: refused in one sentence, at once, and never believed."""

import copy
import dataclasses
import io
import json
import os
import random
import time
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

from dynred import plugins
from dynred.annotations import fitting_arguments
from dynred.dynamics.base import DynamicsSpec, VectorFieldDynamics
from dynred.dynamics.ensemble import EnsembleSpec
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.parametric import ParametricSpec
from dynred.dynamics.stabilised import StabilisedSpec
from dynred.errors import DynredError, FileFormatError, InputError
from dynred.evaluation.evaluate import evaluate
from dynred.evaluation.evaluation import Evaluation, read_evaluation
from dynred.files import read_tensors, write_json, write_tensors
from dynred.models.atlas import AtlasSpec
from dynred.models.bands import Calibration
from dynred.models.load import load_model
from dynred.models.numpy_model import load_numpy_model
from dynred.models.reduced import ReducedModel
from dynred.numerics.lattice import Lattice
from dynred.numerics.representation import Representation
from dynred.records import plain, revive
from dynred.reducers.auto import AutoReducerSpec
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import ReducerSpec
from dynred.reducers.equivariant import EquivariantManifoldSpec
from dynred.reducers.identity import IdentitySpec
from dynred.reducers.irmae import IRMAESpec
from dynred.reducers.local import LocalReducerSpec
from dynred.reducers.pod import PODSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.reducers.second_order import SecondOrderSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.spec import Spec
from dynred.training.minimise import History, TrainingSpec, minimise

MUTATIONS = int(os.environ.get("DYNRED_MUTATIONS", "300"))
T = torch.linspace(0, 2, 5, dtype=torch.float64)
TINY = TrainingSpec(steps=20, batch_size=64, validations=2)
FIELD = NeuralODESpec(width=8, depth=1, training=TINY)


def fitted(data, reducer, dynamics):
    held = data[9:]
    coder = reducer.fit(data[:9], held, rng=generator(0))
    parts = (coder.latents(part) for part in (data[:9], held))
    evolved = dynamics.fit(*parts, rng=generator(1), latent_space=coder.latent_space)
    return ReducedModel(coder, evolved, {"system": "lifted", "time_scale": 2.0, "seed": 0})


@pytest.fixture(scope="module")
def models(lifted):
    """Small models of every kind of file: plain, with networks, ensembles within others, an atlas."""
    numbered = dataclasses.replace(lifted, parameters={"a": torch.linspace(1, 2, 12, dtype=torch.float64)})
    atlas = AtlasSpec(charts=3, reducer=PODSpec(1), dynamics=LinearSpec())
    return {
        "linear": fitted(lifted, PODSpec(2), LinearSpec()),
        "networks": fitted(lifted, AutoencoderSpec(2, width=8, depth=1, training=TINY), FIELD),
        "ensemble": fitted(numbered, PODSpec(2), StabilisedSpec(EnsembleSpec(ParametricSpec(LinearSpec()), members=2))),
        "polynomial": fitted(lifted, PolynomialManifoldSpec(2), plugin("polynomial")()),
        "atlas": atlas.fit(lifted[:9], lifted[9:], rng=generator(0), about={"system": "lifted"}),
    }


def plugin(name):
    return plugins.load_class("dynred.dynamics", name, DynamicsSpec)


def prediction(model, data):
    return model.at({"a": 1.5}).predict(data.initial, T).states


def seconds(call):
    start = time.monotonic()
    call()
    return time.monotonic() - start


# -- models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", "networks", "ensemble", "polynomial", "atlas"])
def test_a_model_from_a_file_predicts_the_same_bit_for_bit(models, lifted, tmp_path, name):
    models[name].save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    # An atlas may leave its charts, as NaN.
    torch.testing.assert_close(
        prediction(again, lifted), prediction(models[name], lifted), rtol=0, atol=0, equal_nan=True
    )
    assert again.histories == models[name].histories
    assert again.parts()[1] == models[name].parts()[1]


REDUCERS = plugins.classes("dynred.reducers", ReducerSpec)
DYNAMICS = plugins.classes("dynred.dynamics", DynamicsSpec)


BUILT = [AutoencoderSpec(2), IRMAESpec(2), PODSpec(2), PolynomialManifoldSpec(2), EquivariantManifoldSpec(2)]
BUILT += [LocalReducerSpec(2), IdentitySpec(2), SecondOrderSpec(2, PODSpec(1))]
TURNED, STILL = (Representation(((k,),), (), (0,)).to_dict() for k in (1, 2))


@pytest.mark.parametrize("spec", BUILT)
def test_every_reducer_can_be_built_without_memory(spec):
    assert {type(one) for one in BUILT} == set(REDUCERS) - {AutoReducerSpec}  # which chooses among them
    sizes = {"state_dim": 10**9, "modes": 10**6, "degree": 2, "latents": TURNED, "slaved": STILL, "degrees": [3]}
    sizes |= {"lattice": Lattice((100, 100)).to_dict(), "per": 10, "axes": {"x": 1.0}, "reaches": [2, 1]}
    sizes["member"] = {"state_dim": 10**9}
    wanted = {key: value for key, value in sizes.items() if key in spec.build.__annotations__}
    with torch.device("meta"):
        built = spec.build(**wanted)
    assert all(tensor.is_meta for tensor in built.state_dict().values())


def changed(model, path, change):
    model.save(path)
    tensors, metadata = read_tensors(path)
    change(tensors, metadata)
    write_tensors(path, tensors, metadata)
    return path


def with_spec(part, **settings):
    return lambda t, m: m[part]["spec"].update(**settings)


def with_sizes(part, **sizes):
    return lambda t, m: m[part]["sizes"].update(**sizes)


def with_tensor(name, make):
    return lambda t, m: t.update({name: make(t[name])})


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "networks",
            with_spec("reducer", width=20_000),
            r"tensor reducer.encoder.layers.0.weight must be float32 \[20000",
        ),
        ("networks", with_spec("reducer", depth=3_000_000), "depth must be at most 1000, got 3000000"),
        ("networks", with_spec("reducer", depth=1000), "tensor reducer.encoder.layers"),
        (
            "networks",
            with_spec("reducer", width=2.5),
            "reducer.spec: AutoencoderSpec.width must be an integer, got 2.5",
        ),
        ("networks", with_spec("dynamics", width=100_000, depth=1000), "tensor dynamics.net.layers"),
        ("networks", with_sizes("reducer", state_dim=10**12), "tensor reducer.modes.mean must be float64"),
        ("networks", with_sizes("reducer", state_dim=10**18, modes=10**18), "Storage size"),
        ("networks", with_sizes("reducer", state_dim="12"), "reducer.state_dim must be an integer, got '12'"),
        ("networks", with_sizes("reducer", state_dim=-1), "negative dimension"),
        ("networks", with_sizes("reducer", parameters=3), "reducer.parameters must be a list"),
        (
            "networks",
            with_sizes("reducer", colour=3),
            "an entry of sizes of the reducer must be one of modes, parameters",
        ),
        ("networks", lambda t, m: m["reducer"]["sizes"].pop("modes"), "sizes of the reducer must be complete"),
        ("networks", lambda t, m: m["reducer"].update(sizes=[]), "reducer.sizes must be a mapping"),
        ("networks", with_sizes("dynamics", degree=10**6), "degree must be at most 100, got 1000000"),
        ("networks", with_sizes("dynamics", degree=-1), "degree must be an integer >= 0"),
        ("polynomial", with_sizes("dynamics", degree=100), "tensor dynamics.factors must be int64"),
        (
            "polynomial",
            with_tensor("dynamics.factors", lambda x: x + 7),
            "tensor dynamics.factors must be as the settings",
        ),
        ("linear", lambda t, m: m["reducer"]["spec"].update(kind=LinearSpec.kind()), "kind must be a ReducerSpec"),
        ("linear", lambda t, m: m["dynamics"]["spec"].update(kind=PODSpec.kind()), "kind must be a DynamicsSpec"),
        ("linear", lambda t, m: m.update(kind="dynred.spec:Spec"), "must hold a reduced model, got a dynred.spec:Spec"),
        ("linear", lambda t, m: m.update(kind=["x"]), "must hold a reduced model"),
        ("linear", lambda t, m: m.update(kind="x" * 10**6), "must hold a reduced model"),
        ("linear", lambda t, m: m.update(schema=True), "must be of schema 1 or older, got True"),
        ("linear", lambda t, m: m.update(schema="1"), "must be of schema 1 or older, got 1"),
        ("linear", lambda t, m: m.pop("about"), "incomplete, without about"),
        ("linear", lambda t, m: m.update(about=3), "about must be a mapping of names to plain data, got 3"),
        (
            "linear",
            lambda t, m: m["about"].update(time_scale="x"),
            "about.time_scale must be a finite number > 0, got 'x'",
        ),
        ("linear", lambda t, m: m.update(histories=[[]]), r"histories must be a tuple of 2"),
        (
            "linear",
            lambda t, m: m.update(histories=[[], [{"stage": 3}]]),
            r"histories\[1\]\[0\].stage must be a string",
        ),
        ("linear", lambda t, m: m.update(histories=[[], [3]]), r"histories\[1\]\[0\] must be a mapping"),
        ("linear", lambda t, m: m.pop("histories"), "incomplete, without histories"),
        (
            "linear",
            lambda t, m: m.update(latent_space=3),
            "latent_space: the settings of a LatentSpace must be a mapping",
        ),
        ("linear", lambda t, m: m["latent_space"].update(lines=3), "tensor dynamics"),
        (
            "linear",
            with_tensor("dynamics.matrix", torch.Tensor.float),
            "tensor dynamics.matrix must be float64 .* got float32",
        ),
        (
            "linear",
            with_tensor("dynamics.matrix", torch.Tensor.long),
            "tensor dynamics.matrix must be float64 .* got int64",
        ),
        (
            "linear",
            with_tensor("dynamics.matrix", lambda x: x * torch.nan),
            "tensor dynamics.matrix must be finite everywhere",
        ),
        ("linear", with_tensor("reducer.modes.mean", lambda x: x / 0), "tensor reducer.modes.mean must be finite"),
        ("linear", lambda t, m: t.update(extra=torch.zeros(1)), "tensor extra must be that of a part of the model"),
        ("linear", lambda t, m: t.update({"reducer.x": torch.zeros(1)}), "tensor reducer.x must be that of a part"),
        ("ensemble", with_sizes("dynamics", member={"members": []}), "members must be 2, got 0"),
        ("ensemble", with_sizes("dynamics", member={"members": [3, 4]}), r"member.members\[0\] must be a mapping"),
        ("ensemble", with_sizes("dynamics", member=3), "dynamics.member must be a mapping"),
        ("atlas", lambda t, m: m.update(reducers=[]), "the lists of the content must be of one length"),
        (
            "atlas",
            lambda t, m: m["partition"].update(charts=2),
            "charts must be as many as 2 everywhere, got 3 reducers",
        ),
        ("atlas", lambda t, m: m["partition"].update(landmarks=10**15), "tensor atlas.partition.landmarks must be"),
        ("atlas", lambda t, m: m["partition"].update(overlap="2"), "partition.overlap must be an integer"),
        ("atlas", with_tensor("atlas.partition.core", lambda x: x + 5), r"core of the partition must be in \[0, 2\]"),
        ("atlas", with_tensor("atlas.partition.step", lambda x: x * 0), "partition must be of landmarks and charts"),
    ],
)
def test_a_model_file_that_claims_what_it_does_not_hold_is_refused_at_once(models, tmp_path, name, change, words):
    path = changed(models[name], tmp_path / "m.safetensors", change)
    caught = []

    def load():
        with pytest.raises(FileFormatError, match=words) as error:
            load_model(path)
        caught.append(str(error.value))

    assert seconds(load) < 5
    assert len(caught[0]) < 800
    assert "\n" not in caught[0]


def test_what_is_no_file_of_a_model_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    for path in (tmp_path, tmp_path / "fifo", "/dev/zero", tmp_path / "nothing", tmp_path / "empty", __file__):
        for load in (load_model, load_numpy_model):
            with pytest.raises(FileFormatError, match="no file|does not exist|safetensors file|holds no NumPy model"):
                load(path)


@pytest.mark.parametrize("name", ["linear", "atlas"])
def test_no_mutation_of_bytes_gives_another_answer_in_silence(models, lifted, tmp_path, name):
    path, draw = tmp_path / "m.safetensors", random.Random(0)
    models[name].save(path)
    whole, right = path.read_bytes(), prediction(models[name], lifted)
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(whole, draw))
        try:
            found = prediction(load_model(path), lifted)
        except DynredError as error:
            assert_short(error)
            continue
        torch.testing.assert_close(found, right, rtol=0, atol=0, equal_nan=True)


def mutated(content, draw):
    content = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 8])):
        at = draw.randrange(len(content))
        how = draw.randrange(4)
        if how == 0:
            content[at] = draw.randrange(256)
        elif how == 1:
            content[at] ^= 1 << draw.randrange(8)
        elif how == 2:
            del content[at : at + draw.choice([1, 8, 1000])]
        else:
            content[at:at] = bytes(draw.randrange(256) for _ in range(draw.choice([1, 8])))
        if not content:
            break
    return bytes(content)


WRONG = [None, True, -1, 0, 3, 10**7, 10**30, 1.5, -0.5, 1e300, "", "x", [], [1], {}, {"kind": 1}, [[[]]]]
WRONG += ["os:system", "dynred.spec:Spec", PODSpec(3).to_dict(), LinearSpec().to_dict(), TINY.to_dict(), "x" * 5000]


def mutate_json(data, draw):
    """One entry of JSON data, anywhere, replaced, removed, doubled or renamed."""
    places = [(data, key) for key in (data if isinstance(data, dict) else range(len(data)))]
    for container, key in places:
        if isinstance(container[key], dict):
            places += [(container[key], inner) for inner in container[key]]
        elif isinstance(container[key], list):
            places += [(container[key], i) for i in range(len(container[key]))]
    container, key = draw.choice(places)
    how = draw.randrange(6)
    if how == 0:
        del container[key]
    elif how == 1 and isinstance(container, dict):
        container[f"{key}x"] = container.pop(key)
    elif how == 1:
        container.append(container[key])
    else:
        container[key] = copy.deepcopy(draw.choice(WRONG))


def assert_short(error):
    assert len(str(error)) < 1500
    assert "\n" not in str(error)


@pytest.mark.parametrize("name", ["linear", "networks", "ensemble", "polynomial", "atlas"])
def test_no_mutation_of_metadata_raises_anything_but_an_error_of_dynred_or_hangs(
    models, lifted, tmp_path, monkeypatch, name
):
    monkeypatch.setattr(VectorFieldDynamics, "time_limit", 0.5)  # of settings that are legitimate, and stiff
    path, draw = tmp_path / "m.safetensors", random.Random(1)
    models[name].save(path)
    tensors, metadata = read_tensors(path)
    for _ in range(MUTATIONS // 3):
        other = copy.deepcopy(metadata)
        mutate_json(other, draw)
        write_tensors(path, tensors, other)
        start = time.monotonic()
        try:
            prediction(load_model(path), lifted)
        except DynredError as error:
            assert_short(error)
        assert time.monotonic() - start < 10


def test_sizes_are_held_against_the_signature_they_are_for():
    def build(latent_space, names: list[str], degree: int = 1):
        return names, degree

    assert fitting_arguments("sizes", {"names": ("a",)}, build, ["latent_space"]) == {"names": ["a"]}
    with pytest.raises(InputError, match="an entry of sizes must be one of degree, names, got 'latent_space'"):
        fitting_arguments("sizes", {"names": [], "latent_space": 1}, build, ["latent_space"])


# -- JSON ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(models, lifted):
    return evaluate(models["linear"], lifted[9:], train=lifted[:9]).to_dict()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("rollout"), "incomplete, without rollout"),
        (lambda d: d.update(rollout=3), "rollout must be a mapping of names to values, got a int"),
        (
            lambda d: d["rollout"]["valid_time"].update(median="x"),
            "rollout.valid_time.median must be a finite number, got 'x'",
        ),
        (lambda d: d["rollout"].update(diverged=1.5), "rollout.diverged must be an integer, got 1.5"),
        (lambda d: d["rollout"]["error"].update(t=[0.0]), "the lists of rollout.error must be of one length"),
        (
            lambda d: d["rollout"]["error"]["t"].__setitem__(1, {}),
            r"rollout.error.t\[1\] must be a finite number, got {}",
        ),
        (lambda d: d["rollout"]["valid_time"].update(mean_interval=[1.0]), "mean_interval must be a tuple of 2"),
        (lambda d: d.update(metrics=[]), "metrics must be a mapping"),
        (lambda d: d["metrics"].update(a=None), "metrics.a must be a mapping of names to values, got a NoneType"),
        (lambda d: d.update(baselines=None), "baselines must be a mapping"),
        (
            lambda d: d["baselines"]["pod"].update(colour={}),
            "baselines.pod must hold parts of reconstruction, .* got colour",
        ),
        (lambda d: d["baselines"]["pod"].update(reconstruction=3), "baselines.pod.reconstruction must be a mapping"),
        (lambda d: d.update(system=3), "system must be a string, got 3"),
        (lambda d: d.update(seed=True), "seed must be an integer or None, got True"),
        (lambda d: d.update(schema=2), "schema 1 or older, got 2"),
        (lambda d: d.update(schema="x"), "schema 1 or older, got x"),
    ],
)
def test_a_wrong_entry_of_an_evaluation_is_named_with_its_file(stored, tmp_path, change, words):
    data = copy.deepcopy(stored)
    change(data)
    write_json(tmp_path / "evaluation.json", data)
    with pytest.raises(FileFormatError, match=f"{tmp_path}/evaluation.json: .*{words}"):
        read_evaluation(tmp_path / "evaluation.json")


def test_no_mutation_of_an_evaluation_raises_anything_but_an_error_of_dynred(stored):
    draw = random.Random(2)
    for _ in range(MUTATIONS):
        data = copy.deepcopy(stored)
        mutate_json(data, draw)
        try:
            found = Evaluation.from_dict(data)
        except DynredError as error:
            assert_short(error)
            continue
        assert str(found)
        assert found.to_dict()
    for data in (None, 3, [], "x"):
        with pytest.raises(FileFormatError, match=r"evaluation.json: an evaluation must be of schema"):
            Evaluation.from_dict(data)


def test_no_mutation_of_settings_raises_anything_but_an_error_of_dynred():
    draw = random.Random(3)
    spec = AtlasSpec(dynamics=EnsembleSpec()).to_dict()
    calibration = Calibration((0.0, 1.0), (0.5,), ((1.0, 2.0),), (0.1,)).to_dict()
    for whole in (spec, calibration):
        for _ in range(MUTATIONS):
            data = copy.deepcopy(whole)
            mutate_json(data, draw)
            try:
                found = Spec.from_dict(data)
            except DynredError as error:
                assert_short(error)
                continue
            assert Spec.from_dict(json.loads(found.to_json())) == found


def test_records_survive_json_with_what_is_not_finite_in_them():
    history = History("dynamics", [1, 2], [0.5, float("nan")], [1.0, float("inf")], [0.1, 0.2], 1)
    again = revive(History, json.loads(json.dumps(plain(history), allow_nan=False)), "x.json")
    assert again == dataclasses.replace(history, training=[0.5, float("inf")])
    assert revive(History, {**plain(history), "of a later version": 3}, "x.json") == again


# -- checkpoints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, m: m.update(done="x"), "done must be an integer, got 'x'"),
        (lambda t, m: m.update(done=-1), r"done must be an integer in \[0, 5\], got -1"),
        (lambda t, m: m.pop("rates"), "incomplete, without rates"),
        (lambda t, m: m.update(rates=[]), "it lacks a part of the training's state"),
        (lambda t, m: m.update(history=3), "history must be a mapping"),
        (lambda t, m: m.pop("spec"), "is a checkpoint of other settings"),
        (lambda t, m: t.pop("rng"), "it lacks a part of the training's state"),
        (lambda t, m: t.update({"module.weight": torch.zeros(7)}), r"tensor module.weight must be float32 \[1, 2\]"),
        (lambda t, m: t.pop("module.bias"), "tensor module.bias must be there, got nothing"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_in_a_sentence(tmp_path, change, words):
    settings = TrainingSpec(steps=5, batch_size=2, validations=1)

    def train():
        module = torch.nn.Linear(2, 1)
        loss = lambda index: module(torch.ones(2)).pow(2).sum()  # noqa: E731
        runtime = Runtime(checkpoints=tmp_path)
        minimise(module, loss, 4, lambda: 1.0, settings, rng=generator(0), stage="s", runtime=runtime)

    train()
    path = tmp_path / "s.safetensors"
    tensors, metadata = read_tensors(path)
    change(tensors, metadata)
    write_tensors(path, tensors, metadata)
    with pytest.raises(FileFormatError, match=words):
        train()


# -- models for NumPy ------------------------------------------------------------------------------------------------


def test_a_bomb_and_a_graph_that_refers_to_nothing_are_no_numpy_models(models, lifted, tmp_path):
    path = tmp_path / "m.npz"
    models["linear"].to_numpy().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    x0 = lifted.initial.numpy()
    assert np.allclose(load_numpy_model(path).encode(x0), models["linear"].encode(lifted.initial).numpy())

    np.savez_compressed(path, **arrays, bomb=np.zeros(10**7))
    with pytest.raises(FileFormatError, match="holds no NumPy model: .* is compressed"):
        load_numpy_model(path)

    np.savez(path, **arrays)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("long.npy", header((10**12,)))
    with pytest.raises(FileFormatError, match="holds no NumPy model: long.npy is shorter than it says"):
        load_numpy_model(path)

    graphs = json.loads(str(arrays["graphs"]))
    graphs["functions"]["encode"]["output"] = "nothing"
    np.savez(path, **{**arrays, "graphs": np.array(json.dumps(graphs))})
    with pytest.raises(FileFormatError, match="The output must be what an operation gives, got 'nothing'"):
        load_numpy_model(path)


def header(shape):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return out.getvalue()


def test_no_mutation_of_a_numpy_model_raises_anything_but_an_error_of_dynred(models, tmp_path):
    path, draw = tmp_path / "m.npz", random.Random(4)
    models["linear"].to_numpy().save(path)
    whole = path.read_bytes()
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(whole, draw))
        try:
            load_numpy_model(path)
        except DynredError as error:
            assert_short(error)


def test_the_same_tensors_and_settings_give_the_same_bytes_that_the_plain_library_reads(tmp_path):
    tensors = {"weight": torch.arange(5.0), "ä": torch.ones(2, 3, dtype=torch.float64), "none": torch.empty(0)}
    for i in range(6):
        write_tensors(
            tmp_path / str(i), dict(sorted(tensors.items(), reverse=i % 2)), {"kind": "a test", "text": "é\n"}
        )
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    again = safetensors.torch.load_file(tmp_path / "0")
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())
