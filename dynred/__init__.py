"""dynred: reduced-order models of dynamical systems.

The central names can be imported from here. Each is loaded at its first use, so that `import dynred` costs nothing.
"""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynred.data.storage import load_trajectories, save_trajectories
    from dynred.data.store import StoredTrajectories
    from dynred.data.trajectories import Trajectories
    from dynred.data.velocities import estimate_velocities
    from dynred.dynamics.base import DynamicsSpec, LatentDynamics, VectorFieldDynamics
    from dynred.dynamics.ensemble import EnsembleSpec
    from dynred.dynamics.fourier import FourierSpec
    from dynred.dynamics.linear import LinearSpec
    from dynred.dynamics.neural_ode import NeuralODESpec
    from dynred.dynamics.parametric import ParametricSpec
    from dynred.dynamics.polynomial import PolynomialODESpec
    from dynred.dynamics.quadratic import QuadraticSpec
    from dynred.dynamics.sindy import SindySpec
    from dynred.dynamics.stabilised import StabilisedSpec
    from dynred.errors import (
        DivergenceError,
        DynredError,
        DynredWarning,
        FileFormatError,
        InputError,
        MissingExtraError,
    )
    from dynred.evaluation.certificate import Certificate
    from dynred.evaluation.certify import certify
    from dynred.evaluation.compare import compare
    from dynred.evaluation.evaluate import evaluate
    from dynred.evaluation.evaluation import Evaluation
    from dynred.evaluation.long_time import long_time
    from dynred.evaluation.lyapunov import lyapunov_spectrum
    from dynred.experiments.certify_run import certify_run
    from dynred.experiments.compare_runs import compare_runs
    from dynred.experiments.data_spec import DataSpec
    from dynred.experiments.evaluate_run import evaluate_run
    from dynred.experiments.pipeline import reduce
    from dynred.experiments.predict_run import predict_run
    from dynred.experiments.run import run
    from dynred.experiments.spec import ExperimentSpec
    from dynred.geometry.inspection import inspect
    from dynred.metrics.base import Metric, Statistic
    from dynred.models.atlas import AtlasModel, AtlasSpec
    from dynred.models.bands import calibrate, predict_band
    from dynred.models.base import Model
    from dynred.models.forecast import Forecast, forecast
    from dynred.models.joint import JointSpec
    from dynred.models.load import load_model
    from dynred.models.partition import PartitionSpec
    from dynred.models.reduced import ReducedModel, ReducedSpec
    from dynred.numerics.latent_space import LatentSpace
    from dynred.ode.find import find_system
    from dynred.ode.grid import Axis, Grid
    from dynred.ode.known_set import KnownSet
    from dynred.ode.observe import observe
    from dynred.ode.semilinear import Semilinear
    from dynred.ode.system import System
    from dynred.ode.vector_field import VectorField
    from dynred.reducers.autoencoder import AutoencoderSpec
    from dynred.reducers.base import Reducer, ReducerSpec
    from dynred.reducers.irmae import IRMAESpec
    from dynred.reducers.pod import PODSpec
    from dynred.reducers.polynomial import PolynomialManifoldSpec
    from dynred.rng import generator
    from dynred.runtime import Runtime
    from dynred.simulation.events import Event
    from dynred.simulation.simulate import simulate, simulate_to
    from dynred.simulation.trusted import trusted_times
    from dynred.solvers.base import Solver
    from dynred.spec import Spec
    from dynred.training.minimise import TrainingSpec

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
    "Axis": "dynred.ode.grid",
    "Certificate": "dynred.evaluation.certificate",
    "DataSpec": "dynred.experiments.data_spec",
    "DivergenceError": "dynred.errors",
    "DynamicsSpec": "dynred.dynamics.base",
    "DynredError": "dynred.errors",
    "DynredWarning": "dynred.errors",
    "EnsembleSpec": "dynred.dynamics.ensemble",
    "Evaluation": "dynred.evaluation.evaluation",
    "Event": "dynred.simulation.events",
    "ExperimentSpec": "dynred.experiments.spec",
    "FileFormatError": "dynred.errors",
    "Forecast": "dynred.models.forecast",
    "FourierSpec": "dynred.dynamics.fourier",
    "Grid": "dynred.ode.grid",
    "IRMAESpec": "dynred.reducers.irmae",
    "InputError": "dynred.errors",
    "JointSpec": "dynred.models.joint",
    "KnownSet": "dynred.ode.known_set",
    "LatentDynamics": "dynred.dynamics.base",
    "LatentSpace": "dynred.numerics.latent_space",
    "LinearSpec": "dynred.dynamics.linear",
    "Metric": "dynred.metrics.base",
    "MissingExtraError": "dynred.errors",
    "Model": "dynred.models.base",
    "NeuralODESpec": "dynred.dynamics.neural_ode",
    "PODSpec": "dynred.reducers.pod",
    "ParametricSpec": "dynred.dynamics.parametric",
    "PartitionSpec": "dynred.models.partition",
    "PolynomialManifoldSpec": "dynred.reducers.polynomial",
    "PolynomialODESpec": "dynred.dynamics.polynomial",
    "QuadraticSpec": "dynred.dynamics.quadratic",
    "ReducedModel": "dynred.models.reduced",
    "ReducedSpec": "dynred.models.reduced",
    "Reducer": "dynred.reducers.base",
    "ReducerSpec": "dynred.reducers.base",
    "Runtime": "dynred.runtime",
    "Semilinear": "dynred.ode.semilinear",
    "SindySpec": "dynred.dynamics.sindy",
    "Solver": "dynred.solvers.base",
    "Spec": "dynred.spec",
    "StabilisedSpec": "dynred.dynamics.stabilised",
    "Statistic": "dynred.metrics.base",
    "StoredTrajectories": "dynred.data.store",
    "System": "dynred.ode.system",
    "TrainingSpec": "dynred.training.minimise",
    "Trajectories": "dynred.data.trajectories",
    "VectorField": "dynred.ode.vector_field",
    "VectorFieldDynamics": "dynred.dynamics.base",
    "calibrate": "dynred.models.bands",
    "certify": "dynred.evaluation.certify",
    "certify_run": "dynred.experiments.certify_run",
    "compare": "dynred.evaluation.compare",
    "compare_runs": "dynred.experiments.compare_runs",
    "estimate_velocities": "dynred.data.velocities",
    "evaluate": "dynred.evaluation.evaluate",
    "evaluate_run": "dynred.experiments.evaluate_run",
    "find_system": "dynred.ode.find",
    "forecast": "dynred.models.forecast",
    "generator": "dynred.rng",
    "inspect": "dynred.geometry.inspection",
    "load_model": "dynred.models.load",
    "load_trajectories": "dynred.data.storage",
    "long_time": "dynred.evaluation.long_time",
    "lyapunov_spectrum": "dynred.evaluation.lyapunov",
    "observe": "dynred.ode.observe",
    "predict_band": "dynred.models.bands",
    "predict_run": "dynred.experiments.predict_run",
    "reduce": "dynred.experiments.pipeline",
    "run": "dynred.experiments.run",
    "save_trajectories": "dynred.data.storage",
    "simulate": "dynred.simulation.simulate",
    "simulate_to": "dynred.simulation.simulate",
    "trusted_times": "dynred.simulation.trusted",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'dynred' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
