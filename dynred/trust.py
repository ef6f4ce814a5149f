"""Which code from outside dynred a stored run may run: only code that this user has run before.

Settings that come from a command line or a script may name any file. Settings in a folder may have been written by
anybody, so code that they name runs only if the user has run code of the same content before. The user's state folder
then holds its digest, as direnv keeps what it was allowed.
"""

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs

from dynred.errors import FileFormatError


@dataclass(frozen=True)
class Code:
    """Code outside dynred that was asked for by name.

    Attributes:
        name: the name that was asked for: `path/to/file.py`, `path/to/file.py:name`, `package.module:name`.
        path: absolute path of the file; None for a module that has no file.
        digest: SHA-256 of the file; None for a module that has no file, or where a run of an earlier version recorded
            no digest.
    """

    name: str
    path: str | None
    digest: str | None

    def to_dict(self) -> dict[str, str | None]:
        """This code as plain JSON data; `from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Code":
        """The code that `data` describe.

        Raises:
            FileFormatError: the data describe no code.
        """
        entries = {name: data.get(name) for name in ("name", "path", "digest")} if isinstance(data, Mapping) else {}
        if not isinstance(entries.get("name"), str) or not all(
            v is None or isinstance(v, str) for v in entries.values()
        ):
            raise FileFormatError(f"Stored code must have a name, a path and a digest, got {str(data)[:80]}.")
        return cls(**entries)  # type: ignore[arg-type] # just checked

    @classmethod
    def listed(cls, data: object) -> list["Code"]:
        """The code that each entry of a list describes; errors as for `from_dict`."""
        if not isinstance(data, list):
            raise FileFormatError(f"Stored code must be a list, got {str(data)[:80]}.")
        return [cls.from_dict(entry) for entry in data]

    @property
    def attribute(self) -> str:
        """The name after the colon; empty where the name has none."""
        return self.name.partition(":")[2]


def digest(content: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def allow(code: Code) -> None:
    """Remembers that the user ran this code. Nothing is remembered where the state folder cannot be written."""
    if code.digest is None:
        return
    with contextlib.suppress(OSError):
        entry = _entry(code)
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(f"{code.path}\n", encoding="utf-8")


def is_allowed(code: Code) -> bool:
    """Whether the user ran code of the same content and the same attribute before."""
    try:
        return code.digest is not None and _entry(code).is_file()
    except OSError:
        return False


def _entry(code: Code) -> Path:
    key = digest(f"{code.digest} {code.attribute}".encode())
    return platformdirs.user_state_path("dynred", appauthor=False) / "allowed" / key
