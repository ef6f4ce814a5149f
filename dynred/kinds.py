"""Kinds: the names of the classes of settings and models in stored files, such as `autoencoder` and `neural_ode`.

The kind of a class of dynred depends on the name of the class alone, not on its module: `PODSpec` is `pod`. So files
stay readable when the class moves. The kind of a user's own class names module and class, `my_reducer:MineSpec`.
"""

import functools
import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

HOME = Path(__file__).parent
DEEPEST = 40  # groups of settings, mappings and lists within each other
# Files may name frozen dataclasses alone, as settings and models are. So no file can have a command, figure or system
# imported.
DEFINED = re.compile(r"^@dataclass(?:es\.dataclass)?\(frozen=True\b[^\n]*\nclass ([A-Z][A-Za-z0-9]*)\b", re.MULTILINE)
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# Today's kinds of the names in files of version 0.1, which named classes by their modules.
EARLIER: Mapping[str, str] = MappingProxyType(
    {
        "dynred.atlas:AtlasModel": "atlas_model",
        "dynred.atlas:AtlasSpec": "atlas",
        "dynred.bands:Calibration": "calibration",
        "dynred.charts:PartitionSpec": "partition",
        "dynred.derivatives.fourier:FourierSeries": "fourier_series",
        "dynred.derivatives.savitzky_golay:SavitzkyGolay": "savitzky_golay",
        "dynred.derivatives.smoothing_spline:SmoothingSpline": "smoothing_spline",
        "dynred.derivatives.spline:Spline": "spline",
        "dynred.domain:Domain": "domain",
        "dynred.dynamics.ensemble:EnsembleSpec": "ensemble",
        "dynred.dynamics.fourier:FourierSpec": "fourier",
        "dynred.dynamics.linear:LinearSpec": "linear",
        "dynred.dynamics.neural_ode:NeuralODESpec": "neural_ode",
        "dynred.dynamics.neural_ode:RefinementSpec": "refinement",
        "dynred.dynamics.parametric:ParametricSpec": "parametric",
        "dynred.dynamics.polynomial:PolynomialODESpec": "polynomial_ode",
        "dynred.dynamics.quadratic:QuadraticSpec": "quadratic",
        "dynred.dynamics.sindy:SindySpec": "sindy",
        "dynred.dynamics.stabilised:StabilisedSpec": "stabilised",
        "dynred.experiment:ExperimentSpec": "experiment",
        "dynred.joint:JointSpec": "joint",
        "dynred.latent_space:LatentSpace": "latent_space",
        "dynred.metrics.autocorrelation:Autocorrelation": "autocorrelation",
        "dynred.metrics.divergence_time:DivergenceTime": "divergence_time",
        "dynred.metrics.escape:Escape": "escape",
        "dynred.metrics.joint_density:JointDensity": "joint_density",
        "dynred.metrics.marginals:Marginals": "marginals",
        "dynred.metrics.max_relative_error:MaxRelativeError": "max_relative_error",
        "dynred.metrics.nmte:NMTE": "nmte",
        "dynred.metrics.power_spectrum:PowerSpectrum": "power_spectrum",
        "dynred.metrics.reconstruction_nmse:ReconstructionNMSE": "reconstruction_nmse",
        "dynred.metrics.relative_mse:RelativeMSE": "relative_mse",
        "dynred.metrics.rollout_error:RolloutError": "rollout_error",
        "dynred.metrics.spatial_spectrum:SpatialSpectrum": "spatial_spectrum",
        "dynred.metrics.valid_time:ValidTime": "valid_time",
        "dynred.model:ReducedModel": "reduced_model",
        "dynred.optimise:TrainingSpec": "training",
        "dynred.pipeline:DataSpec": "data",
        "dynred.polynomials:PolynomialSpec": "polynomial",
        "dynred.reducers.autoencoder:AutoencoderSpec": "autoencoder",
        "dynred.reducers.irmae:IRMAESpec": "irmae",
        "dynred.reducers.pod:PODSpec": "pod",
        "dynred.reducers.polynomial:PolynomialManifoldSpec": "polynomial_manifold",
        "dynred.solvers.backward_euler:BackwardEuler": "backward_euler",
        "dynred.solvers.etdrk4:ETDRK4": "etdrk4",
        "dynred.solvers.explicit:Explicit": "explicit",
        "dynred.solvers.exponential_adams:ExponentialAdams": "exponential_adams",
        "dynred.solvers.stiff:Stiff": "stiff",
    }
)


def kind_of(cls: type) -> str:
    """The name of a class in stored files."""
    if cls.__module__.partition(".")[0] != "dynred":
        return f"{cls.__module__}:{cls.__qualname__}"
    return snake_case(cls.__qualname__)


def class_of(kind: str) -> type | None:
    """The class of a kind; None where no class of dynred and no class that is already imported has that kind.

    Only modules of dynred are imported for the answer.
    """
    kind = EARLIER.get(kind, kind)
    module, _, name = kind.partition(":")
    if module.partition(".")[0] == "dynred":  # whose classes are named without a place
        return None
    if not name and kind and (home := _homes().get(kind)):
        importlib.import_module(home[0])
        module, name = home
    cls = getattr(sys.modules.get(module), name, None) if name else None
    return cls if isinstance(cls, type) and kind_of(cls) == kind else None


def current(data: Any, depth: int = DEEPEST) -> Any:
    """Plain JSON data with the kinds of earlier versions replaced by today's, down to `depth` levels."""
    if depth and isinstance(data, Mapping):
        return {
            key: EARLIER.get(value, value) if key == "kind" and isinstance(value, str) else current(value, depth - 1)
            for key, value in data.items()
        }
    return [current(item, depth - 1) for item in data] if depth and isinstance(data, list | tuple) else data


def snake_case(name: str) -> str:
    """The name of a class in small letters: `PODSpec` is `pod`, `ValidTime` is `valid_time`."""
    return WORDS.sub("_", name.removesuffix("Spec")).lower()


@functools.cache
def _homes() -> Mapping[str, tuple[str, str]]:
    """Module and name of every class of dynred that a file may name, by kind, read from the text of the modules."""
    homes: dict[str, tuple[str, str]] = {}
    for file in sorted(HOME.rglob("*.py")):
        module = ".".join(("dynred", *file.relative_to(HOME).with_suffix("").parts))
        homes |= {snake_case(name): (module, name) for name in DEFINED.findall(file.read_text(encoding="utf-8"))}
    return homes
