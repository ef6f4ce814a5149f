"""The verdict: what k latent coordinates can and cannot do, how sure that is, and the latent space that works."""

import math
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

from dynred.geometry.piece import Doubt, Piece
from dynred.geometry.two_valued import UNKNOWN, TwoValued
from dynred.records import plain
from dynred.views import Plotted

NAMES = {
    "point": "point",
    "circle": "closed curve",
    "arc": "arc",
    "sphere": "sphere",
    "disc": "disc or ball",
    "torus": "torus",
    "surface": "closed surface",
    "manifold": "manifold",
    "set": "set",
}
CHARTS_OF_SURFACE = 3  # discs that cover any closed surface (its Lusternik-Schnirelmann category is at most 2)


@dataclass(frozen=True)
class Recommended:
    """A latent space that works: T^angles x R^lines, or an atlas of several charts of it.

    Attributes:
        angles: number of angles.
        lines: number of lines.
        charts: number of charts; 1 where a single chart is enough.
    """

    angles: int
    lines: int
    charts: int = 1

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.angles + self.lines

    def reduces(self, dim: int) -> bool:
        """Whether states of `dim` dimensions can be reduced to it: R < D, and the cosines and sines fit into D."""
        return self.dim < dim and 2 * self.angles + self.lines <= dim

    def __str__(self) -> str:
        parts = [count(n, word) for n, word in ((self.angles, "angle"), (self.lines, "line")) if n]
        text = " and ".join(parts)
        return text if self.charts == 1 else f"an atlas of {self.charts} charts of {text} each"


@dataclass(frozen=True)
class Verdict(Plotted):
    """What a sample tells of K and of latent spaces for it. Lengths are in state units.

    Attributes:
        pieces: the connected components, most points first.
        components: number of connected components; more than pieces where not all were judged.
        snapshots: number M of snapshots given.
        looked_at: number of distinct points that were looked at.
        diameter: of the sample.
        dim: dimension D of a state.
        projects_from: the least k whose leading POD coordinates already tell all states apart.
        latent_dim: the k that was asked about, if any.
        doubts: reasons not to trust the verdict, those of the pieces included.
        evidence: what the figures are drawn from.
        two_valued: whether states determine their velocities.
    """

    pieces: tuple[Piece, ...]
    components: int
    snapshots: int
    looked_at: int
    diameter: float
    dim: int
    projects_from: int
    latent_dim: int | None = None
    doubts: tuple[Doubt, ...] = ()
    evidence: Any = field(default=None, repr=False, compare=False)
    two_valued: TwoValued = UNKNOWN

    @property
    def dimension(self) -> float:
        """The intrinsic dimension: the largest of the components'."""
        return max(piece.dimension for piece in self.pieces)

    @property
    def dimension_range(self) -> tuple[float, float]:
        """What the estimators say at the finest scale, smallest and largest, of the component of largest dimension."""
        return max(self.pieces, key=lambda piece: piece.dimension).spread

    @property
    def betti(self) -> tuple[int, int | None, int | None]:
        """Betti numbers b0, b1, b2 over Z/2; None where not computed."""
        sums = [_sum([piece.betti[j] for piece in self.pieces]) for j in (1, 2)]
        return self.components, sums[0], sums[1]

    @property
    def closed(self) -> bool | None:
        """Whether K is a closed manifold, or several; None where that is not known."""
        known = [piece.closed for piece in self.pieces]
        return False if False in known else None if None in known or self.unjudged else True

    @property
    def unjudged(self) -> int:
        """Number of components that were not judged."""
        return self.components - len(self.pieces)

    @property
    def level(self) -> str:
        """`high`, `medium` or `low`."""
        return "low" if any(doubt.grave for doubt in self.doubts) else "medium" if self.doubts else "high"

    @property
    def confidence(self) -> str:
        """The level, what it rests on, and the reasons for doubt."""
        basis = f"{self.level}: rests on {self.snapshots} snapshots, {self.looked_at} distinct ones looked at"
        return "; ".join([basis, *(doubt.says for doubt in self.doubts)])

    def lower_bound(self, k: int) -> float:
        """A worst-case error below which no autoencoder with k Euclidean latent coordinates comes; 0 where none is
        known. It rests on the estimated reach, see `Piece.lower_bound`."""
        return max((piece.lower_bound(k) for piece in self.pieces), default=0.0)

    def possible(self, k: int) -> bool | None:
        """Whether k Euclidean coordinates can carry all components of K, apart from each other.

        None where that is not known, and where the topology found forbids what a projection of the sample does.
        """
        forbidden = any(piece.obstructed(k) for piece in self.pieces)
        if k >= self.projects_from:
            return None if forbidden else True
        if forbidden:
            return False
        if self.unjudged or not all(piece.possible(k) for piece in self.pieces):
            return None
        return True

    @property
    def ks(self) -> range:
        """The k that a verdict is given for: from 1 to the first that is possible, or that is asked about."""
        first = self._first()
        last = first if first is not None else min(20, 2 * math.ceil(self.dimension_range[1]) + 1)
        return range(1, max(last, self.latent_dim or 1) + 1)

    @property
    def rows(self) -> list[range]:
        """The k that a verdict is given for; those that follow each other and have one answer are together."""
        groups = [list(group) for _, group in groupby(self.ks, self.answer)]
        return [range(group[0], group[-1] + 1) for group in groups]

    def _first(self) -> int | None:
        most = max(self.projects_from, 2 * math.ceil(self.dimension_range[1]) + 1)
        return next((k for k in range(1, most + 1) if self.possible(k)), None)

    @property
    def recommended(self) -> Recommended | None:
        """The first of the `options`; None where no reduction is found."""
        return next(iter(self.options), None)

    @property
    def options(self) -> list[Recommended]:
        """Latent spaces with fewer coordinates than a state, those with fewest coordinates known to work first.

        Where none is known, there are as many lines as the embedding theorem asks for, more than twice the dimension.
        A line sets components apart. A surface that needs four lines gets an atlas of discs instead.
        """
        kinds, lines, charts = [piece.kind for piece in self.pieces], Recommended(0, self._lines), []
        if any(kind == "surface" and p.orientable is False for kind, p in zip(kinds, self.pieces, strict=True)):
            charts = [Recommended(0, 2, CHARTS_OF_SURFACE * len(self.pieces))] if lines.lines > 2 else []
        elif set(kinds) <= {"circle", "torus", "point", "arc"} and set(kinds) & {"circle", "torus"}:
            angles = Recommended(2 if "torus" in kinds else 1, 1 if self.components > 1 else 0)
            charts = [angles] if not self.unjudged and angles.dim <= lines.lines else []
        return [space for space in (*charts, lines) if space.reduces(self.dim)]

    @property
    def _lines(self) -> int:
        first = self._first()
        return first if first is not None else math.floor(2 * self.dimension_range[1]) + 1

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON values. None stands for what cannot be known, and for an infinite reach."""
        return {
            "dimension": self.dimension,
            "dimension_range": list(self.dimension_range),
            "components": self.components,
            "betti": list(self.betti),
            "closed": self.closed,
            "reach": plain([piece.reach for piece in self.pieces]),
            "verdict": {str(k): {"possible": self.possible(k), "lower_bound": self._stated_bound(k)} for k in self.ks},
            "recommended": None if self.recommended is None else asdict(self.recommended),
            "confidence": self.confidence,
            "two_valued": self.two_valued.to_dict(),
        }

    def _stated_bound(self, k: int) -> float:
        return self.lower_bound(k) if self.possible(k) is False else 0.0

    def __str__(self) -> str:
        answers = [f"{numbers(ks)} coordinate{'s' if ks[-1] > 1 else ''}: {self.answer(ks[0])}" for ks in self.rows]
        return "\n".join([f"K: {self.what()}.", *answers, self.advice(), self.sure()])

    def what(self) -> str:
        """What K is, in a line."""
        low, high = self.dimension_range
        size = f"dimension {self.dimension:.3g} (estimators from {low:.3g} to {high:.3g})"
        names = [NAMES[piece.kind] for piece in self.pieces]
        counted = [f"{names.count(n)} {n}{'s' if names.count(n) > 1 else ''}" for n in dict.fromkeys(names)]
        rest = f" and {self.unjudged} components that were not judged" if self.unjudged else ""
        holes = ", ".join("?" if b is None else str(b) for b in self.betti)
        return f"{', '.join(counted)}{rest}; {size}; Betti numbers {holes}"

    def answer(self, k: int) -> str:
        """What k Euclidean coordinates can do, in words."""
        if self.two_valued.verdict:
            return "no autonomous ODE exists in coordinates of these states."
        if self.possible(k):
            return "possible."
        if self.possible(k) is None:
            return "cannot be known from this sample."
        bound = self.lower_bound(k)
        size = f"is at least about {bound:.3g}" if bound > 0 else "stays above zero"
        return f"obstructed. Whatever the network, its largest error {size}. {self._seam(k)}"

    def _seam(self, k: int) -> str:
        """Where the error sits when one insists on k coordinates that are too few: the expected K0."""
        if k < self.dimension - 0.25:
            return "K has more dimensions than that, so that the error is not confined to a thin part of it."
        seam = "a point of every closed curve" if k == 1 else f"a set of dimension {k - 1}" if k > 2 else "curves"
        return (
            f"It can be small on average: training pushes it onto a seam K0 ({seam}) along which K is cut open, and "
            "which becomes thin but cannot vanish."
        )

    def advice(self) -> str:
        """The latent space that works, or why there is none and what to do, in words."""
        if self.two_valued.verdict:
            return self.two_valued.advice()
        if self.recommended is None:
            return self._no_reduction()
        note = "" if self._first() is not None else ", enough by the embedding theorem if the dimension is right"
        return f"Recommended latent space: {self.recommended}{note}."

    def _no_reduction(self) -> str:
        if self.dim == 1:
            return (
                "No reduction found: a state has one coordinate. Of a measured signal, make states of several delayed "
                "values first (`--delays auto`)."
            )
        return (
            "No reduction found: the fewest coordinates known to carry K, as far as these states show it, are "
            f"{self._lines}, and a state has {self.dim}. Give more or longer trajectories, or states after the "
            "transient alone, where K should have fewer dimensions; or choose a number yourself and judge the errors."
        )

    def sure(self) -> str:
        """How sure all this is, in words."""
        return f"Confidence: {self.confidence}."


def numbers(ks: range) -> str:
    """A row of numbers in words: "3", or "4 to 47"."""
    return str(ks[0]) if len(ks) == 1 else f"{ks[0]} to {ks[-1]}"


def count(n: int, word: str) -> str:
    """The number and the word, in the plural but for 1."""
    return f"{n} {word}{'' if n == 1 else 's'}"


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
