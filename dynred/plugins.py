"""Finding plug-ins by name: systems, specs and metrics, in dynred's own folders or in a user's file.

A name is one of
- `kuramoto_sivashinsky`: what a module of the plug-in folder defines under the name of the module;
- a name that an installed package announces for the folder (`dynred.plugin_names`);
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
from dynred.plugin_names import announced_place, installed, names
from dynred.trust import Code, digest, is_allowed
from dynred.user_code import PASSING, place_and_reason

PREFIX = "user_file_"  # begins the names of the modules that users' files become
LISTED = 25  # names that are listed in a message; only systems are more

T = TypeVar("T")

_watch: ContextVar[Callable[[str], None]] = ContextVar("_watch", default=lambda name: None)
_files: dict[str, Code] = {}  # the users' files that were loaded, by the names of their modules


def load_module(package: str, name: str) -> ModuleType:
    """The module that `name` means, where `package` is the folder of dynred's own plug-ins.

    Raises:
        InputError: there is no such plug-in (the message lists those that exist and suggests the nearest), or the
            module fails to import.
    """
    folder = package.rpartition(".")[2]
    what = folder if folder == "dynamics" else folder.removesuffix("s")
    target = name.partition(":")[0]
    place = foreign_place(package, name)
    if place is not None:
        _watch.get()(place)
        code = place.partition(":")[0]
        if code.endswith(".py"):
            return load_file(what, Path(code))
        return _imported(what if place == name else f"{what} {name}, announced by an installed package as", code)
    known = names(package)
    if target not in known:
        known = [*known, *installed(package)]
        advice = nearest(target, known) or "A file of your own is named by its path, ending in .py."
        few = ", ".join(known)
        listed = few if len(known) <= LISTED else f"the {len(known)} that `dynred {folder}` lists"
        raise refuse(what, f"one of {listed}, or a path to a .py file", repr(name), advice)
    return _imported(what, f"{package}.{target}")


def foreign_place(package: str, name: str) -> str | None:
    """The place of the code outside dynred that a name means: the name itself, or what an installed package announces
    under it; None for dynred's own plug-ins.

    A stored run that names an installed plug-in needs the same permission as for any other code: whoever wrote the run
    chose which of the packages on this machine it would import, and with what arguments.
    """
    return name if is_foreign(name) else announced_place(package, name)


def _attribute(package: str, name: str) -> str:
    return (foreign_place(package, name) or name).partition(":")[2]


def is_foreign(name: str) -> bool:
    """Whether a name means code by its file or module, instead of one of dynred's own plug-ins."""
    return "." in name or ":" in name


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Gives a list that collects the foreign names by which code is loaded while the block runs."""
    asked: list[str] = []
    token = _watch.set(asked.append)
    try:
        yield asked
    finally:
        _watch.reset(token)


@contextmanager
def only(permitted: Collection[Code]) -> Iterator[None]:
    """Lets only permitted code from outside dynred be loaded while the block runs, which takes its names from a file.

    Raises:
        InputError: the block asks for other code.
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
    """The object that `name` means: the one after a colon, or else the one with the name of the module."""
    module = load_module(package, name)
    attribute = _attribute(package, name) or own_name(module)
    if not hasattr(module, attribute):
        raise refuse(name, f"a module that defines `{attribute}`", "one that does not")
    return getattr(module, attribute)


def own_name(module: ModuleType) -> str:
    """The name of a module's file, without folders and suffix."""
    return module.__name__.rpartition(".")[2].removeprefix(PREFIX)


def load_class(package: str, name: str, base: type[T]) -> type[T]:
    """The one public subclass of `base` that the module `name` defines (or the one named after a colon).

    Raises:
        InputError: there is no such module, or it does not define exactly one such class.
    """
    module = load_module(package, name)
    wanted = _attribute(package, name)
    candidates = [
        item
        for key, item in vars(module).items()
        if isinstance(item, type) and issubclass(item, base)
        if key == wanted or (not wanted and item.__module__ == module.__name__ and _usable(key, item))
    ]
    if len(candidates) != 1:
        listed = ", ".join(item.__name__ for item in candidates) or "none"
        raise refuse(name, f"a module with one {base.__name__}", listed, "Name one with `module:Class`.")
    return candidates[0]


def _usable(name: str, item: type) -> bool:
    return not name.startswith("_") and not inspect.isabstract(item)


def classes(package: str, base: type[T]) -> list[type[T]]:
    """Every concrete public subclass of `base` that a module of a plug-in folder defines, in the order of the modules
    and of the lines in them."""
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
    """The module in a user's file. The file is loaded once, and again after its content changed.

    `what` says in messages what the file should define.

    Raises:
        InputError: there is no such file, or it fails to import.
    """
    if not path.is_file():
        raise refuse(what, "a path to an existing .py file", repr(str(path)))
    # The prefix keeps a user's `random.py` from replacing the library's. The module must be in sys.modules because
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
        # The content that was digested runs, even if the file changes meanwhile.
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
    """The code of an imported module; None for modules of dynred and for the main script."""
    if module.partition(".")[0] in ("dynred", "__main__"):
        return None
    return _files.get(module) or code_of(module)


def code_in(settings: object) -> list[Code]:
    """The code of all classes outside dynred that plain JSON data of settings name as kinds."""
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
    """The code that a stored run names, as it can be loaded now: its new name contains the path of its file today.

    Args:
        code: the code as the run remembers it.
        run: the run in words, for messages.
        places: paths at which the file may be, beside its earlier path.
        plugins: files that the user allows by naming them.
        trust: whether the user allows all code that the run names.

    Raises:
        InputError: the code is gone, was changed, or may not run.
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
    """Whether the module that the code names, or a user's file with its content, is loaded."""
    return code.name.partition(":")[0] in sys.modules or code.digest in {loaded.digest for loaded in _files.values()}


def load_code(code: Code) -> None:
    """Imports code that may run, so that its classes are known. Code that is loaded already is not imported again.

    Raises:
        InputError: the code fails to import.
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
