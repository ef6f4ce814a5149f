"""How much memory is available, how much was used, and the refusal of work that would need more."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from dynred.errors import InputError

if sys.platform != "win32":
    import resource

CGROUPS = Path("/sys/fs/cgroup")
# Names in the two versions of control groups: the limit, the memory in use, and the cached files that can be dropped.
FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available_bytes() -> int:
    """Bytes that this process can still take: the least that the machine, its control groups and its limits leave."""
    return max(0, min([psutil.virtual_memory().available, *_left_in_groups(), *_left_under_limits()]))


def check_memory(what: str, needed: int, advice: str = "") -> None:
    """Refuses work that would need more memory than there is.

    Args:
        what: the work, e.g. `training of the reducer`.
        needed: bytes that it needs.
        advice: what to do instead.

    Raises:
        InputError: the work needs more than `available_bytes`; the message gives both numbers.
    """
    available = available_bytes()
    if needed > available:
        message = f"{what} must fit into the memory that is available, {amount(available)}, got {amount(needed)}."
        raise InputError(message + (f" {advice}" if advice else ""))


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MiB."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 2**20
    with contextlib.suppress(OSError, ValueError, IndexError):  # Linux: getrusage counts the parent's memory, too
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def amount(count: int) -> str:
    """Bytes in words: `41 GB`, `3.2 GB`, `120 MB`."""
    if count > 10**18:
        return "more than 10^9 GB"
    if count < 10**8:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.2g} GB" if count < 10**11 else f"{count // 10**9} GB"


def is_memory_error(error: BaseException) -> bool:
    """Whether an exception says that memory is used up; torch has no class of exceptions for that on the CPU."""
    words = ("can't allocate memory", "not enough memory", "out of memory", "Unable to allocate", "Storage size")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Makes an allocation of more memory than is available fail while the block runs.

    Otherwise Linux grants an allocation of any size, and kills the process without a message when it fills it.
    """
    if sys.platform != "linux":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    bound = psutil.Process().memory_info().vms + available_bytes()
    if before[0] == resource.RLIM_INFINITY or bound < before[0]:
        resource.setrlimit(resource.RLIMIT_AS, (bound, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _left_under_limits() -> list[int]:
    if sys.platform == "win32":
        return []
    used = psutil.Process().memory_info()
    limits = ((resource.RLIMIT_AS, used.vms), (resource.RLIMIT_DATA, getattr(used, "data", used.rss)))
    soft = [(resource.getrlimit(limit)[0], taken) for limit, taken in limits]
    return [bound - taken for bound, taken in soft if bound != resource.RLIM_INFINITY]


def _left_in_groups() -> list[int]:
    # The limit of a group holds for all groups below it. A container may show its own group as the root.
    left = []
    for folder in _groups():
        for limit, used, dropped in FILES:
            with contextlib.suppress(OSError, ValueError):  # files of the other version, or the limit `max`
                bound = int((folder / limit).read_text())
                stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                left.append(bound - int((folder / used).read_text()) + int(stat.get(dropped, 0)))
    return left


def _groups() -> set[Path]:
    groups = {CGROUPS, CGROUPS / "memory"}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory"):
                own = CGROUPS / controllers / path.lstrip("/")
                groups |= {own, *(parent for parent in own.parents if CGROUPS in parent.parents)}
    return groups
