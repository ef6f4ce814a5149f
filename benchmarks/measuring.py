"""The parts that benchmarks share: the same cores for every library, clocks, facts about the machine, tables."""

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

LIBRARIES = ("torch", "torchdiffeq", "numpy", "scipy", "jax", "diffrax", "optax", "equinox")


@contextlib.contextmanager
def limited_to(threads: int | None) -> Iterator[None]:
    """Runs the body on `threads` cores; None leaves everything as it is.

    torch has a setting for its number of threads. jax has none, but never uses more than the cores on which the process
    may run when its CPU backend starts. So where the operating system has processor affinity (Linux), the whole process
    is bound to that many cores, and every library gets the same. Elsewhere jax uses all cores, to its advantage.
    """
    if threads is None:
        yield
        return
    before = torch.get_num_threads()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    torch.set_num_threads(threads)
    if cores is not None:
        os.sched_setaffinity(0, sorted(cores)[:threads])
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if cores is not None:
            os.sched_setaffinity(0, cores)


def installed(*names: str) -> bool:
    """Whether all these modules can be imported."""
    return all(importlib.util.find_spec(name) is not None for name in names)


def machine() -> dict[str, Any]:
    """Facts about the machine that runs the benchmark: processor, cores, threads, versions of installed libraries."""
    versions = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def seconds(call: Callable[[], Any]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median_seconds(call: Callable[[], Any], repeats: int) -> float:
    """Median wall-clock seconds of `repeats` calls, after one that is not counted."""
    call()
    return statistics.median(seconds(call) for _ in range(repeats))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; the first column is text, the others are numbers."""
    table = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    _console().print(table)


def say(line: str) -> None:
    """A line on standard output."""
    _console().print(line, highlight=False)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 110)  # in a file rich would wrap at 80


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)
