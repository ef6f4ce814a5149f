"""Run folders side by side, on test trajectories that they have in common."""

from collections.abc import Sequence
from pathlib import Path

from dynred.checks import refuse
from dynred.compare import Comparison, compare
from dynred.experiment import ExperimentSpec, stored_spec
from dynred.model import load_model
from dynred.optimise import Runtime
from dynred.pipeline import simulate_parts, split_data
from dynred.rng import generator
from dynred.system import System


def compare_runs(outs: Sequence[str | Path], *, runtime: Runtime | None = None) -> Comparison:
    """The models of run folders on the first one's test trajectories; their latent dimensions may differ.

    Raises:
        FileFormatError: a folder holds no run.
        InputError: the runs have no test in common; see `why_not`.
    """
    specs = [stored_spec(out) for out in outs]
    if reason := why_not(specs):
        raise refuse("runs", "comparable on one test", reason)
    first, source = specs[0], specs[0].open()
    if isinstance(source, System):
        test = simulate_parts(source, first.data, first.seed, runtime or Runtime())[2]
    else:
        test = split_data(source, first.data, generator(first.seed, "split"))[2]
    names = [Path(out).name for out in outs]
    names = names if len(set(names)) == len(names) else [str(out) for out in outs]
    return compare(
        {name: load_model(out) for name, out in zip(names, outs, strict=True)}, test, threshold=first.threshold
    )


def why_not(specs: Sequence[ExperimentSpec]) -> str:
    """Why runs cannot be compared trajectory by trajectory; empty where they can.

    Every test set of one system will do for all models of it: test and training sets come from random streams of their
    own. Data are split, so what is the test of one run may be what another was trained on.
    """
    first = specs[0]
    if any((spec.source, dict(spec.arguments)) != (first.source, dict(first.arguments)) for spec in specs):
        return f"runs of different systems or data: {', '.join(sorted({spec.source for spec in specs}))}"
    is_data = not isinstance(first.open(), System)
    if is_data and any((spec.seed, spec.data) != (first.seed, first.data) for spec in specs):
        return "runs that split the same data differently"
    return ""
