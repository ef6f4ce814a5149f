"""The settings of runs of earlier versions, as today's."""

from collections.abc import Mapping
from typing import Any

from dynred.data.readers.base import is_data
from dynred.data.reading import ReadingSpec
from dynred.experiments.data_spec import SIMULATED
from dynred.kinds import current


def todays(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings of an experiment, with today's kinds, and with the split that earlier versions made of data.

    Earlier settings do not name a split. They give the default numbers of simulated trajectories also where data were
    divided, which did not heed them.
    """
    settings = dict(current(settings))
    data = settings.get("data")
    if isinstance(data, Mapping) and "split" not in data:
        split = "pieces" if is_data(str(settings.get("source", ""))) else "auto"
        counts = {name: None if data.get(name) == SIMULATED[name] else data.get(name) for name in SIMULATED}
        settings["data"] = {**data, **counts, "split": split, "test_fraction": None}
        settings["data"] |= {"test_trajectories": [], "force": True}
    settings.setdefault("test", None)
    settings.setdefault("reading", ReadingSpec().to_dict())
    return settings
