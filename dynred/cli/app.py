"""The command line. Every other public module of this folder is a command: the function of its own name, with
`EXAMPLES` for its help.

Commands import what needs torch inside their functions, so that `dynred --help` answers at once. The home of cyclopts.
"""

import functools
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from cyclopts import App, CycloptsError

from dynred import __version__
from dynred.cli._process import Stopped, going_on, how_it_goes_on, only_results_on_stdout, stderr, stoppable
from dynred.errors import DynredError
from dynred.memory import is_memory_error
from dynred.plugin_names import names
from dynred.user_code import reason

HELP = (
    "Reduced-order models of dynamical systems: reduce an ODE to a few latent coordinates, learn their dynamics, "
    "and see how far the predictions can be trusted."
)
FIRST_STEPS = """
dynred systems                                   # the catalogue
dynred reduce lorenz63 --latent-dim 3            # a first model, and a report
dynred COMMAND --help                            # all options, with examples
"""
COMPLETION = "Install completion of commands and options for your shell (bash, zsh, fish)."
AGAIN = "No file was left half written; run the same command again."


def build() -> App:
    """The application with every command of this folder."""
    app = App(
        name="dynred",
        help=HELP,
        help_format="markdown",
        help_epilogue=_block(FIRST_STEPS),
        suppress_keyboard_interrupt=False,
        version=__version__,
        version_flags=["--version"],
    )
    for name in [name for name in names("dynred.cli") if name != "app"]:
        module = importlib.import_module(f"dynred.cli.{name}")
        app.command(_printing(getattr(module, name)), help_epilogue=_block(module.EXAMPLES))
    # A line in the user's own start-up file is the user's to write: where it is needed, the answer says which one.
    app.register_install_completion_command(add_to_startup=False, help=COMPLETION)
    return app


def _block(examples: str) -> str:
    """Lines of commands as the end of a help text."""
    return f"Examples:\n\n```sh\n{examples.strip()}\n```"


def main(tokens: Sequence[str] | None = None) -> None:
    """Runs a command. An error ends it with one sentence on standard error and exit code 2, a signal with exit code 128
    plus its number."""
    going_on(AGAIN)
    try:
        with stoppable():
            build()(tokens, exit_on_error=False, print_error=False, result_action="return_value")
            if sys.stdout is not None:
                sys.stdout.flush()  # for help; results were flushed already
    except BaseException as error:
        if os.environ.get("DYNRED_TRACEBACK"):
            traceback.print_exc()
        code, sentence = answer(error)
        if sentence:
            stderr.print(sentence, markup=False, highlight=False, soft_wrap=True)
        sys.exit(code)


def answer(error: BaseException) -> tuple[int, str]:
    """The exit code for an error, and the sentence that is printed."""
    # The reader has seen enough, as in `| head`; rich, which prints help, turns that into an exit.
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        _let_go_of_stdout()
        return 2, "error: standard output was closed before all of the result was written."
    if isinstance(error, KeyboardInterrupt):
        number = error.number if isinstance(error, Stopped) else 2
        return 128 + number, f"interrupted. {how_it_goes_on()}"
    if isinstance(error, DynredError | CycloptsError):
        return 2, f"error: {error}"
    if is_memory_error(error):
        return 2, f"error: there is not enough memory ({reason(error)}). Ask for less at once. {how_it_goes_on()}"
    if isinstance(error, OSError):
        where = f" ({str(error.filename)[-300:]})" if error.filename else ""
        return 2, f"error: {error.strerror or reason(error)}{where}. {how_it_goes_on()}"
    fault = "this is a fault of dynred; DYNRED_TRACEBACK=1 shows all"
    return 2, f"error: {reason(error)}, at {_place(error)}; {fault}."


def _printing(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def printing(*arguments: Any, **options: Any) -> None:
        with only_results_on_stdout():
            command(*arguments, **options)

    return printing


def _place(error: BaseException) -> str:
    """Module and line of the deepest frame of dynred in the traceback."""
    frames = traceback.walk_tb(error.__traceback__)
    names = [(str(frame.f_globals.get("__name__", "")), line) for frame, line in frames]
    ours = [f"{name}:{line}" for name, line in names if name.partition(".")[0] == "dynred"]
    return ours[-1] if ours else "an unknown place"


def _let_go_of_stdout() -> None:
    # At its end Python writes what is left in its buffer, and would report once more that nobody reads it.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # standard output is no file of the operating system
        return
