"""Datasets with named dimensions as arrays by name: those of xarray."""

from typing import Any

import numpy as np
import xarray

from dynred.data.content import Content, NamedArray
from dynred.data.roles import is_group, is_time

UNNAMED = "states"  # what a DataArray without a name is called


def dataset_content(given: xarray.Dataset | xarray.DataArray) -> Content:
    """The variables of a dataset, and its coordinates of axes, of time and of trajectories."""
    if isinstance(given, xarray.DataArray):
        name = str(given.name) if given.name is not None else UNNAMED
        given = given.to_dataset(name=UNNAMED if name in given.coords or name in given.dims else name)
    names = [name for name in given.coords if _means_something(given, str(name))] + list(given.data_vars)
    return Content({str(name): _variable(given[name]) for name in names})


def _means_something(dataset: xarray.Dataset, name: str) -> bool:
    coordinate = dataset[name]
    if name in dataset.dims or is_time(name) or is_group(name) or coordinate.dtype.kind == "M":
        return coordinate.ndim == 1
    return coordinate.ndim == 1 and is_group(str(coordinate.dims[0]))  # a parameter of trajectories


def _variable(variable: xarray.DataArray) -> NamedArray:
    def load() -> Any:
        values = variable.to_numpy()
        return values.astype(object) if values.dtype.kind in "OTSU" else np.asarray(values)

    unit = str(variable.attrs.get("units", ""))
    return NamedArray(variable.shape, variable.dtype, load, tuple(map(str, variable.dims)), unit)
