"""What a reduced model must beat: the predictions of simple methods on the same test.

POD with as many coordinates, and dynamic mode decomposition in them; the best linear ODE in the model's own
coordinates; persistence, which predicts that nothing changes; climatology, which predicts the mean.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.map import MapSpec
from dynred.models.base import Model
from dynred.models.forecast import Forecast, forecast
from dynred.reducers.base import Reducer
from dynred.reducers.identity import IdentitySpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator

POD, DMD, LINEAR, PERSISTENCE, CLIMATOLOGY = "pod", "dmd", "linear", "persistence", "climatology"
EVEN = 0.01  # relative variation of the time between snapshots up to which a map from each to the next makes sense
FAR = 1e150  # coordinates beyond it have diverged; their squares would overflow


def baseline_forecasts(model: Model, train: Trajectories, test: Trajectories) -> Iterator[tuple[str, Forecast]]:
    """The forecasts of the baselines with their names, one after the other: each is as large as the test.

    That of `pod` reconstructs alone; the others predict alone, so their reconstructions are of no meaning. There is no
    `dmd` where the training trajectories are not sampled evenly.

    Args:
        model: the model, for its coordinates and their number.
        train: the training trajectories.
        test: the test trajectories.
    """
    as_many = IdentitySpec if model.latent_space.dim == train.dim else PODSpec
    pod = as_many(model.latent_space.dim).fit(train, train, rng=generator(0, "baselines"))  # draws nothing
    reconstructed = _like(test, pod.at(test.row_parameters).reconstruct(test.states).double())
    yield POD, Forecast(test, reconstructed, reconstructed)
    del reconstructed
    yield LINEAR, forecast(linear_model(model, train), test)
    yield PERSISTENCE, _predicting(test, test.initial.double()[test.owner])
    mean = train.states.double().mean(0)
    yield CLIMATOLOGY, _predicting(test, mean.expand(len(test.states), -1))
    step = _step(train)
    if step is not None:
        yield DMD, _predicting(test, dmd(pod, train, test, step))


def linear_model(model: Model, train: Trajectories) -> Model:
    """The model's own coordinates with linear dynamics: a linear map where there are no velocities."""
    linear = model.spec.updated("dynamics", LinearSpec() if train.velocities is not None else MapSpec(LinearSpec()))
    rng = generator(0, "baselines")  # nothing draws from it
    return linear.fit_dynamics(model.coordinates, train, train[:1], rng=rng, about=model.about)


def dmd(reducer: Reducer, train: Trajectories, test: Trajectories, step: float) -> Float[Tensor, "M D"]:
    """States that dynamic mode decomposition predicts from the first of every test trajectory.

    Coordinates and a constant are mapped from each snapshot to the next by least squares; powers of the eigenvalues
    give the times in between. Source: P. J. Schmid, J. Fluid Mech. 656, 5 (2010).

    Args:
        reducer: gives the coordinates.
        train: trajectories sampled evenly.
        test: trajectories that are predicted, at any times.
        step: time between training snapshots.
    """
    a = _coordinates(reducer, train)
    units = float(a.std()) or 1.0  # so that the constant has the size of a coordinate
    design = torch.cat([a / units, torch.ones_like(a[:, :1])], 1)
    follows = torch.nonzero(torch.diff(train.owner) == 0)[:, 0]
    operator = torch.linalg.lstsq(design[follows], design[follows + 1], driver="gelsd").solution.numpy()
    values, modes = (part.astype(complex) for part in np.linalg.eig(operator.T))
    start = torch.cat([_coordinates(reducer, test, test.starts) / units, torch.ones(len(test), 1)], 1).double().numpy()
    amplitudes = np.linalg.lstsq(modes, start.T.astype(complex), rcond=None)[0]
    elapsed = (test.t - test.t[test.starts][test.owner]).double().numpy()
    path = _powers(values, elapsed / step) * amplitudes.T[test.owner.numpy()]
    with np.errstate(invalid="ignore", over="ignore"):
        coordinates = torch.from_numpy((path @ modes.T).real[:, :-1].copy()) * units
    coordinates[~(coordinates.abs() < FAR).all(1)] = torch.nan
    with torch.no_grad():
        return reducer.at(test.row_parameters).decode(coordinates.to(test.states.dtype)).double()


def _step(train: Trajectories) -> float | None:
    """The time between snapshots; None where it varies by more than a percent."""
    steps = torch.diff(train.t)[torch.diff(train.owner) == 0]
    if len(steps) == 0 or float(steps.max() - steps.min()) > EVEN * float(steps.median()):
        return None
    return float(steps.median())


def _coordinates(reducer: Reducer, trajectories: Trajectories, rows: Tensor | None = None) -> Float[Tensor, "m R"]:
    with torch.no_grad():
        a = reducer.at(trajectories.row_parameters).encode(trajectories.states).double()
    return a if rows is None else a[rows]


def _powers(values: Complex[np.ndarray, " Q"], exponents: Float[np.ndarray, " M"]) -> Complex[np.ndarray, "M Q"]:
    """Every value to every exponent; 0 to a positive exponent is 0."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        logarithms = np.log(values)
        grown = np.exp(exponents[:, None] * np.where(values == 0, -np.inf, logarithms))
    return np.where(exponents[:, None] == 0, 1.0, np.where(values == 0, 0.0, grown))


def _predicting(test: Trajectories, states: Float[Tensor, "M D"]) -> Forecast:
    return Forecast(test, test, _like(test, states.contiguous()))


def _like(test: Trajectories, states: Float[Tensor, "M D"]) -> Trajectories:
    return Trajectories(states, test.t, test.lengths)
