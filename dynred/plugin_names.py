"""The names of plug-ins, read off the files of their folder. Imports nothing heavy, so that help can list them."""

import importlib
import pkgutil


def names(package: str) -> list[str]:
    """The plug-ins of a folder, e.g. `names("dynred.systems")`: its public modules but `base`, sorted.

    Imports the package (whose `__init__` is empty), none of its modules.
    """
    folder = importlib.import_module(package)
    found = (module.name for module in pkgutil.iter_modules(folder.__path__))
    return sorted(name for name in found if name != "base" and not name.startswith("_"))
