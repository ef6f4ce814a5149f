"""The command line: every other module of this folder is a command, the function of its own name. The home of cyclopts.

What needs torch is imported inside the commands, so that `dynred --help` answers at once.
"""

import importlib
import pkgutil
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from dynred import cli
from dynred.cli.base import stderr
from dynred.errors import DynredError

HELP = (
    "Reduced-order models of dynamical systems: reduce an ODE to a few latent coordinates, learn their dynamics, "
    "and see how far the predictions can be trusted."
)


def build() -> App:
    """The application with every command of this folder."""
    app = App(name="dynred", help=HELP, suppress_keyboard_interrupt=False, version_flags=["--version"])
    for name in sorted({module.name for module in pkgutil.iter_modules(cli.__path__)} - {"app", "base"}):
        app.command(getattr(importlib.import_module(f"dynred.cli.{name}"), name))
    return app


def main(tokens: Sequence[str] | None = None) -> None:
    """Runs a command; bad input ends with one sentence on standard error and exit code 2."""
    try:
        build()(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except (DynredError, CycloptsError) as error:
        stderr.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        stderr.print("interrupted; the same command with --resume goes on from here.", highlight=False)
        sys.exit(130)
