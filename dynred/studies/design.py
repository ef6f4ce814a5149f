"""Which experiments a study makes: a list of settings, and the axes along which they differ."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from dynred.checks import instance_of, refuse
from dynred.dynamics.base import DynamicsSpec
from dynred.errors import InputError
from dynred.experiments.spec import ExperimentSpec
from dynred.plugins import load_class
from dynred.reducers.base import ReducerSpec
from dynred.spec import Spec

Value = None | bool | int | float | str
Point = Mapping[str, Value]


@dataclass(frozen=True)
class Design(Sequence[ExperimentSpec]):
    """The experiments of a study.

    Attributes:
        axes: dotted paths of the settings that vary.
        points: for each experiment, its value on every axis; groups of settings by their names.
        specs: the settings of each experiment, all of them different.
    """

    axes: tuple[str, ...]
    points: tuple[Point, ...]
    specs: tuple[ExperimentSpec, ...]

    @classmethod
    def of(cls, specs: Iterable[ExperimentSpec]) -> "Design":
        """The design of any experiments; its axes are the settings in which they differ.

        Raises:
            InputError: there are none, or one is no ExperimentSpec.
        """
        if isinstance(specs, Design):
            return specs
        given = [instance_of(f"row {i + 1} of the study", spec, ExperimentSpec) for i, spec in enumerate(specs)]
        leaves = [_leaves(spec) for spec in given]
        axes = _differing(leaves)
        return cls.distinct(axes, [{axis: row.get(axis) for axis in axes} for row in leaves], given)

    @classmethod
    def distinct(cls, axes: Iterable[str], points: Sequence[Point], specs: Sequence[ExperimentSpec]) -> "Design":
        """The design without repetitions of the same settings.

        Raises:
            InputError: there are no experiments.
        """
        if not specs:
            raise refuse("specs", "at least one experiment", "none")
        first = {spec.digest(): i for i, spec in reversed(list(enumerate(specs)))}
        rows = sorted(first.values())
        return cls(tuple(axes), tuple(points[i] for i in rows), tuple(specs[i] for i in rows))

    @overload
    def __getitem__(self, index: int) -> ExperimentSpec: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ExperimentSpec]: ...

    def __getitem__(self, index: int | slice) -> ExperimentSpec | Sequence[ExperimentSpec]:
        return self.specs[index]

    def __len__(self) -> int:
        return len(self.specs)


def varied(base: ExperimentSpec, rows: Iterable[Mapping[str, Any]], axes: Sequence[str]) -> Design:
    """The experiments of which each changes some settings of `base`.

    Args:
        base: the settings that all share.
        rows: for each experiment, its values by the dotted paths of `axes`.
        axes: the paths.

    Raises:
        InputError: a setting is unknown, or refuses its value; the message names the row.
    """
    points, specs = [], []
    for i, row in enumerate(rows):
        specs.append(changed(base, row, f"row {i + 1} of the study"))
        points.append({axis: label(row[axis]) for axis in axes})
    return Design.distinct(axes, points, specs)


def changed(base: ExperimentSpec, values: Mapping[str, Any], row: str) -> ExperimentSpec:
    """`base` with other values of some settings, groups before what is within them.

    Reducers and dynamics may be given by their names.

    Raises:
        InputError: a setting is unknown, or refuses its value; the message names the row.
    """
    spec = base
    for path in sorted(values, key=lambda path: (path.count("."), path != "latent_dim")):
        try:
            spec = spec.updated(path, _meant(path, values[path], spec))
        except InputError as error:
            shown = ", ".join(f"{name}={label(value)}" for name, value in values.items())
            raise InputError(f"{row} ({shown}): {error}") from error
    return spec


def label(value: object) -> Value:
    """A value of a setting as a cell of a table; a group of settings by its name, and what is no default."""
    if isinstance(value, Spec):
        default = type(value)().to_dict() if _has_defaults(type(value)) else {}
        changes = {name: item for name, item in value.to_dict().items() if name not in ("kind", "latent_dim")}
        own = [f"{name}={_short(item)}" for name, item in changes.items() if default.get(name) != item]
        return value.kind().rpartition(":")[2] + (f" ({', '.join(own)})" if own else "")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def fixed_settings(design: Design) -> dict[str, Value]:
    """The settings that all experiments of a design share, by their dotted paths."""
    rows = [_leaves(spec) for spec in design.specs]
    follows = ("reducer.latent_dim",) if "latent_dim" in design.axes else ()
    return {
        path: value
        for path, value in rows[0].items()
        if not any(path == axis or path.startswith(f"{axis}.") for axis in (*design.axes, *follows))
        and all(path in row and row[path] == value for row in rows)
    }


def _meant(path: str, value: object, spec: ExperimentSpec) -> object:
    if path == "reducer" and isinstance(value, str):
        return load_class("dynred.reducers", value, ReducerSpec)(latent_dim=spec.latent_dim)
    if path == "dynamics" and isinstance(value, str):
        return load_class("dynred.dynamics", value, DynamicsSpec)()
    return value


def _has_defaults(kind: type[Spec]) -> bool:
    try:
        kind()
    except (TypeError, InputError):
        return False
    return True


def _short(item: object) -> str:
    return str(item.get("kind")) if isinstance(item, Mapping) and "kind" in item else str(item)


def _leaves(spec: Spec, above: str = "") -> dict[str, Value]:
    """Every setting by its dotted path; a group by its kind."""
    leaves: dict[str, Value] = {}
    for name in spec.to_dict():
        inner = None if name == "kind" else getattr(spec, name)
        path = f"{above}{name}"
        if isinstance(inner, Spec):
            leaves |= {path: inner.kind().rpartition(":")[2], **_leaves(inner, f"{path}.")}
        elif isinstance(inner, Mapping):
            leaves |= {f"{path}.{key}": label(item) for key, item in inner.items()}
        elif name != "kind":
            leaves[path] = label(inner)
    return leaves


def _differing(rows: Sequence[Mapping[str, Value]]) -> list[str]:
    """The paths in which rows differ, without those that only follow from others."""
    paths = list(dict.fromkeys(path for row in rows for path in row))
    differing = [path for path in paths if any(row.get(path) != rows[0].get(path) for row in rows)]
    kinds = [path for path in differing if any(other.startswith(f"{path}.") for other in paths)]
    return [
        path
        for path in differing
        if not (path == "reducer.latent_dim" and "latent_dim" in differing)
        and not any(path.startswith(f"{kind}.") and _follows(rows, kind, path) for kind in kinds)
    ]


def _follows(rows: Sequence[Mapping[str, Value]], kind: str, path: str) -> bool:
    """Whether a setting within a group is the same wherever the group is of the same kind."""
    by_kind: dict[Value, set[Value]] = {}
    for row in rows:
        by_kind.setdefault(row.get(kind), set()).add(row.get(path))
    return all(len(values) == 1 for values in by_kind.values())
