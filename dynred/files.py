"""Writing files so that a reader never sees half of one, and reading tensors without unpickling anything."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from dynred.errors import FileFormatError


@contextlib.contextmanager
def moved_into_place(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; what was written there (a file or a folder) replaces `path` on success.

    On an error the temporary is removed and `path` stays as it was. Missing parent folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield folder / path.name
        if path.is_dir():
            # os.replace cannot replace a folder that is not empty; the old one steps aside first.
            os.replace(path, folder / f"{path.name}.old")
        os.replace(folder / path.name, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Writes UTF-8 text, moved into place."""
    with moved_into_place(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, data: object) -> None:
    """Writes JSON with two spaces of indent, moved into place. Non-finite numbers are refused: write None instead."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """The content of a JSON file.

    Raises:
        FileFormatError: missing, or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileFormatError(f"{path} does not exist.") from error
    except ValueError as error:
        raise FileFormatError(f"{path} is not valid JSON: {error}.") from error


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Writes tensors and JSON metadata as one safetensors file, moved into place."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"dynred": json.dumps(metadata, allow_nan=False)}
    with moved_into_place(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(plain, metadata=header))


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a file that `write_tensors` wrote.

    Raises:
        FileFormatError: missing, truncated, not safetensors, or written by something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(f"{path} does not exist.")
    try:
        with safetensors.safe_open(path, framework="pt") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
    except Exception as error:
        raise FileFormatError(f"{path} is truncated or not a safetensors file: {error}.") from error
    if "dynred" not in header:
        raise FileFormatError(f"{path} was not written by dynred: its metadata has no entry `dynred`.")
    return tensors, json.loads(header["dynred"])
