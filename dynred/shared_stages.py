"""Stages that several runs have in common: computed once, found again by the digest of what decides them."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from jaxtyping import Shaped
from torch import Tensor

from dynred.errors import BusyError, FileFormatError
from dynred.files import read_tensors, write_tensors
from dynred.locks import locked

T = TypeVar("T")
PAUSE = 0.1  # seconds between two looks for a stage that another process computes
Packed = tuple[Mapping[str, Shaped[Tensor, "..."]], Mapping[str, Any]]


@dataclass(frozen=True)
class Form(Generic[T]):
    """How the result of a stage is written.

    Attributes:
        pack: gives its tensors by name, and the rest as plain JSON data.
        unpack: makes the same result of both.
    """

    pack: Callable[[T], Packed]
    unpack: Callable[[Mapping[str, Shaped[Tensor, "..."]], Mapping[str, Any]], T]


@dataclass(frozen=True, eq=False)
class SharedStages:
    """A folder of stages, as one run sees it.

    A stage is published by moving its file into place. The process that computes it holds a lock of the operating
    system, which ends with the process.

    Attributes:
        folder: where the stages are kept.
        basis: plain JSON data that decide the results of all stages of the run: its source, code and versions.
        run: identity of the run.
        wait: whether to wait for a stage that another process computes; otherwise `BusyError` is raised.
        reused: names of the stages that other runs computed, as far as they were asked for.
    """

    folder: Path
    basis: Mapping[str, Any]
    run: str
    wait: bool = True
    reused: list[str] = field(default_factory=list)

    def obtain(self, name: str, settings: Mapping[str, Any], compute: Callable[[], T], form: Form[T]) -> T:
        """The result of a stage: read where a run has computed it before, else computed and published.

        Args:
            name: the name of the stage.
            settings: plain JSON data that decide the result, beside `basis`.
            compute: computes it.
            form: how it is written.

        Raises:
            BusyError: another process computes the stage, and `wait` is not set.
        """
        path = self.folder / f"{name}-{self._digest(name, settings)}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            while (stored := _read(path)) is None:
                try:
                    held.enter_context(locked("stage", path, path.with_suffix(".lock")))
                except BusyError:
                    if not self.wait:
                        raise
                    time.sleep(PAUSE)
                    continue
                if (stored := _read(path)) is None:
                    result = compute()
                    tensors, rest = form.pack(result)
                    path.unlink(missing_ok=True)  # one that was damaged
                    write_tensors(path, tensors, {"kind": "stage", "run": self.run, "content": rest})
                    return result
                break
        tensors, metadata = stored
        if metadata["run"] != self.run:
            self.reused.append(name)
        return form.unpack(tensors, metadata["content"])

    def _digest(self, name: str, settings: Mapping[str, Any]) -> str:
        text = json.dumps([name, self.basis, settings], sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What is published; None where nothing is, or what is there was damaged."""
    if not path.exists():
        return None
    try:
        tensors, metadata = read_tensors(path)
        return (tensors, metadata) if metadata.get("kind") == "stage" else None
    except FileFormatError:
        return None
