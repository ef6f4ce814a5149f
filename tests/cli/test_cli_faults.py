"""Whatever goes wrong in a command ends with one sentence, and standard output holds results alone."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import warnings

import pytest
import torch

from dynred.cli import _process
from dynred.cli.app import AGAIN, main
from dynred.errors import DivergenceError, InputError
from dynred.ode import catalogue

ALLOCATOR = "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried 1 TB."
COMMAND = [sys.executable, "-c", "from dynred.cli.app import main; main()"]


def call(*tokens):
    """Runs a command in this process; returns its exit code."""
    try:
        main(list(tokens))
    except SystemExit as stop:
        return stop.code
    return 0


def deep():
    return deep()


def closed_while_printing_help():
    """What rich makes of a closed pipe."""
    try:
        raise BrokenPipeError
    except BrokenPipeError:
        raise SystemExit(1)  # noqa: B904 # as rich does


ANSWERS = [  # what is raised, the exit code, what is said
    (InputError("n must be 1, got 2."), 2, r"^error: n must be 1, got 2\.$"),
    (DivergenceError("Trajectory 1 diverged.", 1, 2.0), 2, r"^error: Trajectory 1 diverged\.$"),
    (
        OSError(errno.ENOSPC, "No space left on device", "d.npz"),
        2,
        rf"^error: No space left on device \(d.npz\)\. {AGAIN}$",
    ),
    (PermissionError(errno.EACCES, "Permission denied", "d"), 2, rf"^error: Permission denied \(d\)\. {AGAIN}$"),
    (OSError("an odd one"), 2, rf"^error: OSError: an odd one\. {AGAIN}$"),
    (MemoryError(), 2, rf"^error: there is not enough memory \(MemoryError\)\. Ask for less at once\. {AGAIN}$"),
    (RuntimeError(ALLOCATOR), 2, r"^error: there is not enough memory \(RuntimeError: \[enforce"),
    (
        torch.OutOfMemoryError("CUDA out of memory. Tried"),
        2,
        r"^error: there is not enough memory \(OutOfMemoryError: CUDA",
    ),
    (
        deep,
        2,
        r"^error: RecursionError: maximum recursion.*; this is a fault of dynred; DYNRED_TRACEBACK=1 shows all\.$",
    ),
    (
        ZeroDivisionError("by zero"),
        2,
        r"^error: ZeroDivisionError: by zero, at dynred\.cli\.systems:\d+; this is a fault",
    ),
    (SystemExit(0), 2, r"^error: SystemExit: 0, at dynred\.cli\.systems:\d+; this is a fault of dynred"),
    (UnicodeEncodeError("ascii", "é", 0, 1, "not in range"), 2, "^error: UnicodeEncodeError: 'ascii' codec can't"),
    (KeyboardInterrupt(), 130, rf"^interrupted\. {AGAIN}$"),
    (lambda: signal.raise_signal(signal.SIGTERM), 143, rf"^interrupted\. {AGAIN}$"),
    (BrokenPipeError(), 2, "^error: standard output was closed before all of the result was written.$"),
    (closed_while_printing_help, 2, "^error: standard output was closed before all of the result was written.$"),
]


@pytest.mark.parametrize(
    ("what", "code", "words"), ANSWERS, ids=lambda value: getattr(value, "__name__", str(value)[:40])
)
def test_every_error_of_a_command_is_answered_in_one_sentence(what, code, words, monkeypatch, capsys):
    def fails():
        if isinstance(what, BaseException):
            raise what
        return what()

    monkeypatch.setattr(catalogue, "list_systems", fails)
    handlers = signal.getsignal(signal.SIGTERM)
    assert call("systems", "--json") == code
    said = capsys.readouterr()
    assert said.out == ""
    line = said.err.strip()
    assert "\n" not in line
    assert re.search(words, line), line
    assert signal.getsignal(signal.SIGTERM) == handlers


def test_a_traceback_is_shown_where_it_is_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(catalogue, "list_systems", deep)
    monkeypatch.setenv("DYNRED_TRACEBACK", "1")
    assert call("systems") == 2
    assert "in deep" in capsys.readouterr().err


def test_what_user_code_prints_and_warns_of_goes_to_standard_error(monkeypatch, capsys):
    def talks():
        print("some words")
        for _ in range(1000):
            warnings.warn("a\n warning", UserWarning, stacklevel=1)
            warnings.warn("another", RuntimeWarning, stacklevel=1)
        return [{"name": "one"}]

    monkeypatch.setattr(catalogue, "list_systems", talks)
    assert call("systems", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == [{"name": "one"}]
    assert said.err.splitlines() == ["some words", "warning: a warning", "warning: another"]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with _process.stoppable():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


TALKING = """
import os, sys, torch
from dynred.ode.system import System
print("imported")
os.write(1, b"below Python\\n")
def system():
    return System("talking", 2, rhs)
def rhs(t, x):
    print("called")
    return -x
"""


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of a terminal differ")
def test_a_process_prints_results_alone_on_standard_output_(tmp_path):
    path, out = tmp_path / "talking.py", tmp_path / "d.npz"
    path.write_text(TALKING)
    shell = " ".join(f"'{part}'" for part in [*COMMAND, "simulate", str(path), "-n", "2", "--duration", "1", "--json"])
    done = subprocess.run(f"{shell} --out {out}", shell=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trajectories"] == 2
    assert {"imported", "below Python", "called"} <= set(done.stderr.splitlines())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of a terminal differ")
@pytest.mark.parametrize(
    ("closed", "code", "sentence"),
    [
        (">&-", 0, ""),
        ("| true; exit ${PIPESTATUS[0]}", 2, "standard output was closed before all of the result was written"),
        ("> /dev/full", 2, "No space left on device"),
    ],
)
def test_a_standard_output_that_cannot_be_written_to_loses_no_results(closed, code, sentence, tmp_path):
    out = tmp_path / "d.npz"
    shell = " ".join(f"'{part}'" for part in [*COMMAND, "simulate", "lorenz63", "-n", "2", "--duration", "1", "--json"])
    done = subprocess.run(["bash", "-c", f"{shell} --out {out} {closed}"], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert out.exists()
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_what_a_terminal_cannot_show_is_escaped():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    script = (  # a command that imports no torch, which takes seconds
        "from dynred.cli.base import show\nfrom dynred.cli._process import only_results_on_stdout\n"
        "with only_results_on_stdout():\n    show('ω', ('x²',), [('lorenz63 │ ∂',)], {}, False)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "lorenz63" in done.stdout
    assert "\\u2202" in done.stdout
