"""Which trajectories, or which parts of them, are learned from, chosen with and tested on.

A test is worth what training did not see of it. So every split says where its test comes from, and whether training saw
other parts of the same trajectories.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform
from dynred.numerics.time_grids import count_until

FRACTION = 0.1  # of the trajectories, or of each of them, that validation and test take by default
WHOLE = 3  # trajectories from which on each stays whole: one to learn from, one to choose with, one to test on
PIECES = 10  # fewest pieces into which earlier versions cut data
SHORTEST = 2  # snapshots of a part: one tells nothing of the motion
OWNER = "owner"  # name under which pieces remember their trajectory while they are split

How = Literal["simulated", "file", "trajectories", "time", "pieces", "given"]
SPLITS = ("auto", "trajectories", "time", "pieces")

Mask = Bool[Tensor, " M"]


class Masks(NamedTuple):
    """Which snapshots belong to which set, how the test was taken, and sentences on what is left out."""

    train: Mask
    validation: Mask
    test: Mask
    how: How
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeldOut:
    """What a test set is.

    Attributes:
        how: `simulated` apart; from another `file`; whole `trajectories` of the data; the last part in `time` of
            trajectories; `pieces` of trajectories, drawn at random, as earlier versions cut them; or `given` by the
            caller.
        chosen: for every test trajectory, the index of the trajectory of the data that it is, or is a part of.
        of: number of trajectories of the data.
        largest: for every test trajectory, the largest |x| of the whole trajectory that it is a part of; empty where
            it is whole itself.
        name: name of the file.
        trusted: for the first few test trajectories, the time for which their truth can be trusted: two solvers agree
            so long; empty where nobody knows.
    """

    how: How = "given"
    chosen: tuple[int, ...] = ()
    of: int = 0
    largest: tuple[float, ...] = ()
    name: str = ""
    trusted: tuple[float, ...] = ()

    @property
    def seen(self) -> bool | None:
        """Whether training saw other parts of the same trajectories; None where that is not known."""
        return None if self.how == "given" else self.how in ("time", "pieces")

    @property
    def independent(self) -> bool:
        """Whether the test trajectories are independent of each other: no two are parts of one."""
        return len(set(self.chosen)) == len(self.chosen)


@dataclass(frozen=True, eq=False)
class Parts:
    """Data that are divided; unpacks into its three sets.

    Attributes:
        train: to learn from.
        validation: to choose between what was learned.
        test: to score.
        held_out: what the test is.
        notes: sentences on what could not be used.
        compression: what made the states of all sets, of data that do not fit into memory without it; None for others.
    """

    train: Trajectories
    validation: Trajectories
    test: Trajectories
    held_out: HeldOut = field(default_factory=HeldOut)
    notes: tuple[str, ...] = ()
    compression: Transform | None = None

    def __iter__(self) -> Iterator[Trajectories]:
        return iter((self.train, self.validation, self.test))


@dataclass(frozen=True)
class Split:
    """How data are divided.

    Attributes:
        how: `trajectories`, `time`, or `auto`: whole trajectories where there are at least three, else the last part in
            time of each.
        train, validation, test: numbers of trajectories; None for what the fractions give.
        fraction: part of the trajectories, or of each of them in time, that the test takes, in (0, 1).
        chosen: indices of the trajectories that are the test; empty for a random choice.
        elsewhere: whether the test is not taken from these data.
        single: whether a trajectory of one snapshot can be used, for training alone: it has no velocity of its own.
    """

    how: str = "auto"
    train: int | None = None
    validation: int | None = None
    test: int | None = None
    fraction: float = FRACTION
    chosen: tuple[int, ...] = ()
    elsewhere: bool = False
    single: bool = True

    def masks(self, lengths: Int[Tensor, " N"], rng: torch.Generator) -> Masks:
        """Which snapshots belong to which set.

        Args:
            lengths: snapshots of every trajectory.
            rng: draws trajectories.

        Raises:
            InputError: there are too few trajectories or snapshots, or the choice does not fit them.
        """
        usable = lengths >= (1 if self.single else SHORTEST)
        if not usable.any():
            advice = "One alone has no velocity; `lengths` says which snapshots follow each other."
            raise refuse("data", f"trajectories of at least {SHORTEST} snapshots", "of 1 each", advice)
        lost = named(torch.nonzero(~usable)[:, 0].tolist())
        notes = () if usable.all() else (f"Not used, as one snapshot has no velocity: {lost}.",)
        asked = bool(self.chosen) or any(count is not None for count in (self.train, self.validation, self.test))
        whole = int(usable.sum()) >= WHOLE or asked
        if self.how == "time" or (self.how == "auto" and not whole):
            if asked:
                raise refuse("split", "`trajectories` where trajectories are counted or named", "`time`")
            fraction = 0.0 if self.elsewhere else self.fraction
            masks = _in_time(lengths, usable, fraction)
            return Masks(*masks, "time", notes + _short(lengths, usable, _fewest(fraction)))
        return self._whole(lengths, usable, notes, rng)

    def _whole(
        self, lengths: Int[Tensor, " N"], usable: Bool[Tensor, " N"], notes: tuple[str, ...], rng: torch.Generator
    ) -> Masks:
        train, validation, test = self._members(lengths, usable, rng)
        owner = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        learned, held, tested = (torch.isin(owner, part) for part in (train, validation, test))
        if not len(validation):  # one trajectory alone is left to learn from and to choose with
            learned, held, _ = _in_time(lengths, torch.isin(torch.arange(len(lengths)), train), 0.0)
        used = torch.cat([train, validation, test])
        left = [i for i in torch.nonzero(usable)[:, 0].tolist() if i not in used]
        if left:
            notes = (*notes, f"Not used, as `data` asks for fewer: {named(left)} of {len(lengths)}.")
        return Masks(learned, held, tested, "trajectories", notes)

    def _members(
        self, lengths: Int[Tensor, " N"], usable: Bool[Tensor, " N"], rng: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Indices of the trajectories of each set; none for validation where one alone is left."""
        n = int(usable.sum())
        test = torch.tensor(self._test(lengths), dtype=torch.long)
        order = torch.randperm(len(lengths), generator=rng)
        order = order[usable[order]]
        # What no test can use, and a trajectory that is more than half of all, is for training.
        first = (lengths < SHORTEST) | (2 * lengths > lengths.sum())
        order = torch.cat([order[first[order]], order[~first[order]]])
        count = 0 if self.elsewhere or len(test) else self._count("test", self.test, self.fraction, n)
        order = order[~torch.isin(order, test)]
        rest = len(order) - count
        validation = self._count("validation", self.validation, FRACTION, n) if rest > 1 else 0
        train = rest - validation if self.train is None else self.train
        if train < 1 or train + validation > rest:
            total = f"{train} for training, {validation} for validation, {len(test) or count} for the test"
            raise refuse("data", f"for {n} trajectories, at least one of them for training", total)
        learned, _, held, last = torch.split(order, [train, rest - train - validation, validation, count])
        sets = learned, held, test if len(test) else last
        return torch.sort(sets[0]).values, torch.sort(sets[1]).values, torch.sort(sets[2]).values

    def _test(self, lengths: Int[Tensor, " N"]) -> list[int]:
        chosen = sorted(set(self.chosen))
        if self.elsewhere and (chosen or self.test is not None):
            raise refuse("the test", "either other data or trajectories of these", "both")
        for i in chosen:
            if not 0 <= i < len(lengths):
                raise refuse("test_trajectories", f"indices from 0 to {len(lengths) - 1}", i)
            if lengths[i] < SHORTEST:
                raise refuse("test_trajectories", f"of at least {SHORTEST} snapshots", f"1 in trajectory {i}")
        if len(chosen) == len(lengths):
            raise refuse("test_trajectories", "fewer than there are", f"all {len(lengths)}")
        if chosen and self.test not in (None, len(chosen)):
            raise refuse("data.test", f"the number of test_trajectories, {len(chosen)}", self.test)
        return chosen

    @staticmethod
    def _count(name: str, asked: int | None, fraction: float, n: int) -> int:
        count = max(1, round(fraction * n)) if asked is None else asked
        if count >= n:
            raise refuse(f"data.{name}", f"fewer than the {n} trajectories", count)
        return count


def in_pieces(whole: Trajectories, rng: torch.Generator) -> Parts:
    """Data as earlier versions divided them: .8, .1 and .1, fewer than ten trajectories in pieces of one length.

    Their runs are scored again on the same test.

    Raises:
        InputError: there are fewer than 20 snapshots.
    """
    how: How = "trajectories" if len(whole) >= PIECES else "pieces"
    if how == "trajectories":
        pieces, owner = whole, torch.arange(len(whole))
    else:
        length = int(whole.lengths.sum()) // PIECES
        while length > 1 and int((whole.lengths // length).sum()) < PIECES:
            length -= 1
        if length < 2:
            raise refuse("data", f"at least {2 * PIECES} snapshots, to be cut into ten pieces", len(whole.states))
        pieces = whole.windows(length)
        owner = torch.repeat_interleave(torch.arange(len(whole)), whole.lengths // length)
    tagged = replace(pieces, parameters={**pieces.parameters, OWNER: owner.double()})
    train, validation, test = tagged.split(0.8, 0.1, 0.1, rng=rng)
    chosen = test.parameters[OWNER].long()
    held = HeldOut(how, tuple(chosen.tolist()), len(whole), largest(whole, chosen) if how == "pieces" else ())
    sets = [_without(part, OWNER) for part in (train, validation, test)]
    return Parts(sets[0], sets[1], sets[2], held)


def largest(whole: Trajectories, chosen: Sequence[int] | Int[Tensor, " n"]) -> tuple[float, ...]:
    """The largest |x| of each of the chosen trajectories."""
    sizes = whole.states.double().norm(dim=1)
    top = torch.zeros(len(whole), dtype=torch.float64).scatter_reduce(0, whole.owner, sizes, "amax")
    return tuple(top[torch.as_tensor(chosen)].tolist())


def until(trajectories: Trajectories, horizon: float | None) -> Trajectories:
    """The beginning of every trajectory, as long as the horizon, of at least two snapshots; None leaves them whole."""
    if horizon is None:
        return trajectories
    lasting = [count_until(trajectories.times(i), horizon) for i in range(len(trajectories))]
    place = torch.arange(len(trajectories.t)) - trajectories.starts[trajectories.owner]
    return trajectories.where(place < torch.tensor(lasting).clamp_min(SHORTEST)[trajectories.owner])


def _in_time(lengths: Int[Tensor, " N"], usable: Bool[Tensor, " N"], fraction: float) -> tuple[Mask, Mask, Mask]:
    """The first, middle and last part of every usable trajectory; what is too short to be cut is in the first alone."""
    masks, fewest = torch.zeros(3, int(lengths.sum()), dtype=torch.bool), _fewest(fraction)
    starts = torch.cumsum(lengths, 0) - lengths
    for start, n, use in zip(starts.tolist(), lengths.tolist(), usable.tolist(), strict=True):
        if not use:
            continue
        cut = n >= fewest
        last = max(SHORTEST, round(fraction * n)) if cut and fraction else 0
        middle = max(SHORTEST, round(FRACTION * n)) if cut else 0
        first = n - last - middle
        if first < (SHORTEST if cut else 1):
            raise refuse("test_fraction", f"small enough to leave {SHORTEST} of {n} snapshots", fraction)
        masks[0, start : start + first] = True
        masks[1, start + first : start + first + middle] = True
        masks[2, start + first + middle : start + n] = True
    if not masks[1].any():
        most = int(lengths[usable].max())
        raise refuse("data", f"at least one trajectory of {fewest} snapshots", f"at most {most}")
    return masks[0], masks[1], masks[2]


def _fewest(fraction: float) -> int:
    """Fewest snapshots of a trajectory that is split in time: three parts, or two without a test."""
    return (3 if fraction else 2) * SHORTEST


def _short(lengths: Int[Tensor, " N"], usable: Bool[Tensor, " N"], fewest: int) -> tuple[str, ...]:
    short = torch.nonzero(usable & (lengths < fewest))[:, 0].tolist()
    return (f"Too short to be split in time, so for training alone: {named(short)}.",) if short else ()


def _without(trajectories: Trajectories, name: str) -> Trajectories:
    others = {key: values for key, values in trajectories.parameters.items() if key != name}
    return replace(trajectories, parameters=others)


def named(indices: Sequence[int]) -> str:
    """Trajectories by their indices, in words."""
    names = ", ".join(map(str, indices[:10])) + (" ..." if len(indices) > 10 else "")
    return f"trajector{'y' if len(indices) == 1 else 'ies'} {names}"
