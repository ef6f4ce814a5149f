"""Finding things by name: systems, specs and metrics, lazily, from dynred's own folders or from a user's file.

A name is one of
- `kuramoto_sivashinsky`: a module of the folder in question; what it defines under its own name is meant;
- `package.module:name`: anything importable;
- `path/to/file.py` or `path/to/file.py:name`: a file outside every package.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from dynred.checks import nearest, refuse
from dynred.errors import InputError
from dynred.plugin_names import names
from dynred.trust import Code, digest, is_allowed
from dynred.user_code import PASSING, place_and_reason

PREFIX = "user_file_"  # of the modules that users' files become

T = TypeVar("T")

_watch: ContextVar[Callable[[str], None]] = ContextVar("_watch", default=lambda name: None)
_files: dict[str, Code] = {}  # what users' files were loaded, by the name of their module


def load_module(package: str, name: str) -> ModuleType:
    """The module that `name` means, where `package` is the folder of dynred's own plug-ins.

    Raises:
        InputError: no such plug-in (lists the known, suggests the nearest), or the file fails to import.
    """
    folder = package.rpartition(".")[2]
    what = folder if folder == "dynamics" else folder.removesuffix("s")
    target = name.partition(":")[0]
    if is_foreign(name):
        _watch.get()(name)
        return load_file(what, Path(target)) if target.endswith(".py") else _imported(what, target)
    known = names(package)
    if target not in known:
        advice = nearest(target, known) or "A file of your own is named by its path, ending in .py."
        raise refuse(what, f"one of {', '.join(known)}, or a path to a .py file", repr(name), advice)
    return _imported(what, f"{package}.{target}")


def is_foreign(name: str) -> bool:
    """Whether a name means code by its place, not one of dynred's own plug-ins."""
    return "." in name or ":" in name


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Gives the list of all foreign names by which code is loaded while the block runs."""
    asked: list[str] = []
    token = _watch.set(asked.append)
    try:
        yield asked
    finally:
        _watch.reset(token)


@contextmanager
def only(permitted: Collection[Code]) -> Iterator[None]:
    """While the block runs, names come from a file: no code outside dynred is loaded but what is permitted.

    Raises:
        InputError: in the block, where other code is asked for.
    """
    known = {(code.digest, code.attribute) for code in permitted}

    def watch(name: str) -> None:
        code = code_of(name)
        if code.digest is None or (code.digest, code.attribute) not in known:
            advice = "`--plugin FILE` or `--trust` runs it."
            raise refuse("code that a file names", "code that you ran before", repr(name), advice)

    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def load(package: str, name: str) -> object:
    """The object that `name` means: `module:name` literally, else what the module defines under its own name."""
    module = load_module(package, name)
    attribute = name.partition(":")[2] or own_name(module)
    if not hasattr(module, attribute):
        raise refuse(name, f"a module that defines `{attribute}`", "one that does not")
    return getattr(module, attribute)


def own_name(module: ModuleType) -> str:
    """The name of a module's file, without folders and suffix."""
    return module.__name__.rpartition(".")[2].removeprefix(PREFIX)


def load_class(package: str, name: str, base: type[T]) -> type[T]:
    """The one public subclass of `base` that the module `name` defines (or the one named after a colon).

    Raises:
        InputError: no such module, or not exactly one such class in it.
    """
    module = load_module(package, name)
    wanted = name.partition(":")[2]
    candidates = [
        item
        for key, item in vars(module).items()
        if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__
        if key == wanted or (not wanted and not key.startswith("_") and not inspect.isabstract(item))
    ]
    if len(candidates) != 1:
        listed = ", ".join(item.__name__ for item in candidates) or "none"
        raise refuse(name, f"a module with one {base.__name__}", listed, "Name one with `module:Class`.")
    return candidates[0]


def classes(package: str, base: type[T]) -> list[type[T]]:
    """Every concrete subclass of `base` that a module of a plug-in folder defines, by module and place in it."""
    defined = []
    for name in names(package):
        module = load_module(package, name)
        defined += [
            item
            for item in vars(module).values()
            if isinstance(item, type) and issubclass(item, base) and not inspect.isabstract(item)
            if item.__module__ == module.__name__ and not item.__name__.startswith("_")
        ]
    return defined


def _imported(what: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except PASSING:
        raise
    except BaseException as error:  # `sys.exit` too
        raise InputError(f"{what} {module} could not be imported: {place_and_reason(error)}.") from error


def load_file(what: str, path: Path) -> ModuleType:
    """The module in a user's file: loaded once, and again when its content is another.

    Raises:
        InputError: no such file, or it fails to import; `what` it was to define stands in the message.
    """
    if not path.is_file():
        raise refuse(what, "a path to an existing .py file", repr(str(path)))
    # A prefix keeps a user's `random.py` from standing in for the library's; the module must be in sys.modules because
    # dataclasses look their own module up there.
    name, content = f"{PREFIX}{path.stem}", path.read_bytes()
    code, loaded = Code(str(path), str(path.resolve()), digest(content)), _files.get(name)
    if loaded and name in sys.modules and (loaded.path, loaded.digest) == (code.path, code.digest):
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = code.path
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        # What was digested is what runs, even if the file changes meanwhile.
        exec(compile(content, str(path), "exec"), vars(module))
    except BaseException as error:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        if isinstance(error, PASSING):
            raise
        raise InputError(f"{path} could not be imported: {place_and_reason(error)}.") from error
    _files[name] = code
    return module


# -- code that a stored run names ------------------------------------------------------------------------------------


def code_of(name: str) -> Code:
    """The code that a name means, found without running any of it.

    Args:
        name: `path/to/file.py`, `package.module`, or one of these with `:name`.
    """
    target = name.partition(":")[0]
    path = Path(target) if target.endswith(".py") else _module_file(target)
    if path is None or not path.is_file():
        return Code(name, None, None)
    return Code(name, str(path.resolve()), digest(path.read_bytes()))


def code_of_module(module: str) -> Code | None:
    """The code of a module that is imported; None for dynred's own and for the main script."""
    if module.partition(".")[0] in ("dynred", "__main__"):
        return None
    return _files.get(module) or code_of(module)


def code_in(settings: object) -> list[Code]:
    """The code of all classes of settings outside dynred that plain JSON data name as their kind."""
    modules = sorted({kind.partition(":")[0] for kind in _kinds(settings) if ":" in kind})
    return [code for module in modules if (code := code_of_module(module)) is not None]


def _kinds(settings: object) -> Iterator[str]:
    if isinstance(settings, Mapping):
        if isinstance(kind := settings.get("kind"), str):
            yield kind
        settings = list(settings.values())
    if isinstance(settings, list | tuple):
        for part in settings:
            yield from _kinds(part)


def reopen(
    code: Code, run: str, *, places: Sequence[Path] = (), plugins: Sequence[str | Path] = (), trust: bool = False
) -> Code:
    """Code that a stored run names, as it can be loaded now: its name has the path where it was found.

    Args:
        code: as the run remembers it.
        run: what names it, for messages.
        places: where its file may be beside the place where it was.
        plugins: files that the user allows by naming them.
        trust: whether the user allows whatever the run names.

    Raises:
        InputError: the code is gone, was changed, or may not be run.
    """
    candidates = [candidate for candidate in _candidates(code, places, plugins) if candidate.path is not None]
    if not candidates:
        raise refuse(f"{code.name}, which {run} names,", "there", "nothing", "`--plugin FILE` says where it is.")
    same = [candidate for candidate in candidates if code.digest in (None, candidate.digest)]
    if not same:
        advice = "Restore it, or reduce again into another folder."
        raise refuse(
            f"{code.name}, which {run} names,", "as it was", f"{candidates[0].path}, which was changed", advice
        )
    named = {str(Path(plugin).resolve()) for plugin in plugins}
    if not (trust or same[0].path in named or is_allowed(same[0])):
        advice = f"Read {same[0].path}; then `--plugin {same[0].path}` or `--trust` runs it."
        raise refuse(f"{code.name}, which {run} names,", "code that you ran before", "code that you did not", advice)
    return same[0]


def is_loaded(code: Code) -> bool:
    """Whether a module of that name, or a user's file of that content, is loaded."""
    return code.name.partition(":")[0] in sys.modules or code.digest in {loaded.digest for loaded in _files.values()}


def load_code(code: Code) -> None:
    """Imports what may be imported, so that the classes in it are known; nothing where it is loaded.

    Raises:
        InputError: it fails to import.
    """
    target = code.name.partition(":")[0]
    if target.endswith(".py"):
        load_file("plug-in", Path(target))
    elif not is_loaded(code):
        _imported("plug-in", target)


def _candidates(code: Code, places: Sequence[Path], plugins: Sequence[str | Path]) -> list[Code]:
    target, colon, attribute = code.name.partition(":")
    if not target.endswith(".py"):
        return [code_of(code.name)]
    named = [Path(plugin) for plugin in plugins if Path(plugin).name == Path(target).name]
    known = [Path(code.path)] if code.path else []
    return [code_of(f"{file}{colon}{attribute}") for file in [*named, *known, *places, Path(target)]]


def _module_file(module: str) -> Path | None:
    # importlib.util.find_spec("a.b") would import a.
    places: Sequence[str] | None = None
    parts = module.split(".")
    for i in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: i + 1]), places)
        if spec is None:
            return None
        places = spec.submodule_search_locations or []
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
