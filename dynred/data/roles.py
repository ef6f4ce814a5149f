"""Names by which people call time, trajectories and components, and what they mean."""

import re
from collections.abc import Iterable

TIME = {"t", "time", "times", "date", "datetime", "timestamp"}
GROUP = {"trajectory", "trajectories", "traj", "group", "run", "member", "ensemble", "experiment", "realization"}
GROUP |= {"realisation", "number", "trial", "replicate", "case", "id", "run_id", "trajectory_id"}
COMPONENT = {"component", "components", "variable", "variables", "field", "channel", "feature", "features", "state"}
COMPONENT |= {"states", "mode", "modes"}
SPACE = ("z", "y", "x")  # what the last axes of a field are called where nobody names them


def word(name: str) -> str:
    """A name without groups, without its unit and in small letters: `time` for `run/Time [s]`."""
    return re.split(r"[/.]", re.sub(r"\s*[\[(].*", "", name))[-1].strip().lower().replace(" ", "_")


def unit_in(name: str) -> str:
    """The unit that stands in brackets in a name: `s` for `Time [s]`; empty where none does."""
    match = re.search(r"[\[(]([^\])]+)[\])]\s*$", name)
    return match[1].strip() if match else ""


def is_time(name: str) -> bool:
    """Whether a name means time."""
    return word(name) in TIME


def is_group(name: str) -> bool:
    """Whether a name means what tells trajectories apart."""
    return word(name) in GROUP


def is_component(name: str) -> bool:
    """Whether a name means the components of a state, which have no place in space."""
    return word(name) in COMPONENT


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names separated by commas; those in the middle are left out where there are many."""
    names = list(names)
    return ", ".join(names if len(names) <= most else [*names[: most - 2], "...", names[-1]])
