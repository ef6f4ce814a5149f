"""The process of a command: where the command prints, and how signals end it. The home of rich's consoles."""

import logging
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
    """The text with every character that is not printable written as its escape.

    Names come from files, and such characters could move a terminal's cursor or reverse its letters.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


class _Quiet(Console):
    """A console that falls silent when nobody reads it any more, while the work goes on."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(visible(item) if isinstance(item, str) else item for item in objects), **options)

    def on_broken_pipe(self) -> None:
        self.quiet = True


class _Plain(Console):
    """A console that raises BrokenPipeError, where rich's own would exit."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


stderr = _Quiet(stderr=True, emoji=False)
_results: list[TextIO] = []


def results() -> TextIO:
    """The stream of results: standard output, also while everything else that is printed goes to standard error."""
    return _results[-1] if _results else sys.stdout


def printer() -> Console:
    """A console that prints results."""
    return _Plain(file=results(), emoji=False)


@contextmanager
def only_results_on_stdout() -> Iterator[None]:
    """Sends to standard error what user code and libraries print, so that only `results` writes to standard output.

    Each warning becomes one line on standard error.
    """
    with _own_stdout() as stream, redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.showwarning = _Warnings()  # type: ignore[assignment] # mypy wants a function
        notes, log = _Notes(), logging.getLogger("dynred")
        level = log.level
        log.addHandler(notes)
        log.setLevel(logging.INFO)
        _results.append(stream)
        try:
            yield
            stream.flush()
        finally:
            _results.pop()
            log.removeHandler(notes)
            log.setLevel(level)


@contextmanager
def _own_stdout() -> Iterator[TextIO]:
    """Standard output as a stream of its own, while file descriptor 1 leads to standard error.

    The descriptor is moved because solvers in Fortran and C print there. The stream escapes characters that its
    encoding lacks.
    """
    if sys.stdout is None or sys.stderr is None:  # the program was started with one of them closed
        with open(os.devnull, "w") as nowhere:
            yield sys.stdout or nowhere
        return
    ours, own = sys.stdout, sys.stdout is sys.__stdout__
    if not own or sys.platform == "win32":  # a notebook, a test
        yield ours
        return
    ours.flush()
    original = os.dup(1)
    stream = open(original, "w", encoding=ours.encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    try:
        os.dup2(2, 1)
        yield stream
    finally:
        with suppress(OSError):  # `only_results_on_stdout` flushed it and raised what mattered
            stream.close()
        ours.flush()
        os.dup2(original, 1)
        os.close(original)


class _Notes(logging.Handler):
    """Prints each note of the library once, on one line."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        if text not in self.seen:
            self.seen.add(text)
            stderr.print(text, markup=False, highlight=False, soft_wrap=True)


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
    """Raised when a signal asks the command to end; all code on the way treats it like Ctrl-C."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


_advice = [""]


def going_on(words: str) -> None:
    """Sets the sentence that is printed if the command is interrupted from now on: how to go on."""
    _advice[0] = words


def how_it_goes_on() -> str:
    """The sentence that `going_on` was given last."""
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


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
