"""The options that commands share, and how every option is declared: its group in the help, and what it means.

The meaning of an option stands in its annotation, not in the docstring of its command: no guess about the style of a
docstring, and no interpreter that drops docstrings (`python -OO`), can lose it. Nothing heavy is imported here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter, Token

from dynred.plugin_names import installed, names

SOURCE = Group("Source", sort_key=1)
LATENT = Group("Latent space", sort_key=2)
DATA = Group("Data and test", sort_key=3)
OWN = Group(
    "Own data", help="What cannot be guessed of a data file; what was guessed is printed in a line.", sort_key=3.5
)
CLEANING = Group(
    "Cleaning",
    help="What is mended in measured samples before anything is learned from them; unlike transforms, not undone.",
    sort_key=3.6,
)
TRANSFORMS = Group(
    "Transforms",
    help="What is done to the states first, and undone in predictions: --transform in order, then --scale, then "
    "--delays. --set transforms.NAME.SETTING changes a setting.",
    sort_key=3.7,
)
TRAINING = Group("Training", sort_key=4)
COMPUTATION = Group("Computation", sort_key=5)
OUTPUT = Group("Output", sort_key=6)


def option(group: Group, text: str, *names: str, **more: Any) -> Parameter:
    """What help says of an option, and where.

    Args:
        group: the group in which help lists it.
        text: what it means, in a sentence; the default too, where that is None.
        names: its names, where they are not that of the argument, e.g. `--set`.
        more: further attributes of cyclopts' Parameter.
    """
    return Parameter(name=names or None, group=group, help=text, **{"negative": "", **more})


def flag(group: Group, text: str, *names: str) -> Parameter:
    """As `option`, of something that is off unless it is named."""
    return option(group, text, *names, show_default=False)


def listed(package: str, *others: str) -> str:
    """`others` and the names of the plug-ins of a folder, and of installed packages, separated by commas."""
    return ", ".join([*others, *names(package), *installed(package)])


def _as_given(_kind: object, tokens: Sequence[Token]) -> Path:
    if not tokens[0].value:  # Path would take it for the current folder
        raise ValueError("must be a path, got ''.")
    return Path(tokens[0].value)


def _whole(_kind: object, tokens: Sequence[Token]) -> int:
    try:
        return int(tokens[0].value)
    except ValueError as error:  # cyclopts would round 1.5
        raise ValueError(f"must be an integer, got {tokens[0].value!r}.") from error


Out = Annotated[Path, Parameter(converter=_as_given)]
Whole = Annotated[int, Parameter(converter=_whole)]

Arguments = Annotated[
    list[str] | None, option(SOURCE, "A structural choice of the system, e.g. length=44; repeatable.", "--with")
]
Parameters = Annotated[
    list[str] | None, option(SOURCE, "A parameter of the equation, e.g. rho=20; repeatable.", "--set")
]
Plugins = Annotated[
    list[Path] | None,
    option(SOURCE, "A file of your own, of a system or a plug-in, that may run; repeatable.", "--plugin"),
]
Trust = Annotated[bool, flag(SOURCE, "Run whatever code the run names, unread. Anything may happen.", "--trust")]
Settings = Annotated[
    list[str] | None,
    option(TRAINING, "A setting by its dotted path, e.g. reducer.training.steps=8000; repeatable.", "--set"),
]
Device = Annotated[str, option(COMPUTATION, "auto (a GPU where there is one), cpu or cuda.")]
SolverName = Annotated[
    str, option(COMPUTATION, f"{listed('dynred.solvers', 'auto')}, or a file with a solver of your own.")
]
TimeLimit = Annotated[
    float | None,
    option(COMPUTATION, "Seconds after which the work stops; what was computed until then counts. Default: no limit."),
]
Overwrite = Annotated[bool, flag(OUTPUT, "Replace what dynred wrote there before.")]
AsJson = Annotated[bool, flag(OUTPUT, "Print the result as JSON on standard output.", "--json")]
