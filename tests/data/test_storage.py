"""Trajectories on disk: nothing lost, nothing of others replaced, damage told, hostile files not followed."""

import dataclasses
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import time
import zipfile

import numpy as np
import pytest
import torch
import xarray
import zarr
from extras import extra

from dynred import memory
from dynred.data import screening
from dynred.data.points import load_data
from dynred.data.storage import load_trajectories, save_trajectories
from dynred.data.store import StoredTrajectories
from dynred.data.store_layout import Mark, progress_path, write_mark
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredError, FileFormatError, InputError

h5py = extra("h5py")

SUFFIXES = (".zarr", ".npz", ".nc")


def ragged(dtype=torch.float64, **attributes):
    """Three trajectories of 4, 1 and 3 snapshots in the plane."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(8, 2, generator=rng, dtype=torch.float64).to(dtype)
    t = torch.tensor([0.0, 1, 2, 3, 5, 0, 0.5, 0.75], dtype=torch.float64)
    mu = torch.tensor([1.0, 2, 3], dtype=torch.float64)
    return Trajectories(x, t, torch.tensor([4, 1, 3]), 2 * x, {"mu": mu}, {"system": "none", "seed": 3, **attributes})


def content(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


# -- what is saved is what is loaded ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_trajectories_come_back_as_they_were(tmp_path, suffix, dtype):
    one = ragged(dtype, text="ü" * 70_000, nested={"a": [1, None]})
    save_trajectories(one, tmp_path / f"new/folder/a{suffix}")
    found = load_trajectories(tmp_path / f"new/folder/a{suffix}")
    assert found.digest() == one.digest()
    assert found.attributes == one.attributes
    assert found.states.dtype == dtype
    assert sorted(p.name for p in (tmp_path / "new/folder").iterdir()) == [f"a{suffix}"]


def test_a_digest_is_that_of_the_content_and_of_nothing_else():
    one = ragged()
    same = [ragged(other="attribute"), ragged()[:], dataclasses.replace(one, states=one.states.T.contiguous().T)]
    assert {two.digest() for two in same} == {one.digest()}
    changes = {
        "states": one.states + 1e-15,
        "t": one.t + 1,
        "velocities": 3 * one.states,
        "parameters": {"nu": one.parameters["mu"]},
    }
    digests = {dataclasses.replace(one, **{name: value}).digest() for name, value in changes.items()}
    others = [one.map(lambda x: x), one[:2], ragged(torch.float32), dataclasses.replace(one, velocities=None)]
    cut = one.where(torch.tensor([True] * 8))
    assert cut.digest() == one.digest()
    assert len({*digests, *(two.digest() for two in others), one.digest()}) == 8
    assert len(one.digest()) == 64


def old_zarr(one, path):
    dims = {"states": ("snapshot", "component"), "velocities": ("snapshot", "component"), "t": ("snapshot",)}
    arrays = {"states": one.states, "velocities": one.velocities, "t": one.t, "lengths": one.lengths}
    arrays["parameter_mu"] = one.parameters["mu"]
    header = {"dynred_schema": 1, "dynred_attributes": json.dumps(dict(one.attributes))}
    variables = {name: (dims.get(name, ("trajectory",)), value.numpy()) for name, value in arrays.items()}
    return xarray.Dataset(variables, attrs=header)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_earlier_versions_stay_readable_and_can_be_replaced(tmp_path, suffix):
    one, path = ragged(), tmp_path / f"a{suffix}"
    dataset = old_zarr(one, path)
    if suffix == ".npz":
        arrays = {str(name): dataset[name].to_numpy() for name in dataset.variables}
        np.savez(path, attributes=json.dumps(dict(one.attributes)), **arrays)
    elif suffix == ".nc":
        dataset.to_netcdf(path, engine="h5netcdf")
    else:
        dataset.to_zarr(path, mode="w", consolidated=False)
    assert load_trajectories(path).digest() == one.digest()
    assert load_trajectories(path).attributes == one.attributes
    save_trajectories(one[:1], path)
    assert len(load_trajectories(path)) == 1


def test_stores_of_foreign_programs_are_read(tmp_path):
    one = ragged()
    dataset = old_zarr(one, tmp_path).drop_attrs()
    dataset.to_zarr(tmp_path / "v2.zarr", zarr_format=2, consolidated=True)
    dataset.to_netcdf(tmp_path / "plain.nc", engine="h5netcdf", encoding={"states": {"zlib": True}})
    np.savez_compressed(tmp_path / "plain.npz", states=one.states.numpy(), t=one.t.numpy(), lengths=[4, 1, 3])
    for name in ("v2.zarr", "plain.nc", "plain.npz"):
        assert torch.equal(load_trajectories(tmp_path / name).states, one.states)


# -- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("tries", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_changed_byte_is_told_or_changes_nothing(tmp_path, suffix, tries):
    one, path = ragged(), tmp_path / f"a{suffix}"
    save_trajectories(one, path)
    files = [file for file in sorted(path.rglob("*")) if file.is_file()] if path.is_dir() else [path]
    draw, silent = np.random.default_rng(0), []
    for _ in range(tries):
        file = files[draw.integers(len(files))]
        whole = file.read_bytes()
        i = int(draw.integers(len(whole)))
        file.write_bytes(whole[:i] + bytes([whole[i] ^ (1 << draw.integers(8))]) + whole[i + 1 :])
        try:
            found = load_trajectories(path)
        except (FileFormatError, InputError):
            continue
        finally:
            file.write_bytes(whole)
        if found.digest() != one.digest() or found.attributes != one.attributes:
            silent.append((file.name, i))
    assert not silent


@pytest.mark.parametrize("what", ["states", "attributes"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_content_that_was_changed_by_another_program_is_told(tmp_path, suffix, what):
    path = tmp_path / f"a{suffix}"
    save_trajectories(ragged(), path)
    if suffix == ".npz":
        with np.load(path) as opened:
            arrays = dict(opened)
        arrays["states"][0, 0] += what == "states"
        arrays["header"] = str(arrays["header"]).replace("none", "other") if what == "attributes" else arrays["header"]
        np.savez(path, **arrays)
    elif suffix == ".nc":
        with h5py.File(path, "a") as opened:
            opened["states"][0, 0] += what == "states"
            if what == "attributes":
                opened.attrs["dynred_attributes"] = "{}"
    else:
        group = zarr.open_group(path, mode="r+")
        group["states"][0, 0] += what == "states"
        if what == "attributes":
            group.attrs["dynred_attributes"] = "{}"
    with pytest.raises(FileFormatError, match="was changed or damaged after dynred wrote it: "):
        load_trajectories(path)


# -- what is there is kept --------------------------------------------------------------------------------------------


def mine(path, kind):
    """Something of the user's at a path."""
    if kind == "folder":
        path.mkdir()
        (path / "thesis.txt").write_text("ten years of work")
    elif kind == "file":
        path.write_text("ten years of work")
    elif kind == "own format":
        if path.suffix == ".npz":
            np.savez(path, states=np.ones(3), work=np.ones(3))
        elif path.suffix == ".nc":
            xarray.Dataset({"states": ("x", np.ones(3))}).to_netcdf(path, engine="h5netcdf")
        else:
            zarr.create_group(path).create_array("work", data=np.ones(3))
    else:  # a file of the user's in a store of dynred's
        save_trajectories(ragged(), path)
        (path / "thesis.txt").write_text("ten years of work")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", ["folder", "file", "own format", "folder of dynred"])
def test_only_what_dynred_wrote_is_replaced(tmp_path, suffix, kind):
    if kind == "folder of dynred" and suffix != ".zarr":
        pytest.skip("files hold no files")
    mine(tmp_path / f"a{suffix}", kind)
    before = content(tmp_path)
    with pytest.raises(
        InputError, match="path must be a new path, got the (file|folder) .*, which dynred did not write"
    ):
        save_trajectories(ragged(), tmp_path / f"a{suffix}")
    assert content(tmp_path) == before


def test_a_saved_store_replaces_an_unfinished_one_and_its_progress_file(tmp_path):
    save_trajectories(ragged(), tmp_path / "a.zarr")
    write_mark(tmp_path / "a.zarr", Mark(1, 4), {})
    assert load_trajectories(tmp_path / "a.zarr").digest() == ragged().digest()
    save_trajectories(ragged()[:1], tmp_path / "a.zarr")
    assert not progress_path(tmp_path / "a.zarr").exists()
    assert len(StoredTrajectories(tmp_path / "a.zarr")) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_cannot_be_stored_is_refused_and_nothing_written(tmp_path, suffix):
    one, values = ragged(), torch.ones(3).double()
    circular: dict = {}
    circular["self"] = circular
    for bad, words in (
        (dataclasses.replace(one, attributes={"x": torch.ones(2)}), "attributes must be plain JSON values by name"),
        (dataclasses.replace(one, attributes=circular), "attributes must be plain JSON values by name"),
        (dataclasses.replace(one, states=one.states.bfloat16()), "states must be of a dtype that NumPy knows"),
    ):
        with pytest.raises(InputError, match=words):
            save_trajectories(bad, tmp_path / f"a{suffix}")
        assert not list(tmp_path.iterdir())
    save_trajectories(dataclasses.replace(one, parameters={"Re (mean)": values}), tmp_path / f"a{suffix}")
    save_trajectories(one, tmp_path / f"a{suffix}")  # it is still known as dynred's


SMALL_FILES = """
import os, resource, sys
import torch
from dynred.data.storage import save_trajectories
from dynred.data.trajectories import Trajectories
x = torch.randn(2000, 4, dtype=torch.float64)
one = Trajectories(x, torch.arange(2000.0), torch.tensor([2000]))
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for suffix in (".npz", ".nc", ".zarr"):
    for there in (False, True):
        path = os.path.join(sys.argv[1], "a" + suffix)
        if there:
            save_trajectories(Trajectories(x[:3], torch.arange(3.0), torch.tensor([3])), path)
        try:
            save_trajectories(one, path)
        except OSError as error:
            print(error)
        print(sorted(os.listdir(sys.argv[1])))
        if there:
            os.system(f"rm -r {path}")
"""


def full_disk(folder, how):
    pytest.importorskip("h5netcdf")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SMALL_FILES), str(folder), how], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Exception ignored" not in done.stderr
    lines = iter(done.stdout.splitlines())
    reason = "File too large" if how == "limit" else "No space left on device"
    for suffix in (".npz", ".nc", ".zarr"):
        for there in ([], [f"a{suffix}"]):
            expected = f"{folder}/a{suffix} could not be written: {reason}. What was there before is unchanged."
            assert next(lines) == expected
            assert next(lines) == str(there)


def test_a_file_that_becomes_too_large_is_told_and_leaves_nothing_behind(tmp_path):
    full_disk(tmp_path, "limit")


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted")
    try:
        full_disk(tmp_path, "disk")
    finally:
        subprocess.run(["umount", tmp_path], check=True)


# -- hostile files ----------------------------------------------------------------------------------------------------


class Bomb:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return (os.system, (f"touch {self.mark}",))


def pickled_npz(folder, name):
    array = np.empty(3, object)
    array[:] = [Bomb(folder / "ran")] * 3
    arrays = {"states": np.ones((4, 2)), "t": np.arange(4.0), name: array}
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


def plain_zarr(folder, **others):
    path = folder / "a.zarr"
    old_zarr(ragged(), path).to_zarr(path, consolidated=False, **others)
    return path


def edited_zarr(folder, edit, name="states/zarr.json", **others):
    path = plain_zarr(folder, **others)
    metadata = json.loads((path / name).read_text())
    edit(metadata)
    (path / name).write_text(json.dumps(metadata))
    return path


def pickled_zarr(folder, **array):
    def edit(metadata):
        metadata.update(array)

    path = edited_zarr(folder, edit, "states/.zarray", zarr_format=2)
    for chunk in (path / "states").glob("[0-9]*"):
        chunk.write_bytes(pickle.dumps(Bomb(folder / "ran")))
    return path


def linked_zarr(folder, name):
    path, secret = plain_zarr(folder), folder / "secret"
    target = path / name
    secret.mkdir()
    target.rename(secret / target.name)
    target.symlink_to(secret / target.name)
    return path


def piped_zarr(folder):
    path = plain_zarr(folder)
    (path / "states/c/0/0").unlink()
    os.mkfifo(path / "states/c/0/0")
    return path


def netcdf(folder, make):
    path = folder / "a.nc"
    old_zarr(ragged(), path).to_netcdf(path, engine="h5netcdf")
    (folder / "secret.bin").write_bytes(ragged().states.numpy().tobytes())
    with h5py.File(folder / "secret.h5", "w") as secret:
        secret["states"] = ragged().states.numpy()
    with h5py.File(path, "a") as opened:
        del opened["states"]
        make(opened)
    return path


def external_storage(folder):
    secret = [(str(folder / "secret.bin"), 0, 128)]
    return netcdf(folder, lambda f: f.create_dataset("states", (8, 2), "f8", external=secret))


def external_link(folder):
    return netcdf(folder, lambda f: f.update(states=h5py.ExternalLink(str(folder / "secret.h5"), "states")))


def hidden_external_link(folder):
    def make(f):
        f.create_group("a/b")["c"] = h5py.ExternalLink(str(folder / "secret.h5"), "/")
        f["states"] = h5py.SoftLink("/a/b/c/states")

    def link(f):
        f["a/b/c"] = h5py.ExternalLink(str(folder / "secret.h5"), "/")
        f["states"] = h5py.SoftLink("/a/b/c/states")

    return netcdf(folder, link)


def virtual(folder):
    layout = h5py.VirtualLayout((8, 2), "f8")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "states", (8, 2))
    return netcdf(folder, lambda f: f.create_virtual_dataset("states", layout))


def fifo(folder, suffix):
    os.mkfifo(folder / f"a{suffix}")
    return folder / f"a{suffix}"


def link_to(folder, suffix, target):
    (folder / f"a{suffix}").symlink_to(target)
    return folder / f"a{suffix}"


def a_folder(folder, suffix):
    (folder / f"a{suffix}").mkdir()
    return folder / f"a{suffix}"


def a_file(folder, suffix):
    (folder / f"a{suffix}").write_bytes(b"")
    return folder / f"a{suffix}"


def codec(**one):
    return lambda metadata: metadata.update(codecs=[*metadata["codecs"], one])


def nested_codec(metadata):
    inner = [{"name": "bytes"}, {"name": "numcodecs.pickle", "configuration": {}}]
    sharding = {"chunk_shape": [8, 2], "codecs": inner, "index_codecs": [{"name": "bytes"}]}
    metadata.update(codecs=[{"name": "sharding_indexed", "configuration": sharding}])


RUN = "that could run code or read other files"
HOSTILE = {
    "npz: objects as states": (lambda f: pickled_npz(f, "states"), RUN),
    "npz: objects as attributes": (lambda f: pickled_npz(f, "attributes"), RUN),
    "npz: objects that nobody asks for": (lambda f: pickled_npz(f, "other"), RUN),
    "npz: a pipe": (lambda f: fifo(f, ".npz"), "a.npz is no file"),
    "npz: a device": (lambda f: link_to(f, ".npz", "/dev/zero"), "a.npz is no file"),
    "npz: a folder": (lambda f: a_folder(f, ".npz"), "a.npz is no file"),
    "npz: empty": (lambda f: a_file(f, ".npz"), "is empty, truncated or no .npz file"),
    "npz: a link to itself": (lambda f: link_to(f, ".npz", f / "a.npz"), "a.npz is no file"),
    "zarr: pickle as a filter": (
        lambda f: pickled_zarr(f, dtype="|O", filters=[{"id": "pickle"}], fill_value=None, compressor=None),
        RUN,
    ),
    "zarr: objects": (lambda f: pickled_zarr(f, dtype="|O", filters=None, fill_value=None, compressor=None), RUN),
    "zarr: a codec": (lambda f: pickled_zarr(f, compressor={"id": "pickle"}), "codecs .* harmless .pickle"),
    "zarr: a codec of format 3": (
        lambda f: edited_zarr(f, codec(name="numcodecs.pickle", configuration={})),
        "codecs .* harmless .numcodecs.pickle",
    ),
    "zarr: a codec within shards": (lambda f: edited_zarr(f, nested_codec), "codecs .* harmless .numcodecs.pickle"),
    "zarr: kept elsewhere": (
        lambda f: edited_zarr(f, lambda m: m.update(storage_transformers=[{"name": "x"}])),
        "kept elsewhere",
    ),
    "zarr: a linked chunk": (lambda f: linked_zarr(f, "states/c/0/0"), "holds the link, pipe or device"),
    "zarr: a linked array": (lambda f: linked_zarr(f, "states"), "holds the link, pipe or device"),
    "zarr: linked metadata": (lambda f: linked_zarr(f, "t/zarr.json"), "holds the link, pipe or device"),
    "zarr: a pipe as a chunk": (piped_zarr, "holds the link, pipe or device"),
    "zarr: a pipe": (lambda f: fifo(f, ".zarr"), "a.zarr is no folder"),
    "zarr: a file": (lambda f: a_file(f, ".zarr"), "a.zarr is no folder"),
    "zarr: an empty folder": (lambda f: a_folder(f, ".zarr"), "no store of trajectories"),
    "nc: external storage": (external_storage, "states, which is kept in other files"),
    "nc: an external link": (external_link, "the link states to something outside"),
    "nc: an external link in a folder": (hidden_external_link, "to something outside"),
    "nc: virtual": (virtual, "states, which is kept in other files"),
    "nc: a pipe": (lambda f: fifo(f, ".nc"), "a.nc is no file"),
    "nc: a folder": (lambda f: a_folder(f, ".nc"), "a.nc is no file"),
    "nc: empty": (lambda f: a_file(f, ".nc"), "is empty, truncated or no .nc file"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_data_runs_no_code_and_reads_no_other_file(tmp_path, name):
    make, words = HOSTILE[name]
    path, start = make(tmp_path), time.monotonic()
    for read in (load_trajectories, load_data, *([StoredTrajectories] if path.suffix == ".zarr" else [])):
        with pytest.raises(FileFormatError, match=words):
            read(path)
    assert time.monotonic() - start < 5
    assert not (tmp_path / "ran").exists()


def test_screening_comes_before_any_library(tmp_path, monkeypatch):
    path = linked_zarr(tmp_path, "states")
    for library in ("open_group", "open_array"):
        monkeypatch.setattr(zarr, library, None)
    with pytest.raises(FileFormatError, match="holds the link, pipe or device states"):
        load_trajectories(path)


# -- sizes ------------------------------------------------------------------------------------------------------------


def claimed_npz(folder, shape, values=4):
    """An .npz whose header claims another shape than its content has."""
    header = io.BytesIO()
    facts = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("states.npy", header.getvalue() + bytes(8 * values))
        archive.writestr("t.npy", header.getvalue() + bytes(8 * values))
    return folder / "a.npz"


def true_bomb(folder):
    """64 MB of zeros in 64 kB."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**23, 1)})
    with (
        zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("states.npy", "w") as opened,
    ):
        opened.write(header.getvalue())
        opened.write(bytes(2**26))
    return folder / "a.npz"


def lying_directory(folder):
    """A zip directory that claims more than the compressed member holds."""
    path = claimed_npz(folder, (2**40,))
    whole = path.read_bytes()
    at = whole.rindex(b"PK\x01\x02")
    path.write_bytes(whole[: at + 24] + struct.pack("<I", 2**32 - 2) + whole[at + 28 :])
    return path


def sparse_zarr(folder, rows):
    group = zarr.create_group(folder / "a.zarr")
    group.create_array("states", shape=(rows, 2), chunks=(1000, 2), dtype="f8", dimension_names=("snapshot", "x"))
    group.create_array("t", shape=(rows,), chunks=(1000,), dtype="f8", dimension_names=("snapshot",))
    return folder / "a.zarr"


def large_chunk(folder):
    group = zarr.create_group(folder / "a.zarr")
    group.create_array("states", shape=(10, 2), chunks=(2**45, 2), dtype="f8", dimension_names=("snapshot", "x"))
    group.create_array("t", shape=(10,), chunks=(10,), dtype="f8", dimension_names=("snapshot",))
    return folder / "a.zarr"


def sparse_netcdf(folder):
    def make(f):
        f.create_dataset("states", (10**12, 2), "f8", chunks=(1000, 2))

    return netcdf(folder, make)


LARGE = {
    "npz: a claimed shape": (lambda f: claimed_npz(f, (10**12,)), r"states.npy claims 8000000000000 bytes, but has 32"),
    "npz: overflowing": (lambda f: claimed_npz(f, (2**40, 2**40)), "claims [0-9]+ bytes, but has 32"),
    "npz: a directory that lies": (lying_directory, "claims [0-9]+ bytes, but has [0-9]+"),
    "npz: zeros": (true_bomb, r"claims to hold arrays of 67108864 bytes, but has only 65\d+ bytes"),
    "zarr: sparse": (
        lambda f: sparse_zarr(f, 10**12),
        r"claims to hold arrays of 24000000000000 bytes, but has only \d+",
    ),
    "zarr: overflowing": (lambda f: sparse_zarr(f, 2**62), r"claims to hold arrays of \d+ bytes, but has only \d+"),
    "zarr: a large chunk": (large_chunk, r"claims to hold arrays of \d+ bytes, but has only \d+"),
    "nc: sparse": (sparse_netcdf, r"claims to hold arrays of \d+ bytes, but has only \d+"),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_claims_to_be_larger_than_it_is_is_refused_at_once_with_both_numbers(tmp_path, name, monkeypatch):
    monkeypatch.setattr(screening, "FREE", 2**20)
    make, words = LARGE[name]
    path, start = make(tmp_path), time.monotonic()
    with pytest.raises(FileFormatError, match=words):
        load_trajectories(path)
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_memory_does_not_hold_is_refused_with_both_numbers(tmp_path, suffix, monkeypatch):
    save_trajectories(ragged(), tmp_path / f"a{suffix}")
    monkeypatch.setattr(memory, "available_bytes", lambda: 100)
    words = "Reading .*a.* must fit into the memory that is available, .*, got"
    with pytest.raises(InputError, match=words):
        load_trajectories(tmp_path / f"a{suffix}")
    if suffix == ".zarr":
        with pytest.raises(InputError, match=words):
            StoredTrajectories(tmp_path / "a.zarr").load()


def test_the_declared_size_is_that_of_the_arrays(tmp_path):
    for suffix in SUFFIXES:
        save_trajectories(ragged(), tmp_path / f"a{suffix}")
        assert screening.screen(tmp_path / f"a{suffix}") == 8 * (2 * 16 + 8 + 3 + 3)


# -- what does not fit together ---------------------------------------------------------------------------------------


GOOD = {"states": np.ones((6, 2)), "t": np.arange(6.0), "lengths": np.array([4, 2])}
NONE = object()
BAD = [
    ({"states": np.ones((6, 2)) * 1j}, "states must be an array of real numbers, got dtype complex128"),
    ({"states": np.ones((6, 2), bool)}, "states must be an array of real numbers, got dtype bool"),
    ({"states": np.full((6, 2), "x")}, "states must be an array of real numbers, got dtype <U1"),
    ({"states": np.full((6, 2), np.datetime64("2020-01-01"))}, "states must be an array of real numbers"),
    ({"states": np.ones((6, 2), np.longdouble)}, "states must be an array of real numbers, got dtype (float|longd)"),
    ({"states": np.ones(6)}, r"states must be real numbers \[M, D\], got .*\[6\]"),
    ({"states": np.float64(3)}, r"states must be real numbers \[M, D\], got"),
    ({"states": np.ones((6, 2, 2, 2))}, r"states must be real numbers \[M, D\]"),
    ({"states": np.ones((0, 2)), "t": np.ones(0)}, "states must be not empty"),
    ({"states": np.ones((6, 0))}, "states must be not empty"),
    ({"states": np.where(np.eye(6, 2), np.nan, 1)}, "states must be finite, got nan in trajectory 0 at time 0"),
    ({"states": np.where(np.eye(6, 2), np.inf, 1)}, "states must be finite, got inf in trajectory 0 at time 0"),
    ({"states": NONE}, "data must be to hold an array `states`"),
    ({"t": NONE}, "data must be to hold the times `t`"),
    ({"t": np.arange(5.0)}, r"t must be one time per snapshot \[6\], got shape \[5\]"),
    ({"t": np.arange(6.0)[:, None]}, r"t must be one time per snapshot \[6\]"),
    ({"t": -np.arange(6.0)}, "t must be strictly increasing in every trajectory, got -?0 then -1 in trajectory 0"),
    ({"t": np.zeros(6)}, "t must be strictly increasing in every trajectory"),
    ({"t": np.array([0, 1, np.nan, 3, 4, 5])}, "t must be finite"),
    ({"t": np.arange(6) * 1j}, "t must be an array of real numbers, got dtype complex128"),
    ({"t": np.array(list("abcdef"))}, "t must be an array of real numbers, got dtype <U1"),
    ({"lengths": np.array([4, 3])}, "lengths must be positive and of sum 6, got 2 of sum 7"),
    ({"lengths": np.array([7, -1])}, "lengths must be positive and of sum 6"),
    ({"lengths": np.array([6, 0])}, "lengths must be positive and of sum 6"),
    ({"lengths": np.array([3.5, 2.5])}, r"lengths must be integers below 9.*, got \[3.5, 2.5\]"),
    ({"lengths": np.array([np.nan, 6])}, "lengths must be integers below"),
    ({"lengths": np.array([1e300, 6])}, "lengths must be integers below"),
    ({"lengths": np.array(["4", "2"])}, "lengths must be integers, got dtype <U1"),
    ({"lengths": np.array([True, True])}, "lengths must be integers, got dtype bool"),
    ({"lengths": np.array([[4], [2]])}, r"lengths must be one number .* \[N\], got shape \[2, 1\]"),
    ({"lengths": np.array(6)}, r"lengths must be one number .*, got shape \[\]"),
    ({"velocities": np.ones((5, 2))}, r"velocities must be of shape \[6, 2\], got \[5, 2\]"),
    (
        {"velocities": np.ones((6, 2), "f4")},
        "velocities must be of the dtype of states, torch.float64, got torch.float32",
    ),
    ({"velocities": np.full((6, 2), np.nan)}, "velocities must be finite"),
    ({"velocities": np.ones((6, 2), complex)}, "velocities must be an array of real numbers"),
    ({"parameter_mu": np.ones(3)}, r"parameter mu must be one value per trajectory \[2\], got \[3\]"),
    ({"parameter_mu": np.float64(1)}, r"parameter mu must be one value per trajectory \[2\], got \[\]"),
    ({"parameter_mu": np.array([1, np.nan])}, "parameter mu must be finite everywhere"),
    ({"parameter_mu": np.array(["a", "b"])}, "parameter_mu must be an array of real numbers"),
    ({"states": np.ones((2, 3, 2))}, r"t must be the 3 shared times \[T\], got shape \[6\]"),
    ({"states": np.ones((2, 3, 2)), "t": np.arange(3.0)}, r"lengths must be 3 for each of the states \[N, T, D\], got"),
    ({"attributes": np.array("{")}, "The attributes of .*a.npz are not valid JSON"),
    ({"attributes": np.array("[1]")}, "The attributes of .*a.npz must be a JSON object, got a list"),
    ({"attributes": np.array("[" * 100_000)}, "The attributes of .*a.npz are not valid JSON"),
    ({"header": np.array("[]")}, "The header of .*a.npz must be a JSON object, got a list"),
    ({"header": np.array('{"dynred_schema": 9}')}, "a.npz must be of schema 1 or older, got 9. Install a newer dynred"),
]


@pytest.mark.parametrize(("change", "words"), BAD, ids=[words[:40] for _, words in BAD])
def test_arrays_that_do_not_fit_are_refused_in_one_sentence(tmp_path, change, words):
    arrays = {name: value for name, value in {**GOOD, **change}.items() if value is not NONE}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DynredError, match=words) as caught:
        load_trajectories(tmp_path / "a.npz")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_a_plain_zip_a_text_and_another_suffix_are_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("states.npy", "no array")
        archive.writestr("notes.txt", "no array")
    (tmp_path / "b.npz").write_text("a,b\n1,2\n")
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    for name, words in {
        "a.npz": "is empty, truncated or no .npz file",
        "b.npz": "no zip archive",
        "c.npz": "data must be to hold an array `states`, got nothing",
        "d.npz": "d.npz does not exist",
        "e.xyz": "path must be a file ending in one of .csv, .tsv, .h5, .hdf5, .mat, .nc",
    }.items():
        with pytest.raises(DynredError, match=words):
            load_trajectories(tmp_path / name)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "path must be a path, got"),
        ("a\0b.npz", "path must be a path|a\0b.npz does not exist"),
        ("x" * 300 + ".npz", "path must be a path of names of at most 255 bytes|npz does not exist"),
        ("file/a.npz", "path must be in a folder, got file/a.npz, but .*file is a file|file/a.npz does not exist"),
    ],
)
def test_paths_that_cannot_be_are_refused_when_saving_and_loading(tmp_path, path, words, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("a file")
    for act in (lambda: save_trajectories(ragged(), path), lambda: load_trajectories(path)):
        with pytest.raises(DynredError, match=words):
            act()
    assert os.listdir(tmp_path) == ["file"]
