"""Recognising the form of a right-hand side, so that a user's function is taken as it is.

A function f(t, x) may be written for torch or for NumPy, for one state or for a batch, along the last axis or (as SciPy
says, `vectorized`) with states as columns. The user is not asked: each form is tried on a few states, and accepted if
it gives the same as one state at a time.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import kind_of, refuse
from dynred.data.parameters import cut
from dynred.errors import InputError
from dynred.numerics.size import size_of
from dynred.user_code import PASSING, place_and_reason, reason, told

Values = Mapping[str, Float[Tensor, "*#batch"]]  # values of parameters by name
Form = Callable[[Float[Tensor, "*#batch"], Float[Tensor, "*batch D"], Values], Float[Tensor, "*batch D"]]


@dataclass(frozen=True, eq=False)
class RightHandSide:
    """A right-hand side in a known form, callable on any batch.

    Attributes:
        form: `torch`, `torch per state`, `numpy`, `numpy columns` or `numpy per state`.
        differentiable: whether torch can differentiate the function, forwards and in several directions at once.
        evaluate: the function itself, on a batch [n, D] with one t, a 0-d tensor, or one per row.
        timewise: whether `evaluate` takes one time per row.
        function: the user's function as it was given.
    """

    form: str
    differentiable: bool
    evaluate: Form
    timewise: bool
    function: Callable[..., Any]

    def __call__(
        self, t: float | Float[Tensor, "*#batch"], x: Float[Tensor, "*batch D"], parameters: Values
    ) -> Float[Tensor, "*batch D"]:
        """The velocity; t and every parameter is a number or has the shape of the leading axes of x."""
        if x.numel() == 0:
            return torch.empty_like(x)
        t = torch.as_tensor(t, dtype=torch.float64, device=x.device)
        if t.ndim == 0 or self.timewise:
            return self._checked(t, x, parameters)
        rows = x.reshape(-1, x.shape[-1])
        out = torch.empty_like(rows)
        times, which = torch.unique(t.expand(x.shape[:-1]).reshape(-1), return_inverse=True)
        for i, moment in enumerate(times):
            at_moment = which == i
            cut = {k: v.expand(x.shape[:-1]).reshape(-1)[at_moment] if v.ndim else v for k, v in parameters.items()}
            out[at_moment] = self._checked(moment, rows[at_moment], cut)
        return out.reshape(x.shape)

    def of_one(self, parameters: Values) -> Callable[[float, Float[np.ndarray, " D"]], Float[np.ndarray, " D"]]:
        """The velocity of one state [D] as a NumPy function; each parameter has one value.

        A NumPy function is called as it is, which takes a tenth of the time; where it does not return what it should,
        the checked call says so.
        """
        values = {name: value.reshape(-1)[:1] if value.ndim else value for name, value in parameters.items()}

        def checked(t: float, x: np.ndarray) -> np.ndarray:
            moment = torch.tensor(t, dtype=torch.float64)
            return self._checked(moment, torch.from_numpy(x)[None], values)[0].detach().numpy()

        if self.form != "numpy per state":
            return checked
        numbers = {name: float(value) for name, value in values.items()}

        def direct(t: float, x: np.ndarray) -> np.ndarray:
            try:
                out = np.array(self.function(t, x.copy(), **numbers))  # a function may return the same memory each time
            except Exception:
                return checked(t, x)
            return out if out.dtype == np.float64 and out.shape == x.shape else checked(t, x)

        return direct

    def _checked(self, t: Tensor, x: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        # A function that was recognised may still fail, or break its contract, at a later time or another state. The
        # memory that NumPy is given is a copy; torch counts the changes of a tensor.
        watched = self.form.startswith("torch") and not x.is_inference()
        given, version = (x, x._version) if watched else (x.clone(), 0)
        try:
            out = self.evaluate(t, given, parameters)
        except PASSING:
            raise
        except BaseException as error:
            raise told(f"rhs(t, x) at t = {_moment(t)}", error) from error
        if watched and x._version != version:
            raise _changes_its_input(f" at t = {_moment(t)}")
        if not isinstance(out, Tensor) or out.shape != x.shape or out.is_complex():
            actual = f"{out.dtype} of shape {list(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
            raise refuse(f"rhs(t, x) at t = {_moment(t)}", f"real and of shape {list(x.shape)}, like x", actual)
        return out


def recognise(
    rhs: Callable[..., Any],
    x: Float[Tensor, "n D"],
    parameters: Mapping[str, float],
    inputs: Mapping[str, Float[Tensor, " n"]] | None = None,
) -> RightHandSide:
    """Finds the form in which `rhs` is written.

    Args:
        rhs: the user's function (t, x, **parameters).
        x: a few states that it must be able to handle, n >= 2 and n != D.
        parameters: default values.
        inputs: values that differ from state to state, which `rhs` takes like parameters; see `with_inputs`.

    Raises:
        InputError: `rhs` gives a wrong shape or dtype or NaN, changes its input, or fails in every form.
    """
    values = {name: torch.tensor(float(value), dtype=torch.float64) for name, value in parameters.items()}
    values |= inputs or {}
    t = torch.tensor(0.5, dtype=torch.float64)
    differentiable, refusal = _torch_verdict(rhs, t, x[0], cut(values, 0))
    if differentiable is None:
        single, forms = _numpy_single, {"numpy": _numpy_batched, "numpy columns": _numpy_columns}
    else:
        single, forms = _torch_single, {"torch": _torch_batched, "torch per state": _torch_mapped}
    reference = torch.stack([_checked(single(rhs), t, row, cut(values, i), refusal) for i, row in enumerate(x)])
    name = "numpy per state" if differentiable is None else "torch per state"
    for form, build in [*forms.items(), (name, single)]:
        evaluate = _with_memory_of_its_own(build(rhs), t, x, values)
        if _agrees(evaluate, t, x, values, reference):
            smooth = bool(differentiable) and _differentiates(evaluate, t, x[:1], cut(values, slice(0, 1)))
            return RightHandSide(form, smooth, evaluate, _timewise(evaluate, t, x, values), rhs)
    raise InputError("rhs must give the same answer for the same state, got two different answers.")


def with_inputs(rhs: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """A function (t, x, u, **parameters) as one that takes every input by its name, like a parameter; `rhs` itself
    where there are none."""
    if not names:
        return rhs

    def by_name(t: Any, x: Any, **values: Any) -> Any:
        inputs = [values.pop(name) for name in names]
        if any(isinstance(value, Tensor) for value in inputs):
            return rhs(t, x, torch.stack(torch.broadcast_tensors(*map(torch.as_tensor, inputs)), -1), **values)
        return rhs(t, x, np.stack(np.broadcast_arrays(*inputs), -1), **values)

    return by_name


def _torch_verdict(
    rhs: Callable[..., Any], t: Tensor, x: Tensor, values: Mapping[str, Tensor]
) -> tuple[bool | None, BaseException | None]:
    # The verdict: whether `rhs` is differentiable, or None for a function that is not torch's; then the error that it
    # raised, if any. The state requires gradients, because NumPy silently takes tensors that do not: np.sin(tensor)
    # even returns a tensor. `* 1` makes the state no leaf, so that a function that changes its input is caught by our
    # own check and not by autograd's.
    try:
        # The first use may stand where gradients are off.
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")  # NumPy grumbles at tensors; the verdict is ours
            out = rhs(t, x.clone().requires_grad_() * 1, **values)
    except PASSING:
        raise
    except BaseException as error:
        return None, error
    return (out.requires_grad, None) if isinstance(out, Tensor) else (None, None)


def _checked(
    evaluate: Form, t: Tensor, x: Float[Tensor, " D"], values: Mapping[str, Tensor], refusal: BaseException | None
) -> Float[Tensor, " D"]:
    given = x.clone()
    try:
        out = evaluate(t, given, values)
    except PASSING:
        raise
    except BaseException as error:
        differs = refusal is not None and reason(refusal) != reason(error)
        also = f" (and, given torch tensors, {reason(refusal)})" if refusal and differs else ""
        raise InputError(f"rhs(t, x) failed at a state of {len(x)} values: {place_and_reason(error)}{also}.") from error
    if not torch.equal(given, x):
        raise _changes_its_input()
    if out.shape != x.shape:
        advice = "A system that is not autonomous or has several fields still returns one flat vector."
        raise refuse("rhs(t, x)", f"of shape [{len(x)}], like x", f"shape {list(out.shape)}", advice)
    if out.dtype != x.dtype:
        raise refuse("rhs(t, x)", f"of dtype {x.dtype}, like x", f"{out.dtype}", "Compute in the dtype of x.")
    if not torch.isfinite(out).all():
        where = int(torch.nonzero(~torch.isfinite(out))[0])
        advice = "`sample_initial` decides at which states the system is tried."
        raise refuse("rhs(t, x)", "finite at an initial state", f"{out[where].item()} in component {where}", advice)
    return out.detach().clone()  # a function may return the same memory every time


def _changes_its_input(when: str = "") -> InputError:
    return refuse(f"rhs{when}", "a function that leaves its input x alone", "one that changes it", "Work on a copy.")


def _moment(t: Tensor) -> str:
    return f"{float(t.min()):g}" + (f" to {float(t.max()):g}" if t.min() < t.max() else "")


def _with_memory_of_its_own(evaluate: Form, t: Tensor, x: Tensor, values: Mapping[str, Tensor]) -> Form:
    """`evaluate`, made to copy its result where that shares memory with its input or with its last result.

    A solver keeps several velocities and goes on computing with them.
    """
    try:
        first, second = evaluate(t, x, values), evaluate(t, x.clone(), values)
        places = [y.untyped_storage().data_ptr() for y in (x, first, second)]
    except (Exception, SystemExit):
        return evaluate  # `_agrees` says what is wrong
    if len(set(places)) == len(places):
        return evaluate
    return lambda t, x, values: evaluate(t, x, values).clone()


def _agrees(evaluate: Form, t: Tensor, x: Tensor, values: Mapping[str, Tensor], reference: Tensor) -> bool:
    try:
        out = evaluate(t, x.clone(), values)
    except (Exception, SystemExit):
        return False
    scale = reference.abs().max().clamp_min(1e-300)
    return out.shape == reference.shape and bool(((out - reference).abs() <= 1e-9 * scale).all())


def _differentiates(evaluate: Form, t: Tensor, x: Float[Tensor, "1 D"], values: Mapping[str, Tensor]) -> bool:
    # Gradients that torch gives may still be wrong: torch does not see a part that is computed without it.
    direction = torch.stack([torch.linspace(0.5, 1, x.shape[1], dtype=x.dtype), x[0]])
    direction = direction / size_of(direction)

    def along(v: Tensor) -> Tensor:
        return torch.func.jvp(lambda y: evaluate(t, y, values), (x,), (v[None],))[1]  # type: ignore[misc]

    def agrees(h: float) -> bool:
        ends = [(evaluate(t, x + h * v, values), evaluate(t, x - h * v, values)) for v in direction]
        slope = torch.stack([(above - below) / (2 * h) for above, below in ends])
        return bool(((exact - slope).abs() <= 1e-4 * slope.abs().max().clamp_min(1e-300)).all())

    try:
        exact = torch.func.vmap(along)(direction)
    except (Exception, SystemExit):
        return False
    # A state may be of the size of its units, or small beside them; a derivative that is wrong is so at both steps.
    size = float(size_of(x))
    return agrees(1e-5 * size) or agrees(1e-5 * (1 + size))


def _timewise(evaluate: Form, t: Tensor, x: Tensor, values: Mapping[str, Tensor]) -> bool:
    times = t + torch.linspace(0, 0.7, len(x), dtype=x.dtype)
    try:
        rows = enumerate(zip(times, x, strict=True))
        reference = torch.stack([evaluate(s, row[None], cut(values, slice(i, i + 1)))[0] for i, (s, row) in rows])
    except (Exception, SystemExit):  # `rhs` may not be defined at all these times: a later call at one of them says so
        return False
    return _agrees(evaluate, times, x, values, reference)


def _torch_batched(rhs: Callable[..., Any]) -> Form:
    return lambda t, x, parameters: rhs(t, x, **parameters)


def _torch_single(rhs: Callable[..., Any]) -> Form:
    return _row_by_row(_torch_batched(rhs))


def _torch_mapped(rhs: Callable[..., Any]) -> Form:
    def evaluate(t: Tensor, x: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        flat = {k: v.expand(x.shape[:-1]).reshape(-1) if v.ndim else v for k, v in parameters.items()}
        time = t.expand(x.shape[:-1]).reshape(-1) if t.ndim else t
        batched = torch.func.vmap(
            lambda s, y, p: rhs(s, y, **p),
            in_dims=(0 if t.ndim else None, 0, {k: 0 if v.ndim else None for k, v in flat.items()}),
        )
        return batched(time, rows, flat).reshape(x.shape)

    return evaluate


def _numpy_single(rhs: Callable[..., Any]) -> Form:
    def evaluate_row(t: Tensor, x: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        state = x.detach().cpu().numpy()  # shares memory on the CPU, so that a change of the input is seen
        return _real(rhs(float(t), state, **{k: float(v) for k, v in parameters.items()}))

    return _row_by_row(evaluate_row)


def _row_by_row(evaluate_row: Form) -> Form:
    def evaluate(t: Tensor, x: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        if x.ndim == 1:
            return evaluate_row(t, x, parameters)
        lead, rows = x.shape[:-1], x.reshape(-1, x.shape[-1])
        flat = {k: v.expand(lead).reshape(-1) for k, v in parameters.items()}
        time = t.expand(lead).reshape(-1)
        out = [evaluate_row(time[i], row, {k: v[i] for k, v in flat.items()}) for i, row in enumerate(rows)]
        return torch.stack(out).reshape(x.shape).to(x) if out else torch.empty_like(x)

    return evaluate


def _numpy_batched(rhs: Callable[..., Any]) -> Form:
    def evaluate(t: Tensor, x: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        values = {k: v.cpu().numpy() if v.ndim else float(v) for k, v in parameters.items()}
        return _real(rhs(_number(t), x.detach().cpu().numpy(), **values)).to(x.device)

    return evaluate


def _numpy_columns(rhs: Callable[..., Any]) -> Form:
    def evaluate(t: Tensor, x: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        lead = x.shape[:-1]
        values = {k: v.expand(lead).reshape(-1).cpu().numpy() if v.ndim else float(v) for k, v in parameters.items()}
        columns = x.detach().cpu().reshape(-1, x.shape[-1]).T.numpy()
        time = t.expand(lead).reshape(-1) if t.ndim else t
        return _real(rhs(_number(time), columns, **values)).T.reshape(x.shape).to(x.device)

    return evaluate


def _number(t: Tensor) -> Any:
    return t.cpu().numpy() if t.ndim else float(t)


def _real(value: Any) -> Tensor:
    try:
        array = np.asarray(value)
    except ValueError as error:  # a list of lists of several lengths
        raise refuse("rhs(t, x)", "an array like x", f"a {type(value).__name__} of unequal parts") from error
    if array.dtype == object:
        raise refuse("rhs(t, x)", "an array of numbers like x", kind_of(value), "Return the velocity.")
    if array.dtype.kind not in "fiu" or array.dtype.itemsize < 8:
        raise refuse("rhs(t, x)", "of dtype float64", str(array.dtype), "Compute in the dtype of x.")
    return torch.from_numpy(np.array(array, dtype=np.float64))
