"""The tables of wrong input: text files, one case a line, what is given and the words that the answer must hold."""

import re
import shlex
from pathlib import Path

SMALL = {
    "r": "--set data.train=4 --set data.validation=2 --set data.test=2 --set data.duration=2 --set reducer.width=4 "
    "--set reducer.training.steps=2 --set dynamics.width=4 --set dynamics.training.steps=2",
    "s": "--n 2 --duration 1 --sampling .5",
    "l": "--n 1 --duration 1 --interval .1",
    "long": "x" * 300,
    "deep": "/".join(["x" * 200] * 30),
    "huge": "9" * 400,
}


def table(name: str) -> list[tuple[str, tuple[str, ...]]]:
    """(what is given, words) of every line of a text file beside this one; those with `#` are for readers."""
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    cases = [line.rpartition(" | ") for line in lines if line and not line.startswith("#")]
    return [(given, tuple(words.split(", "))) for given, _, words in cases]


def tokens(line: str) -> list[str]:
    """The tokens of a command line of the table; what it sets itself is not set by an abbreviation."""
    own = re.findall(r"--set ([\w.]+)=", line)
    small = {name: re.sub(rf"--set ({'|'.join(map(re.escape, own))})=\S+", "", text) for name, text in SMALL.items()}
    return shlex.split(line.format(**(small if own else SMALL)))
