"""Data files made to do harm, by name: each function writes `own/d.SUFFIX` into a folder."""

import json
import os
import pickle
import shutil
import zipfile

import numpy as np
import zarr
from extras import extra

from faults.broken_data import FLAT, GOOD, write_nc, write_npz, write_zarr

h5py = extra("h5py")

SECRET = 12345.678
ROWS, COLUMNS = FLAT["states"].shape


class Order:
    """What a pickle does when it is read."""

    def __init__(self, folder):
        self.command = f"touch {folder / 'marker'}"

    def __reduce__(self):
        return os.system, (self.command,)


def pickled(folder):
    return pickle.dumps(Order(folder))


def npz_of_objects(folder, name="states"):
    array = np.empty(1, dtype=object)
    array[0] = Order(folder)
    np.savez(folder / "own" / "d.npz", **{**GOOD, name: array})


def npz_that_claims(folder, shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    write_npz(folder / "own" / "d.npz", {"t": GOOD["t"]})
    with zipfile.ZipFile(folder / "own" / "d.npz", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("states.npy", content + bytes(80))


def npz_bomb(folder):
    """A megabyte that unpacks to a gigabyte."""
    with zipfile.ZipFile(folder / "own" / "d.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("states.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "<f8", "fortran_order": False, "shape": (2**20, 64, 2)}
            )
            for _ in range(64):
                file.write(bytes(2**24))
        with archive.open("t.npy", "w") as file:
            np.lib.format.write_array(file, np.arange(64.0))


def zarr_2(folder, **changes):
    """A store of zarr's older format, written by hand."""
    path = folder / "own" / "d.zarr"
    for name, value in FLAT.items():
        (path / name).mkdir(parents=True)
        about = {"zarr_format": 2, "shape": value.shape, "chunks": value.shape, "dtype": value.dtype.str, "order": "C"}
        about |= {"compressor": None, "filters": None, "fill_value": None}
        content = value.tobytes()
        if name == "states":
            about |= changes
            content = pickled(folder)
        (path / name / ".zarray").write_text(json.dumps(about))
        (path / name / ".zattrs").write_text(
            json.dumps({"_ARRAY_DIMENSIONS": [f"{name}{i}" for i in range(value.ndim)]})
        )
        (path / name / ".".join("0" * value.ndim)).write_bytes(content)
    (path / ".zgroup").write_text('{"zarr_format": 2}')


def zarr_with(folder, edit):
    write_zarr(folder / "own" / "d.zarr", FLAT)
    edit(folder / "own" / "d.zarr")


def zarr_claiming(folder, shape, chunks):
    path = folder / "own" / "d.zarr"
    group = zarr.create_group(path, zarr_format=3)
    for name, width in (("states", (2,)), ("t", ()), ("lengths", ())):
        names = [f"{name}{i}" for i in range(1 + len(width))]
        dtype = "int64" if name == "lengths" else "float64"
        group.create_array(name, shape=(shape, *width), chunks=(chunks, *width), dtype=dtype, dimension_names=names)


def linked_chunk(path):
    chunk = path / "states" / "c" / "0" / "0"
    chunk.unlink()
    chunk.symlink_to(path.parent.parent / "secret.bin")


def linked_array(path):
    other = path.parent.parent / "secret.zarr"
    write_zarr(other, {**FLAT, "states": np.full((ROWS, COLUMNS), SECRET)})
    shutil.rmtree(path / "states")
    (path / "states").symlink_to(other / "states")


def fifo_instead_of(name):
    def edit(path):
        (path / name).unlink()
        os.mkfifo(path / name)

    return edit


def no_compression(path):
    group = zarr.open_group(path, mode="r+")
    group.create_array("states", data=FLAT["states"], chunks=FLAT["states"].shape, compressors=None, overwrite=True)


def nc_with(folder, add, leave_out=("states",)):
    path = folder / "own" / "d.nc"
    write_nc(path, {name: value for name, value in FLAT.items() if name not in leave_out})
    with h5py.File(path, "a") as file:
        add(file, folder)


def external_storage(file, folder):
    external = [(str(folder / "secret.bin"), 0, ROWS * COLUMNS * 8)]
    file.create_dataset("states", (ROWS, COLUMNS), dtype="f8", external=external)


def virtual(file, folder):
    layout = h5py.VirtualLayout((ROWS, COLUMNS), dtype="f8")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "states", (ROWS, COLUMNS))
    file.create_virtual_dataset("states", layout)


def external_link(file, folder):
    file["states"] = h5py.ExternalLink(str(folder / "secret.h5"), "/states")


def link_to_fifo(file, folder):
    os.mkfifo(folder / "fifo")
    file["states"] = h5py.ExternalLink(str(folder / "fifo"), "/states")


def linked_attribute_group(file, folder):
    file["extra"] = h5py.ExternalLink(str(folder / "secret.h5"), "/")


def references(file, folder):
    file.create_dataset("states", (ROWS, COLUMNS), dtype=h5py.ref_dtype)


def claimed(file, folder):
    file.create_dataset("states", (10**12, COLUMNS), dtype="f8", chunks=(1024, COLUMNS))


def zipped(file, folder):
    file.create_dataset(
        "states", (2**26, COLUMNS), dtype="f8", chunks=(2**20, COLUMNS), compression="gzip", fillvalue=1.0
    )


HOSTILE = {
    "npz of objects as states": npz_of_objects,
    "npz of objects as times": lambda folder: npz_of_objects(folder, "t"),
    "npz of objects as attributes": lambda folder: npz_of_objects(folder, "attributes"),
    "npz of objects in a name unknown": lambda folder: npz_of_objects(folder, "extra"),
    "pickle as npz": lambda folder: (folder / "own" / "d.npz").write_bytes(pickled(folder)),
    "pickle as nc": lambda folder: (folder / "own" / "d.nc").write_bytes(pickled(folder)),
    "npz that claims 10^12 numbers": lambda folder: npz_that_claims(folder, "(1000000, 1000, 1000)"),
    "npz that claims more than there are": lambda folder: npz_that_claims(folder, f"({2**62}, 4, 4)"),
    "npz that claims negative sizes": lambda folder: npz_that_claims(folder, "(-1, 4, 4)"),
    "npz bomb": npz_bomb,
    "zarr 2 with a pickle filter": lambda folder: zarr_2(folder, dtype="|O", filters=[{"id": "pickle"}]),
    "zarr 2 with a pickle compressor": lambda folder: zarr_2(folder, dtype="|O", compressor={"id": "pickle"}),
    "zarr 2 of objects": lambda folder: zarr_2(folder, dtype="|O"),
    "zarr with a chunk that is a link": lambda folder: zarr_with(
        folder, lambda p: (no_compression(p), linked_chunk(p))
    ),
    "zarr with an array that is a link": lambda folder: zarr_with(folder, linked_array),
    "zarr with a fifo as chunk": lambda folder: zarr_with(folder, fifo_instead_of("states/c/0/0")),
    "zarr with a fifo as metadata": lambda folder: zarr_with(folder, fifo_instead_of("zarr.json")),
    "zarr with a fifo as metadata of an array": lambda folder: zarr_with(folder, fifo_instead_of("t/zarr.json")),
    "zarr of 10^12 snapshots": lambda folder: zarr_claiming(folder, 10**12, 1024),
    "zarr of one chunk of 10^12": lambda folder: zarr_claiming(folder, 10**12, 10**12),
    "nc with external storage": lambda folder: nc_with(folder, external_storage),
    "nc with an external link": lambda folder: nc_with(folder, external_link),
    "nc with an external link to a fifo": lambda folder: nc_with(folder, link_to_fifo),
    "nc with a virtual dataset": lambda folder: nc_with(folder, virtual),
    "nc with a link that is not needed": lambda folder: nc_with(folder, linked_attribute_group, ()),
    "nc of references": lambda folder: nc_with(folder, references),
    "nc of 10^12 snapshots": lambda folder: nc_with(folder, claimed),
    "nc of 2^26 unwritten snapshots": lambda folder: nc_with(folder, zipped),
}
