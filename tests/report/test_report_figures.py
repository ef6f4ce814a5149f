"""Figures of long-time statistics, exponents and ensembles: what is drawn is what was measured."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_report import ABOUT, Drawn, line, scored, waves, with_prediction

from dynred.dynamics.ensemble import EnsembleSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.evaluation.evaluate import score
from dynred.evaluation.records import Coverage, Exponents, LongTime
from dynred.models.forecast import forecast
from dynred.models.reduced import ReducedModel
from dynred.reducers.pod import PODSpec
from dynred.report.context import Context
from dynred.report.figures.band_coverage import BandCoverage
from dynred.report.figures.ensemble_bands import EnsembleBands
from dynred.report.figures.error_split import ErrorSplit
from dynred.report.figures.exponents import LyapunovExponents
from dynred.report.figures.joint_density import JointDensities
from dynred.report.figures.spectra import Spectra
from dynred.report.model_page import FOLDER
from dynred.report.page import find_figures
from dynred.report.tables import exponents, results
from dynred.rng import generator
from dynred.training.minimise import TrainingSpec


@pytest.fixture(scope="module")
def field():
    return scored(waves(steps=60), line())


@pytest.fixture(scope="module")
def ensemble():
    truth = waves(steps=60)
    reducer = PODSpec(2).fit(truth, truth, rng=generator(0))
    latents = truth.map(reducer.encode)
    member = NeuralODESpec(width=8, depth=1, training=TrainingSpec(steps=5, batch_size=32, validations=2))
    dynamics = EnsembleSpec(member=member, members=3).fit(latents, latents, rng=generator(0))
    model = ReducedModel(reducer, dynamics, ABOUT)
    found = forecast(model, truth)
    return Context(model, score(found, model), found, line())


def with_exponents(context):
    full, reduced = Exponents([0.1, 0.0, -1.0], [0.01] * 3, 2.1), Exponents([0.2, 0.1, -1.5], [0.02] * 3, None)
    found = LongTime(100, 1e4, 2, (0.2, 7.0), context.evaluation.statistics, full, reduced)
    return replace(context, evaluation=replace(context.evaluation, long_time=found))


def test_the_split_curves_are_the_three_errors(field):
    drawn = Drawn.of(ErrorSplit(), field)
    curve = field.evaluation.rollout.error
    shown = drawn.line("dynamics: prediction against reconstruction")
    n = len(shown.get_xdata())
    np.testing.assert_allclose(shown.get_xdata(), curve.t[:n])
    np.testing.assert_allclose(shown.get_ydata()[1:], np.maximum(curve.dynamics[1:n], 1e-8))


def test_a_diverged_prediction_has_no_power():
    context = scored(waves(steps=60), line())
    lost = with_prediction(context, torch.full((300, 16), torch.nan, dtype=torch.float64))
    drawn = Drawn.of(Spectra(), lost).axes[0]
    truth, predicted = (next(c for c in drawn.get_lines() if c.get_label() == n) for n in ("truth", "prediction"))
    assert np.nanmax(truth.get_ydata()) > 0
    assert np.isnan(predicted.get_ydata().astype(float)).all()  # no power at all has no place on a logarithmic axis


def test_densities_of_truth_and_prediction_share_axes_and_colours(field):
    axes = Drawn.of(JointDensities(), field).axes
    first, second = (ax.collections[0] for ax in axes[:2])
    assert first.get_clim() == second.get_clim()
    assert axes[0].get_xlim() == axes[1].get_xlim()
    area = np.diff(field.gauges["joint_density"].axes[0])[0] * np.diff(field.gauges["joint_density"].axes[1])[0]
    assert np.nansum(first.get_array().filled(0)) * area == pytest.approx(1)


def test_captions_give_the_distance_beside_chance(field):
    found = field.evaluation.statistics["joint_density"]
    assert f"distance {found.distance:.2g}" in JointDensities().caption(field)
    assert f"chance alone gives {found.sampling_error:.2g}" in JointDensities().caption(field)


def test_exponents_are_drawn_and_listed_where_they_were_computed(field):
    assert not LyapunovExponents().applies(field)
    assert exponents(field) == []
    context = with_exponents(field)
    assert LyapunovExponents().applies(context)
    _, reduced = Drawn.of(LyapunovExponents(), context).axes[0].containers
    np.testing.assert_allclose(reduced[0].get_xydata(), [[1, 0.2], [2, 0.1], [3, -1.5]])
    rows = exponents(context)
    assert rows[0] == ("1", "0.1000 ± 0.0100", "0.2000 ± 0.0200")
    assert rows[-1] == ("Kaplan-Yorke dimension", "2.1", "–")
    assert any(row.name == "rollouts that left" and row.cells[0].value == "2" for row in results(context))


def test_every_score_of_the_table_has_its_interval(field):
    rows = results(field)
    assert len(rows) > 20
    tails = ("10 %", "95 %", "99 %", "maximum", "worst")  # six trajectories cannot tell them
    assert all(row.cells[0].interval for row in rows if not any(tail in row.name for tail in tails))
    assert not any(row.cells[0].interval for row in rows if row.name.endswith(("maximum", "worst")))
    assert {"joint density", "marginals"} <= {row.name.partition(" (")[0] for row in rows}


def test_the_band_of_an_ensemble_reaches_from_its_lowest_to_its_highest_member(ensemble):
    assert EnsembleBands().applies(ensemble)
    drawn = Drawn.of(EnsembleBands(), ensemble)
    band = drawn.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    one = ensemble.forecast.truth[ensemble.typical]
    z0, t = ensemble.model.encode(one.initial), one.t - one.t[0]
    latents = torch.stack([member.rollout(z0, t)[0] for member in ensemble.model.dynamics.members])
    a = ensemble.coordinates(ensemble.model.decode(latents))[..., 0]
    assert band.min() == pytest.approx(a.min())
    assert band.max() == pytest.approx(a.max())


def test_only_an_ensemble_has_a_band(field):
    assert not EnsembleBands().applies(field)


def test_the_coverage_of_bands_is_drawn_where_it_was_scored(field):
    assert not BandCoverage().applies(field)
    band = Coverage(0.9, [0.0, 1.0, 2.0], [0.91, 0.9, 0.88], [0.88, 0.87, 0.8], [0.94, 0.93, 0.92])
    context = replace(field, evaluation=replace(field.evaluation, band=band))
    assert BandCoverage().applies(context)
    curve = Drawn.of(BandCoverage(), context).axes[0].get_lines()[0]
    np.testing.assert_allclose(curve.get_xydata(), [[0, 0.91], [1, 0.9], [2, 0.88]])
    assert "90 %" in BandCoverage().caption(context)


def test_every_figure_says_how_to_read_it(ensemble):
    context = with_exponents(ensemble)
    shown = [figure for figure in find_figures(FOLDER) if figure.applies(context)]
    names = {type(figure).__name__ for figure in shown}
    assert {"Spectra", "JointDensities", "ErrorSplit", "EnsembleBands", "LyapunovExponents"} <= names
    assert all(len(figure.caption(context)) > 60 for figure in shown)
