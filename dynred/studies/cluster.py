"""Workers beyond one machine: those of a dask scheduler. The home of dask."""

import importlib
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from dynred.checks import refuse
from dynred.errors import MissingExtraError
from dynred.user_code import reason

PATIENCE = 10  # seconds in which a scheduler must answer


@contextmanager
def connected(address: str) -> Iterator[Executor]:
    """The executor of the workers of a dask scheduler, while the block runs.

    Args:
        address: e.g. `tcp://host:8786`.

    Raises:
        InputError: nothing answers there within ten seconds.
        MissingExtraError: without `pip install 'dynred[cluster]'`.
    """
    client = _client(address)
    try:
        yield client.get_executor()
    finally:
        client.close()


def _client(address: str) -> Any:
    try:
        distributed = importlib.import_module("distributed")  # takes a second, and only clusters need it
    except ImportError as error:
        raise MissingExtraError("A dask scheduler needs: pip install 'dynred[cluster]'") from error
    try:
        return distributed.Client(address, timeout=PATIENCE)
    except Exception as error:
        expected = f"the address of a dask scheduler that answers within {PATIENCE} s"
        raise refuse("dask", expected, f"{address} ({reason(error)})") from error
