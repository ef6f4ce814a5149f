import importlib.util
import json
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from dynred.errors import InputError
from dynred.files import read_json
from dynred.rng import generator

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name):
    """A module of the examples."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs one part with little effort: (its rows, the files it leaves)."""
    monkeypatch.syspath_prepend(EXAMPLES)

    def part(name):
        found = load("why_autoencoders_work").main(tmp_path, [name])
        assert read_json(tmp_path / "parts.json")[name]["rows"] == found[name].rows
        assert len(json.loads((tmp_path / "results.json").read_text())) == len(found[name].rows)
        return found[name].rows, {path.name for path in tmp_path.iterdir()}

    return part


def test_each_of_two_linked_circles_has_a_point_that_one_coordinate_misses_by_its_radius(run):
    rows, files = run("1")
    assert len(rows) == 3
    assert all(row[f"maximum, circle {i}"] >= 1 for row in rows for i in (1, 2))
    assert "1_linked_circles.png" in files


def test_spheres_and_tori_fit_where_topology_allows_it(run):
    largest = {row["case"]: row["maximum"] for row in run("4")[0]}
    assert largest["sphere into 2 lines"] >= 1
    assert largest["sphere into 3 lines"] < 0.5
    assert largest["torus into 2 lines"] >= 0.5
    assert largest["torus into 2 angles"] < 0.1


def test_a_network_without_training_error_is_wrong_on_most_of_the_set(run):
    rows, files = run("6")
    assert all(row["largest training error"] < 1e-6 < row["median error on K"] for row in rows)
    assert all(row["K0"] > 0.5 for row in rows)
    assert "6_memorised.png" in files


def test_any_samples_are_memorised_by_two_layers_of_two_units_for_each(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    samples = torch.randn(40, 5, generator=generator(0, "any"), dtype=torch.float64)
    network = load("memorising_network").Memoriser.of(samples, rng=generator(0, "line"))
    assert network.depth == 2 * 40 - 2
    assert (network.reconstruct(samples) - samples).abs().max() < 1e-8
    assert (network.reconstruct(samples + 1e-3) - samples).abs().max() > 1e-3


def test_a_claim_that_does_not_hold_ends_the_run_after_its_numbers_are_kept(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    why = load("why_autoencoders_work")
    rows = [{"maximum": 0.9}]
    monkeypatch.setitem(why.PARTS, "6", lambda full: why.Findings(rows, {"at least 1": False}))
    with pytest.raises(AssertionError, match="part 6"):
        why.main(tmp_path, ["6"])
    assert read_json(tmp_path / "parts.json")["6"] == {"rows": rows, "claims": {"at least 1": False}}


def test_a_part_replaces_its_own_figures_and_no_others(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    why = load("why_autoencoders_work")
    findings = why.Findings([{"maximum": 1.0}], {}, {"6_line": Figure()})
    (tmp_path / "6_line.png").write_text("mine")
    for _ in range(2):  # however often
        with pytest.raises(InputError, match="which dynred did not write"):
            why.kept(findings, "6", tmp_path)
    assert (tmp_path / "6_line.png").read_text() == "mine"
    for _ in range(2):
        why.kept(findings, "6", tmp_path / "own")
    assert (tmp_path / "own" / "6_line.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_more_work_leaves_less_of_the_circles_wrong_but_never_none(run):
    rows = run("2")[0]
    assert rows[-1]["measure of K0"] < rows[0]["measure of K0"] / 3
    assert all(row["maximum, better circle"] >= 1 for row in rows)


@pytest.mark.slow
def test_an_angle_turns_a_thousand_times_where_a_line_does_not_turn_once(run):
    stepwise, line, angle, atlas = run("3")[0]
    assert stepwise["turns with an error above 0.5, %"] == 100
    assert line["median error, last turn"] > 0.5
    assert angle["turns"] == 1000
    assert angle["largest error, last turn"] < 0.1
    assert atlas["distance from K, last turn"] < 0.1


@pytest.mark.slow
def test_two_angles_follow_a_quasi_periodic_torus_in_phase(run):
    (row,) = run("5.quasi-periodic torus")[0]
    assert row["largest reconstruction error"] < 1e-3
    assert row["largest rollout error"] < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("case", ["circle", "periodic torus", "beating", "travelling", "bursting", "spiral"])
def test_the_other_sets_of_candyman_are_followed_on_an_atlas(run, case):
    (row,) = run(f"5.{case}")[0]
    assert row["largest reconstruction error"] < 0.1
    assert row["off K after 10 x"] < 0.2
