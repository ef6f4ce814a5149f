"""dynred: reduced-order models of dynamical systems.

The central names can be imported from here. Each is loaded at its first use, so that `import dynred` costs nothing.
"""

import importlib
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynred.data.storage import load_trajectories, save_trajectories
    from dynred.data.store import StoredTrajectories
    from dynred.data.trajectories import Trajectories
    from dynred.dynamics.fourier import FourierSpec
    from dynred.dynamics.linear import LinearSpec
    from dynred.dynamics.neural_ode import NeuralODESpec
    from dynred.evaluation.certificate import Certificate
    from dynred.evaluation.certify import certify
    from dynred.evaluation.compare import compare
    from dynred.evaluation.evaluate import evaluate
    from dynred.evaluation.evaluation import Evaluation
    from dynred.experiments.pipeline import reduce
    from dynred.geometry.inspection import inspect
    from dynred.models.atlas import AtlasModel, AtlasSpec
    from dynred.models.load import load_model
    from dynred.models.reduced import ReducedModel
    from dynred.numerics.latent_space import LatentSpace
    from dynred.ode.find import find_system
    from dynred.ode.observe import observe
    from dynred.ode.system import System
    from dynred.reducers.autoencoder import AutoencoderSpec
    from dynred.reducers.pod import PODSpec
    from dynred.rng import generator
    from dynred.simulation.events import Event
    from dynred.simulation.simulate import simulate, simulate_to

# Threads that wait must soon sleep instead of spinning: on a machine with other work, spinning threads of small
# parallel sections keep each other from running. Simulating Kuramoto-Sivashinsky on two cores with one of them busy
# took 12 s with GNU OpenMP's default of 300,000 turns, 1 s with 1,000. On idle cores 1,000 turns cost a training step
# a fifth of its speed, no turns at all half of it. OpenMP reads the variable when torch is first imported. A value that
# the user has set stays.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_HOMES = {
    "AtlasModel": "dynred.models.atlas",
    "AtlasSpec": "dynred.models.atlas",
    "AutoencoderSpec": "dynred.reducers.autoencoder",
    "Certificate": "dynred.evaluation.certificate",
    "Evaluation": "dynred.evaluation.evaluation",
    "Event": "dynred.simulation.events",
    "FourierSpec": "dynred.dynamics.fourier",
    "LatentSpace": "dynred.numerics.latent_space",
    "LinearSpec": "dynred.dynamics.linear",
    "NeuralODESpec": "dynred.dynamics.neural_ode",
    "PODSpec": "dynred.reducers.pod",
    "ReducedModel": "dynred.models.reduced",
    "StoredTrajectories": "dynred.data.store",
    "System": "dynred.ode.system",
    "Trajectories": "dynred.data.trajectories",
    "certify": "dynred.evaluation.certify",
    "compare": "dynred.evaluation.compare",
    "evaluate": "dynred.evaluation.evaluate",
    "find_system": "dynred.ode.find",
    "generator": "dynred.rng",
    "inspect": "dynred.geometry.inspection",
    "load_model": "dynred.models.load",
    "load_trajectories": "dynred.data.storage",
    "observe": "dynred.ode.observe",
    "reduce": "dynred.experiments.pipeline",
    "save_trajectories": "dynred.data.storage",
    "simulate": "dynred.simulation.simulate",
    "simulate_to": "dynred.simulation.simulate",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'dynred' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """This package. `dynred.simulate` stays the function, also after a module of that name was imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and _HOMES.get(name) == value.__name__:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
