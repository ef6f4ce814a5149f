"""Modules that take a part of a second to import, and that not every use of dynred needs."""

import importlib
from typing import Any


class Late:
    """A module that is imported when something of it is first asked for.

    Args:
        name: its name, such as `scipy.stats`.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)
