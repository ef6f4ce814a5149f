"""Lyapunov exponents of the full and the reduced model."""

from typing import Any

import numpy as np

from dynred.report.context import Context
from dynred.report.figures.base import MARK, MODEL, TRUTH, Drawing, Figure, blank


class LyapunovExponents(Figure[Context]):
    """Exponents of both models, one beside the other, with their standard errors."""

    title = "Lyapunov exponents"
    order = 36

    def applies(self, context: Context) -> bool:
        """Whether exponents were computed, which is done on request only."""
        long_time = context.evaluation.long_time
        return long_time is not None and long_time.full is not None and long_time.reduced is not None

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        return (
            "Rates at which small differences grow or shrink: each dot of the reduced model should lie in the ring of "
            "the full one. Bars are two standard errors, where they are larger than the marks."
        )

    def draw(self, context: Context) -> Drawing:
        """Exponents over their numbers."""
        long_time = context.evaluation.long_time
        assert long_time is not None
        assert long_time.full is not None
        assert long_time.reduced is not None
        drawing = blank(3.2)
        ax = drawing.subplots()
        for part, colour, marker, size, name in (
            (long_time.full, TRUTH, "o", 11, "full model"),
            (long_time.reduced, MODEL, ".", 9, "reduced model"),
        ):
            k, error = np.arange(1, len(part.exponents) + 1), 2 * np.array(part.error)
            look: dict[str, Any] = {
                "color": colour,
                "markersize": size,
                "fillstyle": "none" if marker == "o" else "full",
            }
            ax.errorbar(k, part.exponents, np.nan_to_num(error), fmt=marker, label=name, **look)
        ax.axhline(0, color=MARK, linewidth=0.8)
        ax.set_xticks(np.arange(1, len(long_time.full.exponents) + 1))
        ax.set(xlabel="number", ylabel=f"exponent (1 / {context.time_unit.removesuffix('s')})")
        ax.grid(axis="y")
        drawing.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return drawing
