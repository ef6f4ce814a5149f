"""The contracts of plug-ins, as checks that anybody can run on their own.

    from dynred.testing import check_system
    check_system(my_system)

A check returns nothing, or raises an AssertionError whose message is the broken contract in one sentence. It takes a
fraction of a second plus the time of training: give reducers and dynamics settings with few steps.
"""

from dynred.testing.cleaning import check_cleaning
from dynred.testing.dynamics import check_dynamics
from dynred.testing.metrics import check_metric, check_statistic
from dynred.testing.readers import check_reader
from dynred.testing.reducers import check_reducer
from dynred.testing.solvers import check_solver
from dynred.testing.systems import check_system
from dynred.testing.transforms import check_transform

__all__ = [
    "check_cleaning",
    "check_dynamics",
    "check_metric",
    "check_reader",
    "check_reducer",
    "check_solver",
    "check_statistic",
    "check_system",
    "check_transform",
]
