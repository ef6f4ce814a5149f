"""The errors that dynred raises on purpose, all of them a `DynredError`, and its warning."""


class DynredError(Exception):
    """Root of all errors that dynred raises on purpose; the command line prints its message and exits with 2."""


class DynredWarning(UserWarning):
    """A result that is likely to mean less than it seems to."""


class InputError(DynredError, ValueError):
    """An argument, file or setting that cannot be used as given."""


class BusyError(InputError):
    """A folder, a store or a stage that another process works on just now."""


class ChangedError(InputError):
    """A source that is another than the one that a run was begun with."""


class DivergenceError(DynredError, ArithmeticError):
    """A simulated truth left every bound.

    Attributes:
        trajectory: index of the first trajectory that diverged.
        time: last time at which its state was still finite, in the system's time units.
    """

    def __init__(self, message: str, trajectory: int, time: float):
        super().__init__(message)
        self.trajectory = trajectory
        self.time = time


class FileFormatError(DynredError, OSError):
    """A file that is missing, truncated, of another kind or of a newer schema."""


class MissingExtraError(DynredError, ImportError):
    """An optional dependency that is not installed; the message holds the command that installs it."""
