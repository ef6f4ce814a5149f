"""Gaps: samples that are missing, whole or in some components, are interpolated, or trajectories end there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float

from dynred.checks import integer, refuse
from dynred.data.cleaning._filling import Pair, best_degree, interpolated
from dynred.data.cleaning.base import Cleaned, CleaningSpec, Samples, patterns, runs

SHORTEST = 2  # samples of a piece: one tells nothing of the motion


@dataclass(frozen=True)
class GapsSpec(CleaningSpec):
    """Settings for missing samples (NaN).

    Attributes:
        how: `interpolate` fills gaps by splines, component by component, whose degree is the one that foretells samples
            best that are left out; `split` ends a trajectory before every gap and begins another one after it.
        longest: most samples in a row that may be interpolated, >= 1; trajectories are split at longer gaps. Gaps at an
            end of a trajectory are never filled.
    """

    how: Literal["interpolate", "split"] = "interpolate"
    longest: int = 10
    takes_gaps: ClassVar[bool] = True

    @property
    def takes_velocities(self) -> bool:
        """See `CleaningSpec.takes_velocities`: what is filled does not count as measured."""
        return self.how == "interpolate"

    def __post_init__(self):
        integer("longest", self.longest, 1)

    def _clean(self, samples: Sequence[Samples]) -> Cleaned:
        """See `CleaningSpec.clean`."""
        missing = [np.isnan(each.columns) for each in samples]
        if not any(mask.any() for mask in missing):
            return Cleaned(samples)
        known = [pair for each in samples for pair in _known(each)]
        degree, error = best_degree(known) if self.how == "interpolate" else (3, None)
        pieces: list[Samples] = []
        filled = lost = longest = 0
        for each, mask in zip(samples, missing, strict=True):
            columns, own, most = self._filled(each, mask, degree)
            whole = ~np.isnan(columns).any(1)
            kept = [run for run in runs(whole) if run[1] - run[0] >= SHORTEST]
            mended = replace(each.with_columns(each.t, columns), measured=~mask[:, : each.x.shape[1]])
            pieces += [mended.rows(slice(*run)) for run in kept]
            inside = np.zeros(len(whole), bool)
            for first, last in kept:
                inside[first:last] = True
            filled += int((own & inside).sum())
            lost += int((~inside).sum())
            longest = max(longest, most)
        if not pieces:
            limit = "Interpolate (--gaps interpolate)." if self.how == "split" else "Allow longer gaps (--longest-gap)."
            raise refuse("states", "whole in at least two samples in a row", "gaps everywhere", limit)
        total = sum(len(each.t) for each in samples)
        numbers: dict[str, Any] = {"samples": total, "filled": filled, "left_out": lost, "longest": longest}
        numbers |= {"degree": degree, "error": error} if filled else {}
        return Cleaned(pieces, _words(numbers, len(pieces) - len({each.owner for each in pieces})), numbers)

    def _filled(
        self, each: Samples, mask: Bool[np.ndarray, "T C"], degree: int
    ) -> tuple[Float[np.ndarray, "T C"], Bool[np.ndarray, " T"], int]:
        """Columns without the gaps that may be filled, the samples that were filled, and how many in a row were."""
        columns, filled, longest = each.columns.copy(), np.zeros(len(each.t), bool), 0
        if self.how == "split":
            return columns, filled, longest
        for pattern, alike in patterns(mask):
            short = np.zeros(len(pattern), bool)
            for first, last in runs(pattern):
                if last - first <= self.longest and first > 0 and last < len(pattern):
                    short[first:last] = True
                    longest = max(longest, last - first)
            if short.any():
                known = columns[~pattern][:, alike]
                columns[np.ix_(short, alike)] = interpolated(each.t[~pattern], known, each.t[short], degree)
                filled |= short
        return columns, filled, longest


def _known(each: Samples) -> list[Pair]:
    """The states that are not missing, of components with the same gaps together."""
    gaps = [(gap, alike) for gap, alike in patterns(np.isnan(each.x)) if not gap.all()]
    return [(each.t[~gap], each.x[~gap][:, alike]) for gap, alike in gaps]


def _words(numbers: dict[str, Any], cuts: int) -> str:
    part = f"{100 * numbers['filled'] / numbers['samples']:.3g} %"
    words = []
    if numbers["filled"]:
        error = "" if numbers["error"] is None else f", error about {100 * numbers['error']:.2g} % of the deviation"
        words.append(
            f"{numbers['filled']} of {numbers['samples']} samples ({part}) were interpolated where values are "
            f"missing, at most {numbers['longest']} in a row, by splines of degree {numbers['degree']}{error}"
        )
    if numbers["left_out"]:
        words.append(f"{numbers['left_out']} samples in and beside gaps were left out")
    if cuts:
        words.append(f"trajectories were cut at {cuts} gap{'s' if cuts > 1 else ''}")
    text = "; ".join(words)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
