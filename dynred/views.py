"""How results show themselves: plots, tables, and what a notebook displays.

The code that draws and tabulates lies in folders above those of the results. It is found by its name when it is first
asked for, so that results import neither it nor the libraries that it needs.
"""

import importlib
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes


class Displayed:
    """A result that a notebook shows as a short table."""

    def _repr_html_(self) -> str:
        return str(by_name("dynred.report.cards", "card", self))


class Plotted(Displayed):
    """A result that can be drawn."""

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws this result; dynred.report.plots says how.

        Args:
            ax: the axes of matplotlib to draw into; None makes a figure, which a notebook shows.

        Returns:
            The axes, for a title, limits, or more lines.
        """
        axes: Axes = by_name("dynred.report.plots", "plot", self, ax)
        return axes


class Tabled:
    """A result that is a table; the module that its class names says which."""

    tables: ClassVar[str]

    def to_pandas(self) -> "pandas.DataFrame":
        """This result as a DataFrame of pandas."""
        frame: pandas.DataFrame = by_name(self.tables, "to_pandas", self)
        return frame

    def to_xarray(self) -> "xarray.Dataset":
        """This result as a Dataset of xarray."""
        dataset: xarray.Dataset = by_name(self.tables, "to_xarray", self)
        return dataset


def progress_bar() -> AbstractContextManager[Any]:
    """A bar on standard error, or below the cell of a notebook, while a block runs; it is given a `Progress`."""
    bar: AbstractContextManager[Any] = by_name("dynred.cli.base", "bar")
    return bar


def by_name(module: str, function: str, *arguments: object) -> Any:
    """What a function gives that is imported when it is called: for what needs large libraries, and is seldom asked."""
    return getattr(importlib.import_module(module), function)(*arguments)
