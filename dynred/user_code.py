"""Running the user's own functions and files: the message of any error in them names the user's line."""

import contextlib
import functools
import sys
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import ParamSpec, TypeVar

from dynred.errors import DynredError, InputError
from dynred.memory import is_memory_error

P = ParamSpec("P")
T = TypeVar("T")

PASSING = (DynredError, KeyboardInterrupt, GeneratorExit)  # errors that already say what they mean, and interruptions
# An error in these modules was caused by the code that called them.
LIBRARIES = sys.stdlib_module_names | {"dynred", "numpy", "scipy", "torch", "torchdiffeq"}
LONGEST = 500  # characters of a reason; messages of compilers have thousands


@contextlib.contextmanager
def user_code(what: str) -> Iterator[None]:
    """Runs the user's own code in the block; `what` is its name in messages, e.g. `sample_initial`.

    Raises:
        InputError: the code raised an error or called `sys.exit`. Errors of dynred and Ctrl-C pass unchanged.
    """
    try:
        yield
    except PASSING:
        raise
    except BaseException as error:
        raise told(what, error) from error


def guarded(what: str, function: Callable[P, T]) -> Callable[P, T]:
    """The user's own function, made to run as `user_code` at every call."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with user_code(what):
            return function(*args, **kwargs)

    return call


def told(what: str, error: BaseException) -> InputError:
    """The InputError that reports an error in the user's own code, for callers to whom `user_code` is too slow."""
    if is_memory_error(error):
        return InputError(f"{what} needs more memory than there is: {place_and_reason(error)}.")
    return InputError(f"{what} failed: {place_and_reason(error)}.")


def place_and_reason(error: BaseException) -> str:
    """The deepest line of the user's own, where there is one, and the error, such as
    `File "my_system.py", line 12, in rhs: ZeroDivisionError: division by zero`."""
    return ": ".join(part for part in (user_line(error), reason(error)) if part)


def reason(error: BaseException) -> str:
    """The error on one line of bounded length, such as `ZeroDivisionError: division by zero`."""
    try:
        words = " ".join(str(error).split())
    except Exception:
        words = "an error that cannot be printed"
    words = words.rstrip(".") if len(words) <= LONGEST else f"{words[:LONGEST]} ..."
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def user_line(error: BaseException) -> str:
    """The deepest line of the traceback that is neither dynred's nor a library's; empty where there is none."""
    deepest = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if not _of_a_library(frame):
            deepest = f'File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}'
    return deepest


def _of_a_library(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    if module.startswith("dynred.systems."):  # the author of a system wants to know the line
        return False
    return module.partition(".")[0] in LIBRARIES
