"""Finding things by name: systems, specs and metrics, lazily, from dynred's own folders or from a user's file.

A name is one of
- `kuramoto_sivashinsky`: a module of the folder in question; what it defines under its own name is meant;
- `package.module:name`: anything importable;
- `path/to/file.py` or `path/to/file.py:name`: a file outside every package.
"""

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from dynred.checks import nearest, refuse
from dynred.errors import InputError

T = TypeVar("T")


def names(package: str) -> list[str]:
    """The plug-ins of a folder, e.g. `names("dynred.systems")`: its public modules but `base`, sorted.

    Imports the package (whose `__init__` is empty), none of its modules.
    """
    folder = importlib.import_module(package)
    found = (module.name for module in pkgutil.iter_modules(folder.__path__))
    return sorted(name for name in found if name != "base" and not name.startswith("_"))


def load_module(package: str, name: str) -> ModuleType:
    """The module that `name` means, where `package` is the folder of dynred's own plug-ins.

    Raises:
        InputError: no such plug-in (lists the known, suggests the nearest), or the file fails to import.
    """
    folder = package.rpartition(".")[2]
    what = folder if folder == "dynamics" else folder.removesuffix("s")
    target = name.partition(":")[0] if not name.endswith(".py") else name
    if target.endswith(".py"):
        return _load_file(what, Path(target))
    if "." in target or ":" in name:
        return _imported(what, target)
    known = names(package)
    if target not in known:
        advice = nearest(target, known) or "A file of your own is named by its path, ending in .py."
        raise refuse(what, f"one of {', '.join(known)}, or a path to a .py file", repr(name), advice)
    return _imported(what, f"{package}.{target}")


def load(package: str, name: str) -> object:
    """The object that `name` means: `module:name` literally, else what the module defines under its own name."""
    module = load_module(package, name)
    attribute = name.partition(":")[2] or module.__name__.rpartition(".")[2]
    if not hasattr(module, attribute):
        raise refuse(name, f"a module that defines `{attribute}`", "one that does not")
    return getattr(module, attribute)


def load_class(package: str, name: str, base: type[T]) -> type[T]:
    """The one public subclass of `base` that the module `name` defines (or the one named after a colon).

    Raises:
        InputError: no such module, or not exactly one such class in it.
    """
    module = load_module(package, name)
    wanted = name.partition(":")[2]
    found = [
        item
        for key, item in vars(module).items()
        if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__
        if key == wanted or (not wanted and not key.startswith("_") and not inspect.isabstract(item))
    ]
    if len(found) != 1:
        listed = ", ".join(item.__name__ for item in found) or "none"
        raise refuse(name, f"a module with one {base.__name__}", listed, "Name one with `module:Class`.")
    return found[0]


def classes(package: str, base: type[T]) -> list[type[T]]:
    """Every concrete subclass of `base` that a module of a plug-in folder defines, by module and place in it."""
    found = []
    for name in names(package):
        module = load_module(package, name)
        found += [
            item
            for item in vars(module).values()
            if isinstance(item, type) and issubclass(item, base) and not inspect.isabstract(item)
            if item.__module__ == module.__name__ and not item.__name__.startswith("_")
        ]
    return found


def _imported(what: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:
        raise InputError(f"{what} {module} could not be imported: {type(error).__name__}: {error}.") from error


def _load_file(what: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise refuse(what, "a path to an existing .py file", repr(str(path)))
    # A prefix keeps a user's `random.py` from standing in for the library's; the module must be in sys.modules because
    # dataclasses look their own module up there.
    name = f"user_file_{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(path.resolve()):
        return loaded
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"{path} could not be imported: {type(error).__name__}: {error}.") from error
    return module
