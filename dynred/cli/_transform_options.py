"""The options that say what is done to the states before a model is fitted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dynred.cli._options import TRANSFORMS, Whole, listed, option

if TYPE_CHECKING:
    from dynred.data.transforms.base import TransformSpec


@dataclass(frozen=True)
class TransformOptions:
    """What is done to the states before a model is fitted."""

    transform: Annotated[
        list[str] | None,
        option(
            TRANSFORMS,
            f"{listed('dynred.data.transforms')}, or a file with a transform of your own; repeatable.",
        ),
    ] = None
    scale: Annotated[
        Literal["auto", "deviation", "range", "none"] | None,
        option(
            TRANSFORMS,
            "The unit of each variable: its deviation or range; default: auto, the deviation where those of named "
            "variables differ by more than 30 times.",
        ),
    ] = None
    weights: Annotated[
        Literal["auto", "grid", "none"] | None,
        option(TRANSFORMS, "Weights of a grid; default: auto, where its coordinates are not uniform."),
    ] = None
    delays: Annotated[
        Literal["auto"] | Whole | None,
        option(TRANSFORMS, "States of so many snapshots, the present and earlier ones; auto: as many as they need."),
    ] = None
    lag: Annotated[
        Whole | None, option(TRANSFORMS, "Snapshots between delays; default: as mutual information says.")
    ] = None

    def changes(self) -> dict[str, Any]:
        """What is said, as settings of an experiment by their dotted paths."""
        specs = self.specs()
        return {"transforms": specs} if specs else {}

    def specs(self) -> "tuple[TransformSpec, ...]":
        """The settings of the transforms, in order.

        Raises:
            InputError: there is no such transform.
        """
        from dynred.data.transforms.base import PACKAGE, TransformSpec
        from dynred.data.transforms.delays import DelaysSpec
        from dynred.data.transforms.scaling import ScalingSpec
        from dynred.data.transforms.weights import WeightsSpec
        from dynred.plugins import load_class

        specs: list[TransformSpec] = [load_class(PACKAGE, name, TransformSpec)() for name in self.transform or []]
        if self.weights is not None:
            specs.append(WeightsSpec(self.weights))
        if self.scale is not None:
            specs.append(ScalingSpec(self.scale))
        if self.delays is not None or self.lag is not None:
            named = {"count": self.delays, "lag": self.lag}
            specs.append(DelaysSpec(**{name: value for name, value in named.items() if value is not None}))
        return tuple(specs)


Transforms = Annotated[
    TransformOptions | None, Parameter(name="*", group=TRANSFORMS, help="What is done to the states first.")
]
