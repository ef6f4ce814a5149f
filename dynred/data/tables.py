"""Trajectories as tables of other libraries, and as text."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray
from jaxtyping import Float

from dynred.checks import path_given, refuse
from dynred.data.arrange import PARAMETER, VELOCITY
from dynred.data.screening import SUFFIXES, need_netcdf
from dynred.data.storage import is_ours, save_trajectories
from dynred.data.store_layout import INPUT
from dynred.data.trajectories import Trajectories
from dynred.files import check_target, moved_into_place

CSV = ".csv"
FIRST = "trajectory,t,"  # begins every .csv file that is written here


def to_pandas(trajectories: Trajectories) -> pd.DataFrame:
    """One row per snapshot: `trajectory` (from 0), `t`, the parameters as `parameter_NAME`, the inputs as `input_NAME`,
    the state `x1` ... `xD`, and `velocity_x1` ... `velocity_xD` where velocities are known. `Trajectories.of` gives
    them back."""
    owner = trajectories.owner.numpy()
    columns: dict[str, Any] = {"trajectory": owner, "t": trajectories.t.numpy()}
    columns |= {PARAMETER + name: values.numpy()[owner] for name, values in trajectories.parameters.items()}
    columns |= {INPUT + name: values.numpy() for name, values in trajectories.row_inputs.items()}
    frame = pd.DataFrame(columns)
    wide = [_columns("x", trajectories.states.detach().cpu().numpy())]
    if trajectories.velocities is not None:
        wide.append(_columns(f"{VELOCITY}x", trajectories.velocities.detach().cpu().numpy()))
    return pd.concat([frame, *wide], axis=1)


def to_xarray(trajectories: Trajectories) -> xarray.Dataset:
    """A dataset: `states` and `velocities` over (trajectory, time, component), `input_NAME` over
    (trajectory, time), `parameter_NAME` over trajectory.

    Times are those of the trajectories where all share them. Otherwise rows end with NaN after the last snapshot of a
    trajectory, and `t` is a variable over (trajectory, time).
    """
    arrays = {"states": trajectories.states}
    if trajectories.velocities is not None:
        arrays["velocities"] = trajectories.velocities
    variables: dict[str, Any] = {
        name: (("trajectory", "time", "component"), _padded(trajectories, value.detach().cpu().double().numpy()))
        for name, value in arrays.items()
    }
    t = _padded(trajectories, trajectories.t.double().numpy()[:, None])[..., 0]
    coordinates: dict[str, Any] = {"trajectory": np.arange(len(trajectories))}
    if np.array_equal(t, np.broadcast_to(t[:1], t.shape)):
        coordinates["time"] = t[0]
    else:
        variables["t"] = (("trajectory", "time"), t)
    variables |= {
        PARAMETER + name: (("trajectory",), values.numpy()) for name, values in trajectories.parameters.items()
    }
    for name, values in trajectories.row_inputs.items():
        variables[INPUT + name] = (
            ("trajectory", "time"),
            _padded(trajectories, values.double().numpy()[:, None])[..., 0],
        )
    return xarray.Dataset(variables, coordinates)


def check_table(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuses a path to which `save_table` could not write.

    Raises:
        InputError: the suffix is none of those known, something is there and `overwrite` is not set, or dynred did not
            write what is there.
        MissingExtraError: .nc without the `netcdf` extra.
    """
    path = path_given("out", path)
    if path.suffix not in (*SUFFIXES, CSV):
        raise refuse("out", f"a file ending in one of {', '.join((*SUFFIXES, CSV))}", repr(str(path)))
    if path.suffix == ".nc":
        need_netcdf()
    if os.path.lexists(path) and not overwrite:
        raise refuse("out", "a new file", str(path), "Use --overwrite to replace it.")
    check_target("out", path, is_csv if path.suffix == CSV else is_ours)


def save_table(trajectories: Trajectories, path: str | Path) -> None:
    """Writes trajectories as the suffix says: .csv as `write_csv`, others as `save_trajectories`."""
    (write_csv if Path(path).suffix == CSV else save_trajectories)(trajectories, path)


def write_csv(trajectories: Trajectories, path: str | Path) -> None:
    """Writes the table of `to_pandas` as text, moved into place; only such a file is replaced."""
    with moved_into_place(path, is_csv) as temporary:
        to_pandas(trajectories).to_csv(temporary, index=False)


def is_csv(path: Path) -> bool:
    """Whether a file begins like those that `write_csv` writes."""
    try:
        with path.open("rb") as opened:
            return opened.read(len(FIRST)) == FIRST.encode()
    except OSError:
        return False


def _columns(word: str, values: Float[np.ndarray, "M D"]) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[f"{word}{i + 1}" for i in range(values.shape[1])])


def _padded(trajectories: Trajectories, values: Float[np.ndarray, "M D"]) -> Float[np.ndarray, "N T D"]:
    lengths = trajectories.lengths.numpy()
    table = np.full((len(lengths), int(lengths.max(initial=0)), values.shape[1]), np.nan)
    table[np.arange(table.shape[1]) < lengths[:, None]] = values
    return table
