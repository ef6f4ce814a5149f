"""A checksum at the end of a file, for formats whose readers do not look there.

It keeps damaged files from these readers: the library that reads HDF5 may loop for ever on a single wrong byte.
"""

import hashlib
import os
from pathlib import Path

from dynred.errors import FileFormatError

START, END = b"\ndynred sha256 ", b"\n"
LENGTH = len(START) + 64 + len(END)
PIECE = 2**20  # bytes that are read at once


def seal(content: memoryview) -> bytes:
    """The bytes to write after the content of a file."""
    return START + hashlib.sha256(content).hexdigest().encode() + END


def check_seal(path: Path) -> None:
    """Refuses a file that was changed after it was sealed; a file without a seal passes.

    Raises:
        FileFormatError: the content has another checksum than the seal says.
    """
    with path.open("rb") as opened:
        rest = os.fstat(opened.fileno()).st_size - LENGTH
        if rest < 0:
            return
        opened.seek(rest)
        ending = opened.read()
        if not (ending.startswith(START) and ending.endswith(END)):
            return
        opened.seek(0)
        content = hashlib.sha256()
        while rest > 0 and (piece := opened.read(min(PIECE, rest))):
            content.update(piece)
            rest -= len(piece)
    if START + content.hexdigest().encode() + END != ending:
        raise FileFormatError(
            f"{path} was changed or damaged after dynred wrote it: its checksum is not that of its content."
        )
