"""An ODE and what is known about it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.annotations import fitting
from dynred.checks import generator_given, integer, nearest, positive, real, refuse
from dynred.data.courses import clocks
from dynred.data.grid import Grid
from dynred.data.parameters import as_tensors
from dynred.data.signals import Course, Signal
from dynred.data.symmetries import Symmetry
from dynred.data.symmetry_group import Group
from dynred.numerics.jacobian import Pattern, find_pattern
from dynred.ode.autonomy import check_period, period_of, time_dependence
from dynred.ode.drawn_signals import DrawnSignal, Multisine
from dynred.ode.known_set import KnownSet
from dynred.ode.right_hand_side import RightHandSide, recognise, with_inputs
from dynred.ode.semilinear import Semilinear
from dynred.ode.sending import Sendable
from dynred.ode.system_field import SystemField, keywords
from dynred.ode.vector_field import Parameters
from dynred.rng import generator
from dynred.user_code import user_code
from dynred.views import Displayed

# Attributes that are plain data, with what each may be.
_PLAIN: Mapping[str, Any] = {
    **dict.fromkeys(("name", "time_scale_name", "time_unit", "reference"), str),
    "parameters": Mapping[str, float],
    "inputs": Mapping[str, tuple[float, float]],
    "stiff": bool | None,
    **dict.fromkeys(("discrete", "second_order"), bool),
    "symmetries": tuple[Symmetry, ...],
    "solver": str | None,
}
SMALL = 100  # dimension up to which a Jacobian is cheap enough as a dense matrix
UNNAMED_SCALE = "time scales"  # what a time scale of 1 is called where the system names none


@dataclass(frozen=True)
class Observation:
    """The states of a system as they are seen: through a smooth map. `dynred.observe` makes one and checks it.

    Attributes:
        system: the ODE whose states are seen, itself unobserved.
        map: `x [..., D] -> y [..., O]`, smooth, in torch, each state alone.
    """

    system: "System"
    map: Callable[[Float[Tensor, "*batch D"]], Float[Tensor, "*batch O"]]


@dataclass(frozen=True)
class System(Sendable, Displayed):
    """A high-dimensional ODE x' = f(t, x; parameters), or map x_{t+1} = f(t, x), and what is known about it.

    Seen through an `observation`, a system is still the same ODE: `initial`, `at`, `right_hand_side` and the
    `initial` of `simulate` mean states of the ODE, of dimension `underlying.dim`. `dim`, `grid` and `known` tell of
    the states that are seen: those that `simulate` returns, and that models are made of.

    Attributes:
        name: the name that files and reports show.
        dim: dimension D of the state.
        rhs: `(t, x [..., D], **parameters) -> [..., D]`, in torch; or a NumPy function in SciPy's form, f(t, x [D]).
            With inputs it takes their values after the state, `(t, x, u [..., U], **parameters)`.
            In torch, t and each parameter is a 0-d tensor or has the shape of the leading axes of x: write
            `a[..., None]` to bring one along the last axis. `rhs` may be left out where `semilinear` is given.
        sample_initial: `(n, rng) -> [n, D]`: states from which trajectories reach K. It may also take, by name, the
            parameters on which they depend: each comes as one value per state [n].
        parameters: default value of every parameter by name.
        sample_parameters: `(n, rng) -> name -> [n]`: values of some parameters, one per trajectory, for systems whose
            trajectories differ by them; None leaves all at their defaults.
        inputs: lowest and highest value of each input u(t) by name, in the order of u. An input that nobody gives is
            half-way between.
        signal: how inputs are drawn, where nobody gives them.
        period: the period with which the right-hand side depends on time itself, in time units; None finds it.
        transient: time until a state from `sample_initial` is on K, in time units, >= 0.
        duration: a length of trajectory that shows K, in time units.
        sampling: a time between snapshots that resolves the motion, in time units.
        time_scale: Lyapunov time or period, in time units.
        time_scale_name: what `time_scale` is, e.g. `Lyapunov times`.
        time_unit: name of the unit of time.
        stiff: whether explicit solvers are hopeless; None lets `simulate` find out.
        discrete: whether `rhs` gives the next state: a map, whose times are numbers of steps.
        second_order: whether x = (q, q'): the first half of the velocity is the second half of the state.
        solver: name of the solver that belongs to the model, where its publication names one: `simulate` takes it
            unless asked for another. None leaves the choice to `simulate`.
        tangent_projection: `v [..., D] -> [..., D]`, onto the perturbations that keep every conserved quantity.
        semilinear: the split that exponential integrators use.
        jacobian_sparsity: rows and columns [2, E] of the entries of the Jacobian that can be non-zero (component of the
            velocity, component of the state), for implicit solvers; None lets them find out by probing.
        grid: for fields, how a state is laid out in space.
        symmetries: what moves a state to one that moves on in the same way, e.g. `Translation("x")`.
        known: what is known exactly of K.
        observation: the ODE and the map through which its states are seen; it replaces `rhs`, `semilinear`,
            `sample_initial`, `tangent_projection` and `jacobian_sparsity`.
        reference: where the equation and its constants come from.
        arguments: the structural choices from which a function in systems/ built this system.
        found: finds the system again, where it was found by a name.

    Raises:
        InputError: an attribute does not fit its description.
    """

    name: str
    dim: int
    rhs: Callable[..., Any] | None = None
    sample_initial: Callable[..., Float[Tensor, "n D"]] | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    sample_parameters: Callable[[int, torch.Generator], Mapping[str, Float[Tensor, " n"]]] | None = None
    inputs: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    signal: DrawnSignal = field(default_factory=Multisine)
    period: float | None = None
    transient: float = 0.0
    duration: float = 50.0
    sampling: float = 0.1
    time_scale: float = 1.0
    time_scale_name: str = UNNAMED_SCALE
    time_unit: str = "time units"
    stiff: bool | None = None
    discrete: bool = False
    second_order: bool = False
    solver: str | None = None
    tangent_projection: Callable[[Float[Tensor, "*batch D"]], Float[Tensor, "*batch D"]] | None = None
    semilinear: Semilinear | None = None
    jacobian_sparsity: Int[Tensor, "2 E"] | None = None
    grid: Grid | None = None
    symmetries: tuple[Symmetry, ...] = ()
    known: KnownSet = field(default_factory=KnownSet)
    observation: Observation | None = None
    reference: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    found: Callable[[], "System"] | None = field(default=None, init=False, repr=False, compare=False)
    _form: list[RightHandSide] = field(default_factory=list, init=False, repr=False, compare=False)
    _pattern: list[Pattern | None] = field(default_factory=list, init=False, repr=False, compare=False)
    _time: list[float] = field(default_factory=list, init=False, repr=False, compare=False)
    _clocks: list[Mapping[str, Course]] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self):
        for name, hint in _PLAIN.items():
            object.__setattr__(self, name, fitting(name, getattr(self, name), hint))
        integer("dim", self.dim, 1)
        for name in ("duration", "sampling", "time_scale", *(() if self.period is None else ("period",))):
            positive(name, getattr(self, name))
        if self.discrete:
            object.__setattr__(self, "sampling", max(1.0, float(round(self.sampling))))
        if not self.transient >= 0:
            raise refuse("transient", ">= 0", self.transient)
        if self.observation is not None:
            self._check_observation(self.observation)
        elif self.rhs is None and self.semilinear is None:
            raise refuse("rhs", "a function f(t, x)", "None", "Give `rhs` or `semilinear`.")
        if self.rhs is not None and not callable(self.rhs):
            raise refuse("rhs", "a function f(t, x)", type(self.rhs).__name__)
        if self.inputs and self.rhs is None and self.observation is None:
            raise refuse("rhs", "given for a system with inputs", "None")
        for name, (low, high) in self.inputs.items():
            if name in self.parameters or not low < high:
                expected = "of another name than the parameters, with a lowest value below its highest"
                raise refuse(f"input {name}", expected, f"{low:g} and {high:g}")
        if self.jacobian_sparsity is not None:
            self._pattern.append(Pattern.of(self.jacobian_sparsity, self.dim))
        if self.grid is not None and torch.Size(self.grid.shape).numel() != self.dim:
            raise refuse("grid", f"a layout of {self.dim} values", f"shape {self.grid.shape}")
        if self.symmetries and self.observation is not None:
            raise refuse("symmetries", "none for an observed system", ", ".join(map(str, self.symmetries)))
        if self.symmetries:
            Group.of(self.symmetries, self.grid, self.dim)  # refuses what does not fit

    def _check_observation(self, observation: Observation) -> None:
        if observation.system.observation is not None:
            raise refuse("observation.system", "an ODE that is itself unobserved", "an observed one", "Use `observe`.")
        for name in ("rhs", "semilinear", "sample_initial", "tangent_projection", "jacobian_sparsity"):
            if getattr(self, name) is not None:
                raise refuse(name, "None for an observed system", "a value", "Give it to the system that is observed.")

    @property
    def underlying(self) -> "System":
        """The ODE itself: the system that is seen through the `observation` if there is one, else this system."""
        return self if self.observation is None else self.observation.system

    @property
    def right_hand_side(self) -> RightHandSide:
        """The right-hand side, recognised and checked at its first use, callable on any batch.

        Raises:
            InputError: `rhs` returns a wrong shape or dtype or NaN, or changes its input.
        """
        if self.observation is not None:
            return self.underlying.right_hand_side
        if not self._form:
            x = self.initial(3 if self.dim != 3 else 4, generator(0, "probe"))
            rhs = self.rhs or self.semilinear.rhs  # type: ignore[union-attr] # one of them is there: __post_init__
            drawn = {name: _between(span, x.shape[:1]) for name, span in self.inputs.items()}
            form = recognise(with_inputs(rhs, tuple(drawn)), x, self.parameters, drawn)
            self._form.append(dataclasses.replace(form, function=rhs))
        return self._form[0]

    @property
    def time_dependence(self) -> float:
        """How much the right-hand side depends on time, see `dynred.ode.autonomy`; 0 where the ODE is autonomous."""
        if self.observation is not None:
            return self.underlying.time_dependence
        if not self._time:
            rng = generator(0, "autonomy")
            values = self.draw_parameters(2, rng)
            span = self.transient + self.duration
            self._time.append(time_dependence(self.at(values), self.initial(2, rng, values), span))
        return self._time[0]

    @property
    def clocks(self) -> Mapping[str, Course]:
        """The inputs that make the ODE autonomous: none where it is, the cosine and sine of its phase where the
        right-hand side has a period in time, and time itself where it has none.

        Raises:
            InputError: the right-hand side does not have the `period` that was given.
        """
        if self.observation is not None:
            return self.underlying.clocks
        if not self._clocks:
            courses: Mapping[str, Course] = {}
            if self.time_dependence:
                rng = generator(0, "period")
                values = self.draw_parameters(2, rng)
                bound, x = self.at(values), self.initial(2, rng, values)
                if self.period is None:
                    courses = clocks(period_of(bound, x, self.transient + self.duration))
                else:
                    check_period(bound, x, self.period)
                    courses = clocks(self.period)
            self._clocks.append(courses)
        return self._clocks[0]

    @property
    def jacobian_pattern(self) -> Pattern | None:
        """The entries of the Jacobian that can be non-zero: declared, or found at the first use; None if dense."""
        if self.observation is not None:
            return self.underlying.jacobian_pattern
        if not self._pattern:
            self._pattern.append(None if self.dim <= SMALL else self._probed_pattern())
        return self._pattern[0]

    def _probed_pattern(self) -> Pattern | None:
        # States in general position, and parameters too: an entry must not vanish by accident.
        rng = generator(0, "pattern")
        x = self.initial(2, rng)
        x = torch.cat([x, x + 0.1 * x.std() * torch.randn(x.shape, generator=rng, dtype=x.dtype)])
        field = self.at({name: value or 1e-3 for name, value in self.parameters.items()})
        t = torch.tensor(0.3, dtype=torch.float64)
        return find_pattern(lambda y: field(t, y), torch.cat([x, -x]), field.differentiable)

    def initial(
        self, n: int, rng: torch.Generator, parameters: Mapping[str, Float[Tensor, "*#n"]] | None = None
    ) -> Float[Tensor, "n D"]:
        """n initial states in float64; standard normal where the system does not say.

        Args:
            n: number of states.
            rng: draws the states.
            parameters: parameters of each trajectory, as `draw_parameters` gives them; None draws them too.

        Raises:
            InputError: `sample_initial` returned something else than finite [n, D].
        """
        generator_given(rng)
        values = self.draw_parameters(n, rng) if parameters is None else parameters
        if self.observation is not None:
            return self.underlying.initial(n, rng, values)
        if self.sample_initial is None:
            return torch.randn(n, self.dim, generator=rng, dtype=torch.float64)
        given = {name: values[name].expand(n) for name in keywords(self.sample_initial, self.parameters)}
        with user_code("sample_initial"):
            drawn = self.sample_initial(n, rng, **given)
        x = real("what sample_initial returns", drawn).double()
        if x.shape != (n, self.dim) or not torch.isfinite(x).all():
            shape = f"shape {list(x.shape)}" if x.shape != (n, self.dim) else "a value that is not finite"
            raise refuse("sample_initial", f"a function that returns finite states [{n}, {self.dim}]", shape)
        return x

    def draw_parameters(
        self, n: int, rng: torch.Generator, given: Parameters | None = None
    ) -> dict[str, Float[Tensor, "*#n"]]:
        """The parameters of n trajectories: `given` ones, else drawn ones where the system draws them, else defaults.

        Returns:
            Every parameter by name, as one value or one per trajectory [n], in float64.

        Raises:
            InputError: an unknown parameter, or `sample_parameters` returned something else than [n].
        """
        return self._filled({**self._drawn(n, rng), **(given or {})})

    def _drawn(self, n: int, rng: torch.Generator) -> dict[str, Float[Tensor, " n"]]:
        if self.sample_parameters is None:
            return {}
        with user_code("sample_parameters"):
            drawn = self.sample_parameters(n, rng)
        if not isinstance(drawn, Mapping):
            returned = f"a {type(drawn).__name__}"
            raise refuse("sample_parameters", "a function that returns values [n] by name", returned)
        values = {name: real(f"{name} of sample_parameters", value) for name, value in drawn.items()}
        for name, value in values.items():
            if value.shape != (n,) or not torch.isfinite(value).all():
                wrong = "a value that is not finite" if value.shape == (n,) else f"shape {list(value.shape)}"
                expected = f"a function that returns finite values [{n}] for n = {n}"
                raise refuse("sample_parameters", expected, f"{name} of {wrong}")
        return values

    def at(self, parameters: Parameters | None = None) -> "SystemField":
        """The vector field with its parameters filled in: defaults, replaced by `parameters`.

        Args:
            parameters: values by name, each a number or one value per state of the batch.

        Raises:
            InputError: an unknown parameter.
        """
        return SystemField(self.underlying, self._filled(parameters or {}))

    def _filled(self, given: Parameters) -> dict[str, Any]:
        inputs = self.underlying.inputs
        for name, value in given.items():
            if name not in (inputs if isinstance(value, Signal) else {**self.parameters, **inputs}):
                advice = nearest(name, self.parameters)
                raise refuse("parameters", f"among {sorted(self.parameters) or 'none'}", repr(name), advice)
        middle = {name: (low + high) / 2 for name, (low, high) in inputs.items()}
        return as_tensors({**self.parameters, **middle, **given})


def _between(span: tuple[float, float], shape: Sequence[int]) -> Float[Tensor, " n"]:
    """Values of an input that differ from row to row."""
    return span[0] + (span[1] - span[0]) * torch.linspace(0.3, 0.7, *shape, dtype=torch.float64)
