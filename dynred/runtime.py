"""How work runs: device, progress, checkpoints; never what it computes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from dynred.checks import one_of, refuse


class Progress(Protocol):
    """Receives what long work reports; called a few times a second at most."""

    def __call__(self, stage: str, done: int, total: int, **figures: float) -> None:
        """`done` of `total` units of `stage` are finished; `figures` are named numbers worth showing."""
        ...


def silent(stage: str, done: int, total: int, **figures: float) -> None:
    """The default progress: says nothing."""


@dataclass(frozen=True)
class Runtime:
    """How work runs, never what it computes.

    Attributes:
        device: `auto` (CUDA where there is one), `cpu`, `cuda`, or `cuda:1` and so on.
        progress: receives reports of long work.
        checkpoints: folder for checkpoints; None keeps none. Work that finds its checkpoint there goes on from it.
        checkpoint_seconds: time between two checkpoints, in seconds.
        identity: names everything that decides the result of the work, as a digest; a checkpoint of other work is
            refused. Empty where nobody says.
    """

    device: str = "auto"
    progress: Progress = silent
    checkpoints: Path | None = None
    checkpoint_seconds: float = 15.0
    identity: str = ""

    def __post_init__(self):
        one_of("device", self.device.partition(":")[0], ("auto", "cpu", "cuda"))
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise refuse("device", "available", repr(self.device), "This machine has no CUDA device; use `auto`.")

    def torch_device(self) -> torch.device:
        """The device that `device` means here."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)


def threads() -> int:
    """Number of threads in which torch computes: sums are in another order for another number, so that results agree
    bit for bit for the same number alone."""
    return torch.get_num_threads()
