"""Calls in forked children of the warm process, so that a try costs milliseconds and may end in any way.

A child may be killed, hang, run out of memory or change its user: the parent only reads what it says.
"""

import os
import pickle
import resource
import selectors
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch

from dynred.cli.app import main
from dynred.errors import DynredError

HUNG = "hung"
GIGABYTE = 2**30
PARTS = ("value", "out", "err")


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Attributes:
        code: its exit code, 0 where it returned; minus the signal that ended it; `HUNG` where its time was over.
        value: what it returned.
        error: the exception that it raised, as text: `Kind: message`; None where it raised none.
        refused: whether that is one of dynred's own.
        trace: the exception with its traceback.
        out, err: what it wrote to standard output and standard error.
        seconds: how long it took.
    """

    code: int | str
    value: Any
    error: str | None
    refused: bool
    trace: str
    out: str
    err: str
    seconds: float

    @property
    def fine(self) -> bool:
        """Whether it returned, or refused on purpose."""
        return self.code == 0 and (self.error is None or self.refused)

    def returned(self) -> Any:
        """What the call returned; an assertion that it did."""
        assert self.code == 0, f"ended with {self.code}: {self.err[-1000:]}"
        assert self.error is None, self.trace
        return self.value


class Child:
    """A call that runs in a forked child from now on.

    Args:
        call: what runs, with its `arguments`.
        seconds: its time; a child that takes longer is killed.
        memory: bytes of address space beyond what the parent has; None sets no limit.
        folder: its working directory.
    """

    def __init__(
        self,
        call: Callable[..., Any],
        *arguments: Any,
        seconds: float = 60.0,
        memory: int | None = None,
        folder: Path | None = None,
    ):
        self.began, self.limit = time.monotonic(), seconds
        pipes = {name: os.pipe() for name in PARTS}
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _live(call, arguments, {name: write for name, (_, write) in pipes.items()}, memory, folder)
        for _, write in pipes.values():
            os.close(write)
        self.pipes = {name: read for name, (read, _) in pipes.items()}

    def ended(self) -> bool:
        """Whether it has ended, or its time is over; it is still to be waited for."""
        over = time.monotonic() > self.began + self.limit
        return over or os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def wait(self) -> Outcome:
        """How it ended, after its end; to be called once."""
        said, hung = self._listen()
        if hung:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        code = HUNG if hung else os.waitstatus_to_exitcode(status)
        value, error, refused, trace = pickle.loads(said["value"]) if said["value"] else (None, None, False, "")
        out, err = (said[name].decode(errors="replace") for name in ("out", "err"))
        return Outcome(code, value, error, refused, trace, out, err, time.monotonic() - self.began)

    def _listen(self) -> tuple[dict[str, bytes], bool]:
        said = dict.fromkeys(PARTS, b"")
        with selectors.DefaultSelector() as open_pipes:
            for name, read in self.pipes.items():
                open_pipes.register(read, selectors.EVENT_READ, name)
            while open_pipes.get_map():
                ready = open_pipes.select(min(3600.0, max(0.0, self.began + self.limit - time.monotonic())))
                for key, _ in ready:
                    piece = os.read(key.fd, 2**16)
                    said[key.data] += piece
                    if not piece:
                        open_pipes.unregister(key.fd)
                if not ready:
                    break
            hung = bool(open_pipes.get_map())
        for read in self.pipes.values():
            os.close(read)
        return said, hung


def in_child(call: Callable[..., Any], *arguments: Any, **limits: Any) -> Outcome:
    """How a call ends in a child; limits as of `Child`."""
    return Child(call, *arguments, **limits).wait()


def command(*tokens: object, folder: Path, **limits: Any) -> Outcome:
    """How `dynred TOKENS` ends, in a working directory."""
    return in_child(main, [str(token) for token in tokens], folder=folder, **limits)


def _live(
    call: Callable[..., Any], arguments: tuple[Any, ...], pipes: dict[str, int], memory: int | None, folder: Path | None
) -> NoReturn:
    code = 70
    try:
        _settle(pipes, memory, folder)
        code, said = _told(call, arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        with open(pipes["value"], "wb") as pipe:
            pickle.dump(said, pipe)
    finally:
        os._exit(code)


def _settle(pipes: dict[str, int], memory: int | None, folder: Path | None) -> None:
    """The child's own streams, warnings, working directory and limits; threads do not survive a fork."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(pipes[name], number)
        os.close(pipes[name])
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
    warnings.resetwarnings()
    for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", kind)
    warnings.showwarning = _say_warning
    torch.set_num_threads(1)
    if folder is not None:
        os.chdir(folder)
    if memory is not None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory,) * 2)


def _say_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, *others: Any) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


def _told(call: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[int, tuple[Any, str | None, bool, str]]:
    try:
        return 0, (call(*arguments), None, False, "")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None), (None, None, False, "")
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
        return 0, (None, text, isinstance(error, DynredError), traceback.format_exc())


def failures(cases: Iterable[Any], attempt: Callable[[Any], None]) -> dict[str, str]:
    """Tries every case; what failed, and why, so that one test tells all that it found."""
    found = {}
    for case in cases:
        try:
            attempt(case)
        except AssertionError as error:
            text = " ".join(str(error).split())
            found[str(case)] = text if len(text) < 400 else f"{text[:120]} ... {text[-260:]}"
    return found
