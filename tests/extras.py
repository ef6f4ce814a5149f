"""Libraries of extras for tests: where one is not installed, a test that uses it is skipped, and the others run."""

import importlib

from dynred.errors import MissingExtraError


class _Missing:
    """In the place of a library that is not installed: to use it says so, which skips the test."""

    def __init__(self, library: str):
        self._library = library

    def __getattr__(self, name: str):
        raise MissingExtraError(f"{self._library} is not installed.")


def extra(library: str):
    """The library, or what stands for it where it is not installed."""
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError:
        return _Missing(library)
