"""Data files with something wrong in them, made from (arrays, words) of a table, in each of the three formats."""

import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from extras import extra

h5py = extra("h5py")

N, T, D = 3, 5, 2
STATES = np.cos(np.arange(N * T * D, dtype=float)).reshape(N, T, D)
TIME = np.arange(T, dtype=float)
GOOD = {"states": STATES, "t": TIME}
FLAT = {"states": STATES.reshape(-1, D), "t": np.tile(TIME, N), "lengths": np.full(N, T)}


def _with_nan(array: np.ndarray, value: float = np.nan) -> np.ndarray:
    found = array.copy()
    found.flat[3] = value
    return found


ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "states"),
    "no states": ({"t": TIME}, "states"),
    "no times": ({"states": STATES}, "t"),
    "states of another name": ({"x": STATES, "t": TIME}, "states"),
    "times of another name": ({"states": STATES, "time": TIME}, "t"),
    "complex states": ({**GOOD, "states": STATES + 0j}, "states, complex"),
    "complex states that are not real": ({**GOOD, "states": STATES + 1j}, "states, complex"),
    "boolean states": ({**GOOD, "states": STATES > 0}, "states, bool"),
    "states of text": ({**GOOD, "states": STATES.astype("S8")}, "numbers"),
    "a number as states": ({**GOOD, "states": np.float64(3.0)}, "states"),
    "a vector as states": ({**GOOD, "states": STATES[:, 0, 0]}, "states"),
    "states of rank 4": ({**GOOD, "states": STATES[None]}, "states"),
    "no trajectory": ({**GOOD, "states": STATES[:0]}, "states, empty"),
    "no snapshot": ({"states": STATES[:, :0], "t": TIME[:0]}, "states, empty"),
    "no component": ({**GOOD, "states": STATES[:, :, :0]}, "states, empty"),
    "nan in states": ({**GOOD, "states": _with_nan(STATES)}, "states, finite"),
    "infinite states": ({**GOOD, "states": _with_nan(STATES, np.inf)}, "states, finite"),
    "too few times": ({**GOOD, "t": TIME[:-1]}, "t"),
    "too many times": ({**GOOD, "t": np.arange(T + 1.0)}, "t"),
    "times of rank 2": ({**GOOD, "t": TIME[None]}, "t"),
    "one number as times": ({**GOOD, "t": np.float64(1.0)}, "t"),
    "decreasing times": ({**GOOD, "t": TIME[::-1].copy()}, "t, increasing"),
    "equal times": ({**GOOD, "t": 0 * TIME}, "t, increasing"),
    "nan in times": ({**GOOD, "t": _with_nan(TIME)}, "t, finite"),
    "infinite time": ({**GOOD, "t": _with_nan(TIME, np.inf)}, "t, finite"),
    "complex times": ({**GOOD, "t": TIME + 0j}, "t, complex"),
    "boolean times": ({**GOOD, "t": TIME > 2}, "t, bool"),
    "times of text": ({**GOOD, "t": TIME.astype("S8")}, "numbers"),
    "velocities of another shape": ({**GOOD, "velocities": STATES[:, :-1]}, "velocities"),
    "velocities of another rank": ({**GOOD, "velocities": STATES[0]}, "velocities"),
    "complex velocities": ({**GOOD, "velocities": STATES + 0j}, "velocities, complex"),
    "boolean velocities": ({**GOOD, "velocities": STATES > 0}, "velocities, bool"),
    "nan in velocities": ({**GOOD, "velocities": _with_nan(STATES)}, "velocities, finite"),
    "too few parameters": ({**GOOD, "parameter_a": np.ones(N - 1)}, "parameter, a"),
    "parameters of rank 2": ({**GOOD, "parameter_a": np.ones((N, 2))}, "parameter, a"),
    "a parameter for all": ({**GOOD, "parameter_a": np.float64(1.0)}, "parameter, a"),
    "nan in parameters": ({**GOOD, "parameter_a": _with_nan(np.ones(N + 1))[:N] * np.nan}, "parameter, a, finite"),
    "complex parameters": ({**GOOD, "parameter_a": np.ones(N) + 0j}, "parameter, a"),
    "boolean parameters": ({**GOOD, "parameter_a": np.ones(N) > 0}, "parameter, a"),
    "parameters of text": ({**GOOD, "parameter_a": np.array(["a"] * N, dtype="S1")}, "numbers"),
    "lengths of a wrong sum": ({**FLAT, "lengths": np.array([5, 5, 4])}, "lengths"),
    "negative lengths": ({**FLAT, "lengths": np.array([20, -10, 5])}, "lengths"),
    "a length of zero": ({**FLAT, "lengths": np.array([10, 0, 5])}, "lengths"),
    "lengths with a half": ({**FLAT, "lengths": np.array([5.5, 4.5, 5.0])}, "lengths"),
    "nan in lengths": ({**FLAT, "lengths": np.array([5.0, np.nan, 5.0])}, "lengths"),
    "infinite lengths": ({**FLAT, "lengths": np.array([5.0, np.inf, 5.0])}, "lengths"),
    "complex lengths": ({**FLAT, "lengths": np.full(N, T) + 0j}, "lengths"),
    "boolean lengths": ({**FLAT, "lengths": np.ones(15, dtype=bool)}, "lengths"),
    "lengths of text": ({**FLAT, "lengths": np.array(["5"] * N, dtype="S1")}, ""),
    "lengths of rank 2": ({**FLAT, "lengths": np.full((N, 1), T)}, "lengths"),
    "huge lengths": ({**FLAT, "lengths": np.array([2**62, 2**62, 2**62])}, "lengths"),
    "no lengths": ({"states": FLAT["states"], "t": FLAT["t"]}, "t"),
    "too few times for flat states": ({**FLAT, "t": TIME}, "t"),
    "flat times that decrease": ({**FLAT, "t": FLAT["t"][::-1].copy()}, "t, increasing"),
}
FILLERS: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("t,x,y\n0,1,2\n"),
    "zeros": lambda path: path.write_bytes(bytes(4096)),
    "json": lambda path: path.write_text('{"states": [[1, 2]]}'),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(GOOD)),
    "an .npy": lambda path: np.save(path.open("wb"), STATES),
    "an .npz": lambda path: np.savez(path.open("wb"), **GOOD),
    "an HDF5 file": lambda path: write_nc(path, GOOD),
    "a zip archive of text": lambda path: zipfile.ZipFile(path, "w").writestr("states.npy", "text"),
    "html": lambda path: path.write_text("<html><body>Not Found</body></html>"),
    "an empty folder": lambda path: path.mkdir(),
    "a folder of files": lambda path: (path.mkdir(), (path / "states.csv").write_text("1,2\n")),
    "a fifo": os.mkfifo,
    "a broken link": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}
FITTING = {("an .npz", ".npz"), ("an HDF5 file", ".nc")}


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    """As NumPy writes them."""
    np.savez(path, **arrays)


def write_zarr(path: Path, arrays: dict[str, Any]) -> None:
    """As zarr writes them, with names of dimensions."""
    group = zarr.create_group(path, zarr_format=3)
    for name, value in arrays.items():
        value = np.asarray(value)
        names = [f"{name}_{i}" for i in range(value.ndim)]
        group.create_array(name, data=value, chunks=tuple(max(1, n) for n in value.shape), dimension_names=names)


def write_nc(path: Path, arrays: dict[str, Any]) -> None:
    """As h5py writes them, without dimension scales."""
    with h5py.File(path, "w") as file:
        for name, value in arrays.items():
            file[name] = value


WRITERS = {".npz": write_npz, ".zarr": write_zarr, ".nc": write_nc}


def _attributes(path: Path, text: str) -> None:
    if path.suffix == ".npz":
        np.savez(path, attributes=text, **GOOD)
        return
    WRITERS[path.suffix](path, FLAT)
    if path.suffix == ".nc":
        with h5py.File(path, "a") as file:
            file.attrs["dynred_attributes"] = text
    else:
        zarr.open_group(path, mode="a").attrs["dynred_attributes"] = text


ATTRIBUTES = {
    "attributes that are no JSON": "{",
    "attributes that are a list": "[1]",
    "attributes that are nested deeply": '{"a":' * 100_000,
}


def cases() -> Iterator[tuple[str, str, Callable[[Path], Any], tuple[str, ...]]]:
    """(name, suffix, how to make it, words of the refusal)."""
    for suffix, write in WRITERS.items():
        for name, (arrays, words) in ARRAYS.items():
            yield name, suffix, lambda path, w=write, a=arrays: w(path, a), tuple(words.split(", "))
        for name, fill in FILLERS.items():
            if (name, suffix) not in FITTING:
                yield name, suffix, fill, ("data" + suffix,)
        for name, text in ATTRIBUTES.items():
            yield name, suffix, lambda path, t=text: _attributes(path, t), ("attributes",)
