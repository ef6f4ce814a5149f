"""The reducer that the data choose: a polynomial manifold where that is enough, else an autoencoder.

Where K is a graph over its leading POD coefficients, least squares give the graph in seconds, and what they give is
smoother than what a network learns, which tells in the latent velocities and hence in predictions. On the cylinder wake
at Re = 70 (20 coefficients -> 2) the error of predictions (NMTE) is .8 % with a polynomial manifold that leaves 2e-5 of
the energy, 1.1 to 2.2 % with an autoencoder that leaves 3e-6; on Kuramoto-Sivashinsky (L = 22, 64 -> 8) the polynomial
leaves 2e-7, the autoencoder 5e-7. Where K is no such graph, a polynomial leaves so much that the choice is plain.

Where a continuous symmetry is declared, equivariant polynomials are tried, too, and taken where they leave less than
the others do: 4e-11 on Kuramoto-Sivashinsky. Dynamics in such coordinates are chosen by `dynred.dynamics.auto`.

Of few variables, each in its own unit, the leading modes say little: which they are depends on the units. So other
linear coordinates are searched for before an autoencoder is taken. On a limit cycle in four variables (two, and their
product and square), each scaled by its deviation, two leading modes leave 31 % of the energy, the search 1e-13.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch

from dynred.checks import integer, refuse
from dynred.data.parameters import cut
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.numerics.batches import pieces
from dynred.numerics.latent_space import LatentSpace
from dynred.plugins import load_class
from dynred.reducers._declared import has_continuous_symmetry
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.runtime import Runtime
from dynred.spec import ADDED
from dynred.training.minimise import TrainingSpec

SEARCHED = 32  # modes up to which other coordinates than the leading ones are searched for: it takes seconds
HIGHEST = 8  # degree of the decoders among which they are searched for; the time grows with its square


@dataclass(frozen=True)
class AutoReducerSpec(ReducerSpec):
    """Settings of the choice between manifolds and an autoencoder, all else with their default settings.

    Attributes:
        angles: how many of the `latent_dim` coordinates are angles, in [0, latent_dim]; only an autoencoder has some.
        enough: largest part of the energy of the validation states, in (0, 1), that a polynomial manifold may leave.
        parametric: whether the reducer sees the parameters that differ between training trajectories.
        training: that of the autoencoder, where one is taken.
        symmetry: whether equivariant polynomials are tried where a continuous symmetry is declared.
    """

    angles: int = 0
    enough: float = 1e-4
    parametric: bool = False
    training: TrainingSpec = field(default_factory=TrainingSpec)
    symmetry: bool = field(default=True, metadata=ADDED)

    def __post_init__(self):
        super().__post_init__()
        integer("angles", self.angles, 0, self.latent_dim)
        if not 0 < self.enough < 1:
            raise refuse("enough", "in (0, 1)", self.enough)

    @property
    def latent_space(self) -> LatentSpace:
        """What the latent coordinates are."""
        return LatentSpace(angles=self.angles, lines=self.latent_dim - self.angles)

    def for_states(self, dim: int) -> ReducerSpec:
        """See `ReducerSpec.for_states`: the identity where all coordinates are kept."""
        return _named("identity", latent_dim=dim) if self.latent_dim == dim and not self.angles else self

    @property
    def tries_symmetry(self) -> bool:
        """See `ReducerSpec.tries_symmetry`."""
        return self.symmetry

    def without_symmetry(self) -> Self:
        """See `ReducerSpec.without_symmetry`."""
        return replace(self, symmetry=False)

    @property
    def polynomial(self) -> ReducerSpec:
        """The settings of the polynomial manifold."""
        return _named("polynomial", latent_dim=self.latent_dim, parametric=self.parametric)

    @property
    def searched(self) -> ReducerSpec:
        """The settings of the polynomial manifold over other coordinates than the leading modes."""
        return self.polynomial.updated("starts", 0).updated("polynomial.degree", HIGHEST)

    @property
    def autoencoder(self) -> ReducerSpec:
        """The settings of the autoencoder."""
        settings = {"latent_dim": self.latent_dim, "parametric": self.parametric, "training": self.training}
        return _named("autoencoder", angles=self.angles, **settings)

    def _fit(self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime) -> Reducer:
        """See `ReducerSpec._fit`. The result is a reducer of the class that was chosen, with the settings of that."""
        if not self.angles:
            symmetric = self._symmetric(train, validation, rng=_copied(rng), runtime=runtime)
            own = math.inf if symmetric is None else _left_by(symmetric, validation)
            if symmetric is not None and own <= self.enough**2:  # so little that nothing else need be tried
                return symmetric
            manifold = self.polynomial.fit(train, validation, rng=rng, runtime=runtime)
            left = _left_by(manifold, validation)
            if symmetric is not None and own <= min(left, self.enough):
                return symmetric
            if left <= self.enough:
                return manifold
            if manifold.sizes()["modes"] <= SEARCHED:
                manifold = self.searched.fit(train, validation, rng=_copied(rng), runtime=runtime)
                if _left_by(manifold, validation) <= self.enough:
                    return manifold
        return self.autoencoder.fit(train, validation, rng=rng, runtime=runtime)

    def _symmetric(self, train: Trajectories, validation: Trajectories, **given: Any) -> Reducer | None:
        """The equivariant manifold; None where no continuous symmetry is declared, or where it cannot be used."""
        if not self.symmetry or self.parametric or not has_continuous_symmetry(train):
            return None
        try:
            return _named("equivariant", latent_dim=self.latent_dim).fit(train, validation, **given)
        except InputError:  # what was declared does not hold, or its modes do not fill the coordinates
            return None

    def memory(self, state_dim: int, train: int, validation: int) -> int:
        """See `ReducerSpec.memory`."""
        tried = (self.autoencoder,) if self.angles else (self.polynomial, self.autoencoder)
        return max(each.memory(state_dim, train, validation) for each in tried)

    def check_data(self, train: Trajectories) -> None:
        """See `ReducerSpec.check_data`."""
        self.autoencoder.check_data(train)

    def build(self, **sizes: Any) -> Reducer:
        """Refused: what was fitted has the settings of the class that was chosen."""
        raise refuse("the settings of a stored reducer", "those of the class that was chosen", "auto")


def _named(name: str, **settings: Any) -> ReducerSpec:
    return load_class("dynred.reducers", name, ReducerSpec)(**settings)


def _copied(rng: torch.Generator) -> torch.Generator:
    """A stream that draws the same: what is tried does not change what the others draw."""
    return torch.Generator().set_state(rng.get_state())


def _left_by(reducer: Reducer, validation: Trajectories) -> float:
    """The part of the energy of the states that their reconstructions leave, computed in pieces that bound memory."""
    x, left, first = validation.states.double(), 0.0, 0
    for part in pieces(x):
        coder = reducer.at(cut(validation.row_parameters, slice(first, first + len(part))))
        left += float((coder.reconstruct(part) - part).pow(2).sum())
        first += len(part)
    energy = (x - x.mean(0)).pow(2).sum().clamp_min(torch.finfo(x.dtype).tiny)
    return left / float(energy)
