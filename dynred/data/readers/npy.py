"""One NumPy array in a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from dynred.data.content import Content, NamedArray
from dynred.data.readers.base import Reader
from dynred.errors import FileFormatError


class NpyReader(Reader):
    """.npy, as `numpy.save` writes it."""

    suffixes = (".npy",)

    @contextmanager
    def content(self, path: Path) -> Iterator[Content]:
        """See `Reader.content`."""
        array = np.load(path, mmap_mode="r", allow_pickle=False)  # a file that is too short for its shape is refused
        if not isinstance(array, np.ndarray):
            raise FileFormatError(f"{path} is no .npy file but an archive: its suffix should be .npz.")
        yield Content({"states": NamedArray(array.shape, array.dtype, lambda: np.array(array))})
