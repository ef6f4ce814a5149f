"""A model of transformed states, behind the interface of a model of the states themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from dynred.annotations import fitting_arguments
from dynred.checks import finite, refuse, rows_of
from dynred.data.signals import Course
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Chain, Transform, TransformSpec, check_past
from dynred.data.variables import Variable
from dynred.kinds import class_of, kind_of
from dynred.models.base import Model
from dynred.models.spec import ModelSpec
from dynred.models.stored_parts import filled
from dynred.numerics.latent_space import LatentSpace
from dynred.numpy_out import as_given
from dynred.ode.vector_field import Parameters, VectorField
from dynred.records import revive
from dynred.runtime import Progress, silent
from dynred.training.minimise import History

SCHEMA = 1  # of a stored transform
INNER = "model"  # begins the names of the inner model's tensors


@dataclass(frozen=True, eq=False)
class TransformedModel(Model):
    """A model whose states are transformed before they are encoded, and whose predictions are in the variables of the
    data again.

    Where the transforms have memory, a state comes with its past: arguments x are [..., P, D], the last P snapshots,
    the present one at the end, evenly in time as in training; predictions are of the present. `past` is P.

    Attributes:
        chain: the transforms.
        inner: the model of transformed states.
    """

    chain: Chain
    inner: Model

    @property
    def about(self) -> Mapping[str, Any]:  # type: ignore[override] # that of the inner model
        """See `Model.about`."""
        return self.inner.about

    @property
    def given(self) -> Parameters:  # type: ignore[override] # that of the inner model
        """See `Model.given`."""
        return self.inner.given

    @property
    def is_continuous(self) -> bool:  # type: ignore[override] # that of the inner model
        """See `Model.is_continuous`."""
        return self.inner.is_continuous

    @property
    def state_dim(self) -> int:
        """See `Model.state_dim`: the number of variables of the data."""
        return self.chain.state_dim

    @property
    def past(self) -> int:
        """See `Model.past`."""
        return self.chain.past

    @property
    def core(self) -> Model:
        """See `Model.core`."""
        return self.inner

    @property
    def transforms(self) -> Sequence[Transform]:
        """See `Model.transforms`."""
        return tuple(self.chain.parts)

    @property
    def latent_space(self) -> LatentSpace:
        """See `Model.latent_space`."""
        return self.inner.latent_space

    @property
    def spec(self) -> ModelSpec:
        """See `Model.spec`: the settings of the inner model."""
        return self.inner.spec

    @property
    def coordinates(self) -> nn.Module:
        """See `Model.coordinates`: those of transformed states."""
        return self.inner.coordinates

    @property
    def histories(self) -> tuple[History, ...]:
        """See `Model.histories`."""
        return self.inner.histories

    @property
    def parameter_count(self) -> int:
        """See `Model.parameter_count`: that of the inner model."""
        return self.inner.parameter_count

    @property
    def modules(self) -> list[nn.Module]:
        """See `Model.modules`."""
        return [self.chain, *self.inner.modules]

    def members(self) -> Sequence[Model]:
        """See `Model.members`."""
        return tuple(replace(self, inner=member) for member in self.inner.members())

    @property
    def courses(self) -> Mapping[str, Course]:
        """See `Model.courses`."""
        return self.inner.courses

    def vector_field(self) -> VectorField:
        """See `Model.vector_field`."""
        return self.inner.vector_field()

    def evolution(self) -> VectorField:
        """See `Model.evolution`."""
        return self.inner.evolution()

    @property
    def time_step(self) -> float | None:
        """See `Model.time_step`."""
        return self.inner.time_step

    def prepared(self, trajectories: Trajectories) -> Trajectories:
        """See `Model.prepared`."""
        return self.chain.transformed(trajectories)

    def restored(self, trajectories: Trajectories) -> Trajectories:
        """See `Model.restored`."""
        return self.chain.restored(trajectories)

    def present(self, trajectories: Trajectories) -> Trajectories:
        """See `Model.present`."""
        return trajectories if self.past == 1 else trajectories.map(self.chain.present)

    def start(self, x0: object) -> Float[Tensor, "N E"]:
        """See `Model.start`."""
        if isinstance(x0, Trajectories):
            check_past(x0, self.past)
            last = x0.starts + x0.lengths
            x0 = x0.states[last[:, None] + torch.arange(-self.past, 0)]
            x0 = x0 if self.past > 1 else x0[:, 0]
        rows = finite("x0", rows_of("x0", x0, self.state_dim, most=3 if self.past > 1 else 2))
        if self.past == 1:
            return self._transformed("x0", rows.reshape(-1, self.state_dim))
        return self._transformed("x0", rows[None] if rows.ndim == 2 else rows)

    @as_given
    def encode(self, x: Float[Tensor, "*states D"]) -> Float[Tensor, "*batch R"]:
        """See `Model.encode`; states with their past, [..., P, D], where the transforms have memory."""
        return self.inner.encode(self._transformed("x", x))

    @as_given
    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """See `Model.decode`: the present state, in the variables of the data."""
        return self.chain.undo(self.inner.decode(z))

    @as_given
    def reconstruct(self, x: Float[Tensor, "*states D"]) -> Float[Tensor, "*batch D"]:
        """See `Model.reconstruct`; as `encode`."""
        return self.chain.undo(self.inner.reconstruct(self._transformed("x", x)))

    @as_given
    def rhs(self, t: float | Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `Model.rhs`."""
        return self.inner.rhs(t, z)

    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """See `Model.rollout`."""
        return self.inner.rollout(z0, t, time_limit=time_limit, progress=progress)

    def predict(
        self,
        x0: Float[Tensor, "N D"] | Float[Tensor, " D"] | Float[Tensor, "N P D"] | Trajectories,
        t: Float[Tensor, " T"],
        *,
        inputs: Any = None,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Trajectories:
        """Trajectories from initial states; see `Model.predict`.

        Args:
            x0: states at t[0], [D] or [N, D]; where the transforms have memory, the last P snapshots up to t[0], [P, D]
                or [N, P, D], or trajectories, which end at t[0].
            t: as for `Model.predict`.
            inputs: as for `Model.predict`.
            time_limit: as for `Model.predict`.
            progress: as for `Model.predict`.

        Raises:
            InputError: as for `Model.predict`; the past is too short.
        """
        if isinstance(x0, Trajectories):
            self.check(x0)
        limits: dict[str, Any] = {"time_limit": time_limit, "progress": progress}
        return self.restored(self.inner.predict(self.start(x0), t, inputs=inputs, **limits))

    def remembering(self, train: Trajectories) -> Self:
        """See `Model.remembering`."""
        return replace(self, inner=self.inner.remembering(self.prepared(train)))

    def described(self, **facts: Any) -> Self:
        """See `Model.described`."""
        return replace(self, inner=self.inner.described(**facts))

    def rows(self, index: Int[Tensor, "..."] | Bool[Tensor, " N"] | slice) -> Self:
        """See `Model.rows`."""
        return replace(self, inner=self.inner.rows(index))

    def notes(self) -> list[str]:
        """See `Model.notes`."""
        return [*self.chain.notes(), *self.inner.notes()]

    def _with_given(self, parameters: Parameters) -> Self:
        return replace(self, inner=self.inner._with_given(parameters))

    def _transformed(self, name: str, x: object) -> Float[Tensor, "*batch E"]:
        rows = rows_of(name, x, self.state_dim)
        if self.past == 1:
            return self.chain(rows[..., None, :])[..., 0, :]
        length = rows.shape[-2] if rows.ndim > 1 else 1
        if length < self.past:
            shape = f"[..., {self.past}, {self.state_dim}]"
            raise refuse(name, f"the last {self.past} snapshots of each state, {shape}", f"{list(rows.shape)}")
        return self.chain(rows[..., -self.past :, :])[..., 0, :]

    # -- files -------------------------------------------------------------------------------------------------------

    def parts(self) -> tuple[dict[str, Shaped[Tensor, "..."]], dict[str, Any]]:
        """See `Model.parts`."""
        tensors, metadata = self.inner.parts()
        tensors = {f"{INNER}.{name}": tensor for name, tensor in tensors.items()}
        for i, part in enumerate(self.chain.parts):
            tensors |= {f"transforms.{i}.{name}": tensor for name, tensor in part.state_dict().items()}
        stored = [
            {"schema": SCHEMA, "spec": part.spec.to_dict(), "sizes": dict(part.sizes())} for part in self.chain.parts
        ]
        variables = {"listed": [list(variable) for variable in self.chain.variables]}
        inner = {"kind": kind_of(type(self.inner)), "parts": metadata}
        return tensors, {"transforms": stored, "variables": variables, "inner": inner}

    @classmethod
    def from_parts(
        cls, tensors: Mapping[str, Shaped[Tensor, "..."]], metadata: Mapping[str, Any], about: Mapping[str, Any]
    ) -> "TransformedModel":
        """See `Model.from_parts`."""
        for entry in metadata["transforms"]:
            _check_known(entry)
        stored = revive(_StoredTransformed, metadata, "its metadata")
        chain = Chain(
            [filled(part.build, tensors, f"transforms.{i}") for i, part in enumerate(stored.transforms)],
            tuple(Variable(*variable) for variable in stored.variables.listed),
        )
        kind = class_of(str(stored.inner.get("kind")))
        if kind is None or not issubclass(kind, Model) or issubclass(kind, TransformedModel):
            raise refuse("the inner model", "of a kind that is known", str(stored.inner.get("kind")))
        own = {name.removeprefix(f"{INNER}."): t for name, t in tensors.items() if name.startswith(f"{INNER}.")}
        inner = kind.from_parts(own, stored.inner["parts"], about)
        if inner.state_dim != chain.dim:
            raise refuse("the inner model", f"of states of {chain.dim} values, like the transforms'", inner.state_dim)
        return cls(chain, inner)


@dataclass(frozen=True)
class StoredTransform:
    """What a file says of a transform beside its tensors.

    Attributes:
        schema: version of the form in which it is stored.
        spec: its settings.
        sizes: see `Transform.sizes`.
    """

    schema: int
    spec: TransformSpec
    sizes: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> Transform:
        """The module, with arbitrary numbers."""
        return self.spec.build(**fitting_arguments("sizes of the transform", self.sizes, self.spec.build))


@dataclass(frozen=True)
class _Variables:
    """The variables of the data: names and widths."""

    listed: list[tuple[str, int]]


@dataclass(frozen=True)
class _StoredTransformed:
    """What a file says of a model beside its tensors; see `TransformedModel.parts`."""

    transforms: list[StoredTransform]
    variables: _Variables
    inner: Mapping[str, Any]


def _check_known(entry: Mapping[str, Any]) -> None:
    """Refuses a transform that a newer version stored."""
    kind, schema = entry["spec"]["kind"], entry["schema"]
    if type(schema) is not int or schema > SCHEMA or class_of(str(kind)) is None:
        expected = f"known, and of schema {SCHEMA} or older"
        raise refuse(f"transform {kind}", expected, f"schema {schema}", "Install a newer dynred to read it.")


def transformed(model: Model, chain: Chain | None) -> Model:
    """A model of transformed states as one of the states themselves; the model itself where nothing transforms them."""
    return model if chain is None else TransformedModel(chain, model)
