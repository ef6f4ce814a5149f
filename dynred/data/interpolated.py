"""Finds samples that were interpolated linearly between fewer ones, and those fewer ones."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

AROUND = 64  # samples on either side, among which there is a kink
STRAIGHT = 1e-5  # as a fraction of the bends around: a sample that bends less lies on a line
MANY = 0.3  # fraction of samples on lines, from which samples are taken for interpolated


def nodes(
    t: Float[np.ndarray, " T"], x: Float[np.ndarray, "T D"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n D"]]:
    """The samples between which the given ones were interpolated linearly; the given ones where they were not.

    A smooth motion bends everywhere; what was interpolated bends at the original samples alone. Those between two given
    ones are where the lines on both sides meet.

    Args:
        t: times [T].
        x: samples [T, D].
    """
    if len(t) < 8:
        return t, x
    part = ((t[1:-1] - t[:-2]) / (t[2:] - t[:-2]))[:, None]
    bend = np.linalg.norm(x[1:-1] - (1 - part) * x[:-2] - part * x[2:], axis=1)
    padded = np.concatenate([np.full(AROUND, np.inf), bend, np.full(AROUND, np.inf)])
    largest = sliding_window_view(padded, AROUND).max(1)
    straight = np.zeros(len(t), bool)
    around = np.minimum(np.minimum(largest[: len(bend)], largest[AROUND + 1 :]), bend.max())
    straight[1:-1] = (around > 0) & (bend <= STRAIGHT * around)
    if straight.mean() < MANY or not bend.max() > 0:
        return t, x
    places = np.flatnonzero(~straight)
    between = np.array([_between(straight, int(i)) for i in places])
    first = places[between]
    after = np.flatnonzero(np.isin(places, first + 1))
    times, states = t[places].copy(), x[places].copy()
    times[between], states[between] = _meetings(t, x, first)
    times, states = np.delete(times, after), np.delete(states, after, 0)
    return _whole(times, states) if len(times) >= 4 else (t, x)


def _between(straight: Bool[np.ndarray, " T"], i: int) -> bool:
    """Whether sample i and the next one are the last and the first of two lines."""
    inside = 2 <= i <= len(straight) - 4
    return inside and bool(straight[i - 1] and not straight[i + 1] and straight[i + 2])


def _meetings(
    t: Float[np.ndarray, " T"], x: Float[np.ndarray, "T D"], i: Int[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "m D"]]:
    """Where the lines through samples i - 1, i and through i + 1, i + 2 meet, or come closest."""
    before = (x[i] - x[i - 1]) / (t[i] - t[i - 1])[:, None]
    after = (x[i + 2] - x[i + 1]) / (t[i + 2] - t[i + 1])[:, None]
    step = t[i + 1] - t[i]
    turn, gap = after - before, x[i + 1] - after * step[:, None] - x[i]
    later = np.clip(-(turn * gap).sum(1) / np.maximum((turn**2).sum(1), 1e-300), 0, step)
    return t[i] + later, x[i] + before * later[:, None]


def _whole(
    t: Float[np.ndarray, " n"], x: Float[np.ndarray, "n D"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n D"]]:
    """The same with lines at the ends that are cut off continued to the usual length, where the next sample was."""
    t, x = t.copy(), x.copy()
    usual = float(np.median(np.diff(t)))
    for end, inner in ((0, 1), (-1, -2)):
        reach = t[end] - t[inner]
        if abs(reach) < 0.99 * usual:
            x[end] = x[inner] + (x[end] - x[inner]) * usual / abs(reach)
            t[end] = t[inner] + np.sign(reach) * usual
    return t, x
