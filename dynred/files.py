"""Writing and reading files. A reader never sees half of a file; nothing is replaced that dynred did not write; reading
unpickles nothing and notices changes."""

import contextlib
import glob
import hashlib
import json
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import safetensors
import safetensors.torch
import torch
from jaxtyping import Shaped
from torch import Tensor

from dynred.checks import path_given, refuse
from dynred.errors import FileFormatError

PREFIX = ".dynred-"  # of the folders in which files are written before they are moved into place
LONGEST_NAME = 255  # bytes of one name on every file system in use
LONGEST_PATH = 4000  # bytes of a path, absolute; Linux takes 4,096, and temporary names are longer
LARGEST_JSON = 2**26  # bytes; the largest that dynred writes, of a model with 20,000 components, has 2 MB
CHECKSUM = "sha256"
GENERATOR = b'<meta name="generator" content="dynred">'  # in the head of every page

# -- where something may be written -----------------------------------------------------------------------------------


def check_target(argument: str, path: str | Path, ours: Callable[[Path], bool] | None = None) -> Path:
    """The path, if dynred can write there and the user would lose nothing.

    The check is cheap: callers make it before they compute anything.

    Args:
        argument: the name of the path in messages.
        path: the file or folder to write, which may exist or not; missing parents will be made.
        ours: says whether what exists at the path may be replaced: dynred wrote it, and it is of the kind to be
            written. With None, nothing may exist there.

    Raises:
        InputError: the name is impossible, a parent is a file or cannot be written to, or something exists there that
            may not be replaced.
    """
    path = path_given(argument, path)
    if long := next((part for part in path.parts if len(os.fsencode(part)) > LONGEST_NAME), None):
        raise refuse(argument, f"a path of names of at most {LONGEST_NAME} bytes", f"one of {len(os.fsencode(long))}")
    if len(os.fsencode(path.absolute())) > LONGEST_PATH:
        raise refuse(argument, f"a path of at most {LONGEST_PATH} bytes", len(os.fsencode(path.absolute())))
    try:
        exists = os.path.lexists(path)
        parent = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
        if not parent.is_dir():
            raise refuse(argument, "in a folder", f"{path}, but {parent} is a file")
        check_writable(argument, parent)
        if exists and not (path.is_file() or path.is_dir()):
            raise refuse(argument, "a file or a folder", f"{path}, which is neither")
        if exists and not (ours is not None and ours(path)):
            kind = "folder" if path.is_dir() else "file"
            raise refuse(
                argument, "a new path", f"the {kind} {path}, which dynred did not write", "Nothing was changed."
            )
    except OSError as error:
        if isinstance(error, FileFormatError):
            raise
        raise refuse(argument, "a path that can be written to", f"{path}: {error.strerror or error}") from error
    return path


def check_writable(argument: str, folder: Path) -> None:
    """Refuses a folder in which no file can be made. The check leaves nothing there, even if it is killed.

    Raises:
        InputError: no file can be made there; the message says why.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise refuse(argument, "in a folder that can be written to", f"{folder}: {error.strerror}") from error


@contextlib.contextmanager
def moved_into_place(path: str | Path, ours: Callable[[Path], bool] | None = None) -> Iterator[Path]:
    """Gives a temporary path beside `path`. The file or folder that the block writes there replaces `path` at its end.

    If the block raises an error, the temporary is removed and `path` stays as it was. Missing parent folders are made.

    Args:
        path: the final path.
        ours: as for `check_target`.

    Raises:
        InputError: as `check_target`.
    """
    path = check_target("path", path, ours)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{_mine()}{os.getpid()}-", dir=path.parent))
    try:
        yield folder / path.name
        if path.is_dir():
            # os.replace cannot replace a folder that is not empty; the old one steps aside first.
            os.replace(path, folder / "replaced")
        os.replace(folder / path.name, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _mine() -> str:
    return f"{PREFIX}{platform.node()}-"


def _sweep(folder: Path) -> None:
    """Removes the temporary folders that killed processes of this machine left."""
    for leftover in folder.glob(f"{glob.escape(_mine())}*"):
        pid = leftover.name.removeprefix(_mine()).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(leftover, ignore_errors=True)


# -- text and JSON ----------------------------------------------------------------------------------------------------


def write_text(path: str | Path, text: str, ours: Callable[[Path], bool] | None = None) -> None:
    """Writes UTF-8 text, moved into place; `ours` as for `check_target`."""
    with moved_into_place(path, ours) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, data: Mapping[str, Any], ours: Callable[[Path], bool] | None = None) -> None:
    """Writes a JSON object with two spaces of indent and its checksum as last entry, moved into place.

    Numbers that are not finite are refused: write None instead. `ours` is that of `check_target`; by default a JSON
    object that holds its own checksum may be replaced.
    """
    marked = {**data, CHECKSUM: checksum(data)}
    write_text(path, json.dumps(marked, indent=2, allow_nan=False) + "\n", ours or is_json)


def read_json(path: str | Path) -> dict[str, Any]:
    """The JSON object in a file, without its checksum.

    Raises:
        FileFormatError: the file is missing, unreadable, no JSON object, or was changed since dynred wrote it.
    """
    data = parse_json(read_bytes(path, LARGEST_JSON), str(path))
    if not isinstance(data, dict):
        raise FileFormatError(f"{path} must hold a JSON object, got a {type(data).__name__}.")
    stored = data.pop(CHECKSUM, None)  # files of earlier versions have none
    if stored is not None and stored != checksum(data):
        raise FileFormatError(
            f"{path} was changed or damaged after dynred wrote it: its checksum is not that of its content."
        )
    return data


def parse_json(text: bytes | str, name: str) -> Any:
    """The data in JSON text; all numbers in it are finite. `name` says in messages what the text is.

    Raises:
        FileFormatError: the text is not JSON, nested too deeply, or holds a number that is not finite.
    """
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite_number)
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else error
        raise FileFormatError(f"{name} is not valid JSON: {what}.") from error


def read_bytes(path: str | Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes.

    Raises:
        FileFormatError: the file is missing, no regular file, too large, or unreadable.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise FileFormatError(f"{path} does not exist.")
        if not path.is_file():
            raise FileFormatError(f"{path} is no file.")
        if path.stat().st_size > most:
            raise FileFormatError(f"{path} must have at most {most} bytes, got {path.stat().st_size}.")
        return path.read_bytes()
    except FileFormatError:
        raise
    except (OSError, ValueError) as error:  # ValueError: NUL in a path
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileFormatError(f"{path} cannot be read: {reason}.") from error


def is_json(path: Path) -> bool:
    """Whether a file is a JSON object that dynred wrote, unchanged."""
    try:
        data = parse_json(read_bytes(path, LARGEST_JSON), str(path))
    except FileFormatError:
        return False
    return isinstance(data, dict) and data.pop(CHECKSUM, None) == checksum(data)


def checksum(data: Mapping[str, Any]) -> str:
    """SHA-256 of plain JSON data; the order of entries does not matter."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite_number(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


# -- pages ------------------------------------------------------------------------------------------------------------


def is_page(path: Path) -> bool:
    """Whether a file is an HTML page that dynred wrote."""
    try:
        with path.open("rb") as opened:
            return GENERATOR in opened.read(1000)
    except OSError:
        return False


# -- tensors ----------------------------------------------------------------------------------------------------------


def write_tensors(path: str | Path, tensors: Mapping[str, Shaped[Tensor, "..."]], metadata: Mapping[str, Any]) -> None:
    """Writes tensors and JSON metadata, with a checksum of both, as one safetensors file, moved into place."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(metadata, allow_nan=False)
    header = {"dynred": text, CHECKSUM: _tensor_checksum(plain, text)}
    content = memoryview(safetensors.torch.save(plain, metadata=header))
    start, rest = _in_order(content)
    with moved_into_place(path, is_tensors) as temporary, temporary.open("wb") as file:
        file.write(start)
        file.write(rest)


def read_tensors(path: str | Path) -> tuple[dict[str, Shaped[Tensor, "..."]], dict[str, Any]]:
    """Tensors and metadata of a file that `write_tensors` wrote.

    Raises:
        FileFormatError: the file is missing, truncated, no safetensors file, was not written by dynred, or was changed
            since.
    """
    path = Path(path)
    header = _header(path)
    if "dynred" not in header:
        raise FileFormatError(f"{path} was not written by dynred: its metadata has no entry `dynred`.")
    metadata = parse_json(header["dynred"], f"The metadata of {path}")
    if not isinstance(metadata, dict):
        raise FileFormatError(f"{path} was not written by dynred: its metadata is no object.")
    try:
        with safetensors.safe_open(path, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
    except Exception as error:
        raise FileFormatError(f"{path} is truncated or not a safetensors file: {error}.") from error
    if CHECKSUM in header and header[CHECKSUM] != _tensor_checksum(tensors, header["dynred"]):
        raise FileFormatError(
            f"{path} was changed or damaged after dynred wrote it: its checksum is not that of its content."
        )
    return tensors, metadata


def _in_order(content: memoryview) -> tuple[bytes, memoryview]:
    """The header of a safetensors file with its metadata sorted, and what follows: the same content gives the same
    bytes. The library writes metadata in any order.

    The header is JSON after its size in eight bytes, filled with spaces to a multiple of eight bytes
    (https://github.com/huggingface/safetensors, "Format").
    """
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(bytes(content[8:end]))
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, content[end:]


def is_tensors(path: Path) -> bool:
    """Whether a file is one that `write_tensors` wrote."""
    try:
        return "dynred" in _header(path)
    except FileFormatError:
        return False


def _header(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise FileFormatError(f"{path} is no file." if path.exists() else f"{path} does not exist.")
    try:
        path.open("rb").close()  # safetensors would report a file that may not be read as missing
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        with safetensors.safe_open(path, framework="pt") as opened:
            return opened.metadata() or {}
    except Exception as error:
        raise FileFormatError(f"{path} is truncated or not a safetensors file: {error}.") from error


def _tensor_checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    content = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        content.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        content.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return content.hexdigest()
