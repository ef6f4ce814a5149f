"""How much memory there is, and the refusal of work that would need more."""

import psutil

from dynred.errors import InputError


def available_bytes() -> int:
    """Bytes that this process can still take."""
    return int(psutil.virtual_memory().available)


def check_memory(what: str, needed: int, advice: str = "") -> None:
    """Refuses work that would need more memory than there is.

    Args:
        what: the work, e.g. `training of the reducer`.
        needed: bytes.
        advice: what to do instead.

    Raises:
        InputError: more is needed than `available_bytes` says; gives both numbers.
    """
    available = available_bytes()
    if needed > available:
        numbers = f"{available / 1e9:.2g} GB, got {needed / 1e9:.2g} GB"
        message = f"{what} must fit into the memory that is available, {numbers}."
        raise InputError(message + (f" {advice}" if advice else ""))
