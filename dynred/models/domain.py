"""Where the training states of a model lie, in few enough numbers for its file; and which states lie elsewhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.spec import Spec

SAMPLE = 1000  # most training snapshots that are looked at, evenly spread
# A state is foreign if it is so many times farther away than any training state, or reconstructed so many times worse,
# and wrong by more than LEAST spreads. Test states of 17 systems of the catalogue, reduced by POD (2 and 8 modes) and
# polynomials (4 coordinates, 32 training trajectories), are at most 1.08 times farther and 4.6 times worse: none is
# foreign. Ten times those states are all foreign, but for those that come near the training states on the way.
FARTHER, WORSE, LEAST = 1.5, 10.0, 0.5

Coding = Callable[[Float[Tensor, "*batch A"]], Float[Tensor, "*batch B"]]


@dataclass(frozen=True)
class Domain(Spec):
    """Where training states lie, as a model sees them.

    Attributes:
        latent: latent of the training state in the middle, the reference.
        spread: root mean square distance of training states from the reference, in state units.
        extent: the largest such distance, in units of `spread`.
        residual: the largest reconstruction error of a training state, in units of `spread`.
    """

    latent: tuple[float, ...]
    spread: float
    extent: float
    residual: float

    @staticmethod
    def sample(train: Trajectories) -> Int[Tensor, " M"]:
        """The rows of the training snapshots that are looked at."""
        return torch.linspace(0, len(train.states) - 1, min(SAMPLE, len(train.states))).long()

    @classmethod
    def of(cls, encode: Coding, decode: Coding, x: Float[Tensor, "M D"]) -> "Domain | None":
        """The domain of an encoder and a decoder, functions of the M states and of their latents; None where they give
        values that are not finite, or all states are the same."""
        with torch.no_grad():
            z = encode(x)
            middle = z[int((x - x.mean(0)).norm(dim=1).argmin())]
            away = (x - decode(middle.expand_as(z)).double()).norm(dim=1)
            error = (x - decode(z).double()).norm(dim=1)
        spread = float(away.pow(2).mean().sqrt())
        numbers = [*middle.tolist(), spread, float(away.max()), float(error.max())]
        if not spread > 0 or not torch.isfinite(torch.tensor(numbers)).all():
            return None
        return cls(tuple(middle.tolist()), spread, float(away.max()) / spread, float(error.max()) / spread)

    def sized(self, dim: int) -> "Domain":
        """The domain in latents of a longer or shorter field: the reference goes on periodically, and squares of
        distances grow with the number of its values."""
        latent = tuple(self.latent[i % len(self.latent)] for i in range(dim))
        return replace(self, latent=latent, spread=self.spread * (dim / len(self.latent)) ** 0.5)

    def foreign(self, x: Float[Tensor, "N D"], reference: Float[Tensor, "*N D"], back: Float[Tensor, "N D"]) -> str:
        """What is wrong with initial states, in a sentence; empty where they are like the training states.

        Args:
            x: the states.
            reference: the decoded reference, once or for each state.
            back: their reconstructions.
        """
        away = (x.double() - reference).norm(dim=1) / self.spread
        error = ((x.double() - back).norm(dim=1) / self.spread).nan_to_num(nan=torch.inf)
        far, wrong = away > FARTHER * self.extent, error > max(LEAST, WORSE * self.residual)
        if not (far | wrong).any():
            return ""
        worst = int(torch.where(far, away, 0.0).argmax()) if far.any() else int(error.argmax())
        size = float(error[worst])
        clause = (
            "it has no reconstruction" if size == torch.inf else f"its reconstruction is wrong by {size:.2g} times that"
        )
        where = (
            f"lies {float(away[worst]):.3g} times the spread of the training data away from them (theirs are at most "
            f"{self.extent:.3g}; {clause})"
            if far.any()
            else f"is not like the training data, whose spread is {self.spread:.3g}: {clause} (theirs by at most "
            f"{self.residual:.2g})"
        )
        count = int((far | wrong).sum())
        others = f", and {count - 1} of the {len(x) - 1} others" if count > 1 else ""
        return f"x0 of trajectory {worst} {where}{others}: predictions from there mean little."


def sized_about(about: Mapping[str, Any], latent_dim: int) -> dict[str, Any]:
    """What a model knows of where it comes from, for a field of another size."""
    domain = about.get("domain")
    return dict(about) if domain is None else {**about, "domain": Domain.from_dict(domain).sized(latent_dim).to_dict()}


def stopped_words(states: Float[Tensor, "N T D"], t: Float[Tensor, " T"], limit: float) -> str | None:
    """That a prediction stopped at its time limit, in seconds, and from where on it is NaN; None where it is not."""
    missing = states.isnan().any(-1)
    if not missing.any():
        return None
    reached = t[int(missing.any(0).int().argmax())]
    return f"The prediction stopped at its time limit of {limit:g} s; from t = {reached:g} on some of it is NaN."
