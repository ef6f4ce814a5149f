"""What a notebook shows of a result: a short table, every word of it escaped."""

from collections.abc import Iterable, Sequence
from functools import singledispatch
from html import escape

from dynred.data.trajectories import Trajectories
from dynred.evaluation.certificate import Certificate
from dynred.evaluation.compare import Comparison
from dynred.evaluation.evaluation import Evaluation
from dynred.geometry.verdict import Verdict, count, numbers
from dynred.models.base import Model
from dynred.models.forecast import Forecast
from dynred.ode.system import System

MOST = 12  # rows: the rest is what `print` shows


def card(result: object) -> str:
    """The table of a result as HTML."""
    title, heads, rows = _content(result)
    return table(title, heads, rows)


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as HTML, below the lines of its title; cells beside others, which are numbers, stand to the right."""
    shown = list(rows)
    first_line, *others = title.split("\n")
    lines = [f"<b>{escape(first_line)}</b>", *(f"<div>{escape(line)}</div>" for line in others), "<table>"]
    if any(heads):
        lines.append(f"<thead><tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr></thead>")
    lines.append("<tbody>")
    side = "right" if len(heads) > 2 else "left"
    for name, *cells in shown[:MOST]:
        values = "".join(f'<td style="text-align: {side}">{escape(cell)}</td>' for cell in cells)
        lines.append(f'<tr><th style="text-align: left">{escape(name)}</th>{values}</tr>')
    lines.append("</tbody></table>")
    if len(shown) > MOST:
        lines.append(f"<small>{len(shown) - MOST} more rows: print it.</small>")
    return "\n".join(lines)


Content = tuple[str, Sequence[str], Sequence[Sequence[str]]]


@singledispatch
def _content(result: object) -> Content:
    raise TypeError(f"a {type(result).__name__} has no table")


@_content.register
def _trajectories(trajectories: Trajectories) -> Content:
    t, lengths = trajectories.t, trajectories.lengths
    rows: list[Sequence[str]] = [("trajectories", str(len(trajectories)))]
    if len(trajectories):
        low, high = int(lengths.min()), int(lengths.max())
        rows += [
            ("snapshots of each", str(low) if low == high else f"{low} to {high}"),
            ("dimension", str(trajectories.dim)),
            ("times", f"{float(t.min()):.4g} to {float(t.max()):.4g}"),
            ("velocities", "known" if trajectories.velocities is not None else "unknown"),
        ]
    for name, values in trajectories.parameters.items():
        rows.append((f"parameter {name}", _range(float(values.min()), float(values.max()))))
    return str(trajectories.attributes.get("system", "Trajectories")), (), rows


@_content.register
def _forecast(forecast: Forecast) -> Content:
    error = forecast.rollout_error()
    gone = len(forecast.truth.owner[error.isinf()].unique())
    rows: list[Sequence[str]] = [
        ("trajectories", str(len(forecast.truth))),
        ("median error of encoder and decoder", f"{float(forecast.reconstruction_error().median()):.3g}"),
        ("median error of predictions", f"{float(error.median()):.3g}"),
        ("diverged", str(gone)),
    ]
    return "Forecast", (), rows


@_content.register
def _evaluation(evaluation: Evaluation) -> Content:
    title = f"{evaluation.system}: {evaluation.state_dim} to {evaluation.latent_dim}"
    lines = [title, f"Test: {evaluation.test_words}.", *(finding.text for finding in evaluation.findings)]
    lines += [evaluation.closing] if evaluation.closing else []
    return "\n".join(lines), evaluation.heads(), evaluation.rows()


@_content.register
def _comparison(comparison: Comparison) -> Content:
    title = f"{comparison.trajectories} test trajectories; differences from {comparison.models[0]}"
    return title, comparison.heads(), list(comparison.rows())


@_content.register
def _verdict(verdict: Verdict) -> Content:
    rows: list[Sequence[str]] = [(numbers(ks), verdict.answer(ks[0])) for ks in verdict.rows]
    return f"{verdict.what()}\n{verdict.advice()}", ("coordinates", "verdict"), rows


@_content.register
def _certificate(certificate: Certificate) -> Content:
    several = len(certificate.parts) > 1
    heads = ("", "K", *(f"component {i + 1}" for i in range(len(certificate.parts)) if several))
    return f"{certificate.system}: errors on K, in state units", heads, list(certificate.rows())


@_content.register
def _model(model: Model) -> Content:
    space = model.latent_space
    parts = [count(n, word) for n, word in ((space.angles, "angle"), (space.lines, "line")) if n]
    rows: list[Sequence[str]] = [
        ("state dimension", str(model.state_dim)),
        ("latent space", ", ".join(parts)),
        ("fitted numbers", str(model.parameter_count)),
        *((name, str(value)) for name, value in model.about.items() if isinstance(value, str | int)),
        *(("", note) for note in model.notes()),
    ]
    return f"{type(model).__name__} of {model.about.get('system', 'unnamed')}", (), rows


@_content.register
def _system(system: System) -> Content:
    rows: list[Sequence[str]] = [("dimension", str(system.dim))]
    rows += [(f"parameter {name}", f"{value:g}") for name, value in system.parameters.items()]
    rows += [(f"argument {name}", str(value)) for name, value in system.arguments.items()]
    rows.append(("time scale", f"{system.time_scale:.4g} {system.time_unit} ({system.time_scale_name})"))
    if system.known.dimension is not None:
        rows.append(("dimension of K", f"{system.known.dimension:g}"))
    if system.reference:
        rows.append(("reference", system.reference))
    return system.name, (), rows


def _range(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
