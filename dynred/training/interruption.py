"""Holds back signals that end the program until a training has finished its current step."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Signals that end a program; Windows lacks SIGHUP.
ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_requests: list[float] = []  # when each call of `stop_trainings` was made


def stop_trainings() -> None:
    """Asks trainings to stop; handlers of signals call it.

    Only the main thread receives signals. This call makes trainings in other threads finish their current step, save
    their checkpoints and end with KeyboardInterrupt.
    """
    _requests.append(time.monotonic())


@contextmanager
def interrupt_after_step() -> Iterator[Callable[[], bool]]:
    """Holds back the first signal that ends the program, such as Ctrl-C, because a step cut in half cannot be resumed.

    The block gets a function that says whether a signal came, and must end once one did. The signal then takes its
    usual effect. A second signal takes effect at once.
    """
    if threading.current_thread() is not threading.main_thread():
        requests_before = len(_requests)
        yield lambda: len(_requests) > requests_before
        if len(_requests) > requests_before:
            raise KeyboardInterrupt
        return
    caught: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        stop_trainings()
        if caught:
            signal.signal(number, before[number])
            signal.raise_signal(number)
        caught.append(number)

    before = {number: signal.getsignal(number) for number in ENDING}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, hold)
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        signal.raise_signal(caught[0])
        raise KeyboardInterrupt  # the handler of the signal only noted it
