"""A reduced model: a reducer and latent dynamics, in one object and one file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynred.checks import finite, increasing, refuse
from dynred.dynamics.base import DynamicsSpec, LatentDynamics, VectorFieldDynamics
from dynred.errors import FileFormatError, InputError
from dynred.files import read_tensors, write_tensors
from dynred.latent_space import LatentSpace
from dynred.nets import parameter_count
from dynred.optimise import History
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.trajectories import Trajectories, pieces

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class ReducedModel:
    """encode -> latent dynamics -> decode.

    Attributes:
        reducer: between states [..., D] and latents [..., R].
        dynamics: between latents at different times.
        about: where the model comes from: plain JSON values by name (`system`, `seed` ...).
    """

    reducer: Reducer
    dynamics: LatentDynamics
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.reducer.latent_space != self.dynamics.latent_space:
            spaces = f"{self.reducer.latent_space} and {self.dynamics.latent_space}"
            raise refuse("reducer and dynamics", "on the same latent space", spaces)

    @property
    def state_dim(self) -> int:
        """D."""
        return self.reducer.state_dim

    @property
    def latent_space(self) -> LatentSpace:
        """What the latent coordinates are."""
        return self.reducer.latent_space

    @property
    def histories(self) -> tuple[History, ...]:
        """The course of every training stage."""
        return (*self.reducer.histories, *self.dynamics.histories)

    @property
    def parameter_count(self) -> int:
        """Number of trainable numbers in the reducer and the dynamics."""
        return parameter_count(self.reducer) + parameter_count(self.dynamics)

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """Latents of states."""
        return self.reducer.encode(self._states("x", x))

    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """States of latents, float64."""
        return self.reducer.decode(z)

    def reconstruct(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """decode(encode(x)), in pieces that bound memory."""
        x = self._states("x", x)
        with torch.no_grad():
            rows = pieces(x.reshape(-1, self.state_dim))
            return torch.cat([self.reducer.reconstruct(part) for part in rows]).reshape(x.shape)

    def rhs(self, t: Tensor | float, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """The latent velocity, per time unit.

        Raises:
            InputError: the dynamics are not given by a vector field.
        """
        if not isinstance(self.dynamics, VectorFieldDynamics):
            raise refuse("dynamics", "given by a vector field", type(self.dynamics).__name__)
        return self.dynamics.field(torch.as_tensor(t, dtype=torch.float64), z)

    def predict(
        self,
        x0: Float[Tensor, "N D"] | Float[Tensor, " D"],
        t: Float[Tensor, " T"],
        parameters: Mapping[str, Tensor] | None = None,
    ) -> Trajectories:
        """Trajectories from initial states: encoded once, integrated in latent space, decoded.

        Args:
            x0: states at t[0]; one [D] or many [N, D], torch or NumPy.
            t: increasing times, in the system's time units.
            parameters: by name, one value per trajectory; for parametric dynamics.

        Returns:
            N trajectories of T states, float64; NaN from the time on at which the prediction diverged. The first state
            is the reconstruction of x0.

        Raises:
            InputError: wrong width of x0, values that are not finite, times that do not increase.
        """
        t = increasing("t", torch.as_tensor(t, dtype=torch.float64))
        x0 = self._states("x0", x0).reshape(-1, self.state_dim)
        finite("x0", x0)
        with torch.no_grad():
            z = self.dynamics.rollout(self.reducer.encode(x0), t, parameters)
            flat = torch.cat([self.reducer.decode(part).double() for part in pieces(z.flatten(0, 1), self.state_dim)])
        gone = ~torch.isfinite(z).all(-1).reshape(-1, 1)
        states = torch.where(gone, torch.nan, flat).reshape(len(x0), len(t), -1)
        return Trajectories.from_stacked(states, t, attributes=dict(self.about))

    def _states(self, name: str, x: object) -> Tensor:
        x = torch.as_tensor(x)
        if x.ndim == 0 or x.shape[-1] != self.state_dim:
            raise refuse(name, f"states of {self.state_dim} values", f"shape {list(x.shape)}")
        return x if x.is_floating_point() else x.double()

    def save(self, path: str | Path) -> None:
        """Writes the whole model as one safetensors file: weights, and all settings as JSON in its metadata."""
        tensors = {f"reducer.{k}": v for k, v in self.reducer.state_dict().items()}
        tensors |= {f"dynamics.{k}": v for k, v in self.dynamics.state_dict().items()}
        metadata = {
            "kind": "reduced_model",
            "schema": SCHEMA,
            "reducer": {"spec": self.reducer.spec.to_dict(), "sizes": dict(self.reducer.sizes())},
            "dynamics": {"spec": self.dynamics.spec.to_dict(), "sizes": dict(self.dynamics.sizes())},
            "latent_space": self.latent_space.to_dict(),
            "histories": [[asdict(h) for h in part.histories] for part in (self.reducer, self.dynamics)],
            "about": dict(self.about),
        }
        write_tensors(path, tensors, metadata)


def load_model(path: str | Path) -> ReducedModel:
    """The model that `ReducedModel.save` wrote; a run folder stands for the `model.safetensors` in it.

    Raises:
        FileFormatError: missing, truncated, of another kind, of a newer schema, or weights that do not fit.
    """
    path = Path(path)
    path = path / "model.safetensors" if path.is_dir() else path
    tensors, meta = read_tensors(path)
    if meta.get("kind") != "reduced_model":
        raise FileFormatError(f"{path} must hold a reduced model, got a {meta.get('kind', 'file of unknown kind')}.")
    if not isinstance(meta.get("schema"), int) or meta["schema"] > SCHEMA:
        raise FileFormatError(
            f"{path} must be of schema {SCHEMA} or older, got {meta.get('schema')}. Install a newer dynred to read it."
        )
    try:
        space = LatentSpace.from_dict(meta["latent_space"])
        reducer = ReducerSpec.from_dict(meta["reducer"]["spec"]).build(**meta["reducer"]["sizes"])
        dynamics = DynamicsSpec.from_dict(meta["dynamics"]["spec"]).build(space, **meta["dynamics"]["sizes"])
        for part, prefix, histories in zip(
            (reducer, dynamics), ("reducer.", "dynamics."), meta["histories"], strict=True
        ):
            _fill(part, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
            part.histories = tuple(History(**h) for h in histories)  # type: ignore[assignment] # nn.Module guesses
    except (KeyError, TypeError, RuntimeError, InputError) as error:
        raise FileFormatError(f"{path} does not describe a model that can be built: {error}") from error
    return ReducedModel(reducer, dynamics, meta["about"])


def _fill(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    module.load_state_dict(tensors)
    module.requires_grad_(False)
