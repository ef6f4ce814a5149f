"""Grids of times: compared up to round-off, refined and cut."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.checks import refuse

ALIKE = 1e-5  # of the smallest step: what times may differ by in any case
WIDEST = 0.2  # of the smallest step: what they may differ by at most, however coarse their round-off

BETWEEN = 0.01  # of a step of a map: how far a time may be from a whole one


def tolerance(t: Float[Tensor, " T"]) -> float:
    """How far times since t[0] may be from those that were meant, in time units.

    Times that float32 can hold, in whatever dtype, have passed through it for all that one can tell.
    """
    if len(t) < 2:
        return 0.0
    held = t.dtype if t.dtype != torch.float64 or bool((t.float().double() != t).any()) else torch.float32
    step, largest = float(torch.diff(t.double()).min()), float(t.double().abs().max())
    return max(ALIKE * step, min(2 * torch.finfo(held).eps * largest, WIDEST * step))


def shared(grids: Sequence[Float[Tensor, " _"]]) -> list[tuple[Float[Tensor, " _T"], list[int]]]:
    """The grids that differ by more than round-off, counted from their first times, and the places of those alike.

    A grid belongs to the first that is like it; that one stands for all.
    """
    groups: list[tuple[Tensor, list[int]]] = []
    rivals: dict[int, list[tuple[Tensor, float, list[int]]]] = {}  # grids of as many times, with their tolerances
    known: dict[bytes, list[int]] = {}  # those that are alike bit by bit need no comparison
    for i, t in enumerate(grids):
        elapsed = t - t[0]
        key = elapsed.detach().cpu().numpy().tobytes()
        if key not in known:
            margin, others = tolerance(t), rivals.setdefault(len(t), [])
            alike = (members for other, near, members in others if _within(elapsed, other, margin + near))
            known[key] = next(alike, [])
            if not known[key]:
                others.append((elapsed, margin, known[key]))
                groups.append((elapsed, known[key]))
        known[key].append(i)
    return groups


def _within(a: Float[Tensor, " T"], b: Float[Tensor, " T"], margin: float) -> bool:
    # Most grids that differ do so at their ends.
    return abs(float(a[-1]) - float(b[-1])) <= margin and bool(((a.double() - b.double()).abs() <= margin).all())


def even_step(grids: Sequence[Float[Tensor, " _"]]) -> float | None:
    """The step that all grids have throughout, up to round-off; None where it varies, or where there is none."""
    steps = torch.cat([torch.diff(t) for t in grids]) if grids else torch.zeros(0)
    if len(steps) == 0 or float(steps.max() - steps.min()) > 2 * max(tolerance(t) for t in grids):
        return None
    return float(steps.mean())


def count_until(t: Float[Tensor, " T"], duration: float) -> int:
    """How many times are at most `duration` after t[0], up to round-off."""
    return int((t - t[0] <= duration * (1 + 1e-9) + tolerance(t)).sum())


def refined(t: Float[Tensor, " T"], step: float) -> tuple[Float[Tensor, " S"], Int[Tensor, " T"]]:
    """The times t with every gap cut evenly into pieces of at most `step`, and the places of t among them."""
    gaps = torch.diff(t)
    counts = torch.ceil(gaps / step - 1e-9).clamp_min(1).long()
    ends = torch.cumsum(counts, 0)
    owner = torch.repeat_interleave(torch.arange(len(gaps)), counts)
    fraction = (torch.arange(len(owner)) - (ends - counts)[owner]) / counts[owner]
    return torch.cat([t[owner] + gaps[owner] * fraction, t[-1:]]), torch.cat([ends.new_zeros(1), ends])


def cuts(times: Float[Tensor, " S"], length: float) -> list[int]:
    """The places in `times` at which pieces of about `length` begin, and the last place."""
    piece = torch.floor((times[:-1] - times[0]) / length)
    first = torch.cat([torch.ones(1, dtype=torch.bool), torch.diff(piece) > 0])[: len(piece)]
    return [*torch.nonzero(first)[:, 0].tolist(), len(times) - 1]


def whole_steps(t: Float[Tensor, " T"], step: float) -> Int[Tensor, " T"]:
    """How many steps of a map are between t[0] and each time.

    Raises:
        InputError: a time is not reached by whole steps.
    """
    steps = (t.double() - float(t[0])) / step
    whole = steps.round()
    off = (steps - whole).abs()
    if len(t) and float(off.max()) > BETWEEN + tolerance(t) / step:
        i = int(off.argmax())
        advice = "A map moves on one whole step at a time."
        raise refuse(
            "t", f"whole steps of {step:g} after t[0]", f"{float(t[i]):g} ({float(steps[i]):.4g} steps)", advice
        )
    return whole.long()


def common_step(name: str, grids: Sequence[Float[Tensor, " _"]]) -> float:
    """The step of a map between snapshots: the one that all grids have.

    Raises:
        InputError: the times are not evenly spaced, or there are no two snapshots in a row.
    """
    steps = torch.cat([torch.diff(t.double()) for t in grids])
    if len(steps) == 0:
        raise refuse(name, "trajectories of at least 2 snapshots", "of 1 each", "A map is fitted to pairs of them.")
    step = even_step(grids)
    if step is None:
        least, most, typical = float(steps.min()), float(steps.max()), float(steps.median())
        off = 100 * max(most - typical, typical - least) / typical
        actual = f"steps from {least:.4g} to {most:.4g}, up to {off:.2g} % off the typical {typical:.4g}"
        advice = "A map takes equal steps: number the snapshots, or resample them."
        raise refuse(f"the times of {name}", "evenly spaced", actual, advice)
    return step
