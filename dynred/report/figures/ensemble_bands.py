"""How far the members of an ensemble are apart, over time, for a typical trajectory."""

import numpy as np
import torch

from dynred.report.context import Context
from dynred.report.figures.base import MARK, MODEL, TRUTH, Drawing, Figure, blank, time_axis


class EnsembleBands(Figure[Context]):
    """The leading coordinates of the truth within the spread of the members."""

    title = "What the ensemble is unsure of"
    order = 14

    def applies(self, context: Context) -> bool:
        """Whether the model's dynamics are an ensemble."""
        return len(context.model.members()) > 1

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        return (
            "The test trajectory whose valid time is the median: as long as the truth stays within the band of the "
            "members, the ensemble knows how far to trust itself; the band should open before the truth leaves it."
        )

    def draw(self, context: Context) -> Drawing:
        """One panel for every coordinate."""
        names, everything, _ = context.leading
        i, members = context.typical, _members(context)
        t, truth = context.elapsed(i), everything[context.rows(i)]
        drawing = blank(1.1 + 1.15 * len(names))
        axes = drawing.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
        for k, (ax, name) in enumerate(zip(axes, names, strict=True)):
            low, high = np.nanmin(members[..., k], 0), np.nanmax(members[..., k], 0)
            ax.fill_between(t, low, high, color=MODEL, alpha=0.3, linewidth=0, label=f"{len(members)} members")
            ax.plot(t, np.nanmedian(members[..., k], 0), color=MODEL, linewidth=1.2, label="their median")
            ax.plot(t, truth[:, k], color=TRUTH, linewidth=1.2, label="truth")
            ax.set_ylabel(name.removeprefix("POD coordinate "))
            if context.lost[i]:
                ax.axvline(context.valid_times[i], color=MARK, linestyle="--", linewidth=1.2)
        axes[-1].set_xlim(0, t[-1])
        time_axis(context, axes[-1], axes[0])
        drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
        return drawing


def _members(context: Context) -> np.ndarray:
    """The leading coordinates [k, T, K] of what each of k members predicts for the typical trajectory."""
    typical = context.encoded.truth[context.typical]
    model = context.model.at(typical.given)
    with torch.no_grad():
        z0, t = model.core.encode(typical.initial), typical.t - typical.t[0]
        latents = torch.stack([member.rollout(z0, t)[0] for member in model.members()])
        states = context.shown_model.at(typical.parameters).decode(latents).double()
    return context.coordinates(torch.where(latents.isfinite().all(-1, keepdim=True), states, torch.nan))
