"""Do scores and warnings say what happened? On data whose truth is known.

    python benchmarks/truth.py [intervals] [velocities] [two_valued] [orbits] [--seed 1000]

prints, each with what it must be:

intervals   metrics of three reduced models, 200 draws of 5 to 12 of 1,500 test trajectories each: how often a printed
            number lies in its interval, and how often 95 % intervals hold that of all 1,500;
velocities  40 random data sets: estimated against true errors of velocities, and the chosen method against the best;
two_valued  ten systems of the catalogue, whole and in part: is the motion determined by the states?
orbits      a single trajectory over 3, 10 and 30 periods of each limit cycle and torus: components and Betti numbers.

The data sets of the last three are those of the tests, with other seeds.
"""

import argparse
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

import dynred
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.evaluation.spreads import Score
from dynred.geometry.two_valued import two_valued
from dynred.metrics.base import cut_off, find_metrics, measured
from dynred.models.forecast import forecast_to_score
from dynred.models.reduced import ReducedSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator

TESTS = Path(__file__).parents[1] / "tests"
MODELS = {"stuart_landau": (1, 4.0), "lorenz63": (2, 2.0), "mean_field_wake": (2, 10.0)}  # coordinates, time units
POPULATION, DRAWS, SMALLEST, LARGEST = 1500, 200, 5, 12
SETS, ROUND_OFF = 40, 1e-9


def of_the_tests(path: str) -> ModuleType:
    """A module of the tests, where data sets are made."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, TESTS / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def populations(count: int, seed: int) -> Iterator[tuple[str, dynred.Metric, np.ndarray, np.ndarray]]:
    """Every metric of reduced models over so many test trajectories [N]: what of, the metric, values, which are cut."""
    for name, (coordinates, span) in MODELS.items():
        system, rng = dynred.find_system(name), generator(seed, name)
        times = torch.linspace(0, span, 81, dtype=torch.float64)
        train, validation, test = (dynred.simulate(system, n, times, rng=rng) for n in (32, 8, count))
        model = ReducedSpec(PODSpec(coordinates), PolynomialODESpec()).fit(train, validation, rng=rng)
        predictions = forecast_to_score(model, test, ())
        for metric in find_metrics():
            yield name, metric, measured(metric, predictions).numpy(), cut_off(metric, predictions).numpy()


def intervals(seed: int, count: int = POPULATION, draws: int = DRAWS) -> dict[str, tuple[int, int]]:
    """How often numbers lie in their intervals, and intervals hold the truth: of how many."""
    found = {"inside": [0, 0], "median": [0, 0], "mean": [0, 0]}
    rng = np.random.default_rng(seed)
    for name, metric, values, cut in populations(count, seed):
        if np.ptp(values) == 0:  # where all are the same, every interval holds it
            continue
        held = {"median": [0, 0], "mean": [0, 0]}
        whole = Score.of(values, metric.higher_is_better, censored=cut)
        for _ in range(draws):
            rows = rng.choice(count, int(rng.integers(SMALLEST, LARGEST + 1)), replace=False)
            score = Score.of(values[rows], metric.higher_is_better, censored=cut[rows])
            for number in held:
                ends = getattr(score, f"{number}_interval")
                if ends is None or not np.isfinite(getattr(whole, number)):
                    continue
                low, high = ends[0], np.inf if f"{number}_interval" in score.at_least else ends[1]
                if number == "median" or not cut.any():  # a mean of times that are cut off is no mean of times
                    held[number] = [held[number][0] + (low <= getattr(whole, number) <= high), held[number][1] + 1]
                slack = 1e-12 * abs(getattr(score, number))
                found["inside"][0] += low - slack <= getattr(score, number) <= high + slack
                found["inside"][1] += 1
        said = ", ".join(f"{number} {k} of {n}" for number, (k, n) in held.items() if n)
        print(f"  {name}, {metric.name}: {said}", flush=True)
        for number, (k, n) in held.items():
            found[number] = [found[number][0] + k, found[number][1] + n]
    for number, must in (("inside", "always"), ("median", "92 to 98 %"), ("mean", "92 to 98 %")):
        k, n = found[number]
        print(f"intervals, {number}: {k} of {n}, {100 * k / max(1, n):.1f} % (must: {must})", flush=True)
    return {name: (k, n) for name, (k, n) in found.items()}


def velocities(seed: int, sets: int = SETS) -> tuple[int, int]:
    """How many data sets have an estimated error within a factor 2, and a method within 1.5 times the best."""
    rows = [of_the_tests("data/test_velocity_error.py").measured(seed + i) for i in range(sets)]
    near = sum(0.5 * true - ROUND_OFF <= told <= 2 * true + ROUND_OFF for _, told, true, _ in rows)
    good = sum(true <= 1.5 * best + ROUND_OFF for _, _, true, best in rows)
    print(f"velocities: {near} of {sets} within a factor 2, {good} within 1.5 of the best (must: 36 of 40 each)")
    return near, good


def apart() -> int:
    """How many of ten systems, whole and in part, are told apart."""
    module, right = of_the_tests("geometry/test_two_valued.py"), 0
    for name, columns in module.SEEN.items():
        data = module.full(name)
        whole, part = two_valued(data), two_valued(module.seen(data, columns))
        right += (not whole.verdict) + part.verdict
        print(f"  {name}: whole {whole.statistic:.3g}, in part {part.statistic:.3g}", flush=True)
    print(f"two_valued: {right} of {2 * len(module.SEEN)} right (must: 20 of 20)")
    return right


def orbits(seed: int) -> int:
    """How many single trajectories have one component and the right Betti numbers."""
    module, right, wrong = of_the_tests("geometry/test_flows.py"), 0, []
    for name in module.ORBITS:
        for periods in module.PERIODS:
            data, betti = module.orbit(name, periods, seed=seed)
            verdict = module.judged(data)
            if (verdict.components, verdict.betti) == (1, betti):
                right += 1
            else:
                wrong.append(f"{name} over {periods} periods: {verdict.betti}, confidence {verdict.level}")
    print("\n".join(f"  {line}" for line in wrong))
    print(f"orbits: {right} of {len(module.ORBITS) * len(module.PERIODS)} right (must: 28 of 30)")
    return right


def main() -> None:
    """Prints what was asked for, or all; see the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["intervals", "velocities", "two_valued", "orbits", []])
    parser.add_argument("--seed", type=int, default=1000)
    options = parser.parse_args()
    parts = {
        "intervals": lambda: intervals(options.seed),
        "velocities": lambda: velocities(options.seed),
        "two_valued": apart,
        "orbits": lambda: orbits(options.seed),
    }
    for name in options.parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()
