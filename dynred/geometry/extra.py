"""The libraries of the `geometry` extra, loaded at their first use."""

import importlib
from types import ModuleType

from dynred.errors import MissingExtraError


def load(name: str) -> ModuleType:
    """The module `skdim` or `ripser`.

    Raises:
        MissingExtraError: the module is not installed; the message names the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("inspect needs an extra that is not installed: pip install 'dynred[geometry]'.") from (
            error
        )
