"""The memory that a reduction will need, estimated before anything of it is computed.

The estimate is a sum of few terms. It is meant as an upper bound, at most a few times too large. In each of the six
runs of `tests/experiments/test_requirements.py` another term is the largest. Estimated and measured memory of these
runs are (MB): states 530 and 450, test 2960 and 2250, reducer 700 and 450, network 560 and 450, polynomial 620 and 450,
quadratic 300 and 115.
"""

from dataclasses import dataclass

from dynred.dynamics.base import DynamicsSpec
from dynred.evaluation.bootstrap import RESAMPLES
from dynred.geometry.two_valued import STORED
from dynred.memory import check_memory
from dynred.numerics.modes import Modes
from dynred.reducers.base import ReducerSpec

NUMBER = 8  # bytes; data are float64
BASE = 10**8  # bytes that libraries and allocators take however small the data are


@dataclass(frozen=True)
class Sizes:
    """How many numbers the data of a reduction have.

    Attributes:
        dim: dimension D of a state; where the states are seen through an observation, the larger of the dimensions of
            the ODE and of its observed states.
        train, validation, test: number of snapshots in each set.
        trajectories: number of trajectories in the largest set.
    """

    dim: int
    train: int
    validation: int
    test: int
    trajectories: int

    @property
    def data(self) -> int:
        """Bytes of all states and velocities, and `BASE`."""
        return BASE + 2 * NUMBER * self.dim * (self.train + self.validation + self.test)

    @property
    def simulation(self) -> int:
        """Bytes that simulating the largest set needs beside the data: states and velocities once more, in the order in
        which a solver gives them."""
        return 2 * NUMBER * self.dim * max(self.train, self.validation, self.test)

    @property
    def evaluation(self) -> int:
        """Bytes that scoring needs beside the data: the modes of the baselines; twelve sets of test states, which three
        models reconstruct and predict, with the differences; six sets of validation states for the bands; five of the
        training states whose velocities are compared (`two_valued`); two tables of which trajectories are in which
        resample."""
        sets = NUMBER * self.dim * (12 * self.test + 6 * self.validation + 5 * min(self.train, STORED))
        return Modes.memory(self.dim, self.train) + sets + 2 * NUMBER * RESAMPLES * self.trajectories


def check_reduction(sizes: Sizes, reducer: ReducerSpec, dynamics: DynamicsSpec, *, simulated: bool) -> None:
    """Refuses a reduction that would not fit into memory.

    Args:
        sizes: how many numbers the data have.
        reducer: settings of the reducer.
        dynamics: settings of the latent dynamics.
        simulated: whether the data must still be simulated.

    Raises:
        InputError: a stage needs more memory than there is; the message names the stage and both numbers.
    """
    train, validation = sizes.train, sizes.validation
    fewer = "Ask for fewer trajectories (`data.train`) or a longer time between snapshots (`data.sampling`)"
    if simulated:
        check_memory("the data", sizes.data + sizes.simulation, f"{fewer}.")
    fitting = reducer.memory(sizes.dim, train, validation)
    check_memory("fitting the reducer", sizes.data + fitting, f"Make its settings smaller. {fewer}.")
    fitting = dynamics.memory(reducer.latent_space, train, validation)
    check_memory("fitting the dynamics", sizes.data + fitting, f"Make their settings smaller. {fewer}.")
    check_memory("evaluating the model", sizes.data + sizes.evaluation, fewer.replace("train", "test") + ".")
