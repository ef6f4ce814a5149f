"""Looks at a data file before any library opens it: reading data runs no code, reads no other file, does not hang, and
does not fill memory.

It refuses links out of the file, objects that would have to be unpickled, codecs that are not known to be harmless,
pipes and devices. It also refuses arrays that are declared much larger than the file or than memory.
"""

import importlib
import math
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dynred.data.seal import check_seal
from dynred.errors import DynredError, FileFormatError, MissingExtraError
from dynred.files import parse_json, read_bytes
from dynred.memory import check_memory

SUFFIXES = (".zarr", ".npz", ".nc")  # of the files that dynred writes
LARGEST_METADATA = 2**24  # bytes of one JSON file in a .zarr folder
ALLOWED_RATIO, FREE = 200, 2**30  # measured numbers compress 5 times at most; below a GB one may try
COPIES = 2.0  # memory that reading takes, in units of the declared size
ZARR_CODECS = {"bytes", "transpose", "zstd", "gzip", "blosc", "crc32c", "sharding_indexed"}
ZARR_CODECS |= {f"numcodecs.{name}" for name in ("zlib", "bz2", "lzma", "lz4", "zstd", "blosc", "shuffle", "delta")}
ZARR_FILTERS = {"zlib", "gzip", "bz2", "lzma", "lz4", "zstd", "blosc", "shuffle", "delta", "fixedscaleoffset"}
ZARR_FILTERS |= {"crc32", "crc32c", "adler32", "fletcher32", "bitround", "quantize"}
# Deflate, shuffle, fletcher32, szip, nbit, scaleoffset, lzf: h5py has them all.
HDF5_FILTERS = {1, 2, 3, 4, 5, 6, 32000}


def wanted(name: str) -> bool:
    """Whether an array of this name is a part of trajectories."""
    return name in ("states", "t", "lengths", "velocities") or name.startswith(("parameter_", "input_"))


def screen(path: Path) -> int:
    """Checks a data file, and adds up the declared sizes of the arrays of trajectories in it, in bytes.

    Args:
        path: a file or folder whose suffix is one of `SUFFIXES`.

    Raises:
        FileFormatError: the file is missing, of another kind, or holds something that only an attack needs.
        MissingExtraError: .nc without the `netcdf` extra.
    """
    check_there(path, folder=path.suffix == ".zarr")
    try:
        return sum(size for name, size in sizes(path).items() if wanted(name))
    except DynredError:
        raise
    except PermissionError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # whatever a broken file does to the library that reads it
        raise FileFormatError(f"{path} is empty, truncated or no {path.suffix} file: {error}") from error


def check_there(path: Path, *, folder: bool) -> None:
    """Refuses a path where there is no file, or no folder.

    Raises:
        FileFormatError: nothing is there, or something else, such as a pipe.
    """
    kind = "folder" if folder else "file"
    try:
        if not os.path.lexists(path):
            raise FileFormatError(f"{path} does not exist.")
        if not (path.is_dir() if folder else path.is_file()):
            raise FileFormatError(f"{path} is no {kind}.")
    except PermissionError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a name with a null character
        raise FileFormatError(f"{path} is no {kind}: {error}") from error


def sizes(path: Path) -> dict[str, int]:
    """The declared size in bytes of every array of a .zarr, .npz or HDF5 file by its path, after a look at how arrays
    are kept.

    Raises:
        FileFormatError: the file holds something that only an attack needs.
        MissingExtraError: HDF5 without the `netcdf` extra.
    """
    return {".zarr": _zarr, ".npz": _npz}.get(path.suffix.lower(), _hdf5)(path)


def check_size(path: Path, declared: int) -> None:
    """Refuses a data file that is too large to be read as a whole; `declared` is what `screen` gives.

    Raises:
        FileFormatError: its arrays are declared much larger than the file.
        InputError: they need more memory than there is.
    """
    check_claim(path, declared)
    check_memory(f"Reading {path}", int(COPIES * declared))


def check_claim(path: Path, declared: int) -> None:
    """Refuses a file whose arrays are declared much larger than the file is.

    Raises:
        FileFormatError: they are.
    """
    size = _size(path)
    if declared > FREE and declared > ALLOWED_RATIO * size:
        raise FileFormatError(f"{path} claims to hold arrays of {declared} bytes, but has only {size} bytes.")


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _refused(path: Path, what: str) -> FileFormatError:
    return FileFormatError(f"{path} holds {what}: it is not read, as that could run code or read other files.")


# -- npz --------------------------------------------------------------------------------------------------------------


def _npz(path: Path) -> dict[str, int]:
    if not zipfile.is_zipfile(path):
        raise FileFormatError(f"{path} is empty, truncated or no .npz file: no zip archive")
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        return {info.filename.removesuffix(".npy"): _member(path, archive, info) for info in members}


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    with archive.open(info) as opened:
        version = np.lib.format.read_magic(opened)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(opened)
        if dtype.hasobject:
            raise _refused(path, f"Python objects in {info.filename}")
        size = math.prod(shape) * dtype.itemsize
        if size != info.file_size - opened.tell():
            claim = f"{info.filename} claims {size} bytes, but has {info.file_size - opened.tell()}"
            raise FileFormatError(f"{path} is truncated or was changed: {claim}.")
        return size


# -- zarr -------------------------------------------------------------------------------------------------------------


def _zarr(path: Path) -> dict[str, int]:
    declared: dict[str, int] = {}
    for file in _files(path, path):
        if file.name in ("zarr.json", ".zarray"):
            metadata = parse_json(read_bytes(file, LARGEST_METADATA), str(file))
            if not isinstance(metadata, dict):
                raise FileFormatError(f"{file} must hold a JSON object, got a {type(metadata).__name__}.")
            name = file.parent.relative_to(path).as_posix()
            if file.name == ".zarray":
                declared[name] = _array_of_format_2(path, metadata)
            elif metadata.get("node_type") == "array":
                declared[name] = _array_of_format_3(path, metadata)
    return declared


def _files(path: Path, folder: Path) -> Iterator[Path]:
    """The files of a folder and of the folders in it; a link, pipe or device is refused."""
    with os.scandir(folder) as entries:
        for entry in entries:
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                yield from _files(path, Path(entry.path))
            elif stat.S_ISREG(mode):
                yield Path(entry.path)
            else:
                raise _refused(path, f"the link, pipe or device {Path(entry.path).relative_to(path)}")


def _array_of_format_3(path: Path, metadata: Mapping[str, Any]) -> int:
    _check_codecs(path, metadata.get("codecs", []))
    if metadata.get("storage_transformers"):
        raise _refused(path, "arrays that are kept elsewhere (storage transformers)")
    kind = metadata["data_type"]
    if not isinstance(kind, str) or not hasattr(np, kind) or kind.startswith("o"):
        raise FileFormatError(f"{path} must hold arrays of numbers, got data type {kind!r}.")
    grid = metadata["chunk_grid"]["configuration"]["chunk_shape"]
    return max(_product(metadata["shape"]), _product(grid)) * np.dtype(kind).itemsize


def _array_of_format_2(path: Path, metadata: Mapping[str, Any]) -> int:
    used = [*(metadata.get("filters") or []), *([metadata["compressor"]] if metadata.get("compressor") else [])]
    names = {str(codec.get("id")) if isinstance(codec, dict) else str(codec) for codec in used}
    if unknown := sorted(names - ZARR_FILTERS):
        raise _refused(path, f"codecs that are not known to be harmless ({', '.join(unknown)})")
    if not isinstance(metadata["dtype"], str) or np.dtype(metadata["dtype"]).hasobject:
        raise _refused(path, "Python objects")
    return max(_product(metadata["shape"]), _product(metadata["chunks"])) * np.dtype(metadata["dtype"]).itemsize


def _check_codecs(path: Path, codecs: Iterable[Any]) -> None:
    for codec in codecs:
        name = codec.get("name") if isinstance(codec, dict) else codec
        if name not in ZARR_CODECS:
            raise _refused(path, f"codecs that are not known to be harmless ({name})")
        inner = codec.get("configuration") or {} if isinstance(codec, dict) else {}
        _check_codecs(path, [*inner.get("codecs", []), *inner.get("index_codecs", [])])


def _product(shape: Iterable[Any]) -> int:
    sizes = list(shape)
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise FileFormatError(f"the shape of an array must be of integers >= 0, got {sizes}")
    return math.prod(sizes)


# -- HDF5 -------------------------------------------------------------------------------------------------------------


def need_netcdf() -> Any:
    """The module h5py.

    Raises:
        MissingExtraError: h5py or h5netcdf is not installed.
    """
    try:
        importlib.import_module("h5netcdf")
        return importlib.import_module("h5py")
    except ImportError as error:
        raise MissingExtraError(
            "HDF5 and NetCDF need an extra that is not installed: pip install 'dynred[netcdf]'."
        ) from error


def _hdf5(path: Path) -> dict[str, int]:
    h5py = need_netcdf()
    check_seal(path)
    with h5py.File(path, "r") as opened:
        declared: dict[str, int] = {}
        _group(path, h5py, opened, declared, set())
        return declared


def _group(path: Path, h5py: Any, group: Any, declared: dict[str, int], seen: set[Any], above: str = "") -> None:
    """Adds the sizes of a group's arrays to `declared`, by path; looks at every link before it follows it.

    A group may hold itself, so `seen` has all objects that were visited.
    """
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise _refused(path, f"the link {name} to something outside")
        child = group[name]
        if child in seen:
            continue
        seen.add(child)
        if isinstance(child, h5py.Group):
            _group(path, h5py, child, declared, seen, f"{above}{name}/")
        elif isinstance(child, h5py.Dataset):
            declared[f"{above}{name}"] = _dataset(path, name, child)


def _dataset(path: Path, name: str, dataset: Any) -> int:
    if dataset.external or dataset.is_virtual:
        raise _refused(path, f"the array {name}, which is kept in other files")
    creation = dataset.id.get_create_plist()
    filters = {creation.get_filter(i)[0] for i in range(creation.get_nfilters())}
    if filters - HDF5_FILTERS:
        raise _refused(path, f"filters that are not known to be harmless ({sorted(filters - HDF5_FILTERS)})")
    values = max(math.prod(dataset.shape or ()), math.prod(dataset.chunks or ()))
    return values * dataset.dtype.itemsize
