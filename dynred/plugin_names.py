"""The names of plug-ins, read from the files of their folder. Nothing heavy is imported, so that help can list them."""

import importlib
import pkgutil


def names(package: str) -> list[str]:
    """The plug-ins of a folder, e.g. `names("dynred.systems")`: its public modules except `base`, sorted.

    The package is imported (its `__init__` is empty), but none of its modules.
    """
    folder = importlib.import_module(package)
    modules = (module.name for module in pkgutil.iter_modules(folder.__path__))
    return sorted(name for name in modules if name != "base" and not name.startswith("_"))
