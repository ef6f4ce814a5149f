"""How work runs: device, progress, checkpoints. None of these decides what is computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from dynred.checks import one_of, refuse
from dynred.shared_stages import SharedStages


class Progress(Protocol):
    """Receives the reports of long work, a few times a second at most."""

    def __call__(self, stage: str, done: int, total: int, **figures: float) -> None:
        """`done` of `total` units of `stage` are finished; `figures` are named numbers worth showing."""
        ...


def silent(stage: str, done: int, total: int, **figures: float) -> None:
    """The default progress: says nothing."""


@dataclass(frozen=True)
class Runtime:
    """How work runs; nothing here decides what is computed.

    Attributes:
        device: `auto` (CUDA where there is one), `cpu`, `cuda`, or `cuda:1` and so on.
        progress: receives reports of long work.
        checkpoints: folder for checkpoints; None keeps none. Work that finds its checkpoint there goes on from it.
        checkpoint_seconds: time between two checkpoints, in seconds.
        identity: digest of everything that decides the result of the work; a checkpoint of other work is refused.
            Empty where the caller names none.
        shared: stages that runs have in common; None shares none.
        expecting: is told, before the work begins, how many seconds its stages will take, roughly, by their names,
            where that is long; None has nothing measured for it.
    """

    device: str = "auto"
    progress: Progress = silent
    checkpoints: Path | None = None
    checkpoint_seconds: float = 15.0
    identity: str = ""
    shared: SharedStages | None = None
    expecting: Callable[[Mapping[str, float]], None] | None = None

    def __post_init__(self):
        one_of("device", self.device.partition(":")[0], ("auto", "cpu", "cuda"))
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise refuse("device", "available", repr(self.device), "This machine has no CUDA device; use `auto`.")

    def torch_device(self) -> torch.device:
        """The device of torch that `device` means on this machine."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)


def threads() -> int:
    """Number of threads in which torch computes. It decides the order of sums, so results agree bit for bit only where
    it is the same."""
    return torch.get_num_threads()
