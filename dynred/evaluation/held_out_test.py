"""The test that scores are of, as a record and in words."""

from dataclasses import dataclass

from dynred.data.split import HeldOut, named
from dynred.data.trajectories import Trajectories

NAMED = 4  # most trajectories that are named one by one


@dataclass(frozen=True)
class HeldOutTest:
    """The test that the scores are of.

    Attributes:
        trajectories, snapshots: how many.
        how: where they come from, see `dynred.data.split.HeldOut`.
        chosen, among: which of how many trajectories of the data they are, or are parts of; empty and 0 where they
            are not taken from the data.
        seen: whether training saw other parts of the same trajectories; None where that is not known.
        durations: shortest and longest duration, in time units; None where an earlier version did not store them.
        trusted: for the first few trajectories, the time for which their truth can be trusted, in time units; empty
            where nobody knows, and where it is data.
        words: all this in words.
    """

    trajectories: int
    snapshots: int
    how: str = "given"
    chosen: tuple[int, ...] = ()
    among: int = 0
    seen: bool | None = None
    durations: tuple[float, float] | None = None
    trusted: tuple[float, ...] = ()
    words: str = ""

    @classmethod
    def of(cls, test: Trajectories, held_out: HeldOut, unit: str) -> "HeldOutTest":
        """The record of a test whose times are in a unit."""
        n = len(test)
        spans = test.t[test.starts + test.lengths - 1] - test.t[test.starts]
        durations = float(spans.min()), float(spans.max())
        words = f"{_counted(n, held_out)}, {_lasting(durations, n)} {unit}{_seen(held_out)}"
        return cls(
            n,
            len(test.states),
            held_out.how,
            held_out.chosen,
            held_out.of,
            held_out.seen,
            durations,
            held_out.trusted,
            words + _trust(held_out.trusted, durations[1], unit),
        )


def _counted(n: int, held_out: HeldOut) -> str:
    name, total = ("trajectory" if n == 1 else "trajectories"), held_out.of
    source = f" from {held_out.name}" if held_out.name else " from elsewhere"
    return {
        "simulated": f"{n} {name} simulated apart",
        "file": f"{n} {name}{source}",
        "trajectories": f"{n} whole {name} of {total}" + (f" ({named(held_out.chosen)})" if n <= NAMED else ""),
        "time": f"the last part of {n} of {total} {'trajectory' if total == 1 else 'trajectories'}",
        "pieces": f"{n} pieces of {total} {'trajectory' if total == 1 else 'trajectories'}",
        "given": f"{n} {name} given by the caller",
    }[held_out.how]


def _lasting(durations: tuple[float, float], n: int) -> str:
    shortest, longest = durations
    if longest - shortest <= 1e-6 * longest:
        return f"{longest:.4g}" if n == 1 else f"each {longest:.4g}"
    return f"{shortest:.4g} to {longest:.4g}"


def _seen(held_out: HeldOut) -> str:
    if held_out.seen is None:
        return ""
    if not held_out.seen:
        return " long, never trained on"
    which = "the parts before" if held_out.how == "time" else "other pieces of the same trajectories"
    return f" long; training saw {which}"


def _trust(trusted: tuple[float, ...], longest: float, unit: str) -> str:
    if not trusted:
        return ""
    if min(trusted) >= longest * (1 - 1e-9):
        return "; a finer solver agrees with all of it"
    return f"; a finer solver agrees for {min(trusted):.4g} to {max(trusted):.4g} {unit} ({len(trusted)} checked)"
