"""What a command does with its process: where it prints, and how signals end it. The home of rich's consoles."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from types import FrameType
from typing import Any, TextIO

from rich.console import Console


def visible(text: str) -> str:
    """Text in which what would move a terminal's cursor, or turn its letters round, is written out: names come from
    files."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


class _Quiet(Console):
    """A console that falls silent when nobody reads it any more, while the work goes on."""

    def print(self, *objects: Any, **others: Any) -> None:
        super().print(*(visible(one) if isinstance(one, str) else one for one in objects), **others)

    def on_broken_pipe(self) -> None:
        self.quiet = True


class _Plain(Console):
    """A console whose broken pipe is the caller's concern, and not an exit."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


stderr = _Quiet(stderr=True)
_results: list[TextIO] = []


def results() -> TextIO:
    """Where results are written: standard output, also while that of anything else is sent to standard error."""
    return _results[-1] if _results else sys.stdout


def printer() -> Console:
    """A console for results."""
    return _Plain(file=results())


@contextmanager
def only_results_on_stdout() -> Iterator[None]:
    """Sends to standard error what user code and libraries print, so that nothing but `results` is on standard output;
    warnings become one line there."""
    with _own_stdout() as stream, redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.showwarning = _Warnings()  # type: ignore[assignment] # mypy wants a function
        _results.append(stream)
        try:
            yield
            stream.flush()
        finally:
            _results.pop()


@contextmanager
def _own_stdout() -> Iterator[TextIO]:
    # The descriptor 1 goes to standard error as well, for solvers in Fortran and C; what a terminal or a file cannot
    # show is escaped.
    if sys.stdout is None or sys.stderr is None:  # closed by whoever started the program
        with open(os.devnull, "w") as nowhere:
            yield sys.stdout or nowhere
        return
    ours, own = sys.stdout, sys.stdout is sys.__stdout__
    if not own or sys.platform == "win32":  # a notebook, a test
        yield ours
        return
    ours.flush()
    kept = os.dup(1)
    stream = open(kept, "w", encoding=ours.encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    try:
        os.dup2(2, 1)
        yield stream
    finally:
        with suppress(OSError):  # said already where it mattered
            stream.close()
        ours.flush()
        os.dup2(kept, 1)
        os.close(kept)


class _Warnings:
    """Prints each warning once, on one line."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, message: Warning | str, category: type[Warning], *_: object) -> None:
        text = " ".join(str(message).split())
        if text not in self.seen and len(self.seen) < 100:
            self.seen.add(text)
            stderr.print(f"warning: {text}", markup=False, highlight=False, soft_wrap=True)


# -- signals ----------------------------------------------------------------------------------------------------------


class Stopped(KeyboardInterrupt):
    """The end that a signal asks for; like Ctrl-C to all that is in between."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


_advice = [""]


def going_on(words: str) -> None:
    """Sets what is said of how the command goes on when it is interrupted from now on."""
    _advice[0] = words


def how_it_goes_on() -> str:
    """What `going_on` was told last."""
    return _advice[0]


@contextmanager
def stoppable() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP raise `Stopped`, unless they are ignored, as under nohup."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in (getattr(signal, name) for name in names)}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)
