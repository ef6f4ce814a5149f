"""The contract of a transform, as a check."""

from dataclasses import replace

import torch

from dynred.annotations import fitting_arguments
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform, TransformSpec
from dynred.data.variables import Variable, variables_attribute
from dynred.testing.claims import ROUND_OFF, Claim, check_settings, claims, close

STEP = 0.02  # time between snapshots of the samples


def waves(n: int = 6) -> Trajectories:
    """Trajectories of different lengths, evenly sampled, with exact velocities, of four positive variables that their
    attributes name, and that lie on a grid which is not uniform."""
    k = torch.tensor([1.0, 1.3, 0.7, 2.1], dtype=torch.float64)
    parts = []
    for i in range(n):
        t = STEP * torch.arange(160 + 20 * i, dtype=torch.float64)[:, None]
        states, velocities = 2.5 + torch.sin(k * (t + i)) + 0.3 * torch.cos(2 * k * (t + i)), torch.cos(k * (t + i)) * k
        velocities = velocities - 0.6 * k * torch.sin(2 * k * (t + i))
        number = {"number": torch.tensor([float(i)], dtype=torch.float64)}
        parts.append(Trajectories(states, t[:, 0], torch.tensor([len(t)]), velocities, number))
    named = variables_attribute(Variable(name, 1) for name in ("a", "b", "c", "d"))
    axis = {"name": "x", "coordinates": [0.0, 0.1, 0.4, 1.0], "unit": "", "period": None}
    grid = {"axes": [axis], "components": ["u"]}
    return replace(Trajectories.concatenate(parts), attributes={**named, "grid": grid})


def check_transform(spec: TransformSpec, trajectories: Trajectories | None = None) -> None:
    """Checks a transform by fitting it.

    Args:
        spec: its settings.
        trajectories: at least four, evenly sampled, of different lengths, with velocities; default: waves.

    Raises:
        AssertionError: the broken contract.
    """
    claim, data = claims(type(spec).__name__), trajectories or waves()
    half = len(data) // 2
    train, test = data[:half], data[half:]
    before = train.digest()
    transform = spec.fit(train)
    claim(train.digest() == before, "fit must leave the trajectories alone.")
    check_settings(claim, spec, TransformSpec, transform.spec)
    claim(_same(transform, spec.fit(train)), "two fits must agree bit for bit.")
    shown = transform.transformed(test)
    _check_shapes(claim, transform, test, shown)
    _check_inverse(claim, transform, test, shown)
    _check_velocities(claim, transform, test)
    alone = torch.cat([transform.transformed(test[i]).states for i in range(len(test))])
    claim(torch.equal(alone, shown.states), "each trajectory must be transformed as if it were alone.")
    cut = replace(test, velocities=None)
    claim(torch.equal(transform.transformed(cut).states, shown.states), "velocities must not change the states.")
    built = spec.build(**fitting_arguments("sizes", transform.sizes(), spec.build))
    built.load_state_dict(transform.state_dict())
    claim(torch.equal(built.transformed(test).states, shown.states), "build and load_state_dict must give the same.")


def _check_shapes(claim: Claim, transform: Transform, test: Trajectories, shown: Trajectories) -> None:
    claim(transform.state_dim == test.dim, "state_dim must be the dimension of the training states.")
    claim(shown.dim == transform.dim, "dim must be the dimension of the transformed states.")
    claim(shown.states.dtype == torch.float64, "transformed states must be float64.")
    lengths = test.lengths - transform.past + 1
    claim(torch.equal(shown.lengths, lengths), "each trajectory must lose past - 1 snapshots, at its beginning.")
    claim(shown.parameters.keys() == test.parameters.keys(), "parameters must stay.")
    x = test[0].states
    window = transform(x[: transform.past])
    claim(torch.equal(window[0], shown.states[0]), "`past` snapshots must be enough for one state.")
    batch = torch.stack([x, x])
    claim(torch.equal(transform(batch)[1], transform(x)), "forward must take any leading axes.")


def _check_inverse(claim: Claim, transform: Transform, test: Trajectories, shown: Trajectories) -> None:
    present = torch.cat([x[transform.past - 1 :] for x in test.states.split(test.lengths.tolist())])
    back = transform.undo(shown.states)
    claim(close(back, present.double(), ROUND_OFF), "undo must give the present state.")
    wide = transform.undo(shown.states[None, :, None])
    claim(torch.equal(wide[0, :, 0], back), "undo must take any leading axes.")
    times = torch.cat([grid[transform.past - 1 :] for grid in test.grids])
    claim(torch.equal(shown.t, times), "times must be those of the present states.")


def _check_velocities(claim: Claim, transform: Transform, test: Trajectories) -> None:
    moved = transform.transformed(test[0])
    claim(moved.velocities is not None, "velocities must be pushed forward.")
    assert moved.velocities is not None
    difference = (moved.states[2:] - moved.states[:-2]) / (moved.t[2:] - moved.t[:-2])[:, None]
    scale = float(moved.velocities.abs().max())
    off = float((moved.velocities[1:-1] - difference).abs().max())
    claim(off <= 0.01 * scale, "velocities must agree with the differences of transformed states.")


def _same(a: Transform, b: Transform) -> bool:
    first, second = a.state_dict(), b.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
