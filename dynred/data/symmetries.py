"""Symmetries of fields and states: what moves a state to another one that moves on in the same way.

A continuous symmetry turns amplitudes of a state by phases: translation along x turns the k-th Fourier amplitude by
exp(i k s). These whole numbers k are the *charges* of the amplitudes. A discrete symmetry exchanges values of a state
and changes their signs.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from dynred.checks import refuse
from dynred.data.layout import Layout
from dynred.errors import InputError
from dynred.spec import Spec

TOLERANCE = 1e-6  # relative: how far a declared period may be from that of the grid


@dataclass(frozen=True)
class Symmetry(Spec, ABC):
    """A symmetry of states. It says nothing of a grid until it meets one: `check` says whether it fits."""

    @property
    def named_axes(self) -> tuple[str, ...]:
        """The axes that it names."""
        return ()

    @abstractmethod
    def __str__(self) -> str:
        """The symmetry in words."""

    @abstractmethod
    def check(self, layout: Layout) -> None:
        """Refuses a layout that it does not fit.

        Raises:
            InputError: an axis or component that is not there, a period that is not the grid's.
        """


class Diagonal(Symmetry):
    """A symmetry that turns amplitudes by phases: continuous, or cyclic of a finite order."""

    @abstractmethod
    def forward(self, a: Complex[Tensor, "..."], layout: Layout) -> Complex[Tensor, "..."]:
        """Amplitudes [..., components, points ...] of a field, by a unitary transform of one of its axes."""

    @abstractmethod
    def backward(self, a: Complex[Tensor, "..."], layout: Layout) -> Complex[Tensor, "..."]:
        """The inverse of `forward`."""

    @abstractmethod
    def charges(self, layout: Layout) -> Int[Tensor, "..."]:
        """The charge of every amplitude, in a shape that fits that of the layout."""

    @abstractmethod
    def partners(self, index: Int[Tensor, "..."], layout: Layout) -> Int[Tensor, "..."]:
        """Where the complex conjugates of the amplitudes of a real field stand: `index`, with entries moved there."""

    def order(self, layout: Layout) -> int:
        """The order of the group; 0 for a continuous one."""
        return 0


@dataclass(frozen=True)
class Translation(Diagonal):
    """Translation by any length along a periodic axis of a field that its grid resolves.

    Attributes:
        axis: name of the axis.
        period: its period, where the grid does not tell; it must be that of the grid.
    """

    axis: str
    period: float | None = None

    @property
    def named_axes(self) -> tuple[str, ...]:
        """See `Symmetry.named_axes`."""
        return (self.axis,)

    def __str__(self) -> str:
        return f"translation along {self.axis}"

    def check(self, layout: Layout) -> None:
        """See `Symmetry.check`."""
        period = layout.periods[layout.axis(self.axis, self)]
        if period is None:
            raise refuse(f"symmetry {self}", "along evenly spaced points of a periodic axis", "uneven ones")
        if self.period is not None and not layout.guessed and abs(self.period - period) > TOLERANCE * period:
            advice = "The last point of a period must not repeat the first."
            raise refuse(f"period of the {self}", f"that of the grid, {period:.10g}", f"{self.period:.10g}", advice)

    def forward(self, a: Complex[Tensor, "..."], layout: Layout) -> Complex[Tensor, "..."]:
        """See `Diagonal.forward`: Fourier amplitudes."""
        return torch.fft.fft(a, dim=self._place(layout), norm="ortho")

    def backward(self, a: Complex[Tensor, "..."], layout: Layout) -> Complex[Tensor, "..."]:
        """See `Diagonal.backward`."""
        return torch.fft.ifft(a, dim=self._place(layout), norm="ortho")

    def charges(self, layout: Layout) -> Int[Tensor, "..."]:
        """See `Diagonal.charges`: wave numbers."""
        place, sizes = self._place(layout), [1] * len(layout.shape)
        sizes[place] = layout.shape[place]
        n = layout.shape[place]
        return (torch.fft.fftfreq(n, dtype=torch.float64) * n).round().long().reshape(sizes)

    def partners(self, index: Int[Tensor, "..."], layout: Layout) -> Int[Tensor, "..."]:
        """See `Diagonal.partners`: the amplitude of the opposite wave number."""
        place = self._place(layout)
        return index.flip(place).roll(1, place)

    def points(self, layout: Layout) -> int:
        """Number of points along the axis."""
        return layout.shape[self._place(layout)]

    def _place(self, layout: Layout) -> int:
        return layout.axis(self.axis, self) - len(layout.axes)


@dataclass(frozen=True)
class Shift(Translation):
    """Shift by whole points along a periodic axis: sites on a ring, or a field that its grid does not resolve."""

    def __str__(self) -> str:
        return f"shift by points along {self.axis}"

    def order(self, layout: Layout) -> int:
        """See `Diagonal.order`: the number of points."""
        return self.points(layout)


@dataclass(frozen=True)
class Phase(Diagonal):
    """The phase of a complex field whose real and imaginary parts are two components; a rotation in a plane of states.

    Attributes:
        first: real part: name or number of a component of the field, or number of a coordinate where there is no grid.
        second: imaginary part.
    """

    first: str | int = 0
    second: str | int = 1

    def __str__(self) -> str:
        return f"phase of ({self.first}, {self.second})"

    def check(self, layout: Layout) -> None:
        """See `Symmetry.check`."""
        if len(set(self._pair(layout))) < 2:
            raise refuse(f"symmetry {self}", "of two components", "one")

    def forward(self, a: Complex[Tensor, "..."], layout: Layout) -> Complex[Tensor, "..."]:
        """See `Diagonal.forward`: (u + i v) / sqrt 2 and (u - i v) / sqrt 2."""
        return self._mixed(a, layout, torch.tensor([[1, 1j], [1, -1j]], dtype=a.dtype, device=a.device))

    def backward(self, a: Complex[Tensor, "..."], layout: Layout) -> Complex[Tensor, "..."]:
        """See `Diagonal.backward`."""
        return self._mixed(a, layout, torch.tensor([[1, 1], [-1j, 1j]], dtype=a.dtype, device=a.device))

    def charges(self, layout: Layout) -> Int[Tensor, "..."]:
        """See `Diagonal.charges`: 1 and -1 of the pair, 0 of other components."""
        charge = torch.zeros(layout.shape[0], *[1] * len(layout.axes), dtype=torch.long)
        first, second = self._pair(layout)
        charge[first], charge[second] = 1, -1
        return charge

    def partners(self, index: Int[Tensor, "..."], layout: Layout) -> Int[Tensor, "..."]:
        """See `Diagonal.partners`."""
        first, second = self._pair(layout)
        order = list(range(layout.shape[0]))
        order[first], order[second] = second, first
        return index[order]

    def _pair(self, layout: Layout) -> tuple[int, int]:
        return layout.component(self.first, self), layout.component(self.second, self)

    def _mixed(self, a: Tensor, layout: Layout, matrix: Tensor) -> Tensor:
        place = -len(layout.shape)
        pair = torch.tensor(self._pair(layout), device=a.device)
        mixed = torch.movedim(
            torch.movedim(a.index_select(place, pair), place, -1) @ (matrix.T / math.sqrt(2)), -1, place
        )
        return a.index_copy(place, pair, mixed)


class Exchange(Symmetry):
    """A discrete symmetry: values of the state change places and signs."""

    @abstractmethod
    def image(self, x: Float[Tensor, "..."], layout: Layout) -> Float[Tensor, "..."]:
        """The images of fields [..., components, points ...]."""


@dataclass(frozen=True)
class Reflection(Exchange):
    """Reflection along one or more axes, with a sign, and with a shift along another axis where one is given.

    Along a periodic axis it is about the first point; about the middle along any other.

    Attributes:
        axis: name of the axis, or names separated by commas: all of them are reflected.
        sign: +1 or -1, the factor of the field.
        along: name of a periodic axis along which the field is shifted, too.
        shift: by which part of its period, such that it is a whole number of points.
    """

    axis: str
    sign: int = 1
    along: str | None = None
    shift: float = 0.0

    def __post_init__(self):
        if self.sign not in (1, -1):
            raise refuse("sign of a reflection", "1 or -1", self.sign)

    @property
    def named_axes(self) -> tuple[str, ...]:
        """See `Symmetry.named_axes`."""
        return (*self._axes, *([] if self.along is None else [self.along]))

    @property
    def _axes(self) -> list[str]:
        return [name.strip() for name in self.axis.split(",")]

    def __str__(self) -> str:
        sign = "" if self.sign == 1 else " with change of sign"
        shift = "" if self.along is None else f", shifted by {self.shift:g} of the period of {self.along}"
        return f"reflection along {' and '.join(self._axes)}{sign}{shift}"

    def check(self, layout: Layout) -> None:
        """See `Symmetry.check`."""
        for name in self._axes:
            layout.axis(name, self)
        if self.along is not None:
            points = layout.sizes[layout.axis(self.along, self)] * self.shift
            if abs(points - round(points)) > TOLERANCE:
                raise refuse(f"shift of the {self}", "by whole points of the grid", f"{points:g} points")

    def image(self, x: Float[Tensor, "..."], layout: Layout) -> Float[Tensor, "..."]:
        """See `Exchange.image`."""
        for name in self._axes:
            number = layout.axis(name, self)
            place = number - len(layout.axes)
            x = x.flip(place)
            x = x if layout.periods[number] is None else x.roll(1, place)
        if self.along is not None:
            number = layout.axis(self.along, self)
            x = x.roll(round(layout.sizes[number] * self.shift), number - len(layout.axes))
        return self.sign * x


@dataclass(frozen=True)
class Sign(Exchange):
    """Change of sign of some components of the state, or of all.

    Attributes:
        components: names or numbers of those that change their signs; none means all.
    """

    components: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return f"change of sign of {', '.join(map(str, self.components)) or 'all'}"

    def check(self, layout: Layout) -> None:
        """See `Symmetry.check`."""
        for name in self.components:
            layout.component(name, self)

    def image(self, x: Float[Tensor, "..."], layout: Layout) -> Float[Tensor, "..."]:
        """See `Exchange.image`."""
        sign = torch.full((layout.shape[0], *[1] * len(layout.axes)), 1.0 if self.components else -1.0, dtype=x.dtype)
        sign[[layout.component(name, self) for name in self.components]] = -1
        return x * sign.to(x.device)


def parsed(text: str) -> Symmetry:
    """The symmetry that a text of the command line means: `translation:x`, `translation:x:22`, `shift:site`,
    `reflection:x`, `reflection:x:-1`, `phase:u:v`, `sign`.

    Raises:
        InputError: it means none.
    """
    kind, *words = (part.strip() for part in text.split(":"))
    try:
        if kind in ("translation", "shift") and 1 <= len(words) <= 2:
            chosen = Translation if kind == "translation" else Shift
            return chosen(words[0], *map(float, words[1:]))
        if kind == "reflection" and 1 <= len(words) <= 2:
            return Reflection(words[0], int(words[1]) if len(words) > 1 else 1)
        if kind == "phase" and len(words) in (0, 2):
            return Phase(*(int(word) if word.isdecimal() else word for word in words))
        if kind == "sign":
            return Sign(tuple(int(word) if word.isdecimal() else word for word in words))
    except ValueError:
        pass
    forms = "translation:AXIS[:PERIOD], shift:AXIS, reflection:AXIS[:-1], phase:RE:IM or sign[:COMPONENT...]"
    raise refuse("symmetries (--symmetry)", f"of the form {forms}", repr(text))


def remembered_symmetries(attributes: Mapping[str, Any]) -> tuple[Symmetry, ...]:
    """The symmetries in the attributes of trajectories; none where there are none that can be read.

    Attributes come from files, so nothing in them is taken on trust.
    """
    try:
        return tuple(Symmetry.from_dict(entry) for entry in attributes["symmetries"])
    except (KeyError, TypeError, InputError):
        return ()
