"""The contract of readers."""

from collections.abc import Iterator
from pathlib import Path

import torch

from dynred.data.content import NamedArray
from dynred.data.readers.base import Reader
from dynred.data.reading import ReadingSpec
from dynred.data.trajectories import Trajectories
from dynred.errors import FileFormatError
from dynred.testing.claims import claims


def check_reader(reader: Reader, path: str | Path, expected: Trajectories, reading: ReadingSpec | None = None) -> None:
    """Checks that a reader gives what a file holds, says what its arrays are before it loads them, and leaves the file
    alone.

    Args:
        reader: the reader.
        path: a file that it reads, made by the program whose files these are.
        expected: the trajectories in the file.
        reading: what cannot be guessed of the file.

    Raises:
        AssertionError: a claim of the contract does not hold; the message says which.
    """
    claim = claims(type(reader).__name__)
    path, reading = Path(path), reading or ReadingSpec()
    suffixed = bool(reader.suffixes) and all(suffix.startswith(".") for suffix in reader.suffixes)
    claim(suffixed, "suffixes must be one or more texts that begin with a dot.")
    before = _content(path)
    trajectories = Trajectories(**reader.read(path, reading).arguments())
    claim(torch.equal(trajectories.lengths, expected.lengths), "the lengths must be those of the file.")
    claim(torch.equal(trajectories.states, expected.states), "the states must be those of the file, bit for bit.")
    claim(torch.allclose(trajectories.t, expected.t, rtol=1e-12, atol=0), "the times must be those of the file.")
    with reader.content(path) as content:
        for part in content.parts or (content,):
            claim(all(map(_keeps_its_word, part.arrays.values())), "shape must be that of what load gives.")
    claim(_content(path) == before, "the file must stay as it is.")
    try:
        reader.read(path.with_name(f"no {path.name}"), reading)
        told = False
    except FileFormatError:
        told = True
    claim(told, "a file that is missing must be told by a FileFormatError.")


def _keeps_its_word(array: NamedArray) -> bool:
    return array.load().shape == tuple(array.shape)


def _content(path: Path) -> list[tuple[str, bytes]]:
    files: Iterator[Path] = path.rglob("*") if path.is_dir() else iter([path])
    return sorted((str(file), file.read_bytes()) for file in files if file.is_file())
