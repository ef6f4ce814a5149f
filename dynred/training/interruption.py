"""Signals that end the program are held back until the step in hand of a training is done."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Signals that end a program; Windows lacks SIGHUP.
ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_requests: list[float] = []  # to stop trainings: when each was made


def stop_trainings() -> None:
    """Makes the trainings that run in threads other than the main one, which alone receives signals, save their
    checkpoints after the step in hand and end with KeyboardInterrupt: for handlers of signals."""
    _requests.append(time.monotonic())


@contextmanager
def interrupt_after_step() -> Iterator[Callable[[], bool]]:
    """Holds back the first signal that ends the program, such as Ctrl-C, until the step in hand is done, because a step
    cut in half cannot be resumed; then lets it do what it would have done. The block ends when it is told of one."""
    if threading.current_thread() is not threading.main_thread():
        before_this = len(_requests)
        yield lambda: len(_requests) > before_this
        if len(_requests) > before_this:
            raise KeyboardInterrupt
        return
    caught: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
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
        raise KeyboardInterrupt  # a handler that only makes a note of it
