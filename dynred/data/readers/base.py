"""What a reader of data files is, and the reader that belongs to a file."""

import contextlib
import functools
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

from dynred.checks import path_given, refuse
from dynred.data.arrange import arrange
from dynred.data.content import Arranged, Content
from dynred.data.reading import ReadingSpec
from dynred.data.screening import check_there
from dynred.errors import DynredError, FileFormatError, InputError
from dynred.plugins import classes, load_class
from dynred.user_code import place_and_reason

PACKAGE = "dynred.data.readers"
log = logging.getLogger("dynred.reading")  # hears what was guessed of files; the command line prints it


class Reader(ABC):
    """Reads one kind of data file. A reader is a class in a file of this folder or anywhere else; no list names it.

    Reading runs no code that a file holds, and opens no other file; what is larger than memory is refused before.

    Attributes:
        suffixes: suffixes of the files, the usual one first, e.g. `(".csv", ".tsv")`.
        is_folder: whether such a file is a folder.
    """

    suffixes: ClassVar[tuple[str, ...]]
    is_folder: ClassVar[bool] = False

    @abstractmethod
    def content(self, path: Path) -> AbstractContextManager[Content]:
        """The arrays of a file by name, which can be loaded while the context lasts.

        Raises:
            FileFormatError: the file is damaged, or holds something that only an attack needs.
            InputError: memory does not hold what must be read at once.
            MissingExtraError: a library that is needed is not installed.
        """

    def own(self, path: Path) -> Arranged | None:
        """The trajectories of a file that follows dynred's own names (`states`, `t`, `lengths`, ...) in dynred's own
        layout; None for files of all other programs."""
        return None

    def read(self, path: Path, reading: ReadingSpec) -> Arranged:
        """The trajectories of a file.

        Raises:
            InputError: too little is known of its arrays, or memory does not hold them.
            FileFormatError: it is missing, empty, truncated or of another kind.
            MissingExtraError: a library that is needed is not installed.
        """
        check_there(path, folder=self.is_folder)
        with _named(path, self):
            if reading.is_empty and (arranged := self.own(path)) is not None:
                return arranged
            with self.content(path) as content:
                return arrange(content, reading, str(path))


@contextlib.contextmanager
def _named(path: Path, reader: Reader) -> Iterator[None]:
    """Puts the name of the file into every error; that of a user's own reader names the line in it."""
    module, name = type(reader).__module__, type(reader).__name__
    try:
        yield
    except InputError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
    except DynredError:
        raise
    except PermissionError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from error
    except MemoryError:
        raise
    except Exception as error:  # whatever a broken file does to the library that reads it
        if not module.startswith("dynred."):
            where = place_and_reason(error)
            raise InputError(f"reader {name} failed at {path}: {where}.") from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FileFormatError(f"{path} is empty, truncated or no {reader.suffixes[0]} file: {reason}") from error


@functools.cache
def _readers() -> dict[str, Reader]:
    return {suffix: cls() for cls in classes(PACKAGE, Reader) for suffix in cls.suffixes}


def suffixes() -> list[str]:
    """The suffixes of all files that can be read."""
    return list(_readers())


def is_data(name: str | Path, reading: ReadingSpec | None = None) -> bool:
    """Whether a name is that of a data file: by its suffix, or because the user names a reader for it."""
    return (reading is not None and reading.reader is not None) or Path(name).suffix.lower() in _readers()


def reader_of(path: Path, reading: ReadingSpec) -> Reader:
    """The reader that the user names, or that the suffix of a file stands for.

    Raises:
        InputError: there is none; the message lists the kinds of files that can be read.
    """
    if reading.reader is not None:
        return load_class(PACKAGE, reading.reader, Reader)()
    if (reader := _readers().get(path.suffix.lower())) is None:
        advice = "A reader of your own reads others (--reader path/to/mine.py)."
        raise refuse("path", f"a file ending in one of {', '.join(suffixes())}", repr(str(path)), advice)
    return reader


def read_file(path: str | Path, reading: ReadingSpec) -> Arranged:
    """The trajectories in a file; see `Reader.read`."""
    path = path_given("path", path)
    return reader_of(path, reading).read(path, reading)
