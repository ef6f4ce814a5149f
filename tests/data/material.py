"""The same trajectories, as the libraries of each kind of file write them."""

import numpy as np
import pandas
import scipy.io
import xarray
import zarr
from extras import extra

h5py = extra("h5py")

NAMES = ("x", "y", "z")
T = np.linspace(0, 3, 25)


def cells(arrays):
    """Arrays as MATLAB's cell array."""
    content = np.empty(len(arrays), dtype=object)
    content[:] = arrays
    return content


def uneven(seed=0):
    """States and times of four trajectories of 25, 25, 18 and 21 snapshots in three dimensions: decaying spirals in a
    plane."""
    draw = np.random.default_rng(seed)
    plane = draw.normal(size=(2, 3))
    phases = draw.uniform(0, 6, 4)
    lengths = (25, 25, 18, 21)
    times = [T[:length].copy() for length in lengths]
    states = [
        np.exp(-0.1 * t)[:, None] * np.stack([np.cos(t + a), np.sin(t + a)], -1) @ plane
        for t, a in zip(times, phases, strict=True)
    ]
    return states, times


def even(seed=0):
    """The first two of these: states [2, 25, 3] on one grid of times [25]."""
    states, _ = uneven(seed)
    return np.stack(states[:2]), T.copy()


def frame(states, times):
    """Rows of a table: time, name of the trajectory, and the components."""
    parts = [
        pandas.DataFrame(x, columns=list(NAMES)).assign(time=t, run=f"run {i}")
        for i, (x, t) in enumerate(zip(states, times, strict=True))
    ]
    return pandas.concat(parts)[["run", "time", *NAMES]]


def dataset(states, t):
    """A field on three points for each member."""
    variables = {"u": (("member", "time", "x"), states)}
    return xarray.Dataset(variables, {"time": t, "x": [0.0, 0.5, 1.0], "member": [3, 7]})


def write_plain_hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, value in arrays.items():
            file[name] = value


def write_new_mat(path, **arrays):
    """As MATLAB's version 7.3: HDF5 behind a head of 512 bytes, columns first."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in arrays.items():
            if isinstance(value, list):
                hidden = file.require_group("#refs#")
                references = [hidden.create_dataset(f"{name}{i}", data=x.T).ref for i, x in enumerate(value)]
                cell = file.create_dataset(name, (1, len(value)), h5py.ref_dtype)
                cell[0, :] = references
                cell.attrs["MATLAB_class"] = np.bytes_("cell")
            else:
                file.create_dataset(name, data=np.atleast_2d(value).T if value.ndim < 2 else value.T)
    with path.open("r+b") as opened:
        opened.write(b"MATLAB 7.3 MAT-file")


def write_plain_zarr(path, **arrays):
    group = zarr.create_group(path)
    for name, value in arrays.items():
        group.create_array(name, data=value)


def write_groups(path, states, times):
    """One group of HDF5 for each trajectory."""
    with h5py.File(path, "w") as file:
        for i, (x, t) in enumerate(zip(states, times, strict=True)):
            file[f"run{i}/position"], file[f"run{i}/t"] = x, t


EVEN = {
    "any.npz": lambda path, x, t: np.savez(path, snapshots=x, time=t),
    "compressed.npz": lambda path, x, t: np.savez_compressed(path, X=x, t=t, Re=100.0),
    "arrays.mat": lambda path, x, t: scipy.io.savemat(path, {"X": x, "t": t}),
    "compressed.mat": lambda path, x, t: scipy.io.savemat(path, {"X": x, "t": t}, do_compression=True),
    "structure.mat": lambda path, x, t: scipy.io.savemat(path, {"data": {"X": x, "t": t, "note": "mine"}}),
    "new.mat": lambda path, x, t: write_new_mat(path, X=x, t=t),
    "plain.h5": lambda path, x, t: write_plain_hdf5(path, **{"run/X": x, "run/t": t}),
    "named.nc": lambda path, x, t: dataset(x, t).to_netcdf(path, engine="h5netcdf"),
    "classic.nc": lambda path, x, t: dataset(x, t).to_netcdf(path, engine="scipy"),
    "named.zarr": lambda path, x, t: dataset(x, t).to_zarr(path, consolidated=False),
    "format2.zarr": lambda path, x, t: dataset(x, t).to_zarr(path, zarr_format=2, consolidated=False),
    "plain.zarr": lambda path, x, t: write_plain_zarr(path, X=x, t=t),
}
UNEVEN = {
    "table.csv": lambda path, x, t: frame(x, t).to_csv(path, index=False),
    "index.csv": lambda path, x, t: frame(x, t).reset_index(drop=True).to_csv(path),
    "table.tsv": lambda path, x, t: frame(x, t).to_csv(path, sep="\t", index=False),
    "german.csv": lambda path, x, t: frame(x, t).to_csv(path, sep=";", decimal=",", index=False),
    "table.parquet": lambda path, x, t: frame(x, t).to_parquet(path),
    "index.parquet": lambda path, x, t: frame(x, t).set_index(["run", "time"]).to_parquet(path),
    "cells.mat": lambda path, x, t: scipy.io.savemat(path, {"X": cells(x), "t": cells(t)}),
    "columns.mat": lambda path, x, t: scipy.io.savemat(path, {"X": cells([a.T for a in x]), "t": cells(t)}),
    "times_beside.mat": lambda path, x, t: scipy.io.savemat(
        path, {"data": np.stack([cells(t), cells([a.T for a in x])], 1)}
    ),
    "new_cells.mat": lambda path, x, t: write_new_mat(path, X=list(x), t=list(t)),
    "groups.h5": write_groups,
    "flat.h5": lambda path, x, t: write_plain_hdf5(
        path, states=np.concatenate(x), t=np.concatenate(t), lengths=[len(s) for s in t]
    ),
}
