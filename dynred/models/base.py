"""What every reduced model offers: between states and latents, in time, and into files."""

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from dynred.checks import increasing, refuse, rows_of
from dynred.data.courses import given_signals
from dynred.data.parameters import along_time, by_name, checked, cut, per_row
from dynred.data.signals import Course
from dynred.data.trajectories import Trajectories
from dynred.dynamics.base import LatentDynamics, VectorFieldDynamics, rollout_limits
from dynred.errors import DynredWarning
from dynred.files import (
    check_target,
    is_tensors,
    write_tensors,
)
from dynred.kinds import kind_of
from dynred.models.domain import Domain, stopped_words
from dynred.models.export import Program, as_numpy, exported, is_export, write_programs
from dynred.models.numpy_model import NumpyModel
from dynred.models.plain_states import PlainStates, width_of
from dynred.models.spec import ModelSpec
from dynred.numerics.batches import pieces, taken_in_pieces
from dynred.numerics.latent_space import LatentSpace
from dynred.numpy_out import as_given
from dynred.ode.vector_field import Parameters, VectorField
from dynred.plugins import code_in
from dynred.runtime import Progress, silent
from dynred.training.minimise import History
from dynred.views import Displayed

SCHEMA = 1


class Model(PlainStates, Displayed, ABC):
    """encode -> rollout -> decode, between states [..., D] and latents [..., R]; fitted and immutable.

    Where reducer or dynamics see parameters of the system, `model.at(parameters)` is the model for them.

    Attributes:
        about: where the model comes from: plain JSON values by name (`system`, `seed` ...).
        given: the parameters that were filled in, by name; the model's file does not hold them.
        is_continuous: whether `encode` is continuous.
    """

    about: Mapping[str, Any]
    given: Parameters
    is_continuous = True

    @property
    @abstractmethod
    def latent_space(self) -> LatentSpace:
        """What the latent coordinates are."""

    @property
    @abstractmethod
    def spec(self) -> ModelSpec:
        """The settings by which such a model is fitted."""

    @property
    @abstractmethod
    def coordinates(self) -> nn.Module:
        """The module between states and latents, which `spec.fit_dynamics` takes."""

    @property
    @abstractmethod
    def histories(self) -> tuple[History, ...]:
        """The course of every training stage."""

    @property
    @abstractmethod
    def parameter_count(self) -> int:
        """How many numbers were fitted: weights of networks, coefficients of polynomials; no modes and no units."""

    # -- what it can do ------------------------------------------------------------------------------------------------

    def at(self, parameters: Parameters) -> Self:
        """The same model with parameters of the system filled in.

        Args:
            parameters: by name, a finite number, or one value for each row of what the model is then given: for each
                trajectory (`predict`, `rollout`), or values that fit the batch shape of the argument (the others).
                Names that the model does not know are ignored: trajectories carry every parameter of their system.
                Parameters that were filled in before stay, where they are not named again.

        Raises:
            InputError: values that are no finite numbers; when the model is used, a parameter that is missing, or does
                not fit.
        """
        return self._with_given({**self.given, **by_name(parameters)})

    @property
    def courses(self) -> Mapping[str, Course]:
        """What each input u(t) that the dynamics see is between its samples, by name."""
        return {}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that a prediction must be given."""
        return tuple(name for name, course in self.courses.items() if "clock" not in course)

    def rows(self, index: Int[Tensor, "..."] | Bool[Tensor, " N"] | slice) -> Self:
        """The model for some rows: parameters that differ between rows are cut down to them."""
        return self._with_given(cut(self.given, index))

    def along_time(self) -> Self:
        """The model for states or latents [N, T, ...] of N trajectories at T times each, where its parameters have a
        value for each trajectory."""
        return self._with_given(along_time(self.given))

    def members(self) -> Sequence["Model"]:
        """The models whose latent velocities are averaged: only this one, where its dynamics are no ensemble."""
        return (self,)

    def vector_field(self) -> VectorField:
        """The latent vector field, with the parameters that were filled in.

        Raises:
            InputError: the dynamics are not given by one vector field.
        """
        raise refuse("the model's dynamics", "given by one vector field", type(self).__name__)

    def evolution(self) -> VectorField:
        """The latent vector field or map: see `LatentDynamics.evolution`."""
        return self.vector_field()

    @abstractmethod
    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """Latents of states; a NumPy array gives one, as in `decode`, `reconstruct` and `rhs`."""

    @abstractmethod
    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """States of latents, float64."""

    @abstractmethod
    def rhs(self, t: float | Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """The latent velocity, per time unit.

        Raises:
            InputError: the dynamics are not given by a vector field.
        """

    @abstractmethod
    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """Latents at times t, starting with z0 at t[0], in float64; NaN from the time on at which a row diverges, and
        at times that it did not reach within the time limit, in seconds."""

    @as_given
    def reconstruct(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """decode(encode(x)), in pieces that bound memory."""
        resized = self.for_states(width_of(x, self.state_dim))
        x = resized._states("x", x)
        with torch.no_grad(), taken_in_pieces(len(x.reshape(-1, x.shape[-1]))):
            parts = [model.decode(model.encode(part)) for part, model in resized._pieces(x)]
            return torch.cat(parts).reshape(x.shape)

    def predict(
        self,
        x0: Float[Tensor, "N D"] | Float[Tensor, " D"],
        t: Float[Tensor, " T"],
        *,
        inputs: Any = None,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Trajectories:
        """Trajectories from initial states: encoded once, integrated in latent space, decoded.

        Args:
            x0: states at t[0]; one [D] or many [N, D], torch or NumPy.
            t: increasing times, in the system's time units.
            inputs: of a model with inputs: values [T, U] or [N, T, U] at the times t, in the order of `inputs`; or by
                name values [T] or [N, T], numbers, or signals (`dynred.data.signals.Sampled`). Between the times they
                are as in training, held or linear. The phase of a period, and time itself, need not be given.
            time_limit: seconds after which the integration stops; what it did not reach is NaN.
            progress: receives reports of the integration.

        Returns:
            N trajectories of T states, float64; NaN from the time on at which the prediction diverged. The first state
            is the reconstruction of x0. Whatever x0 is, they hold tensors: `prediction.stacked().numpy()` is [N, T, D].

        Raises:
            InputError: wrong width of x0, values that are not finite, times that do not increase; missing inputs.

        Warns:
            DynredWarning: x0 is far from the states that the model was made from; the time limit was reached.
        """
        t, resized = increasing("t", t), self.for_states(width_of(x0, self.state_dim))
        if resized is not self:
            return resized.predict(x0, t, inputs=inputs, time_limit=time_limit, progress=progress)
        x0 = self.start(x0)
        if inputs is not None:
            signals = given_signals(inputs, self.inputs, self.courses, t, len(x0))
            return self.at(signals).predict(x0, t, time_limit=time_limit, progress=progress)
        checked(self.given, len(x0))
        begun = time.monotonic()
        with torch.no_grad():
            z = self.rollout(self.encode(x0), t, **rollout_limits(time_limit, progress))
            late = time_limit is not None and time.monotonic() - begun > time_limit
            states, start = torch.empty(*z.shape[:-1], self.state_dim, dtype=torch.float64), 0
            with taken_in_pieces(len(z) * len(t)):
                for part, model in self.along_time()._pieces(z, self.state_dim):
                    states.view(-1, self.state_dim)[start : start + len(part)] = model.decode(part)
                    start += len(part)
        states[~torch.isfinite(z).all(-1)] = torch.nan
        self._warn(x0, states, t, time_limit if late else None)
        known = {name: value for name, value in self.about.items() if name != "domain"}
        return Trajectories.from_stacked(states, t, attributes=known)

    def remembering(self, train: Trajectories) -> Self:
        """The same model, which now knows where its training states lie and warns of predictions from elsewhere."""
        rows = Domain.sample(train)
        model = self.at(cut(train.row_parameters, rows))
        domain = Domain.of(model.encode, model.decode, train.states[rows].double())
        others = {name: value for name, value in self.about.items() if name != "domain"}
        about = others if domain is None else {**others, "domain": domain.to_dict()}
        return replace(self, about=about)  # type: ignore[type-var] # every concrete model is a dataclass

    def _warn(
        self,
        x0: Float[Tensor, "N D"],
        states: Float[Tensor, "N T D"],
        t: Float[Tensor, " T"],
        late: float | None,
    ) -> None:
        if "domain" in self.about and len(x0):
            domain = Domain.from_dict(self.about["domain"])
            middle = torch.tensor(domain.latent, dtype=torch.float64).expand(len(x0), -1)
            with torch.no_grad():
                reference = self.decode(middle)
            if message := domain.foreign(x0, reference, states[:, 0]):
                warnings.warn(message, DynredWarning, stacklevel=3)
        if late is not None and (words := stopped_words(states, t, late)):
            warnings.warn(words, DynredWarning, stacklevel=3)

    def _states(self, name: str, x: object) -> Tensor:
        return rows_of(name, x, self.state_dim)

    def _latents(self, z: object) -> Tensor:
        return rows_of("z", z, self.latent_space.dim)

    def _start(self, z0: object, t: object) -> tuple[Float[Tensor, "N R"], Float[Tensor, " T"], Parameters]:
        # The arguments of a rollout, checked, and the parameters that were filled in.
        z0 = rows_of("z0", z0, self.latent_space.dim)
        if z0.ndim != 2:
            raise refuse("z0", f"latents [N, {self.latent_space.dim}]", f"shape {list(z0.shape)}")
        return z0, increasing("t", t), checked(self.given, len(z0))

    def _with_given(self, parameters: Parameters) -> Self:
        return replace(self, given=parameters)  # type: ignore[type-var] # every model is a dataclass

    def _pieces(self, batch: Float[Tensor, "*batch A"], width: int = 1) -> Iterator[tuple[Float[Tensor, "m A"], Self]]:
        """Yields pieces of the rows of a batch, and the model for each; `width` as for `pieces`."""
        model, start = self._with_given(per_row(self.given, batch.shape[:-1])), 0
        for part in pieces(batch.reshape(-1, batch.shape[-1]), width):
            yield part, model.rows(slice(start, start + len(part)))
            start += len(part)

    def notes(self) -> list[str]:
        """What a user should know of the fitted model, line by line, such as equations that can be read."""
        return []

    # -- export ------------------------------------------------------------------------------------------------------

    def to_numpy(self) -> NumpyModel:
        """encode, decode and rhs as functions of NumPy arrays, without torch when they are called, at the numbers that
        were filled in for its parameters. `rhs` of a model with inputs takes their values too.

        Raises:
            InputError: the model has operations that torch cannot trace, or that `dynred.models.numpy_model` lacks.
        """
        return NumpyModel({name: as_numpy(program) for name, program in self._programs().items()}, self.past)

    def export(self, path: str | Path) -> None:
        """Writes a folder of `torch.export` programs: encode.pt2 (x [N, D]), decode.pt2 (z [N, R]) and, where the
        dynamics are a vector field, rhs.pt2 (t, z [N, R]); all arguments float64. `torch.export.load` reads them, here
        or without dynred. manifest.json lists them: a folder that holds anything else is not replaced. Parameters
        and errors are as for `to_numpy`."""
        check_target("path", path, is_export)
        write_programs(path, self._programs())

    def _programs(self) -> dict[str, Program]:
        modules = self.modules
        x, z = (torch.zeros(3, n, dtype=torch.float64) for n in (self.state_dim, self.latent_space.dim))
        x = x[:, None].repeat(1, self.past, 1) if self.past > 1 else x
        calls: dict[str, tuple[Callable[..., Tensor], dict[str, Tensor]]] = {
            "encode": (self.encode, {"x": x}),
            "decode": (self.decode, {"z": z}),
        }
        if all(isinstance(module, VectorFieldDynamics) for module in modules if isinstance(module, LatentDynamics)):
            given = {"t": z[0, 0].clone(), "z": z}
            calls["rhs"] = (self.rhs, given)
            if self.inputs and not set(self.inputs) <= set(self.given):  # what drives the model is an argument then
                u = torch.zeros(3, len(self.inputs), dtype=torch.float64)
                calls["rhs"] = (self._rhs_driven, {**given, "u": u})
        return {name: exported(name, call, modules, given) for name, (call, given) in calls.items()}

    def _rhs_driven(self, t: Tensor, z: Float[Tensor, "N R"], u: Float[Tensor, "N U"]) -> Float[Tensor, "N R"]:
        return self._with_given({**self.given, **dict(zip(self.inputs, u.unbind(-1), strict=True))}).rhs(t, z)

    # -- files -------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Writes the whole model as one safetensors file: weights, and all settings as JSON in its metadata."""
        check_target("path", path, is_tensors)
        tensors, metadata = self.parts()
        code = [entry.to_dict() for entry in code_in(metadata)]
        about = dict(self.about)
        write_tensors(
            path, tensors, {**metadata, "kind": kind_of(type(self)), "schema": SCHEMA, "about": about, "code": code}
        )

    def described(self, **facts: Any) -> Self:
        """The same model with `facts` added to `about`, which says where it comes from."""
        return replace(self, about={**self.about, **facts})  # type: ignore[type-var] # every model is a dataclass

    @abstractmethod
    def parts(self) -> tuple[dict[str, Shaped[Tensor, "..."]], dict[str, Any]]:
        """The tensors by name, and as plain JSON what `from_parts` needs besides them."""

    @classmethod
    @abstractmethod
    def from_parts(
        cls, tensors: Mapping[str, Shaped[Tensor, "..."]], metadata: Mapping[str, Any], about: Mapping[str, Any]
    ) -> Self:
        """The inverse of `parts`; an error of any kind means that the parts describe no model.

        Nothing is taken on trust: what `metadata` claims must be checked, see `dynred.models.stored_parts`.
        """
