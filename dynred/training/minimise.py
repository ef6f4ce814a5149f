"""The only training loop: batches, schedule, validation, checkpoint and resume, progress, device.

Muon (Jordan et al. 2024; `torch.optim.Muon`) moves the hidden matrices and Adam all other weights, both on one OneCycle
schedule. On Kuramoto-Sivashinsky (L = 22, 64 -> 8) they reach the reconstruction error of Adam alone in a fifth of the
steps; see the README's table of choices.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dynred.checks import at_least, count, integer, positive, refuse
from dynred.errors import FileFormatError, InputError
from dynred.files import read_tensors, write_tensors
from dynred.kinds import current
from dynred.records import plain, revive
from dynred.runtime import Progress, Runtime
from dynred.spec import ADDED, Spec
from dynred.training.interruption import interrupt_after_step
from dynred.training.nets import check_weights, hidden_matrices


@dataclass(frozen=True)
class TrainingSpec(Spec):
    """How a network is trained.

    Attributes:
        steps: number of batches, >= 1.
        batch_size: snapshots in a batch, >= 1.
        learning_rate: Adam's largest rate, reached after `warmup`.
        muon: rate of Muon for hidden matrices, in units of `learning_rate`; at 0 Adam moves these as well.
        weight_decay: decoupled weight decay of both optimisers, in [0, 1).
        warmup: fraction of the steps in which the rate rises, in (0, 1).
        validations: how often the validation loss is measured, evenly spread, >= 1. The best weights are kept.
        time_limit: training stops after so many seconds of training time; None for no limit. With a limit, a result
            depends on the speed of the machine.
        patience: training stops after so many validations in a row, all after `warmup`, none of which is better than
            those before; None trains for all steps.
    """

    steps: int = 5000
    batch_size: int = 512
    learning_rate: float = 4e-3
    muon: float = 5.0
    weight_decay: float = 0.0
    warmup: float = 0.3
    validations: int = 20
    time_limit: float | None = None
    patience: int | None = field(default=None, metadata=ADDED)

    def __post_init__(self):
        count("steps", self.steps, 1, 10**9)
        count("batch_size", self.batch_size, 1, 10**7)
        count("validations", self.validations, 1, 10**6)
        positive("learning_rate", self.learning_rate)
        at_least("muon", self.muon, 0)
        if not 0 <= self.weight_decay < 1:
            raise refuse("weight_decay", "in [0, 1)", self.weight_decay)
        if not 0 < self.warmup < 1:
            raise refuse("warmup", "in (0, 1)", self.warmup)
        if self.time_limit is not None:
            positive("time_limit", self.time_limit)
        if self.patience is not None:
            count("patience", self.patience, 1, 10**6)


@dataclass(frozen=True)
class History:
    """The course of a training: one entry per validation.

    Attributes:
        stage: what was trained.
        step: batches so far.
        training: mean training loss since the entry before.
        validation: validation loss.
        seconds: training time so far.
        best_step: the step whose weights were kept.
    """

    stage: str
    step: list[int] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_step: int = 0


@dataclass(frozen=True)
class _StoredTraining:
    """What a checkpoint records beside its tensors; see `_Training`."""

    done: int
    spent: float
    best_loss: float | None
    loss_count: int
    rates: list[list[float]]
    history: History


def minimise(
    module: nn.Module,
    loss: Callable[[Int[Tensor, " batch_size"]], Float[Tensor, ""]],
    count: int,
    validate: Callable[[], float],
    spec: TrainingSpec,
    *,
    rng: torch.Generator,
    stage: str,
    runtime: Runtime | None = None,
) -> History:
    """Trains `module` in place and leaves it with the weights of the lowest validation loss.

    Args:
        module: what is trained, already on its device.
        loss: the loss of a batch, given indices [batch_size] in 0..count-1 (on the module's device).
        count: number of training samples.
        validate: the validation loss, a number; called without gradients.
        spec: steps, batches, rates.
        rng: stream of the batches. On return it stands where an uninterrupted training would have left it.
        stage: names the checkpoint file and the progress.
        runtime: device, progress and checkpoints.

    Returns:
        The course of the training.

    Raises:
        InputError: no validation loss was finite.
        FileFormatError: the checkpoint belongs to other settings.
        KeyboardInterrupt: Ctrl-C, after a checkpoint. SIGTERM and SIGHUP also take their effect after one.
    """
    runtime = runtime or Runtime()
    training = _Training(module, spec, rng, stage, runtime.identity)
    path = runtime.checkpoints / f"{stage}.safetensors" if runtime.checkpoints else None
    if path is not None and path.exists():
        training.restore(path)
    with interrupt_after_step() as interrupted:
        for step in training.remaining():
            training.step(step, loss, count)
            if training.due(step):
                training.record(step, validate)
            due = training.tick(runtime.checkpoint_seconds) or step == spec.steps or interrupted()
            if due and path is not None:
                training.save(path)
            training.report(runtime.progress)
            if interrupted():
                break
    if path is not None and training.done < spec.steps:  # the time limit ended it: resuming must not change the result
        training.save(path)
    return training.finish()


class _Training:
    """The state of one training: everything that a checkpoint must hold."""

    def __init__(self, module: nn.Module, spec: TrainingSpec, rng: torch.Generator, stage: str, identity: str):
        self.module, self.spec, self.rng, self.identity = module, spec, rng, identity
        self.optimisers = _optimisers(module, spec)
        self.schedules = [
            torch.optim.lr_scheduler.OneCycleLR(
                optimiser,
                max_lr=[group["lr"] for group in optimiser.param_groups],
                total_steps=spec.steps + 1,
                pct_start=spec.warmup,
                cycle_momentum=False,
            )
            for optimiser in self.optimisers
        ]
        self.history = History(stage)
        self.best: dict[str, Tensor] = {}
        self.best_loss = float("inf")
        self.done = 0
        self.spent = 0.0
        self.device = next(module.parameters()).device
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.loss_count = 0
        self.clock = self.saved_at = self.reported_at = time.monotonic()

    def remaining(self) -> Iterator[int]:
        """Yields the steps that are still to do, of 1..steps, until the time limit or the end of patience."""
        limit = self.spec.time_limit
        while self.done < self.spec.steps and (limit is None or self.spent < limit) and not self.settled():
            yield self.done + 1

    def settled(self) -> bool:
        """Whether as many validations as `patience` says have passed without a better one."""
        if self.spec.patience is None:
            return False
        since = max(self.history.best_step, self.spec.warmup * self.spec.steps)
        return sum(step > since for step in self.history.step) >= self.spec.patience

    def step(self, step: int, loss: Callable[[Int[Tensor, " batch_size"]], Float[Tensor, ""]], count: int) -> None:
        """Moves the weights once, along the gradient of one batch."""
        index = torch.randint(count, (self.spec.batch_size,), generator=self.rng).to(self.device)
        value = loss(index)
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        value.backward()
        for optimiser, schedule in zip(self.optimisers, self.schedules, strict=True):
            optimiser.step()
            schedule.step()
        self.loss_sum += value.detach()  # stays where it is: to look at it would wait for the device at every step
        self.loss_count += 1
        self.done = step

    def due(self, step: int) -> bool:
        """Whether to validate after `step`: `validations` times, evenly, and at the end."""
        every = max(1, self.spec.steps // self.spec.validations)
        return step % every == 0 or step == self.spec.steps

    def record(self, step: int, validate: Callable[[], float]) -> None:
        """Measures the validation loss and keeps the weights if they are the best so far."""
        with torch.no_grad():
            value = float(validate())
        history = self.history
        history.step.append(step)
        history.training.append(float(self.loss_sum / max(1, self.loss_count)))
        history.validation.append(value)
        history.seconds.append(self.spent + time.monotonic() - self.clock)
        self.loss_sum, self.loss_count = torch.zeros_like(self.loss_sum), 0
        if value < self.best_loss:
            self.best_loss = value
            self.best = {name: tensor.clone() for name, tensor in self.module.state_dict().items()}
            self.history = replace(history, best_step=step)

    def tick(self, checkpoint_seconds: float) -> bool:
        """Moves the clock on and says whether a checkpoint is due."""
        now = time.monotonic()
        self.spent += now - self.clock
        self.clock = now
        return now - self.saved_at >= checkpoint_seconds

    def report(self, progress: Progress) -> None:
        """Tells `progress` where the training stands, at most five times a second."""
        if self.clock - self.reported_at >= 0.2 or self.done == self.spec.steps or self.settled():
            self.reported_at = self.clock
            figures = {"validation": self.history.validation[-1]} if self.history.validation else {}
            progress(self.history.stage, self.done, self.spec.steps, **figures)

    def finish(self) -> History:
        """Puts the best weights into the module."""
        if not self.best:
            raise InputError(
                f"Training of the {self.history.stage} found no finite validation loss in {self.done} steps. "
                f"Lower `learning_rate` (now {self.spec.learning_rate:g}) or check the data."
            )
        self.module.load_state_dict(self.best)
        return self.history

    def save(self, path: Path) -> None:
        """Writes the checkpoint to a temporary file and moves it into place."""
        tensors = {f"module.{k}": v for k, v in self.module.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        tensors |= {"rng": self.rng.get_state(), "loss_sum": self.loss_sum}
        for i, optimiser in enumerate(self.optimisers):
            for j, state in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{i}.{j}.{k}": torch.as_tensor(v) for k, v in state.items()}
        # Tensors may share their storage, as tied weights do: safetensors wants every tensor on its own.
        tensors = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        write_tensors(path, tensors, self._metadata())
        self.saved_at = time.monotonic()

    def _metadata(self) -> dict[str, Any]:
        finite = self.best_loss if self.best else None
        return {
            "kind": "checkpoint",
            "identity": self.identity,
            "spec": self.spec.to_dict(),
            "done": self.done,
            "spent": self.spent,
            "best_loss": finite,
            "loss_count": self.loss_count,
            "rates": [[float(group["lr"]) for group in optimiser.param_groups] for optimiser in self.optimisers],
            "history": plain(self.history),
        }

    def restore(self, path: Path) -> None:
        """Goes back to a checkpoint.

        Raises:
            FileFormatError: the checkpoint is unreadable, or of other settings, another seed or another source.
        """
        tensors, metadata = read_tensors(path)
        ours = {"kind": "checkpoint", "identity": self.identity, "spec": self.spec.to_dict()}
        if any(current(metadata.get(name)) != value for name, value in ours.items()):
            advice = "Start over in another folder, or with --overwrite."
            raise FileFormatError(f"{path} is a checkpoint of other settings, another seed or another source. {advice}")
        stored = revive(_StoredTraining, metadata, str(path))
        try:
            self._take_over(tensors, stored)
        except Exception as error:
            reason = error if isinstance(error, InputError) else "it lacks a part of the training's state"
            raise FileFormatError(f"{path} does not fit the training that it should resume: {reason}") from error

    def _take_over(self, tensors: dict[str, Tensor], stored: "_StoredTraining") -> None:
        constants = dict(self.module.named_buffers())  # no training moves them, and earlier versions had fewer
        for prefix in ("module.", "best.") if any(name.startswith("best.") for name in tensors) else ("module.",):
            tensors = {prefix + name: tensor for name, tensor in constants.items()} | tensors
            check_weights(self.module.state_dict(), _part(tensors, prefix), prefix)
        integer("done", stored.done, 0, self.spec.steps)
        self.module.load_state_dict(_part(tensors, "module."))
        self.best = _part(tensors, "best.")
        self.best_loss = stored.best_loss if self.best and stored.best_loss is not None else float("inf")
        self.rng.set_state(tensors["rng"])
        self.loss_sum, self.loss_count = tensors["loss_sum"].to(self.device), stored.loss_count
        self.done, self.spent, self.history = stored.done, stored.spent, stored.history
        for i, (optimiser, schedule) in enumerate(zip(self.optimisers, self.schedules, strict=True)):
            state: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _part(tensors, f"optimiser.{i}.").items():
                j, _, key = name.partition(".")
                state.setdefault(int(j), {})[key] = tensor
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
            for group, rate in zip(optimiser.param_groups, stored.rates[i], strict=True):
                group["lr"] = rate
            schedule.load_state_dict({"last_epoch": self.done, "_step_count": self.done + 1})


def _optimisers(module: nn.Module, spec: TrainingSpec) -> list[torch.optim.Optimizer]:
    matrices = hidden_matrices(module) if spec.muon else []
    taken = {id(p) for p in matrices}
    rest = [p for p in module.parameters() if id(p) not in taken]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=spec.learning_rate, weight_decay=spec.weight_decay)
    ]
    if matrices:
        rate = spec.learning_rate * spec.muon
        optimisers.append(torch.optim.Muon(matrices, lr=rate, weight_decay=spec.weight_decay))
    return optimisers


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
