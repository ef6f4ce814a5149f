"""The report page: self-contained, true to the evaluation, and whole for every kind of forecast."""

import base64
import io
import math
import warnings
from dataclasses import dataclass, replace
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
import torch
from torch import nn

from dynred.data.grid import Axis, Grid
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.evaluation.error_curve import error_curve
from dynred.evaluation.evaluate import score
from dynred.evaluation.records import Cost, Speedup
from dynred.models.forecast import Forecast, forecast
from dynred.models.reduced import ReducedModel
from dynred.numerics.latent_space import LatentSpace
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import Reducer
from dynred.reducers.pod import PODSpec
from dynred.report import page
from dynred.report.context import Context
from dynred.report.figures.base import BOTTOM, STYLE
from dynred.report.figures.error_growth import ErrorGrowth
from dynred.report.figures.reconstruction import Reconstruction
from dynred.report.figures.space_time import SpaceTime
from dynred.report.figures.training import Training
from dynred.report.figures.valid_times import ValidTimes
from dynred.report.model_page import FOLDER, render, write_report
from dynred.report.page import find_figures
from dynred.report.summary import number, settings_rows, verdict
from dynred.rng import generator
from dynred.training.minimise import TrainingSpec

SETTINGS = {
    "schema": 1,
    "seed": 7,
    "versions": {"torch": "2.13.0"},
    "spec": {"reducer": {"kind": "pod", "latent_dim": 2}, "note": "<b>bold</b>"},
}
ABOUT = {"system": "waves", "time_scale": 4.0, "time_scale_name": "periods", "time_unit": "seconds"}
ALWAYS = {"How the error grows", "How long predictions stay valid", "The latent space"}


# -- material ----------------------------------------------------------------------------------------------------------


def waves(n=5, steps=30, points=16, components=1, offset=0.0):
    """Travelling waves of random phase, amplitude and a little of a second harmonic; exact velocities."""
    rng = generator(0, "waves")
    t = torch.linspace(0, 12, steps, dtype=torch.float64)
    x = 2 * math.pi * torch.arange(points, dtype=torch.float64) / points
    phase = 2 * math.pi * torch.rand(n, components, 1, 1, generator=rng, dtype=torch.float64)
    argument = x - t[:, None] + phase
    size = 1 + 0.1 * torch.rand(n, components, 1, 1, generator=rng, dtype=torch.float64)
    u = offset + size * (torch.cos(argument) + 0.2 * torch.cos(2 * argument))
    v = size * (torch.sin(argument) + 0.4 * torch.sin(2 * argument))
    states, velocities = (f.transpose(1, 2).reshape(n, steps, -1) for f in (u, v))
    return Trajectories.from_stacked(states, t, velocities)


def line(points=16, components=("u",)):
    x = 2 * math.pi * torch.arange(points, dtype=torch.float64) / points
    return Grid((Axis("x", x, unit="m"),), components)


def linear_model(truth, latent_dim=2, about=ABOUT):
    rng = generator(0)
    reducer = PODSpec(latent_dim).fit(truth, truth, rng=rng)
    latents = truth.map(reducer.encode)
    return ReducedModel(reducer, LinearSpec().fit(latents, latents, rng=rng), about)


def scored(truth, grid=None, latent_dim=2, train=True, **changes):
    """A linear model of `truth`, scored on it."""
    model = linear_model(truth, latent_dim)
    found = forecast(model, truth)
    return Context(model, score(found, model, truth if train else None, **changes), found, grid)


def with_prediction(context, states, **changes):
    """The same with other predicted states, scored anew."""
    found = replace(context.forecast, predicted=replace(context.forecast.predicted, states=states))
    return Context(context.model, score(found, context.model, found.truth, **changes), found, context.grid)


def diverged(after):
    context = scored(waves(), line())
    late = context.forecast.elapsed > after
    return with_prediction(context, torch.where(late[:, None], torch.nan, context.forecast.predicted.states))


def ragged():
    whole, rng = waves(6), generator(1)
    parts = [whole[i] for i in range(6)]
    kept = [torch.sort(torch.randperm(30, generator=rng)[: 8 + 4 * i]).values for i in range(6)]
    return Trajectories.concatenate(
        [
            Trajectories(p.states[k], p.t[k] + 3, torch.tensor([len(k)]), p.velocities[k])
            for p, k in zip(parts, kept, strict=True)
        ]
    )


def trained():
    truth = waves()
    training = TrainingSpec(steps=30, batch_size=16, validations=4)
    reducer = AutoencoderSpec(2, width=8, training=training).fit(truth, truth, rng=generator(0))
    latents = truth.map(reducer.encode)
    model = ReducedModel(reducer, LinearSpec().fit(latents, latents, rng=generator(0)), ABOUT)
    found = forecast(model, truth)
    return Context(model, score(found, model, truth), found, line())


class Cylinder(Reducer):
    """(cos a, sin a, w) -> (a, w)."""

    def __init__(self):
        super().__init__()
        self.spec, self.state_dim, self.latent_space = PODSpec(2), 3, LatentSpace(angles=1, lines=1)
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def encode(self, x):
        return torch.stack([torch.atan2(x[..., 1], x[..., 0]), x[..., 2]], -1)

    def decode(self, z):
        return torch.stack([torch.cos(z[..., 0]), torch.sin(z[..., 0]), z[..., 1]], -1)

    def sizes(self):
        return {}


def on_a_cylinder():
    t = torch.linspace(0, 12, 40, dtype=torch.float64)
    a = t + torch.arange(3)[:, None]
    states = torch.stack([torch.cos(a), torch.sin(a), torch.sin(a / 2)], -1)
    velocities = torch.stack([-torch.sin(a), torch.cos(a), torch.cos(a / 2) / 2], -1)
    truth, reducer = Trajectories.from_stacked(states, t, velocities), Cylinder()
    latents = truth.map(reducer.encode)
    space = reducer.latent_space
    model = ReducedModel(reducer, LinearSpec().fit(latents, latents, rng=generator(0), latent_space=space), {})
    found = forecast(model, truth)
    return Context(model, score(found, model), found)


def snapshots_of_a_plane():
    grid = Grid((Axis("x", torch.arange(4.0)), Axis("y", torch.arange(6.0), unit="m")), ("a", "b"))
    return scored(waves(points=24, components=2), grid)


def lost_encoder():
    context = scored(waves(), line())
    nothing = torch.full_like(context.forecast.truth.states, torch.nan)
    found = Forecast(
        context.forecast.truth,
        replace(context.forecast.reconstructed, states=nothing),
        replace(context.forecast.predicted, states=nothing),
    )
    return Context(context.model, score(found, context.model), found, context.grid)


def at_rest():
    context = scored(waves(), line())
    truth = replace(waves(), states=torch.ones(150, 16, dtype=torch.float64), velocities=None)
    found = forecast(context.model, truth)
    return Context(context.model, score(found, context.model), found, context.grid)


def plain_data():
    context = scored(replace(waves(), velocities=torch.zeros(150, 16, dtype=torch.float64)), train=False)
    about = {"system": "data", "velocities": "quintic spline", "velocity_error": 0.012}
    return replace(context, model=replace(context.model, about=about))


CASES = {
    "a field": lambda: scored(waves(), line()),
    "a field of two components that are never negative": lambda: scored(
        waves(components=2, offset=3.0), line(components=("u", "v")), latent_dim=4
    ),
    "a field in two dimensions": snapshots_of_a_plane,
    "no grid": lambda: scored(waves()),
    "ragged trajectories": lambda: scored(ragged()),
    "ragged trajectories of a field": lambda: scored(ragged(), line()),
    "one latent coordinate": lambda: scored(waves(), line(), latent_dim=1),
    "two state dimensions": lambda: scored(waves(points=2), latent_dim=1),
    "one trajectory": lambda: scored(waves(n=1), line()),
    "two snapshots": lambda: scored(waves(n=3, steps=2), line()),
    "everything diverged at once": lambda: diverged(-1),
    "everything diverged late": lambda: diverged(6),
    "a useless encoder": lost_encoder,
    "a test at rest": at_rest,
    "no baselines": lambda: scored(waves(), line(), train=False),
    "a trained reducer": trained,
    "an angle": on_a_cylinder,
    "data without an equation": plain_data,
    "nothing known": lambda: replace(plain_data(), model=linear_model(waves(), about={})),
}


class Page(HTMLParser):
    """What a browser would see: text, images with what follows them, and everything that it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.images, self.captions, self.fetched, self.tags, self.texts, self.open = [], [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.open.append(tag)
        if tag == "img":
            self.images.append(attributes)
        self.fetched += [value for key, value in attributes.items() if key in ("src", "href", "srcset", "data")]

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)
        if "figcaption" in self.open:
            self.captions.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@dataclass
class Drawn:
    axes: list

    @classmethod
    def of(cls, figure, context):
        with matplotlib.rc_context(dict(STYLE)):
            return cls(figure.draw(context).axes)

    def line(self, name):
        return next(line for ax in self.axes for line in ax.get_lines() if line.get_label() == name)


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without pictures, for tests of their text."""
    monkeypatch.setattr(page, "pictures", lambda figures, subject: [])


@pytest.fixture
def sketched(monkeypatch):
    """Pictures that are drawn completely, but small and without the slow search for the best layout."""

    def sketch(figure, context):
        drawing, buffer = figure.draw(context), io.BytesIO()
        drawing.set_layout_engine("none")
        drawing.savefig(buffer, format="png", dpi=30)
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

    monkeypatch.setattr(page, "data_uri", sketch)


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_forecast_gives_a_whole_page_without_a_warning(name, tmp_path, sketched):
    context = CASES[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_report(
            tmp_path / "report.html",
            context.model,
            context.evaluation,
            context.forecast,
            grid=context.grid,
            settings=SETTINGS,
        )
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    found = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert {image["alt"] for image in found.images} >= ALWAYS
    assert len(found.captions) == len(found.images) == sum(figure.applies(context) for figure in find_figures(FOLDER))
    assert all(len(caption) > 30 for caption in found.captions)
    assert all(image["src"].startswith("data:image/") for image in found.images)
    assert "nan" not in found.text.lower().replace("nanosecond", "")
    assert "None" not in found.text


@pytest.fixture(scope="module")
def text():
    return render(trained(), SETTINGS)


def test_the_page_loads_nothing(text):
    found = Page(text)
    assert found.fetched
    assert all(uri.startswith("data:") for uri in found.fetched)
    assert not {"script", "link", "iframe", "object"} & set(found.tags)
    assert "url(" not in text
    assert "@import" not in text


def test_images_are_whole_and_load_nothing_either(text):
    for image in Page(text).images:
        media, _, data = image["src"].partition(";base64,")
        content = base64.b64decode(data, validate=True)
        if media.endswith("png"):
            assert content.startswith(b"\x89PNG")
            assert content.endswith(b"IEND\xaeB`\x82")
        else:
            assert content.rstrip().endswith(b"</svg>")
            loaded = [part for part in content.decode().split('href="')[1:] if not part.startswith("#")]
            assert not loaded


def test_names_are_escaped(undrawn):
    context = CASES["no grid"]()
    hostile = '<script>alert("x")</script>'
    about = {**context.model.about, "time_unit": hostile, "arguments": {"base": hostile}}
    evaluation = replace(context.evaluation, system=hostile)
    text = render(replace(context, model=replace(context.model, about=about), evaluation=evaluation), SETTINGS)
    found = Page(text)
    assert "script" not in found.tags
    assert "b" not in found.tags
    assert hostile in found.text
    assert "<b>bold</b>" in found.text


def test_the_same_arguments_give_the_same_page(monkeypatch):
    monkeypatch.setattr(page, "find_figures", lambda folder: [SpaceTime(), ErrorGrowth()])
    context = CASES["a field"]()
    assert render(context, SETTINGS) == render(context, SETTINGS)


def test_drawing_leaves_matplotlibs_settings_as_they_were(sketched):
    before = dict(matplotlib.rcParams)
    render(CASES["no grid"](), SETTINGS)
    assert dict(matplotlib.rcParams) == before


def test_a_failed_report_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("old")
    context = CASES["no grid"]()

    def fail(self, context):
        raise RuntimeError("cannot draw")

    monkeypatch.setattr(ErrorGrowth, "draw", fail)
    with pytest.raises(RuntimeError, match="cannot draw"):
        write_report(
            tmp_path / "report.html", context.model, context.evaluation, context.forecast, grid=None, settings={}
        )
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"


def test_a_page_with_many_snapshots_stays_small():
    context = scored(waves(n=100, steps=300, points=32), line(32))
    assert len(render(context, SETTINGS)) < 4e6


# -- the numbers -------------------------------------------------------------------------------------------------------


def with_valid_time(context, **changes):
    spread = replace(context.evaluation.rollout.valid_time, **changes)
    return replace(
        context, evaluation=replace(context.evaluation, rollout=replace(context.evaluation.rollout, valid_time=spread))
    )


def test_the_headline_gives_the_evaluations_numbers(undrawn):
    context = CASES["everything diverged late"]()
    rollout = context.evaluation.rollout
    text = Page(render(context, SETTINGS)).text
    assert "waves: 16 → 2" in text
    expected = (
        f"stay valid for {rollout.valid_time.median:.3g} seconds ({rollout.valid_time_scaled.median:.2g} periods)"
    )
    assert expected in text
    assert "the median of 5 test trajectories. 5 of 5 predictions diverged." in text


def test_numbers_come_from_the_evaluation_even_where_it_differs_from_the_forecast():
    context = with_valid_time(CASES["everything diverged late"](), median=3.21)
    assert "stay valid for 3.21 seconds" in verdict(context)


def test_the_table_shows_every_score_of_model_and_baselines(undrawn):
    context = CASES["everything diverged late"]()
    text = Page(render(context, SETTINGS)).text
    found = context.evaluation
    linear, pod = found.baselines["linear"]["rollout"], found.baselines["pod"]["reconstruction"]
    for value in (
        found.reconstruction.nmse,
        found.reconstruction.relative_error.p95,
        found.reconstruction.relative_error.max,
        found.rollout.valid_time.mean,
        found.rollout.valid_time.p10,
        pod.nmse,
        pod.relative_error.p99,
        linear.valid_time.median,
        linear.valid_time_scaled.p10,
    ):
        assert number(value) in text


def test_costs_are_shown_where_they_were_measured(undrawn):
    context = CASES["no grid"]()
    cost, speedup = Cost(simulate_s=12.5, peak_memory_mb=345.0, parameters=98765), Speedup(0.5, 0.025, 20.0)
    evaluation = replace(context.evaluation, cost=cost, speedup=speedup)
    text = Page(render(replace(context, evaluation=evaluation), SETTINGS)).text
    for expected in ("12.5 s", "345 MiB", "98,765", "20 × as fast", "25 ms instead of 500 ms"):
        assert expected in text
    assert "training of the latent dynamics" not in text
    slower = replace(evaluation, speedup=Speedup(0.025, 0.5, 0.05))
    assert "20 × slower" in Page(render(replace(context, evaluation=slower), SETTINGS)).text
    unknown = replace(evaluation, speedup=Speedup(None, 0.5, None))
    assert "against the full model" not in Page(render(replace(context, evaluation=unknown), SETTINGS)).text


def test_the_report_says_from_how_many_runs_on_a_model_pays_or_that_it_never_does(undrawn):
    context = CASES["no grid"]()
    cost = Cost(simulate_s=10.0, reducer_s=60.0, dynamics_s=30.0)
    fast = Speedup(0.5, 0.25, 2.0, batch=16, duration=20.0, full_alone_s=12.0, reduced_alone_s=3.0)
    assert fast.pays_from(cost) == 20  # 5 s are saved in each run
    text = Page(
        render(replace(context, evaluation=replace(context.evaluation, cost=cost, speedup=fast)), SETTINGS)
    ).text
    assert "one run alone: 3 s instead of 12 s" in text
    assert "the 100 s of making it are paid back: from 20 runs on" in text
    slow = replace(fast, reduced_s_per_time_unit=0.6, ratio=0.5 / 0.6)
    assert slow.pays_from(cost) == math.inf
    text = Page(
        render(replace(context, evaluation=replace(context.evaluation, cost=cost, speedup=slow)), SETTINGS)
    ).text
    assert "never, the full model is faster" in text
    assert fast.pays_from(Cost()) is None
    assert Speedup(0.5, 0.25, 2.0).pays_from(cost) is None  # what earlier versions stored


def test_a_prediction_that_outlives_the_test_is_said_to_be_valid_for_at_least_so_long():
    context = with_prediction(CASES["a field"](), CASES["a field"]().forecast.truth.states)
    assert "stay valid for at least 12 seconds (3 periods)" in verdict(context)
    assert "no longer time was tested" in verdict(context)
    assert "at least" not in verdict(CASES["everything diverged late"]())


def test_a_prediction_lost_at_once_is_not_called_valid():
    assert "stay valid" not in verdict(CASES["everything diverged at once"]())
    assert "5 of 5 predictions diverged" in verdict(CASES["everything diverged at once"]())


def test_settings_are_shown_by_the_path_that_changes_them():
    assert settings_rows(SETTINGS["spec"]) == [
        ("reducer.kind", "pod"),
        ("reducer.latent_dim", "2"),
        ("note", "<b>bold</b>"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (0.0, "0"),
        (83.0, "83"),
        (0.0306, "0.0306"),
        (999.7, "1,000"),
        (287534, "287,534"),
        (7.5e-7, "7.5 × 10⁻⁷"),
        (-4.21e-4, "-4.21 × 10⁻⁴"),
        (1.5e9, "1.5 × 10⁹"),
    ],
)
def test_numbers_are_written_as_people_write_them(value, text):
    assert number(value) == text


def test_velocities_that_were_estimated_say_so_with_their_error(undrawn):
    text = Page(render(plain_data(), SETTINGS)).text
    assert "quintic spline through the samples, estimated error 1.2 %" in text
    assert "exact" in Page(render(CASES["no grid"](), SETTINGS)).text


# -- the figures -------------------------------------------------------------------------------------------------------


def test_figures_are_found_in_the_folder_in_order():
    found = find_figures(FOLDER)
    names = [type(figure).__name__ for figure in found]
    expected = ["SpaceTime", "ErrorGrowth", "ValidTimes", "Reconstruction", "Training", "LatentPortrait"]
    assert [name for name in names if name in expected] == expected
    assert len(names) == len(set(names))
    assert [figure.order for figure in found] == sorted(figure.order for figure in found)


def test_each_kind_of_state_gets_its_own_picture():
    names = ("a field", "a field in two dimensions", "no grid", "a trained reducer", "a useless encoder")
    contexts = {name: CASES[name]() for name in names}
    shown = {name: {type(f).__name__ for f in find_figures(FOLDER) if f.applies(c)} for name, c in contexts.items()}
    assert "SpaceTime" in shown["a field"]
    assert "PhasePortrait" not in shown["a field"]
    assert "Snapshots" in shown["a field in two dimensions"]
    assert {"PhasePortrait", "TimeSeries"} <= shown["no grid"]
    assert "Training" in shown["a trained reducer"]
    assert "Training" not in shown["a field"]
    assert "Reconstruction" not in shown["a useless encoder"]


def test_time_axes_carry_the_unit_and_the_time_scale():
    drawn = Drawn.of(ErrorGrowth(), CASES["a field"]())
    assert drawn.axes[0].get_xlabel() == "time since the start (seconds)"
    above = drawn.axes[0].child_axes[0]
    assert above.get_xlabel() == "time (periods)"
    above.figure.draw_without_rendering()  # a secondary axis takes its limits only then
    assert above.get_xlim() == pytest.approx((0, 12 / 4))


def test_a_time_scale_that_nobody_named_is_not_drawn():
    assert not Drawn.of(ErrorGrowth(), plain_data()).axes[0].child_axes


def test_the_drawn_median_is_the_evaluations_curve():
    context = CASES["everything diverged late"]()
    line = Drawn.of(ErrorGrowth(), context).line("prediction, median")
    curve = context.evaluation.rollout.error
    np.testing.assert_allclose(line.get_xdata(), curve.t)
    finite = np.isfinite(curve.median)
    assert 0 < finite.sum() < len(finite)
    np.testing.assert_allclose(line.get_ydata()[finite], np.maximum(np.array(curve.median)[finite], BOTTOM))
    assert (line.get_ydata()[~finite] > 10).all()  # leaves the picture at the top


def test_error_curves_of_ragged_trajectories_agree_with_the_evaluations_at_common_times():
    context = scored(ragged())
    t, table = context.over_time(context.rollout_error)
    curve = error_curve(context.forecast)
    mean = np.interp(curve.t, t, table.mean(0))
    inside = ~np.isnan(mean)
    assert inside.sum() > 5
    assert np.isfinite(mean[inside]).all()
    np.testing.assert_allclose(mean[inside], np.array(curve.mean)[inside], rtol=0.03)


def test_trajectories_that_ended_do_not_count_in_the_error_curve():
    context = scored(ragged())
    t, table = context.over_time(context.rollout_error)
    ends = [context.elapsed(i)[-1] for i in range(6)]
    assert t[-1] == pytest.approx(np.sort(ends)[2])
    for end, row in zip(ends, table, strict=True):
        np.testing.assert_array_equal(np.isnan(row), t > end)


def test_the_typical_trajectory_has_the_median_valid_time():
    context = CASES["one latent coordinate"]()
    assert context.valid_times[context.typical] == np.quantile(context.valid_times, 0.5, method="lower")


def test_survival_falls_by_each_lost_trajectory_and_ignores_those_that_end_valid():
    context = CASES["no grid"]()
    context.__dict__["valid_times"] = np.array([1.0, 2.0, 2.0, 3.0, 4.0])
    context.__dict__["lost"] = np.array([True, True, False, True, False])
    drawn = Drawn.of(ValidTimes(), context).line("model")
    np.testing.assert_allclose(drawn.get_xdata(), [0, 1, 2, 3, 4])
    # Five at risk at 1, four at 2 (one of which ends valid), two at 3, one at 4 that ends valid.
    np.testing.assert_allclose(drawn.get_ydata(), [1, 0.8, 0.6, 0.3, 0.3])


def test_the_histogram_counts_every_snapshot_once():
    for name in ("a field", "ragged trajectories"):
        above = Drawn.of(Reconstruction(), CASES[name]()).axes[0]
        assert sum(bar.get_height() for bar in above.patches) == pytest.approx(100)


def test_every_training_stage_has_a_panel_with_its_steps():
    context = trained()
    drawn = Drawn.of(Training(), context)
    assert [ax.get_title("left").split(",")[0] for ax in drawn.axes] == ["reducer: 30 steps"]
    history = context.model.histories[0]
    np.testing.assert_allclose(drawn.line("validation loss").get_ydata(), history.validation)
    assert drawn.line("kept").get_xdata()[0] == history.best_step
