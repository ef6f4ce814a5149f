"""Classes by the kinds that stored files name them by, `module:Class`, without running anything for the asking."""

import importlib
import re
import sys
from pathlib import Path

HOME = Path(__file__).parent
KIND = re.compile(r"dynred((?:\.[a-z_][a-z0-9_]*)+):([A-Z][A-Za-z0-9_]*)", re.ASCII)
LONGEST = 200  # characters


def class_of(kind: str) -> type | None:
    """The class of that kind; None where there is none, or where it is neither dynred's nor imported already.

    A module of dynred is imported only where its text defines a frozen dataclass of that name, as settings and models
    are: what a file asks for cannot bring in commands, figures or systems.
    """
    module, _, name = kind.partition(":")
    if _is_own(kind):
        importlib.import_module(module)
    found = getattr(sys.modules.get(module), name, None) if name else None
    return found if isinstance(found, type) else None


def _is_own(kind: str) -> bool:
    form = KIND.fullmatch(kind) if len(kind) <= LONGEST else None
    if form is None:
        return False
    file = HOME.joinpath(*form[1].split(".")[1:]).with_suffix(".py")
    defined = rf"^@dataclass\(frozen=True\b[^\n]*\nclass {form[2]}\b"
    return file.is_file() and re.search(defined, file.read_text(encoding="utf-8"), re.MULTILINE) is not None
