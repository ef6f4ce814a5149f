"""dynred: reduced-order models of dynamical systems.

The central names live here and are loaded at their first use, so that `import dynred` costs nothing.
"""

import importlib
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynred.atlas import AtlasModel, AtlasSpec
    from dynred.certificate import Certificate
    from dynred.certify import certify
    from dynred.compare import compare
    from dynred.dynamics.fourier import FourierSpec
    from dynred.dynamics.linear import LinearSpec
    from dynred.dynamics.neural_ode import NeuralODESpec
    from dynred.evaluate import evaluate
    from dynred.evaluation import Evaluation
    from dynred.events import Event
    from dynred.geometry.inspection import inspect
    from dynred.latent_space import LatentSpace
    from dynred.model import ReducedModel, load_model
    from dynred.observe import observe
    from dynred.pipeline import reduce
    from dynred.reducers.autoencoder import AutoencoderSpec
    from dynred.reducers.pod import PODSpec
    from dynred.rng import generator
    from dynred.simulate import simulate
    from dynred.storage import load_trajectories, save_trajectories
    from dynred.stored import StoredTrajectories
    from dynred.system import System, find_system
    from dynred.trajectories import Trajectories

# Threads that wait must soon sleep instead of spinning: on a machine with other work, spinning threads of small
# parallel sections keep each other from running. Simulating Kuramoto-Sivashinsky on two cores with one of them busy
# took 12 s with GNU OpenMP's default of 300,000 turns, 1 s with 1,000; on idle cores 1,000 turns cost a training step
# a fifth of its speed, no turns at all half of it. OpenMP reads this when torch is first imported; a user's choice
# stands.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_HOMES = {
    "AtlasModel": "dynred.atlas",
    "AtlasSpec": "dynred.atlas",
    "AutoencoderSpec": "dynred.reducers.autoencoder",
    "Certificate": "dynred.certificate",
    "Evaluation": "dynred.evaluation",
    "Event": "dynred.events",
    "FourierSpec": "dynred.dynamics.fourier",
    "LatentSpace": "dynred.latent_space",
    "LinearSpec": "dynred.dynamics.linear",
    "NeuralODESpec": "dynred.dynamics.neural_ode",
    "PODSpec": "dynred.reducers.pod",
    "ReducedModel": "dynred.model",
    "StoredTrajectories": "dynred.stored",
    "System": "dynred.system",
    "Trajectories": "dynred.trajectories",
    "certify": "dynred.certify",
    "compare": "dynred.compare",
    "evaluate": "dynred.evaluate",
    "find_system": "dynred.system",
    "generator": "dynred.rng",
    "inspect": "dynred.geometry.inspection",
    "load_model": "dynred.model",
    "load_trajectories": "dynred.storage",
    "observe": "dynred.observe",
    "reduce": "dynred.pipeline",
    "save_trajectories": "dynred.storage",
    "simulate": "dynred.simulate",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'dynred' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """This package, in which `dynred.simulate` stays the function when the module of that name is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and _HOMES.get(name) == value.__name__:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
