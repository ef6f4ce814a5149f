"""The names of plug-ins: the files of their folder, and what installed packages announce. Nothing heavy is imported, so
that help can list them.

A package announces plug-ins by entry points, in the group that is named like the folder: in its pyproject.toml

    [project.entry-points."dynred.reducers"]
    wavelets = "acme_rom.wavelets:WaveletSpec"

Then `--reducer wavelets` means the same as `--reducer acme_rom.wavelets:WaveletSpec`.
"""

import functools
import importlib
import importlib.metadata
import pkgutil
import sys

from dynred.errors import InputError


def names(package: str) -> list[str]:
    """The plug-ins of a folder, e.g. `names("dynred.systems")`: its public modules except `base`, sorted.

    The package is imported (its `__init__` is empty), but none of its modules.
    """
    folder = importlib.import_module(package)
    modules = (module.name for module in pkgutil.iter_modules(folder.__path__))
    return sorted(name for name in modules if name != "base" and not name.startswith("_"))


def installed(package: str) -> dict[str, list[importlib.metadata.EntryPoint]]:
    """What installed packages announce for a folder of plug-ins, by name; the code of none is imported.

    Names of dynred's own plug-ins are left out: nothing that is installed replaces these.
    """
    announced: dict[str, list[importlib.metadata.EntryPoint]] = {}
    own = set(names(package))
    for entry in _entries(tuple(sys.path), package):
        if entry.name not in own and entry.value not in [other.value for other in announced.get(entry.name, [])]:
            announced.setdefault(entry.name, []).append(entry)
    return dict(sorted(announced.items()))


def announced_place(package: str, name: str) -> str | None:
    """The place of the code that an installed package announces under a name, `module` or `module:attribute`; None
    where none does.

    Raises:
        InputError: two packages announce different things under that name.
    """
    entries = installed(package).get(name, [])
    if len(entries) > 1:
        places = " and ".join(f"{entry.value} of {package_of(entry)}" for entry in entries)
        raise InputError(f"{name} must be announced by one installed package, got {places}. Name one by its place.")
    return next((f"{entry.module}:{entry.attr}" if entry.attr else entry.module for entry in entries), None)


def package_of(entry: importlib.metadata.EntryPoint) -> str:
    """The name of the package that announces an entry point."""
    return "an unknown package" if entry.dist is None else str(entry.dist.name)


@functools.lru_cache(maxsize=32)
def _entries(_path: tuple[str, ...], group: str) -> tuple[importlib.metadata.EntryPoint, ...]:
    return tuple(importlib.metadata.entry_points(group=group))  # reads a file of every installed package
