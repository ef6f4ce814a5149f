"""The catalogue of systems, as data and as `dynred systems` prints it."""

import json

import pytest

from dynred import plugins
from dynred.cli.app import main
from dynred.ode.catalogue import describe, list_systems

NAMES = plugins.names("dynred.systems")


def printed(capsys, monkeypatch, *tokens, columns=100):
    monkeypatch.setenv("COLUMNS", str(columns))
    main(["systems", *tokens])
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def listed():
    return list_systems()


def test_every_system_is_listed_with_its_facts_and_its_equation(listed):
    assert [entry["name"] for entry in listed] == NAMES
    for entry in listed:
        assert entry["dim"] >= 1
        assert entry["time_scale"] > 0
        assert entry["solver"] in {"auto", "explicit", "stiff", "exponential_adams", "backward_euler", "iteration"}
        assert "=" in entry["equation"]
    known = {entry["name"]: entry["K"] for entry in listed}
    assert known["linked_circles"] == {"dimension": 1, "components": 2}
    assert known["lorenz63"]["dimension"] == 2.062  # that of Kaplan and Yorke


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_of_a_system_tells_what_its_arguments_mean_and_where_it_comes_from(name):
    facts = describe(name)
    assert facts["reference"]
    assert facts["description"]
    for argument, about in facts["arguments"].items():
        assert about["meaning"], f"{argument} of {name} is not explained"
        assert about["default"] not in ("", "<class 'inspect._empty'>"), f"{argument} of {name} has no default"


def test_the_list_is_readable_in_a_hundred_columns(capsys, monkeypatch):
    lines = printed(capsys, monkeypatch).splitlines()
    assert max(len(line) for line in lines) <= 100
    assert lines[0].split() == ["name", "dim", "solver", "dim", "K", "parts", "time", "scale"]
    facts = [line.split() for line in lines[1:] if not line.startswith(" ")]
    assert [row[0] for row in facts] == NAMES
    assert ["double_well", "2", "explicit", "0", "2", "20"] in facts
    assert len(lines) <= 4 * len(NAMES)


def test_one_system_is_shown_in_full(capsys, monkeypatch):
    out = printed(capsys, monkeypatch, "kuramoto_sivashinsky", "--with", "length=44")
    assert max(len(line) for line in out.splitlines()) <= 100
    text = " ".join(out.replace("│", " ").split())
    parts = (
        "argument length 44 (default 22.0): domain length, > 0",
        "parameter viscosity 1",
        "12.3 time units (Lyapunov",
    )
    for part in parts:
        assert part in text
    assert "The mean of u is conserved exactly." in text


def test_a_users_own_file_is_shown_too(capsys, monkeypatch, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("dim = 2\nparameters = {'rate': 3.0}\n\ndef rhs(t, x, rate):\n    return -rate * x\n")
    out = printed(capsys, monkeypatch, str(file), "--json")
    facts = json.loads(out)
    assert (facts["name"], facts["dim"], facts["parameters"], facts["arguments"]) == ("mine", 2, {"rate": 3.0}, {})


def test_arguments_that_share_an_explanation_both_have_it(tmp_path):
    lines = (
        "from dynred.ode.system import System",
        "def shared(first=0.1, second=0.2):",
        '    """x\' = -x.\n\n    Args:\n        first, second: defaults of the parameters.\n    """',
        '    return System("shared", 1, rhs=lambda t, x: -x)',
    )
    (tmp_path / "shared.py").write_text("\n".join(lines))
    about = describe(str(tmp_path / "shared.py"))["arguments"]
    assert about["first"] == {"value": "0.1", "default": "0.1", "meaning": "defaults of the parameters."}
    assert about["second"] == {"value": "0.2", "default": "0.2", "meaning": about["first"]["meaning"]}


def test_parameters_that_are_drawn_are_marked(capsys, monkeypatch):
    text = " ".join(printed(capsys, monkeypatch, "burgers_inviscid").replace("│", " ").split())
    assert "parameter a 0.8 (drawn unless given)" in text
    assert describe("lorenz63")["drawn"] == []


def test_lists_in_a_description_keep_their_lines():
    lines = describe("linked_circles")["description"].splitlines()
    assert sum(line.startswith("- ") for line in lines) == 3
    assert any(line.lstrip().startswith("circle 1: (cos s, sin s, 0)") for line in lines)
