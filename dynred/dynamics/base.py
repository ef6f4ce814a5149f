"""What every latent dynamics offers: rollouts from latent initial states."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynred import plugins
from dynred.annotations import fitting_arguments
from dynred.checks import positive, refuse
from dynred.data.trajectories import Trajectories
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.polynomials import monomials, rescaled, written
from dynred.ode.system import VectorField
from dynred.solvers.base import Solver
from dynred.solvers.explicit import Explicit
from dynred.spec import Spec
from dynred.training.fits import checked_fit
from dynred.training.minimise import History, Progress, Runtime, silent


class LatentDynamics(nn.Module, ABC):
    """Fitted dynamics of latent states.

    Attributes:
        spec: the settings it was fitted with.
        latent_space: what the R latent coordinates are.
        histories: the course of its training, if any, stage by stage.
    """

    spec: "DynamicsSpec"
    latent_space: LatentSpace
    histories: tuple[History, ...] = ()

    @abstractmethod
    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        parameters: Mapping[str, Tensor] | None = None,
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """Latent states at times t, starting with z0 at t[0], in float64; NaN from the time on at which a row diverges,
        and where the time limit, in seconds, did not let it go.

        Angles go on counting past pi: a rollout is continuous. Dynamics that are always quick may leave out the time
        limit and the progress: they are given only where they were asked for.
        """

    @abstractmethod
    def sizes(self) -> Mapping[str, Any]:
        """What `DynamicsSpec.build` needs beside the settings to make the same module, weights apart: plain JSON data,
        such as numbers of coordinates, or the sizes of a part."""

    def notes(self) -> list[str]:
        """What a user should know of what was fitted, line by line, such as equations that can be read."""
        return []


class Standardisation(nn.Module):
    """Units in which latents and their velocities are of order one.

    Attributes:
        shift, spread: mean and standard deviation of each latent coordinate [R]; 0 and 1 for angles.
        rate: root mean square velocity of each latent coordinate [R].
    """

    shift: Tensor
    spread: Tensor
    rate: Tensor

    def __init__(self, shift: Tensor, spread: Tensor, rate: Tensor):
        super().__init__()
        for name, value in (("shift", shift), ("spread", spread), ("rate", rate)):
            self.register_buffer(name, value.double())

    @classmethod
    def of(cls, latents: Trajectories, space: LatentSpace, *, centred: bool = True) -> "Standardisation":
        """The units of these latents, which must have velocities; not `centred`, they keep the origin (shift 0), and
        their spread is measured from there."""
        assert latents.velocities is not None
        z, v = latents.states.double(), latents.velocities.double()
        shift = z.mean(0) if centred else torch.zeros_like(z[0])
        spread = z.std(0) if centred else z.pow(2).mean(0).sqrt()
        rate = v.pow(2).mean(0).sqrt()
        shift[: space.angles], spread[: space.angles] = 0, 1
        return cls(shift, spread.clamp_min(1e-12 * (1 + spread.max())), rate.clamp_min(1e-12 * (1 + rate.max())))

    @classmethod
    def empty(cls, dim: int) -> "Standardisation":
        """Of the right shapes, for loading."""
        return cls(torch.zeros(dim), torch.ones(dim), torch.ones(dim))

    def standard(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """Latents in standard units."""
        return (z - self.shift) / self.spread

    def latent(self, y: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """Latents of standard units."""
        return self.shift + self.spread * y


class VectorFieldDynamics(LatentDynamics):
    """Latent dynamics given by an ODE z' = field(t, z), integrated in standard units.

    It is itself a `dynred.ode.system.VectorField`, so solvers and Lyapunov spectra take it.

    Attributes:
        units: the standard units.
        solver: the solver of rollouts. On Kuramoto-Sivashinsky a tolerance of 1e-6 costs half as much again and gives
            the same valid times to three digits; 1e-4 begins to differ.
        max_evaluations: of the field in one rollout of a batch, after which its rows are NaN.
        time_limit: seconds of one rollout, after which its rows are NaN, so that none hangs; only a rollout that
            reaches it depends on the speed of the machine.
    """

    units: Standardisation
    solver: Solver = Explicit(rtol=1e-5, atol=1e-5)
    differentiable = True
    limit = 100.0  # standard units; data have standard deviation 1, so beyond this a rollout has left for good
    max_evaluations = 2_000_000
    time_limit = 3600.0

    @abstractmethod
    def field(self, t: Tensor, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """The latent velocity, per time unit, in the dtype of z."""

    @property
    def dim(self) -> int:
        """Dimension R of the latent state."""
        return self.latent_space.dim

    def forward(self, t: Tensor, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """The same as `field`, so that the module is a vector field."""
        return self.field(t, z)

    def rows(self, index: Tensor | slice) -> "VectorFieldDynamics":
        """The field is the same for every row."""
        return self

    def bind(self, parameters: Mapping[str, Tensor] | None = None) -> VectorField:
        """The field with its parameters filled in, like `System.bind`; one that has none is its own.

        Args:
            parameters: by name, a number or one value per row of the batch. Names that the field does not know are
                left aside: trajectories carry every parameter of their system.
        """
        return self

    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        parameters: Mapping[str, Tensor] | None = None,
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """See `LatentDynamics.rollout`."""
        limit = float("inf") if self.latent_space.angles else self.limit
        deadline = time.monotonic() + min(self.time_limit, math.inf if time_limit is None else time_limit)
        report = _Report(progress, float(t[0]), float(t[-1]))
        field = _Standard(self.bind(parameters), self.units, self.max_evaluations, deadline, report)
        return self.units.latent(self.solver.solve(field, self.units.standard(z0.double()), t.double(), limit))


class _Report:
    """Tells `progress` what part of the time of a rollout is done, at most five times a second."""

    def __init__(self, progress: Progress, start: float, end: float):
        self.progress, self.start, self.span = progress, start, max(end - start, 1e-300)
        self.silent, self.told = progress is silent, time.monotonic()

    def __call__(self, t: float) -> None:
        if not self.silent and time.monotonic() - self.told >= 0.2:
            self.told = time.monotonic()
            self.progress("rollout", int(100 * (t - self.start) / self.span), 100)


class _Standard:
    """A latent field in standard units that ends: without velocity (NaN) from the time on that a solver has reached
    when `evaluations` or the time until `deadline` are used up. Before that time it stays as it was."""

    differentiable = True

    def __init__(self, field: VectorField, units: Standardisation, evaluations: int, deadline: float, report: _Report):
        self.field, self.units, self.evaluations, self.deadline = field, units, evaluations, deadline
        self.report = report
        self.dim, self.left, self.end = field.dim, evaluations, float("inf")

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        if self.end == float("inf") and (self.left <= 0 or time.monotonic() > self.deadline):
            self.end = float(t)
        if float(t) >= self.end:
            return torch.full_like(x, torch.nan)
        self.left -= 1
        self.report(float(t))
        return self.field(t, self.units.latent(x)) / self.units.spread

    def rows(self, index: Tensor | slice) -> VectorField:
        return _Standard(self.field.rows(index), self.units, self.evaluations, self.deadline, self.report)


class PolynomialDynamics(VectorFieldDynamics):
    """A field whose components are polynomials of the features of the latents: z' = rate * monomials(y) coefficients,
    with y the features in standard units. Where sparse coefficients are to be read, units must keep the origin.

    Attributes:
        factors: the monomials [K, degree], see `dynred.numerics.polynomials.factors`.
        coefficients: [K, R], in units of the spread and rate of the latents; `latent_coefficients` are in theirs.
    """

    factors: Tensor
    coefficients: Tensor

    def __init__(self, spec: "DynamicsSpec", space: LatentSpace, units: Standardisation, factors: Tensor):
        super().__init__()
        self.spec, self.latent_space, self.units = spec, space, units
        self.register_buffer("factors", factors)
        self.register_buffer("coefficients", torch.zeros(len(factors), space.dim, dtype=torch.float64))

    def field(self, t: Tensor, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`; computed in float64."""
        return (self.units.rate * (self.library(z) @ self.coefficients)).to(z.dtype)

    def library(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch K"]:
        """The values of the monomials."""
        return monomials(self.latent_space.features(self.units.standard(z.double())), self.factors)

    def latent_coefficients(self) -> Float[Tensor, "K R"]:
        """The coefficients of the polynomials in the latents themselves, per time unit."""
        angles, spread = self.latent_space.angles, self.units.spread
        plain = torch.zeros(2 * angles).to(spread)
        shift, unit = torch.cat([plain, self.units.shift[angles:]]), torch.cat([plain + 1, spread[angles:]])
        return rescaled(self.coefficients, self.factors, shift, unit) * self.units.rate

    def equations(self) -> list[str]:
        """One equation per latent coordinate, e.g. `z1' = 0.1 z1 - z2`."""
        a, r = self.latent_space.angles, self.dim
        names = [f"{turn} z{i + 1}" for turn in ("cos", "sin") for i in range(a)] + [f"z{i + 1}" for i in range(a, r)]
        columns = self.latent_coefficients().T.tolist()
        return [f"z{i + 1}' = {written(column, self.factors, names)}" for i, column in enumerate(columns)]

    def sizes(self) -> Mapping[str, Any]:
        """See `LatentDynamics.sizes`."""
        return {}


@dataclass(frozen=True)
class DynamicsSpec(Spec, ABC):
    """Settings of latent dynamics."""

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "fit" in vars(cls):
            cls.fit = checked_fit(cls.fit)  # type: ignore[method-assign]

    @abstractmethod
    def fit(
        self,
        latents: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        latent_space: LatentSpace | None = None,
        runtime: Runtime | None = None,
    ) -> LatentDynamics:
        """The dynamics fitted to latent trajectories; `validation` chooses between weights.

        Args:
            latents: latent states and velocities, as `trajectories.map(reducer.encode)` gives them.
            validation: the same of other trajectories.
            rng: stream of initial weights and batches.
            latent_space: which coordinates are angles; default: none.
            runtime: device, progress, checkpoints.

        Raises:
            InputError: the settings do not fit the data.
        """

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """Bytes that `fit` takes beside the latents, about: not less than it does, nor more than a few times that.

        What would not fit into memory is refused before anything is computed. The default is that of a linear least
        squares problem: six copies of the latents; dynamics that need more say so.

        Args:
            latent_space: what the latent coordinates are.
            train, validation: numbers of snapshots.
        """
        return 6 * 8 * (train + validation) * (latent_space.feature_dim + latent_space.dim)

    @abstractmethod
    def build(self, latent_space: LatentSpace, **sizes: Any) -> LatentDynamics:
        """A module with the right shapes and arbitrary weights, for loading.

        Sizes from a file are held against the annotations of this method first. It may be asked to build without memory
        (on torch's meta device), to see whether the file has tensors of these shapes.
        """


def default_member() -> DynamicsSpec:
    """What dynamics that are made of others are made of by default: the neural ODE, found by name like any plug-in."""
    return plugins.load_class("dynred.dynamics", "neural_ode", DynamicsSpec)()


def fit_field(
    spec: DynamicsSpec,
    latents: Trajectories,
    validation: Trajectories,
    *,
    rng: torch.Generator,
    latent_space: LatentSpace,
    runtime: Runtime | None,
) -> VectorFieldDynamics:
    """`spec.fit`, refused where what it gives is no vector field."""
    return _as_field(spec.fit(latents, validation, rng=rng, latent_space=latent_space, runtime=runtime))


def build_field(spec: DynamicsSpec, latent_space: LatentSpace, sizes: Mapping[str, Any]) -> VectorFieldDynamics:
    """`spec.build` with sizes as they are stored within those of another, refused where they are not its own, or where
    what it gives is no vector field."""
    found = spec.build(latent_space, **fitting_arguments("member", sizes, spec.build, ["latent_space"]))
    return _as_field(found)


def _as_field(found: LatentDynamics) -> VectorFieldDynamics:
    if not isinstance(found, VectorFieldDynamics):
        raise refuse("member", "dynamics given by a vector field", type(found).__name__)
    return found


def rollout_limits(time_limit: float | None, progress: Progress) -> dict[str, Any]:
    """Those of the two that were asked for, by name: dynamics of the user's own may know neither.

    Raises:
        InputError: a time limit that is not positive.
    """
    found: dict[str, Any] = {} if progress is silent else {"progress": progress}
    return found if time_limit is None else {**found, "time_limit": positive("time_limit", time_limit)}


def rollout_score(model: VectorFieldDynamics, validation: Trajectories, horizon: int = 100) -> float:
    """How wrong rollouts of the validation trajectories are: the mean over time of the relative error, each at most 1.

    Errors are divided by the root mean square distance from the mean; `horizon` is in snapshots.
    """
    device = model.units.shift.device
    total, count = 0.0, 0
    size = model.units.spread.pow(2).sum().sqrt()
    for grid, members in validation.shared_grids():
        part = validation[members]
        truth = part.stacked()[:, : horizon + 1].to(device)
        with torch.no_grad():
            found = model.rollout(truth[:, 0], grid[: horizon + 1].to(device), part.parameters)
        error = model.latent_space.difference(found, truth).norm(dim=-1) / size
        total += float(torch.where(error <= 1, error, 1.0).sum())  # NaN counts as 1
        count += error.numel()
    return total / count


def standard_regression(
    latents: Trajectories, units: Standardisation, space: LatentSpace
) -> tuple[Float[Tensor, "M F"], Float[Tensor, "M R"]]:
    """Features of the latents in standard units, and velocities in units of `rate`: what a field learns; float64."""
    known = with_velocities("latents", latents)
    assert known.velocities is not None
    return space.features(units.standard(known.states.double())), known.velocities.double() / units.rate


def with_velocities(name: str, latents: Trajectories) -> Trajectories:
    """`latents`, refused where they have no velocities."""
    if latents.velocities is None:
        advice = "`estimate_velocities` gives them to sampled trajectories before they are encoded."
        raise refuse(name, "trajectories with velocities", "none", advice)
    return latents
