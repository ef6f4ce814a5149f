"""dynred: reduced-order models of dynamical systems.

The central names can be imported from here. Each is loaded at its first use, so that `import dynred` costs nothing.
"""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # `as` makes each a re-export, also for strict type checkers.
    from dynred import testing as testing
    from dynred.data.clean import clean as clean
    from dynred.data.cleaning.base import CleaningSpec as CleaningSpec
    from dynred.data.cleaning.gaps import GapsSpec as GapsSpec
    from dynred.data.cleaning.resampling import ResamplingSpec as ResamplingSpec
    from dynred.data.cleaning.smoothing import SmoothingSpec as SmoothingSpec
    from dynred.data.grid import Axis as Axis
    from dynred.data.grid import Grid as Grid
    from dynred.data.readers.base import Reader as Reader
    from dynred.data.reading import ReadingSpec as ReadingSpec
    from dynred.data.signals import Sampled as Sampled
    from dynred.data.storage import load_trajectories as load_trajectories
    from dynred.data.storage import save_trajectories as save_trajectories
    from dynred.data.store import StoredTrajectories as StoredTrajectories
    from dynred.data.symmetries import Phase as Phase
    from dynred.data.symmetries import Reflection as Reflection
    from dynred.data.symmetries import Shift as Shift
    from dynred.data.symmetries import Sign as Sign
    from dynred.data.symmetries import Translation as Translation
    from dynred.data.trajectories import Trajectories as Trajectories
    from dynred.data.transforms.angles import AnglesSpec as AnglesSpec
    from dynred.data.transforms.base import Transform as Transform
    from dynred.data.transforms.base import TransformSpec as TransformSpec
    from dynred.data.transforms.centring import CentringSpec as CentringSpec
    from dynred.data.transforms.compression import CompressionSpec as CompressionSpec
    from dynred.data.transforms.delays import DelaysSpec as DelaysSpec
    from dynred.data.transforms.logarithm import LogarithmSpec as LogarithmSpec
    from dynred.data.transforms.scaling import ScalingSpec as ScalingSpec
    from dynred.data.transforms.weights import WeightsSpec as WeightsSpec
    from dynred.data.velocities import estimate_velocities as estimate_velocities
    from dynred.dynamics.acceleration import AccelerationSpec as AccelerationSpec
    from dynred.dynamics.auto import AutoDynamicsSpec as AutoDynamicsSpec
    from dynred.dynamics.base import DynamicsSpec as DynamicsSpec
    from dynred.dynamics.base import LatentDynamics as LatentDynamics
    from dynred.dynamics.base import VectorFieldDynamics as VectorFieldDynamics
    from dynred.dynamics.driven import DrivenSpec as DrivenSpec
    from dynred.dynamics.ensemble import EnsembleSpec as EnsembleSpec
    from dynred.dynamics.equivariant import EquivariantODESpec as EquivariantODESpec
    from dynred.dynamics.fourier import FourierSpec as FourierSpec
    from dynred.dynamics.linear import LinearSpec as LinearSpec
    from dynred.dynamics.local import LocalDynamicsSpec as LocalDynamicsSpec
    from dynred.dynamics.map import MapSpec as MapSpec
    from dynred.dynamics.neural_ode import NeuralODESpec as NeuralODESpec
    from dynred.dynamics.neural_ode import RefinementSpec as RefinementSpec
    from dynred.dynamics.parametric import ParametricSpec as ParametricSpec
    from dynred.dynamics.polynomial import PolynomialODESpec as PolynomialODESpec
    from dynred.dynamics.quadratic import QuadraticSpec as QuadraticSpec
    from dynred.dynamics.sindy import SindySpec as SindySpec
    from dynred.dynamics.stabilised import StabilisedSpec as StabilisedSpec
    from dynred.errors import DivergenceError as DivergenceError
    from dynred.errors import DynredError as DynredError
    from dynred.errors import DynredWarning as DynredWarning
    from dynred.errors import FileFormatError as FileFormatError
    from dynred.errors import InputError as InputError
    from dynred.errors import MissingExtraError as MissingExtraError
    from dynred.evaluation.certificate import Certificate as Certificate
    from dynred.evaluation.certify import certify as certify
    from dynred.evaluation.compare import Comparison as Comparison
    from dynred.evaluation.compare import compare as compare
    from dynred.evaluation.evaluate import evaluate as evaluate
    from dynred.evaluation.evaluation import Evaluation as Evaluation
    from dynred.evaluation.long_time import long_time as long_time
    from dynred.evaluation.lyapunov import LyapunovSpectrum as LyapunovSpectrum
    from dynred.evaluation.lyapunov import lyapunov_spectrum as lyapunov_spectrum
    from dynred.experiments.certify_run import certify_run as certify_run
    from dynred.experiments.compare_runs import compare_runs as compare_runs
    from dynred.experiments.data_spec import DataSpec as DataSpec
    from dynred.experiments.draw_run import draw_run as draw_run
    from dynred.experiments.evaluate_run import evaluate_run as evaluate_run
    from dynred.experiments.pipeline import reduce as reduce
    from dynred.experiments.plan import Plan as Plan
    from dynred.experiments.plan import plan as plan
    from dynred.experiments.predict_run import predict_run as predict_run
    from dynred.experiments.reduction import Reduction as Reduction
    from dynred.experiments.run import run as run
    from dynred.experiments.spec import ExperimentSpec as ExperimentSpec
    from dynred.geometry.inspection import inspect as inspect
    from dynred.geometry.verdict import Verdict as Verdict
    from dynred.metrics.base import Metric as Metric
    from dynred.metrics.base import Statistic as Statistic
    from dynred.models.atlas import AtlasModel as AtlasModel
    from dynred.models.atlas import AtlasSpec as AtlasSpec
    from dynred.models.backward import predict_backward as predict_backward
    from dynred.models.bands import Band as Band
    from dynred.models.bands import Calibration as Calibration
    from dynred.models.bands import calibrate as calibrate
    from dynred.models.bands import predict_band as predict_band
    from dynred.models.base import Model as Model
    from dynred.models.forecast import Forecast as Forecast
    from dynred.models.forecast import forecast as forecast
    from dynred.models.joint import JointSpec as JointSpec
    from dynred.models.load import load_model as load_model
    from dynred.models.partition import PartitionSpec as PartitionSpec
    from dynred.models.reduced import ReducedModel as ReducedModel
    from dynred.models.reduced import ReducedSpec as ReducedSpec
    from dynred.models.spec import ModelSpec as ModelSpec
    from dynred.models.transformed import TransformedModel as TransformedModel
    from dynred.numerics.equivariant_fits import EquivariantPolynomialSpec as EquivariantPolynomialSpec
    from dynred.numerics.latent_space import LatentSpace as LatentSpace
    from dynred.numerics.local_fits import LocalPolynomialSpec as LocalPolynomialSpec
    from dynred.numerics.polynomials import PolynomialSpec as PolynomialSpec
    from dynred.ode.drawn_signals import PRBS as PRBS
    from dynred.ode.drawn_signals import DrawnSignal as DrawnSignal
    from dynred.ode.drawn_signals import Multisine as Multisine
    from dynred.ode.drawn_signals import Steps as Steps
    from dynred.ode.find import find_system as find_system
    from dynred.ode.known_set import KnownSet as KnownSet
    from dynred.ode.observe import observe as observe
    from dynred.ode.semilinear import Semilinear as Semilinear
    from dynred.ode.system import System as System
    from dynred.ode.vector_field import VectorField as VectorField
    from dynred.reducers.auto import AutoReducerSpec as AutoReducerSpec
    from dynred.reducers.autoencoder import AutoencoderSpec as AutoencoderSpec
    from dynred.reducers.base import Reducer as Reducer
    from dynred.reducers.base import ReducerSpec as ReducerSpec
    from dynred.reducers.equivariant import EquivariantManifoldSpec as EquivariantManifoldSpec
    from dynred.reducers.identity import IdentitySpec as IdentitySpec
    from dynred.reducers.irmae import IRMAESpec as IRMAESpec
    from dynred.reducers.local import LocalReducerSpec as LocalReducerSpec
    from dynred.reducers.pod import PODSpec as PODSpec
    from dynred.reducers.polynomial import PolynomialManifoldSpec as PolynomialManifoldSpec
    from dynred.reducers.second_order import SecondOrderSpec as SecondOrderSpec
    from dynred.rng import generator as generator
    from dynred.runtime import Runtime as Runtime
    from dynred.simulation.events import Event as Event
    from dynred.simulation.section import poincare_section as poincare_section
    from dynred.simulation.simulate import simulate as simulate
    from dynred.simulation.simulate import simulate_to as simulate_to
    from dynred.simulation.trusted import trusted_times as trusted_times
    from dynred.solvers.base import Solver as Solver
    from dynred.spec import Spec as Spec
    from dynred.studies.grid import grid as grid
    from dynred.studies.grid import sample as sample
    from dynred.studies.run_study import run_study as run_study
    from dynred.studies.search import search as search
    from dynred.studies.study import Study as Study
    from dynred.training.minimise import TrainingSpec as TrainingSpec

# Threads that wait must soon sleep instead of spinning: on a machine with other work, spinning threads of small
# parallel sections keep each other from running. Simulating Kuramoto-Sivashinsky on two cores with one of them busy
# took 12 s with GNU OpenMP's default of 300,000 turns, 1 s with 1,000. On idle cores 1,000 turns cost a training step
# a fifth of its speed, no turns at all half of it. OpenMP reads the variable when torch is first imported. A value that
# the user has set stays.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_HOMES = {
    "AnglesSpec": "dynred.data.transforms.angles",
    "AtlasModel": "dynred.models.atlas",
    "AtlasSpec": "dynred.models.atlas",
    "AutoDynamicsSpec": "dynred.dynamics.auto",
    "AutoReducerSpec": "dynred.reducers.auto",
    "AutoencoderSpec": "dynred.reducers.autoencoder",
    "Axis": "dynred.data.grid",
    "Band": "dynred.models.bands",
    "Calibration": "dynred.models.bands",
    "CentringSpec": "dynred.data.transforms.centring",
    "Certificate": "dynred.evaluation.certificate",
    "CleaningSpec": "dynred.data.cleaning.base",
    "Comparison": "dynred.evaluation.compare",
    "CompressionSpec": "dynred.data.transforms.compression",
    "DataSpec": "dynred.experiments.data_spec",
    "DelaysSpec": "dynred.data.transforms.delays",
    "DivergenceError": "dynred.errors",
    "DrawnSignal": "dynred.ode.drawn_signals",
    "DrivenSpec": "dynred.dynamics.driven",
    "DynamicsSpec": "dynred.dynamics.base",
    "DynredError": "dynred.errors",
    "DynredWarning": "dynred.errors",
    "AccelerationSpec": "dynred.dynamics.acceleration",
    "EnsembleSpec": "dynred.dynamics.ensemble",
    "EquivariantManifoldSpec": "dynred.reducers.equivariant",
    "EquivariantODESpec": "dynred.dynamics.equivariant",
    "EquivariantPolynomialSpec": "dynred.numerics.equivariant_fits",
    "Evaluation": "dynred.evaluation.evaluation",
    "Event": "dynred.simulation.events",
    "ExperimentSpec": "dynred.experiments.spec",
    "FileFormatError": "dynred.errors",
    "Forecast": "dynred.models.forecast",
    "FourierSpec": "dynred.dynamics.fourier",
    "GapsSpec": "dynred.data.cleaning.gaps",
    "Grid": "dynred.data.grid",
    "IRMAESpec": "dynred.reducers.irmae",
    "InputError": "dynred.errors",
    "JointSpec": "dynred.models.joint",
    "KnownSet": "dynred.ode.known_set",
    "LatentDynamics": "dynred.dynamics.base",
    "LatentSpace": "dynred.numerics.latent_space",
    "LinearSpec": "dynred.dynamics.linear",
    "LocalDynamicsSpec": "dynred.dynamics.local",
    "LocalPolynomialSpec": "dynred.numerics.local_fits",
    "LocalReducerSpec": "dynred.reducers.local",
    "MapSpec": "dynred.dynamics.map",
    "LogarithmSpec": "dynred.data.transforms.logarithm",
    "LyapunovSpectrum": "dynred.evaluation.lyapunov",
    "Metric": "dynred.metrics.base",
    "MissingExtraError": "dynred.errors",
    "Model": "dynred.models.base",
    "ModelSpec": "dynred.models.spec",
    "Multisine": "dynred.ode.drawn_signals",
    "NeuralODESpec": "dynred.dynamics.neural_ode",
    "PODSpec": "dynred.reducers.pod",
    "PRBS": "dynred.ode.drawn_signals",
    "ParametricSpec": "dynred.dynamics.parametric",
    "PartitionSpec": "dynred.models.partition",
    "Phase": "dynred.data.symmetries",
    "Plan": "dynred.experiments.plan",
    "PolynomialManifoldSpec": "dynred.reducers.polynomial",
    "PolynomialODESpec": "dynred.dynamics.polynomial",
    "PolynomialSpec": "dynred.numerics.polynomials",
    "QuadraticSpec": "dynred.dynamics.quadratic",
    "Reader": "dynred.data.readers.base",
    "ReadingSpec": "dynred.data.reading",
    "ReducedModel": "dynred.models.reduced",
    "ReducedSpec": "dynred.models.reduced",
    "Reducer": "dynred.reducers.base",
    "ReducerSpec": "dynred.reducers.base",
    "Reduction": "dynred.experiments.reduction",
    "RefinementSpec": "dynred.dynamics.neural_ode",
    "Reflection": "dynred.data.symmetries",
    "ResamplingSpec": "dynred.data.cleaning.resampling",
    "Runtime": "dynred.runtime",
    "Sampled": "dynred.data.signals",
    "ScalingSpec": "dynred.data.transforms.scaling",
    "Semilinear": "dynred.ode.semilinear",
    "Shift": "dynred.data.symmetries",
    "Sign": "dynred.data.symmetries",
    "SindySpec": "dynred.dynamics.sindy",
    "SmoothingSpec": "dynred.data.cleaning.smoothing",
    "Solver": "dynred.solvers.base",
    "Spec": "dynred.spec",
    "StabilisedSpec": "dynred.dynamics.stabilised",
    "Statistic": "dynred.metrics.base",
    "Steps": "dynred.ode.drawn_signals",
    "StoredTrajectories": "dynred.data.store",
    "Study": "dynred.studies.study",
    "IdentitySpec": "dynred.reducers.identity",
    "SecondOrderSpec": "dynred.reducers.second_order",
    "System": "dynred.ode.system",
    "TrainingSpec": "dynred.training.minimise",
    "Trajectories": "dynred.data.trajectories",
    "Transform": "dynred.data.transforms.base",
    "TransformSpec": "dynred.data.transforms.base",
    "TransformedModel": "dynred.models.transformed",
    "Translation": "dynred.data.symmetries",
    "VectorField": "dynred.ode.vector_field",
    "VectorFieldDynamics": "dynred.dynamics.base",
    "Verdict": "dynred.geometry.verdict",
    "WeightsSpec": "dynred.data.transforms.weights",
    "calibrate": "dynred.models.bands",
    "certify": "dynred.evaluation.certify",
    "certify_run": "dynred.experiments.certify_run",
    "clean": "dynred.data.clean",
    "compare": "dynred.evaluation.compare",
    "compare_runs": "dynred.experiments.compare_runs",
    "draw_run": "dynred.experiments.draw_run",
    "estimate_velocities": "dynred.data.velocities",
    "evaluate": "dynred.evaluation.evaluate",
    "evaluate_run": "dynred.experiments.evaluate_run",
    "find_system": "dynred.ode.find",
    "forecast": "dynred.models.forecast",
    "generator": "dynred.rng",
    "grid": "dynred.studies.grid",
    "inspect": "dynred.geometry.inspection",
    "load_model": "dynred.models.load",
    "load_trajectories": "dynred.data.storage",
    "long_time": "dynred.evaluation.long_time",
    "lyapunov_spectrum": "dynred.evaluation.lyapunov",
    "observe": "dynred.ode.observe",
    "plan": "dynred.experiments.plan",
    "predict_band": "dynred.models.bands",
    "predict_run": "dynred.experiments.predict_run",
    "reduce": "dynred.experiments.pipeline",
    "run": "dynred.experiments.run",
    "run_study": "dynred.studies.run_study",
    "sample": "dynred.studies.grid",
    "save_trajectories": "dynred.data.storage",
    "search": "dynred.studies.search",
    "simulate": "dynred.simulation.simulate",
    "poincare_section": "dynred.simulation.section",
    "predict_backward": "dynred.models.backward",
    "simulate_to": "dynred.simulation.simulate",
    "trusted_times": "dynred.simulation.trusted",
}
_MODULES = ("testing",)  # with names of their own
__all__ = sorted(_HOMES)
__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"dynred.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'dynred' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, *_MODULES]
