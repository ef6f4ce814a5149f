"""What all sources without an equation have in common."""

from collections.abc import Mapping
from typing import Any, Self

from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.experiments.source import Source
from dynred.ode.known_set import KnownSet


class MeasuredSource(Source):
    """Trajectories without an equation; nothing is known of their set K, and nothing can be simulated.

    Attributes:
        named: what the source is called where its trajectories do not say.
    """

    named = "data"

    @property
    def system(self) -> None:
        """See `Source.system`."""
        return None

    @property
    def known(self) -> KnownSet:
        """See `Source.known`: there are no known facts."""
        return KnownSet()

    @property
    def simulated(self) -> bool:
        """See `Source.simulated`."""
        return False

    def with_parameters(self, parameters: Mapping[str, float]) -> Self:
        """See `Source.with_parameters`: there is no equation."""
        if parameters:
            raise refuse("parameters", "left out for data", ", ".join(parameters), "They belong to an equation.")
        return self

    def _named(self, train: Trajectories) -> dict[str, Any]:
        name = str(train.attributes.get("system", self.named))
        return {"system": name, "time_unit": str(train.attributes.get("time_unit", "time units"))}
