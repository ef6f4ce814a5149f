"""What README and site say of results is what the examples found."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 100_000  # bytes of a picture


@pytest.fixture(scope="module")
def reproduce():
    spec = importlib.util.spec_from_file_location("reproduce", ROOT / "docs" / "reproduce.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_stored_results(reproduce):
    for path, text in reproduce.pages().items():
        assert text == path.read_text(encoding="utf-8"), f"`python docs/reproduce.py --tables` writes {path.name} again"


def test_every_stored_result_is_of_a_command_that_an_example_names(reproduce):
    known = {(script.stem, " ".join(words)) for script in reproduce.scripts() for words in reproduce.arguments(script)}
    assert set(reproduce.stored()) <= known


def test_every_example_has_a_title_and_the_options_that_all_have(reproduce):
    for script in reproduce.scripts():
        first, underline, *_ = reproduce.docstring(script).splitlines()
        assert underline == "=" * len(first), script.name
        text = script.read_text(encoding="utf-8")
        if "from paper_results import" in text:  # has them from there
            text += (script.parent / "paper_results.py").read_text(encoding="utf-8")
        assert '"--small"' in text, script.name
        assert '"--out"' in text, script.name
        assert '"results.json"' in text, script.name


def test_pictures_are_small_and_of_a_stored_result(reproduce):
    names = {f"{reproduce.picture_of(entry)}.png" for entry in reproduce.stored().values()}
    pictures = list(reproduce.PICTURES.glob("*.png"))
    assert {path.name for path in pictures} <= names
    assert all(path.stat().st_size <= LARGEST for path in pictures)


EXAMPLE = '''"""
An example
==========

It writes a number. ::

    python examples/example.py --twice --out runs/example    # more
"""

import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path)
parser.add_argument("--small", action="store_true")
parser.add_argument("--twice", action="store_true")
given = parser.parse_args()
rows = [{"case": "x | y", "published": None, "ours": 0.12345, "minutes": None}]
with (given.out / "runs").open("a") as file:
    file.write("run")
(given.out / "results.json").write_text(json.dumps(rows))
if __name__ == "__main__":
    pass
'''


@pytest.fixture
def place(reproduce, tmp_path, monkeypatch):
    """A project of one example and two pages."""
    for folder in ("examples", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "examples" / "example.py").write_text(EXAMPLE)
    for page in ("README.md", "docs/results.md"):
        (tmp_path / page).write_text(f"before\n{reproduce.BEGIN}old\n{reproduce.END}\nafter\n")
    monkeypatch.setattr(reproduce, "ROOT", tmp_path)
    monkeypatch.setattr(reproduce, "RESULTS", tmp_path / "docs" / "results.json")
    monkeypatch.setattr(reproduce, "HEADLINES", (("example", "--twice", "An example: ", ()),))
    return tmp_path


def test_what_is_done_is_skipped_and_the_tables_are_written(reproduce, place):
    for _ in range(2):
        assert reproduce.main(place / "out", [], False, False) == 0
    assert (place / "out" / "example" / "twice" / "runs").read_text() == "run"
    (entry,) = json.loads((place / "docs" / "results.json").read_text())
    assert (entry["script"], entry["arguments"]) == ("example", "--twice")
    text = (place / "docs" / "results.md").read_text()
    assert "| x \\| y |  | 0.123 |" in text
    assert "`python examples/example.py --twice`" in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| An example: x \\| y |" in (place / "README.md").read_text()


def test_trials_are_not_published_and_a_failure_is_counted(reproduce, place, capsys):
    assert reproduce.main(place / "trial", [], True, False) == 0
    assert not (place / "docs" / "results.json").exists()
    assert "0.123" in capsys.readouterr().out
    (place / "examples" / "example.py").write_text(EXAMPLE.replace("rows = [", "rows = undefined + ["))
    assert reproduce.main(place / "other", [], False, False) == 1
    assert not (place / "docs" / "results.json").exists()
